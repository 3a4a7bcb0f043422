//! The directory of key files: files named with their filestamp, and links that say which of them
//! is in force.
//!
//! A new file never takes the name of another, so nothing is ever overwritten. Links change only
//! once all files of a run are on the disk, each in one step; if one cannot be changed, those
//! before it are put back.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, symlink},
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use jiff::Zoned;
use ntp_keys::{KeyFile, KeyFileError};
use ntp_wire::Timestamp;
use zeroize::Zeroizing;

use crate::journal::tell;

/// No key file is longer.
const LONGEST: u64 = 1 << 20;

/// A directory of key files.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    directory: PathBuf,
}

/// When the files of a run are made.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    /// The time, in whole seconds.
    pub(crate) time: Timestamp,
    /// It in NTP seconds.
    pub(crate) filestamp: u32,
    /// It in words, for the second line of a file.
    pub(crate) date: String,
}

/// A file to be written, and the link to it.
#[derive(Clone)]
pub(crate) struct NewFile {
    /// What it is called in messages.
    pub(crate) kind: &'static str,
    /// Its name, with the filestamp.
    pub(crate) name: String,
    /// The name of the link.
    pub(crate) link: String,
    /// What is in it.
    pub(crate) text: Zeroizing<String>,
    /// Who may read it.
    pub(crate) mode: u32,
}

impl NewFile {
    /// For the owner only.
    pub(crate) const PRIVATE: u32 = 0o600;
    /// For everybody.
    pub(crate) const PUBLIC: u32 = 0o644;
}

/// What stood in the place of a link before.
enum Before {
    Nothing,
    Link(PathBuf),
    /// A file, which now has this name.
    File(PathBuf),
}

