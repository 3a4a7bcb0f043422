//! Files that are written whole or not at all, and read without surprises.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

/// Puts a file with these `bytes` and this `mode` in place of what `path` named, or leaves that as
/// it was: whoever reads it finds the old file or the new one, never a part, even if the machine
/// fails in the middle.
///
/// The bytes go to a new file beside it, which takes over the name once it is on the disk. What
/// `path` names is replaced, not followed: a symbolic link becomes a file. `mode` is set as it is,
/// whatever the umask. A crash may leave the other file, whose name begins with a dot and ends in
/// `.new`, which is harmless.
///
/// # Errors
///
/// What the system says to creating, writing, or renaming; nothing is left behind then.
pub fn write_atomically(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path, bytes, mode, Durability::Machine)
}

/// What must fail before a new file may be lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Durability {
    /// The disk: writing waits for it.
    Machine,
    /// The machine: writing is quick.
    Process,
}

/// [`write_atomically`] with a choice.
pub(crate) fn replace(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> io::Result<()> {
    let directory = directory_of(path);
    let (mut file, temporary) = create_beside(path, directory)?;
    let written = (|| {
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        if durability == Durability::Machine {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)
    })();
    if let Err(error) = written {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    if durability == Durability::Machine {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A new file that only this process can have made, readable by nobody else yet.
fn create_beside(path: &Path, directory: &Path) -> io::Result<(File, PathBuf)> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    const ATTEMPTS: usize = 64;
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(
            ErrorKind::InvalidInput,
            format!("{} does not name a file", path.display()),
        )
    })?;
    let mut last = ErrorKind::AlreadyExists.into();
    for _ in 0..ATTEMPTS {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(format!(".{}-{count}.new", process::id()));
        let temporary = directory.join(temporary);
        // With create_new a link in its place is not followed but refused.
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&temporary)
        {
            Ok(file) => return Ok((file, temporary)),
            // Left by a process of the same number that crashed.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// What [`read_file`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileContents {
    /// The contents.
    pub bytes: Vec<u8>,
    /// The permission bits, such as 0o640.
    pub mode: u32,
    /// The user that owns it.
    pub owner: u32,
    /// Whether it is a regular file, not a pipe or a device.
    pub is_regular: bool,
}

impl FileContents {
    /// Whether every user of the machine may read it: no place for a secret.
    pub const fn is_world_readable(&self) -> bool {
        self.mode & 0o004 != 0
    }

    /// Whether every user of the machine may change it.
    pub const fn is_world_writable(&self) -> bool {
        self.mode & 0o002 != 0
    }
}

/// Reads the file `path` whole, if it has no more than `limit` bytes. The permissions given back
/// are those of the file that was read, even if it is replaced meanwhile.
///
/// # Errors
///
/// [`ReadFileError`], with the path in its message.
pub fn read_file(path: &Path, limit: u64) -> Result<FileContents, ReadFileError> {
    let fail = |source| ReadFileError {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    let mut bytes = Vec::new();
    // One byte more tells "exactly the limit" from "beyond".
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(fail(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("it is longer than {limit} bytes"),
        )));
    }
    Ok(FileContents {
        bytes,
        mode: metadata.permissions().mode() & 0o7777,
        owner: std::os::unix::fs::MetadataExt::uid(&metadata),
        is_regular: metadata.is_file(),
    })
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {source}", path.display())]
pub struct ReadFileError {
    /// The file.
    pub path: PathBuf,
    /// What the system said; [`ErrorKind::FileTooLarge`] if it is beyond the limit.
    pub source: io::Error,
}

/// Writes the number of this process, and a line end, to the file `path`.
///
/// # Errors
///
/// Those of [`write_atomically`].
pub fn write_pid_file(path: &Path) -> io::Result<()> {
    write_atomically(path, format!("{}\n", process::id()).as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        for (text, mode) in [("one", 0o600), ("two, longer", 0o664), ("", 0o640)] {
            write_atomically(&path, text.as_bytes(), mode).unwrap();
            let contents = read_file(&path, 100).unwrap();
            assert_eq!(contents.bytes, text.as_bytes());
            assert_eq!(contents.mode, mode);
            assert_eq!(contents.is_world_readable(), mode & 4 != 0);
            assert!(contents.is_regular);
        }
        assert_eq!(names(directory.path()), ["drift"]);
    }

    #[test]
    fn a_link_is_replaced_and_what_it_named_is_safe() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        let victim = directory.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        write_atomically(&path, b"new", 0o644).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    /// A crash before the rename leaves the old file and a temporary one: neither hinders the next
    /// process, even one of the same number.
    #[test]
    fn what_a_crash_leaves_is_harmless() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("drift");
        write_atomically(&path, b"old", 0o644).unwrap();
        let (mut file, temporary) = create_beside(&path, directory.path()).unwrap();
        file.write_all(b"hal").unwrap();
        assert_eq!(
            fs::metadata(&temporary).unwrap().permissions().mode() & 0o777,
            0o600
        );
        drop(file);
        assert_eq!(read_file(&path, 100).unwrap().bytes, b"old");
        // Every name that this process would try next is taken, by links even, but for one.
        for count in 0..32 {
            let name = format!(".drift.{}-{count}.new", process::id());
            let _ = std::os::unix::fs::symlink(&path, directory.path().join(name));
        }
        write_atomically(&path, b"new", 0o644).unwrap();
        assert_eq!(read_file(&path, 100).unwrap().bytes, b"new");
        assert_eq!(fs::read(temporary).unwrap(), b"hal");
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(write_atomically(&path, b"x", 0o644).is_err());
        assert_eq!(names(directory.path()), ["taken"]);
        assert!(write_atomically(Path::new("/"), b"x", 0o644).is_err());
        assert!(write_atomically(&directory.path().join("no/file"), b"x", 0o644).is_err());
    }

    #[test]
    fn long_files_and_missing_ones_are_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        fs::write(&path, "0123456789").unwrap();
        assert_eq!(read_file(&path, 10).unwrap().bytes.len(), 10);
        let error = read_file(&path, 9).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::FileTooLarge);
        assert!(
            error
                .to_string()
                .contains("keys: it is longer than 9 bytes")
        );
        let error = read_file(&directory.path().join("none"), 9).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::NotFound);
        // A device without end is cut off like any long file.
        assert!(read_file(Path::new("/dev/zero"), 1000).is_err());
    }

    #[test]
    fn the_pid_file_holds_the_number() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ntpd.pid");
        write_pid_file(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim_end().parse(), Ok(process::id()));
    }
}
