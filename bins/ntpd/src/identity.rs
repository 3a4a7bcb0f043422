//! The Autokey files in `keysdir`: who we are, and which groups we know.

use std::{
    io,
    path::{Path, PathBuf},
};

use ntp_autokey::{
    Credentials, GqKey, IdentityGroups, IdentityKey, IdentityScheme, IffKey, MvClientKey,
    MvServerKey, Stamp,
};
use ntp_conf::Crypto;
use ntp_keys::{KeyFile, KeyFileError};
use ntp_os::{FileContents, host_name, read_file};

use crate::log::Log;

/// No key file is longer.
const LONGEST: u64 = 1 << 20;

/// What was found.
pub(crate) struct Identity {
    /// Who we are; `None` if something is missing, which was then logged.
    pub(crate) credentials: Option<Credentials>,
    /// The groups whose parameters are at hand.
    pub(crate) groups: IdentityGroups,
}

/// Why a file is not used.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{}: there is no such file: run ntp-keygen in that directory (ntpd looks there again), or name the right one by keysdir", .0.display())]
    Missing(PathBuf),
    #[error("{0}")]
    Unreadable(#[from] ntp_os::ReadFileError),
    #[error("{}: everybody can read this private key, so it is not used: chmod 600 it, and make a new one if others may have seen it", .0.display())]
    WorldReadable(PathBuf),
    #[error("{}: this is no file, but a directory, a pipe or a device", .0.display())]
    NoFile(PathBuf),
    #[error("{}: everybody can write this file, so it is not used: chmod go-w it, and make sure that it is still yours", .0.display())]
    WorldWritable(PathBuf),
    #[error("{}: {problem}", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        problem: KeyFileError,
    },
}

/// Reads the files in `directory`, and logs what is wrong with each.
pub(crate) fn load(directory: &Path, crypto: &Crypto, log: &mut Log) -> Identity {
    let host = crypto
        .host
        .clone()
        .or_else(|| host_name().ok())
        .unwrap_or_default();
    let password = crypto.password.as_deref().unwrap_or(&host);
    let directory = Directory {
        path: directory,
        password,
    };
    let groups = directory.groups(log);
    let credentials = match directory.credentials(&host, crypto.ident.as_deref(), log) {
        Ok(credentials) => Some(credentials),
        Err(error) => {
            log.error(&format!("crypto: {error}"));
            None
        }
    };
    Identity {
        credentials,
        groups,
    }
}

struct Directory<'a> {
    path: &'a Path,
    password: &'a str,
}

