//! Sockets at broadcast addresses and in groups.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
};

use mio::{Interest, Registry, Token};
use ntp_os::{Interface, NtpSocket, SocketOptions};

use super::{Choice, Open, Sockets};
use crate::log::Log;

/// One address that many listen at.
pub(super) struct ForMany {
    address: SocketAddr,
    /// Interfaces, by number and name, to join it on; none for a broadcast address.
    joined: Vec<(u32, String)>,
    name: String,
}

impl Choice {
    /// The addresses that many listen at, us among them.
    pub(super) fn many(&self, found: &[Interface], port: u16) -> Vec<ForMany> {
        let taken = || found.iter().filter(|interface| self.takes(interface));
        let mut many: Vec<ForMany> = Vec::new();
        for interface in taken().filter(|_| self.hearing.broadcasts) {
            let Some(broadcast) = broadcast_address(interface) else {
                continue;
            };
            let address = SocketAddr::new(broadcast.into(), port);
            if !many.iter().any(|one| one.address == address) {
                many.push(ForMany {
                    address,
                    joined: Vec::new(),
                    name: interface.name.clone(),
                });
            }
        }
        for group in &self.hearing.groups {
            let address = SocketAddr::new(*group, port);
            let fits = |interface: &&Interface| {
                interface.is_multicast && interface.address.is_ipv4() == group.is_ipv4()
            };
            let mut joined: Vec<(u32, String)> = taken()
                .filter(fits)
                .map(|interface| (interface.index, interface.name.clone()))
                .collect();
            joined.dedup();
            if let IpAddr::V6(link) = group
                && is_of_one_link(*link)
            {
                // Each link has a group of this name, and a socket is for one of them.
                many.extend(joined.into_iter().map(|(index, name)| ForMany {
                    address: SocketAddrV6::new(*link, port, 0, index).into(),
                    joined: vec![(index, name)],
                    name: "multicast".to_owned(),
                }));
                continue;
            }
            if !many.iter().any(|one| one.address == address) {
                many.push(ForMany {
                    address,
                    joined,
                    name: "multicast".to_owned(),
                });
            }
        }
        many
    }
}

/// Whether a group does not reach beyond a link (RFC 4291 section 2.7).
const fn is_of_one_link(group: Ipv6Addr) -> bool {
    matches!(group.segments()[0] & 0xf, 1 | 2)
}

/// That of the network of an interface, also where nobody has set one.
fn broadcast_address(interface: &Interface) -> Option<Ipv4Addr> {
    match (interface.address.ip(), interface.mask) {
        _ if interface.broadcast.is_some() => interface.broadcast,
        (IpAddr::V4(address), Some(IpAddr::V4(mask)))
            if !interface.is_loopback && mask < Ipv4Addr::new(255, 255, 255, 254) =>
        {
            Some(address | !mask)
        }
        _ => None,
    }
}

impl Sockets {
    /// Opens and closes what is needed to hear `wanted`; what can't be heard is said, once.
    pub(super) fn scan_many(&mut self, wanted: Vec<ForMany>, registry: &Registry, log: &mut Log) {
        self.many.retain_mut(|open| {
            let kept = wanted
                .iter()
                .any(|one| one.address == open.socket.local_address());
            if !kept {
                let _ = registry.deregister(&mut open.socket);
            }
            kept
        });
        for one in wanted {
            let open = self
                .many
                .iter()
                .any(|open| open.socket.local_address() == one.address);
            if !open {
                match self.open_many(&one, registry) {
                    Ok(number) => log.information(&format!(
                        "Listen for many on {number} {} {}",
                        one.name, one.address
                    )),
                    Err(error) => {
                        log.error(&error);
                        continue;
                    }
                }
            }
            self.join(&one, log);
        }
    }

    fn open_many(&mut self, one: &ForMany, registry: &Registry) -> Result<usize, String> {
        let options = SocketOptions {
            reuse_address: true,
            ..self.options.clone()
        };
        let mut socket =
            NtpSocket::bind(one.address, &options).map_err(|error| error.to_string())?;
        let token = Token(self.next_token);
        registry
            .register(&mut socket, token, Interest::READABLE)
            .map_err(|error| format!("{}: {error}", one.address))?;
        self.next_token += 1;
        self.many.push(Open {
            token,
            socket,
            siblings: Vec::new(),
            name: one.name.clone(),
            interface: 0,
        });
        Ok(token.0 - crate::token::FIRST_SOCKET)
    }

    fn join(&self, one: &ForMany, log: &mut Log) {
        let Some(open) = self
            .many
            .iter()
            .find(|open| open.socket.local_address() == one.address)
        else {
            return;
        };
        let group: IpAddr = one.address.ip();
        for (index, name) in &one.joined {
            match open.socket.join(group, *index) {
                Err(error) if error.kind() != ErrorKind::AddrInUse => {
                    log.warning(&format!("can't join {group} on {name}: {error}"));
                }
                _ => {}
            }
        }
    }
}
