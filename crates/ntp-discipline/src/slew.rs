//! What was slewed, reckoned from the time that went by.

use core::time::Duration as Elapsed;

use ntp_wire::Monotonic;

/// What is being slewed away, and how fast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slew {
    /// What is left of the offset, in seconds.
    pub(crate) residual: f64,
    /// At which rate, beside the frequency correction, the clock runs since the last tick.
    pub(crate) rate: f64,
    /// Whether it went slower than wanted at some time since the last update.
    pub(crate) saturated: bool,
    accounted: Monotonic,
}

impl Slew {
    pub(crate) fn none(at: Monotonic) -> Self {
        Self {
            residual: 0.0,
            rate: 0.0,
            saturated: false,
            accounted: at,
        }
    }

    /// Takes off what was slewed until `at`; gives the time that this took.
    pub(crate) fn account(&mut self, at: Monotonic) -> Elapsed {
        let elapsed = at.since(self.accounted);
        let left = self.residual - self.rate * elapsed.as_secs_f64();
        // What is smaller than a clock can show is nothing.
        self.residual = if left.abs() < 1e-12 { 0.0 } else { left };
        self.accounted = self.accounted.max(at);
        elapsed
    }
}
