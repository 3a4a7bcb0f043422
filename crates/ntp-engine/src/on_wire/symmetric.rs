//! The on-wire protocol between two that are each other's equals (RFC 5905 section 8).

use ntp_discipline::Exchange;
use ntp_wire::control::Flash;
use ntp_wire::{Header, Precision, Timestamp, WireTimestamp};
use rand::{Rng, RngExt};

use super::true_departure;

/// The last packet in each direction: the next one of ours tells of them, and what comes next is
/// held against them.
///
/// Neither side asks and neither answers: each tells when it sent, and what it last heard from the
/// other. So the transmit timestamp is a time here and can't be a random number; only the bits
/// below the precision of our clock are random. Without a key, whoever can guess when we send can
/// forge an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Symmetric {
    /// Our last packet, until the peer tells of it.
    outstanding: Option<Sent>,
    /// The transmit timestamp of the peer's last packet.
    heard: WireTimestamp,
    /// When that came.
    received: WireTimestamp,
    /// Those two of a later packet, which asked something and is not proven to be the peer's.
    question: Option<(WireTimestamp, WireTimestamp)>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    stamp: WireTimestamp,
    at: Timestamp,
}

/// The three timestamps of a packet of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stamps {
    pub(crate) origin: WireTimestamp,
    pub(crate) receive: WireTimestamp,
    pub(crate) transmit: WireTimestamp,
}

impl Symmetric {
    /// Notes a packet that leaves at `now`, and says what stands in it. One that `answers` a
    /// question tells of the packet that asked.
    pub(crate) fn send(
        &mut self,
        rng: &mut impl Rng,
        now: Timestamp,
        precision: Precision,
        answers: bool,
    ) -> Stamps {
        let stamp = below_precision_random(now, precision, rng);
        self.outstanding = Some(Sent { stamp, at: now });
        let heard = (self.heard, self.received);
        let question = self.question.filter(|_| answers);
        let (origin, receive) = question.unwrap_or(heard);
        Stamps {
            origin,
            receive,
            transmit: stamp,
        }
    }

    /// The packet with this transmit timestamp left at the time `at`, as was noted beneath us; it
    /// is `now`.
    pub(crate) fn departed(&mut self, stamp: WireTimestamp, at: Timestamp, now: Timestamp) {
        if let Some(sent) = &mut self.outstanding
            && sent.stamp == stamp
        {
            sent.at = true_departure(sent.at, at, now);
        }
    }

    /// A packet came that asks something and that anybody can have sent: an answer tells of it, and
    /// nothing else does.
    pub(crate) fn note_question(&mut self, header: &Header, received: Timestamp) {
        if !header.transmit_time.is_zero() {
            self.question = Some((header.transmit_time, received.to_wire()));
        }
    }

    /// Whether a packet with `header` tells of our last one (tests 1 to 3).
    ///
    /// # Errors
    ///
    /// The flash bits of the tests that failed.
    pub(crate) fn check(&self, header: &Header, received: Timestamp) -> Result<Exchange, Flash> {
        if header.transmit_time.is_zero() {
            return Err(Flash::UNSYNCHRONISED);
        }
        if header.transmit_time == self.heard {
            return Err(Flash::DUPLICATE);
        }
        // Zero says that nothing of ours has come there yet. Nothing of ours was ever zero, so that
        // it is no answer, whatever else was forgotten.
        if header.origin_time.is_zero() || header.receive_time.is_zero() {
            return Err(Flash::UNSYNCHRONISED);
        }
        let sent = self
            .outstanding
            .filter(|sent| sent.stamp == header.origin_time)
            .ok_or(Flash::BOGUS)?;
        Ok(Exchange {
            sent: sent.at,
            server_received: header.receive_time.near(received),
            server_sent: header.transmit_time.near(received),
            received,
        })
    }

    /// A packet that is authentic came: our next one tells of it. `answers` says whether
    /// [`check`](Self::check) found that it tells of our last one; `reachable`, whether we are in
    /// contact.
    ///
    /// While we are, what is older than what we know already is a copy that somebody kept; it would
    /// have us tell of a packet that the peer has long forgotten, so that he could make nothing of
    /// ours. What answers our last packet can't be a copy, even if the peer's clock was set back.
    pub(crate) fn accept(
        &mut self,
        header: &Header,
        received: Timestamp,
        answers: bool,
        reachable: bool,
    ) {
        let ahead = header
            .transmit_time
            .to_bits()
            .wrapping_sub(self.heard.to_bits()) as i64;
        let is_news = answers || !reachable || self.heard.is_zero() || ahead > 0;
        if header.transmit_time.is_zero() || !is_news {
            return;
        }
        self.heard = header.transmit_time;
        self.received = received.to_wire();
        self.question = None;
        if answers {
            self.outstanding = None;
        }
    }

    /// Our clock was stepped: what it showed before is void.
    pub(crate) fn abandon(&mut self) {
        *self = Self::default();
    }
}

/// `time` with random bits below `precision`, which tell nobody anything; never zero.
pub(crate) fn below_precision_random(
    time: Timestamp,
    precision: Precision,
    rng: &mut impl Rng,
) -> WireTimestamp {
    // 2⁻³² s is one.
    let bits = u32::try_from(32 + i32::from(precision.value()))
        .unwrap_or(0)
        .min(32);
    let mask = (1_u64 << bits) - 1;
    let random: u64 = rng.random();
    WireTimestamp::from_bits(((time.to_wire().to_bits() & !mask) | (random & mask)).max(1))
}

#[cfg(test)]
mod tests;
