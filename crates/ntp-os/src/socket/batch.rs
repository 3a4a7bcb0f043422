//! Many datagrams for one system call.
#![allow(unsafe_code)]

use std::{
    fmt, io,
    mem::{self, MaybeUninit},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

use crate::{
    card::{CardReadings, CardStamp, Cards},
    stamp::KernelStamp,
};

/// Room for the datagrams of one [`receive`](super::NtpSocket::receive); used again and again, it
/// never allocates.
pub struct Batch {
    slots: Box<[Slot; Self::SIZE]>,
    filled: usize,
    too_long: usize,
}

/// One received datagram, lying in its [`Batch`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    /// Who sent it. An IPv6 address that is local to the link has the interface as its scope.
    pub from: SocketAddr,
    /// Which address of this machine it was sent to, a broadcast or multicast address included.
    pub to: IpAddr,
    /// When it arrived; `None` if the kernel does not tell.
    pub stamp: Option<KernelStamp>,
    /// Its contents.
    pub data: &'a [u8],
}

/// Where the kernel writes one datagram.
struct Slot {
    data: [u8; Batch::LONGEST],
    address: libc::sockaddr_storage,
    control: Control,
    about: Option<About>,
}

/// Control messages are structures of C: they want an alignment.
#[repr(C, align(8))]
struct Control([u8; Self::SIZE]);

impl Control {
    /// Stamps of both kinds, what a card tells besides, and a destination take 168 octets at most.
    const SIZE: usize = 192;
}

/// What is known of a filled slot.
#[derive(Clone, Copy)]
struct About {
    from: SocketAddr,
    to: IpAddr,
    stamp: Option<KernelStamp>,
    length: usize,
}

impl Batch {
    /// How many datagrams it holds.
    pub const SIZE: usize = 32;
    /// Octets of the longest datagram: the answer of an Autokey server with a certificate of 4096
    /// bits fits.
    pub const LONGEST: usize = 2560;

    /// An empty one.
    pub fn new() -> Self {
        let slots: Vec<Slot> = (0..Self::SIZE)
            .map(|_| Slot {
                data: [0; Self::LONGEST],
                // SAFETY: sockaddr_storage is a C structure of integers; all zero is a value.
                address: unsafe { mem::zeroed() },
                control: Control([0; Control::SIZE]),
                about: None,
            })
            .collect();
        let Ok(slots) = slots.into_boxed_slice().try_into() else {
            unreachable!("there are as many as were made");
        };
        Self {
            slots,
            filled: 0,
            too_long: 0,
        }
    }

    /// The datagrams in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.slots.iter().take(self.filled).filter_map(|slot| {
            let about = slot.about?;
            Some(Datagram {
                from: about.from,
                to: about.to,
                stamp: about.stamp,
                data: slot.data.get(..about.length)?,
            })
        })
    }

    /// Whether the last call took all there was room for, so that there may be more to receive.
    pub const fn is_full(&self) -> bool {
        self.filled == Self::SIZE
    }

    /// How many datagrams of the last call were too long and left out.
    pub const fn too_long(&self) -> usize {
        self.too_long
    }

    /// Receives what is there and counts the datagrams that are of use. `local` is told as the
    /// destination where the kernel does not know better.
    pub(super) fn fill(
        &mut self,
        socket: &OwnedFd,
        local: SocketAddr,
        cards: Option<&Cards>,
    ) -> io::Result<usize> {
        self.filled = 0;
        self.too_long = 0;
        // SAFETY: iovec and mmsghdr are C structures of integers and pointers, for which all zero
        // is a value; the kernel sees them filled in only.
        let mut vectors: [libc::iovec; Self::SIZE] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; Self::SIZE] = unsafe { mem::zeroed() };
        for ((slot, vector), message) in self.slots.iter_mut().zip(&mut vectors).zip(&mut messages)
        {
            vector.iov_base = slot.data.as_mut_ptr().cast();
            vector.iov_len = slot.data.len();
            let header = &mut message.msg_hdr;
            header.msg_name = ptr::from_mut(&mut slot.address).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = slot.control.0.as_mut_ptr().cast();
            header.msg_controllen = slot.control.0.len() as _;
        }
        // SAFETY: the messages are as many as told; each points to a vector, an address and a
        // control buffer that belong to this batch or this call and live longer than the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                Self::SIZE as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let cards = cards.map(Cards::read);
        let mut useful = 0;
        for (slot, message) in self.slots.iter_mut().zip(&messages).take(received) {
            slot.about = None;
            if message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
                self.too_long += 1;
                continue;
            }
            let Some(from) = source(&slot.address) else {
                continue;
            };
            let told = Told::of(&message.msg_hdr);
            let stamp = match &cards {
                Some(cards) => told.arrival(cards, message.msg_len, from),
                None => told.stamp,
            };
            slot.about = Some(About {
                from,
                to: told.to.unwrap_or_else(|| local.ip()),
                stamp,
                length: message.msg_len as usize,
            });
            useful += 1;
        }
        self.filled = received;
        Ok(useful)
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The address that the kernel wrote; `None` if it is of neither family.
fn source(address: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let address = ptr::from_ref(address);
    // SAFETY: a sockaddr_storage is as large and as aligned as any address, and was zero before
    // the kernel wrote to it, so every octet of it is initialised.
    let family = unsafe { (*address).ss_family };
    match i32::from(family) {
        libc::AF_INET => {
            // SAFETY: as above; the family says which structure it is.
            let v4 = unsafe { ptr::read(address.cast::<libc::sockaddr_in>()) };
            Some(SocketAddr::V4(SocketAddrV4::new(
                Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes()),
                u16::from_be(v4.sin_port),
            )))
        }
        libc::AF_INET6 => {
            // SAFETY: as above; the family says which structure it is.
            let v6 = unsafe { ptr::read(address.cast::<libc::sockaddr_in6>()) };
            Some(SocketAddr::V6(SocketAddrV6::new(
                Ipv6Addr::from(v6.sin6_addr.s6_addr),
                u16::from_be(v6.sin6_port),
                0,
                v6.sin6_scope_id,
            )))
        }
        _ => None,
    }
}

