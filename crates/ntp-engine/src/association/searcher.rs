//! A group in which servers are searched for: manycast (RFC 5905 section 3.1).

use std::time::Duration as Elapsed;

use bytes::Bytes;
use ntp_autokey::{Association as Autokey, AssociationOptions, Relation};
use ntp_conf::AddressFamily;
use ntp_wire::{Header, Mode, Monotonic, Timestamp};
use rand::Rng;

use super::{
    Announcement, Association, Endpoint, Security, Source,
    request::{RequestError, Sender},
};
use crate::{authority::Authority, on_wire::OnWire};

/// What is kept of a `manycastclient` line. It is never asked the time itself: who answers becomes
/// a server of its own.
#[derive(Debug)]
pub(crate) struct Searcher {
    /// Which addresses to look for.
    pub(crate) family: Option<AddressFamily>,
    pub(crate) port: Option<u16>,
    pub(crate) endpoint: Option<Endpoint>,
    /// Whether the group is being looked up.
    pub(crate) resolving: bool,
    /// Whether it could not be looked up.
    pub(crate) unresolved: bool,
    /// Through how many routers a try goes, from try to try; the last ones after that.
    rings: Vec<u8>,
    /// Which of them is next.
    ring: usize,
    /// `tos beacon`: that long, and a search is due whatever there is.
    beacon: Elapsed,
    searched: Option<Monotonic>,
    /// So many who answer the last search are still wanted.
    pub(crate) wanted: usize,
    wire: OnWire,
    pub(crate) sent: u64,
}

impl Searcher {
    /// `farthest` is the `ttl` of the line.
    pub(crate) fn new(
        family: Option<AddressFamily>,
        port: Option<u16>,
        rings: &[u8],
        farthest: Option<u8>,
        beacon: Elapsed,
    ) -> Self {
        let farthest = farthest.unwrap_or(u8::MAX);
        let mut rings: Vec<u8> = rings.iter().map(|hops| (*hops).min(farthest)).collect();
        rings.dedup();
        Self {
            family,
            port,
            endpoint: None,
            resolving: false,
            unresolved: false,
            rings,
            ring: 0,
            beacon,
            searched: None,
            wanted: 0,
            wire: OnWire::default(),
            sent: 0,
        }
    }

    /// `tos beacon`, from now on.
    pub(crate) fn set_beacon(&mut self, beacon: Elapsed) {
        self.beacon = beacon;
    }

    /// Through how many routers the next search goes.
    pub(crate) fn hops(&self) -> u8 {
        self.rings
            .get(self.ring)
            .or_else(|| self.rings.last())
            .copied()
            .unwrap_or(1)
    }

    /// Whether it is so long since the last search that there must be one.
    pub(crate) fn is_beacon_due(&self, now: Monotonic) -> bool {
        self.searched
            .is_none_or(|searched| now.since(searched) >= self.beacon)
    }

    /// The next search begins nearby again.
    pub(crate) fn begin_anew(&mut self) {
        self.ring = 0;
    }

    /// Nobody can answer any more.
    pub(crate) fn close(&mut self) {
        self.wire.abandon();
        self.wanted = 0;
    }

    /// Whether a packet answers the last search. Any number of them may.
    pub(crate) fn is_answered_by(&self, header: &Header, received: Timestamp) -> bool {
        self.wire.check(header, received).is_ok()
    }
}

impl Association {
    /// The next packet for a group that is searched.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the key that it should be made with is not there.
    pub(crate) fn search(
        &mut self,
        sender: &mut Sender<'_, impl Rng>,
        authority: &mut Authority<'_>,
    ) -> Result<Option<Announcement>, RequestError> {
        let poll = self.schedule.host_poll();
        let Source::Searcher(searcher) = &mut self.source else {
            return Ok(None);
        };
        let Some(endpoint) = searcher.endpoint else {
            return Ok(None);
        };
        let key = authority.key_of(&self.settings.security)?;
        let now = sender.now;
        let header = Header {
            poll,
            transmit_time: searcher.wire.request(sender.rng, now.wall).transmit,
            // Servers that are no better than we are, or whom we follow already, keep silent.
            ..sender
                .clock
                .header(self.settings.version, Mode::Client, now.monotonic)
        };
        let mut packet = vec![0; Header::LENGTH];
        if let Some(room) = packet.first_chunk_mut() {
            header.emit(room);
        }
        if let Some(key) = key {
            key.seal(&mut packet);
        }
        if let Security::Autokey { ident } = &self.settings.security {
            let exchange = authority.exchange(endpoint, now);
            let host = authority
                .host
                .as_deref_mut()
                .ok_or(RequestError::NoAutokey)?;
            // The first request of a dance; whoever answers dances it from the start.
            let mut dance = Autokey::new(AssociationOptions {
                relation: Relation::Client,
                association: self.id,
                ident: ident.clone(),
            });
            dance.seal_request(host, &exchange, authority.groups, &mut packet);
        }
        let hops = searcher.hops();
        searcher.ring = (searcher.ring + 1).min(searcher.rings.len().saturating_sub(1));
        searcher.searched = Some(now.monotonic);
        searcher.sent += 1;
        Ok(Some(Announcement {
            endpoint,
            hops,
            data: Bytes::from(packet),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searcher(rings: &[u8], farthest: Option<u8>) -> Searcher {
        Searcher::new(None, None, rings, farthest, Elapsed::from_secs(100))
    }

    #[test]
    fn rings_end_where_the_line_says() {
        assert_eq!(searcher(&[1, 32, 64, 96], Some(40)).rings, [1, 32, 40]);
        assert_eq!(searcher(&[1, 32], None).rings, [1, 32]);
        assert_eq!(searcher(&[], None).hops(), 1);
    }

    #[test]
    fn there_is_a_search_at_the_start_and_each_beacon() {
        let mut searcher = searcher(&[1], None);
        let after = |seconds| Monotonic::START + Elapsed::from_secs(seconds);
        assert!(searcher.is_beacon_due(after(0)));
        searcher.searched = Some(after(0));
        assert!(!searcher.is_beacon_due(after(99)));
        assert!(searcher.is_beacon_due(after(100)));
        searcher.set_beacon(Elapsed::from_secs(200));
        assert!(!searcher.is_beacon_due(after(100)));
    }
}
