//! How the event loop tells its sources apart.

use mio::Token;

/// A thread has something for the loop.
pub(crate) const WAKER: Token = Token(0);
/// The machine's addresses have changed.
pub(crate) const ADDRESSES: Token = Token(1);
/// Sockets count from here.
pub(crate) const FIRST_SOCKET: usize = 16;
