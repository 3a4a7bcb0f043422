//! What ntpq and its small siblings ntpstat, ntp-wait and ntptrace share: the socket to the daemon
//! that is asked.
//!
//! What is asked and what is printed is `ntp-control`'s; here are names, sockets and the clock.
#![forbid(unsafe_code)]

mod connection;

pub use connection::{AskError, Connection, Family, reason};

/// A number that nobody can guess, for the first request; without randomness any other.
pub fn first_sequence() -> u16 {
    let mut octets = [0, 1];
    match getrandom::fill(&mut octets) {
        Ok(()) => u16::from_be_bytes(octets),
        Err(_) => std::process::id() as u16,
    }
}
