//! How the event loop tells its sources apart.

use mio::Token;

pub(crate) const RESOLVER: Token = Token(0);
/// Sockets count from here.
pub(crate) const FIRST_SOCKET: usize = 16;
