//! `-e`: the parameters of an identity group, for its clients.
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

use ntp_keys::{
    KeyFile, KeyFileError, Protection, WriteError, write_gq_group, write_iff_group, write_mv_client,
};
use rand::CryptoRng;

use crate::{
    arguments::Arguments,
    group::Scheme,
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
    let (scheme, link, file) = find(arguments, names, store)?;
    let passwords = Passwords::new(arguments, &names.host);
    let choice = choose(passwords, scheme, &link, &file, names, store)?;

    let of_group = names
        .chosen_group()
        .or_else(|| group_of(&file))
        .unwrap_or(&names.host);
    tell(&format!("Using host {} group {of_group}", names.host));
    tell(&format!("Using {} keys {}", scheme.name(), file.name()));
    if arguments.trusted || arguments.private || arguments.scheme.is_some() {
        tell("-e only prints: -T, -P and -c have no effect");
    }
    tell(choice.explanation());
    if choice.dialect == Dialect::Of2008 && choice.export.is_none() {
        return Err(ExportFailure::NoExportPassword);
    }
    let kind = match choice.dialect {
        Dialect::Today => scheme.name().to_lowercase(),
        Dialect::Of2008 => scheme.name().to_owned(),
    };
    let name = format!("ntpkey_{kind}par_{of_group}.{}", file.filestamp());
    let text = parameters(&name, scheme, &file, choice, arguments, random)
        .map_err(|failure| failure.of(&link, passwords))?;
    tell(&format!(
        "Writing {} parameters {name} to stdout",
        scheme.name()
    ));
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
    scheme: Scheme,
    file: &KeyFile,
    choice: Choice<'_>,
    arguments: &Arguments,
    random: &mut R,
) -> Result<zeroize::Zeroizing<String>, Unprintable> {
    let protection = choice.export.map(|password| Protection {
        password,
        cipher: arguments.cipher,
    });
    let protection = protection.as_ref();
    let (local, date) = (choice.local, &Moment::now().date);
    Ok(match scheme {
        Scheme::Iff => {
            let clients = file.iff_group(local)?.without_secret();
            write_iff_group(name, date, &clients, protection, random)?
        }
        Scheme::Gq => {
            let clients = file.gq_group(local)?.without_secret();
            write_gq_group(name, date, &clients, protection, random)?
        }
        Scheme::Mv => {
            let number = arguments.mv_client.unwrap_or(1);
            if number as usize == file.mv_clients() {
                tell(&format!(
                    "Warning: client {number} is revoked: servers do not convince it"
                ));
            }
            tell(&format!(
                "Taking the keys of client {number} of {}",
                file.mv_clients()
            ));
            let keys = file.mv_client(local, number as usize)?;
            write_mv_client(name, date, &keys, protection, random)?
        }
    })
}

/// Why parameters can't be printed.
enum Unprintable {
    File(KeyFileError),
    Write(WriteError),
}

impl Unprintable {
    fn of(self, link: &str, passwords: Passwords<'_>) -> ExportFailure {
        match self {
            Self::File(problem) => ExportFailure::closed(link, problem, passwords),
            Self::Write(error) => error.into(),
        }
    }
}

impl From<KeyFileError> for Unprintable {
    fn from(problem: KeyFileError) -> Self {
        Self::File(problem)
    }
}

impl From<WriteError> for Unprintable {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

/// The file of the group that is meant.
fn find(
    arguments: &Arguments,
    names: &Names,
    store: &Store,
) -> Result<(Scheme, String, KeyFile), ExportFailure> {
    let wanted = match (arguments.mv_client, arguments.gq) {
        (Some(_), true) => return Err(ExportFailure::TwoGroups),
        (Some(_), false) => &[Scheme::Mv][..],
        (None, true) => &[Scheme::Gq][..],
        (None, false) => &Scheme::ALL[..],
    };
    let mut found = Vec::new();
    for &scheme in wanted {
        found.extend(find_of(scheme, names, store)?.map(|(link, file)| (scheme, link, file)));
    }
    for (scheme, ..) in found.iter().skip(1) {
        let option = match scheme {
            Scheme::Mv => "-e -v NUMBER",
            _ => "-e -G",
        };
        tell(&format!(
            "There is a group of {} too: {option} prints what its clients need",
            scheme.name()
        ));
    }
    found
        .into_iter()
        .next()
        .ok_or_else(|| ExportFailure::NoGroup {
            owner: names.chosen_group().unwrap_or(&names.host).to_owned(),
        })
}

/// The file of the group, under the names of today and of 2008.
fn find_of(
    scheme: Scheme,
    names: &Names,
    store: &Store,
) -> Result<Option<(String, KeyFile)>, ExportFailure> {
    let chosen = names.chosen_group();
    for owner in [chosen, Some(&names.host)].into_iter().flatten() {
        for link in [scheme.link(owner), scheme.link_of_2008(owner)] {
            let Some(file) = store.open_private(&link)? else {
                continue;
            };
            // A host that serves two groups has one of them under its own name.
            if chosen.is_some_and(|chosen| {
                owner != chosen && group_of(&file).is_some_and(|group| group != chosen)
            }) {
                continue;
            }
            return Ok(Some((link, file)));
        }
    }
    Ok(None)
}

/// The group that the first line of a file names.
fn group_of(file: &KeyFile) -> Option<&str> {
    let name = file.name();
    let rest = name.strip_prefix("ntpkey_")?;
    let (kind, rest) = rest.split_once('_')?;
    let is_group = ["IFFkey", "IFFpar", "GQkey", "GQpar", "MVta", "MVkey"].contains(&kind);
    let (group, _) = rest.rsplit_once('.')?;
    is_group.then_some(group)
}

/// Finds out which password is which by the group's file, or if that is not encrypted by the host
/// key.
fn choose<'a>(
    passwords: Passwords<'a>,
    scheme: Scheme,
    link: &str,
    file: &KeyFile,
    names: &Names,
    store: &Store,
) -> Result<Choice<'a>, ExportFailure> {
    if file.is_encrypted() {
        return passwords.choose(|password| match scheme.check(file, password) {
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
        "there is no such group of {owner} (ntpkey_iffkey_{owner}, ntpkey_gqkey_{owner} or \
         ntpkey_mvta_{owner}): run it where the server's keys are, or make a group by -I, -G or -V"
    )]
    NoGroup { owner: String },
    #[error("-G is for the GQ group and -v for the MV group: give one of them")]
    TwoGroups,
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
