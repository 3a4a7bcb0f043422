//! The files of Network Time Security: keys of cookies, and our certificate as a server.

use std::{io, path::Path, sync::Arc};

use ntp_conf::Nts;
use ntp_nts::{CookieKeys, ServerIdentity};
use ntp_os::{read_file, write_atomically};

use crate::log::Log;

/// No file of keys or certificates is longer.
pub(crate) const LONGEST: u64 = 1 << 20;

/// The keys of cookies that were kept; `None` if there are none that can be used.
pub(crate) fn read_cookie_keys(nts: &Nts, log: &mut Log) -> Option<CookieKeys> {
    let path = nts.enabled.then_some(&nts.cookie_file)?;
    let contents = match read_file(path, LONGEST) {
        Ok(contents) => contents,
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            log.error(&format!("nts cookie: {error}; new keys are made"));
            return None;
        }
    };
    if contents.is_world_readable() || contents.is_world_writable() {
        log.error(&format!(
            "nts cookie: everybody can read or write {}, so new keys are made in place of those",
            path.display()
        ));
        return None;
    }
    match CookieKeys::parse(&String::from_utf8_lossy(&contents.bytes)) {
        Ok(keys) => Some(keys),
        Err(error) => {
            log.error(&format!("nts cookie: {}: {error}", path.display()));
            None
        }
    }
}

/// Writes the keys of cookies whole or not at all.
pub(crate) fn write_cookie_keys(path: &Path, keys: &Arc<CookieKeys>, log: &mut Log) {
    if let Err(error) = write_atomically(path, keys.to_text().as_bytes(), 0o600) {
        log.error(&format!(
            "the keys of NTS cookies can't be kept in {}: {error}; after a restart clients have to \
             ask for new ones",
            path.display()
        ));
    }
}

/// Our certificate and its key, as they are in their files.
#[derive(PartialEq, Eq)]
pub(crate) struct IdentityBytes {
    chain: Vec<u8>,
    key: Vec<u8>,
}

impl IdentityBytes {
    /// Reads both files.
    ///
    /// # Errors
    ///
    /// What is wrong, in words that name the file.
    pub(crate) fn read(nts: &Nts) -> Result<Self, String> {
        let (Some(chain), Some(key)) = (&nts.certificate, &nts.key) else {
            return Err("there is no `nts cert` or no `nts key` line".to_owned());
        };
        let read = |path: &Path| read_file(path, LONGEST).map_err(|error| error.to_string());
        let (chain, secret) = (read(chain)?, read(key)?);
        if secret.is_world_readable() || secret.is_world_writable() {
            return Err(format!(
                "everybody can read or write the private key {0}, so it is not used: chmod 600 {0}",
                key.display()
            ));
        }
        Ok(Self {
            chain: chain.bytes,
            key: secret.bytes,
        })
    }

    /// What they are.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(crate) fn identity(&self, nts: &Nts) -> Result<ServerIdentity, String> {
        ServerIdentity::new(&self.chain, &self.key).map_err(|error| {
            let name = |path: &Option<std::path::PathBuf>| {
                path.as_ref()
                    .map(|path| path.display().to_string())
                    .unwrap_or_default()
            };
            format!("{}, {}: {error}", name(&nts.certificate), name(&nts.key))
        })
    }
}
