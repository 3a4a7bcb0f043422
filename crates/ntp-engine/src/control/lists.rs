//! Lists for those who have a key: our addresses, and the restrictions.

use ntp_restrict::{RestrictEntry, RestrictFlags, Scope};

use super::listing::{Items, Listing};
use crate::{Engine, InterfaceDescription};

/// The flags of an address, as ntpq shows them in hexadecimal.
const UP: u16 = 0x01;
const LOOPBACK: u16 = 0x04;
const BROADCAST: u16 = 0x08;
const MULTICAST: u16 = 0x10;
const HEARS_BROADCAST: u16 = 0x20;

impl Engine {
    /// ntpq's `ifstats`: each of our addresses and what came and went there.
    pub(super) fn address_list(&self) -> Vec<u8> {
        let mut listing = Listing::default();
        let mut items = Items(&mut listing);
        let everyone = self.everyone();
        for (number, interface) in self.traffic.interfaces.iter().enumerate() {
            let known = &interface.description;
            let flags = interface_flags(known);
            let broadcast = known.broadcast.filter(|_| known.hears_broadcast);
            let broadcast = broadcast.map(|address| format!("{address}:{}", self.port));
            let peers = self
                .associations
                .iter()
                .filter(|association| association.local_address() == known.address.ip())
                .count();
            let age = self.now.monotonic.since(interface.since).as_secs();
            items.plain(&format!("addr.{number}"), known.address);
            items.plain(&format!("bcast.{number}"), broadcast.unwrap_or_default());
            items.plain(&format!("en.{number}"), 1);
            items.quoted(&format!("name.{number}"), &known.name);
            items.plain(&format!("flags.{number}"), format_args!("{flags:#x}"));
            items.plain(&format!("tl.{number}"), 0);
            items.plain(&format!("mc.{number}"), known.groups);
            let mut passed = interface.passed;
            passed.add(&everyone.passed(Some(known.address.ip())));
            items.plain(&format!("rx.{number}"), passed.received);
            items.plain(&format!("tx.{number}"), passed.sent);
            items.plain(&format!("txerr.{number}"), passed.failed);
            items.plain(&format!("pc.{number}"), peers);
            items.plain(&format!("up.{number}"), age);
        }
        listing.into_bytes()
    }

    /// ntpq's `reslist`: the restrictions, those of IPv4 first, in the order of precedence.
    pub(super) fn restriction_list(&self) -> Vec<u8> {
        let mut listing = Listing::default();
        let mut items = Items(&mut listing);
        let everyone = self.everyone();
        for (number, entry) in self.view.restrictions.entries().iter().enumerate() {
            items.plain(&format!("addr.{number}"), entry.target.address());
            items.plain(&format!("mask.{number}"), entry.target.mask());
            items.plain(&format!("hits.{number}"), everyone.hits_of(entry.target));
            items.plain(&format!("flags.{number}"), words(entry));
        }
        listing.into_bytes()
    }
}

/// What is so with an address of ours.
pub(crate) fn interface_flags(known: &InterfaceDescription) -> u16 {
    let has = |is: bool, flag: u16| if is { flag } else { 0 };
    UP | has(known.is_loopback, LOOPBACK)
        | has(known.broadcast.is_some(), BROADCAST)
        | has(known.is_multicast && !known.is_loopback, MULTICAST)
        | has(known.hears_broadcast, HEARS_BROADCAST)
}

/// All that is allowed and forbidden, in the reference's words and order.
fn words(entry: &RestrictEntry) -> String {
    use RestrictFlags as Flags;
    let has = |flag: RestrictFlags| entry.flags.contains(flag);
    let one = |flag, word: &'static str| Some(word).filter(|_| has(flag));
    let either = |flag, set, clear| Some(if has(flag) { set } else { clear });
    let scope = match entry.target.scope() {
        Scope::AnyPort => None,
        Scope::NtpPort => Some("ntpport"),
        Scope::OwnAddress => Some("ntpport interface"),
    };
    [
        scope,
        one(Flags::IGNORE, "ignore"),
        either(Flags::NO_SERVE, "noserve", "serve"),
        either(Flags::NO_TRUST, "notrust", "trust"),
        one(Flags::VERSION, "version"),
        either(Flags::NO_PEER, "nopeer", "peer"),
        either(Flags::NO_EPHEMERAL_PEER, "noepeer", "epeer"),
        one(Flags::LIMITED, "limited"),
        either(Flags::NO_QUERY, "noquery", "query"),
        one(Flags::NO_MODIFY, "nomodify"),
        either(Flags::NO_TRAP, "notrap", "trap"),
        one(Flags::LOW_PRIORITY_TRAP, "lptrap"),
        one(Flags::KISS_OF_DEATH, "kod"),
        one(Flags::MS_SNTP, "mssntp"),
        one(Flags::FLAKE, "flake"),
        one(Flags::NO_MRU_LIST, "nomrulist"),
        one(Flags::SERVER_RESPONSE_FUZZ, "serverresponse fuzz"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}
