//! The oscillator beneath a clock: what the clock would show, had nobody corrected it.

use std::collections::VecDeque;

use ntp_wire::{Duration, Ppm, Timestamp};

/// How many changes of the rate are remembered, of which there may be one a second: what a server
/// says of an exchange when it is asked the next time is that old.
const REMEMBERED: usize = 2048;

/// What a clock was told, so that its readings can be taken back to its oscillator.
///
/// A clock that runs at rate r shows (1 + r)·t where its oscillator counted t: with every change of
/// the rate in the log, a correction never has to be guessed from measurements, and nothing that is
/// slewed is taken for frequency.
///
/// ```
/// use ntp_discipline::Oscillator;
/// use ntp_wire::{Duration, Ppm, Timestamp};
///
/// let start = Timestamp::from_unix(1_795_393_189, 0);
/// let mut oscillator = Oscillator::new(start);
/// oscillator.set_rate(start, Ppm::new(100.0));
/// let later = start + Duration::from_seconds(1000);
/// let reading = oscillator.at(later);
/// // Of 1000 s, 100 ppm are correction.
/// assert!((reading.correction - 0.1).abs() < 1.1e-5);
/// assert!((reading.elapsed + reading.correction - 1000.0).abs() < 1e-9);
/// ```
#[derive(Clone, Debug)]
pub struct Oscillator {
    /// Changes of the rate, the newest last; never empty.
    changes: VecDeque<Change>,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    wall: Timestamp,
    reading: Reading,
    /// s/s.
    rate: f64,
}

/// The oscillator at some time.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Reading {
    /// The seconds that it counted since the log began.
    pub elapsed: f64,
    /// The seconds that were added to the clock since, apart from steps.
    pub correction: f64,
}

impl Oscillator {
    /// A log that begins when the clock shows `wall`, and runs as its oscillator does.
    pub fn new(wall: Timestamp) -> Self {
        let start = Change {
            wall,
            reading: Reading::default(),
            rate: 0.0,
        };
        Self {
            changes: VecDeque::from([start]),
        }
    }

    /// The clock was given this rate when it showed `wall`.
    pub fn set_rate(&mut self, wall: Timestamp, rate: Ppm) {
        let reading = self.at(wall);
        // Changes that lie in the future of a clock that was set back are void.
        while self.changes.len() > 1 && self.changes.back().is_some_and(|last| last.wall > wall) {
            self.changes.pop_back();
        }
        if self.changes.len() == REMEMBERED {
            self.changes.pop_front();
        }
        self.changes.push_back(Change {
            wall,
            reading,
            rate: rate.value() * 1e-6,
        });
    }

    /// The clock was stepped by this much. The oscillator did not notice.
    pub fn stepped(&mut self, by: Duration) {
        for change in &mut self.changes {
            change.wall += by;
        }
    }

    /// What the oscillator showed when the clock showed `wall`.
    pub fn at(&self, wall: Timestamp) -> Reading {
        let change = self.changes.iter().rev().find(|change| change.wall <= wall);
        let Some(change) = change.or_else(|| self.changes.front()) else {
            return Reading::default();
        };
        let shown = (wall - change.wall).to_seconds_f64();
        let counted = shown / (1.0 + change.rate);
        Reading {
            elapsed: change.reading.elapsed + counted,
            correction: change.reading.correction + counted * change.rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration as Elapsed;

    use ntp_wire::Monotonic;
    use proptest::prelude::*;

    use super::*;
    use crate::{Adjustment, VirtualClock};

    fn start() -> Timestamp {
        Timestamp::from_unix(1_795_393_189, 0)
    }

    #[test]
    fn what_was_stamped_before_a_change_is_read_with_the_rate_of_then() {
        let mut oscillator = Oscillator::new(start());
        oscillator.set_rate(start() + Duration::from_seconds(10), Ppm::new(50_000.0));
        let before = oscillator.at(start() + Duration::from_seconds(9));
        assert_eq!(
            before,
            Reading {
                elapsed: 9.0,
                correction: 0.0
            }
        );
        let after = oscillator.at(start() + Duration::from_seconds(31));
        assert!((after.elapsed - 30.0).abs() < 1e-9 && (after.correction - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_step_moves_the_clock_and_not_the_oscillator() {
        let mut oscillator = Oscillator::new(start());
        oscillator.set_rate(start(), Ppm::new(100.0));
        let before = oscillator.at(start() + Duration::from_seconds(100));
        oscillator.stepped(Duration::from_seconds(-3600));
        let after = oscillator.at(start() + Duration::from_seconds(-3500));
        assert!((before.elapsed - after.elapsed).abs() < 1e-9);
        assert!((before.correction - after.correction).abs() < 1e-12);
    }

    proptest! {
        /// Whatever a clock was told: its readings lead back to its oscillator.
        #[test]
        fn corrections_add_up(
            error in -400.0..400.0,
            changes in prop::collection::vec((1_u64..300, -500.0..500.0, -2_i32..=2), 1..200),
        ) {
            let mut at = Monotonic::START;
            let mut clock = VirtualClock::new(start(), at, Ppm::new(error));
            let mut oscillator = Oscillator::new(start());
            for (seconds, rate, step) in changes {
                at += Elapsed::from_secs(seconds);
                if step != 0 {
                    let step = Duration::from_seconds(step);
                    clock.adjust(at, &Adjustment::Step(step));
                    oscillator.stepped(step);
                }
                clock.adjust(at, &Adjustment::Rate(Ppm::new(rate)));
                oscillator.set_rate(clock.wall(at), Ppm::new(rate));
            }
            at += Elapsed::from_secs(7);
            let reading = oscillator.at(clock.wall(at));
            let true_elapsed = (at - Monotonic::START).as_secs_f64();
            // The virtual clock adds its two rates, where a kernel's multiplies them: 400 ppm of
            // 500 ppm is the difference.
            let counted = true_elapsed * (1.0 + error * 1e-6);
            prop_assert!((reading.elapsed - counted).abs() < 2.5e-7 * true_elapsed);
        }
    }
}
