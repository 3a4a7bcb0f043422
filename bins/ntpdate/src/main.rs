//! ntpdate: asks NTP servers for the time, and sets the clock by the best of them.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    ntpdate::ntpdate()
}
