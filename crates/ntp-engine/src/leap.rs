//! What the daemon does about leap seconds: when to tell whom, and who makes them.

use std::{path::PathBuf, time::Duration as Elapsed};

use ntp_discipline::{
    HashCheck, LeapOutlook, LeapProximity, LeapSchedule, LeapSecond, Now, Smear, Tinker,
};
use ntp_wire::{Duration, Leap, Monotonic};

/// For so long before a leap second nobody is told the time, and nobody believed.
const DELICATE: Duration = Duration::from_seconds(3);
/// And for so long after it.
const SETTLING: Elapsed = Elapsed::from_secs(2);
/// A clock that makes leap seconds by itself may be so late.
const GRACE: Duration = Duration::from_millis(250);
/// Who comes later than this did not see the leap second: the clock was set, or slept.
const MISSED: Duration = Duration::from_seconds(3);
/// How exactly a leap must be a second.
const TOLERANCE: Duration = Duration::from_millis(100);

/// What the configuration says of leap seconds.
#[derive(Clone, Debug)]
pub(crate) struct LeapOptions {
    /// `leapfile`
    pub(crate) file: Option<(PathBuf, HashCheck)>,
    /// `leapsmearinterval`
    pub(crate) smear_interval: Option<Duration>,
    /// Whether the clock is set at all.
    pub(crate) steering: bool,
    /// `enable kernel`: the clock makes leap seconds when it is told of them.
    pub(crate) by_clock: bool,
    /// From where on an offset may be stepped away.
    pub(crate) tinker: Tinker,
}

impl LeapOptions {
    /// Whether a second may be stepped at all.
    fn allows_step(&self, leap: LeapSecond) -> bool {
        let change = Duration::from_seconds(-leap.change());
        self.steering && self.tinker.calls_for_step(change)
    }
}

/// Leap seconds, as far as the daemon is concerned.
#[derive(Debug)]
pub(crate) struct Leaps {
    pub(crate) schedule: LeapSchedule,
    pub(crate) options: LeapOptions,
    outlook: LeapOutlook,
    /// The last one, and when it was dealt with.
    made: Option<(LeapSecond, Monotonic)>,
    /// The clock made it, and nobody was told yet.
    fresh: bool,
    /// The one that the clock is being stepped for.
    stepping: Option<LeapSecond>,
    /// What is followed makes no leap: it is smeared.
    pub(crate) follows_smear: bool,
    deadline: Option<Monotonic>,
}

/// Something about a leap second that is worth to be told, or done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeapNews {
    /// There will be one.
    Armed {
        leap: LeapSecond,
        from_sources: bool,
    },
    /// There will be none after all.
    Disarmed,
    /// Step the clock for it.
    Step {
        leap: LeapSecond,
        /// The clock should have made it by itself.
        overdue: bool,
    },
    /// It happened.
    Made(LeapSecond),
    /// It happened, and the clock did not follow, since steps are not allowed.
    NotMade(LeapSecond),
}

/// What clients are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Served {
    pub(crate) leap: Leap,
    pub(crate) smear: Option<Smear>,
}

impl Leaps {
    pub(crate) fn new(options: LeapOptions) -> Self {
        Self {
            schedule: LeapSchedule::default(),
            options,
            outlook: LeapOutlook::default(),
            made: None,
            fresh: false,
            stepping: None,
            follows_smear: false,
            deadline: None,
        }
    }

    /// When to look again, if that should be exact.
    pub(crate) fn deadline(&self) -> Option<Monotonic> {
        self.deadline
    }

    /// What is known, as of the last look.
    pub(crate) fn outlook(&self) -> &LeapOutlook {
        &self.outlook
    }

    /// The clock jumped by `jump` between two readings; `true` if this was the leap second.
    pub(crate) fn explains(&mut self, jump: Duration, before: Now, now: Now) -> bool {
        let Some(next) = self.outlook.next.filter(|next| !self.is_made(*next)) else {
            return false;
        };
        let expected = Duration::from_seconds(-next.change());
        let explained = (jump - expected).abs() < TOLERANCE
            && before.wall < due(next) + TOLERANCE
            && now.wall > due(next) - Duration::from_seconds(2);
        if explained {
            self.made = Some((next, now.monotonic));
            self.fresh = true;
        }
        explained
    }

    /// The leap second that the clock was to be stepped for, if so; the step is over.
    pub(crate) fn step_done(&mut self, now: Now) -> Option<LeapSecond> {
        let leap = self.stepping.take()?;
        self.made = Some((leap, now.monotonic));
        self.fresh = false;
        Some(leap)
    }

