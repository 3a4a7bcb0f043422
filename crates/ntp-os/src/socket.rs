//! Datagrams with the time they came and the address they came to.

mod batch;
mod departure;
mod fragments;
mod outbox;
mod share;

use std::{
    io::{self, ErrorKind, IoSlice},
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use mio::{Interest, Registry, Token, event, unix::SourceFd};
use nix::{
    errno::Errno,
    sys::socket::{ControlMessage, MsgFlags, SockaddrStorage, sendmsg, setsockopt, sockopt},
};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockRef, Socket, Type};

use self::departure::Stamping;
pub use self::{
    batch::{Batch, Datagram},
    departure::{Departure, Departures},
    outbox::Outbox,
};
use crate::Cards;

/// A UDP socket bound to one address: it does not block, notes when each datagram arrived and to
/// which of the machine's addresses, and can answer from that address.
///
/// It is a source of events for mio, which tells of datagrams once: then
/// [`receive`](Self::receive) until the batch is no longer full.
///
/// ```
/// use ntp_os::{Batch, NtpSocket, SocketOptions};
///
/// let options = SocketOptions::default();
/// let server = NtpSocket::bind("127.0.0.1:0".parse()?, &options)?;
/// let client = NtpSocket::bind("127.0.0.1:0".parse()?, &options)?;
/// client.send_to(b"hello", server.local_address(), None)?;
///
/// let mut batch = Batch::new();
/// while server.receive(&mut batch)? == 0 {
///     std::thread::yield_now(); // a program would wait with mio
/// }
/// let datagram = batch.iter().next().ok_or("none")?;
/// assert_eq!(datagram.data, b"hello");
/// assert_eq!(datagram.from, client.local_address());
/// assert!(datagram.stamp.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct NtpSocket {
    descriptor: OwnedFd,
    local_address: SocketAddr,
    stamping: Stamping,
}

/// How a socket is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SocketOptions {
    /// Whether another socket may be bound to the same port, of the same or another address: a
    /// wildcard beside the addresses it covers. [`NtpSocket::set_reuse_address`] ends it.
    pub reuse_address: bool,
    /// The differentiated services code point of what is sent, 0 to 63. 46 ("expedited
    /// forwarding"), as ntpd's.
    pub dscp: u8,
    /// The octets of received datagrams that the kernel is asked to keep; it may allow less.
    pub receive_buffer: usize,
    /// Network cards whose stamps are taken rather than the kernel's.
    pub cards: Option<Cards>,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            reuse_address: false,
            dscp: 46,
            receive_buffer: 1 << 19,
            cards: None,
        }
    }
}

impl NtpSocket {
    /// Opens a socket at `address`; port 0 takes any that is free. One at `[::]` has no IPv4.
    ///
    /// # Errors
    ///
    /// [`BindError`] with the address.
    pub fn bind(address: SocketAddr, options: &SocketOptions) -> Result<Self, BindError> {
        Self::open(address, options).map_err(|source| BindError { address, source })
    }

    fn open(address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        Self::bound(Self::prepare(address, options)?, address, options)
    }

