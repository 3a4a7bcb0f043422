//! Leap seconds: the file, the announcements, and the second itself.

use std::time::Duration as Elapsed;

use ntp_discipline::{
    Adjustment, Applied, Candidate, ClockError, ClockStatus, HashCheck, LeapSecond, LeapTable,
    SystemEvent,
};
use ntp_wire::{Duration, Leap, Monotonic, ReferenceId};

use super::Engine;
use crate::{
    Output, Severity,
    association::Association,
    control::minute,
    leap::{LeapNews, Leaps},
};

/// The file is read again this often, so that a new one is noticed.
const READ_INTERVAL: Elapsed = Elapsed::from_secs(3600);
/// What is wrong with it is said again after so many readings, which is a day.
const SAY_AGAIN: u32 = 24;
/// Who maintains the file is reminded from so many days before its end.
const DAYS_OF_WARNING: i64 = 28;
/// The event of an association that announces a leap second.
const PEER_ARMED: u8 = 9;

/// Leap seconds and what was said of them.
#[derive(Debug)]
pub(crate) struct LeapWatch {
    pub(crate) leaps: Leaps,
    next_read: Monotonic,
    readings: u32,
    /// What was last said of the file.
    complaint: Option<String>,
    stale: bool,
    /// What the clock was told.
    told: (Leap, Option<i32>),
    /// Whether the clock was right when the file's expiry was looked at.
    checked: bool,
}

impl LeapWatch {
    pub(super) fn new(leaps: Leaps, now: Monotonic) -> Self {
        Self {
            leaps,
            next_read: now + READ_INTERVAL,
            readings: 0,
            complaint: None,
            stale: false,
            told: (Leap::Unsynchronised, None),
            checked: false,
        }
    }
}

impl Engine {
    /// The start: what the driver read already, or else a request to read it.
    pub(super) fn start_leaps(&mut self, read: Option<Result<Vec<u8>, String>>) {
        match read {
            Some(read) => self.leap_file(read.as_deref().map_err(Clone::clone)),
            None => self.read_leap_file(),
        }
    }

    fn read_leap_file(&mut self) {
        if let Some((path, _)) = &self.leap.leaps.options.file {
            self.outputs.push_back(Output::ReadLeapFile(path.clone()));
        }
    }

    /// Takes what the file holds, or why it can't be read.
    pub(super) fn leap_file(&mut self, read: Result<&[u8], String>) {
        let Some((path, check)) = self.leap.leaps.options.file.clone() else {
            return;
        };
        let path = path.display();
        let daily = self.leap.readings.is_multiple_of(SAY_AGAIN);
        self.leap.readings = self.leap.readings.wrapping_add(1);
        let text = match read {
            Ok(text) => text,
            Err(why) => {
                let known = self.leap.leaps.schedule.table().is_some();
                let meanwhile = if known {
                    "what was read before is used"
                } else {
                    "leap seconds are learnt from the servers only"
                };
                let line = format!("leapfile: {why}; {meanwhile}");
                self.complain(Severity::Error, line, daily);
                return;
            }
        };
        match LeapTable::parse(text, check) {
            Err(error) => {
                let hint = if check == HashCheck::Required {
                    format!(
                        "get it anew, or write `leapfile {path} ignorehash` if it was changed by hand"
                    )
                } else {
                    "get it anew".to_owned()
                };
                let line = format!("leapfile {path} is refused: {error}; {hint}");
                self.complain(Severity::Error, line, daily);
            }
            Ok(table) if self.leap.leaps.schedule.table() == Some(&table) => {
                self.check_expiry();
            }
            Ok(table) => {
                let last = table.last_change();
                self.note(
                    Severity::Information,
                    format!(
                        "leapfile {path}: valid until {}, TAI - UTC is {} s from {} on",
                        day(&minute(table.expires())),
                        table.tai_offset(last).unwrap_or_default(),
                        day(&minute(last)),
                    ),
                );
                self.leap.complaint = None;
                self.leap.stale = false;
                self.leap.leaps.schedule.set_table(table);
                self.check_expiry();
            }
        }
    }

