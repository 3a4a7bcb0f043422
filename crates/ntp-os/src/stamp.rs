//! Readings of the kernel's two clocks.

use std::time::Duration as Elapsed;

use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_gettime},
};
use ntp_wire::{Duration, Monotonic, Timestamp};

/// When a datagram arrived or left, as the kernel's clock showed it (`SO_TIMESTAMPNS`,
/// `SO_TIMESTAMPING`).
///
/// It is a reading of the kernel's clock, whichever clock the program runs on:
/// [`SystemClock::arrival`](crate::SystemClock::arrival) translates it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KernelStamp(Timestamp);

impl KernelStamp {
    /// A stamp of `seconds` since 1970 and `nanoseconds` (less than 10⁹).
    pub const fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        Self(Timestamp::from_unix(seconds, nanoseconds))
    }

    /// That of a datagram that would arrive now.
    #[cfg(test)]
    pub(crate) fn of_now() -> Self {
        Self(real())
    }

    /// The time by the kernel's clock.
    pub const fn kernel_time(self) -> Timestamp {
        self.0
    }
}

/// The kernel's clocks, read so close together that no interrupt came between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KernelReading {
    pub(crate) real: Timestamp,
    pub(crate) monotonic: Monotonic,
}

impl KernelReading {
    /// No interrupt lasts less; a reading of both clocks takes a tenth of this.
    const TIGHT: Elapsed = Elapsed::from_nanos(500);
    const ATTEMPTS: usize = 3;

    /// The tightest of up to three readings: real time in the middle of two monotonic ones.
    pub(crate) fn take() -> Self {
        let mut best = Self {
            real: Timestamp::UNIX_EPOCH,
            monotonic: Monotonic::START,
        };
        let mut best_width = Elapsed::MAX;
        for _ in 0..Self::ATTEMPTS {
            let before = monotonic();
            let real = real();
            let width = monotonic() - before;
            if width < best_width {
                best_width = width;
                best = Self {
                    real,
                    monotonic: before + width / 2,
                };
            }
            if width < Self::TIGHT {
                break;
            }
        }
        best
    }

    /// How long before this reading `stamp` was made; `None` if that cannot be: the stamp lies in
    /// the future or far back, since somebody stepped the clock in between.
    pub(crate) fn age_of(&self, stamp: KernelStamp) -> Option<Elapsed> {
        const OLDEST: Elapsed = Elapsed::from_secs(60);
        let age = (self.real - stamp.kernel_time()).to_nanos();
        let age = Elapsed::from_nanos(u64::try_from(age).ok()?);
        (age <= OLDEST).then_some(age)
    }

    /// The monotonic clock `age` before this reading.
    pub(crate) fn monotonic_before(&self, age: Elapsed) -> Monotonic {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        Monotonic::from_nanos(self.monotonic.as_nanos().saturating_sub(age))
    }
}

/// The kernel's clock alone.
pub(crate) fn real() -> Timestamp {
    let now = read(ClockId::CLOCK_REALTIME);
    Timestamp::from_unix(now.tv_sec(), u32::try_from(now.tv_nsec()).unwrap_or(0))
}

fn monotonic() -> Monotonic {
    let now = read(ClockId::CLOCK_MONOTONIC);
    let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanoseconds = u64::try_from(now.tv_nsec()).unwrap_or(0);
    Monotonic::from_nanos(seconds.saturating_mul(1_000_000_000) + nanoseconds)
}

fn read(clock: ClockId) -> TimeSpec {
    // Both clocks exist on every Linux; reading them cannot fail.
    clock_gettime(clock).unwrap_or(TimeSpec::new(0, 0))
}

/// A wall time as the kernel takes it.
pub(crate) fn to_timespec(time: Timestamp) -> TimeSpec {
    let (seconds, nanoseconds) = time.to_unix();
    TimeSpec::new(seconds, nanoseconds.into())
}

/// `duration` as whole seconds, rounded down, and nanoseconds of 0 to 999 999 999.
pub(crate) fn split(duration: Duration) -> (i64, i64) {
    let nanoseconds = duration.to_nanos();
    (
        nanoseconds.div_euclid(1_000_000_000),
        nanoseconds.rem_euclid(1_000_000_000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_go_forward() {
        let mut last = KernelReading::take();
        for _ in 0..1000 {
            let next = KernelReading::take();
            assert!(next.monotonic >= last.monotonic);
            let real = next.real - last.real;
            let monotonic =
                Duration::from_nanos((next.monotonic - last.monotonic).as_nanos() as i64);
            assert!((real - monotonic).abs() < Duration::from_millis(5));
            last = next;
        }
    }

    #[test]
    fn impossible_stamps_have_no_age() {
        let now = KernelReading::take();
        let stamp = |offset: i32| {
            let (seconds, nanoseconds) = (now.real + Duration::from_millis(offset)).to_unix();
            KernelStamp::from_unix(seconds, nanoseconds)
        };
        assert_eq!(now.age_of(stamp(1)), None);
        assert_eq!(now.age_of(stamp(-61_000)), None);
        let age = now.age_of(stamp(-250)).unwrap();
        assert!(age.abs_diff(Elapsed::from_millis(250)) < Elapsed::from_nanos(10));
    }

    #[test]
    fn negative_durations_split_downwards() {
        assert_eq!(split(Duration::from_millis(-250)), (-1, 750_000_000));
        assert_eq!(split(Duration::from_seconds(3)), (3, 0));
    }
}
