//! The file of symmetric keys.

use std::{fs, path::Path};

use ntp_keys::KeyTable;
use ntp_os::read_file;

use crate::log::Log;

/// It may not be longer.
const LONGEST: u64 = 16 << 20;

/// Its keys; lines that are none are logged and left out.
///
/// # Errors
///
/// Why none of it is used: it can't be read, or others can.
pub(crate) fn read(path: &Path, log: &mut Log) -> Result<KeyTable, String> {
    let contents = read_file(path, LONGEST).map_err(|error| format!("keys file: {error}"))?;
    if contents.is_world_readable() || contents.is_world_writable() {
        return Err(format!(
            "the keys file {0} can be read or written by everybody, so its keys are not used: \
             chmod 640 {0}",
            path.display()
        ));
    }
    let (table, problems) = KeyTable::parse(&String::from_utf8_lossy(&contents.bytes));
    for problem in problems {
        log.error(&format!(
            "{}:{}: {}",
            path.display(),
            problem.line,
            problem.kind
        ));
    }
    Ok(table)
}

/// The same while the daemon runs, and somebody far away may have named the file: a pipe, or a
/// terminal, would keep everybody waiting for what somebody may write there.
///
/// # Errors
///
/// Those of [`read`], and what is no file.
pub(crate) fn read_anew(path: &Path, log: &mut Log) -> Result<KeyTable, String> {
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Err(format!(
            "{} is no plain file, and is not waited for while the daemon runs",
            path.display()
        )),
        // What else is wrong is found by reading.
        Ok(_) | Err(_) => read(path, log),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that can't go on has failed.

    use std::{os::unix::net::UnixListener, process::Command};

    use super::*;

    #[test]
    fn nobody_is_kept_waiting_by_a_pipe() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let (mut log, _) = Log::open(Some(&path("log")), false);
        let made = Command::new("mkfifo").arg(path("pipe")).status();
        // Without the program there is still the socket.
        if made.is_ok_and(|status| status.success()) {
            let refused = read_anew(&path("pipe"), &mut log).unwrap_err();
            assert!(refused.contains("is no plain file"), "{refused}");
        }
        let _listener = UnixListener::bind(path("socket")).unwrap();
        for name in ["socket", "."] {
            assert!(read_anew(&path(name), &mut log).is_err());
        }
        let refused = read_anew(&path("none"), &mut log).unwrap_err();
        assert!(refused.contains("No such file"), "{refused}");
        fs::write(path("keys"), "1 M secret\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path("keys"), mode).unwrap();
        assert_eq!(read_anew(&path("keys"), &mut log).unwrap().len(), 1);
    }
}
