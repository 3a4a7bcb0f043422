//! One connection of a client that wants NTS keys.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr},
    time::Instant,
};

use mio::{
    Token,
    net::{TcpListener, TcpStream},
};
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, sockopt,
};
use ntp_nts::{CookieKeys, ServerExchange, ServerIdentity};
use rand::Rng;

/// So many octets are read at a time, and so often before others have their turn.
const ROOM: usize = 4096;
const TURNS: usize = 8;

/// One connection.
pub(super) struct Client {
    stream: TcpStream,
    from: IpAddr,
    pub(super) token: Token,
    exchange: ServerExchange,
    /// What is still to be sent.
    outbox: Vec<u8>,
    /// Nothing more is read but the end.
    is_over: bool,
    /// Whether it got keys, until somebody asked.
    outcome: Option<bool>,
    pub(super) deadline: Instant,
}

impl Client {
    /// `None` if TLS can't begin, which it always can.
    pub(super) fn new(
        stream: TcpStream,
        from: IpAddr,
        token: Token,
        identity: &ServerIdentity,
        deadline: Instant,
    ) -> Option<Self> {
        Some(Self {
            stream,
            from,
            token,
            exchange: ServerExchange::new(identity).ok()?,
            outbox: Vec::new(),
            is_over: false,
            outcome: None,
            deadline,
        })
    }

    /// Whether it is from the same place as `other`: the same address, or network of IPv6.
    pub(super) fn is_neighbour(&self, other: IpAddr) -> bool {
        match (self.from, other) {
            (IpAddr::V6(ours), IpAddr::V6(other)) => ours.to_bits() >> 64 == other.to_bits() >> 64,
            (ours, other) => ours == other,
        }
    }

    /// Reads what there is, and writes what there is to say; whether it is to go on.
    pub(super) fn serve(&mut self, keys: &CookieKeys, rng: &mut impl Rng, port: u16) -> bool {
        let mut room = [0; ROOM];
        for _ in 0..TURNS {
            let length = match self.stream.read(&mut room) {
                Ok(0) => {
                    // It has said all; what we have to say may be under way.
                    return !self.is_over && self.send();
                }
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.send(),
                Err(_) => return false,
            };
            if self.is_over {
                continue;
            }
            let bytes = room.get(..length).unwrap_or_default();
            // What went wrong is told to the client by TLS, as far as it can be told.
            let result = self.exchange.receive(bytes, keys, rng, port);
            self.is_over = result.is_err() || self.exchange.is_done();
            self.outcome = self.is_over.then_some(result.is_ok());
            self.exchange.transmit(&mut self.outbox);
        }
        // It sends and sends, and has no more to say that we want to hear.
        false
    }

    /// Whether it got keys; `None` if that is not known yet, or was told before.
    pub(super) const fn take_outcome(&mut self) -> Option<bool> {
        self.outcome.take()
    }

    /// Sends what can be sent; whether there is more to wait for.
    fn send(&mut self) -> bool {
        while !self.outbox.is_empty() {
            match self.stream.write(&self.outbox) {
                Ok(0) => return false,
                Ok(length) => drop(self.outbox.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        // To close while there is something unread would take back what was sent; so the client
        // closes first, or its time is up.
        !self.is_over || self.stream.shutdown(Shutdown::Write).is_ok()
    }
}

/// A listener at `address`, one family only.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let descriptor = socket::socket(family, SockType::Stream, flags, None)?;
    socket::setsockopt(&descriptor, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        socket::setsockopt(&descriptor, sockopt::Ipv6V6Only, &true)?;
    }
    let raw = std::os::fd::AsRawFd::as_raw_fd(&descriptor);
    socket::bind(raw, &SockaddrStorage::from(address))?;
    socket::listen(&descriptor, Backlog::new(64)?)?;
    Ok(TcpListener::from_std(std::net::TcpListener::from(
        descriptor,
    )))
}
