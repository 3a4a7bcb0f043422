//! One socket for each of our addresses.

mod choice;
mod many;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use mio::{Interest, Registry, Token};
use ntp_engine::InterfaceDescription;
use ntp_os::{BindError, Interface, NtpSocket, SocketOptions, interfaces};

pub(crate) use self::choice::{Choice, Hearing};
use crate::{log::Log, team::Team, token};

/// The addresses that packets come to and go from.
pub(crate) struct Sockets {
    port: u16,
    choice: Choice,
    /// How they are opened.
    options: SocketOptions,
    /// How many threads may want a socket of their own at each address.
    siblings: u16,
    open: Vec<Open>,
    /// Those that hear what is for many.
    many: Vec<Open>,
    /// What the last scan found.
    found: Vec<Interface>,
    /// Those that nobody reads: what comes there is dropped.
    dropping: Vec<NtpSocket>,
    /// There are addresses that will be usable in a moment.
    is_waiting: bool,
    next_token: usize,
    /// Addresses that were closed since somebody asked.
    closed: Vec<SocketAddr>,
}

struct Open {
    token: Token,
    socket: NtpSocket,
    /// For threads that are yet to come.
    siblings: Vec<NtpSocket>,
    name: String,
    /// The number of the interface; 0 of one at a group.
    interface: u32,
}

impl Sockets {
    /// `threads` other threads may want a socket of their own at each address: they are opened with
    /// the first, since somebody else may have the rights to do so later.
    pub(crate) fn new(port: u16, choice: Choice, options: SocketOptions, threads: u16) -> Self {
        Self {
            port,
            choice,
            options,
            siblings: threads,
            open: Vec::new(),
            many: Vec::new(),
            found: Vec::new(),
            dropping: Vec::new(),
            is_waiting: false,
            next_token: token::FIRST_SOCKET,
            closed: Vec::new(),
        }
    }

