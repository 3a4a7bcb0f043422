//! A pool: a name with many addresses, each of which may become a server of its own.

use ntp_conf::AddressFamily;
use ntp_wire::AssociationId;

use super::Endpoint;

/// What is kept of a pool. It is never asked the time itself.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Which addresses to look for.
    pub(crate) family: Option<AddressFamily>,
    pub(crate) port: Option<u16>,
    /// Whether its servers get an estimator each.
    pub(crate) precise: bool,
    /// Whether the name is being looked up.
    pub(crate) resolving: bool,
    /// Whether it could not be looked up.
    pub(crate) unresolved: bool,
    /// The addresses that were found and are not in use.
    pub(crate) spare: Vec<Endpoint>,
}

impl Pool {
    pub(crate) fn new(family: Option<AddressFamily>, port: Option<u16>) -> Self {
        Self {
            family,
            port,
            precise: false,
            resolving: false,
            unresolved: false,
            spare: Vec::new(),
        }
    }
}

/// That a server came from a pool, or was found by a search, and goes again if it is of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Membership {
    /// The association of the line that it came by.
    pub(crate) pool: AssociationId,
    /// For how many polls of that it has not been among the survivors.
    pub(crate) useless: u32,
}
