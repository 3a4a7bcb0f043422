//! Files that `saveconfig` of ntpq writes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use jiff::{Zoned, fmt::strtime};
use ntp_engine::{SaveError, SaveRequest};

/// Writes the configuration to a new file, and gives its name: what was asked for, with the local
/// time where `%` asks for it.
///
/// # Errors
///
/// What is wrong, in words without the number of the error, which would tell the operator nothing.
pub(crate) fn write(request: &SaveRequest, now: &Zoned) -> Result<String, SaveError> {
    let unsafe_name = |name: &str| SaveError::UnsafeName(name.to_owned());
    let name = dated(&request.name, now).ok_or_else(|| unsafe_name(&request.name))?;
    let path = request.path(&name).ok_or_else(|| unsafe_name(&name))?;
    save(&path, &request.text).map_err(|error| {
        let text = error.to_string();
        let words = text.split(" (os error").next();
        SaveError::NotWritten(words.map(str::to_owned).unwrap_or_default())
    })?;
    Ok(name)
}

/// The name with the time where it asks for it; `None` if it asks for what there is not.
fn dated(name: &str, now: &Zoned) -> Option<String> {
    strtime::format(name.as_bytes(), now).ok()
}

/// Writes a new file that only its owner reads: a configuration may hold a password. What is there
/// already, be it a link, is left alone; and half a file is not left behind.
fn save(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file.write_all(text.as_bytes());
    written.and_then(|()| sync(&file, path)).inspect_err(|_| {
        // It is ours, and of no use.
        let _ = fs::remove_file(path);
    })
}

/// Waits until the file is on the disk, and its name in its directory.
fn sync(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that can't go on has failed.

    use super::*;

    #[test]
    fn the_time_stands_where_it_is_asked_for() {
        let now: Zoned = "2026-11-23T04:05:06+00:00[UTC]".parse().unwrap();
        for (name, dated_name) in [
            ("today.conf", "today.conf"),
            ("ntp-%Y%m%d-%H%M%S.conf", "ntp-20261123-040506.conf"),
            // What this holds is for the next check.
            ("%D", "11/23/26"),
        ] {
            assert_eq!(dated(name, &now).as_deref(), Some(dated_name));
        }
        for name in ["%", "a%!b", "%Y%"] {
            assert_eq!(dated(name, &now), None, "{name}");
        }
    }

    #[test]
    fn what_is_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.conf");
        save(&path, "first").unwrap();
        assert!(save(&path, "second").is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert!(save(&directory.path().join("no/a.conf"), "x").is_err());
    }
}
