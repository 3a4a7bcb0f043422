use super::*;
use crate::{Scope, SourceTemplate};
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

fn target(address: &str, mask: &str) -> RestrictTarget {
    RestrictTarget::with_mask(address.parse().unwrap(), mask.parse().unwrap()).unwrap()
}

fn flags(list: &RestrictList, source: &str) -> RestrictFlags {
    list.lookup(source.parse().unwrap()).flags
}

#[test]
fn at_first_nothing_is_forbidden() {
    let list = RestrictRules::new().build();
    assert_eq!(flags(&list, "192.0.2.1:123"), RestrictFlags::NONE);
    assert_eq!(flags(&list, "[2001:db8::1]:123"), RestrictFlags::NONE);
    assert_eq!(flags(&list, "224.0.1.1:123"), RestrictFlags::IGNORE);
    assert_eq!(flags(&list, "[ff02::101]:123"), RestrictFlags::IGNORE);
}

#[test]
fn the_most_specific_entry_counts() {
    let mut rules = RestrictRules::new();
    rules.restrict(RestrictTarget::DEFAULT_IPV4, RestrictFlags::IGNORE);
    rules.restrict(target("10.0.0.0", "255.0.0.0"), RestrictFlags::NO_QUERY);
    rules.restrict(target("10.1.0.0", "255.255.0.0"), RestrictFlags::NO_MODIFY);
    rules.restrict(target("10.1.2.3", "255.255.255.255"), RestrictFlags::NONE);
    rules.restrict(
        target("10.1.0.0", "255.255.0.0").scoped(Scope::NtpPort),
        RestrictFlags::NO_PEER,
    );
    let list = rules.build();
    assert_eq!(flags(&list, "9.255.255.255:1"), RestrictFlags::IGNORE);
    assert_eq!(flags(&list, "10.0.0.0:1"), RestrictFlags::NO_QUERY);
    assert_eq!(flags(&list, "[::ffff:10.0.0.0]:1"), RestrictFlags::NO_QUERY);
    assert_eq!(flags(&list, "10.1.0.0:1"), RestrictFlags::NO_MODIFY);
    assert_eq!(flags(&list, "10.1.2.2:123"), RestrictFlags::NO_PEER);
    assert_eq!(flags(&list, "10.1.2.3:123"), RestrictFlags::NONE);
    assert_eq!(flags(&list, "10.1.2.4:1"), RestrictFlags::NO_MODIFY);
    assert_eq!(flags(&list, "10.2.0.0:123"), RestrictFlags::NO_QUERY);
    assert_eq!(flags(&list, "11.0.0.0:1"), RestrictFlags::IGNORE);
    assert_eq!(flags(&list, "[::1]:1"), RestrictFlags::NONE);
    let found = list.lookup("10.1.2.4:1".parse().unwrap()).entry.unwrap();
    assert_eq!(
        list.entries()[found].target,
        target("10.1.9.9", "255.255.0.0")
    );
}

/// Among masks with gaps the order is that of addresses, as in ntpd 4.2.8, not of specificity.
#[test]
fn masks_may_have_gaps() {
    let mut rules = RestrictRules::new();
    rules.restrict(target("10.0.0.0", "255.0.0.0"), RestrictFlags::NO_QUERY);
    rules.restrict(target("0.0.0.7", "0.0.0.255"), RestrictFlags::NO_PEER);
    rules.restrict(target("11.0.0.7", "255.0.0.255"), RestrictFlags::VERSION);
    let list = rules.build();
    assert_eq!(flags(&list, "10.0.0.7:1"), RestrictFlags::NO_QUERY);
    assert_eq!(flags(&list, "11.5.5.7:1"), RestrictFlags::VERSION);
    assert_eq!(flags(&list, "12.0.0.7:1"), RestrictFlags::NO_PEER);
    assert_eq!(flags(&list, "12.0.0.8:1"), RestrictFlags::NONE);
}

#[test]
fn lines_add_up_and_can_be_taken_back() {
    let mut rules = RestrictRules::new();
    let net = target("10.0.0.0", "255.0.0.0");
    rules.restrict(net, RestrictFlags::NO_QUERY);
    rules.restrict(net, RestrictFlags::NO_PEER);
    assert!(rules.unrestrict(&net, RestrictFlags::NO_QUERY | RestrictFlags::FLAKE));
    assert_eq!(flags(&rules.build(), "10.0.0.1:1"), RestrictFlags::NO_PEER);
    assert!(!rules.unrestrict(&target("10.0.0.0", "255.128.0.0"), RestrictFlags::ALL));
    assert!(rules.remove(&net));
    assert!(!rules.remove(&net));
    assert!(!rules.remove(&RestrictTarget::DEFAULT_IPV4));
    assert_eq!(flags(&rules.build(), "10.0.0.1:1"), RestrictFlags::NONE);
}

#[test]
fn packets_from_our_own_port_are_ignored() {
    let mut rules = RestrictRules::new();
    let own: IpAddr = "127.0.0.1".parse().unwrap();
    rules.add_own_address(own);
    rules.restrict(RestrictTarget::host(own), RestrictFlags::NONE);
    let list = rules.build();
    assert_eq!(flags(&list, "127.0.0.1:123"), RestrictFlags::IGNORE);
    assert_eq!(flags(&list, "127.0.0.1:1024"), RestrictFlags::NONE);
    assert!(!rules.remove(&RestrictTarget::host(own).scoped(Scope::OwnAddress)));
    rules.remove_own_address(own);
    assert_eq!(flags(&rules.build(), "127.0.0.1:123"), RestrictFlags::NONE);
}

