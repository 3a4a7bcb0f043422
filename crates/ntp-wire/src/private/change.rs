//! What a request says that changes something.

use super::record::{HostOrder, Unused, address, record};
use crate::Duration;

record! {
    /// A source to take up.
    PeerChange 168 {
        remote_ipv4: u32,
        /// The mode of our packets: 1 `peer`, 3 `server`, 5 `broadcast`.
        pub host_mode: u8,
        /// The version of our packets.
        pub version: u8,
        /// `minpoll`
        pub minimum_poll: u8,
        /// `maxpoll`
        pub maximum_poll: u8,
        /// [`PREFER`](Self::PREFER) and its like.
        pub flags: u8,
        /// `ttl`, or the mode of a reference clock.
        pub hops: u8,
        unused: Unused<2>,
        /// The number of the key.
        pub key_id: HostOrder<u32>,
        key_name: [u8; 128],
        is_ipv6: HostOrder<u32>,
        unused_flag: Unused<4>,
        remote_ipv6: u128,
    }
}
address! { PeerChange
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}

impl PeerChange {
    /// There is a key.
    pub const AUTHENTICATION: u8 = 0x01;
    /// `prefer`
    pub const PREFER: u8 = 0x02;
    /// `burst`
    pub const BURST: u8 = 0x04;
    /// `iburst`
    pub const INITIAL_BURST: u8 = 0x08;
    /// `noselect`
    pub const NO_SELECT: u8 = 0x10;
    /// `autokey`
    pub const AUTOKEY: u8 = 0x20;
}

record! {
    /// A source that a request is about.
    AddressRecord 24 {
        remote_ipv4: u32,
        is_ipv6: HostOrder<u32>,
        remote_ipv6: u128,
    }
}
address! { AddressRecord
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}

record! {
    /// What to turn on or off, or whose counters begin anew.
    FlagsRecord 4 {
        /// The bits.
        pub flags: u32,
    }
}

impl FlagsRecord {
    /// What can be turned on and off: each word of `enable`, with its bit.
    pub const SWITCHES: [(&'static str, u32); 8] = [
        ("bclient", 0x01),
        ("pps", 0x02),
        ("ntp", 0x04),
        ("kernel", 0x08),
        ("monitor", 0x10),
        ("stats", 0x20),
        ("auth", 0x40),
        ("calibrate", 0x80),
    ];
    /// Whose counters can begin anew: each word of `reset`, with its bit.
    pub const COUNTERS: [(&'static str, u32); 7] = [
        ("allpeers", 0x01),
        ("io", 0x02),
        ("sys", 0x04),
        ("mem", 0x08),
        ("timer", 0x10),
        ("auth", 0x20),
        ("ctl", 0x40),
    ];
}

record! {
    /// An entry of the restrictions, and flags of it.
    RestrictionChange 60 {
        address_ipv4: u32,
        mask_ipv4: u32,
        unused: Unused<8>,
        /// What is forbidden, in the bits of ntpd 4.2.8.
        pub flags: u16,
        /// [`RestrictionRecord::NTP_PORT`](super::RestrictionRecord::NTP_PORT), or nothing.
        pub match_flags: u16,
        unused_limit: Unused<4>,
        is_ipv6: HostOrder<u32>,
        address_ipv6: u128,
        mask_ipv6: u128,
    }
}
address! { RestrictionChange
    /// The address.
    address set_address address_ipv4 address_ipv6
}
address! { RestrictionChange
    /// Which of its bits count.
    mask set_mask mask_ipv4 mask_ipv6
}

record! {
    /// What corrects a reference clock.
    FudgeRecord 20 {
        /// The address of the clock, 127.127.t.u.
        pub address: u32,
        /// Which: 1 `time1`, 2 `time2`, 3 `stratum`, 4 `refid`, 5 the flags.
        pub which: u32,
        /// The value of 1 and 2.
        pub time: Duration,
        /// The value of the others.
        pub value: u32,
    }
}
