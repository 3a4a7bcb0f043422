//! Leap seconds: which one comes next, who says so, and how near it is.

mod calendar;
mod smear;
mod table;

use calendar::{DAY, Date, month_start, next_month_start, previous_month_start};
use ntp_wire::{Leap, Timestamp};

pub use self::{
    smear::Smear,
    table::{HashCheck, LeapTable, LeapTableError},
};

/// An announcement that the sources do not repeat at so many updates in a row is withdrawn.
const DOUBTS: u8 = 8;
/// What comes sooner than this, in seconds, is not withdrawn any more, nor announced.
const IMMINENT: i64 = 10;

/// A leap second.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeapSecond {
    /// The midnight that the second is inserted or left out before, on the clock of UTC.
    pub at: Timestamp,
    /// [`Leap::Insert`] or [`Leap::Delete`].
    pub leap: Leap,
}

impl LeapSecond {
    /// What it changes TAI − UTC by.
    pub const fn change(self) -> i32 {
        match self.leap {
            Leap::Delete => -1,
            _ => 1,
        }
    }
}

/// How near a leap second is; the names of its stages are those of ntpd 4.2.8.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum LeapProximity {
    /// None is to come this month.
    #[default]
    None,
    /// At the end of this month.
    Scheduled,
    /// At the end of this day: clients are told, and the kernel.
    Announced,
    /// In less than ten seconds.
    Imminent,
}

/// What is known of leap seconds at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeapOutlook {
    /// The one at the end of this month.
    pub next: Option<LeapSecond>,
    /// How near that is.
    pub proximity: LeapProximity,
    /// Whether it is known from the sources only, and not from a file.
    pub from_sources: bool,
    /// TAI − UTC in seconds, where a file told it.
    pub tai_offset: Option<i32>,
}

impl LeapOutlook {
    /// What to tell clients and the kernel: the leap second of this day.
    pub fn announced(&self) -> Leap {
        match self.next {
            Some(next) if self.proximity >= LeapProximity::Announced => next.leap,
            _ => Leap::None,
        }
    }
}

/// The leap seconds of a file and those that the sources announce.
///
/// The file goes first: what the sources say counts only where there is no file, or where it has
/// expired. Theirs is always the end of the month, since all that a packet says is that there will
/// be one.
///
/// ```
/// use ntp_discipline::{LeapProximity, LeapSchedule};
/// use ntp_wire::{Leap, Timestamp};
///
/// let evening = Timestamp::from_unix(1_483_228_700, 0); // 31 December 2016, 23:58:20
/// let mut schedule = LeapSchedule::default();
/// assert_eq!(schedule.outlook(evening).proximity, LeapProximity::None);
/// schedule.vote(Leap::Insert, evening);
/// let outlook = schedule.outlook(evening);
/// assert_eq!(outlook.announced(), Leap::Insert);
/// assert_eq!(outlook.next.map(|leap| leap.at), Some(Timestamp::from_unix(1_483_228_800, 0)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct LeapSchedule {
    table: Option<LeapTable>,
    voted: Option<LeapSecond>,
    doubts: u8,
    /// What leap seconds of the sources changed TAI − UTC by since the table ended.
    passed: i32,
}

impl LeapSchedule {
    /// The list of the file, if one was read.
    pub fn table(&self) -> Option<&LeapTable> {
        self.table.as_ref()
    }

    /// Takes the list of a file, in place of an earlier one.
    pub fn set_table(&mut self, table: LeapTable) {
        if self.voted.is_some_and(|voted| voted.at <= table.expires()) {
            self.voted = None;
        }
        if self.table.as_ref() != Some(&table) {
            self.passed = 0;
        }
        self.table = Some(table);
    }

    /// What most of the sources announce, at each update of the clock.
    ///
    /// As in ntpd 4.2.8 nothing is believed in the first hour of a month, when some may still
    /// announce the leap second that has just been.
    pub fn vote(&mut self, leap: Leap, now: Timestamp) {
        if let Some(gone) = self.voted.filter(|voted| voted.at <= now) {
            self.passed += gone.change();
            self.voted = None;
        }
        if self
            .table
            .as_ref()
            .is_some_and(|table| now < table.expires().max(table.last_change()))
        {
            return;
        }
        let at = next_month_start(now);
        if at.seconds() - now.seconds() <= IMMINENT {
            return;
        }
        let said = matches!(leap, Leap::Insert | Leap::Delete).then_some(LeapSecond { at, leap });
        if said == self.voted {
            self.doubts = 0;
            return;
        }
        if self.voted.is_some() {
            self.doubts += 1;
            if self.doubts < DOUBTS {
                return;
            }
            self.voted = None;
        }
        self.doubts = 0;
        let date = Date::of(now);
        if date.day != 1 || date.second_of_day >= 3600 {
            self.voted = said;
        }
    }

    /// What is known when the clock shows `now`.
    pub fn outlook(&self, now: Timestamp) -> LeapOutlook {
        let of_file = self.table.as_ref().and_then(|table| {
            let (change, by) = table.next_change(now)?;
            let leap = if by < 0 { Leap::Delete } else { Leap::Insert };
            (previous_month_start(change.at) <= now).then_some(LeapSecond {
                at: change.at,
                leap,
            })
        });
        let of_sources = self
            .voted
            .filter(|voted| voted.at > now && month_start(now) == previous_month_start(voted.at));
        let next = of_file.or(of_sources);
        LeapOutlook {
            next,
            proximity: next.map_or(LeapProximity::None, |next| proximity(next, now)),
            from_sources: of_file.is_none() && of_sources.is_some(),
            tai_offset: self.tai_offset(now),
        }
    }

    /// `leapsec` as ntpq shows it: the last leap second of the file, in `YYYYMMDDhhmm`.
    pub fn last_in_file(&self) -> Option<String> {
        Some(table::minute(self.table.as_ref()?.last_change()))
    }

    /// `expire` as ntpq shows it: the end of the file's validity, in `YYYYMMDDhhmm`.
    pub fn expires(&self) -> Option<String> {
        Some(table::minute(self.table.as_ref()?.expires()))
    }

    fn tai_offset(&self, now: Timestamp) -> Option<i32> {
        let of_file = self.table.as_ref()?.tai_offset(now)?;
        let voted = self.voted.filter(|voted| voted.at <= now);
        Some(of_file + self.passed + voted.map_or(0, LeapSecond::change))
    }
}

/// The leap happens when the clock of UTC shows the last second of the day, which is `at` for one
/// that is inserted, and a second earlier for one that is left out.
fn proximity(next: LeapSecond, now: Timestamp) -> LeapProximity {
    let left = next.at.seconds().saturating_sub(now.seconds());
    if left <= IMMINENT {
        LeapProximity::Imminent
    } else if left <= DAY {
        LeapProximity::Announced
    } else {
        LeapProximity::Scheduled
    }
}

#[cfg(test)]
mod tests;
