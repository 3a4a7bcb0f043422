//! Many replies for one system call.
#![allow(unsafe_code)]

use std::{
    fmt, io,
    mem::{self, size_of},
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

/// Room for the datagrams of one [`send_all`](super::NtpSocket::send_all), which are written in
/// place; used again and again, it never allocates.
///
/// ```
/// use ntp_os::{Batch, NtpSocket, Outbox, SocketOptions};
///
/// let socket = NtpSocket::bind("127.0.0.1:0".parse()?, &SocketOptions::default())?;
/// let mut outbox = Outbox::new();
/// for text in ["one", "two"] {
///     if let Some(room) = outbox.room() {
///         room[..3].copy_from_slice(text.as_bytes());
///         outbox.queue(3, socket.local_address(), None);
///     }
/// }
/// assert_eq!(socket.send_all(&mut outbox, |to, error| panic!("{to}: {error}")), 2);
/// assert!(outbox.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Outbox {
    slots: Box<[Slot]>,
    filled: usize,
}

/// One datagram to be sent.
struct Slot {
    data: [u8; Outbox::LONGEST],
    length: usize,
    to: SocketAddr,
    from: Option<IpAddr>,
    address: libc::sockaddr_storage,
    address_length: libc::socklen_t,
    control: Control,
    control_length: usize,
    /// The time of its departure is wanted.
    stamped: bool,
}

/// Control messages are structures of C: they want an alignment.
#[repr(C, align(8))]
struct Control([u8; Self::SIZE]);

impl Control {
    /// A source address takes 32 or 40 octets, a request for a stamp 24.
    const SIZE: usize = 64;
}

impl Outbox {
    /// How many datagrams it holds. More would save little, and the last of them would be late.
    pub const SIZE: usize = 32;
    /// Answers to so few requests need not wait for each other: the system has time to take them
    /// one by one.
    pub const FEW: usize = 4;
    /// Octets of the longest datagram: the answer to a request with NTS and eight cookies fits.
    pub const LONGEST: usize = 1024;

    /// An empty one.
    pub fn new() -> Self {
        let slots = (0..Self::SIZE).map(|_| Slot::new()).collect();
        Self { slots, filled: 0 }
    }

    /// Where the next datagram may be written; `None` if there is no room before the others are
    /// sent. It is part of the outbox once it is [queued](Self::queue).
    pub fn room(&mut self) -> Option<&mut [u8; Self::LONGEST]> {
        self.slots.get_mut(self.filled).map(|slot| &mut slot.data)
    }

    /// What was written into the [`room`](Self::room), so many octets of it, goes to `to`; from the
    /// address `from` of this machine if one is given. A socket that is bound to an address needs
    /// none.
    pub fn queue(&mut self, length: usize, to: SocketAddr, from: Option<IpAddr>) {
        if let Some(slot) = self.slots.get_mut(self.filled) {
            slot.length = length.min(Self::LONGEST);
            slot.to = to;
            slot.from = from.filter(|from| !from.is_unspecified());
            slot.address_to(to);
            slot.control_length = slot.from.map_or(0, |from| slot.control.source(from));
            slot.stamped = false;
            self.filled += 1;
        }
    }

    /// The time of departure of the datagram that was queued last is wanted
    /// ([`NtpSocket::departures`](super::NtpSocket::departures)).
    pub fn want_departure(&mut self) {
        let last = self.filled.checked_sub(1);
        if let Some(slot) = last.and_then(|last| self.slots.get_mut(last)) {
            slot.stamped = true;
        }
    }

    /// The datagrams whose time of departure is wanted: destination and contents.
    pub fn stamped(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let waiting = self.slots.iter().take(self.filled);
        waiting
            .filter(|slot| slot.stamped)
            .filter_map(|slot| Some((slot.to, slot.data.get(..slot.length)?)))
    }

    /// Asks the kernel for the stamps that are wanted, of the kinds in `request`.
    pub(super) fn request_stamps(&mut self, request: u32) {
        for slot in self.slots.iter_mut().take(self.filled) {
            if slot.stamped {
                let start = slot.from.map_or(0, |from| slot.control.source(from));
                slot.control_length = slot.control.stamp(start, request);
            }
        }
    }

