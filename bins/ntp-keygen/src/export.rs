//! `-e`: the parameters of an IFF group, for its clients.
//!
//! Only what clients need is printed, never the secret: ntp-keygen 4.2.8 prints that too if there
//! is an export password. With such a password the parameters are encrypted by it here, since who
//! gives one wants that, and who has the parameters can pass for a server of the group. Clients of
//! ntpd 4.2.6 and later read parameters without any password: for them none must be given.

use std::{
    fs::{File, Metadata},
    io::{self, Write, stdout},
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use ntp_keys::{IffGroup, KeyFile, KeyFileError, Protection, WriteError, write_iff_group};
use rand::CryptoRng;

use crate::{
    arguments::Arguments,
    journal::tell,
    names::Names,
    password::{Choice, Dialect, Passwords},
    store::{Moment, Store, StoreError},
};

/// Prints the parameters of the group on the standard output.
pub(crate) fn print<R: CryptoRng>(
    arguments: &Arguments,
    names: &Names,
    store: &Store,
    random: &mut R,
) -> Result<(), ExportFailure> {
    let target = output();
    if let Some(link) = target.as_ref().and_then(|file| store.link_to(file)) {
        return Err(ExportFailure::OntoItself { link });
    }
    let (link, file) = find(names, store)?;
    let passwords = Passwords::new(arguments, &names.host);
    let choice = choose(passwords, &link, &file, names, store)?;
    let group = file
        .iff_group(choice.local)
        .map_err(|problem| ExportFailure::closed(&link, problem, passwords))?;

    let of_group = names
        .chosen_group()
        .or_else(|| group_of(&file))
        .unwrap_or(&names.host);
    tell(&format!("Using host {} group {of_group}", names.host));
    tell(&format!("Using IFF keys {}", file.name()));
    if arguments.trusted || arguments.private || arguments.scheme.is_some() {
        tell("-e only prints: -T, -P and -c have no effect");
    }
    tell(choice.explanation());
    if choice.dialect == Dialect::Of2008 && choice.export.is_none() {
        return Err(ExportFailure::NoExportPassword);
    }
    let name = match choice.dialect {
        Dialect::Today => format!("ntpkey_iffpar_{of_group}.{}", file.filestamp()),
        Dialect::Of2008 => format!("ntpkey_IFFpar_{of_group}.{}", file.filestamp()),
    };
    let text = parameters(&name, &group, choice, arguments, random)?;
    tell(&format!("Writing IFF parameters {name} to stdout"));
    if choice.export.is_none() {
        warn_of_readers(target.as_ref());
    }
    let mut output = stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(ExportFailure::Output)
}

fn parameters<R: CryptoRng>(
    name: &str,
    group: &IffGroup,
    choice: Choice<'_>,
    arguments: &Arguments,
    random: &mut R,
) -> Result<zeroize::Zeroizing<String>, WriteError> {
    let protection = choice.export.map(|password| Protection {
        password,
        cipher: arguments.cipher,
    });
    let clients = group.without_secret();
    write_iff_group(
        name,
        &Moment::now().date,
        &clients,
        protection.as_ref(),
        random,
    )
}

/// The file of the group, under the names of today and of 2008.
fn find(names: &Names, store: &Store) -> Result<(String, KeyFile), ExportFailure> {
    let chosen = names.chosen_group();
    for owner in [chosen, Some(&names.host)].into_iter().flatten() {
        for link in [
            format!("ntpkey_iffkey_{owner}"),
            format!("ntpkey_iff_{owner}"),
        ] {
            let Some(file) = store.open_private(&link)? else {
                continue;
            };
            // A host that serves two groups has one of them under its own name.
            if chosen.is_some_and(|chosen| {
                owner != chosen && group_of(&file).is_some_and(|group| group != chosen)
            }) {
                continue;
            }
            return Ok((link, file));
        }
    }
    Err(ExportFailure::NoGroup {
        owner: chosen.unwrap_or(&names.host).to_owned(),
    })
}

/// The group that the first line of a file names.
fn group_of(file: &KeyFile) -> Option<&str> {
    let name = file.name();
    let rest = ["ntpkey_IFFkey_", "ntpkey_IFFpar_"]
        .into_iter()
        .find_map(|start| name.strip_prefix(start))?;
    rest.rsplit_once('.').map(|(group, _)| group)
}

/// Finds out which password is which by the group's file, or if that is not encrypted by the host
/// key.
fn choose<'a>(
    passwords: Passwords<'a>,
    link: &str,
    file: &KeyFile,
    names: &Names,
    store: &Store,
) -> Result<Choice<'a>, ExportFailure> {
    if file.is_encrypted() {
        return passwords.choose(|password| match file.iff_group(password) {
            Ok(_) => Ok(()),
            Err(problem) => Err(ExportFailure::closed(link, problem, passwords)),
        });
    }
    let link = format!("ntpkey_host_{}", names.host);
    match store.open_private(&link)? {
        Some(file) => passwords.choose(|password| match file.private_key(password) {
            Ok(_) => Ok(()),
            Err(problem) => Err(ExportFailure::closed(&link, problem, passwords)),
        }),
        None => Ok(passwords.today()),
    }
}

/// The file that the standard output goes to, if it is one.
fn output() -> Option<Metadata> {
    let output = stdout().as_fd().try_clone_to_owned().ok()?;
    File::from(output).metadata().ok().filter(Metadata::is_file)
}

fn warn_of_readers(target: Option<&Metadata>) {
    if target.is_some_and(|file| file.mode() & 0o004 != 0) {
        tell(
            "Warning: everybody can read the file with the parameters, and who has them can pass for a server of the group: chmod 600 it",
        );
    }
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "there is no IFF key of {owner} (ntpkey_iffkey_{owner}): run it where the server's keys \
         are, or make a group by -I"
    )]
    NoGroup { owner: String },
    #[error(
        "{link}: {tried}: give the password of the server's keys by -p, and the one for export by -q"
    )]
    Password { link: String, tried: &'static str },
    #[error("{link}: {problem}")]
    Closed { link: String, problem: KeyFileError },
    #[error(
        "the password of -q opens the server's keys, so it is none for export: give it by -p, and \
         another by -q if the parameters shall be encrypted"
    )]
    NoExportPassword,
    #[error(
        "the standard output goes to the file that {link} names, which the shell may have emptied: \
         restore that file, and export to another name"
    )]
    OntoItself { link: String },
    #[error("the parameters cannot be written: {0}")]
    Write(#[from] WriteError),
    #[error("the standard output: {0}; what is there is not whole")]
    Output(io::Error),
}

impl ExportFailure {
    fn closed(link: &str, problem: KeyFileError, passwords: Passwords<'_>) -> Self {
        let link = link.to_owned();
        match problem {
            KeyFileError::WrongPassword => Self::Password {
                link,
                tried: passwords.tried(),
            },
            problem => Self::Closed { link, problem },
        }
    }
}
