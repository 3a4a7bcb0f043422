//! The list of leap seconds that NIST and IERS publish (`leap-seconds.list`).

use ntp_wire::Timestamp;
use sha1::{Digest, Sha1};

use super::calendar::{DAY, Date};

/// No time in the file is beyond this many seconds since 1900: some ten thousand years.
const LATEST: i64 = 1 << 38;
/// TAI − UTC never had more digits.
const LARGEST_OFFSET: i32 = 10_000;

/// All leap seconds that were decided when the list was published.
///
/// ```
/// use ntp_discipline::{HashCheck, LeapTable};
/// use ntp_wire::Timestamp;
///
/// let text = "\
/// #$ 3676924800
/// #@ 3707596800
/// 3550089600 35 # 1 Jul 2012
/// 3644697600 36 # 1 Jul 2015
/// 3692217600 37 # 1 Jan 2017
/// #h 16edd0f0 3666784f 37db6bdd e74ced87 59af48f1
/// ";
/// assert!(LeapTable::parse(text.as_bytes(), HashCheck::Required).is_err(), "not its hash");
/// let table = LeapTable::parse(text.as_bytes(), HashCheck::Ignored)?;
/// assert_eq!(table.tai_offset(Timestamp::from_unix(1_483_228_799, 0)), Some(36));
/// assert_eq!(table.tai_offset(Timestamp::from_unix(1_483_228_800, 0)), Some(37));
/// # Ok::<(), ntp_discipline::LeapTableError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeapTable {
    expires: Timestamp,
    changes: Vec<TaiChange>,
}

/// From `at` on, TAI − UTC is `offset` seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TaiChange {
    pub(super) at: Timestamp,
    pub(super) offset: i32,
}

/// Whether the hash in the file must be right.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HashCheck {
    /// A file without hash, or with another than its contents have, is refused.
    Required,
    /// Nobody looks at it: for files that were made by hand.
    Ignored,
}

/// Why a list of leap seconds is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeapTableError {
    /// A line that is neither a comment nor a leap second.
    #[error("line {line}: '{text}' is not a time and a number of seconds")]
    Line {
        /// Counted from 1.
        line: usize,
        /// As it stands.
        text: String,
    },
    /// A leap second within a month.
    #[error("line {line}: {time} is not the start of a month")]
    NotAtMonthStart {
        /// Counted from 1.
        line: usize,
        /// In seconds since 1900.
        time: i64,
    },
    /// A time before that of an earlier line.
    #[error("line {line}: {time} is not later than the line before")]
    NotAscending {
        /// Counted from 1.
        line: usize,
        /// In seconds since 1900.
        time: i64,
    },
    /// More than one second at a time, or none.
    #[error("line {line}: from {before} to {after} is not one second")]
    NotOneSecond {
        /// Counted from 1.
        line: usize,
        /// TAI − UTC in seconds until then.
        before: i32,
        /// And from then on.
        after: i32,
    },
    /// Nothing in it.
    #[error("there is no leap second in it")]
    Empty,
    /// No line `#@`.
    #[error("there is no line '#@' that says when it expires")]
    NoExpiry,
    /// No line `#h`.
    #[error("there is no line '#h' with a hash")]
    NoHash,
    /// A line `#h` that holds something else.
    #[error("line {line}: a hash is five hexadecimal numbers")]
    MalformedHash {
        /// Counted from 1.
        line: usize,
    },
    /// The file was changed, cut off or mixed up.
    #[error("its hash is wrong: it was changed or cut off")]
    WrongHash,
}

