//! The state file of a virtual clock: the straight line that it runs on, as text.
//!
//! ```text
//! virtual clock 1
//! boot 5bb7b7e4-2c3f-4b4c-9b5d-0d8d3f4c3f33
//! monotonic 86400123456789
//! wall 3989390400 1234567890
//! frequency 50
//! rate -12.5
//! slew 86500123456789 0
//! ```
//!
//! `monotonic` is in nanoseconds, `wall` what the clock shows then, in seconds since 1900 and
//! units of 2⁻³² s. `slew`, which may be missing, says when a single slew will be done and what the
//! rate will be then. The monotonic clock is the same in all processes of one boot, so that is
//! what the boot's identifier is for.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use ntp_discipline::{Adjustment, VirtualClock};
use ntp_wire::{Monotonic, Ppm, Timestamp};

use super::{
    OpenClockError,
    shared::{Line, Slew},
};
use crate::file::{Durability, read_file, replace};

const FIRST_LINE: &str = "virtual clock 1";
/// No state is longer.
const LONGEST: u64 = 1024;

/// A point of the line, and its slope.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct ClockState {
    monotonic: Monotonic,
    wall: Timestamp,
    frequency: Ppm,
    rate: Ppm,
    slew: Option<Slew>,
}

impl ClockState {
    /// The state of a clock at `at`.
    pub(super) fn of(line: &Line, at: Monotonic) -> Self {
        let clock = line.at(at);
        Self {
            monotonic: at,
            wall: clock.wall(at),
            frequency: clock.frequency_error(),
            rate: clock.rate(),
            slew: line.slew.filter(|slew| slew.until > at),
        }
    }

    /// The clock that goes on from here.
    pub(super) fn to_line(self) -> Line {
        let mut clock = VirtualClock::new(self.wall, self.monotonic, self.frequency);
        clock.adjust(self.monotonic, &Adjustment::Rate(self.rate));
        Line {
            clock,
            slew: self.slew,
        }
    }

    /// The state in the file `path`; `None` if there is no such file, or one of another boot.
    pub(super) fn load(path: &Path) -> Result<Option<Self>, OpenClockError> {
        let contents = match read_file(path, LONGEST) {
            Ok(contents) => contents,
            Err(error) if error.source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(OpenClockError::Read {
                    path: path.to_owned(),
                    source: error.source,
                });
            }
        };
        let text = String::from_utf8_lossy(&contents.bytes);
        let (boot, state) = Self::parse(&text).map_err(|line| OpenClockError::Malformed {
            path: path.to_owned(),
            line,
        })?;
        Ok((boot == boot_identifier()).then_some(state))
    }

    /// Puts the state in place of what `path` held, at once but not yet on the disk: after a crash
    /// of the machine it would be worth nothing anyway.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let text = self.to_text(&boot_identifier());
        replace(path, text.as_bytes(), 0o644, Durability::Process)
    }

    fn to_text(self, boot: &str) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nboot {boot}\nmonotonic {}\nwall {} {}\nfrequency {}\nrate {}\n",
            self.monotonic.as_nanos(),
            self.wall.seconds(),
            self.wall.fraction(),
            self.frequency.value(),
            self.rate.value(),
        );
        if let Some(slew) = self.slew {
            text += &format!("slew {} {}\n", slew.until.as_nanos(), slew.rate.value());
        }
        text
    }

    /// The boot and the state, or the number of the line that is wrong.
    fn parse(text: &str) -> Result<(&str, Self), usize> {
        let mut lines = text.lines().zip(1usize..);
        let mut value = |name: &str| {
            let (line, number) = lines.next().ok_or(0usize)?;
            let value = line.strip_prefix(name).ok_or(number)?;
            Ok::<_, usize>((value.strip_prefix(' ').unwrap_or(value), number))
        };
        value(FIRST_LINE)?;
        let (boot, _) = value("boot")?;
        let (monotonic, line) = value("monotonic")?;
        let monotonic = monotonic.parse().map_err(|_| line)?;
        let (wall, line) = value("wall")?;
        let (seconds, fraction) = wall.split_once(' ').ok_or(line)?;
        let wall = Timestamp::from_parts(
            seconds.parse().map_err(|_| line)?,
            fraction.parse().map_err(|_| line)?,
        );
        let (frequency, line) = value("frequency")?;
        let frequency = frequency.parse().map_err(|_| line)?;
        let (rate, line) = value("rate")?;
        let rate = rate.parse().map_err(|_| line)?;
        let slew = match value("slew") {
            Ok((slew, line)) => {
                let (until, rate) = slew.split_once(' ').ok_or(line)?;
                Some(Slew {
                    until: Monotonic::from_nanos(until.parse().map_err(|_| line)?),
                    rate: Ppm::new(rate.parse().map_err(|_| line)?),
                })
            }
            Err(0) => None,
            Err(line) => return Err(line),
        };
        let state = Self {
            monotonic: Monotonic::from_nanos(monotonic),
            wall,
            frequency: Ppm::new(frequency),
            rate: Ppm::new(rate),
            slew,
        };
        Ok((boot, state))
    }
}

/// What tells this boot from all others; empty where the kernel does not say.
fn boot_identifier() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            nanoseconds: u64,
            seconds: i64,
            fraction: u32,
            frequency in -1e5..1e5,
            rate in -500.0..500.0,
            slew in proptest::option::of((any::<u64>(), -500.0..500.0)),
        ) {
            let state = ClockState {
                monotonic: Monotonic::from_nanos(nanoseconds),
                wall: Timestamp::from_parts(seconds, fraction),
                frequency: Ppm::new(frequency),
                rate: Ppm::new(rate),
                slew: slew.map(|(until, rate)| Slew {
                    until: Monotonic::from_nanos(until),
                    rate: Ppm::new(rate),
                }),
            };
            let text = state.to_text("some-boot");
            prop_assert_eq!(ClockState::parse(&text), Ok(("some-boot", state)));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = ClockState::parse(&text);
        }
    }

    #[test]
    fn the_wrong_line_is_told() {
        let good = "virtual clock 1\nboot b\nmonotonic 1\nwall 2 3\nfrequency 4\nrate 5\n";
        assert!(ClockState::parse(good).is_ok());
        for (from, to, line) in [
            ("clock 1", "cuckoo", 1),
            ("boot", "shoe", 2),
            ("monotonic 1", "monotonic one", 3),
            ("2 3", "2", 4),
            ("frequency 4", "frequency x", 5),
            ("rate 5\n", "", 0),
            ("rate 5\n", "rate 5\nslew 6\n", 7),
        ] {
            assert_eq!(
                ClockState::parse(&good.replace(from, to)),
                Err(line),
                "{to}"
            );
        }
    }
}
