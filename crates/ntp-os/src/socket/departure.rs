//! When datagrams left: the kernel's transmit stamps, which lie in the socket's error queue.
#![allow(unsafe_code)]

use std::{
    fmt, io, mem,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    ptr,
    sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

use nix::sys::socket::{TimestampingFlag, setsockopt, sockopt};

use super::batch::Told;
use crate::{card::Cards, stamp::KernelStamp};

/// Room for what the kernel tells of datagrams that have left, by
/// [`departures`](super::NtpSocket::departures); used again and again, it never allocates.
pub struct Departures {
    slots: Box<[Slot]>,
    filled: usize,
}

/// A datagram that has left, lying in its [`Departures`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Departure<'a> {
    /// Where it went. An IPv6 address has no scope.
    pub to: SocketAddr,
    /// When the network's driver got it.
    pub stamp: KernelStamp,
    /// Its contents; of a long one the beginning, a header of NTP at least.
    pub data: &'a [u8],
}

/// A frame as the driver got it, and what is known of it.
struct Slot {
    frame: [u8; Departures::FRAME],
    control: Control,
    length: usize,
    is_whole: bool,
    stamp: Option<KernelStamp>,
}

/// Control messages are structures of C: they want an alignment.
#[repr(C, align(8))]
struct Control([u8; Self::SIZE]);

impl Control {
    /// A stamp and an error with an address of the longer kind take 64 and 72 octets.
    const SIZE: usize = 192;
}

impl Departures {
    /// How many datagrams it holds.
    const SIZE: usize = 16;
    /// Octets of a frame that are of interest: headers, and the plain packet behind them.
    const FRAME: usize = 192;

    /// An empty one.
    pub fn new() -> Self {
        let slots = (0..Self::SIZE)
            .map(|_| Slot {
                frame: [0; Self::FRAME],
                control: Control([0; Control::SIZE]),
                length: 0,
                is_whole: false,
                stamp: None,
            })
            .collect();
        Self { slots, filled: 0 }
    }

    /// The datagrams, in the order they left.
    pub fn iter(&self) -> impl Iterator<Item = Departure<'_>> {
        self.slots.iter().take(self.filled).filter_map(|slot| {
            let (to, data) = datagram(slot.frame.get(..slot.length)?, slot.is_whole)?;
            let stamp = slot.stamp?;
            Some(Departure { to, stamp, data })
        })
    }

    /// Whether the last call took all there was room for, so that there may be more.
    pub const fn is_full(&self) -> bool {
        self.filled == Self::SIZE
    }

    /// Takes what is in the error queue and says how much that was.
    fn fill(&mut self, socket: &OwnedFd, cards: Option<&Cards>) -> io::Result<usize> {
        self.filled = 0;
        // SAFETY: iovec and mmsghdr are C structures of integers and pointers, for which all zero
        // is a value; the kernel sees them filled in only.
        let mut vectors: [libc::iovec; Self::SIZE] = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; Self::SIZE] = unsafe { mem::zeroed() };
        for ((slot, vector), message) in self.slots.iter_mut().zip(&mut vectors).zip(&mut messages)
        {
            vector.iov_base = slot.frame.as_mut_ptr().cast();
            vector.iov_len = slot.frame.len();
            let header = &mut message.msg_hdr;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = slot.control.0.as_mut_ptr().cast();
            header.msg_controllen = slot.control.0.len() as _;
        }
        // SAFETY: there are as many messages as are told; each points to a vector of this call, and
        // to frame and control octets of this structure, which all live longer than the call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                Self::SIZE as libc::c_uint,
                libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
        let cards = cards.map(Cards::read);
        for (slot, message) in self.slots.iter_mut().zip(&messages).take(received) {
            slot.length = message.msg_len as usize;
            slot.is_whole = message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            let told = Told::of(&message.msg_hdr);
            slot.stamp = match &cards {
                Some(cards) => told.departure(cards),
                None => told.stamp,
            };
        }
        self.filled = received;
        Ok(received)
    }
}

impl Default for Departures {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Departures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Whether a socket has stamps made, and how many are due.
#[derive(Debug, Default)]
pub(super) struct Stamping {
    /// Those that make stamps of their own.
    cards: Option<Cards>,
    state: AtomicU8,
    due: AtomicU32,
    /// How often in a row none came.
    missed: AtomicU32,
}

impl Stamping {
    const UNTRIED: u8 = 0;
    const ON: u8 = 1;
    const IMPOSSIBLE: u8 = 2;

    /// Stamps that did not come after so many looks will not come: the packets were dropped on the
    /// way to the driver.
    const PATIENCE: u32 = 64;

    /// With stamps of cards, which have to be asked for now: they come with what is received.
    pub(super) fn with_cards(cards: Option<Cards>, socket: &impl AsFd) -> Self {
        let stamping = Self {
            cards,
            ..Self::default()
        };
        if stamping.cards.is_some() {
            stamping.start(socket);
        }
        stamping
    }

