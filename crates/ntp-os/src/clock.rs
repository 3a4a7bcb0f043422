//! The clocks a program can run on.

mod kernel;
mod precision;
mod shared;
mod spec;
mod state;

use std::{io, path::PathBuf, time::Duration as Elapsed};

use ntp_discipline::{Adjustment, Applied, Clock, ClockError, Now};
use ntp_wire::{Duration, Ppm, Precision, Timestamp};

use self::{
    kernel::KernelClock,
    shared::{SharedClock, SharedLine},
};
use crate::stamp::{self, KernelReading, KernelStamp};

pub use self::spec::{ClockSpec, ClockSpecError, VirtualSpec};

/// The clock that a program reads and steers: the kernel's, a virtual one, or the kernel's without
/// ever moving it.
///
/// All three count the same monotonic clock, `CLOCK_MONOTONIC`.
#[derive(Debug)]
pub struct SystemClock {
    kind: Kind,
    reader: ClockReader,
}

#[derive(Debug)]
enum Kind {
    Kernel(KernelClock),
    Virtual(SharedClock),
    Null,
}

/// Reads a [`SystemClock`] in another thread.
#[derive(Clone, Debug)]
pub struct ClockReader(Option<SharedLine>);

impl ClockReader {
    /// As [`SystemClock::read_at`].
    pub fn read_at(&self, stamp: Option<KernelStamp>) -> (Now, Now) {
        let reading = KernelReading::take();
        let age = stamp.and_then(|stamp| reading.age_of(stamp));
        let now = self.before(&reading, Elapsed::ZERO);
        (now, self.before(&reading, age.unwrap_or_default()))
    }

    /// What the clock shows now, read as quickly as can be.
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Some(_) => self.before(&KernelReading::take(), Elapsed::ZERO).wall,
            None => stamp::real(),
        }
    }

    /// What the clock shows now, and what it showed when a datagram with this stamp left; `None` if
    /// that cannot be right.
    pub fn departure(&self, stamp: KernelStamp) -> (Now, Option<Now>) {
        let reading = KernelReading::take();
        let left = reading.age_of(stamp).map(|age| self.before(&reading, age));
        (self.before(&reading, Elapsed::ZERO), left)
    }

    /// What the clock showed `age` before `reading`.
    fn before(&self, reading: &KernelReading, age: Elapsed) -> Now {
        let monotonic = reading.monotonic_before(age);
        let wall = match &self.0 {
            Some(line) => line.wall_before(reading.monotonic, age),
            None => reading.real - to_duration(age),
        };
        Now { wall, monotonic }
    }
}

impl SystemClock {
    /// The clock that `spec` asks for. This alone moves nothing.
    ///
    /// # Errors
    ///
    /// [`OpenClockError`] if the state file of a virtual clock cannot be read or written.
    pub fn open(spec: &ClockSpec) -> Result<Self, OpenClockError> {
        let kind = match spec {
            ClockSpec::Kernel => Kind::Kernel(KernelClock::new()),
            ClockSpec::Virtual(spec) => Kind::Virtual(SharedClock::open(spec)?),
            ClockSpec::None => Kind::Null,
        };
        let reader = ClockReader(match &kind {
            Kind::Virtual(clock) => Some(clock.line()),
            Kind::Kernel(_) | Kind::Null => None,
        });
        Ok(Self { kind, reader })
    }

    /// What the clock shows now, read as quickly as can be.
    pub fn wall(&self) -> Timestamp {
        self.reader.wall()
    }

    /// What other threads read it with.
    pub fn reader(&self) -> ClockReader {
        self.reader.clone()
    }

    /// What the clock showed when a datagram with this stamp arrived; without a stamp, or with one
    /// that cannot be right, what it shows now.
    pub fn arrival(&self, stamp: Option<KernelStamp>) -> Now {
        self.read_at(stamp).1
    }

    /// What the clock shows now, and what it showed when a datagram with this stamp arrived: both
    /// of one reading, for there may be hundreds of thousands of them a second.
    pub fn read_at(&self, stamp: Option<KernelStamp>) -> (Now, Now) {
        self.reader.read_at(stamp)
    }

    /// What the clock shows now, and what it showed when a datagram with this stamp left; `None` if
    /// that cannot be right.
    pub fn departure(&self, stamp: KernelStamp) -> (Now, Option<Now>) {
        self.reader.departure(stamp)
    }

    /// Whether the program may adjust it, tried without moving it: the kernel's clock gets the
    /// frequency that it has.
    ///
    /// # Errors
    ///
    /// [`ClockError::NotPermitted`] if the kernel says so, as it does without CAP_SYS_TIME. The
    /// clock that never moves gives no error: it says [`Applied::Ignored`].
    pub fn check_permission(&self) -> Result<(), ClockError> {
        match &self.kind {
            Kind::Kernel(_) => KernelClock::check_permission(),
            Kind::Virtual(_) | Kind::Null => Ok(()),
        }
    }

    /// How much faster than the monotonic clock it runs now. The kernel's own does not: what
    /// steers one of them steers both.
    pub fn gain(&self) -> Ppm {
        match &self.kind {
            Kind::Virtual(clock) => clock.gain(KernelReading::take().monotonic),
            Kind::Kernel(_) | Kind::Null => Ppm::ZERO,
        }
    }

    /// Lets the clock run faster or slower until it has gained `by`, and then as before; the
    /// program need not wait for it, nor live that long. Meanwhile a step or a rate ends it.
    ///
    /// What is applied is the rate meanwhile, or [`Applied::Ignored`].
    ///
    /// # Errors
    ///
    /// [`ClockError`] as in [`Clock::adjust`].
    pub fn slew(&mut self, by: Duration) -> Result<Applied, ClockError> {
        match &mut self.kind {
            Kind::Kernel(_) => KernelClock::slew(by),
            Kind::Virtual(clock) => clock.slew(KernelReading::take().monotonic, by),
            Kind::Null => Ok(Applied::Ignored),
        }
    }

    /// How fine the clock can be read: the smallest step seen between two readings of it, as ntpd
    /// measures it. Takes some microseconds.
    pub fn precision(&self) -> Precision {
        precision::measure(|| self.read().wall)
    }
}

impl Clock for SystemClock {
    fn read(&self) -> Now {
        self.reader.before(&KernelReading::take(), Elapsed::ZERO)
    }

    /// A virtual clock with a state file answers [`ClockError::System`], and does not change, if
    /// the file cannot be written.
    fn adjust(&mut self, change: &Adjustment) -> Result<Applied, ClockError> {
        match &mut self.kind {
            Kind::Kernel(clock) => clock.adjust(change),
            Kind::Virtual(clock) => clock.adjust(KernelReading::take().monotonic, change),
            Kind::Null => Ok(Applied::Ignored),
        }
    }
}

fn to_duration(elapsed: Elapsed) -> Duration {
    Duration::from_nanos(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
}

/// Why a virtual clock could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenClockError {
    /// The state file exists and cannot be read.
    #[error("cannot read the virtual clock's state {}: {source}", path.display())]
    Read {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state file holds something else.
    #[error("{} line {line} is no state of a virtual clock; remove the file to start anew", path.display())]
    Malformed {
        /// The state file.
        path: PathBuf,
        /// Counted from 1; 0 if a line is missing.
        line: usize,
    },
    /// The state file cannot be written.
    #[error("cannot write the virtual clock's state {}: {source}", path.display())]
    Write {
        /// The state file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests;
