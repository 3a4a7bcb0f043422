//! Files that `saveconfig` of ntpq writes.

use std::{
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// Writes the configuration to a new file.
///
/// # Errors
///
/// What is wrong, in words without the number of the error, which would tell the operator nothing.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), String> {
    save(path, text).map_err(|error| {
        let text = error.to_string();
        let words = text.split(" (os error").next();
        words.map(str::to_owned).unwrap_or_default()
    })
}

/// Writes a new file that only its owner reads: a configuration may hold a password. What is there
/// already, be it a link, is left alone.
fn save(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
