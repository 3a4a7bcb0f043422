//! `name=value, name=value`: the text of variables, broken into lines.

use ntp_wire::control::ErrorCode;

/// Lines of a response are shorter than this.
const LINE: usize = 72;

/// A list of variables in the making.
#[derive(Default)]
pub(super) struct Listing {
    text: String,
    line: usize,
}

/// The `name=value` items of one variable; a certificate has two.
pub(super) struct Items<'a>(pub(super) &'a mut Listing);

impl Listing {
    /// Adds the variables in `names` that are among `known`, in the order of `known`; or those in
    /// `default` if none is named. A variable without a value adds nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::UNKNOWN_VARIABLE`] for a name that is not known, [`ErrorCode::BAD_FORMAT`] for
    /// what is no list of names.
    pub(super) fn fill(
        &mut self,
        names: &[u8],
        known: &[&str],
        default: &[&str],
        variable: impl Fn(&str, &mut Items<'_>),
    ) -> Result<(), ErrorCode> {
        let names = std::str::from_utf8(names).map_err(|_| ErrorCode::BAD_FORMAT)?;
        let names =
            names.trim_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\0');
        if names.is_empty() {
            for name in default {
                variable(name, &mut Items(self));
            }
            return Ok(());
        }
        let mut wanted = Vec::new();
        for name in names.split(',') {
            // `name=value` asks for the name; who reads must not mind the value.
            let name = name.split('=').next().unwrap_or_default().trim();
            let known = known.iter().find(|known| **known == name);
            wanted.push(*known.ok_or(ErrorCode::UNKNOWN_VARIABLE)?);
        }
        // Each once: who asks the same again and again wants the answer long, and sent to
        // somebody else.
        for name in known.iter().filter(|name| wanted.contains(name)) {
            variable(name, &mut Items(self));
        }
        Ok(())
    }

    /// The text, its last line ended.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.text.into_bytes()
    }

    fn push(&mut self, item: &str) {
        if !self.text.is_empty() {
            self.text.push(',');
            self.line += 1;
            if item.len() + self.line + 1 >= LINE {
                self.text.push_str("\r\n");
                self.line = 0;
            } else {
                self.text.push(' ');
                self.line += 1;
            }
        }
        self.text.push_str(item);
        self.line += item.len();
    }
}

impl Items<'_> {
    /// Octets of the list so far.
    pub(super) fn length(&self) -> usize {
        self.0.text.len()
    }

    /// `name=value`.
    pub(super) fn plain(&mut self, name: &str, value: impl std::fmt::Display) {
        self.0.push(&format!("{name}={value}"));
    }

    /// `name="value"`; quotes and control characters in the value become question marks.
    pub(super) fn quoted(&mut self, name: &str, value: &str) {
        let value: String = value
            .chars()
            .map(|letter| {
                if letter == '"' || letter.is_control() {
                    '?'
                } else {
                    letter
                }
            })
            .collect();
        self.0.push(&format!("{name}=\"{value}\""));
    }

    /// `name=0xssssssss.ffffffff`.
    pub(super) fn time(&mut self, name: &str, time: ntp_wire::WireTimestamp) {
        self.plain(name, format_args!("0x{time}"));
    }
}

/// `YYYYMMDDhhmm`, as certificates' times are shown.
pub(crate) fn minute(time: ntp_wire::Timestamp) -> String {
    let (seconds, _) = time.to_unix();
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days: years begin in March, so that a leap day ends one.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}{month:02}{day:02}{:02}{:02}",
        second / 3600,
        second / 60 % 60
    )
}

#[cfg(test)]
mod tests {
    use ntp_wire::Timestamp;

    use super::*;

    fn text(items: &[&str]) -> String {
        let mut listing = Listing::default();
        for item in items {
            listing.push(item);
        }
        String::from_utf8(listing.into_bytes()).unwrap()
    }

    #[test]
    fn lines_break_where_the_references_do() {
        let items = [
            "version=\"ntpd 4.2.8p15@1.3728-o Wed Sep 23 11:46:38 UTC 2020 (1)\"",
            "processor=\"x86_64\"",
            "system=\"Linux/6.18.44-fc-v669\"",
            "leap=0",
            "stratum=2",
            "precision=-24",
            "rootdelay=0.000",
            "rootdisp=447.613",
            "refid=127.127.1.0",
            "reftime=0xeeae14b5.67670cf4",
            "clock=0xeeae14b7.1db7b750",
            "peer=28203",
            "tc=3",
            "mintc=3",
            "offset=0.000000",
            "frequency=0.000",
            "sys_jitter=0.000060",
            "clk_jitter=0.000",
            "clk_wander=0.000",
        ];
        let expected = "version=\"ntpd 4.2.8p15@1.3728-o Wed Sep 23 11:46:38 UTC 2020 (1)\",\r\n\
            processor=\"x86_64\", system=\"Linux/6.18.44-fc-v669\", leap=0, stratum=2,\r\n\
            precision=-24, rootdelay=0.000, rootdisp=447.613, refid=127.127.1.0,\r\n\
            reftime=0xeeae14b5.67670cf4, clock=0xeeae14b7.1db7b750, peer=28203,\r\n\
            tc=3, mintc=3, offset=0.000000, frequency=0.000, sys_jitter=0.000060,\r\n\
            clk_jitter=0.000, clk_wander=0.000\r\n";
        assert_eq!(text(&items), expected);
    }

    #[test]
    fn minutes_are_civil() {
        let minute_of = |seconds| minute(Timestamp::from_unix(seconds, 0));
        assert_eq!(minute_of(0), "197001010000");
        assert_eq!(minute_of(951_782_399), "200002282359");
        assert_eq!(minute_of(951_782_400), "200002290000");
        assert_eq!(minute_of(1_795_393_189), "202611230019");
        assert_eq!(minute_of(-1), "196912312359");
    }

    #[test]
    fn values_cannot_break_out_of_their_quotes() {
        let mut listing = Listing::default();
        Items(&mut listing).quoted("host", "a\"b\r\nc\x1b");
        assert_eq!(listing.into_bytes(), b"host=\"a?b??c?\"\r\n");
    }

    #[test]
    fn what_is_asked_twice_is_answered_once() {
        let mut listing = Listing::default();
        let filled = listing.fill(b"b,a,a,b", &["a", "b"], &[], |name, items| {
            items.plain(name, 1)
        });
        assert_eq!(filled, Ok(()));
        assert_eq!(listing.into_bytes(), b"a=1, b=1\r\n");
    }

    #[test]
    fn unknown_and_empty_names_are_refused() {
        let fill = |names: &[u8]| {
            Listing::default().fill(names, &["a"], &["a"], |name, items| items.plain(name, 1))
        };
        assert_eq!(fill(b""), Ok(()));
        assert_eq!(fill(b"a, a\r\n"), Ok(()));
        assert_eq!(fill(b"a=7"), Ok(()));
        assert_eq!(fill(b"b"), Err(ErrorCode::UNKNOWN_VARIABLE));
        assert_eq!(fill(b"a,,a"), Err(ErrorCode::UNKNOWN_VARIABLE));
        assert_eq!(fill(b"\xff"), Err(ErrorCode::BAD_FORMAT));
    }
}
