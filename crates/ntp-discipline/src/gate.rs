//! The panic threshold, and what may pass it.

use ntp_wire::Duration;

use crate::Tinker;

/// Stops offsets that nobody should believe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PanicGate {
    /// `-g`: the next offset may pass, whatever it is.
    open: bool,
    /// By how much others set the clock since the last offset.
    set_by_others: Duration,
}

impl PanicGate {
    /// A gate that lets the first offset pass if it is `open`.
    pub(crate) fn new(open: bool) -> Self {
        Self {
            open,
            set_by_others: Duration::ZERO,
        }
    }

    /// Somebody else set the clock by this much, which may be undone, however much it is.
    pub(crate) fn set_by_others(&mut self, by: f64) {
        self.set_by_others += Duration::from_seconds_f64(by);
    }

    /// Whether `offset` must stop the program.
    ///
    /// The gate is open for one offset only; who could make the clock leap again by serving first a
    /// good and then a bad time would rule it.
    pub(crate) fn stops(&mut self, offset: Duration, tinker: &Tinker) -> bool {
        let open = core::mem::take(&mut self.open);
        let before = offset + core::mem::take(&mut self.set_by_others);
        tinker.calls_for_panic(offset) && tinker.calls_for_panic(before) && !open
    }
}