/// What the kernel told of a datagram besides its contents.
#[derive(Clone, Copy, Default)]
pub(super) struct Told {
    /// The time that it arrived or left, by the kernel's clock.
    pub(super) stamp: Option<KernelStamp>,
    /// And by the clock of the card.
    card_stamp: Option<CardStamp>,
    /// Where it was sent to.
    to: Option<IpAddr>,
    /// The number of the interface.
    interface: Option<u32>,
    /// That of the card below, and the length of the frame.
    card: Option<(u32, u32)>,
}

impl Told {
    /// Reads the control messages of a header that the kernel filled in.
    pub(super) fn of(header: &libc::msghdr) -> Self {
        /// `SCM_TIMESTAMPING_PKTINFO`.
        const CARD: libc::c_int = 58;
        let mut told = Self::default();
        // SAFETY: the header is one that the kernel filled in, and its control buffer still lives.
        let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
        while !next.is_null() {
            // SAFETY: FIRSTHDR and NXTHDR give null or a header that lies inside the buffer.
            let control = unsafe { ptr::read_unaligned(next) };
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    // SAFETY: `next` is a header inside the buffer.
                    let time = unsafe { payload::<libc::timespec>(next, &control) };
                    told.stamp = time.and_then(to_stamp).or(told.stamp);
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                    // Three: by software, one that is no more, by the network card's clock.
                    // SAFETY: `next` is a header inside the buffer.
                    let times = unsafe { payload::<[libc::timespec; 3]>(next, &control) };
                    if let Some([software, _, card]) = times {
                        told.stamp = to_stamp(software).or(told.stamp);
                        told.card_stamp = to_card_stamp(card);
                    }
                }
                (libc::SOL_SOCKET, CARD) => {
                    // SAFETY: `next` is a header inside the buffer.
                    let card = unsafe { payload::<[u32; 2]>(next, &control) };
                    told.card = card.map(|[index, length]| (index, length));
                }
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    // SAFETY: `next` is a header inside the buffer.
                    let information = unsafe { payload::<libc::in_pktinfo>(next, &control) };
                    if let Some(information) = information {
                        told.to = Some(information.ipi_addr.s_addr.to_ne_bytes().into());
                        told.interface = u32::try_from(information.ipi_ifindex).ok();
                    }
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    // SAFETY: `next` is a header inside the buffer.
                    let information = unsafe { payload::<libc::in6_pktinfo>(next, &control) };
                    if let Some(information) = information {
                        told.to = Some(information.ipi6_addr.s6_addr.into());
                        told.interface = Some(information.ipi6_ifindex);
                    }
                }
                _ => {}
            }
            // SAFETY: as for FIRSTHDR; `next` came from it or from here.
            next = unsafe { libc::CMSG_NXTHDR(header, next) };
        }
        told
    }

    /// When it arrived, as exactly as is known.
    fn arrival(
        &self,
        cards: &CardReadings<'_>,
        payload: u32,
        from: SocketAddr,
    ) -> Option<KernelStamp> {
        let Some(stamp) = self.card_stamp else {
            return self.stamp;
        };
        /// The headers of Ethernet and UDP.
        const HEADERS: u32 = 14 + 8;
        let header = if from.is_ipv4() { 20 } else { 40 };
        let usual = payload.saturating_add(HEADERS + header);
        let (card, length) = match self.card {
            Some((card, length)) if card != 0 => (Some(card), length),
            _ => (self.interface, usual),
        };
        card.map_or(self.stamp, |card| {
            cards.arrival(card, stamp, length.into(), self.stamp)
        })
    }

    /// When it left, as exactly as is known.
    pub(super) fn departure(&self, cards: &CardReadings<'_>) -> Option<KernelStamp> {
        let by_card = || cards.departure(self.interface?, self.card_stamp?);
        by_card().or(self.stamp)
    }
}

/// A stamp; zero says that there is none.
fn to_stamp(time: libc::timespec) -> Option<KernelStamp> {
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    (time.tv_sec != 0).then(|| KernelStamp::from_unix(time.tv_sec, nanoseconds))
}

/// That of a card, whose clock may begin anywhere.
fn to_card_stamp(time: libc::timespec) -> Option<CardStamp> {
    let is_there = (time.tv_sec, time.tv_nsec) != (0, 0);
    is_there
        .then(|| CardStamp::new(time.tv_sec, time.tv_nsec))
        .flatten()
}

/// What follows a control header, if it is long enough to be a `T`.
///
/// # Safety
///
/// `header` must point to a control header, which `control` is a copy of, whose whole length is
/// readable; every pattern of bits must be a `T`.
unsafe fn payload<T: Copy>(header: *const libc::cmsghdr, control: &libc::cmsghdr) -> Option<T> {
    // SAFETY: CMSG_LEN only calculates.
    let needed = unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) };
    if (control.cmsg_len as u64) < u64::from(needed) {
        return None;
    }
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: the length was checked: so many octets follow the header, and so many has the value.
    unsafe {
        ptr::copy_nonoverlapping(
            libc::CMSG_DATA(header),
            value.as_mut_ptr().cast(),
            size_of::<T>(),
        );
        Some(value.assume_init())
    }
}
