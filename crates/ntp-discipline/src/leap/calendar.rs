//! The civil calendar, as far as leap seconds need it: they come at the end of a month.

use ntp_wire::Timestamp;

/// Seconds of a day without a leap second, which is what timestamps count.
pub(super) const DAY: i64 = 86_400;

/// A date of the Gregorian calendar, and what the clock shows on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Date {
    pub(super) year: i64,
    /// 1 to 12.
    pub(super) month: i64,
    /// 1 to 31.
    pub(super) day: i64,
    pub(super) second_of_day: i64,
}

impl Date {
    pub(super) fn of(time: Timestamp) -> Self {
        let (seconds, _) = time.to_unix();
        // Years begin in March here, so that a leap day is the last of its year.
        let days = seconds.div_euclid(DAY) + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = (month_from_march + 2) % 12 + 1;
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            second_of_day: seconds.rem_euclid(DAY),
        }
    }

    /// `YYYYMMDDhhmm`, as ntpq shows it.
    pub(super) fn to_minute(self) -> String {
        format!(
            "{:04}{:02}{:02}{:02}{:02}",
            self.year,
            self.month,
            self.day,
            self.second_of_day / 3600,
            self.second_of_day / 60 % 60
        )
    }

    fn to_time(self) -> Timestamp {
        let year = self.year - i64::from(self.month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month_from_march = (self.month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + self.day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Timestamp::from_unix(days * DAY + self.second_of_day, 0)
    }
}

/// When the month of `time` began.
pub(super) fn month_start(time: Timestamp) -> Timestamp {
    Date {
        day: 1,
        second_of_day: 0,
        ..Date::of(time)
    }
    .to_time()
}

/// When the month after that of `time` begins.
pub(super) fn next_month_start(time: Timestamp) -> Timestamp {
    let Date { year, month, .. } = Date::of(time);
    Date {
        year: year + month / 12,
        month: month % 12 + 1,
        day: 1,
        second_of_day: 0,
    }
    .to_time()
}

/// When the month before that of `time` began.
pub(super) fn previous_month_start(time: Timestamp) -> Timestamp {
    let start = month_start(time);
    month_start(Timestamp::from_parts(start.seconds().saturating_sub(1), 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unix(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds, 0)
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, minute) in [
            (0, "197001010000"),
            (951_782_399, "200002282359"),
            (951_782_400, "200002290000"),
            (1_483_228_799, "201612312359"),
            (1_795_393_189, "202611230019"),
            (-1, "196912312359"),
        ] {
            assert_eq!(Date::of(unix(seconds)).to_minute(), minute);
        }
    }

    #[test]
    fn months_begin_and_end() {
        // 31 December 2016, a minute before the leap second.
        let evening = unix(1_483_228_740);
        assert_eq!(next_month_start(evening), unix(1_483_228_800));
        assert_eq!(Date::of(month_start(evening)).to_minute(), "201612010000");
        assert_eq!(
            Date::of(previous_month_start(evening)).to_minute(),
            "201611010000"
        );
        let new_year = unix(1_483_228_800);
        assert_eq!(month_start(new_year), new_year);
        assert_eq!(
            Date::of(previous_month_start(new_year)).to_minute(),
            "201612010000"
        );
    }

    proptest! {
        #[test]
        fn every_time_has_its_date(seconds in -1i64 << 40..1i64 << 40) {
            let date = Date::of(unix(seconds));
            prop_assert_eq!(date.to_time(), unix(seconds));
            prop_assert!((1..=12).contains(&date.month) && (1..=31).contains(&date.day));
        }

        #[test]
        fn months_follow_each_other(seconds in -1i64 << 40..1i64 << 40) {
            let (start, next) = (month_start(unix(seconds)), next_month_start(unix(seconds)));
            prop_assert!(start <= unix(seconds) && unix(seconds) < next);
            prop_assert_eq!(previous_month_start(next), start);
            let days = (next.seconds() - start.seconds()) / DAY;
            prop_assert!((28..=31).contains(&days));
        }
    }
}
