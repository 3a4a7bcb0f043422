//! sntp: asks NTP servers for the time, and steps or slews the clock if it is told to.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ntpdate::sntp()
}
