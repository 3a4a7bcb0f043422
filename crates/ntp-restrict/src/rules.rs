//! The `restrict` lines, as they are given and changed.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use thiserror::Error;

use crate::{RestrictFlags, RestrictList};

/// Whom an entry is for. Two entries are the same if these are equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RestrictTarget {
    /// The address, with nothing set outside of the mask.
    address: IpAddr,
    mask: IpAddr,
    scope: Scope,
}

/// To which packets of an address an entry applies. The order is that of precedence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Scope {
    /// All of them.
    #[default]
    AnyPort,
    /// `ntpport`: those whose source port is 123.
    NtpPort,
    /// Those with source port 123, in an entry that the daemon made for an address of its own, so
    /// that it never talks to itself. It cannot be removed by name.
    OwnAddress,
}

impl Scope {
    /// Whether a packet from `port` is meant.
    pub const fn applies_to(self, port: u16) -> bool {
        match self {
            Self::AnyPort => true,
            Self::NtpPort | Self::OwnAddress => port == NTP_PORT,
        }
    }
}

/// The port of NTP.
pub(crate) const NTP_PORT: u16 = 123;

/// Why address and mask make no target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RestrictTargetError {
    /// An IPv4 address with an IPv6 mask or the other way round.
    #[error(
        "the address {address} and the mask {mask} are of different families: use two of the same"
    )]
    MixedFamilies {
        /// The address.
        address: IpAddr,
        /// The mask.
        mask: IpAddr,
    },
    /// More bits than the address has.
    #[error("{address} has no {length} leading bits: use up to 32 for IPv4, up to 128 for IPv6")]
    PrefixTooLong {
        /// The address.
        address: IpAddr,
        /// The number of bits.
        length: u8,
    },
}

impl RestrictTarget {
    /// `restrict -4 default`.
    pub const DEFAULT_IPV4: Self = Self {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        mask: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        scope: Scope::AnyPort,
    };
    /// `restrict -6 default`.
    pub const DEFAULT_IPV6: Self = Self {
        address: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        mask: IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        scope: Scope::AnyPort,
    };

    /// One host.
    pub const fn host(address: IpAddr) -> Self {
        let mask = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::BROADCAST),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)),
        };
        Self {
            address,
            mask,
            scope: Scope::AnyPort,
        }
    }

    /// All addresses that agree with `address` in the bits of `mask`, which may have gaps. Bits of
    /// the address outside of the mask are cleared.
    ///
    /// # Errors
    ///
    /// [`RestrictTargetError::MixedFamilies`].
    pub fn with_mask(address: IpAddr, mask: IpAddr) -> Result<Self, RestrictTargetError> {
        let address = match (address, mask) {
            (IpAddr::V4(address), IpAddr::V4(mask)) => IpAddr::V4(address & mask),
            (IpAddr::V6(address), IpAddr::V6(mask)) => IpAddr::V6(address & mask),
            _ => return Err(RestrictTargetError::MixedFamilies { address, mask }),
        };
        Ok(Self {
            address,
            mask,
            scope: Scope::AnyPort,
        })
    }

    /// All addresses that agree with `address` in the first `length` bits.
    ///
    /// # Errors
    ///
    /// [`RestrictTargetError::PrefixTooLong`].
    pub fn with_prefix(address: IpAddr, length: u8) -> Result<Self, RestrictTargetError> {
        let too_long = RestrictTargetError::PrefixTooLong { address, length };
        let mask = match address {
            IpAddr::V4(_) => {
                let unset = 32_u32.checked_sub(u32::from(length)).ok_or(too_long)?;
                IpAddr::V4(Ipv4Addr::from_bits(
                    u32::MAX.checked_shl(unset).unwrap_or_default(),
                ))
            }
            IpAddr::V6(_) => {
                let unset = 128_u32.checked_sub(u32::from(length)).ok_or(too_long)?;
                IpAddr::V6(Ipv6Addr::from_bits(
                    u128::MAX.checked_shl(unset).unwrap_or_default(),
                ))
            }
        };
        Self::with_mask(address, mask)
    }

    /// The same for packets of `scope` only.
    #[must_use]
    pub const fn scoped(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// The address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// The mask.
    pub const fn mask(&self) -> IpAddr {
        self.mask
    }

    /// The number of leading bits that count, `None` if the mask has gaps.
    pub const fn prefix_length(&self) -> Option<u8> {
        let (leading, ones) = match self.mask {
            IpAddr::V4(mask) => (mask.to_bits().leading_ones(), mask.to_bits().count_ones()),
            IpAddr::V6(mask) => (mask.to_bits().leading_ones(), mask.to_bits().count_ones()),
        };
        if leading == ones {
            Some(leading as u8)
        } else {
            None
        }
    }

    /// To which packets it applies.
    pub const fn scope(&self) -> Scope {
        self.scope
    }
}

