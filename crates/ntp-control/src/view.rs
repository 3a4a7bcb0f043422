//! What text depends on besides the response.

use core::fmt;
use std::net::IpAddr;

use ntp_wire::Timestamp;

use crate::{Utc, Zone, address};

/// How responses are shown.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The time of who asks: `when` counts back from it, and eras are the nearest to it.
    pub now: Timestamp,
    /// Local time.
    pub zone: &'a dyn Zone,
    /// Names of addresses; `None` shows numbers, and numbers of reference clocks, as `-n` does.
    pub names: Option<&'a dyn Fn(IpAddr) -> Option<String>>,
    /// Show the reference identifier of [`cooked`](crate::cooked) variables as the 32 bits it is.
    pub reference_id_as_hash: bool,
    /// Give a long name of a peer a line of its own instead of cutting it.
    pub wide: bool,
}

impl View<'_> {
    /// In UTC, with numbers.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            now,
            zone: &Utc,
            names: None,
            reference_id_as_hash: false,
            wide: false,
        }
    }

    /// How an address is shown: the name of the host or the reference clock, or the number.
    pub fn host(&self, address: IpAddr) -> String {
        address::host(address, self)
    }
}

impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("now", &self.now)
            .field("numeric", &self.names.is_none())
            .field("reference_id_as_hash", &self.reference_id_as_hash)
            .field("wide", &self.wide)
            .finish_non_exhaustive()
    }
}
