//! The file of symmetric keys.

use std::path::Path;

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
