//! The on-wire protocol of a client: which reply answers which request (RFC 5905 section 8).

mod symmetric;

use ntp_discipline::Exchange;
use ntp_wire::control::Flash;
use ntp_wire::{Duration, Header, Precision, Timestamp, WireTimestamp};
use rand::{Rng, RngExt};

pub(crate) use self::symmetric::{Symmetric, below_precision_random};

/// Frequency tolerance: how fast a clock that nobody corrects may drift, 15 ppm.
const TOLERANCE: f64 = 15e-6;

/// The requests and replies between us and one server, as far as they must be remembered.
///
/// A request carries a random number instead of the time: it tells nobody our clock, and who does
/// not see the request cannot forge its reply. A reply is accepted once.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnWire {
    /// What is on its way: the number sent and when.
    outstanding: Option<Request>,
    /// The transmit timestamp of the last reply that was accepted.
    last_transmit: WireTimestamp,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    nonce: WireTimestamp,
    sent: Timestamp,
}

impl OnWire {
    /// Notes a request that leaves at `now`; the result goes into its transmit timestamp.
    pub(crate) fn request(&mut self, rng: &mut impl Rng, now: Timestamp) -> WireTimestamp {
        // Zero would mean "no time", and a reply to it could be forged by anyone.
        let nonce = WireTimestamp::from_bits(rng.random_range(1..=u64::MAX));
        self.outstanding = Some(Request { nonce, sent: now });
        nonce
    }

    /// The request with this nonce left at the time `at`, as was noted beneath us; it is `now`.
    pub(crate) fn departed(&mut self, nonce: WireTimestamp, at: Timestamp, now: Timestamp) {
        if let Some(request) = &mut self.outstanding
            && request.nonce == nonce
        {
            request.sent = true_departure(request.sent, at, now);
        }
    }

    /// Whether a reply with `header` answers the request that is on its way (tests 1 to 3).
    ///
    /// # Errors
    ///
    /// The flash bits of the tests that failed; the request then stays open, so that a forged
    /// reply does not shut out the true one.
    pub(crate) fn check(&self, header: &Header, received: Timestamp) -> Result<Exchange, Flash> {
        if header.transmit_time.is_zero() {
            return Err(Flash::UNSYNCHRONISED);
        }
        let Some(request) = self
            .outstanding
            .filter(|sent| sent.nonce == header.origin_time)
        else {
            return Err(if header.transmit_time == self.last_transmit {
                Flash::DUPLICATE
            } else {
                Flash::BOGUS
            });
        };
        if header.receive_time.is_zero() {
            return Err(Flash::UNSYNCHRONISED);
        }
        Ok(Exchange {
            sent: request.sent,
            server_received: header.receive_time.near(received),
            server_sent: header.transmit_time.near(received),
            received,
        })
    }

    /// Closes the request: its reply, now accepted, is refused from here on.
    pub(crate) fn accept(&mut self, header: &Header) {
        self.outstanding = None;
        self.last_transmit = header.transmit_time;
    }

    /// Forgets the request on its way: the clock was stepped, its time of sending is void.
    pub(crate) fn abandon(&mut self) {
        self.outstanding = None;
    }
}

/// When a packet left that we gave away at `given`, and that is said to have left at `at`; it is
/// `now`. What can't be is not believed: the clock was set meanwhile.
pub(crate) fn true_departure(given: Timestamp, at: Timestamp, now: Timestamp) -> Timestamp {
    if given <= at && at <= now { at } else { given }
}

/// What the filter needs to know of an exchange.
pub(crate) trait Measured {
    /// How far the server's clock is ahead of ours.
    fn offset(&self) -> Duration;
    /// The time on the network, both ways; never below the precision of our clock.
    fn delay(&self, precision: Precision) -> Duration;
    /// The error that reading both clocks and waiting for the reply can have added.
    fn dispersion(&self, ours: Precision, theirs: Precision) -> Duration;
}

impl Measured for Exchange {
    fn offset(&self) -> Duration {
        // Not half of the sum, which would saturate for a clock that is 34 years wrong.
        let there = self.server_received - self.sent;
        let back = self.server_sent - self.received;
        there + (back - there) / 2
    }

    fn delay(&self, precision: Precision) -> Duration {
        let delay = (self.received - self.sent) - (self.server_sent - self.server_received);
        delay.max(precision.to_duration())
    }