    /// Looks at the clock: what is new?
    pub(crate) fn watch(&mut self, now: Now, synchronised: bool) -> Vec<LeapNews> {
        let mut news = Vec::new();
        let before = self.outlook;
        self.deadline = None;
        if self.stepping.is_some() {
            return news;
        }
        if let Some((leap, _)) = self.made.filter(|_| std::mem::take(&mut self.fresh)) {
            news.push(LeapNews::Made(leap));
        }
        if let Some(next) = before
            .next
            .filter(|next| synchronised && !self.is_made(*next))
        {
            let by_clock = self.hands_over(next);
            let wait = if by_clock { GRACE } else { Duration::ZERO };
            let late = now.wall - (due(next) + wait);
            if late.is_negative() {
                self.wake(now, -late);
                if now.wall >= next.at {
                    // The clock is about to make it: until then it is still to come.
                    return news;
                }
            } else if late < MISSED {
                if self.options.allows_step(next) {
                    self.stepping = Some(next);
                    let overdue = by_clock;
                    news.push(LeapNews::Step {
                        leap: next,
                        overdue,
                    });
                    return news;
                }
                self.made = Some((next, now.monotonic));
                news.push(LeapNews::NotMade(next));
            }
        }
        self.outlook = self.look(now, synchronised);
        match (before.next, self.outlook.next) {
            (None, Some(_)) if self.outlook.proximity == LeapProximity::Imminent => {
                // Too late to be prepared for: the clock is corrected when it is over.
                self.outlook = LeapOutlook {
                    tai_offset: self.outlook.tai_offset,
                    ..LeapOutlook::default()
                };
            }
            (None, Some(leap)) => news.push(LeapNews::Armed {
                leap,
                from_sources: self.outlook.from_sources,
            }),
            (Some(gone), None) if !self.is_made(gone) => news.push(LeapNews::Disarmed),
            _ => {}
        }
        news
    }

    /// Whether samples can't be trusted, since one end may have made the leap and the other not.
    pub(crate) fn is_delicate(&self, now: Now) -> bool {
        let near = |next: LeapSecond| next.at - now.wall < DELICATE;
        self.outlook.next.is_some_and(near)
            || self
                .made
                .is_some_and(|(_, made)| now.monotonic.since(made) < SETTLING)
    }

    /// What to tell clients.
    pub(crate) fn served(&self, now: Now, synchronised: bool) -> Served {
        let next = self.outlook.next;
        let in_progress = next.is_some_and(|next| next.at - now.wall < DELICATE)
            || self.inserted_second_until(now).is_some();
        let interval = self.options.smear_interval;
        let leap = if !synchronised || in_progress {
            Leap::Unsynchronised
        } else if interval.is_some() {
            // Who gets smeared time must not make a leap.
            Leap::None
        } else {
            self.outlook.announced()
        };
        let smear = next
            .zip(interval)
            .map(|(next, interval)| Smear::new(next, interval));
        Served { leap, smear }
    }

    /// What to tell the clock.
    pub(crate) fn for_clock(&self, synchronised: bool) -> Leap {
        match self.outlook.next {
            _ if !synchronised => Leap::Unsynchronised,
            Some(next) if self.hands_over(next) && !self.is_made(next) => self.outlook.announced(),
            _ => Leap::None,
        }
    }

    fn hands_over(&self, leap: LeapSecond) -> bool {
        self.options.by_clock && self.options.allows_step(leap)
    }

    fn is_made(&self, leap: LeapSecond) -> bool {
        self.made.is_some_and(|(made, _)| made == leap)
    }

    fn look(&self, now: Now, synchronised: bool) -> LeapOutlook {
        if !synchronised {
            return LeapOutlook::default();
        }
        // In the inserted second the clock shows a time before the leap, and it is over.
        let wall = self.inserted_second_until(now).unwrap_or(now.wall);
        let outlook = self.schedule.outlook(wall);
        if self.follows_smear {
            return LeapOutlook {
                tai_offset: outlook.tai_offset,
                ..LeapOutlook::default()
            };
        }
        outlook
    }

    /// The end of the second that was just inserted, if the clock is in it.
    fn inserted_second_until(&self, now: Now) -> Option<ntp_wire::Timestamp> {
        let (made, _) = self.made?;
        let left = made.at - now.wall;
        (left > Duration::ZERO && left < Duration::from_seconds(2)).then_some(made.at)
    }

    fn wake(&mut self, now: Now, left: Duration) {
        if left < Duration::from_seconds(2) {
            let left = Elapsed::from_secs_f64(left.to_seconds_f64().max(0.0));
            self.deadline = Some(now.monotonic + left + Elapsed::from_micros(1));
        }
    }
}

/// What the clock shows when it should leap: a second that is left out is the last of the day.
fn due(leap: LeapSecond) -> ntp_wire::Timestamp {
    match leap.leap {
        Leap::Delete => leap.at - Duration::from_seconds(1),
        _ => leap.at,
    }
}

#[cfg(test)]
mod tests;