    /// Those that make stamps of their own.
    pub(super) const fn cards(&self) -> Option<&Cards> {
        self.cards.as_ref()
    }

    /// What is to be asked of the kernel for a datagram whose departure is wanted.
    pub(super) const fn request(&self) -> u32 {
        match self.cards {
            None => libc::SOF_TIMESTAMPING_TX_SOFTWARE,
            // Of cards that can't, the kernel makes one.
            Some(_) => libc::SOF_TIMESTAMPING_TX_SOFTWARE | libc::SOF_TIMESTAMPING_TX_HARDWARE,
        }
    }

    /// Whether stamps can be had; the first call tries it.
    ///
    /// Reporting stamps of departure means that those of arrival come in the same form: the other
    /// one is turned off, or each datagram would bring both.
    pub(super) fn start(&self, socket: &impl AsFd) -> bool {
        match self.state.load(Relaxed) {
            Self::ON => true,
            Self::UNTRIED => {
                let mut flags = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
                    | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
                if self.cards.is_some() {
                    flags |= TimestampingFlag::SOF_TIMESTAMPING_RX_HARDWARE
                        | TimestampingFlag::SOF_TIMESTAMPING_RAW_HARDWARE
                        // With which interface and how long a frame it was.
                        | TimestampingFlag::from_bits_retain(
                            libc::SOF_TIMESTAMPING_OPT_CMSG | libc::SOF_TIMESTAMPING_OPT_PKTINFO,
                        );
                }
                let is_possible = setsockopt(socket, sockopt::Timestamping, &flags).is_ok();
                if is_possible {
                    let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &false);
                }
                let state = if is_possible {
                    Self::ON
                } else {
                    Self::IMPOSSIBLE
                };
                self.state.store(state, Relaxed);
                is_possible
            }
            _ => false,
        }
    }

    /// The kernel does not know what it was asked for.
    pub(super) fn give_up(&self) {
        self.state.store(Self::IMPOSSIBLE, Relaxed);
        self.due.store(0, Relaxed);
    }

    /// So many datagrams were given to the kernel, with a request for a stamp.
    pub(super) fn asked(&self, count: u32) {
        self.due.fetch_add(count, Relaxed);
    }

    pub(super) fn is_due(&self) -> bool {
        self.due.load(Relaxed) > 0
    }

    /// Takes the stamps that are there.
    pub(super) fn take(&self, socket: &OwnedFd, into: &mut Departures) -> io::Result<usize> {
        let taken = match into.fill(socket, self.cards()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            result => result?,
        };
        if taken > 0 {
            let left = |due: u32| due.checked_sub(u32::try_from(taken).ok()?).or(Some(0));
            let _ = self.due.fetch_update(Relaxed, Relaxed, left);
            self.missed.store(0, Relaxed);
        } else if self.missed.fetch_add(1, Relaxed) >= Self::PATIENCE {
            self.due.store(0, Relaxed);
            self.missed.store(0, Relaxed);
        }
        Ok(taken)
    }
}

/// The UDP datagram in a frame. What stands before the header of IP depends on the network:
/// nothing, or an Ethernet header with up to two tags.
fn datagram(frame: &[u8], is_whole: bool) -> Option<(SocketAddr, &[u8])> {
    [14, 18, 22, 0]
        .into_iter()
        .filter_map(|start| frame.get(start..))
        .find_map(|packet| in_ip(packet, is_whole))
}

/// The datagram in a packet of IP, if it is one. Its lengths must agree with each other.
fn in_ip(packet: &[u8], is_whole: bool) -> Option<(SocketAddr, &[u8])> {
    const UDP: u8 = 17;
    let word = |at: usize| {
        let octets = packet.get(at..at + 2)?.first_chunk()?;
        Some(usize::from(u16::from_be_bytes(*octets)))
    };
    let (header, body, to): (usize, usize, IpAddr) = match packet.first()? >> 4 {
        4 if packet.get(9) == Some(&UDP) => {
            let header = usize::from(packet.first()? & 15) * 4;
            let to: [u8; 4] = *packet.get(16..20)?.first_chunk()?;
            (header, word(2)?.checked_sub(header)?, to.into())
        }
        6 if packet.get(6) == Some(&UDP) => {
            let to: [u8; 16] = *packet.get(24..40)?.first_chunk()?;
            (40, word(4)?, to.into())
        }
        _ => return None,
    };
    let there = packet.len().checked_sub(header)?;
    let fits = if is_whole {
        there == body
    } else {
        there <= body
    };
    if header < 20 || !fits || word(header + 4)? != body {
        return None;
    }
    let port = u16::try_from(word(header + 2)?).ok()?;
    Some((SocketAddr::new(to, port), packet.get(header + 8..)?))
}

#[cfg(test)]
mod tests;
