//! Points in time as ntpq shows them.

use ntp_wire::{Timestamp, WireTimestamp};

/// How far local time is from UTC.
///
/// Any function from a time to seconds east of UTC is one.
pub trait Zone {
    /// Seconds east of UTC at `time`.
    fn offset(&self, time: Timestamp) -> i32;
}

impl<F: Fn(Timestamp) -> i32> Zone for F {
    fn offset(&self, time: Timestamp) -> i32 {
        self(time)
    }
}

/// No offset at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Utc;

impl Zone for Utc {
    fn offset(&self, _: Timestamp) -> i32 {
        0
    }
}

const DAY: i64 = 86_400;

/// The 64 bits in hexadecimal, and the date in the era that is nearest to `now`: the way ntpq shows
/// a time.
///
/// ```
/// use ntp_control::{Utc, pretty_date};
/// use ntp_wire::{Timestamp, WireTimestamp};
///
/// let now = Timestamp::from_unix(1_795_397_175, 0);
/// assert_eq!(
///     pretty_date(WireTimestamp::from_bits(0xeeae14b7_1db7b750), now, &Utc),
///     "eeae14b7.1db7b750  Mon, Nov 23 2026  1:26:15.116"
/// );
/// assert_eq!(pretty_date(WireTimestamp::ZERO, now, &Utc), "(no time)");
/// ```
pub fn pretty_date(time: WireTimestamp, now: Timestamp, zone: &dyn Zone) -> String {
    if time.is_zero() {
        return "(no time)".to_owned();
    }
    let exact = time.near(now);
    // ntpq's milliseconds: units of 4294967 / 2^32 s, a hair below 1 ms, and 1000 of them are
    // the next second.
    let milliseconds = exact.fraction() / 4_294_967;
    let seconds =
        exact.to_unix().0 + i64::from(zone.offset(exact)) + i64::from(milliseconds / 1000);
    let days = seconds.div_euclid(DAY);
    let second = seconds.rem_euclid(DAY);
    let (year, month, day) = civil(days);
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let weekday = WEEKDAYS.get(days.rem_euclid(7) as usize).unwrap_or(&"???");
    let month = MONTHS.get(month).unwrap_or(&"???");
    format!(
        "{time}  {weekday}, {month} {day:2} {year:4} {:2}:{:02}:{:02}.{:03}",
        second / 3600,
        second / 60 % 60,
        second % 60,
        milliseconds % 1000
    )
}

/// Year, month (0 is January) and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, usize, i64) {
    // Counted from a first of March that begins 400 years, so that a leap day comes last.
    let days = days + 719_468;
    let cycle = days.div_euclid(146_097);
    let day_of_cycle = days.rem_euclid(146_097);
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year =
        day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = (from_march + 2) % 12;
    let year = cycle * 400 + year_of_cycle + i64::from(month < 2);
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    (year, month as usize, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_795_397_175, 0);

    fn date(bits: u64) -> String {
        pretty_date(WireTimestamp::from_bits(bits), NOW, &Utc)
    }

    #[test]
    fn dates_of_both_eras() {
        assert_eq!(
            date(0x83aa_7e80_8000_0000),
            "83aa7e80.80000000  Thu, Jan  1 1970  0:00:00.500"
        );
        assert_eq!(date(1), "00000000.00000001  Thu, Feb  7 2036  6:28:16.000");
        assert_eq!(
            date(0xffff_ffff_ffff_ffff),
            "ffffffff.ffffffff  Thu, Feb  7 2036  6:28:16.000"
        );
    }

    #[test]
    fn a_leap_day_and_a_zone() {
        // 2024-02-29 23:30 UTC is the first of March an hour east.
        let time = Timestamp::from_unix(1_709_249_400, 0).to_wire();
        assert!(pretty_date(time, NOW, &Utc).ends_with("Thu, Feb 29 2024 23:30:00.000"));
        let east = |_: Timestamp| 3600;
        assert!(pretty_date(time, NOW, &east).ends_with("Fri, Mar  1 2024  0:30:00.000"));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = civil(-800_000);
        for days in -799_999..800_000 {
            let (year, month, day) = civil(days);
            let next = match before {
                (y, m, d) if day == d + 1 => (y, m, day),
                (y, 11, 31) => (y + 1, 0, 1),
                (y, m, 28..=31) => (y, m + 1, 1),
                other => other,
            };
            assert_eq!((year, month, day), next);
            before = next;
        }
        assert_eq!(civil(0), (1970, 0, 1));
        assert_eq!(civil(11_016), (2000, 1, 29));
    }
}