    /// Says that the file will expire, or has: once a day, since the words change then.
    fn check_expiry(&mut self) {
        let Some((path, _)) = &self.leap.leaps.options.file else {
            return;
        };
        let path = path.display().to_string();
        let left = match self.leap.leaps.schedule.table() {
            Some(table) => table.days_left(self.now.wall),
            None => return,
        };
        let advice = "get a newer one, from the IERS for instance";
        if left < 0 {
            let line = format!(
                "leapfile {path} expired {} ago; until there is a newer one, leap seconds are \
                 learnt from the servers: {advice}",
                days(-left)
            );
            self.complain(Severity::Error, line, false);
            if !std::mem::replace(&mut self.leap.stale, true) {
                self.system_event(SystemEvent::StaleLeapValues, "");
            }
        } else if left < DAYS_OF_WARNING {
            let line = format!(
                "leapfile {path} will expire in less than {}: {advice}",
                days(left + 1)
            );
            self.complain(Severity::Warning, line, false);
        }
    }

    /// Says what is wrong with the file, unless that was said the last time and not yet `again`.
    fn complain(&mut self, severity: Severity, line: String, again: bool) {
        if self.leap.complaint.as_ref() != Some(&line) || again {
            self.note(severity, line.clone());
            self.leap.complaint = Some(line);
        }
    }

    /// The clock was corrected: what do the sources say of leap seconds?
    pub(super) fn vote_leap(&mut self) {
        let said = self.system.state.leap;
        self.leap.leaps.schedule.vote(said, self.now.wall);
        self.watch_leap();
    }

    /// Once a second, and when a leap second is due.
    pub(super) fn watch_leap(&mut self) {
        let now = self.now;
        if self.leap.next_read <= now.monotonic {
            self.leap.next_read = now.monotonic + READ_INTERVAL;
            self.read_leap_file();
        }
        let synchronised = self.system.state.is_synchronised();
        if synchronised && !std::mem::replace(&mut self.leap.checked, true) {
            // The clock may have been wrong when the file was read.
            self.check_expiry();
        }
        let tai = self.leap.leaps.outlook().tai_offset;
        for news in self.leap.leaps.watch(now, synchronised) {
            self.leap_news(news);
        }
        let outlook = *self.leap.leaps.outlook();
        if synchronised {
            self.system.state.leap = outlook.announced();
        }
        if let (Some(before), Some(offset)) = (tai, outlook.tai_offset)
            && before != offset
        {
            self.system_event(SystemEvent::Tai, format!("{offset} s"));
        }
        let tell = (self.leap.leaps.for_clock(synchronised), outlook.tai_offset);
        if tell != self.leap.told {
            self.tell_clock();
        }
        if self.view.clock.served() != self.leap.leaps.served(now, synchronised) {
            self.publish();
        }
    }

    /// Tells the clock how good it is, and of a leap second of this day.
    pub(super) fn tell_clock(&mut self) {
        let synchronised = self.system.state.is_synchronised();
        let leap = self.leap.leaps.for_clock(synchronised);
        let tai_offset = self.leap.leaps.outlook().tai_offset;
        self.leap.told = (leap, tai_offset);
        self.outputs
            .push_back(Output::Adjust(Adjustment::Status(ClockStatus {
                leap,
                maximum_error: self.system.root_distance(self.now.monotonic),
                estimated_error: self.system.loop_status().jitter,
                tai_offset,
            })));
    }

