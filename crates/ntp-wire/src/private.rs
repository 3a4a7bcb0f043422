//! Mode 7: the private messages of ntpdc, as bytes.
//!
//! No RFC describes them; what is here is what ntpd 4.2.8 and its ntpdc send (implementation 3).
//!
//! ```
//! use ntp_wire::private::{PrivateError, PrivateHeader, PrivateMessage, RequestCode};
//!
//! let header = PrivateHeader::request(RequestCode::PEER_LIST);
//! let mut octets = vec![0; PrivateMessage::REQUEST_LENGTH];
//! octets[..8].copy_from_slice(&header.to_bytes());
//! let message = PrivateMessage::parse(&octets)?;
//! assert_eq!(message.header().request, RequestCode::PEER_LIST);
//! assert_eq!(message.items().count(), 0);
//! # Ok::<(), PrivateError>(())
//! ```
//!
//! A message is a [`PrivateHeader`] of eight octets and items of one size. A request is padded to
//! [`REQUEST_LENGTH`](PrivateMessage::REQUEST_LENGTH) and ends, if it is authenticated, with a
//! timestamp, the number of a key and a MAC of all before that ([`PrivateTail`]). Answers travel as
//! up to 128 numbered packets of at most 500 octets of data each, and are never authenticated.

mod change;
mod entry;
mod record;
mod source;
mod system;

use crate::{KeyId, Mode, Timestamp, WireTimestamp};

pub use self::{
    change::{AddressRecord, FlagsRecord, FudgeRecord, PeerChange, RestrictionChange},
    entry::{ClientRecord, ClockInformation, InterfaceRecord, RestrictionRecord},
    record::{HostOrder, SignedShort},
    source::{PeerInformation, PeerListEntry, PeerStatistics, PeerSummary, SourceFlags},
    system::{
        AuthenticationInformation, ControlStatistics, IoStatistics, KernelInformation,
        LoopInformation, MemoryStatistics, SystemFlags, SystemInformation, SystemStatistics,
        TimerStatistics,
    },
};

/// The eight octets that every private message starts with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrivateHeader {
    /// R: a response, not a request.
    pub response: bool,
    /// M: more packets of this response follow.
    pub more: bool,
    /// The version of the protocol; ntpdc says 2.
    pub version: u8,
    /// A: the request ends with a MAC.
    pub authenticated: bool,
    /// Which packet of the response this is, from 0; at most 127.
    pub sequence: u8,
    /// By whose definition of codes and items: 3 is ntpd's, 2 was ntpd's before IPv6.
    pub implementation: u8,
    /// What is asked.
    pub request: RequestCode,
    /// Why a request failed.
    pub error: ResponseCode,
    /// How many items follow, at most 4095.
    pub items: u16,
    /// Octets of each, at most 4095.
    pub item_size: u16,
}

/// What a private message asks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestCode(pub u8);

/// How a request went: 0 to 15.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ResponseCode(pub u8);

