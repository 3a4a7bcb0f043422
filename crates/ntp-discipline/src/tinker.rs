//! The constants of the loop that `tinker` and the command line may change.

use core::time::Duration as Elapsed;

use ntp_wire::{Duration, PollExponent, Ppm};

/// The constants that the `tinker` directive changes; [`Default`] gives those of ntpd 4.2.8.
///
/// A threshold that is `None` is never crossed; `tinker` writes it as 0.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tinker {
    /// `allan`: the Allan intercept, 2ⁿ s. Above it the loop believes frequency more than phase,
    /// and the filter mistrusts older samples. 2048 s.
    pub allan: PollExponent,
    /// `dispersion`: how fast the error of an undisciplined clock may grow. 15 ppm.
    pub dispersion: Ppm,
    /// `freq`: the frequency to start with, in place of the drift file's.
    pub frequency: Option<Ppm>,
    /// `huffpuff`: for how long the [`HuffPuff`](crate::HuffPuff) filter remembers the least delay;
    /// `None` is off. Off.
    pub huff_puff: Option<Elapsed>,
    /// `panic`: no offset above this is believed. 1000 s.
    pub panic: Option<Duration>,
    /// `stepfwd`: above this a clock that is behind is stepped. 128 ms.
    pub step_forward: Option<Duration>,
    /// `stepback`: above this a clock that is ahead is stepped back. 128 ms.
    pub step_back: Option<Duration>,
    /// `stepout`: how long an offset must stay above the step threshold. 300 s.
    pub stepout: Elapsed,
}

impl Tinker {
    /// `step`: both step thresholds at once; zero for never.
    pub fn set_step(&mut self, threshold: Duration) {
        let threshold = Self::threshold(threshold);
        self.step_forward = threshold;
        self.step_back = threshold;
    }

    /// `-x`: steps only from 600 s on.
    pub fn slew_only(&mut self) {
        self.set_step(Duration::from_seconds(600));
    }

    /// A threshold as `tinker` writes it: 0 (or less) says never.
    pub fn threshold(written: Duration) -> Option<Duration> {
        (written > Duration::ZERO).then_some(written)
    }

    /// Whether `offset` is above the step threshold of its direction. Positive offsets say that
    /// the clock is behind.
    pub fn calls_for_step(&self, offset: Duration) -> bool {
        let threshold = if offset.is_negative() {
            self.step_back
        } else {
            self.step_forward
        };
        threshold.is_some_and(|threshold| offset.abs() > threshold)
    }

    /// Whether `offset` is above the panic threshold.
    pub(crate) fn calls_for_panic(&self, offset: Duration) -> bool {
        self.panic.is_some_and(|threshold| offset.abs() > threshold)
    }
}

impl Default for Tinker {
    fn default() -> Self {
        let step = Some(Duration::from_millis(128));
        Self {
            allan: PollExponent::new(11),
            dispersion: Ppm::new(15.0),
            frequency: None,
            huff_puff: None,
            panic: Some(Duration::from_seconds(1000)),
            step_forward: step,
            step_back: step,
            stepout: Elapsed::from_secs(300),
        }
    }
}