    fn leap_news(&mut self, news: LeapNews) {
        match news {
            LeapNews::Armed { leap, from_sources } => {
                let peer = self.system.peer.and_then(|peer| self.index_of(peer));
                let detail = describe(leap);
                match peer.filter(|_| from_sources) {
                    Some(index) => self.peer_event(index, PEER_ARMED, "leap_armed", &detail),
                    None => self.system_event(SystemEvent::LeapArmed, detail),
                }
            }
            LeapNews::Disarmed => self.system_event(SystemEvent::LeapDisarmed, ""),
            LeapNews::Made(leap) => self.system_event(SystemEvent::LeapEvent, describe(leap)),
            LeapNews::NotMade(leap) => {
                self.system_event(SystemEvent::LeapEvent, describe(leap));
                self.note(
                    Severity::Warning,
                    "the clock was not stepped for the leap second, since it may not be: it is \
                     a second off, which is slewed away",
                );
            }
            LeapNews::Step { leap, overdue } => {
                if overdue {
                    self.note(
                        Severity::Warning,
                        "the clock did not make the leap second by itself, and is stepped",
                    );
                }
                let step = Duration::from_seconds(-leap.change());
                self.outputs
                    .push_back(Output::Adjust(Adjustment::Step(step)));
            }
        }
    }

    /// Smeared time and plain time are not combined: who has both follows the plain one.
    pub(super) fn keep_smears_apart(&mut self, candidates: &mut [Candidate]) {
        for association in &mut self.associations {
            let header = &association.last.header;
            association
                .smear
                .observe(header.stratum, header.reference_id);
        }
        let usable = |(association, candidate): (&Association, &Candidate)| {
            !association.smear.is_smeared()
                && candidate.reachable
                && !candidate.noselect
                && candidate.leap != Leap::Unsynchronised
                && association.server().is_some()
        };
        let plain = self.associations.iter().zip(&*candidates).any(usable);
        let peer = self.system.peer.and_then(|peer| self.index_of(peer));
        self.leap.leaps.follows_smear = peer
            .and_then(|index| self.associations.get(index))
            .is_some_and(|peer| peer.smear.is_smeared() && !plain);
        for index in 0..self.associations.len() {
            let Some(association) = self.associations.get_mut(index) else {
                continue;
            };
            let apart = plain && association.smear.is_smeared();
            let was_apart = std::mem::replace(&mut association.smear.apart, apart);
            if let Some(candidate) = candidates.get_mut(index) {
                candidate.noselect |= apart || was_apart;
            }
            if apart && !was_apart {
                self.peer_note(
                    index,
                    Severity::Warning,
                    "the time of this server is smeared around a leap second, that of others is \
                     not: it is left out while this lasts; list servers of one kind only",
                );
            } else if was_apart && !apart {
                // Half of its samples are of another time.
                association.clear(self.now.monotonic, self.precision, ReferenceId::INIT);
            }
        }
    }

    /// Whether a step that was just done, or refused, was that of a leap second. All that was
    /// measured holds: the sources made the leap too.
    pub(super) fn leap_step_done(&mut self, result: &Result<Applied, ClockError>) -> bool {
        let Some(leap) = self.leap.leaps.step_done(self.now) else {
            return false;
        };
        match result {
            Ok(Applied::Stepped(_)) => {}
            Err(error) => self.note(
                Severity::Error,
                format!("the clock should be stepped for the leap second, but: {error}"),
            ),
            Ok(_) => {}
        }
        self.leap_news(LeapNews::Made(leap));
        self.watch_leap();
        true
    }
}

fn describe(leap: LeapSecond) -> String {
    let what = match leap.leap {
        Leap::Delete => "one second less",
        _ => "one second more",
    };
    let eve = leap.at - Duration::from_seconds(1);
    format!("{what} at the end of {}", day(&minute(eve)))
}

/// `2016-12-31` of `201612312359`.
fn day(minute: &str) -> String {
    let part = |range| minute.get(range).unwrap_or_default();
    format!("{}-{}-{}", part(0..4), part(4..6), part(6..8))
}

fn days(count: i64) -> String {
    match count {
        1 => "one day".to_owned(),
        count => format!("{count} days"),
    }
}