impl LeapTable {
    /// Reads a list.
    ///
    /// Lines begin with `#$` and the time of the last change, `#@` and the time of expiry, `#h` and
    /// the SHA-1 of all digits that are not in comments, or with a time and TAI − UTC from then on.
    /// Times are seconds since 1900. All other lines that begin with `#` are comments.
    ///
    /// # Errors
    ///
    /// [`LeapTableError`] at the first line that cannot be understood or cannot be true.
    pub fn parse(text: &[u8], check: HashCheck) -> Result<Self, LeapTableError> {
        let text = String::from_utf8_lossy(text);
        let mut expires = None;
        let mut changes: Vec<TaiChange> = Vec::new();
        let mut hash = None;
        let mut sum = Sha1::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim_end();
            if let Some(rest) = line.strip_prefix("#h") {
                hash = Some(stated_hash(rest).ok_or(number));
            } else if let Some(rest) = line.strip_prefix("#@") {
                add_digits(&mut sum, rest);
                let [time] = numbers(rest).ok_or_else(|| unclear(line, number))?;
                expires = Some(Timestamp::from_parts(time, 0));
            } else if let Some(rest) = line.strip_prefix("#$") {
                add_digits(&mut sum, rest);
                let [_] = numbers(rest).ok_or_else(|| unclear(line, number))?;
            } else if !line.starts_with('#') && !line.trim_start().is_empty() {
                add_digits(&mut sum, line);
                let [time, offset] = numbers(line).ok_or_else(|| unclear(line, number))?;
                let offset = i32::try_from(offset)
                    .ok()
                    .filter(|offset| *offset <= LARGEST_OFFSET)
                    .ok_or_else(|| unclear(line, number))?;
                let change = checked(time, offset, changes.last(), number)?;
                changes.push(change);
            }
        }
        if check == HashCheck::Required {
            let stated = hash
                .ok_or(LeapTableError::NoHash)?
                .map_err(|line| LeapTableError::MalformedHash { line })?;
            if stated != <[u8; 20]>::from(sum.finalize()) {
                return Err(LeapTableError::WrongHash);
            }
        }
        if changes.is_empty() {
            return Err(LeapTableError::Empty);
        }
        Ok(Self {
            expires: expires.ok_or(LeapTableError::NoExpiry)?,
            changes,
        })
    }

    /// When the list expires: later leap seconds may have been decided meanwhile.
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The last change in the list, be it to come or gone by: the midnight after the leap second.
    pub fn last_change(&self) -> Timestamp {
        self.changes
            .last()
            .map_or(Timestamp::from_parts(0, 0), |change| change.at)
    }

    /// TAI − UTC in seconds at `time`; not known before the first change of the list.
    pub fn tai_offset(&self, time: Timestamp) -> Option<i32> {
        let passed = self.passed(time);
        let last = passed.checked_sub(1)?;
        self.changes.get(last).map(|change| change.offset)
    }

    /// Whole days from `time` to the expiry, rounded down: negative if that is over.
    pub fn days_left(&self, time: Timestamp) -> i64 {
        self.expires
            .seconds()
            .saturating_sub(time.seconds())
            .div_euclid(DAY)
    }

    /// The first change after `time`, and what it changes by.
    pub(super) fn next_change(&self, time: Timestamp) -> Option<(TaiChange, i32)> {
        let passed = self.passed(time);
        let next = *self.changes.get(passed)?;
        let before = passed
            .checked_sub(1)
            .and_then(|index| self.changes.get(index))?;
        Some((next, next.offset - before.offset))
    }

    fn passed(&self, time: Timestamp) -> usize {
        self.changes.partition_point(|change| change.at <= time)
    }
}

/// `YYYYMMDDhhmm` of a time, as ntpq shows `leapsec` and `expire`.
pub(super) fn minute(time: Timestamp) -> String {
    Date::of(time).to_minute()
}

fn unclear(line: &str, number: usize) -> LeapTableError {
    LeapTableError::Line {
        line: number,
        text: line.chars().take(40).collect(),
    }
}

/// The numbers of a line, up to a comment; `None` if there are more or fewer.
fn numbers<const N: usize>(text: &str) -> Option<[i64; N]> {
    let text = text.split('#').next().unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let mut found = [0; N];
    for number in &mut found {
        let word = words.next()?;
        // Digits only: no sign is part of the format, nor of the hash.
        if !word.bytes().all(|letter| letter.is_ascii_digit()) {
            return None;
        }
        *number = word.parse().ok().filter(|number| *number < LATEST)?;
    }
    words.next().is_none().then_some(found)
}

