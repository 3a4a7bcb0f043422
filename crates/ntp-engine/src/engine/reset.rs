//! Counting anew: what was counted stays, and what is shown is what came since.

use ntp_wire::Monotonic;

use super::Engine;
use crate::{Counters, private::ControlCounters, traffic::Passed};

/// What can be counted anew together: the words of `reset`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CounterGroup {
    AllPeers,
    Authentication,
    Control,
    Io,
    Memory,
    System,
    Timer,
}

impl CounterGroup {
    pub(crate) const ALL: [Self; 7] = [
        Self::AllPeers,
        Self::Authentication,
        Self::Control,
        Self::Io,
        Self::Memory,
        Self::System,
        Self::Timer,
    ];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::AllPeers => "allpeers",
            Self::Authentication => "auth",
            Self::Control => "ctl",
            Self::Io => "io",
            Self::Memory => "mem",
            Self::System => "sys",
            Self::Timer => "timer",
        }
    }

    pub(crate) fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// When each group was last begun anew, and what had been counted by then.
#[derive(Debug)]
pub(crate) struct Resets {
    pub(crate) system: (Monotonic, Counters),
    pub(crate) authentication: (Monotonic, Counters),
    pub(crate) io: (Monotonic, Passed),
    /// With the number of polls.
    pub(crate) timer: (Monotonic, u64),
    pub(crate) control: (Monotonic, ControlCounters),
    pub(crate) memory: Monotonic,
}

impl Resets {
    pub(super) fn new(start: Monotonic) -> Self {
        Self {
            system: (start, Counters::default()),
            authentication: (start, Counters::default()),
            io: (start, Passed::default()),
            timer: (start, 0),
            control: (start, ControlCounters::default()),
            memory: start,
        }
    }
}

impl Engine {
    /// Counts a group anew.
    pub(crate) fn reset(&mut self, group: CounterGroup) {
        let now = self.now.monotonic;
        match group {
            CounterGroup::System => {
                let counted = self.everyone().counters();
                self.resets.system = (now, counted);
            }
            CounterGroup::Authentication => {
                let counted = self.everyone().counters();
                self.resets.authentication = (now, counted);
            }
            CounterGroup::Io => self.resets.io = (now, self.all_passed()),
            CounterGroup::Timer => self.resets.timer = (now, self.traffic.polls),
            CounterGroup::AllPeers => {
                for association in &mut self.associations {
                    association.reset_counters();
                }
            }
            CounterGroup::Control => self.resets.control = (now, self.control_counters),
            CounterGroup::Memory => self.resets.memory = now,
        }
    }

    /// All datagrams, those of other threads as well.
    pub(crate) fn all_passed(&self) -> Passed {
        let mut passed = self.traffic.passed;
        passed.add(&self.everyone().passed(None));
        passed
    }
}
