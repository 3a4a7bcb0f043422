//! Whom the clock follows, told in the log, but not at every turn of one that hops.

use ntp_discipline::SystemEvent;
use ntp_wire::Monotonic;

use super::{Engine, words::PAUSE};
use crate::{Event, Severity};

/// Turns that are told within [`PAUSE`] at most; how many more there were is told at its end.
const MOST: u32 = 6;

/// The turns of late: somebody else was followed than before, or nobody.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turns {
    /// When the first of them was.
    since: Option<Monotonic>,
    told: u32,
    untold: u32,
}

impl Turns {
    /// Counts a turn; whether it is to be told.
    fn count(&mut self, now: Monotonic) -> bool {
        self.since.get_or_insert(now);
        let is_told = self.told < MOST;
        let count = if is_told {
            &mut self.told
        } else {
            &mut self.untold
        };
        *count += 1;
        is_told
    }

    /// Once their time is over, begins anew: how many were not told, if there were any.
    fn end(&mut self, now: Monotonic) -> Option<u32> {
        self.since.filter(|since| now.since(*since) >= PAUSE)?;
        let Self { untold, .. } = std::mem::take(self);
        (untold > 0).then_some(untold)
    }
}

impl Engine {
    /// Somebody else is followed from now on.
    pub(super) fn turn_to(&mut self, index: usize) {
        if let Some(event) = self.note_peer_event(index, 10, "sys_peer", "") {
            self.report_turn(event);
        }
    }

    /// Nobody is followed any more.
    pub(super) fn turn_to_nobody(&mut self) {
        let event = self.note_system_event(SystemEvent::NoSystemPeer, "");
        self.report_turn(event);
    }

    fn report_turn(&mut self, event: Event) {
        if self.turns.count(self.now.monotonic) {
            self.report(event);
        } else {
            self.file(&event);
        }
    }

    /// Tells how many turns were not told, when it is time to.
    pub(super) fn tell_turns(&mut self) {
        let Some(untold) = self.turns.end(self.now.monotonic) else {
            return;
        };
        let whom = match self.system_peer() {
            Some(peer) => peer.address(),
            None => "nobody".to_owned(),
        };
        let minutes = PAUSE.as_secs() / 60;
        self.note(
            Severity::Warning,
            format!(
                "in the last {minutes} minutes the clock turned to another source, or to none, \
                 {untold} times more; it follows {whom} now: see `ntpq -p` for sources that come \
                 and go"
            ),
        );
    }
}
