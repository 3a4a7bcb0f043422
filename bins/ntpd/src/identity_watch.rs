//! Whether the files of Autokey are still those that were read.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use ntp_conf::Crypto;
use ntp_engine::IdentityFiles;

use crate::{identity, log::Log};

/// Looks at the directory, and reads what is in it if that has changed.
///
/// ntp-keygen writes one file after the other. So a change is read only once two looks in a row
/// have found the same.
pub(crate) struct IdentityWatch {
    directory: PathBuf,
    crypto: Crypto,
    /// As it was read.
    read: Option<Sight>,
    /// As it was at the last look.
    seen: Option<Sight>,
}

/// Each file and link whose name begins with `ntpkey_`, and what tells one state of it from
/// another.
type Sight = BTreeMap<OsString, State>;

#[derive(Clone, PartialEq, Eq)]
struct State {
    link: Option<PathBuf>,
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl IdentityWatch {
    /// The files have just been read.
    pub(crate) fn new(directory: PathBuf, crypto: Crypto) -> Self {
        let read = look(&directory);
        Self {
            directory,
            crypto,
            seen: read.clone(),
            read,
        }
    }

    /// What is new, if there is something and it has come to rest.
    pub(crate) fn look(&mut self, log: &mut Log) -> Option<IdentityFiles> {
        // Where the directory is out of reach (in a jail, or as another user), all stays as it is.
        let now = look(&self.directory)?;
        let rests = self.seen.as_ref() == Some(&now);
        if !rests || self.read.as_ref() == Some(&now) {
            self.seen = Some(now);
            return None;
        }
        self.read = Some(now);
        log.information(&format!(
            "crypto: the files in {} have changed and are read again",
            self.directory.display()
        ));
        let identity = identity::load(&self.directory, &self.crypto, log);
        Some(IdentityFiles {
            credentials: identity.credentials,
            groups: identity.groups,
        })
    }
}

fn look(directory: &Path) -> Option<Sight> {
    let entries = std::fs::read_dir(directory).ok()?;
    let states = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name();
        if !name.as_encoded_bytes().starts_with(b"ntpkey_") {
            return None;
        }
        let path = entry.path();
        // What the name leads to; a link that leads nowhere says nothing yet.
        let metadata = std::fs::metadata(&path).ok()?;
        let state = State {
            link: std::fs::read_link(&path).ok(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        Some((name, state))
    });
    Some(states.collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_change_is_read_once_it_has_come_to_rest() {
        let directory = std::env::temp_dir().join(format!("identity-watch-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
        let (mut log, _) = Log::open(None, true);
        write("ntpkey_RSAhost_a.1", "one");
        symlink("ntpkey_RSAhost_a.1", directory.join("ntpkey_host_a")).unwrap();
        let mut watch = IdentityWatch::new(directory.clone(), Crypto::default());
        assert!(watch.look(&mut log).is_none());
        write("other", "is none of ours");
        assert!(watch.look(&mut log).is_none());
        assert!(watch.look(&mut log).is_none());
        // ntp-keygen runs again, and the look comes in between.
        write("ntpkey_RSAhost_a.2", "three");
        assert!(watch.look(&mut log).is_none());
        std::fs::remove_file(directory.join("ntpkey_host_a")).unwrap();
        symlink("ntpkey_RSAhost_a.2", directory.join("ntpkey_host_a")).unwrap();
        assert!(watch.look(&mut log).is_none());
        let files = watch.look(&mut log).unwrap();
        assert!(files.credentials.is_none(), "that is no key");
        // Nothing more is said of it.
        assert!(watch.look(&mut log).is_none());
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(watch.look(&mut log).is_none());
    }
}
