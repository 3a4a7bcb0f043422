//! The on-wire protocol of a client: which reply answers which request (RFC 5905 section 8).

mod symmetric;

use ntp_discipline::Exchange;
use ntp_wire::control::Flash;
use ntp_wire::{Duration, Header, Monotonic, Precision, Timestamp, WireTimestamp};
use rand::{Rng, RngExt};

pub(crate) use self::symmetric::{Stamps, Symmetric, below_precision_random};

/// Frequency tolerance: how fast a clock that nobody corrects may drift, 15 ppm.
const TOLERANCE: f64 = 15e-6;

/// The requests and replies between us and one server, as far as they must be remembered.
///
/// A request carries a random number instead of the time: it tells nobody our clock, and who does
/// not see the request cannot forge its reply. A reply is accepted once.
///
/// If it is [interleaved](Self::interleaved), a request names the reply before and carries a second
/// random number. A server that remembers that reply returns the second one, and tells when the
/// reply before truly left (RFC 9769); any other answers as ever.
#[derive(Clone, Debug, Default)]
pub(crate) struct OnWire {
    /// What is on its way: the number sent and when.
    outstanding: Option<Request>,
    /// The transmit timestamp of the last reply that was accepted.
    last_transmit: WireTimestamp,
    interleaved: bool,
    /// The last reply, of which the next may tell when it left.
    previous: Option<Previous>,
    /// How many requests in a row had no reply.
    unanswered: u32,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    nonce: WireTimestamp,
    /// What an interleaved reply returns.
    second: Option<WireTimestamp>,
    sent: Timestamp,
}

/// A reply that was accepted.
#[derive(Clone, Copy, Debug)]
struct Previous {
    nonce: WireTimestamp,
    sent: Timestamp,
    server_received: WireTimestamp,
    received: Timestamp,
    at: Monotonic,
    /// Its exchange has been measured already, by its own timestamps.
    measured: bool,
}

/// What a packet is that answers ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    /// What it completes; `None` if it tells nothing new, or what can't be.
    pub(crate) exchange: Option<Exchange>,
    /// When that exchange ended, if it was not with this packet.
    pub(crate) ended: Option<Monotonic>,
    pub(crate) kind: AnswerKind,
}

/// How a packet answers ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnswerKind {
    Basic,
    Interleaved,
    /// It should be interleaved, and the times in it can't be.
    InterleaveError,
}

impl Answer {
    /// Of a packet that has all the timestamps itself.
    pub(crate) const fn basic(exchange: Exchange) -> Self {
        Self {
            exchange: Some(exchange),
            ended: None,
            kind: AnswerKind::Basic,
        }
    }
}

impl OnWire {
    /// After so many requests without a reply the next is a plain one.
    const PATIENCE: u32 = 4;

    /// One whose requests are interleaved, if the server can.
    pub(crate) fn interleaved() -> Self {
        Self {
            interleaved: true,
            ..Self::default()
        }
    }