    /// How many datagrams wait.
    pub const fn len(&self) -> usize {
        self.filled
    }

    /// Whether none waits.
    pub const fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Whether there is no room for another.
    pub const fn is_full(&self) -> bool {
        self.filled == Self::SIZE
    }

    /// Forgets what waits.
    pub const fn clear(&mut self) {
        self.filled = 0;
    }

    /// The datagram at `place`: contents, destination, source.
    pub(super) fn datagram(&self, place: usize) -> Option<(&[u8], SocketAddr, Option<IpAddr>)> {
        let slot = self.slots.get(place).filter(|_| place < self.filled)?;
        Some((slot.data.get(..slot.length)?, slot.to, slot.from))
    }

    /// Gives the kernel the datagrams from `start` on and says how many it took, from the front.
    pub(super) fn send_from(&mut self, socket: &OwnedFd, start: usize) -> io::Result<usize> {
        let waiting = self.slots.get_mut(start..self.filled).unwrap_or_default();
        if waiting.is_empty() {
            return Ok(0);
        }
        // SAFETY: iovec and mmsghdr are C structures of integers and pointers, for which all zero
        // is a value; the kernel sees them filled in only.
        let mut vectors: [libc::iovec; Self::SIZE] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; Self::SIZE] = unsafe { mem::zeroed() };
        let mut count: libc::c_uint = 0;
        for ((slot, vector), message) in waiting.iter_mut().zip(&mut vectors).zip(&mut messages) {
            vector.iov_base = slot.data.as_mut_ptr().cast();
            vector.iov_len = slot.length;
            let header = &mut message.msg_hdr;
            header.msg_name = ptr::from_mut(&mut slot.address).cast();
            header.msg_namelen = slot.address_length;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            if slot.control_length > 0 {
                header.msg_control = slot.control.0.as_mut_ptr().cast();
                header.msg_controllen = slot.control_length as _;
            }
            count += 1;
        }
        // SAFETY: `count` messages are filled in; each points to a vector of this call, and to an
        // address, data and control octets of this outbox, with lengths inside them, which all
        // live longer than the call and are not written to.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

impl Outbox {
    /// Gives the kernel the datagram at `place` alone; `touch` may write to it at the last moment.
    pub(super) fn send_single(
        &mut self,
        socket: &OwnedFd,
        place: usize,
        touch: impl FnOnce(&mut [u8]),
    ) -> io::Result<()> {
        let waiting = self.slots.get_mut(place).filter(|_| place < self.filled);
        waiting.map_or(Ok(()), |slot| {
            let Slot {
                data,
                length,
                address,
                address_length,
                control,
                control_length,
                ..
            } = slot;
            let data = data.get_mut(..*length).unwrap_or_default();
            let control = control.0.get_mut(..*control_length).unwrap_or_default();
            touch(data);
            send_message(socket, data, (address, *address_length), control)
        })
    }
}

/// Sends one datagram and has its departure stamped, in the ways that `request` says.
pub(super) fn send_stamped(
    socket: &OwnedFd,
    data: &[u8],
    to: SocketAddr,
    request: u32,
) -> io::Result<()> {
    let mut slot = Slot::new();
    slot.address_to(to);
    slot.control_length = slot.control.stamp(0, request);
    let Slot {
        address,
        address_length,
        control,
        control_length,
        ..
    } = &mut slot;
    let control = control.0.get_mut(..*control_length).unwrap_or_default();
    send_message(socket, data, (address, *address_length), control)
}

/// Sends `data`, with the kernel's form of an address and of control messages.
fn send_message(
    socket: &OwnedFd,
    data: &[u8],
    (address, address_length): (&mut libc::sockaddr_storage, libc::socklen_t),
    control: &mut [u8],
) -> io::Result<()> {
    let mut vector = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    // SAFETY: msghdr is a C structure of integers and pointers; all zero is a value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = ptr::from_mut(address).cast();
    header.msg_namelen = address_length;
    header.msg_iov = &mut vector;
    header.msg_iovlen = 1;
    if !control.is_empty() {
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = control.len() as _;
    }
    // SAFETY: the header points to an address, data and control octets, with lengths inside them,
    // which live longer than the call and are not written to.
    let sent = unsafe {
        libc::sendmsg(
            socket.as_raw_fd(),
            &header,
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        )
    };
    match sent {
        ..0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

impl Slot {
    fn new() -> Self {
        Self {
            data: [0; Outbox::LONGEST],
            length: 0,
            to: SocketAddr::from(([0, 0, 0, 0], 0)),
            from: None,
            // SAFETY: sockaddr_storage is a C structure of integers; all zero is a value.
            address: unsafe { mem::zeroed() },
            address_length: 0,
            control: Control([0; Control::SIZE]),
            control_length: 0,
            stamped: false,
        }
    }

    /// Writes the destination as the kernel wants it.
    fn address_to(&mut self, to: SocketAddr) {
        let place = ptr::from_mut(&mut self.address);
        self.address_length = match to {
            SocketAddr::V4(to) => {
                let address = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: to.port().to_be(),
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(to.ip().octets()),
                    },
                    sin_zero: [0; 8],
                };
                // SAFETY: a sockaddr_storage is as large and as aligned as any address.
                unsafe { ptr::write(place.cast(), address) };
                size_of::<libc::sockaddr_in>() as libc::socklen_t
            }
            SocketAddr::V6(to) => {
                let address = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: to.port().to_be(),
                    sin6_flowinfo: to.flowinfo(),
                    sin6_addr: libc::in6_addr {
                        s6_addr: to.ip().octets(),
                    },
                    sin6_scope_id: to.scope_id(),
                };
                // SAFETY: as above.
                unsafe { ptr::write(place.cast(), address) };
                size_of::<libc::sockaddr_in6>() as libc::socklen_t
            }
        };
    }
}

