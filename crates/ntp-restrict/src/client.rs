//! What is remembered of a client.

use core::net::IpAddr;

use ntp_wire::{Mode, Monotonic, Version};

use crate::RestrictFlags;

/// One recent client. Clients are told apart by address, not by port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// The source port of its last packet.
    pub port: u16,
    /// Which of our endpoints its last packet came to, as the caller numbers them.
    pub endpoint: u16,
    /// When its first packet came.
    pub first_seen: Monotonic,
    /// When its last packet came.
    pub last_seen: Monotonic,
    /// How many packets came, up to the largest number that fits.
    pub count: u32,
    /// The mode of its last packet.
    pub mode: Mode,
    /// The version of its last packet.
    pub version: Version,
    /// What is forbidden to it; [`LIMITED`](RestrictFlags::LIMITED) and
    /// [`KISS_OF_DEATH`](RestrictFlags::KISS_OF_DEATH) are set only if its last packet was dropped
    /// for coming too fast, or answered with a kiss.
    pub restriction: RestrictFlags,
}
