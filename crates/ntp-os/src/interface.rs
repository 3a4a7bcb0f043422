//! The machine's own addresses.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags, sys::socket::SockaddrStorage};

/// One address of the machine, and the interface that has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// The name of the interface, such as `eth0`.
    pub name: String,
    /// The number of the interface; 0 if it has none.
    pub index: u32,
    /// The address. One of IPv6 that is local to the link has the interface's number as scope;
    /// the port is 0.
    pub address: SocketAddr,
    /// The network mask, where there is one.
    pub mask: Option<IpAddr>,
    /// The broadcast address, where there is one.
    pub broadcast: Option<Ipv4Addr>,
    /// Whether it is up.
    pub is_up: bool,
    /// Whether it leads nowhere but to this machine.
    pub is_loopback: bool,
    /// Whether it can send to many at once.
    pub is_multicast: bool,
    /// Of an IPv6 address: whether the kernel is still asking the network if anybody else has it
    /// (RFC 4862 section 5.4), or has found that somebody does. Nothing can be bound to it.
    pub is_tentative: bool,
}

/// Every address of every interface, IPv4 and IPv6, up or down.
///
/// # Errors
///
/// What the system says.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut interfaces = Vec::new();
    let tentative = tentative_addresses();
    for found in getifaddrs()? {
        let Some(address) = found.address.as_ref().and_then(to_address) else {
            continue;
        };
        let has = |flag| found.flags.contains(flag);
        let broadcast = match found.broadcast.as_ref().and_then(to_address) {
            Some(SocketAddr::V4(broadcast)) if has(InterfaceFlags::IFF_BROADCAST) => {
                Some(*broadcast.ip())
            }
            _ => None,
        };
        let index = nix::net::if_::if_nametoindex(found.interface_name.as_str()).unwrap_or(0);
        interfaces.push(Interface {
            index,
            address,
            mask: found
                .netmask
                .as_ref()
                .and_then(to_address)
                .map(|mask| mask.ip()),
            broadcast,
            is_up: has(InterfaceFlags::IFF_UP),
            is_loopback: has(InterfaceFlags::IFF_LOOPBACK),
            is_multicast: has(InterfaceFlags::IFF_MULTICAST),
            is_tentative: tentative.contains(&(address.ip(), index)),
            name: found.interface_name,
        });
    }
    Ok(interfaces)
}

/// The addresses that can't be bound to yet, with the numbers of their interfaces; none where the
/// system does not say.
fn tentative_addresses() -> Vec<(IpAddr, u32)> {
    let list = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    list.lines().filter_map(tentative_address).collect()
}

/// The address of a line of `/proc/net/if_inet6`, if it is tentative: address, number of the
/// interface, length of the prefix, scope and flags, all hexadecimal.
fn tentative_address(line: &str) -> Option<(IpAddr, u32)> {
    /// `IFA_F_TENTATIVE` and `IFA_F_DADFAILED`
    const NOT_YET: u32 = 0x40 | 0x08;
    /// `IFA_F_OPTIMISTIC`: it may be used meanwhile.
    const OPTIMISTIC: u32 = 0x04;
    let mut words = line.split_ascii_whitespace();
    let address = u128::from_str_radix(words.next()?, 16).ok()?;
    let index = u32::from_str_radix(words.next()?, 16).ok()?;
    let flags = u32::from_str_radix(words.nth(2)?, 16).ok()?;
    let waits = flags & NOT_YET != 0 && flags & OPTIMISTIC == 0;
    waits.then_some((Ipv6Addr::from_bits(address).into(), index))
}

/// `None` for other families than IPv4 and IPv6.
fn to_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(address) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4(SocketAddrV4::new(address.ip(), 0)));
    }
    let address = address.as_sockaddr_in6()?;
    let scope = if is_link_local(address.ip()) {
        address.scope_id()
    } else {
        0
    };
    Some(SocketAddr::V6(SocketAddrV6::new(address.ip(), 0, 0, scope)))
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tentative_addresses_are_known_by_their_flags() {
        let address = "fe80::3".parse::<IpAddr>().unwrap();
        let line = |flags| {
            tentative_address(&format!(
                "fe800000000000000000000000000003 0b 40 20 {flags}     eth0"
            ))
        };
        assert_eq!(line("40"), Some((address, 11)));
        assert_eq!(line("c8"), Some((address, 11)));
        assert_eq!(line("80"), None);
        assert_eq!(line("44"), None);
        assert_eq!(tentative_address("nonsense 1 2 3 4"), None);
        assert_eq!(tentative_address(""), None);
    }

    #[test]
    fn the_loopback_interface_is_there() {
        let found = interfaces().unwrap();
        let loopback = found
            .iter()
            .find(|interface| interface.address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST))
            .unwrap();
        assert!(loopback.is_loopback && loopback.is_up && loopback.index > 0);
        assert_eq!(loopback.mask, Some(IpAddr::V4(Ipv4Addr::new(255, 0, 0, 0))));
        assert_eq!(loopback.broadcast, None);
        assert!(found.iter().all(|interface| !interface.name.is_empty()));
    }
}