impl RequestCode {
    /// The sources: address, port, mode, flags.
    pub const PEER_LIST: Self = Self(0);
    /// The sources, as `ntpdc -p` shows them.
    pub const PEER_LIST_SUMMARY: Self = Self(1);
    /// All of a source.
    pub const PEER_INFORMATION: Self = Self(2);
    /// What was counted of a source.
    pub const PEER_STATISTICS: Self = Self(3);
    /// The system.
    pub const SYSTEM_INFORMATION: Self = Self(4);
    /// Packets counted by what became of them.
    pub const SYSTEM_STATISTICS: Self = Self(5);
    /// What came and went.
    pub const IO_STATISTICS: Self = Self(6);
    /// How much memory associations take.
    pub const MEMORY_STATISTICS: Self = Self(7);
    /// The clock loop.
    pub const LOOP_INFORMATION: Self = Self(8);
    /// What the timer did.
    pub const TIMER_STATISTICS: Self = Self(9);
    /// A source to take up.
    pub const CONFIGURE: Self = Self(10);
    /// Sources to let go of.
    pub const UNCONFIGURE: Self = Self(11);
    /// Switches to turn on.
    pub const SET_FLAGS: Self = Self(12);
    /// Switches to turn off.
    pub const CLEAR_FLAGS: Self = Self(13);
    /// The restrictions.
    pub const RESTRICTIONS: Self = Self(16);
    /// Restrictions to add.
    pub const RESTRICT: Self = Self(17);
    /// Restrictions to take back.
    pub const UNRESTRICT: Self = Self(18);
    /// Entries of the restrictions to remove.
    pub const REMOVE_RESTRICTION: Self = Self(19);
    /// Recent clients, in the older form.
    pub const OLD_MONITOR_LIST: Self = Self(20);
    /// What was counted starts anew.
    pub const RESET_STATISTICS: Self = Self(21);
    /// What was counted of some sources starts anew.
    pub const RESET_PEER: Self = Self(22);
    /// The file of keys is to be read again.
    pub const READ_KEYS: Self = Self(23);
    /// Keys to trust.
    pub const TRUST_KEY: Self = Self(26);
    /// Keys to trust no longer.
    pub const UNTRUST_KEY: Self = Self(27);
    /// What was counted of keys.
    pub const AUTHENTICATION_INFORMATION: Self = Self(28);
    /// Who is told of events.
    pub const TRAPS: Self = Self(29);
    /// Somebody to tell of events.
    pub const ADD_TRAP: Self = Self(30);
    /// Somebody not to be told any more.
    pub const CLEAR_TRAP: Self = Self(31);
    /// The key of requests like these.
    pub const REQUEST_KEY: Self = Self(32);
    /// The key of control messages.
    pub const CONTROL_KEY: Self = Self(33);
    /// What was counted of mode 6.
    pub const CONTROL_STATISTICS: Self = Self(34);
    /// Reference clocks.
    pub const CLOCK_INFORMATION: Self = Self(36);
    /// What corrects a reference clock.
    pub const SET_FUDGE: Self = Self(37);
    /// The kernel's clock.
    pub const KERNEL: Self = Self(38);
    /// What the driver of a reference clock has to say.
    pub const CLOCK_DEBUGGING: Self = Self(39);
    /// Recent clients.
    pub const MONITOR_LIST: Self = Self(42);
    /// The daemon's addresses.
    pub const INTERFACES: Self = Self(44);
    /// The daemon's addresses, looked up anew.
    pub const RELOAD_INTERFACES: Self = Self(45);

    /// Whether it is carried out only with the key of requests: it changes something, or is as
    /// telling as that.
    pub const fn needs_authentication(self) -> bool {
        matches!(self.0, 10..=13 | 17..=19 | 21..=23 | 26 | 27 | 30..=33 | 37 | 44 | 45)
    }
}

impl ResponseCode {
    /// It went well.
    pub const OKAY: Self = Self(0);
    /// The implementation is another one.
    pub const IMPLEMENTATION: Self = Self(1);
    /// Nobody knows this request.
    pub const REQUEST: Self = Self(2);
    /// Items, sizes or flags are wrong.
    pub const FORMAT: Self = Self(3);
    /// There is nothing to tell.
    pub const NO_DATA: Self = Self(4);
    /// It takes a key.
    pub const AUTHENTICATION: Self = Self(7);
}

const RESPONSE: u8 = 0x80;
const MORE: u8 = 0x40;
const AUTHENTICATED: u8 = 0x80;
const SEQUENCE: u8 = 0x7f;
const TWELVE_BITS: u16 = 0xfff;

impl PrivateHeader {
    /// Octets of a header.
    pub const LENGTH: usize = 8;
    /// The implementation whose codes and items these are.
    pub const NTPD: u8 = 3;

    /// A request without items, as ntpdc sends it.
    pub const fn request(request: RequestCode) -> Self {
        Self {
            response: false,
            more: false,
            version: 2,
            authenticated: false,
            sequence: 0,
            implementation: Self::NTPD,
            request,
            error: ResponseCode::OKAY,
            items: 0,
            item_size: 0,
        }
    }

    /// Reads the first octets of a message; `None` if it is too short, of another mode, or has bits
    /// that must be zero.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let [
            first,
            second,
            implementation,
            request,
            items @ ..,
            high,
            low,
        ] = bytes.first_chunk::<{ Self::LENGTH }>()?;
        let (items, size) = (be(*items), be([*high, *low]));
        let is_private = Mode::from_bits(*first) == Mode::Private;
        (is_private && size & !TWELVE_BITS == 0).then_some(Self {
            response: first & RESPONSE != 0,
            more: first & MORE != 0,
            version: first >> 3 & 7,
            authenticated: second & AUTHENTICATED != 0,
            sequence: second & SEQUENCE,
            implementation: *implementation,
            request: RequestCode(*request),
            error: ResponseCode((items >> 12) as u8),
            items: items & TWELVE_BITS,
            item_size: size,
        })
    }

    /// The octets of this header; what does not fit its field is cut.
    pub fn to_bytes(&self) -> [u8; Self::LENGTH] {
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        let items = u16::from(self.error.0) << 12 | self.items & TWELVE_BITS;
        let ([items_high, items_low], [size_high, size_low]) = (
            items.to_be_bytes(),
            (self.item_size & TWELVE_BITS).to_be_bytes(),
        );
        [
            flag(self.response, RESPONSE)
                | flag(self.more, MORE)
                | (self.version & 7) << 3
                | Mode::Private as u8,
            flag(self.authenticated, AUTHENTICATED) | self.sequence & SEQUENCE,
            self.implementation,
            self.request.0,
            items_high,
            items_low,
            size_high,
            size_low,
        ]
    }
}