    fn dispersion(&self, ours: Precision, theirs: Precision) -> Duration {
        let waited = (self.received - self.sent).abs().to_seconds_f64();
        ours.to_duration() + theirs.to_duration() + Duration::from_seconds_f64(waited * TOLERANCE)
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::Mode;
    use rand::{SeedableRng, rngs::ChaCha12Rng};

    use super::*;

    fn time(milliseconds: i32) -> Timestamp {
        Timestamp::from_unix(1_795_393_189, 0) + Duration::from_millis(milliseconds)
    }

    fn reply(origin_time: WireTimestamp) -> Header {
        Header {
            mode: Mode::Server,
            origin_time,
            receive_time: time(60).to_wire(),
            transmit_time: time(70).to_wire(),
            ..Header::default()
        }
    }

    #[test]
    fn a_reply_is_accepted_once() {
        let mut wire = OnWire::default();
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let nonce = wire.request(&mut rng, time(0));
        let header = reply(nonce);
        let exchange = wire.check(&header, time(30)).unwrap();
        // Ours: sent 0, received 30; the server's, 50 ms ahead: received 60, sent 70.
        let close = |duration: Duration, milliseconds| {
            (duration - Duration::from_millis(milliseconds)).abs() < Duration::from_nanos(10)
        };
        assert!(close(exchange.offset(), 50), "{:?}", exchange.offset());
        assert!(close(exchange.delay(Precision::new(-20)), 20));
        wire.accept(&header);
        assert_eq!(wire.check(&header, time(31)), Err(Flash::DUPLICATE));
        assert_eq!(
            wire.check(&reply(WireTimestamp::ZERO), time(31)),
            Err(Flash::DUPLICATE)
        );
    }

    #[test]
    fn a_request_left_when_the_kernel_says_so() {
        let mut wire = OnWire::default();
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let nonce = wire.request(&mut rng, time(10));
        let sent = |wire: &OnWire| wire.check(&reply(nonce), time(30)).unwrap().sent;
        assert_eq!(sent(&wire), time(10));
        // Another packet's, one before it was made, one that is to come.
        wire.departed(WireTimestamp::from_bits(7), time(12), time(20));
        wire.departed(nonce, time(9), time(20));
        wire.departed(nonce, time(21), time(20));
        assert_eq!(sent(&wire), time(10));
        wire.departed(nonce, time(12), time(20));
        assert_eq!(sent(&wire), time(12));
        wire.accept(&reply(nonce));
        wire.departed(nonce, time(12), time(20));
        assert!(wire.check(&reply(nonce), time(30)).is_err());
    }

    #[test]
    fn what_answers_no_request_is_bogus() {
        let mut wire = OnWire::default();
        assert_eq!(
            wire.check(&reply(WireTimestamp::ZERO), time(1)),
            Err(Flash::BOGUS)
        );
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let nonce = wire.request(&mut rng, time(0));
        for origin in [0, 1, u64::MAX, nonce.to_bits() ^ 1] {
            let forged = reply(WireTimestamp::from_bits(origin));
            assert_eq!(wire.check(&forged, time(1)), Err(Flash::BOGUS));
        }
        assert!(
            wire.check(&reply(nonce), time(1)).is_ok(),
            "forgeries left the request open"
        );
        wire.abandon();
        assert_eq!(wire.check(&reply(nonce), time(1)), Err(Flash::BOGUS));
    }

    #[test]
    fn zero_times_are_no_times() {
        let mut wire = OnWire::default();
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let nonce = wire.request(&mut rng, time(0));
        let header = Header {
            receive_time: WireTimestamp::ZERO,
            ..reply(nonce)
        };
        assert_eq!(wire.check(&header, time(1)), Err(Flash::UNSYNCHRONISED));
        let header = Header {
            transmit_time: WireTimestamp::ZERO,
            ..reply(nonce)
        };
        assert_eq!(wire.check(&header, time(1)), Err(Flash::UNSYNCHRONISED));
    }

    #[test]
    fn a_clock_that_was_never_set_learns_its_whole_offset() {
        let years = Duration::from_seconds(1_790_000_000);
        let exchange = Exchange {
            sent: time(0) - years,
            received: time(20) - years,
            server_received: time(10),
            server_sent: time(10),
        };
        assert!((exchange.offset() - years).abs() < Duration::from_millis(1));
    }

    #[test]
    fn delay_is_never_below_precision() {
        let exchange = Exchange {
            sent: time(0),
            received: time(1),
            server_received: time(0),
            server_sent: time(5),
        };
        assert_eq!(
            exchange.delay(Precision::new(-10)),
            Precision::new(-10).to_duration()
        );
    }

    #[test]
    fn replies_are_understood_across_the_end_of_era_zero() {
        let rollover = Timestamp::from_parts(1 << 32, 0);
        let mut wire = OnWire::default();
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        let nonce = wire.request(&mut rng, rollover - Duration::from_millis(10));
        let header = Header {
            receive_time: (rollover + Duration::from_millis(1)).to_wire(),
            transmit_time: (rollover + Duration::from_millis(1)).to_wire(),
            ..reply(nonce)
        };
        let exchange = wire
            .check(&header, rollover + Duration::from_millis(10))
            .unwrap();
        assert!((exchange.offset() - Duration::from_millis(1)).abs() < Duration::from_nanos(10));
    }
}
