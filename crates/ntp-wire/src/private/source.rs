//! What is told of sources.

use super::record::{HostOrder, SignedShort, Unused, address, record};
use crate::{Duration, ShortDuration, WireTimestamp};

/// What is so with a source, as bits of one or two octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SourceFlags(pub u16);

impl SourceFlags {
    /// A line of the configuration names it.
    pub const CONFIGURED: Self = Self(0x01);
    /// The clock follows it.
    pub const SYSTEM_PEER: Self = Self(0x02);
    /// `burst`
    pub const BURST: Self = Self(0x04);
    /// It is a reference clock.
    pub const REFERENCE_CLOCK: Self = Self(0x08);
    /// `prefer`
    pub const PREFER: Self = Self(0x10);
    /// Its packets are authenticated.
    pub const AUTHENTICATION: Self = Self(0x20);
    /// It is a candidate of the selection.
    pub const CANDIDATE: Self = Self(0x40);
    /// It is among those that the clock follows.
    pub const SHORT_LIST: Self = Self(0x80);
    /// `iburst`; in statistics only, the others have no room for it.
    pub const INITIAL_BURST: Self = Self(0x100);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The lower octet.
    pub const fn octet(self) -> u8 {
        self.0 as u8
    }
}

record! {
    /// A source in a list, and how a source is named in a question.
    PeerListEntry 32 {
        remote_ipv4: u32,
        /// Its port.
        pub port: u16,
        /// The mode of our packets to it.
        pub host_mode: u8,
        /// The lower octet of its [`SourceFlags`].
        pub flags: u8,
        is_ipv6: HostOrder<u32>,
        unused: Unused<4>,
        remote_ipv6: u128,
    }
}
address! { PeerListEntry
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}

record! {
    /// A source as `ntpdc -p` shows it.
    PeerSummary 72 {
        local_ipv4: u32,
        remote_ipv4: u32,
        /// Its port.
        pub port: u16,
        /// Its stratum, 0 to 16.
        pub stratum: u8,
        /// How often we want to ask, in log2 s.
        pub host_poll: i8,
        /// How often it wants to be asked, in log2 s.
        pub peer_poll: i8,
        /// Which of the last eight requests were answered.
        pub reach: u8,
        /// The lower octet of its [`SourceFlags`].
        pub flags: u8,
        /// The mode of our packets to it.
        pub host_mode: u8,
        /// Round trip, in s.
        pub delay: SignedShort,
        /// What our clock is behind of it.
        pub offset: Duration,
        /// The square root of its dispersion in s: ntpd kept squares once.
        pub dispersion: ShortDuration,
        is_ipv6: HostOrder<u32>,
        unused: Unused<4>,
        local_ipv6: u128,
        remote_ipv6: u128,
    }
}
address! { PeerSummary
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}
address! { PeerSummary
    /// Our address on the way to it.
    local set_local local_ipv4 local_ipv6
}

record! {
    /// All that is known of a source.
    PeerInformation 280 {
        local_ipv4: u32,
        remote_ipv4: u32,
        /// Its port.
        pub port: u16,
        /// The lower octet of its [`SourceFlags`].
        pub flags: u8,
        /// Its leap indicator, 0 to 3.
        pub leap: u8,
        /// The mode of our packets to it.
        pub host_mode: u8,
        /// The mode of its packets.
        pub peer_mode: u8,
        /// Its stratum, 0 to 16.
        pub stratum: u8,
        /// How often it wants to be asked, in log2 s.
        pub peer_poll: i8,
        /// How often we want to ask, in log2 s.
        pub host_poll: i8,
        /// Its precision, in log2 s.
        pub precision: i8,
        /// The version of our packets to it.
        pub version: u8,
        unused: Unused<1>,
        /// Which of the last eight requests were answered.
        pub reach: u8,
        /// Requests since the last answer.
        pub unanswered: u8,
        old_flash: u8,
        /// How far packets go; or the mode of a reference clock.
        pub hops: u8,
        /// Which tests its last packet failed.
        pub flash: HostOrder<u16>,
        /// The number of the association.
        pub association: u16,
        /// The number of the key of its packets.
        pub key_id: HostOrder<u32>,
        unused_key: Unused<4>,
        /// Whom it follows.
        pub reference_id: [u8; 4],
        /// Seconds to the next request.
        pub timer: u32,
        /// Its root delay.
        pub root_delay: ShortDuration,
        /// Its root dispersion.
        pub root_dispersion: ShortDuration,
        /// When its clock was last set.
        pub reference_time: WireTimestamp,
        /// When we asked last.
        pub origin_time: WireTimestamp,
        /// When the last answer came.
        pub receive_time: WireTimestamp,
        /// When it sent that.
        pub transmit_time: WireTimestamp,
        /// Round trips of the last eight samples in s, the newest first.
        pub filter_delay: [SignedShort; 8],
        /// Offsets of the same.
        pub filter_offset: [Duration; 8],
        /// The same by merit: which is the best, the second, and so on.
        pub filter_order: [u8; 8],
        /// Round trip, in s.
        pub delay: SignedShort,
        /// The square root of its dispersion in s: ntpd kept squares once.
        pub dispersion: ShortDuration,
        /// What our clock is behind of it.
        pub offset: Duration,
        /// The square root of its jitter in s.
        pub jitter: ShortDuration,
        obsolete: Unused<28>,
        /// The delay of broadcasts, in s.
        pub broadcast_delay: SignedShort,
        is_ipv6: HostOrder<u32>,
        unused_flag: Unused<4>,
        local_ipv6: u128,
        remote_ipv6: u128,
    }
}
address! { PeerInformation
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}
address! { PeerInformation
    /// Our address on the way to it.
    local set_local local_ipv4 local_ipv6
}

record! {
    /// What was counted of a source.
    PeerStatistics 120 {
        local_ipv4: u32,
        remote_ipv4: u32,
        /// Its port.
        pub port: u16,
        /// Its [`SourceFlags`].
        pub flags: u16,
        /// Seconds since its counters began.
        pub since_reset: u32,
        /// Seconds since its last packet.
        pub since_received: u32,
        /// Seconds to the next request.
        pub until_sent: u32,
        /// Seconds since it was found to be reachable, or not to be any more.
        pub since_reachable: u32,
        /// Packets sent to it.
        pub sent: u32,
        unused_1: Unused<4>,
        /// Packets of it that were looked at.
        pub processed: u32,
        unused_2: Unused<4>,
        /// Packets whose authentication failed.
        pub bad_authentication: u32,
        /// Packets that answer nothing that was asked.
        pub bogus_origin: u32,
        /// Packets that had been there before.
        pub duplicates: u32,
        unused_3: Unused<8>,
        /// Samples of too great a dispersion.
        pub bad_dispersion: u32,
        /// Samples of a clock that was never set.
        pub bad_reference_time: u32,
        unused_4: Unused<4>,
        /// What the selection made of it, 0 to 7.
        pub candidate: u8,
        unused_5: Unused<3>,
        is_ipv6: HostOrder<u32>,
        unused_6: Unused<4>,
        local_ipv6: u128,
        remote_ipv6: u128,
    }
}
address! { PeerStatistics
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}
address! { PeerStatistics
    /// Our address on the way to it.
    local set_local local_ipv4 local_ipv6
}
