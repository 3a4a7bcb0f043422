//! The machine's clock, steered with `clock_adjtime`.
#![allow(unsafe_code)]

use std::io;

use nix::{
    sys::time::TimeSpec,
    time::{ClockId, clock_settime},
};
use ntp_discipline::{Adjustment, Applied, ClockError, ClockStatus};
use ntp_wire::{Duration, Leap, Ppm};

use crate::stamp::{real, split, to_timespec};

/// The kernel's clock.
#[derive(Debug)]
pub(super) struct KernelClock {
    /// Whether what an earlier program left to the kernel's own loop was cleared away.
    taken_over: bool,
}

impl KernelClock {
    pub(super) const fn new() -> Self {
        Self { taken_over: false }
    }

    pub(super) fn check_permission() -> Result<(), ClockError> {
        // Capabilities would not tell: in containers they mean less than they say, and under a
        // simulated clock nothing. So the frequency that it has is set once more.
        let mut timex = blank();
        let tried = adjtimex(&mut timex).and_then(|()| {
            let frequency = timex.freq;
            timex = blank();
            timex.modes = libc::ADJ_FREQUENCY;
            timex.freq = frequency;
            adjtimex(&mut timex)
        });
        match tried {
            Err(ClockError::NotPermitted) => Err(ClockError::NotPermitted),
            // What else can be wrong, the first adjustment will tell.
            _ => Ok(()),
        }
    }

    pub(super) fn adjust(&mut self, change: &Adjustment) -> Result<Applied, ClockError> {
        if !self.taken_over {
            take_over()?;
            self.taken_over = true;
        }
        match change {
            Adjustment::Step(step) => set_by(*step).map(|()| Applied::Stepped(*step)),
            Adjustment::Rate(rate) => set_rate(*rate).map(Applied::Rate),
            Adjustment::Status(status) => set_status(status).map(|()| Applied::Status),
        }
    }

    /// As `adjtime` does: the kernel remembers what is left.
    pub(super) fn slew(by: Duration) -> Result<Applied, ClockError> {
        /// The kernel slews by half a microsecond each millisecond.
        const RATE: f64 = 500.0;
        let mut timex = blank();
        timex.modes = libc::ADJ_OFFSET_SINGLESHOT;
        timex.offset = by.to_nanos() / 1000;
        adjtimex(&mut timex)?;
        let rate = if by.is_negative() { -RATE } else { RATE };
        Ok(Applied::Rate(Ppm::new(rate)))
    }
}

/// Stops the kernel's own loop and forgets what is left to slew of `adjtime` and of that loop;
/// else it would steer against us.
fn take_over() -> Result<(), ClockError> {
    let mut timex = blank();
    timex.modes = libc::ADJ_OFFSET_SINGLESHOT;
    adjtimex(&mut timex)?;

    // The rest of an offset is only replaced while the loop is on.
    let mut timex = blank();
    timex.modes = libc::ADJ_STATUS | libc::ADJ_OFFSET;
    timex.status = libc::STA_PLL | libc::STA_UNSYNC;
    adjtimex(&mut timex)?;

    let mut timex = blank();
    timex.modes = libc::ADJ_STATUS;
    timex.status = libc::STA_UNSYNC;
    adjtimex(&mut timex)
}

/// Adds `step` to the clock.
fn set_by(step: Duration) -> Result<(), ClockError> {
    let (seconds, nanoseconds) = split(step);
    let mut timex = blank();
    timex.modes = libc::ADJ_SETOFFSET | libc::ADJ_NANO;
    timex.time.tv_sec = seconds;
    timex.time.tv_usec = nanoseconds;
    match adjtimex(&mut timex) {
        // Not every kernel can add; each can be set, at the cost of the time in between.
        Err(ClockError::System(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS)) => {
            let time: TimeSpec = to_timespec(real() + step);
            clock_settime(ClockId::CLOCK_REALTIME, time).map_err(|errno| clock_error(errno as i32))
        }
        result => result,
    }
}

/// How a rate is divided between the length of the tick and the frequency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct TickAndFrequency {
    /// Microseconds that the clock goes on a tick, 10 000 of course.
    tick: i64,
    /// In units of 2⁻¹⁶ ppm.
    frequency: i64,
}

impl TickAndFrequency {
    /// What the kernel takes as frequency.
    const MOST_FREQUENCY: f64 = 500.0;
    const NOMINAL_TICK: i64 = 10_000;
    /// What the kernel takes as tick, off nominal: a tenth.
    const MOST_TICK: f64 = 1000.0;
    /// One microsecond more on each tick.
    const PPM_OF_TICK: f64 = 100.0;

    /// The tick stays nominal while the frequency suffices.
    fn from_rate(rate: Ppm) -> Self {
        let rate = rate.value();
        let ticks = if rate.abs() <= Self::MOST_FREQUENCY {
            0.0
        } else {
            (rate / Self::PPM_OF_TICK)
                .round()
                .clamp(-Self::MOST_TICK, Self::MOST_TICK)
        };
        let frequency =
            (rate - ticks * Self::PPM_OF_TICK).clamp(-Self::MOST_FREQUENCY, Self::MOST_FREQUENCY);
        Self {
            tick: Self::NOMINAL_TICK + ticks as i64,
            frequency: (frequency * 65536.0).round() as i64,
        }
    }

