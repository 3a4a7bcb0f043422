//! The keys at hand when a packet is made or judged.

use std::{collections::BTreeSet, sync::Arc};

use ntp_autokey::{Exchange, Host, IdentityGroups};
use ntp_discipline::Now;
use ntp_keys::{KeyEntry, KeyTable};
use ntp_wire::KeyId;

use crate::Endpoint;

/// The symmetric keys of the keys file, and which of them are trusted.
#[derive(Debug, Default)]
pub struct TrustedKeys {
    table: Arc<KeyTable>,
    trusted: BTreeSet<KeyId>,
}

impl TrustedKeys {
    /// The keys of `table`; only those in `trusted` authenticate anything: time, control messages.
    pub fn new(table: KeyTable, trusted: impl IntoIterator<Item = KeyId>) -> Self {
        Self {
            table: Arc::new(table),
            trusted: trusted.into_iter().collect(),
        }
    }

    /// The same keys, of which others are trusted.
    pub(crate) fn trusting(&self, is_trusted: impl Fn(KeyId) -> bool) -> Self {
        Self {
            table: Arc::clone(&self.table),
            trusted: self
                .table
                .iter()
                .map(|(id, _)| id)
                .filter(|id| is_trusted(*id))
                .collect(),
        }
    }

    /// The key of this number, if it is known and trusted.
    pub fn trusted(&self, id: KeyId) -> Option<&KeyEntry> {
        self.table.lookup(id).filter(|_| self.trusted.contains(&id))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

/// All that packets are authenticated with.
pub(crate) struct Authority<'a> {
    pub(crate) keys: &'a TrustedKeys,
    /// Our own Autokey identity, where there is one.
    pub(crate) host: Option<&'a mut Host>,
    pub(crate) groups: &'a IdentityGroups,
    /// Whether our clock is synchronised.
    pub(crate) synchronised: bool,
}

impl Authority<'_> {
    /// A packet to or from `endpoint`, as Autokey sees it.
    pub(crate) fn exchange(&self, endpoint: Endpoint, now: Now) -> Exchange {
        Exchange {
            local: endpoint.local,
            remote: endpoint.remote.ip(),
            now: now.wall,
            monotonic: now.monotonic,
            synchronised: self.synchronised,
        }
    }
}