impl Directory<'_> {
    fn credentials(
        &self,
        host: &str,
        ident: Option<&str>,
        log: &mut Log,
    ) -> Result<Credentials, FileError> {
        let (host_file, path) = self.private(&format!("ntpkey_host_{host}"))?;
        let host_key = host_file
            .private_key(self.password)
            .map_err(|problem| FileError::Unusable { path, problem })?;
        let sign_key = match self.private(&format!("ntpkey_sign_{host}")) {
            Ok((file, path)) => Some(
                file.sign_key(self.password)
                    .map_err(|problem| FileError::Unusable { path, problem })?,
            ),
            Err(FileError::Missing(_)) => None,
            Err(error) => return Err(error),
        };
        let (certificate_file, path, _) = self.open(&format!("ntpkey_cert_{host}"))?;
        let certificate = certificate_file
            .certificate()
            .map_err(|problem| FileError::Unusable { path, problem })?;
        let weak = certificate.scheme().is_weak() || host_key.is_weak();
        if weak {
            log.warning(&format!(
                "crypto: RSA of {} bits with {} can be forged: make new keys with ntp-keygen \
                 unless an old peer needs these",
                host_key.bits(),
                certificate.scheme().name(),
            ));
        }
        Ok(Credentials {
            host_key,
            host_key_filestamp: Stamp::new(host_file.filestamp()),
            sign_key,
            certificate,
            certificate_filestamp: Stamp::new(certificate_file.filestamp()),
            identity: IdentityScheme::ALL
                .into_iter()
                .filter_map(|scheme| self.server_group(scheme, host, ident, log))
                .collect(),
        })
    }

    /// The server's half of a group: under the group's name or ours, as of today or of 2008.
    fn server_group(
        &self,
        scheme: IdentityScheme,
        host: &str,
        ident: Option<&str>,
        log: &mut Log,
    ) -> Option<IdentityKey> {
        let word = scheme.word();
        let names = [
            Some(format!("ntpkey_{word}key_{host}")),
            ident.map(|group| format!("ntpkey_{word}key_{group}")),
            Some(format!("ntpkey_{word}_{host}")),
            // The authority of an MV group has the server's half too.
            (scheme == IdentityScheme::Mv).then(|| format!("ntpkey_mvta_{host}")),
        ];
        for name in names.into_iter().flatten() {
            match self.group(scheme, &name, Half::Servers, log) {
                Ok(key) if key.is_server() => return Some(key),
                // Parameters, as a client has them: no server's half.
                Ok(_) | Err(FileError::Missing(_)) => {}
                Err(error) => log.error(&format!("crypto: {error}")),
            }
        }
        None
    }

    /// Every file of parameters, by the name that follows `ntpkey_iffpar_` or `ntpkey_iff_`, and so
    /// on for the other schemes.
    fn groups(&self, log: &mut Log) -> IdentityGroups {
        let mut groups = IdentityGroups::new();
        let mut names: Vec<String> = match std::fs::read_dir(self.path) {
            Ok(entries) => entries
                .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
                .collect(),
            Err(error) => {
                log.error(&format!("crypto: keysdir {}: {error}", self.path.display()));
                Vec::new()
            }
        };
        // Today's names last, so that they win over those of 2008.
        names.sort_unstable_by_key(|name| (name.contains("par_"), name.clone()));
        for name in names {
            let Some((scheme, group)) = parameters(&name) else {
                continue;
            };
            match self.group(scheme, &name, Half::Clients, log) {
                Ok(key) => groups.insert(group, key),
                Err(error) => {
                    log.error(&format!("crypto: {error}"));
                    groups.insert_unusable(group);
                }
            }
        }
        groups
    }

    fn group(
        &self,
        scheme: IdentityScheme,
        name: &str,
        half: Half,
        log: &mut Log,
    ) -> Result<IdentityKey, FileError> {
        let (file, path, contents) = self.open(name)?;
        let made = Stamp::new(file.filestamp());
        let unusable = |problem| FileError::Unusable {
            path: path.clone(),
            problem,
        };
        // `is_secret` tells whether there is more in the file than clients may know.
        let (key, is_secret): (IdentityKey, bool) = match (scheme, half) {
            (IdentityScheme::Iff, half) => {
                let group = file.iff_group(self.password).map_err(unusable)?;
                let is_secret = group.secret().is_some();
                let group = match half {
                    Half::Servers => group,
                    Half::Clients => group.without_secret(),
                };
                (IffKey::new(group, made).into(), is_secret)
            }
            (IdentityScheme::Gq, half) => {
                let group = file.gq_group(self.password).map_err(unusable)?;
                let is_secret = group.secret().is_some();
                let group = match half {
                    Half::Servers => group,
                    Half::Clients => group.without_secret(),
                };
                (GqKey::new(group, made).into(), is_secret)
            }
            (IdentityScheme::Mv, Half::Servers) => {
                let keys = file.mv_server(self.password).map_err(unusable)?;
                (MvServerKey::new(keys, made).into(), true)
            }
            (IdentityScheme::Mv, Half::Clients) => {
                // Of an authority's whole file, as 2008 had it under this name, the first client.
                let keys = file.mv_client(self.password, 1).map_err(unusable)?;
                (MvClientKey::new(keys, made).into(), file.mv_clients() > 1)
            }
        };
        if contents.is_world_readable() {
            if is_secret {
                return Err(FileError::WorldReadable(path));
            }
            if !file.is_encrypted() {
                log.warning(&format!(
                    "crypto: {}: everybody can read these parameters, and who has them can pass \
                     for a member of the group: chmod 640 it",
                    path.display()
                ));
            }
        }
        Ok(key)
    }

    /// A file that nobody else may read.
    fn private(&self, name: &str) -> Result<(KeyFile, PathBuf), FileError> {
        let (file, path, contents) = self.open(name)?;
        if contents.is_world_readable() {
            return Err(FileError::WorldReadable(path));
        }
        Ok((file, path))
    }

    fn open(&self, name: &str) -> Result<(KeyFile, PathBuf, FileContents), FileError> {
        let path = self.path.join(name);
        // Who opens a pipe waits for somebody to write into it.
        if std::fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(FileError::NoFile(path));
        }
        let contents = match read_file(&path, LONGEST) {
            Ok(contents) => contents,
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
                return Err(FileError::Missing(path));
            }
            Err(error) => return Err(error.into()),
        };
        if contents.is_world_writable() {
            return Err(FileError::WorldWritable(path));
        }
        match KeyFile::parse(&String::from_utf8_lossy(&contents.bytes)) {
            Ok(file) => Ok((file, path, contents)),
            Err(problem) => Err(FileError::Unusable { path, problem }),
        }
    }
}