impl Control {
    /// Writes, behind `start` octets, the request for a stamp, and says where that ends.
    fn stamp(&mut self, start: usize, request: u32) -> usize {
        self.write(start, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, request)
    }

    /// Writes the address to send from and says how many octets that takes.
    fn source(&mut self, from: IpAddr) -> usize {
        match from {
            IpAddr::V4(from) => {
                let information = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr {
                        s_addr: u32::from_ne_bytes(from.octets()),
                    },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.write(0, libc::IPPROTO_IP, libc::IP_PKTINFO, information)
            }
            IpAddr::V6(from) => {
                let information = libc::in6_pktinfo {
                    ipi6_addr: libc::in6_addr {
                        s6_addr: from.octets(),
                    },
                    ipi6_ifindex: 0,
                };
                self.write(0, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, information)
            }
        }
    }

    /// Writes a message behind `start` octets and says where it ends; `start`, where there is no
    /// room.
    fn write<T: Copy>(
        &mut self,
        start: usize,
        level: libc::c_int,
        kind: libc::c_int,
        value: T,
    ) -> usize {
        // SAFETY: the two only calculate.
        let (length, space) = unsafe {
            (
                libc::CMSG_LEN(size_of::<T>() as libc::c_uint),
                libc::CMSG_SPACE(size_of::<T>() as libc::c_uint),
            )
        };
        let end = start + space as usize;
        let Some(room) = self.0.get_mut(start..end) else {
            return start;
        };
        let header = room.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: cmsghdr is a C structure of integers; all zero is a value.
        let mut about: libc::cmsghdr = unsafe { mem::zeroed() };
        about.cmsg_len = length as _;
        about.cmsg_level = level;
        about.cmsg_type = kind;
        // SAFETY: the room is as long as a header with a value behind it takes; CMSG_DATA is where
        // the value lies. Neither need be aligned.
        unsafe {
            ptr::write_unaligned(header, about);
            ptr::write_unaligned(libc::CMSG_DATA(header).cast::<T>(), value);
        }
        end
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = (0..self.filled).filter_map(|place| self.datagram(place));
        f.debug_list().entries(waiting).finish()
    }
}
