//! The undisciplined local clock, 127.127.1.u: our own clock, for when there is nothing better.

use std::{net::Ipv4Addr, time::Duration as Elapsed};

use ntp_discipline::Sample;
use ntp_wire::{
    Duration, Header, Leap, Mode, Monotonic, Precision, ReferenceId, ShortDuration, Stratum,
    Timestamp,
};

/// The stratum of a local clock that `fudge` leaves alone.
const DEFAULT_STRATUM: u8 = 5;
/// The error that a clock without reference is taken to have, as in the reference driver.
const DISPERSION: Duration = Duration::from_millis(10);

/// A local clock and what `fudge` says of it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct LocalClock {
    pub(crate) unit: u8,
    /// `time1`: added to its offset.
    pub(crate) correction: Duration,
    pub(crate) stratum: Stratum,
    pub(crate) reference_id: ReferenceId,
    /// `flag1` to `flag4`, in the four low bits.
    pub(crate) flags: u8,
    pub(crate) polls: u32,
}

impl LocalClock {
    pub(crate) fn new(unit: u8) -> Self {
        Self {
            unit,
            correction: Duration::ZERO,
            stratum: Stratum::new(DEFAULT_STRATUM),
            reference_id: ReferenceId::from_bytes(*b"LOCL"),
            flags: 0,
            polls: 0,
        }
    }

    /// The address it is configured by.
    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(127, 127, 1, self.unit)
    }

    /// What it shows: our own time, as if it came from a server.
    pub(crate) fn read(&mut self, wall: Timestamp, precision: Precision) -> Header {
        self.polls = self.polls.saturating_add(1);
        Header {
            leap: Leap::None,
            mode: Mode::Server,
            stratum: self.stratum,
            precision,
            root_dispersion: ShortDuration::from_duration(DISPERSION),
            reference_id: self.reference_id,
            reference_time: wall.to_wire(),
            receive_time: wall.to_wire(),
            transmit_time: wall.to_wire(),
            ..Header::default()
        }
    }

    /// The samples that fill the filter at the first poll: a clock read without a network is no
    /// better known after the eighth time than after the first.
    pub(crate) fn samples(
        &self,
        at: Monotonic,
        precision: Precision,
    ) -> impl Iterator<Item = Sample> + use<> {
        let count = if self.polls <= 1 { 8 } else { 1 };
        let offset = self.correction;
        (0..count).rev().map(move |age| Sample {
            offset,
            delay: Duration::ZERO,
            dispersion: precision.to_duration(),
            at: Monotonic::from_nanos(
                at.as_nanos()
                    .saturating_sub(Elapsed::from_secs(age).as_nanos() as u64),
            ),
        })
    }
}
