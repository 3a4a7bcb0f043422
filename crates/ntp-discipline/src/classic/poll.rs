//! How often to ask, and with it how slowly to react (RFC 5905 section 13 and appendix A.5.5.6).

use core::time::Duration as Elapsed;

use ntp_wire::{Monotonic, PollExponent};

use crate::Update;

/// How far the counter must go to change the interval.
const LIMIT: i32 = 30;
/// An offset below this many jitters asks for a longer interval.
const GATE: f64 = 4.0;
/// No change of the interval is taken back sooner than this.
const SHORTEST_HOLD: Elapsed = Elapsed::from_secs(60);

/// The time constant, and the counter that moves it.
///
/// Every update pushes the counter: up by the exponent if the offset is within the noise, down by
/// twice as much if not. Where it reaches a limit, the exponent follows by one.
#[derive(Clone, Copy, Debug)]
pub(super) struct PollControl {
    exponent: PollExponent,
    counter: i32,
    shorter_from: Monotonic,
    longer_from: Monotonic,
}

impl PollControl {
    pub(super) fn new(at: Monotonic) -> Self {
        Self {
            exponent: PollExponent::FASTEST,
            counter: 0,
            shorter_from: at,
            longer_from: at,
        }
    }

    pub(super) fn exponent(&self) -> PollExponent {
        self.exponent
    }

    /// Keeps the interval within what the system peer may be asked.
    pub(super) fn bound(&mut self, update: &Update) {
        let bounded = self
            .exponent
            .min(update.maximum_poll)
            .max(update.minimum_poll);
        if bounded != self.exponent {
            self.change(bounded, update.at);
        }
    }

    /// After a step the counter starts anew.
    pub(super) fn hold(&mut self) {
        self.counter = 0;
    }

    /// While the loop settles nothing moves.
    pub(super) fn settle(&mut self, at: Monotonic) {
        self.counter = 0;
        self.shorter_from = at;
        self.longer_from = at;
    }

    /// Compares what is to be slewed with the jitter, both in seconds.
    pub(super) fn adapt(&mut self, update: &Update, residual: f64, jitter: f64) {
        let exponent = i32::from(self.exponent.value());
        if residual < GATE * jitter {
            self.counter = (self.counter + exponent).min(LIMIT + 1);
            if self.counter > LIMIT {
                self.counter = LIMIT;
                if self.exponent < update.maximum_poll && update.at >= self.longer_from {
                    self.change(self.beside(1), update.at);
                }
            }
        } else {
            self.counter = (self.counter - 2 * exponent).max(-LIMIT - 1);
            if self.counter < -LIMIT {
                self.counter = -LIMIT;
                if self.exponent > update.minimum_poll && update.at >= self.shorter_from {
                    self.change(self.beside(-1), update.at);
                }
            }
        }
    }

    fn beside(&self, step: i8) -> PollExponent {
        PollExponent::new(self.exponent.value().saturating_add(step))
    }

    /// A changed interval is left alone for a while, longer before it grows than before it
    /// shrinks.
    fn change(&mut self, exponent: PollExponent, at: Monotonic) {
        let half = exponent.interval() / 2;
        self.exponent = exponent;
        self.counter = 0;
        self.shorter_from = at + half.max(SHORTEST_HOLD);
        self.longer_from = self.shorter_from + half;
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::Duration;

    use super::*;

    const QUIET: f64 = 0.0;
    const TROUBLE: f64 = 5.0;

    fn adapt(control: &mut PollControl, seconds: u64, residual: f64, times: u32) -> i8 {
        let update = Update {
            at: Monotonic::START + Elapsed::from_secs(seconds),
            offset: Duration::ZERO,
            jitter: Duration::ZERO,
            frequency: None,
            minimum_poll: PollExponent::new(3),
            maximum_poll: PollExponent::new(8),
        };
        control.bound(&update);
        for _ in 0..times {
            control.adapt(&update, residual, 1.0);
        }
        control.exponent().value()
    }

    #[test]
    fn the_counter_climbs_by_the_exponent_and_falls_twice_as_fast() {
        let mut control = PollControl::new(Monotonic::START);
        assert_eq!(adapt(&mut control, 0, QUIET, 10), 3);
        assert_eq!(adapt(&mut control, 0, QUIET, 1), 4);
        // From 0: −8, −16, −24, −32.
        assert_eq!(adapt(&mut control, 1000, TROUBLE, 3), 4);
        assert_eq!(adapt(&mut control, 1000, TROUBLE, 1), 3);
    }

    #[test]
    fn a_change_is_held_for_a_while() {
        let mut control = PollControl::new(Monotonic::START);
        assert_eq!(adapt(&mut control, 0, QUIET, 11), 4);
        // Down again from 60 s on, further up from 8 s after that.
        assert_eq!(adapt(&mut control.clone(), 59, TROUBLE, 100), 4);
        assert_eq!(adapt(&mut control.clone(), 60, TROUBLE, 4), 3);
        assert_eq!(adapt(&mut control.clone(), 67, QUIET, 100), 4);
        assert_eq!(adapt(&mut control.clone(), 68, QUIET, 8), 5);
    }

    #[test]
    fn the_system_peer_sets_the_bounds() {
        let mut control = PollControl::new(Monotonic::START);
        for count in 0..100 {
            adapt(&mut control, 1000 * count, QUIET, 20);
        }
        assert_eq!(adapt(&mut control, 200_000, QUIET, 1), 8);
    }
}