const fn be(octets: [u8; 2]) -> u16 {
    u16::from_be_bytes(octets)
}

/// A private message, its header and the octets of its items.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrivateMessage<'a> {
    header: PrivateHeader,
    data: &'a [u8],
    octets: &'a [u8],
}

/// What an authenticated request ends with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrivateTail<'a> {
    /// When it was made: a copy of an old request is told by it.
    pub time: WireTimestamp,
    /// The key that the MAC is made with.
    pub key_id: KeyId,
    /// What the MAC covers: all before the number of the key.
    pub covered: &'a [u8],
    /// The MAC.
    pub mac: &'a [u8],
}

/// Why octets are no private message.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateError {
    /// They are no header of mode 7.
    #[error("this is no message of mode 7")]
    NoHeader,
    /// More items are announced than follow.
    #[error("{items} items of {size} octets are announced, and {there} octets follow")]
    TooShort {
        /// How many.
        items: u16,
        /// Octets of each.
        size: u16,
        /// Octets that follow the header.
        there: usize,
    },
}

impl<'a> PrivateMessage<'a> {
    /// Octets of a request without a MAC, as ntpdc of ntpd 4.2.8 pads it: eight of header, 176 of
    /// data, eight of timestamp.
    pub const REQUEST_LENGTH: usize = 192;
    /// Octets of data in a packet of a response at most.
    pub const LONGEST_DATA: usize = 500;
    /// Octets of the timestamp before the number of the key.
    const TIME: usize = 8;
    const KEY: usize = 4;

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// [`PrivateError`] if it is none, or holds less than it says.
    pub fn parse(octets: &'a [u8]) -> Result<Self, PrivateError> {
        let header = PrivateHeader::parse(octets).ok_or(PrivateError::NoHeader)?;
        let rest = octets.get(PrivateHeader::LENGTH..).unwrap_or_default();
        let wanted = usize::from(header.items) * usize::from(header.item_size);
        let data = rest.get(..wanted).ok_or(PrivateError::TooShort {
            items: header.items,
            size: header.item_size,
            there: rest.len(),
        })?;
        Ok(Self {
            header,
            data,
            octets,
        })
    }

    /// Its header.
    pub const fn header(&self) -> &PrivateHeader {
        &self.header
    }

    /// The items, each as long as the header says.
    pub fn items(&self) -> impl Iterator<Item = &'a [u8]> {
        let size = usize::from(self.header.item_size);
        // Items without octets are nothing.
        self.data.chunks_exact(size.max(1))
    }

    /// What an authenticated request ends with, if its MAC has `mac` octets; `None` if there is no
    /// room for it behind the items.
    pub fn tail(&self, mac: usize) -> Option<PrivateTail<'a>> {
        let covered = self.octets.len().checked_sub(mac + Self::KEY)?;
        let time = covered.checked_sub(Self::TIME)?;
        if time < PrivateHeader::LENGTH + self.data.len() {
            return None;
        }
        let (covered, end) = self.octets.split_at_checked(covered)?;
        let (key, mac) = end.split_first_chunk()?;
        let time = covered.last_chunk()?;
        Some(PrivateTail {
            time: WireTimestamp::from_bits(u64::from_be_bytes(*time)),
            key_id: KeyId::new(u32::from_be_bytes(*key)),
            covered,
            mac,
        })
    }
}

impl PrivateTail<'_> {
    /// Whether the request was made within ten seconds of `now`, as ntpd wants it.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        const MOST: crate::Duration = crate::Duration::from_seconds(10);
        (self.time.near(now) - now).abs() <= MOST
    }
}

#[cfg(test)]
mod tests;