/// The rules as configuration and control messages change them; [`build`](Self::build) makes the
/// list that packets are looked up in.
///
/// There is always an entry for all of IPv4 and one for all of IPv6, which at first forbid
/// nothing. They can be changed but not removed.
#[derive(Clone, Debug)]
pub struct RestrictRules {
    entries: BTreeMap<RestrictTarget, RestrictFlags>,
    source: Option<SourceTemplate>,
}

/// What `restrict source` says: the entry that every server of ours gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SourceTemplate {
    /// To which packets of the server it applies.
    pub scope: Scope,
    /// What is forbidden to the server.
    pub flags: RestrictFlags,
}

impl Default for RestrictRules {
    fn default() -> Self {
        Self::new()
    }
}

impl RestrictRules {
    /// The two default entries, which forbid nothing.
    pub fn new() -> Self {
        Self {
            entries: BTreeMap::from([
                (RestrictTarget::DEFAULT_IPV4, RestrictFlags::NONE),
                (RestrictTarget::DEFAULT_IPV6, RestrictFlags::NONE),
            ]),
            source: None,
        }
    }

    /// `restrict`: forbids `flags` to `target`, beside what an earlier line for the same target
    /// forbids.
    pub fn restrict(&mut self, target: RestrictTarget, flags: RestrictFlags) {
        *self.entries.entry(target).or_default() |= flags;
    }

    /// `unrestrict` of ntpdc, and `epeer` of ntp.conf: takes `flags` back. Returns whether there
    /// is such an entry.
    pub fn unrestrict(&mut self, target: &RestrictTarget, flags: RestrictFlags) -> bool {
        match self.entries.get_mut(target) {
            Some(present) => {
                *present = *present - flags;
                true
            }
            None => false,
        }
    }

    /// `delrestrict` of ntpdc: removes an entry. Default entries and those for addresses of our
    /// own stay. Returns whether one was removed.
    pub fn remove(&mut self, target: &RestrictTarget) -> bool {
        let fixed = [RestrictTarget::DEFAULT_IPV4, RestrictTarget::DEFAULT_IPV6].contains(target)
            || target.scope == Scope::OwnAddress;
        !fixed && self.entries.remove(target).is_some()
    }

    /// An interface came up with `address`: packets from its port 123 are ours and are ignored.
    pub fn add_own_address(&mut self, address: IpAddr) {
        self.restrict(
            RestrictTarget::host(address).scoped(Scope::OwnAddress),
            RestrictFlags::IGNORE,
        );
    }

    /// The interface with `address` is gone.
    pub fn remove_own_address(&mut self, address: IpAddr) {
        self.entries
            .remove(&RestrictTarget::host(address).scoped(Scope::OwnAddress));
    }

    /// `restrict source`: what every server of ours gets from now on.
    pub fn set_source_template(&mut self, template: Option<SourceTemplate>) {
        self.source = template;
    }

    /// What `restrict source` said.
    pub const fn source_template(&self) -> Option<SourceTemplate> {
        self.source
    }

    /// An association with `server` begins: it gets the entry that `restrict source` asks for,
    /// unless a line names it already. Returns the entry's target if one was made; hand it to
    /// [`remove`](Self::remove) when the association ends.
    pub fn add_source(&mut self, server: IpAddr) -> Option<RestrictTarget> {
        let template = self.source?;
        if server.is_multicast() || server.is_unspecified() || is_reference_clock(server) {
            return None;
        }
        let host = RestrictTarget::host(server);
        if self.entries.contains_key(&host)
            || self.entries.contains_key(&host.scoped(Scope::NtpPort))
        {
            return None;
        }
        let target = host.scoped(template.scope);
        self.entries.insert(target, template.flags);
        Some(target)
    }

    /// The entries, in ascending order of address, mask and scope.
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = (&RestrictTarget, RestrictFlags)> {
        self.entries.iter().map(|(target, flags)| (target, *flags))
    }

    /// The list to look packets up in.
    pub fn build(&self) -> RestrictList {
        RestrictList::new(self)
    }
}

fn is_reference_clock(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.octets()[..2] == [127, 127])
}