fn checked(
    time: i64,
    offset: i32,
    before: Option<&TaiChange>,
    line: usize,
) -> Result<TaiChange, LeapTableError> {
    let at = Timestamp::from_parts(time, 0);
    let date = Date::of(at);
    if date.day != 1 || date.second_of_day != 0 {
        return Err(LeapTableError::NotAtMonthStart { line, time });
    }
    if let Some(before) = before {
        if at <= before.at {
            return Err(LeapTableError::NotAscending { line, time });
        }
        if (offset - before.offset).abs() != 1 {
            return Err(LeapTableError::NotOneSecond {
                line,
                before: before.offset,
                after: offset,
            });
        }
    }
    Ok(TaiChange { at, offset })
}

/// Five numbers of 32 bits, whose leading zeros may be missing.
fn stated_hash(text: &str) -> Option<[u8; 20]> {
    let mut hash = [0; 20];
    let mut words = text.split_ascii_whitespace();
    for part in hash.chunks_exact_mut(4) {
        let word = words.next()?;
        if !word.bytes().all(|letter| letter.is_ascii_hexdigit()) {
            return None;
        }
        part.copy_from_slice(&u32::from_str_radix(word, 16).ok()?.to_be_bytes());
    }
    words.next().is_none().then_some(hash)
}