#[test]
fn servers_get_what_restrict_source_says() {
    let mut rules = RestrictRules::new();
    rules.restrict(RestrictTarget::DEFAULT_IPV4, RestrictFlags::IGNORE);
    let server: IpAddr = "192.0.2.1".parse().unwrap();
    assert_eq!(rules.add_source(server), None);
    rules.set_source_template(Some(SourceTemplate {
        scope: Scope::AnyPort,
        flags: RestrictFlags::NO_QUERY,
    }));
    let made = rules.add_source(server).unwrap();
    assert_eq!(
        flags(&rules.build(), "192.0.2.1:123"),
        RestrictFlags::NO_QUERY
    );
    assert_eq!(rules.add_source(server), None, "named already");
    assert_eq!(rules.add_source("127.127.1.0".parse().unwrap()), None);
    assert!(rules.remove(&made));
    assert_eq!(
        flags(&rules.build(), "192.0.2.1:123"),
        RestrictFlags::IGNORE
    );
}

#[test]
fn prefixes_of_all_lengths() {
    for length in 0..=32 {
        let target = RestrictTarget::with_prefix(Ipv4Addr::BROADCAST.into(), length).unwrap();
        assert_eq!(target.prefix_length(), Some(length));
    }
    for length in 0..=128 {
        let address = Ipv6Addr::from_bits(u128::MAX).into();
        let target = RestrictTarget::with_prefix(address, length).unwrap();
        assert_eq!(target.prefix_length(), Some(length));
    }
    assert!(RestrictTarget::with_prefix(Ipv4Addr::BROADCAST.into(), 33).is_err());
    assert!(RestrictTarget::with_prefix(Ipv6Addr::LOCALHOST.into(), 129).is_err());
    let mixed = RestrictTarget::with_mask(Ipv6Addr::LOCALHOST.into(), Ipv4Addr::BROADCAST.into());
    assert!(mixed.is_err());
}

/// What ntpd does: the first that fits, going down from the highest address, mask and scope.
fn model(rules: &RestrictRules, source: SocketAddr) -> Option<(RestrictTarget, RestrictFlags)> {
    rules
        .entries()
        .filter(
            |(target, _)| match (target.address(), target.mask(), source.ip()) {
                (IpAddr::V4(address), IpAddr::V4(mask), IpAddr::V4(from)) => from & mask == address,
                (IpAddr::V6(address), IpAddr::V6(mask), IpAddr::V6(from)) => from & mask == address,
                _ => false,
            },
        )
        .filter(|(target, _)| target.scope() == Scope::AnyPort || source.port() == 123)
        .max_by_key(|(target, _)| (target.address(), target.mask(), target.scope()))
        .map(|(target, flags)| (*target, flags))
}

fn scopes() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::AnyPort),
        Just(Scope::NtpPort),
        Just(Scope::OwnAddress)
    ]
}

/// Few different bits, so that blocks nest and touch; now and then at the very end.
fn bits4() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..16_u32,
        (0..16_u32).prop_map(|n| n << 28),
        Just(u32::MAX),
        Just(0x7fff_ffff)
    ]
}

fn targets() -> impl Strategy<Value = RestrictTarget> {
    let mask = prop_oneof![
        4 => (0..=32_u32).prop_map(|n| u32::MAX.checked_shl(32 - n).unwrap_or(0)),
        1 => any::<u32>(),
    ];
    (bits4(), mask, any::<bool>(), scopes()).prop_map(|(address, mask, ipv6, scope)| {
        let (address, mask): (IpAddr, IpAddr) = if ipv6 {
            let wide = |bits: u32| Ipv6Addr::from_bits(u128::from(bits) << 96);
            (wide(address).into(), wide(mask).into())
        } else {
            let narrow = Ipv4Addr::from_bits;
            (narrow(address).into(), narrow(mask).into())
        };
        RestrictTarget::with_mask(address, mask)
            .unwrap()
            .scoped(scope)
    })
}

proptest! {
    #[test]
    fn lookup_finds_what_ntpd_finds(
        lines in proptest::collection::vec((targets(), any::<u16>()), 0..40),
        sources in proptest::collection::vec((bits4(), any::<bool>(), any::<bool>()), 1..40),
    ) {
        let mut rules = RestrictRules::new();
        for (target, flags) in lines {
            rules.restrict(target, RestrictFlags::from_bits(flags));
        }
        let list = rules.build();
        for (bits, ipv6, ntp_port) in sources {
            let ip = if ipv6 {
                Ipv6Addr::from_bits(u128::from(bits) << 96).into()
            } else {
                IpAddr::from(Ipv4Addr::from_bits(bits))
            };
            let source = SocketAddr::new(ip, if ntp_port { 123 } else { 124 });
            if ip.is_multicast() || ip != ip.to_canonical() {
                continue;
            }
            let found = list.lookup(source);
            let entry = list.entries()[found.entry.unwrap()];
            prop_assert_eq!(Some((entry.target, entry.flags)), model(&rules, source));
            prop_assert_eq!(found.flags, entry.flags);
        }
    }
}
