//! What others tell of clients.

use ntp_wire::Monotonic;

use super::{ClientTable, NOBODY, Sighting};
use crate::{RestrictFlags, Verdict};

/// Packets of one client that were judged elsewhere, by the same rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PastSighting {
    /// The last of them.
    pub sighting: Sighting,
    /// When the first of them came.
    pub first_seen: Monotonic,
    /// When the last of them came.
    pub last_seen: Monotonic,
    /// How many came.
    pub count: u32,
    /// What was done with the last.
    pub verdict: Verdict,
}

impl ClientTable {
    /// Remembers packets to which `restriction` applies and which were judged elsewhere. Whoever
    /// tells of many begins with those that came first.
    pub fn note(&mut self, past: &PastSighting, restriction: RestrictFlags) {
        let PastSighting {
            sighting,
            first_seen,
            last_seen,
            count,
            verdict,
        } = *past;
        let address = sighting.source.ip().to_canonical();
        let restriction = match verdict {
            Verdict::Serve => restriction - (RestrictFlags::LIMITED | RestrictFlags::KISS_OF_DEATH),
            Verdict::Drop => restriction - RestrictFlags::KISS_OF_DEATH,
            Verdict::KissOfDeath => restriction,
        };
        let mut slot = self.find(address);
        let is_new = slot == NOBODY;
        if is_new {
            self.remember(last_seen, address, &sighting, restriction);
            slot = self.find(address);
        }
        let Some(record) = self.records.get_mut(slot as usize) else {
            return;
        };
        let client = &mut record.client;
        if is_new {
            client.first_seen = first_seen;
            client.count = count;
        } else {
            client.count = client.count.saturating_add(count);
        }
        // One that came later may have been told of before.
        if client.last_seen <= last_seen {
            client.last_seen = last_seen;
            client.port = sighting.source.port();
            client.endpoint = sighting.endpoint;
            client.mode = sighting.mode;
            client.version = sighting.version;
            client.restriction = restriction;
            self.recency.touch(slot);
        }
        record.last_request = record.last_request.max(last_seen);
    }
}