    /// Notes a request that leaves at `now`, and says what stands in it.
    pub(crate) fn request(&mut self, rng: &mut impl Rng, now: Timestamp) -> Stamps {
        // Zero would mean "no time", and a reply to it could be forged by anyone.
        let nonce = WireTimestamp::from_bits(rng.random_range(1..=u64::MAX));
        if self.outstanding.is_some() {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        if self.unanswered >= Self::PATIENCE {
            self.previous = None;
        }
        let named = self.previous.filter(|_| self.interleaved);
        let second = named.map(|_| {
            loop {
                let second = WireTimestamp::from_bits(rng.random_range(1..=u64::MAX));
                // Else nobody could tell the two kinds of replies apart.
                if second != nonce {
                    break second;
                }
            }
        });
        self.outstanding = Some(Request {
            nonce,
            second,
            sent: now,
        });
        Stamps {
            origin: named.map_or(WireTimestamp::ZERO, |named| named.server_received),
            receive: second.unwrap_or(WireTimestamp::ZERO),
            transmit: nonce,
        }
    }

    /// The request with this nonce left at the time `at`, as was noted beneath us; it is `now`.
    pub(crate) fn departed(&mut self, nonce: WireTimestamp, at: Timestamp, now: Timestamp) {
        if let Some(request) = &mut self.outstanding
            && request.nonce == nonce
        {
            request.sent = true_departure(request.sent, at, now);
        }
        // The reply was faster than the news.
        if let Some(previous) = &mut self.previous
            && previous.nonce == nonce
        {
            previous.sent = true_departure(previous.sent, at, previous.received);
        }
    }

    /// Whether a reply with `header` answers the request that is on its way (tests 1 to 3).
    ///
    /// # Errors
    ///
    /// The flash bits of the tests that failed; the request then stays open, so that a forged
    /// reply does not shut out the true one.
    pub(crate) fn check(&self, header: &Header, received: Timestamp) -> Result<Answer, Flash> {
        if header.transmit_time.is_zero() {
            return Err(Flash::UNSYNCHRONISED);
        }
        let origin = header.origin_time;
        let is_answered = |sent: &Request| sent.nonce == origin || sent.second == Some(origin);
        let Some(request) = self.outstanding.filter(is_answered) else {
            return Err(if header.transmit_time == self.last_transmit {
                Flash::DUPLICATE
            } else {
                Flash::BOGUS
            });
        };
        if header.receive_time.is_zero() {
            return Err(Flash::UNSYNCHRONISED);
        }
        if request.nonce == origin {
            return Ok(Answer::basic(Exchange {
                sent: request.sent,
                server_received: header.receive_time.near(received),
                server_sent: header.transmit_time.near(received),
                received,
            }));
        }
        let previous = self.previous.ok_or(Flash::BOGUS)?;
        let exchange = Exchange {
            sent: previous.sent,
            server_received: previous.server_received.near(received),
            server_sent: header.transmit_time.near(received),
            received: previous.received,
        };
        let (exchange, kind) = match is_possible(&exchange) {
            false => (None, AnswerKind::InterleaveError),
            true if previous.measured => (None, AnswerKind::Interleaved),
            true => (Some(exchange), AnswerKind::Interleaved),
        };
        Ok(Answer {
            exchange,
            ended: Some(previous.at),
            kind,
        })
    }

    /// Closes the request: its reply, now accepted, is refused from here on.
    pub(crate) fn accept(
        &mut self,
        header: &Header,
        received: Timestamp,
        now: Monotonic,
        kind: Option<AnswerKind>,
    ) {
        let request = self.outstanding.take();
        self.last_transmit = header.transmit_time;
        self.unanswered = 0;
        self.previous = request
            // What can't be makes us begin anew.
            .filter(|_| kind.is_some_and(|kind| kind != AnswerKind::InterleaveError))
            // Such a reply tells no times.
            .filter(|_| header.kiss_code().is_none())
            .map(|request| Previous {
                nonce: request.nonce,
                sent: request.sent,
                server_received: header.receive_time,
                received,
                at: now,
                measured: kind == Some(AnswerKind::Basic),
            });
    }

    /// Forgets the request on its way: the clock was stepped, its time of sending is void.
    pub(crate) fn abandon(&mut self) {
        self.outstanding = None;
        self.previous = None;
        self.unanswered = 0;
    }
}

/// Whether the timestamps of an interleaved exchange, which came in two packets, belong together.
fn is_possible(exchange: &Exchange) -> bool {
    /// No server takes longer to answer.
    const LONGEST: Duration = Duration::from_seconds(4);
    /// What is noted in different places may disagree by this much.
    const TOLERANCE: Duration = Duration::from_nanos(100_000);
    let inside = exchange.server_sent - exchange.server_received;
    let delay = (exchange.received - exchange.sent) - inside;
    inside >= Duration::ZERO && inside <= LONGEST && delay >= -TOLERANCE
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
mod tests;