    /// Opens a socket for each address that has none, closes those whose address is gone.
    ///
    /// # Errors
    ///
    /// [`BindError`] if no socket at all could be opened: then that of the first address, or of
    /// an address that was asked for by name.
    pub(crate) fn scan(&mut self, registry: &Registry, log: &mut Log) -> Result<(), BindError> {
        let (mut addresses, dropped, many) = match interfaces() {
            Ok(found) => {
                self.is_waiting = found.iter().any(|one| one.is_tentative && one.is_up);
                let wanted = (
                    self.choice.addresses(&found, self.port),
                    self.choice.dropped(&found, self.port),
                    self.choice.many(&found, self.port),
                );
                self.found = found;
                wanted
            }
            Err(error) => {
                // What is open stays open.
                log.error(&format!("the network interfaces can't be listed: {error}"));
                return Ok(());
            }
        };
        addresses.dedup();
        let closed = &mut self.closed;
        self.open.retain_mut(|open| {
            let kept = addresses
                .iter()
                .any(|(address, ..)| *address == open.socket.local_address());
            if !kept {
                let _ = registry.deregister(&mut open.socket);
                closed.push(open.socket.local_address());
                log.information(&format!(
                    "Deleting interface {}, {}",
                    open.name,
                    open.socket.local_address()
                ));
            }
            kept
        });
        let mut problem = None;
        for (address, name, interface) in addresses {
            if self
                .open
                .iter()
                .any(|open| open.socket.local_address() == address)
            {
                continue;
            }
            match self.listen(address, &name, interface, registry) {
                Ok(number) => {
                    log.information(&format!("Listen normally on {number} {name} {address}"));
                    self.open_siblings(log);
                }
                Err(error) => {
                    log.error(&error.to_string());
                    problem.get_or_insert(error);
                }
            }
        }
        self.scan_dropping(&dropped, log);
        self.scan_many(many, registry, log);
        match problem {
            Some(error) if self.open.is_empty() => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether something else than before is to be heard from now on: scan again if so.
    pub(crate) fn hear(&mut self, hearing: Hearing) -> bool {
        std::mem::replace(&mut self.choice.hearing, hearing.clone()) != hearing
    }

    /// Whether an address will be usable in a moment: scan again.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Holds the ports where what comes is to be dropped, so that nobody else has them.
    fn scan_dropping(&mut self, wanted: &[(SocketAddr, String)], log: &mut Log) {
        self.dropping
            .retain(|socket| wanted.iter().any(|(at, _)| *at == socket.local_address()));
        for (address, name) in wanted {
            let is_open = |socket: &NtpSocket| socket.local_address() == *address;
            if self.dropping.iter().any(is_open) {
                continue;
            }
            let options = SocketOptions {
                receive_buffer: 0,
                ..SocketOptions::default()
            };
            match NtpSocket::bind(*address, &options) {
                Ok(socket) => {
                    self.dropping.push(socket);
                    log.information(&format!("Listen and drop on {name} {address}"));
                }
                Err(error) => log.error(&error.to_string()),
            }
        }
    }

    fn listen(
        &mut self,
        address: SocketAddr,
        name: &str,
        interface: u32,
        registry: &Registry,
    ) -> Result<usize, BindError> {
        let mut socket = NtpSocket::bind(address, &self.options)?;
        let token = Token(self.next_token);
        registry
            .register(&mut socket, token, Interest::READABLE)
            .map_err(|source| BindError { address, source })?;
        self.next_token += 1;
        self.open.push(Open {
            token,
            socket,
            siblings: Vec::new(),
            name: name.to_owned(),
            interface,
        });
        Ok(token.0 - token::FIRST_SOCKET)
    }

    /// Opens sockets for other threads beside the one that was opened last.
    fn open_siblings(&mut self, log: &mut Log) {
        let Some(open) = self.open.last_mut().filter(|_| self.siblings > 0) else {
            return;
        };
        let opened = open
            .socket
            .open_siblings(self.siblings.into(), &self.options);
        match opened {
            Ok(siblings) => open.siblings = siblings,
            Err(error) => log.information(&format!(
                "one thread answers at {}: {error}",
                open.socket.local_address()
            )),
        }
    }

    /// Gives each of the other threads its sockets, and the requests that come from now on.
    pub(crate) fn share(&mut self, team: &Team, log: &mut Log) {
        for open in self
            .open
            .iter_mut()
            .filter(|open| !open.siblings.is_empty())
        {
            let siblings = std::mem::take(&mut open.siblings);
            team.open(siblings);
            if let Err(error) = open.socket.share(self.siblings) {
                let address = open.socket.local_address();
                log.warning(&format!("one thread answers at {address}: {error}"));
            }
        }
        for address in self.closed.drain(..) {
            team.close(address);
        }
    }

    /// Whether there are sockets for other threads.
    pub(crate) fn can_be_shared(&self) -> bool {
        self.open.iter().any(|open| !open.siblings.is_empty())
    }

    /// There will be no other threads.
    pub(crate) fn keep_for_one(&mut self) {
        self.siblings = 0;
        for open in &mut self.open {
            open.siblings.clear();
        }
    }

    /// The addresses that are open, as ntpq shows them.
    pub(crate) fn describe(&self) -> Vec<InterfaceDescription> {
        let describe = |open: &Open| {
            let address = open.socket.local_address();
            let of_it = |interface: &&Interface| interface.address.ip() == address.ip();
            let found = self.found.iter().find(of_it);
            InterfaceDescription {
                name: open.name.clone(),
                address,
                broadcast: found.and_then(|interface| interface.broadcast),
                hears_broadcast: self.choice.hearing.broadcasts,
                is_loopback: address.ip().is_loopback(),
                is_multicast: found.is_some_and(|interface| interface.is_multicast),
                groups: self.choice.hearing.groups.len(),
            }
        };
        self.open.iter().map(describe).collect()
    }

    /// The addresses that are listened on, each with the number of its interface.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (u32, IpAddr)> {
        self.open
            .iter()
            .map(|open| (open.interface, open.socket.local_address().ip()))
    }

    /// The socket that became readable.
    pub(crate) fn by_token(&self, token: Token) -> Option<&NtpSocket> {
        self.open
            .iter()
            .chain(&self.many)
            .find(|open| open.token == token)
            .map(|open| &open.socket)
    }

    /// Whether what comes to this socket was sent to many.
    pub(crate) fn is_for_many(&self, token: Token) -> bool {
        self.many.iter().any(|open| open.token == token)
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Wants to be told of the next datagram, after all of this socket's were taken.
    ///
    /// epoll does so by itself. mio's other back end, `poll(2)`, must be told.
    pub(crate) fn rearm(&mut self, token: Token, registry: &Registry) -> io::Result<()> {
        if cfg!(mio_unsupported_force_poll_poll)
            && let Some(open) = self
                .open
                .iter_mut()
                .chain(&mut self.many)
                .find(|open| open.token == token)
        {
            registry.reregister(&mut open.socket, token, Interest::READABLE)?;
        }
        Ok(())
    }

    /// Sends from the socket that is bound to `local`, or from any that can; if that notes when it
    /// leaves, as `stamped` wants, which one it is.
    pub(crate) fn send(
        &self,
        local: IpAddr,
        remote: SocketAddr,
        stamped: bool,
        data: &[u8],
    ) -> io::Result<Option<Token>> {
        let exact = self
            .open
            .iter()
            .find(|open| open.socket.local_address().ip() == local);
        let socket = exact
            .or_else(|| {
                self.open
                    .iter()
                    .find(|open| open.socket.local_address().is_ipv4() == remote.is_ipv4())
            })
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        if stamped {
            let is_noted = socket.socket.send_stamped(data, remote)?;
            return Ok(is_noted.then_some(socket.token));
        }
        socket.socket.send_to(data, remote, None)?;
        Ok(None)
    }

    /// Sends to a broadcast address or a group, from the socket that is bound to `local`.
    pub(crate) fn send_to_many(
        &self,
        local: IpAddr,
        remote: SocketAddr,
        hops: u8,
        data: &[u8],
    ) -> io::Result<()> {
        let open = self
            .open
            .iter()
            .find(|open| open.socket.local_address().ip() == local)
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        open.socket.send_to_many(data, remote, open.interface, hops)
    }

    /// Our address on the way to `remote`: the one that the kernel would take if we listen on it,
    /// else the first of ours that could be meant.
    pub(crate) fn local_for(&self, remote: SocketAddr) -> Option<IpAddr> {
        let ours = |address: &IpAddr| {
            self.open
                .iter()
                .any(|open| open.socket.local_address().ip() == *address)
        };
        if let Some(local) = route(remote).filter(ours) {
            return Some(local);
        }
        let mut candidates = self
            .open
            .iter()
            .map(|open| open.socket.local_address().ip())
            .filter(|local| local.is_ipv4() == remote.is_ipv4());
        if is_for_many(remote.ip()) {
            // Nobody listens on loopback.
            return candidates
                .clone()
                .find(|local| !local.is_loopback())
                .or_else(|| candidates.next());
        }
        let near = candidates
            .clone()
            .find(|local| local.is_loopback() == remote.ip().is_loopback());
        near.or_else(|| candidates.next())
    }
}

fn is_for_many(address: IpAddr) -> bool {
    address.is_multicast() || address == IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// The address that the kernel would send from.
fn route(remote: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if remote.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    // Connecting a datagram socket sends nothing.
    let socket = UdpSocket::bind((any, 0)).ok()?;
    // Without it the kernel shows no way to a broadcast address.
    let _ = socket.set_broadcast(true);
    socket.connect(remote).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use mio::Poll;
    use nix::sys::socket::{getsockopt, sockopt};

    use super::*;

    #[test]
    fn what_is_sent_has_the_class_that_was_asked_for() {
        let poll = Poll::new().unwrap();
        for dscp in [0, 10, 46] {
            let options = SocketOptions {
                dscp,
                ..SocketOptions::default()
            };
            let mut sockets = Sockets::new(0, Choice::default(), options, 0);
            let loopback = (Ipv4Addr::LOCALHOST, 0).into();
            sockets.listen(loopback, "lo", 0, poll.registry()).unwrap();
            let class = getsockopt(&sockets.open[0].socket, sockopt::Ipv4Tos).unwrap();
            assert_eq!(class, i32::from(dscp) << 2);
        }
    }
}
