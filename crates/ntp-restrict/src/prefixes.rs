//! The restrict list as longest-prefix matches, for look-ups made elsewhere.

use core::net::IpAddr;
use std::collections::BTreeMap;

use crate::{RestrictFlags, RestrictList, RestrictTarget, Scope};

/// What is forbidden to addresses that begin with the same bits, unless a longer prefix counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrefixRestriction {
    /// The first of the addresses.
    pub address: IpAddr,
    /// How many bits count.
    pub length: u8,
    /// What is forbidden from whatever port but 123.
    pub any_port: RestrictFlags,
    /// What is forbidden from port 123.
    pub ntp_port: RestrictFlags,
}

impl RestrictList {
    /// The entries of one family, what holds others before them; `None` if that can't be said in
    /// prefixes, since there are masks with gaps.
    ///
    /// For any source address that is not multicast, the longest of them that fits says what
    /// [`lookup`](Self::lookup) would.
    pub fn prefixes(&self, ipv6: bool) -> Option<Vec<PrefixRestriction>> {
        let mut said: BTreeMap<(IpAddr, u8), [Option<RestrictFlags>; 2]> = BTreeMap::new();
        for entry in self.entries() {
            if entry.target.address().is_ipv6() != ipv6 {
                continue;
            }
            let length = entry.target.prefix_length()?;
            let [any, ntp] = said.entry((entry.target.address(), length)).or_default();
            // Those that count more come first.
            match entry.target.scope() {
                Scope::AnyPort => any.get_or_insert(entry.flags),
                Scope::NtpPort | Scope::OwnAddress => ntp.get_or_insert(entry.flags),
            };
        }
        let mut open: Vec<PrefixRestriction> = Vec::new();
        let mut all = Vec::with_capacity(said.len());
        for ((address, length), [any, ntp]) in said {
            while open.pop_if(|outer| !outer.contains(address)).is_some() {}
            let outer = open.last();
            let prefix = PrefixRestriction {
                address,
                length,
                any_port: any
                    .or_else(|| outer.map(|outer| outer.any_port))
                    .unwrap_or(RestrictFlags::IGNORE),
                ntp_port: ntp
                    .or(any)
                    .or_else(|| outer.map(|outer| outer.ntp_port))
                    .unwrap_or(RestrictFlags::IGNORE),
            };
            open.push(prefix);
            all.push(prefix);
        }
        Some(all)
    }
}

impl PrefixRestriction {
    /// Whether `address` begins with these bits.
    pub fn contains(&self, address: IpAddr) -> bool {
        RestrictTarget::with_prefix(address, self.length)
            .is_ok_and(|target| target.address() == self.address)
    }
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

    use proptest::prelude::*;

    use super::*;
    use crate::RestrictRules;

    fn target() -> impl Strategy<Value = RestrictTarget> {
        // Few bits, so that they nest.
        let ipv4 = (0_u32..16, 0_u8..=32).prop_map(|(bits, length)| {
            RestrictTarget::with_prefix(IpAddr::V4(Ipv4Addr::from_bits(bits << 28 | bits)), length)
        });
        let ipv6 = (0_u128..16, 0_u8..=128).prop_map(|(bits, length)| {
            RestrictTarget::with_prefix(IpAddr::V6(Ipv6Addr::from_bits(bits << 124 | bits)), length)
        });
        let scope = prop_oneof![
            Just(Scope::AnyPort),
            Just(Scope::NtpPort),
            Just(Scope::OwnAddress)
        ];
        (prop_oneof![ipv4, ipv6], scope)
            .prop_map(|(target, scope)| target.expect("lengths fit").scoped(scope))
    }

    proptest! {
        #[test]
        fn the_longest_prefix_says_what_the_list_says(
            rules in prop::collection::vec((target(), any::<u16>()), 0..24),
            sources in prop::collection::vec((0_u32..16, 0_u32..16, any::<bool>(), any::<bool>()), 1..40),
        ) {
            let mut list = RestrictRules::new();
            for (target, flags) in rules {
                list.restrict(target, RestrictFlags::from_bits(flags));
            }
            let list = list.build();
            for (high, low, ipv6, from_ntp) in sources {
                let address = match ipv6 {
                    false => IpAddr::V4(Ipv4Addr::from_bits(high << 28 | low)),
                    true => IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 124 | u128::from(low))),
                };
                if address.is_multicast() || address.to_canonical() != address {
                    continue;
                }
                let prefixes = list.prefixes(ipv6).expect("no gaps");
                let best = prefixes
                    .iter()
                    .filter(|prefix| prefix.contains(address))
                    .max_by_key(|prefix| prefix.length)
                    .expect("the default");
                let (flags, port) = match from_ntp {
                    true => (best.ntp_port, 123),
                    false => (best.any_port, 4000),
                };
                prop_assert_eq!(flags, list.lookup(SocketAddr::new(address, port)).flags);
            }
        }
    }

    #[test]
    fn masks_with_gaps_are_not_prefixes() {
        let mut rules = RestrictRules::new();
        let gapped = RestrictTarget::with_mask(
            IpAddr::V4(Ipv4Addr::new(10, 0, 7, 0)),
            IpAddr::V4(Ipv4Addr::new(255, 0, 255, 0)),
        );
        rules.restrict(gapped.expect("one family"), RestrictFlags::IGNORE);
        let list = rules.build();
        assert_eq!(list.prefixes(false), None);
        assert_eq!(list.prefixes(true).map(|prefixes| prefixes.len()), Some(1));
    }
}
