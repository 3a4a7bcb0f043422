//! How much anybody is answered who has not proven that he is where he says.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use ntp_wire::Monotonic;

type Elapsed = core::time::Duration;

/// A budget of datagrams for each address: 4000 at once, and 200 a second.
///
/// A person or a program that watches us stays far below; of one whose address somebody else puts on
/// his requests we are no more of a burden than a hundred kilobytes a second.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// When an address has all of its budget again, of those that have not.
    whole_at: BTreeMap<IpAddr, Monotonic>,
    /// The same for all others together, where there are more than are kept.
    others: Monotonic,
    purged: Option<Monotonic>,
}

impl Budget {
    /// In which time the budget of one datagram comes back.
    const EACH: Elapsed = Elapsed::from_millis(5);
    /// In which time all of it does.
    const WHOLE: Elapsed = Elapsed::from_secs(20);
    /// Addresses that are kept at most.
    const MOST: usize = 4096;
    /// How often those are looked for that need not be kept any more.
    const PURGE: Elapsed = Elapsed::from_secs(1);

    /// Whether anything is left for that address. A host is no burden to itself.
    pub(crate) fn allows(&mut self, address: IpAddr, now: Monotonic) -> bool {
        address.is_loopback() || self.place(address, now).since(now) < Self::WHOLE
    }

    /// So many datagrams went to that address, be it that they are more than was left.
    pub(crate) fn charge(&mut self, address: IpAddr, datagrams: usize, now: Monotonic) {
        let datagrams = u32::try_from(datagrams).unwrap_or(u32::MAX);
        if datagrams == 0 || address.is_loopback() {
            return;
        }
        let place = self.place(address, now);
        *place = (*place).max(now) + Self::EACH.saturating_mul(datagrams);
    }

    fn place(&mut self, address: IpAddr, now: Monotonic) -> &mut Monotonic {
        let key = network(address);
        let is_full = self.whole_at.len() >= Self::MOST && !self.whole_at.contains_key(&key);
        if is_full {
            if self.purged.is_none_or(|at| now.since(at) >= Self::PURGE) {
                self.purged = Some(now);
                self.whole_at.retain(|_, whole_at| *whole_at > now);
            }
            if self.whole_at.len() >= Self::MOST {
                return &mut self.others;
            }
        }
        self.whole_at.entry(key).or_insert(now)
    }
}

/// Whoever has one address of a network of IPv6 has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    /// How many single datagrams are allowed at once.
    fn allowed(budget: &mut Budget, from: IpAddr, now: Monotonic) -> usize {
        let mut count = 0;
        while count < 10_000 && budget.allows(from, now) {
            budget.charge(from, 1, now);
            count += 1;
        }
        count
    }

    #[test]
    fn a_budget_is_spent_and_comes_back() {
        let mut budget = Budget::default();
        let start = Monotonic::START + Elapsed::from_secs(1);
        assert_eq!(allowed(&mut budget, address(1), start), 4000);
        assert!(budget.allows(address(2), start));
        let later = start + Elapsed::from_secs(2);
        assert_eq!(allowed(&mut budget, address(1), later), 400);
        let much_later = later + Elapsed::from_secs(3600);
        assert_eq!(allowed(&mut budget, address(1), much_later), 4000);
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let mut budget = Budget::default();
        let one = "2001:db8::1".parse().unwrap();
        assert_eq!(allowed(&mut budget, one, Monotonic::START), 4000);
        let other = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(!budget.allows(other("2001:db8::ffff:2"), Monotonic::START));
        assert!(budget.allows(other("2001:db8:0:1::1"), Monotonic::START));
        // One of IPv4 is itself, however it is written.
        assert_eq!(network(other("::ffff:10.0.0.1")), other("10.0.0.1"));
    }

    #[test]
    fn those_who_are_too_many_share() {
        let mut budget = Budget::default();
        let start = Monotonic::START + Elapsed::from_secs(1);
        for number in 0..100_000 {
            if budget.allows(address(number), start) {
                budget.charge(address(number), 1, start);
            }
        }
        assert_eq!(budget.whole_at.len(), Budget::MOST);
        assert!(!budget.allows(address(1 << 30), start));
        // Who was there before has a budget of his own still, ...
        assert!(budget.allows(address(1), start));
        // ... and a while later there is room again.
        let later = start + Budget::PURGE;
        assert_eq!(allowed(&mut budget, address(1 << 30), later), 4000);
        assert!(budget.whole_at.len() < 10);
    }

    proptest! {
        #[test]
        fn nobody_gets_more(asked in prop::collection::vec((0u64..2000, 1usize..141), 1..200)) {
            let mut budget = Budget::default();
            let (mut now, mut sent) = (Monotonic::START, 0);
            for (wait, datagrams) in asked {
                now += Elapsed::from_millis(wait);
                if budget.allows(address(1), now) {
                    budget.charge(address(1), datagrams, now);
                    sent += datagrams;
                }
            }
            let most = 4000 + now.since(Monotonic::START).as_millis() / 5 + 140;
            prop_assert!(sent as u128 <= most);
        }
    }
}
