//! How the event loop tells its sources apart.

use mio::Token;

/// A thread has something for the loop.
pub(crate) const WAKER: Token = Token(0);
/// The machine's addresses have changed.
pub(crate) const ADDRESSES: Token = Token(1);
/// Somebody wants the metrics; those after it are his connection and those of others.
pub(crate) const METRICS: Token = Token(2);
/// So many of them.
pub(crate) const METRICS_CONNECTIONS: usize = 8;
/// Sockets count from here.
pub(crate) const FIRST_SOCKET: usize = 16;
