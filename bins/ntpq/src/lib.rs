//! What ntpq and its siblings ntpdc, ntpstat, ntp-wait and ntptrace share: the socket to the daemon
//! that is asked, and the terminal.
//!
//! What is asked and what is printed is `ntp-control`'s; here are names, sockets and the clock.
#![forbid(unsafe_code)]

mod connection;
mod password;
mod private;
mod terminal;

pub use connection::{AskError, Connection, Family, reason};
pub use password::key_of;
pub use private::AskPrivateError;
pub use terminal::{Completion, Lines, prompt, prompt_secret};

/// A number that nobody can guess, for the first request; without randomness any other.
pub fn first_sequence() -> u16 {
    let mut octets = [0, 1];
    match getrandom::fill(&mut octets) {
        Ok(()) => u16::from_be_bytes(octets),
        Err(_) => std::process::id() as u16,
    }
}
