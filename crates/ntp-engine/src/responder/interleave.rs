//! When the last reply to each of those left who ask interleaved (RFC 9769).

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    net::IpAddr,
};

use ntp_wire::{Header, Mode, Monotonic, Timestamp, WireTimestamp};

use crate::on_wire::true_departure;

/// Replies whose departures are remembered, one for each client that asks interleaved.
///
/// A client names a reply by the receive timestamp in it, which nobody knows who did not see it;
/// the address must be the same too, but not the port, since careful clients use a new one for each
/// request. A reply is asked for once: then the next takes its place.
///
/// It takes no memory before the first such client comes, and then half a megabyte, whoever comes.
/// Where places are short, those who have shown that they know a reply of ours go before those who
/// have not, so that requests with forged addresses push nobody out.
#[derive(Debug, Default)]
pub(super) struct Interleave {
    sets: Box<[Set]>,
    /// How often the clock had been stepped: departures before a step are void.
    steps: u32,
}

/// Places that a reply may have.
type Set = [Option<Reply>; 4];

#[derive(Clone, Copy, Debug)]
struct Reply {
    client: IpAddr,
    /// Its receive timestamp.
    received: WireTimestamp,
    left: Timestamp,
    at: Monotonic,
    /// The client has named an earlier one.
    proven: bool,
}

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// The plain reply.
    Basic,
    /// An interleaved one, if its reply before this one were remembered.
    Unknown,
    /// An interleaved one, whose reply before this one left at that time.
    Interleaved(Timestamp),
}

impl Interleave {
    const SETS: usize = 2048;
    /// One who has not asked for so long makes room for others: twice the longest usual poll
    /// interval, in seconds.
    const SILENT: u64 = 2048;

    /// What `request` of `client` asks for. The reply that it names is forgotten.
    pub(super) fn asked(&mut self, client: IpAddr, request: &Header, steps: u32) -> Asked {
        // Who asks plainly names nothing, or the transmit timestamp of a reply.
        if request.mode != Mode::Client
            || !is_of_arrival(request.origin_time)
            || request.receive_time.is_zero()
            || request.receive_time == request.transmit_time
        {
            return Asked::Basic;
        }
        if self.steps != steps {
            self.steps = steps;
            self.sets.fill([None; 4]);
        }
        let named = request.origin_time;
        let place = self.set(client, named).and_then(|set| {
            set.iter_mut()
                .find(|place| place.is_some_and(|reply| reply.is(client, named)))
        });
        match place.and_then(Option::take) {
            Some(reply) => Asked::Interleaved(reply.left),
            None => Asked::Unknown,
        }
    }

    /// Remembers a reply to `client` with the receive timestamp `received`, which leaves at `left`
    /// or soon after. `proven` says whether the client has named an earlier one.
    pub(super) fn remember(
        &mut self,
        client: IpAddr,
        received: WireTimestamp,
        (left, at): (Timestamp, Monotonic),
        proven: bool,
    ) -> bool {
        if self.sets.is_empty() {
            self.sets = vec![[None; 4]; Self::SETS].into();
        }
        let Some(set) = self.set(client, received) else {
            return false;
        };
        // The best to give away is the least: an empty place, else the oldest of those that nobody
        // has shown to know.
        let worth = |place: &Option<Reply>| place.map(|reply| (reply.proven, reply.at));
        let Some(place) = set.iter_mut().min_by_key(|place| worth(place)) else {
            return false;
        };
        let is_kept = place.is_some_and(|held| {
            held.proven && !proven && at.since(held.at).as_secs() < Self::SILENT
        });
        if !is_kept {
            *place = Some(Reply {
                client,
                received,
                left,
                at,
                proven,
            });
        }
        !is_kept
    }

    /// The reply to `client` with this receive timestamp left at the time `at`; it is `now`.
    pub(super) fn departed(
        &mut self,
        client: IpAddr,
        received: WireTimestamp,
        at: Timestamp,
        now: Timestamp,
    ) {
        let places = self.set(client, received).into_iter().flatten();
        for reply in places.flatten() {
            if reply.is(client, received) {
                reply.left = true_departure(reply.left, at, now);
            }
        }
    }

    fn set(&mut self, client: IpAddr, received: WireTimestamp) -> Option<&mut Set> {
        let mut hasher = DefaultHasher::new();
        (client, received.to_bits()).hash(&mut hasher);
        let sets = u64::try_from(self.sets.len()).ok()?;
        let index = usize::try_from(hasher.finish().checked_rem(sets)?).ok()?;
        self.sets.get_mut(index)
    }
}

impl Reply {
    fn is(&self, client: IpAddr, received: WireTimestamp) -> bool {
        self.client == client && self.received == received
    }
}

/// A receive timestamp for the wire. Its last bit, a quarter of a nanosecond, says that it is none
/// of departure: so who names it in a request asks interleaved, and needs no memory of ours to be
/// known by.
pub(crate) const fn of_arrival(time: WireTimestamp) -> WireTimestamp {
    WireTimestamp::from_bits(time.to_bits() | 1)
}

/// A transmit timestamp for the wire.
pub(crate) const fn of_departure(time: WireTimestamp) -> WireTimestamp {
    WireTimestamp::from_bits(time.to_bits() & !1)
}

const fn is_of_arrival(time: WireTimestamp) -> bool {
    time.to_bits() & 1 == 1
}

#[cfg(test)]
mod tests;
