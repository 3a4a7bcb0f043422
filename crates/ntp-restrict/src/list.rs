//! The list that every packet is looked up in.

use core::net::{IpAddr, SocketAddr};

use crate::{RestrictFlags, RestrictRules, RestrictTarget, rules::NTP_PORT, search::SearchTable};

#[cfg(test)]
mod tests;

/// What a look-up found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restriction {
    /// What is forbidden.
    pub flags: RestrictFlags,
    /// Which entry of [`RestrictList::entries`] says so, to count its hits; `None` where none was
    /// asked because the source is a multicast address.
    pub entry: Option<usize>,
}

/// One entry of a [`RestrictList`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RestrictEntry {
    /// Whom it is for.
    pub target: RestrictTarget,
    /// What is forbidden to them.
    pub flags: RestrictFlags,
}

/// All restrictions, arranged for look-up; it does not change any more.
///
/// Of the entries that fit, the one with the highest address counts, among those the one with the
/// highest mask, then the one with the narrowest [`Scope`](crate::Scope), as in ntpd 4.2.8. Where
/// no mask has gaps this is the most specific one.
///
/// Masks without gaps take a binary search, those with gaps are tried one after the other.
#[derive(Clone, Debug)]
pub struct RestrictList {
    entries: Vec<RestrictEntry>,
    ipv4: SearchTable,
    ipv6: SearchTable,
}

impl RestrictList {
    pub(crate) fn new(rules: &RestrictRules) -> Self {
        let (mut ipv4, mut ipv6): (Vec<_>, Vec<_>) = rules
            .entries()
            .rev()
            .map(|(target, flags)| RestrictEntry {
                target: *target,
                flags,
            })
            .partition(|entry| entry.target.address().is_ipv4());
        let first_ipv6 = ipv4.len();
        let search4 = SearchTable::new(&ipv4, 0);
        let search6 = SearchTable::new(&ipv6, first_ipv6);
        ipv4.append(&mut ipv6);
        Self {
            entries: ipv4,
            ipv4: search4,
            ipv6: search6,
        }
    }

    /// What is forbidden to a packet from `source`. IPv4 addresses mapped into IPv6 count as IPv4;
    /// a multicast address sends nothing, so packets from one are ignored.
    pub fn lookup(&self, source: SocketAddr) -> Restriction {
        let address = source.ip().to_canonical();
        if address.is_multicast() {
            return Restriction {
                flags: RestrictFlags::IGNORE,
                entry: None,
            };
        }
        let from_ntp_port = source.port() == NTP_PORT;
        let found = match address {
            IpAddr::V4(address) => self
                .ipv4
                .lookup(u128::from(address.to_bits()), from_ntp_port),
            IpAddr::V6(address) => self.ipv6.lookup(address.to_bits(), from_ntp_port),
        };
        Restriction {
            flags: found
                .and_then(|index| self.entries.get(index))
                .map_or(RestrictFlags::IGNORE, |entry| entry.flags),
            entry: found,
        }
    }

    /// The entries, IPv4 before IPv6, each in the order of precedence.
    pub fn entries(&self) -> &[RestrictEntry] {
        &self.entries
    }
}
