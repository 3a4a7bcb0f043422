//! A server that is nothing but a clock: cheaper than one that runs the engine.

use ntp_wire::{
    Duration, Header, Leap, Mode, Monotonic, PollExponent, Precision, ReferenceId, ShortDuration,
    Stratum,
};

use crate::HostClock;

/// Answers requests from the clock that it was given, which nobody corrects.
#[derive(Debug)]
pub struct PlainServer {
    /// Its clock.
    pub clock: HostClock,
    /// What it says of its distance from a primary reference.
    pub stratum: Stratum,
    /// What it says of its own clock.
    pub precision: Precision,
    /// What it says of the way to its reference.
    pub root_delay: Duration,
    /// What it says of the error of its reference.
    pub root_dispersion: Duration,
}

impl PlainServer {
    /// A primary server with this clock.
    pub fn new(clock: HostClock) -> Self {
        Self {
            clock,
            stratum: Stratum::PRIMARY,
            precision: Precision::new(-24),
            root_delay: Duration::ZERO,
            root_dispersion: Duration::ZERO,
        }
    }

    /// The answer to a datagram that arrives at `at`, if it is a request.
    pub fn answer(&mut self, at: Monotonic, request: &[u8]) -> Option<[u8; Header::LENGTH]> {
        let request = Header::parse(request)?;
        if request.mode != Mode::Client || !request.version.is_supported() {
            return None;
        }
        let now = self.clock.read(at).wall.to_wire();
        let reply = Header {
            leap: Leap::None,
            version: request.version,
            mode: Mode::Server,
            stratum: self.stratum,
            poll: request.poll.max(PollExponent::FASTEST),
            precision: self.precision,
            root_delay: ShortDuration::from_duration(self.root_delay),
            root_dispersion: ShortDuration::from_duration(self.root_dispersion),
            reference_id: if self.stratum == Stratum::PRIMARY {
                ReferenceId::from_text("GPS")
            } else {
                ReferenceId::from_bytes([192, 0, 2, 1])
            },
            reference_time: now,
            origin_time: request.transmit_time,
            receive_time: now,
            transmit_time: now,
        };
        let mut data = [0; Header::LENGTH];
        reply.emit(&mut data);
        Some(data)
    }
}