fn add_digits(sum: &mut Sha1, text: &str) {
    let digits: Vec<u8> = text
        .bytes()
        .take_while(|letter| *letter != b'#')
        .filter(u8::is_ascii_digit)
        .collect();
    sum.update(&digits);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The list that IERS published in July 2025: times, and TAI − UTC from then on.
    const PUBLISHED: [i64; 28] = [
        2_272_060_800,
        2_287_785_600,
        2_303_683_200,
        2_335_219_200,
        2_366_755_200,
        2_398_291_200,
        2_429_913_600,
        2_461_449_600,
        2_492_985_600,
        2_524_521_600,
        2_571_782_400,
        2_603_318_400,
        2_634_854_400,
        2_698_012_800,
        2_776_982_400,
        2_840_140_800,
        2_871_676_800,
        2_918_937_600,
        2_950_473_600,
        2_982_009_600,
        3_029_443_200,
        3_076_704_000,
        3_124_137_600,
        3_345_062_400,
        3_439_756_800,
        3_550_089_600,
        3_644_697_600,
        3_692_217_600,
    ];

    fn published() -> String {
        let mut text = String::from("# a comment\n#\n#$\t UPDATED\n#@\tEXPIRES\n");
        for (time, offset) in PUBLISHED.iter().zip(10..) {
            text += &format!("{time}      {offset}      # a day\n");
        }
        text + "#\n#h\tHASH\n"
    }

    fn parse(text: &str) -> Result<LeapTable, LeapTableError> {
        LeapTable::parse(text.as_bytes(), HashCheck::Ignored)
    }

    fn real() -> String {
        published()
            .replace("UPDATED", REAL_UPDATE)
            .replace("EXPIRES", REAL_EXPIRY)
            .replace("HASH", REAL_HASH)
    }

    const REAL_UPDATE: &str = "3960835200";
    const REAL_EXPIRY: &str = "3991593600";
    const REAL_HASH: &str = "49db2447 571e5e1b 2f002a53 9c8da8e4 39b8e49e";

    #[test]
    fn the_published_list_has_the_published_hash() {
        let table = LeapTable::parse(real().as_bytes(), HashCheck::Required).unwrap();
        assert_eq!(minute(table.last_change()), "201701010000");
        assert_eq!(minute(table.expires()), "202606280000");
        let at = |seconds| table.tai_offset(Timestamp::from_unix(seconds, 0));
        assert_eq!(at(0), None);
        assert_eq!(at(63_072_000), Some(10));
        assert_eq!(at(1_483_228_799), Some(36));
        assert_eq!(at(1_483_228_800), Some(37));
        assert_eq!(at(1 << 40), Some(37));
    }

    #[test]
    fn a_changed_list_is_refused() {
        let check = |text: &str| LeapTable::parse(text.as_bytes(), HashCheck::Required);
        let list = real();
        // What is in comments does not count, nor how the hash is written.
        let other = list.replace("a day", "another day");
        assert!(check(&other).is_ok());
        assert!(check(&list.replace("#h\t", "#h  0")).is_ok());
        let cut = list.replace("3692217600      37", "# 3692217600      37");
        assert_eq!(check(&cut), Err(LeapTableError::WrongHash));
        let late = list.replace(REAL_EXPIRY, "4100000000");
        assert_eq!(check(&late), Err(LeapTableError::WrongHash));
        let none = list.replace("#h", "# h");
        assert_eq!(check(&none), Err(LeapTableError::NoHash));
        let short = list.replace(REAL_HASH, "1 2 3 4");
        assert!(matches!(
            check(&short),
            Err(LeapTableError::MalformedHash { line: 34 })
        ));
        // And all of these are good enough for `ignorehash`.
        for text in [other, cut, late, none, short] {
            assert!(parse(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (lines, message) in [
            ("", "no leap second"),
            ("2272060800 10\n#@", "line 2: '#@'"),
            ("2272060800 10", "no line '#@'"),
            ("2272060800", "line 1: '2272060800' is not a time"),
            ("2272060800 ten", "line 1: "),
            ("2272060800 10 11", "line 1: "),
            ("-2272060800 10", "line 1: "),
            ("+2272060800 10", "line 1: "),
            ("99999999999999999999 10", "line 1: "),
            ("2272060800 99999999999", "line 1: "),
            ("leap", "line 1: 'leap'"),
            ("2272060801 10", "2272060801 is not the start of a month"),
            ("2272147200 10", "is not the start of a month"),
            (
                "2287785600 10\n2272060800 11",
                "line 2: 2272060800 is not later",
            ),
            (
                "2287785600 10\n2287785600 11",
                "line 2: 2287785600 is not later",
            ),
            (
                "2272060800 10\n2287785600 12",
                "from 10 to 12 is not one second",
            ),
            (
                "2272060800 10\n2287785600 10",
                "from 10 to 10 is not one second",
            ),
        ] {
            let error = parse(lines).unwrap_err().to_string();
            assert!(error.contains(message), "{lines}: {error}");
        }
    }

    #[test]
    fn days_are_counted_to_the_expiry() {
        let table = parse("#@ 2287785600\n2272060800 10").unwrap();
        let days = |seconds| table.days_left(Timestamp::from_parts(seconds, 0));
        assert_eq!(days(2_287_785_600 - 28 * DAY), 28);
        assert_eq!(days(2_287_785_600 - 1), 0);
        assert_eq!(days(2_287_785_600), 0);
        assert_eq!(days(2_287_785_601), -1);
    }

    proptest! {
        #[test]
        fn nothing_makes_it_stumble(text in "[#$@h0-9a-f \t\n-]{0,300}") {
            let _ = parse(&text);
            let _ = LeapTable::parse(text.as_bytes(), HashCheck::Required);
        }

        #[test]
        fn every_change_is_the_next_until_it_is_there(time in 2_000_000_000i64..4_000_000_000) {
            let table = LeapTable::parse(real().as_bytes(), HashCheck::Required).unwrap();
            let now = Timestamp::from_parts(time, 0);
            match table.next_change(now) {
                Some((change, by)) => {
                    prop_assert!(change.at > now);
                    prop_assert_eq!(by, 1);
                    prop_assert_eq!(table.tai_offset(change.at), Some(change.offset));
                }
                // All is past, or nothing is known of what was before the first.
                None => prop_assert!(!(2_272_060_800..3_692_217_600).contains(&time)),
            }
        }
    }
}
