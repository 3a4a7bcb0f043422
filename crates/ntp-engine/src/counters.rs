//! What the packet path has done: the numbers of ntpq's `sysstats`.

use crate::NtsCounters;

/// Packets counted by what became of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// All that came.
    pub received: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// Packets of version 4.
    pub this_version: u64,
    /// Packets of versions 1 to 3.
    pub older_version: u64,
    /// What is no NTP packet.
    pub bad_format: u64,
    /// Packets whose authentication failed or is missing.
    pub bad_authentication: u64,
    /// Packets of a mode or version that is not served.
    pub declined: u64,
    /// Packets that `restrict` keeps out.
    pub restricted: u64,
    /// Packets of clients that ask too often.
    pub limited: u64,
    /// Kiss-o'-death packets sent.
    pub kisses: u64,
    /// Replies that told when the one before them had left.
    pub interleaved: u64,
    /// Symmetric keys that a request named.
    pub key_lookups: u64,
    /// Those of them that are unknown, or not trusted.
    pub keys_not_found: u64,
    /// Message authentication codes made with symmetric keys.
    pub macs_made: u64,
    /// Those checked.
    pub macs_checked: u64,
    /// Autokey requests dropped because answering them would take more public-key work than is
    /// done for strangers.
    pub too_much_work: u64,
    /// What was done with NTS.
    pub nts: NtsCounters,
}

impl Counters {
    /// Adds what was done elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        // Taken apart, so that none is forgotten.
        let Self {
            received,
            answered,
            this_version,
            older_version,
            bad_format,
            bad_authentication,
            declined,
            restricted,
            limited,
            kisses,
            interleaved,
            too_much_work,
            key_lookups,
            keys_not_found,
            macs_made,
            macs_checked,
            nts,
        } = other;
        self.received += received;
        self.answered += answered;
        self.this_version += this_version;
        self.older_version += older_version;
        self.bad_format += bad_format;
        self.bad_authentication += bad_authentication;
        self.declined += declined;
        self.restricted += restricted;
        self.limited += limited;
        self.kisses += kisses;
        self.interleaved += interleaved;
        self.too_much_work += too_much_work;
        self.key_lookups += key_lookups;
        self.keys_not_found += keys_not_found;
        self.macs_made += macs_made;
        self.macs_checked += macs_checked;
        self.nts.add(nts);
    }

    /// What was counted since `earlier`, but for NTS.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let less = |count: fn(&Self) -> u64| count(self).saturating_sub(count(earlier));
        Self {
            received: less(|all| all.received),
            answered: less(|all| all.answered),
            this_version: less(|all| all.this_version),
            older_version: less(|all| all.older_version),
            bad_format: less(|all| all.bad_format),
            bad_authentication: less(|all| all.bad_authentication),
            declined: less(|all| all.declined),
            restricted: less(|all| all.restricted),
            limited: less(|all| all.limited),
            kisses: less(|all| all.kisses),
            interleaved: less(|all| all.interleaved),
            key_lookups: less(|all| all.key_lookups),
            keys_not_found: less(|all| all.keys_not_found),
            macs_made: less(|all| all.macs_made),
            macs_checked: less(|all| all.macs_checked),
            too_much_work: less(|all| all.too_much_work),
            nts: self.nts,
        }
    }
}
