//! What is told of restrictions, addresses and reference clocks.

use super::record::{HostOrder, Unused, address, record};
use crate::Duration;

record! {
    /// An entry of the restrictions.
    RestrictionRecord 56 {
        address_ipv4: u32,
        mask_ipv4: u32,
        /// How many packets it decided on.
        pub count: u32,
        /// What is forbidden, in the bits of ntpd 4.2.8.
        pub flags: u16,
        /// To whom: [`NTP_PORT`](Self::NTP_PORT) and its like.
        pub match_flags: u16,
        is_ipv6: HostOrder<u32>,
        unused: Unused<4>,
        address_ipv6: u128,
        mask_ipv6: u128,
    }
}
address! { RestrictionRecord
    /// The address.
    address set_address address_ipv4 address_ipv6
}
address! { RestrictionRecord
    /// Which of its bits count.
    mask set_mask mask_ipv4 mask_ipv6
}

impl RestrictionRecord {
    /// `interface`: the daemon made it for an address of its own.
    pub const INTERFACE: u16 = 0x1000;
    /// `ntpport`: it is for packets from port 123.
    pub const NTP_PORT: u16 = 0x2000;
    /// `source`: the daemon made it for a source.
    pub const SOURCE: u16 = 0x4000;
}

record! {
    /// A reference clock.
    ClockInformation 52 {
        /// Its address, 127.127.t.u.
        pub address: u32,
        /// Its kind.
        pub kind: u8,
        /// `flag1` to `flag4`.
        pub flags: u8,
        /// What happened to it last.
        pub last_event: u8,
        /// How it is.
        pub status: u8,
        /// How often it was read.
        pub polls: u32,
        /// How often it said nothing.
        pub no_response: u32,
        /// How often what it said was no time.
        pub bad_format: u32,
        /// How often it was no time that can be.
        pub bad_data: u32,
        /// Seconds since its counters began.
        pub running: u32,
        /// `time1`
        pub time1: Duration,
        /// `time2`
        pub time2: Duration,
        /// `stratum`
        pub stratum: u32,
        /// `refid`
        pub reference_id: [u8; 4],
    }
}

record! {
    /// A client, as older daemons tell of it; no such list is made here.
    ClientRecord 72 {
        /// Average interval between its packets, in s.
        pub interval: u32,
        /// Seconds since the last one.
        pub age: u32,
        /// What is forbidden to it.
        pub restrictions: u32,
        /// How many there were.
        pub count: u32,
        remote_ipv4: u32,
        local_ipv4: u32,
        unused_flags: Unused<4>,
        /// The port of the last one.
        pub port: u16,
        /// Its mode.
        pub mode: u8,
        /// Its version.
        pub version: u8,
        is_ipv6: HostOrder<u32>,
        unused: Unused<4>,
        remote_ipv6: u128,
        local_ipv6: u128,
    }
}
address! { ClientRecord
    /// Where it is.
    remote set_remote remote_ipv4 remote_ipv6
}
address! { ClientRecord
    /// Which address of the daemon it asked.
    local set_local local_ipv4 local_ipv6
}

record! {
    /// An address of the daemon.
    InterfaceRecord 136 {
        address: [u8; 16],
        broadcast: [u8; 16],
        mask: [u8; 16],
        is_ipv6: u32,
        /// The name of the interface, filled with zeros.
        pub name: [u8; 32],
        /// Its flags: what ntpq shows as `flags`.
        pub flags: u32,
        /// How far the last multicast went.
        pub hops: u32,
        /// How many groups are heard there.
        pub groups: u32,
        /// Packets that came.
        pub received: u32,
        /// Packets that went.
        pub sent: u32,
        /// Packets that could not.
        pub not_sent: u32,
        /// Seconds since the address came.
        pub uptime: u32,
        /// The scope of multicasts.
        pub scope: u32,
        /// The system's number of the interface.
        pub index: u32,
        /// The daemon's number of the address.
        pub number: u32,
        /// How many sources are asked from there.
        pub sources: u32,
        /// 2 for IPv4, 10 for IPv6.
        pub family: u16,
        /// Not 0 if all that comes there is dropped.
        pub dropping: u8,
        /// Why it is told: 1 it is there, 2 it is new, 3 it is gone.
        pub action: u8,
        unused: Unused<4>,
    }
}

/// Its addresses are kept in one field whatever their family.
impl InterfaceRecord {
    /// The action of an address that is there, and is neither new nor gone.
    pub const EXISTS: u8 = 1;

    /// The address.
    pub fn address(&self) -> core::net::IpAddr {
        self.decode(self.address)
    }

    /// Where all on its network hear; unspecified if nowhere.
    pub fn broadcast(&self) -> core::net::IpAddr {
        self.decode(self.broadcast)
    }

    /// The mask of its network.
    pub fn mask(&self) -> core::net::IpAddr {
        self.decode(self.mask)
    }

    /// Sets all three; they must be of one family, which is that of `address`.
    pub fn set_addresses(
        &mut self,
        address: core::net::IpAddr,
        broadcast: core::net::IpAddr,
        mask: core::net::IpAddr,
    ) {
        self.is_ipv6 = u32::from(address.is_ipv6());
        self.address = encode(address);
        self.broadcast = encode(broadcast);
        self.mask = encode(mask);
    }

    fn decode(&self, octets: [u8; 16]) -> core::net::IpAddr {
        match (self.is_ipv6, octets.first_chunk::<4>()) {
            (0, Some(octets)) => (*octets).into(),
            _ => octets.into(),
        }
    }
}

fn encode(address: core::net::IpAddr) -> [u8; 16] {
    match address {
        core::net::IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        core::net::IpAddr::V6(address) => address.octets(),
    }
}