/// Which part of a group is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Servers,
    Clients,
}

/// The scheme and the group of a file of parameters, by its name.
fn parameters(name: &str) -> Option<(IdentityScheme, &str)> {
    IdentityScheme::ALL.into_iter().find_map(|scheme| {
        let rest = name.strip_prefix("ntpkey_")?.strip_prefix(scheme.word())?;
        let group = rest
            .strip_prefix("par_")
            .or_else(|| rest.strip_prefix('_'))?;
        Some((scheme, group))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_of_parameters_makes_its_group_unusable() {
        let directory = std::env::temp_dir().join(format!("identity-{}", std::process::id()));
        let path = |name: &str| directory.join(name);
        std::fs::create_dir_all(path("ntpkey_iffpar_directory")).unwrap();
        let pipe = path("ntpkey_gqpar_pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        std::os::unix::fs::symlink("ntpkey_iff_loop", path("ntpkey_iff_loop")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("ntpkey_mvpar_device")).unwrap();
        std::fs::write(path("ntpkey_iffpar_empty"), "").unwrap();
        let block = "-----BEGIN DSA PRIVATE KEY-----\nMAA=\n-----END DSA PRIVATE KEY-----\n";
        let cut = &block[..60];
        let texts = [
            ("garbage", "\u{0}\u{ff}\r\n".repeat(1000)),
            ("cut", format!("# ntpkey_x.4000000000\r\n\r\n{cut}")),
            ("hollow", format!("# ntpkey_x.4000000000\r\n{block}")),
            ("huge", "# ntpkey_x.4000000000\n".repeat(1 << 16)),
            ("stampless", block.to_owned()),
        ];
        for (group, text) in &texts {
            std::fs::write(path(&format!("ntpkey_iffpar_{group}")), text).unwrap();
        }
        let (mut log, _) = Log::open(None, true);
        let identity = load(&directory, &Crypto::default(), &mut log);
        assert!(identity.credentials.is_none());
        let others = ["directory", "pipe", "loop", "device", "empty"];
        for group in others
            .into_iter()
            .chain(texts.iter().map(|(group, _)| *group))
        {
            assert!(identity.groups.is_unusable(group), "{group}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn names_of_files_tell_scheme_and_group() {
        for (name, wanted) in [
            ("ntpkey_iffpar_grp", Some((IdentityScheme::Iff, "grp"))),
            ("ntpkey_iff_server", Some((IdentityScheme::Iff, "server"))),
            ("ntpkey_gqpar_a_b", Some((IdentityScheme::Gq, "a_b"))),
            ("ntpkey_mv_x", Some((IdentityScheme::Mv, "x"))),
            ("ntpkey_iffkey_server", None),
            ("ntpkey_mvta_server", None),
            ("ntpkey_IFFpar_grp.4000000000", None),
            ("ntpkey_host_iff", None),
        ] {
            assert_eq!(parameters(name), wanted, "{name}");
        }
    }
}
