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

#[cfg(test)]
mod tests {
    use ntp_wire::{Timestamp, WireTimestamp};

    use super::*;
    use crate::ClockModel;

    #[test]
    fn it_answers_requests_from_its_clock_and_nothing_else() {
        let origin = Timestamp::from_unix(1_795_393_189, 0);
        let model = ClockModel {
            offset: Duration::from_millis(50),
            ..ClockModel::default()
        };
        let clock = HostClock::new(model, origin, Monotonic::START, [1; 32]);
        let mut server = PlainServer::new(clock);
        let mut request = [0; Header::LENGTH];
        let nonce = WireTimestamp::from_bits(77);
        let header = Header {
            mode: Mode::Client,
            transmit_time: nonce,
            ..Header::default()
        };
        header.emit(&mut request);
        let at = Monotonic::from_nanos(1_000_000_000);
        let reply = server
            .answer(at, &request)
            .and_then(|data| Header::parse(&data));
        let reply = reply.expect("it is a request");
        assert_eq!((reply.mode, reply.origin_time), (Mode::Server, nonce));
        let shown = origin + Duration::from_seconds(1) + Duration::from_millis(50);
        assert_eq!(reply.receive_time, shown.to_wire());
        assert_eq!(reply.transmit_time, shown.to_wire());

        assert_eq!(server.answer(at, &request[..47]), None);
        Header {
            mode: Mode::Server,
            ..header
        }
        .emit(&mut request);
        assert_eq!(server.answer(at, &request), None);
    }
}
