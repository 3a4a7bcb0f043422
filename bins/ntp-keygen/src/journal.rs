//! What is told while it works.

use std::io::{Write, stderr};

/// Writes a line to the standard error output. If nobody listens the work goes on.
pub(crate) fn tell(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}
