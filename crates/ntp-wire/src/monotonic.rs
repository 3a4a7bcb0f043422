//! The clock that nobody sets.

use core::{
    fmt,
    ops::{Add, AddAssign, Sub},
    time::Duration as Elapsed,
};

/// A reading of a monotonic clock: nanoseconds since a start that only its owner knows.
///
/// Timers run on it. Spans of it are [`core::time::Duration`], never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(u64);

impl Monotonic {
    /// The start of the clock.
    pub const START: Self = Self(0);

    /// `nanoseconds` after the start.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since the start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Elapsed {
        Elapsed::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Elapsed> for Monotonic {
    type Output = Self;
    fn add(self, elapsed: Elapsed) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl AddAssign<Elapsed> for Monotonic {
    fn add_assign(&mut self, elapsed: Elapsed) {
        *self = *self + elapsed;
    }
}

impl Sub for Monotonic {
    type Output = Elapsed;
    fn sub(self, earlier: Self) -> Elapsed {
        self.since(earlier)
    }
}

impl fmt::Debug for Monotonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Monotonic({}.{:09})",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}
