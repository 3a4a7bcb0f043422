//! What is known of a packet besides its octets.

use std::net::IpAddr;

use ntp_wire::{Monotonic, Timestamp};

/// Where and when a packet comes or goes: the addresses that session keys are made of, and the time.
///
/// Session keys bind both addresses (RFC 5906 section 5), so `local` must be the address that the
/// other side sees: the one a request was sent to, or the one the kernel sends from. There is no
/// way through address translation.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The address of this host.
    pub local: IpAddr,
    /// The address of the other host.
    pub remote: IpAddr,
    /// What the wall clock shows.
    pub now: Timestamp,
    /// What the clock shows that nobody sets; limits and life times run on it.
    pub monotonic: Monotonic,
    /// Whether the wall clock is synchronised. While it is not, nothing is signed and no
    /// certificate is judged by it.
    pub synchronised: bool,
}