impl Store {
    /// The key files in `directory`.
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Waits until no other run works in this directory, and keeps others out while the answer
    /// lives. Where the file system has no locks it goes on without.
    pub(crate) fn lock(&self) -> Result<fs::File, StoreError> {
        let fail = |source| StoreError::Directory { source };
        let directory = fs::File::open(&self.directory).map_err(fail)?;
        match directory.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(fail(error)),
            _ => Ok(directory),
        }
    }

    /// Now, or the next second if files of this second are there.
    pub(crate) fn moment(&self) -> Result<Moment, StoreError> {
        const ATTEMPTS: usize = 30;
        let mut moment = Moment::now();
        for _ in 0..ATTEMPTS {
            if !self.has_files_of(moment.filestamp)? {
                return Ok(moment);
            }
            thread::sleep(Duration::from_millis(100));
            moment = Moment::now();
        }
        Err(StoreError::NoFilestamp(moment.filestamp))
    }

    fn has_files_of(&self, filestamp: u32) -> Result<bool, StoreError> {
        let end = format!(".{filestamp}");
        let fail = |source| StoreError::Directory { source };
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            if name.to_string_lossy().ends_with(&end) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where `name` is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// As [`open`](Self::open), for a file that nobody else may read: it says so if somebody can.
    pub(crate) fn open_private(&self, link: &str) -> Result<Option<KeyFile>, StoreError> {
        let file = self.open(link)?;
        if file.is_some()
            && fs::metadata(self.path(link)).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
        {
            tell(&format!(
                "Warning: everybody can read {link}: chmod 600 it, and make a new one if others \
                 may have seen it"
            ));
        }
        Ok(file)
    }

    /// The file that the link `link` names; `None` if there is no such link.
    pub(crate) fn open(&self, link: &str) -> Result<Option<KeyFile>, StoreError> {
        let path = self.path(link);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // What else is wrong reading tells.
            _ => {}
        }
        let contents = match ntp_os::read_file(&path, LONGEST) {
            Ok(contents) => contents,
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Dangling {
                    link: link.to_owned(),
                });
            }
            Err(error) => return Err(error.into()),
        };
        let text = Zeroizing::new(String::from_utf8_lossy(&contents.bytes).into_owned());
        match KeyFile::parse(&text) {
            Ok(file) => Ok(Some(file)),
            Err(problem) => Err(StoreError::Unusable {
                link: link.to_owned(),
                problem,
            }),
        }
    }

    /// A link to keys in force that leads to `file`.
    pub(crate) fn link_to(&self, file: &fs::Metadata) -> Option<String> {
        const IN_FORCE: [&str; 8] = [
            "ntpkey_host_",
            "ntpkey_sign_",
            "ntpkey_cert_",
            "ntpkey_iffkey_",
            "ntpkey_gqkey_",
            "ntpkey_mvta_",
            "ntpkey_mvkey_",
            "ntp.keys",
        ];
        let entries = fs::read_dir(&self.directory).ok()?;
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| IN_FORCE.iter().any(|start| name.starts_with(start)))
            .find(|name| {
                fs::metadata(self.path(name))
                    .is_ok_and(|named| (named.dev(), named.ino()) == (file.dev(), file.ino()))
            })
    }

    /// Writes `files`, then changes the links. If it fails all is as before.
    pub(crate) fn commit(&self, files: &[NewFile]) -> Result<(), StoreError> {
        let mut written = Vec::new();
        let mut changed = Vec::new();
        let done = self
            .write(files, &mut written)
            .and_then(|()| self.change_links(files, &mut changed));
        if done.is_err() {
            for (link, before) in changed.into_iter().rev() {
                self.put_back(link, before);
            }
            for path in written {
                let _ = fs::remove_file(path);
            }
        }
        done
    }

    fn write(&self, files: &[NewFile], written: &mut Vec<PathBuf>) -> Result<(), StoreError> {
        for file in files {
            let path = self.path(&file.name);
            ntp_os::write_atomically(&path, file.text.as_bytes(), file.mode).map_err(|source| {
                StoreError::Write {
                    name: file.name.clone(),
                    source,
                }
            })?;
            written.push(path);
        }
        Ok(())
    }

    fn change_links<'a>(
        &self,
        files: &'a [NewFile],
        changed: &mut Vec<(&'a str, Before)>,
    ) -> Result<(), StoreError> {
        for file in files {
            let fail = |source| StoreError::Link {
                link: file.link.clone(),
                source,
            };
            let before = self.keep(&file.link).map_err(fail)?;
            self.replace_link(&file.link, Path::new(&file.name))
                .map_err(fail)?;
            changed.push((&file.link, before));
            tell(&format!("Generating new {} file and link", file.kind));
            tell(&format!("{}->{}", file.link, file.name));
        }
        // The links are on the disk too before the run counts as done.
        fs::File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| StoreError::Directory { source })
    }

    /// Notes what stands in the place of a link, and gives a file there a second name.
    fn keep(&self, link: &str) -> io::Result<Before> {
        let path = self.path(link);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Before::Nothing),
            Err(error) => return Err(error),
        };
        if metadata.is_symlink() {
            return Ok(Before::Link(fs::read_link(&path)?));
        }
        if !metadata.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something else has that name",
            ));
        }
        for number in 1..100 {
            let name = format!("{link}.saved-{number}");
            let saved = self.path(&name);
            match fs::hard_link(&path, &saved) {
                Ok(()) => {
                    tell(&format!(
                        "{link} is a file, not a link: it is kept as {name}"
                    ));
                    return Ok(Before::File(saved));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("it is a file, and all of {link}.saved-1 to -99 are taken"),
        ))
    }

    /// Makes the link under another name, which then takes the place of the old one in one step.
    fn replace_link(&self, link: &str, target: &Path) -> io::Result<()> {
        let temporary = self.path(&format!(".{link}.{}.new", process::id()));
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        symlink(target, &temporary)?;
        fs::rename(&temporary, self.path(link)).inspect_err(|_| {
            let _ = fs::remove_file(&temporary);
        })
    }

    fn put_back(&self, link: &str, before: Before) {
        let path = self.path(link);
        let done = match before {
            Before::Nothing => fs::remove_file(&path),
            Before::Link(target) => self.replace_link(link, &target),
            Before::File(saved) => fs::rename(saved, &path),
        };
        match done {
            Ok(()) => tell(&format!("{link} is as before")),
            Err(error) => tell(&format!("{link} could not be put back: {error}")),
        }
    }
}

impl Moment {
    /// This one.
    pub(crate) fn now() -> Self {
        let now = Zoned::now();
        let time = Timestamp::from_unix(now.timestamp().as_second(), 0);
        Self {
            time,
            filestamp: time.to_wire().seconds(),
            date: now.strftime("%a %b %e %H:%M:%S %Y").to_string(),
        }
    }
}

/// Why files cannot be read or written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the directory of the keys: {source}; nothing was changed")]
    Directory { source: io::Error },
    #[error("files of {0} are there: wait a second and run it again")]
    NoFilestamp(u32),
    #[error("{0}")]
    Unreadable(#[from] ntp_os::ReadFileError),
    #[error("{link} leads nowhere: restore what it names, or remove the link for a new one")]
    Dangling { link: String },
    #[error("{link}: {problem}")]
    Unusable { link: String, problem: KeyFileError },
    #[error("cannot write {name}: {source}; nothing was changed")]
    Write { name: String, source: io::Error },
    #[error("cannot change the link {link}: {source}; nothing was changed")]
    Link { link: String, source: io::Error },
}

#[cfg(test)]
mod tests;
