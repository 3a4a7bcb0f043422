//! Many datagrams for one system call.
#![allow(unsafe_code)]

use std::{
    fmt, io,
    mem::{self, MaybeUninit},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

use crate::stamp::KernelStamp;

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
    /// Stamps of both kinds and a destination take 136 octets at most.
    const SIZE: usize = 160;
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
    pub(super) fn fill(&mut self, socket: &OwnedFd, local: SocketAddr) -> io::Result<usize> {
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
            let (stamp, to) = read_control(&message.msg_hdr);
            slot.about = Some(About {
                from,
                to: to.unwrap_or_else(|| local.ip()),
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

/// The time of arrival and the destination, where the kernel told them.
pub(super) fn read_control(header: &libc::msghdr) -> (Option<KernelStamp>, Option<IpAddr>) {
    let mut stamp = None;
    let mut to = None;
    // SAFETY: the header is one that the kernel filled in, and its control buffer still lives.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: FIRSTHDR and NXTHDR give null or a header that lies inside the buffer.
        let control = unsafe { ptr::read_unaligned(next) };
        match (control.cmsg_level, control.cmsg_type) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                // SAFETY: `next` is a header inside the buffer.
                let time = unsafe { payload::<libc::timespec>(next, &control) };
                stamp = time.and_then(to_stamp).or(stamp);
            }
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                // Three: by software, one that is no more, by the network card's clock.
                // SAFETY: `next` is a header inside the buffer.
                let times = unsafe { payload::<[libc::timespec; 3]>(next, &control) };
                stamp = times.and_then(|[time, ..]| to_stamp(time)).or(stamp);
            }
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: `next` is a header inside the buffer.
                let information = unsafe { payload::<libc::in_pktinfo>(next, &control) };
                to =
                    information.map(|information| information.ipi_addr.s_addr.to_ne_bytes().into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: `next` is a header inside the buffer.
                let information = unsafe { payload::<libc::in6_pktinfo>(next, &control) };
                to = information.map(|information| information.ipi6_addr.s6_addr.into());
            }
            _ => {}
        }
        // SAFETY: as for FIRSTHDR; `next` came from it or from here.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    (stamp, to)
}

/// A stamp; zero says that there is none.
fn to_stamp(time: libc::timespec) -> Option<KernelStamp> {
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    (time.tv_sec != 0).then(|| KernelStamp::from_unix(time.tv_sec, nanoseconds))
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