    fn prepare(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
        let domain = Domain::for_address(address);
        let with_flags = Type::DGRAM.nonblocking().cloexec();
        let socket = match Socket::new_raw(domain, with_flags, Some(Protocol::UDP)) {
            // Some that stand in for the kernel, as simulators do, know the bare type alone. What
            // is received and sent says itself that it must not wait.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                Socket::new_raw(domain, Type::DGRAM, Some(Protocol::UDP))?
            }
            opened => opened?,
        };
        let traffic_class = i32::from(options.dscp & 63) << 2;
        // One that is bound to an address knows where all that it receives was sent to; stamps of
        // cards come with the number of the card.
        let tells_destination = address.ip().is_unspecified() || options.cards.is_some();
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &tells_destination)?;
            // Marks are a courtesy of the network, and so are buffers: do without if need be.
            let _ = setsockopt(&socket, sockopt::Ipv6TClass, &traffic_class);
        } else {
            fragments::forbid(&socket);
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &tells_destination)?;
            let _ = setsockopt(&socket, sockopt::Ipv4Tos, &traffic_class);
        }
        // What the system allows everybody is little as a rule (`net.core.rmem_max`, 208 KiB); who
        // administers the network may go beyond.
        if setsockopt(&socket, sockopt::RcvBufForce, &options.receive_buffer).is_err() {
            let _ = socket.set_recv_buffer_size(options.receive_buffer);
        }
        // Without stamps the program's own reading must do.
        let _ = setsockopt(&socket, sockopt::ReceiveTimestampns, &true);
        socket.set_reuse_address(options.reuse_address)?;
        Ok(socket)
    }

    fn bound(socket: Socket, address: SocketAddr, options: &SocketOptions) -> io::Result<Self> {
        socket.bind(&address.into())?;
        let local_address = socket
            .local_addr()?
            .as_socket()
            .ok_or(ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            stamping: Stamping::with_cards(options.cards.clone(), &socket),
            descriptor: socket.into(),
            local_address,
        })
    }

    /// The address that it is bound to, with the port that it got.
    pub const fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Whether other sockets may be bound to the port from now on.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_reuse_address(&self, reuse: bool) -> io::Result<()> {
        Ok(setsockopt(&self.descriptor, sockopt::ReuseAddr, &reuse)?)
    }

    /// Fills `batch`, whose former contents are gone, with what has arrived, and says how many
    /// datagrams that is; 0 if there are none for now. Those longer than [`Batch::LONGEST`] are
    /// left out and counted by [`Batch::too_long`].
    ///
    /// # Errors
    ///
    /// What the system says. Errors that only tell of a datagram once sent are passed over.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        /// There are no more errors than there were datagrams sent, so this is plenty.
        const ATTEMPTS: usize = 16;
        for _ in 0..ATTEMPTS {
            match batch.fill(&self.descriptor, self.local_address, self.stamping.cards()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
                Err(error) if is_passing(&error) => {}
                // All that was there was too long: there may be more behind it.
                Ok(0) if batch.too_long() > 0 => {}
                result => return result,
            }
        }
        Ok(0)
    }

    /// Sends `data` to `to`, from the address `from` of this machine if one is given: that of a
    /// socket bound to all addresses must be the one that was asked.
    ///
    /// # Errors
    ///
    /// What the system says; [`ErrorKind::WouldBlock`] if its buffer is full. None of them tells
    /// that the socket is of no more use.
    pub fn send_to(&self, data: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        /// Once for an interruption, once for the refusal of an earlier datagram.
        const ATTEMPTS: usize = 3;
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            result = self.send_once(data, to, from);
            match &result {
                Err(error) if to.is_ipv4() && error.raw_os_error() == Some(libc::EMSGSIZE) => {
                    result = self.in_fragments(|| self.send_once(data, to, from));
                    break;
                }
                Err(error) if is_passing(error) => {}
                _ => break,
            }
        }
        result
    }

    /// Sends `data` to `to`, as [`send_to`](Self::send_to) does, and has the kernel note when it
    /// leaves: [`departures`](Self::departures) tells, at once as a rule. Where the kernel can't,
    /// it is sent nevertheless; `false` says so.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn send_stamped(&self, data: &[u8], to: SocketAddr) -> io::Result<bool> {
        if !self.stamping.start(&self.descriptor) {
            return self.send_to(data, to, None).map(|()| false);
        }
        match outbox::send_stamped(&self.descriptor, data, to, self.stamping.request()) {
            Ok(()) => {
                self.stamping.asked(1);
                Ok(true)
            }
            Err(error) => {
                // What stands in for the kernel may know no such message.
                if error.raw_os_error() == Some(libc::EINVAL) {
                    self.stamping.give_up();
                }
                self.send_to(data, to, None).map(|()| false)
            }
        }
    }

    /// Whether the kernel notes when datagrams leave; found out when that is first wanted.
    pub fn can_stamp(&self) -> bool {
        self.stamping.start(&self.descriptor)
    }

    /// Whether there are departures to be told.
    pub fn has_departures(&self) -> bool {
        self.stamping.is_due()
    }

    /// Fills `departures` with what has left, of that whose departure is wanted, and says how much
    /// that is.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn departures(&self, departures: &mut Departures) -> io::Result<usize> {
        self.stamping.take(&self.descriptor, departures)
    }

    /// Sends the one datagram in `outbox`, which is empty then, and has `touch` write to it as late as
    /// can be: the time, say. If there are several, or it does not go like this, it goes as by
    /// [`send_all`](Self::send_all).
    pub fn send_now(
        &self,
        outbox: &mut Outbox,
        touch: impl FnOnce(&mut [u8]),
        failed: impl FnMut(SocketAddr, io::Error),
    ) {
        if outbox.len() == 1 {
            let is_stamped = outbox.stamped().next().is_some();
            if is_stamped && self.can_stamp() {
                outbox.request_stamps(self.stamping.request());
                self.stamping.asked(1);
            }
            match outbox.send_single(&self.descriptor, 0, touch) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {}
                _ => {
                    outbox.clear();
                    return;
                }
            }
        }
        self.send_all(outbox, failed);
    }

    /// Sends all that waits in `outbox`, which is empty then, with as few system calls as can be,
    /// and says how many datagrams the system took. What can't be sent is dropped: when the
    /// system's buffer is full, silently, else `failed` is told where to and why.
    pub fn send_all(
        &self,
        outbox: &mut Outbox,
        mut failed: impl FnMut(SocketAddr, io::Error),
    ) -> usize {
        let (mut next, mut taken) = (0, 0);
        let stamped = match outbox.stamped().count() {
            0 => 0,
            _ if !self.can_stamp() => 0,
            count => {
                outbox.request_stamps(self.stamping.request());
                u32::try_from(count).unwrap_or(0)
            }
        };
        self.stamping.asked(stamped);
        while next < outbox.len() {
            // One that could not go with the others goes alone, be it for its own sake, or since
            // what stands in for the system knows but single datagrams.
            let together = match outbox.len() - next {
                1 => outbox
                    .send_single(&self.descriptor, next, |_| {})
                    .map(|()| 1),
                _ => outbox.send_from(&self.descriptor, next),
            };
            match together {
                Ok(count) if count > 0 => {
                    next += count;
                    taken += count;
                    continue;
                }
                // The network's way of dropping packets.
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ => {}
            }
            let Some((data, to, from)) = outbox.datagram(next) else {
                break;
            };
            match self.send_to(data, to, from) {
                Ok(()) => taken += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => failed(to, error),
            }
            next += 1;
        }
        outbox.clear();
        taken
    }

    /// Takes part in a multicast group on the interface of this number.
    ///
    /// # Errors
    ///
    /// What the system says; [`ErrorKind::AddrInUse`] if it takes part already.
    pub fn join(&self, group: IpAddr, interface: u32) -> io::Result<()> {
        let socket = SockRef::from(&self.descriptor);
        match group {
            IpAddr::V4(group) => {
                socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface))
            }
            IpAddr::V6(group) => socket.join_multicast_v6(&group, interface),
        }
    }

    /// Sends `data` to a broadcast address or a multicast group, out of the interface of this
    /// number. A multicast goes through at most so many routers, and does not come back to this
    /// machine.
    ///
    /// # Errors
    ///
    /// As [`send_to`](Self::send_to).
    pub fn send_to_many(
        &self,
        data: &[u8],
        to: SocketAddr,
        interface: u32,
        hops: u8,
    ) -> io::Result<()> {
        let socket = SockRef::from(&self.descriptor);
        match to.ip() {
            IpAddr::V4(group) if group.is_multicast() => {
                if let IpAddr::V4(own) = self.local_address.ip() {
                    socket.set_multicast_if_v4(&own)?;
                }
                socket.set_multicast_ttl_v4(hops.into())?;
                socket.set_multicast_loop_v4(false)?;
            }
            IpAddr::V4(_) => socket.set_broadcast(true)?,
            IpAddr::V6(_) => {
                socket.set_multicast_if_v6(interface)?;
                socket.set_multicast_hops_v6(hops.into())?;
                socket.set_multicast_loop_v6(false)?;
            }
        }
        self.send_to(data, to, None)
    }

    fn send_once(&self, data: &[u8], to: SocketAddr, from: Option<IpAddr>) -> io::Result<()> {
        let address = SockaddrStorage::from(to);
        let data = [IoSlice::new(data)];
        let (information_v4, information_v6);
        let source = match from {
            Some(from) if from.is_unspecified() => None,
            Some(IpAddr::V4(from)) => {
                information_v4 = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(from.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                Some(ControlMessage::Ipv4PacketInfo(&information_v4))
            }
            Some(IpAddr::V6(from)) => {
                information_v6 = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: from.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                Some(ControlMessage::Ipv6PacketInfo(&information_v6))
            }
            None => None,
        };
        sendmsg(
            self.descriptor.as_raw_fd(),
            &data,
            source.as_slice(),
            MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
            Some(&address),
        )?;
        Ok(())
    }
}

/// Whether an error says nothing of the call that got it: what an ICMP message told of a datagram
/// sent before, or an interruption.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(
            Errno::EINTR
                | Errno::ECONNREFUSED
                | Errno::EMSGSIZE
                | Errno::EHOSTDOWN
                | Errno::EHOSTUNREACH
                | Errno::ENETDOWN
                | Errno::ENETUNREACH
                | Errno::ENOPROTOOPT
                | Errno::EPROTO
        )
    )
}

impl AsFd for NtpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for NtpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl event::Source for NtpSocket {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).register(registry, token, interests)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interests: Interest,
    ) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        SourceFd(&self.as_raw_fd()).deregister(registry)
    }
}

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind to UDP {address}: {source}")]
pub struct BindError {
    /// Where it should have been.
    pub address: SocketAddr,
    /// What the system said; [`ErrorKind::AddrInUse`] if another program has the port,
    /// [`ErrorKind::PermissionDenied`] if the port is under 1024 and not allowed.
    pub source: io::Error,
}

#[cfg(test)]
mod tests;
