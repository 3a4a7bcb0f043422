//! Words on standard error.

use std::{
    fmt,
    io::{self, Write},
};

/// Writes a line to standard error. What cannot be written is lost: whoever closed it, or let its
/// disk become full, wants the rest to be done all the same.
///
/// ```
/// ntp_os::complain(format_args!("there is no {}", "host"));
/// ```
pub fn complain(text: fmt::Arguments<'_>) {
    complain_on(format_args!("{text}\n"));
}

/// The same, without the end of the line.
pub fn complain_on(text: fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}