    fn to_rate(self) -> Ppm {
        Ppm::new(
            (self.tick - Self::NOMINAL_TICK) as f64 * Self::PPM_OF_TICK
                + self.frequency as f64 / 65536.0,
        )
    }
}

/// Lets the clock run at `rate`, or as near as the kernel allows.
fn set_rate(rate: Ppm) -> Result<Ppm, ClockError> {
    let wanted = TickAndFrequency::from_rate(rate);
    let mut timex = blank();
    timex.modes = libc::ADJ_FREQUENCY | libc::ADJ_TICK;
    timex.freq = wanted.frequency;
    timex.tick = wanted.tick;
    adjtimex(&mut timex)?;
    // The kernel gives back what it took.
    Ok(TickAndFrequency {
        tick: timex.tick,
        frequency: timex.freq,
    }
    .to_rate())
}

/// Tells other programs how good the clock is.
fn set_status(status: &ClockStatus) -> Result<(), ClockError> {
    let mut timex = blank();
    timex.modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR | libc::ADJ_ESTERROR;
    timex.status = status_bits(status.leap);
    timex.maxerror = microseconds(status.maximum_error);
    timex.esterror = microseconds(status.estimated_error);
    adjtimex(&mut timex)?;
    if let Some(offset) = status.tai_offset {
        // It travels in the field of the time constant.
        let mut timex = blank();
        timex.modes = libc::ADJ_TAI;
        timex.constant = offset.into();
        adjtimex(&mut timex)?;
    }
    Ok(())
}

const fn status_bits(leap: Leap) -> i32 {
    match leap {
        Leap::None => 0,
        Leap::Insert => libc::STA_INS,
        Leap::Delete => libc::STA_DEL,
        Leap::Unsynchronised => libc::STA_UNSYNC,
    }
}

/// Rounded up, and never more than the kernel believes.
fn microseconds(error: Duration) -> i64 {
    const MOST: i64 = 16_000_000;
    (error.abs().to_nanos() / 1000 + 1).min(MOST)
}

fn blank() -> libc::timex {
    // SAFETY: timex is a C structure of integers; all zero is one of its values.
    unsafe { std::mem::zeroed() }
}

fn adjtimex(timex: &mut libc::timex) -> Result<(), ClockError> {
    // SAFETY: the pointer is to a timex that lives through the call, which keeps no copy of it.
    match unsafe { libc::clock_adjtime(libc::CLOCK_REALTIME, timex) } {
        -1 => Err(clock_error(
            io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or_default(),
        )),
        _ => Ok(()),
    }
}

const fn clock_error(errno: i32) -> ClockError {
    match errno {
        libc::EPERM => ClockError::NotPermitted,
        errno => ClockError::System(errno),
    }
}

#[cfg(test)]
mod tests {
    use caps::{CapSet, Capability};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_rate_within_reach_is_met(rate in -100_000.0..100_000.0) {
            let parts = TickAndFrequency::from_rate(Ppm::new(rate));
            prop_assert!((parts.to_rate().value() - rate).abs() < 1e-4);
            prop_assert!(parts.frequency.abs() <= 500 << 16);
            prop_assert!((9000..=11_000).contains(&parts.tick));
            prop_assert!(rate.abs() > 500.0 || parts.tick == 10_000);
        }
    }

    #[test]
    fn rates_out_of_reach_are_the_most_there_is() {
        let parts = TickAndFrequency::from_rate(Ppm::new(1e9));
        assert_eq!(parts.to_rate(), Ppm::new(100_500.0));
    }

    #[test]
    fn errors_never_understate() {
        assert_eq!(microseconds(Duration::from_nanos(1500)), 2);
        assert_eq!(microseconds(Duration::from_seconds(-17)), 16_000_000);
    }

    /// The capability is dropped first, in a thread of its own, so that the clock cannot move.
    #[test]
    fn without_the_capability_the_clock_stays() {
        std::thread::spawn(|| {
            let _ = caps::drop(None, CapSet::Effective, Capability::CAP_SYS_TIME);
            let held = caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_TIME);
            assert_eq!(held.ok(), Some(false), "not safe to go on");
            let mut clock = KernelClock::new();
            for change in [
                Adjustment::Rate(Ppm::ZERO),
                Adjustment::Step(Duration::ZERO),
                Adjustment::Status(ClockStatus::default()),
            ] {
                assert_eq!(clock.adjust(&change), Err(ClockError::NotPermitted));
                assert!(!clock.taken_over);
            }
            assert_eq!(
                KernelClock::check_permission(),
                Err(ClockError::NotPermitted)
            );
            assert_eq!(set_by(Duration::ZERO), Err(ClockError::NotPermitted));
            let slewed = KernelClock::slew(Duration::ZERO);
            assert_eq!(slewed, Err(ClockError::NotPermitted));
        })
        .join()
        .unwrap();
    }
}
