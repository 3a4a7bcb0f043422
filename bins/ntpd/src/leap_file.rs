//! The file of leap seconds.

use std::path::Path;

use ntp_os::read_file;

/// The published list has 6 kB.
const LONGEST: u64 = 1 << 20;

/// What the file holds.
///
/// # Errors
///
/// Why it can't be read, in words that name it.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    read_file(path, LONGEST)
        .map(|contents| contents.bytes)
        .map_err(|error| error.to_string())
}
