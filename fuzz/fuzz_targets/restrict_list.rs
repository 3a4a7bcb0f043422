//! Any rules and any source: the look-up finds what going through all entries in order finds.
#![no_main]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ntp_restrict::{RestrictFlags, RestrictRules, RestrictTarget, Scope};

#[derive(Arbitrary, Debug)]
enum Change {
    Prefix(Address, u8, ScopeOf, u16),
    Mask(Address, u128, ScopeOf, u16),
    Unrestrict(usize, u16),
    Remove(usize),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Address {
    V4(u32),
    V6(u128),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum ScopeOf {
    AnyPort,
    NtpPort,
    OwnAddress,
}

impl Address {
    fn ip(self) -> IpAddr {
        match self {
            Self::V4(bits) => Ipv4Addr::from_bits(bits).into(),
            Self::V6(bits) => Ipv6Addr::from_bits(bits).into(),
        }
    }

    fn mask(self, bits: u128) -> IpAddr {
        match self {
            Self::V4(_) => Ipv4Addr::from_bits(bits as u32).into(),
            Self::V6(_) => Ipv6Addr::from_bits(bits).into(),
        }
    }
}

impl ScopeOf {
    fn scope(self) -> Scope {
        match self {
            Self::AnyPort => Scope::AnyPort,
            Self::NtpPort => Scope::NtpPort,
            Self::OwnAddress => Scope::OwnAddress,
        }
    }
}

fn fits(target: &RestrictTarget, source: SocketAddr) -> bool {
    let inside = match (target.address(), target.mask(), source.ip()) {
        (IpAddr::V4(address), IpAddr::V4(mask), IpAddr::V4(from)) => from & mask == address,
        (IpAddr::V6(address), IpAddr::V6(mask), IpAddr::V6(from)) => from & mask == address,
        _ => false,
    };
    inside && (target.scope() == Scope::AnyPort || source.port() == 123)
}

fuzz_target!(|input: (Vec<Change>, Vec<(Address, bool)>)| {
    let (changes, sources) = input;
    let mut rules = RestrictRules::new();
    for change in changes {
        let nth = |place: usize| {
            let count = rules.entries().count();
            rules
                .entries()
                .nth(place % count)
                .map(|(target, _)| *target)
        };
        match change {
            Change::Prefix(address, length, scope, flags) => {
                if let Ok(target) = RestrictTarget::with_prefix(address.ip(), length) {
                    rules.restrict(
                        target.scoped(scope.scope()),
                        RestrictFlags::from_bits(flags),
                    );
                }
            }
            Change::Mask(address, mask, scope, flags) => {
                if let Ok(target) = RestrictTarget::with_mask(address.ip(), address.mask(mask)) {
                    rules.restrict(
                        target.scoped(scope.scope()),
                        RestrictFlags::from_bits(flags),
                    );
                }
            }
            Change::Unrestrict(place, flags) => {
                if let Some(target) = nth(place) {
                    rules.unrestrict(&target, RestrictFlags::from_bits(flags));
                }
            }
            Change::Remove(place) => {
                if let Some(target) = nth(place) {
                    rules.remove(&target);
                }
            }
        }
    }
    let list = rules.build();
    let ends = list
        .entries()
        .iter()
        .map(|entry| (entry.target.address(), false));
    let sources = sources.iter().map(|(address, port)| (address.ip(), *port));
    for (address, ntp_port) in sources.chain(ends) {
        let address = address.to_canonical();
        let source = SocketAddr::new(address, if ntp_port { 123 } else { 124 });
        let found = list.lookup(source);
        if address.is_multicast() {
            assert_eq!(found.flags, RestrictFlags::IGNORE);
            continue;
        }
        let expected = list
            .entries()
            .iter()
            .position(|entry| fits(&entry.target, source));
        assert_eq!(found.entry, expected);
        assert_eq!(
            Some(found.flags),
            expected.map(|place| list.entries()[place].flags)
        );
    }
});
