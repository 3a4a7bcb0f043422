//! Programs that ask NTP servers for the time once: ntpdate and sntp.
//!
//! What they do stands in modules of their names; what is asked and answered on the wire in
//! `exchange`, who is asked when in `survey`, whom to believe in `selection`.
#![forbid(unsafe_code)]

mod arguments;
mod credential;
mod exchange;
mod failure;
mod journal;
mod ntpdate;
mod report;
mod selection;
mod server;
mod sntp;
mod survey;

use std::process::ExitCode;

/// Runs ntpdate with the arguments of the process.
pub fn ntpdate() -> ExitCode {
    ntpdate::main()
}

/// Runs sntp with the arguments of the process.
pub fn sntp() -> ExitCode {
    sntp::main()
}
