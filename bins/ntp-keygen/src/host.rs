//! What a run makes: the keys that are missing or asked for, and a certificate.
//!
//! All is read, checked and made in memory before the first file is written, so a run that fails
//! leaves what was in force. The link to the certificate changes last.

use ntp_keys::{
    KeyFile, KeyFileError, PrivateKey, PrivateKeyError, Protection, WriteError, write_private_key,
};
use rand::CryptoRng;

use crate::{
    arguments::Arguments,
    certificate::{self, CertificateFailure, Terms},
    group::{GroupFailure, Maker, Scheme},
    journal::tell,
    names::Names,
    password::{Choice, Dialect, Passwords},
    store::{Moment, NewFile, Store, StoreError},
};

/// Makes what is missing or asked for.
pub(crate) fn make<R: CryptoRng>(
    arguments: &Arguments,
    names: Names,
    store: &Store,
    random: &mut R,
) -> Result<(), HostFailure> {
    let old = certificate::open(&names, store)?;
    let names = names.or_group_of(old.as_ref());
    tell(&format!(
        "Using host {} group {}",
        names.host,
        names.group()
    ));
    let keys = Reused::open(arguments, &names, store)?;
    let choice = keys.choose(arguments, &names)?;

    let mut run = Run {
        moment: store.moment()?,
        protection: Protection {
            password: choice.local,
            cipher: arguments.cipher,
        },
        names: &names,
        files: Vec::new(),
        random,
    };
    let host_key = match &keys.host {
        Some(file) => {
            tell(&format!("Using host key {}", file.name()));
            let key = file.open(choice.local, KeyFile::private_key)?;
            note_size(arguments, &key);
            key
        }
        None => run.new_key("host", arguments.rsa_bits())?,
    };
    let sign_key = match &keys.sign {
        Some(file) => {
            tell(&format!("Using sign key {}", file.name()));
            Some(file.open(choice.local, KeyFile::sign_key)?)
        }
        None if arguments.wants_dsa() => Some(run.new_dsa_key(arguments.rsa_bits())?),
        None if arguments.sign_key.is_some() => Some(run.new_key("sign", arguments.rsa_bits())?),
        None => {
            tell("Using host key as sign key");
            None
        }
    };
    let group_key = run.groups(arguments, &keys)?;
    let signer = sign_key.as_ref().unwrap_or(&host_key);
    let terms = Terms::new(arguments, old.as_ref(), signer);
    let certificate = terms.issue(
        &names,
        signer,
        group_key.as_deref(),
        arguments.lifetime,
        &run.moment,
    )?;
    warn_of_weakness(terms, [&host_key, signer]);
    run.files.push(certificate);
    Ok(store.commit(&run.files)?)
}

/// What new files have in common.
struct Run<'a, R> {
    moment: Moment,
    protection: Protection<'a>,
    names: &'a Names,
    files: Vec<NewFile>,
    random: &'a mut R,
}

impl<R: CryptoRng> Run<'_, R> {
    /// An RSA key, `host` or `sign`.
    fn new_key(&mut self, kind: &'static str, bits: u32) -> Result<PrivateKey, HostFailure> {
        tell(&format!("Generating RSA keys ({bits} bits)..."));
        let key = PrivateKey::generate(bits, self.random)?;
        self.keep_key(kind, "RSA", &key)?;
        Ok(key)
    }

    /// A DSA key for signatures.
    fn new_dsa_key(&mut self, bits: u32) -> Result<PrivateKey, HostFailure> {
        tell(&format!("Generating DSA keys ({bits} bits)..."));
        let key = PrivateKey::generate_dsa(bits, self.random)?;
        self.keep_key("sign", "DSA", &key)?;
        Ok(key)
    }

    fn keep_key(
        &mut self,
        kind: &'static str,
        algorithm: &str,
        key: &PrivateKey,
    ) -> Result<(), HostFailure> {
        let host = &self.names.host;
        let name = format!("ntpkey_{algorithm}{kind}_{host}.{}", self.moment.filestamp);
        let protection = Some(&self.protection);
        let text = write_private_key(&name, &self.moment.date, key, protection, self.random)?;
        self.files.push(NewFile {
            kind,
            name,
            link: format!("ntpkey_{kind}_{host}"),
            text,
            mode: NewFile::PRIVATE,
        });
        Ok(())
    }

    /// The groups that are asked for; what of the GQ group, new or old, goes into the certificate.
    fn groups(
        &mut self,
        arguments: &Arguments,
        keys: &Reused,
    ) -> Result<Option<Vec<u8>>, HostFailure> {
        let mut group_key = None;
        for (scheme, file) in &keys.groups {
            tell(&format!("Using {} keys {}", scheme.name(), file.name()));
            if *scheme == Scheme::Gq {
                let group = file.open(self.protection.password, KeyFile::gq_group)?;
                group_key = group.v().map(|v| v.to_bytes_be());
            }
        }
        let maker = Maker {
            moment: &self.moment,
            protection: &self.protection,
            names: self.names,
        };
        let bits = arguments.group_bits;
        if arguments.iff_key {
            self.files.push(maker.iff(bits, self.random)?);
        }
        if arguments.gq {
            let (file, group) = maker.gq(bits, self.random)?;
            self.files.push(file);
            group_key = group.v().map(|v| v.to_bytes_be());
        }
        if let Some(clients) = arguments.mv_clients {
            self.files.extend(maker.mv(clients, bits, self.random)?);
        }
        Ok(group_key)
    }
}

/// The private files that are there and are used again.
struct Reused {
    host: Option<Reuse>,
    sign: Option<Reuse>,
    groups: Vec<(Scheme, Reuse)>,
}

/// One of them.
struct Reuse {
    link: String,
    file: KeyFile,
}

impl Reused {
    fn open(arguments: &Arguments, names: &Names, store: &Store) -> Result<Self, StoreError> {
        let open = |replaced: bool, link: String| -> Result<Option<Reuse>, StoreError> {
            if replaced {
                return Ok(None);
            }
            let file = store.open_private(&link)?;
            Ok(file.map(|file| Reuse { link, file }))
        };
        let host = &names.host;
        let mut groups = Vec::new();
        for scheme in Scheme::ALL {
            let file = open(scheme.is_wanted(arguments), scheme.link(host))?;
            groups.extend(file.map(|file| (scheme, file)));
        }
        Ok(Self {
            groups,
            host: open(arguments.host_key, format!("ntpkey_host_{host}"))?,
            sign: open(arguments.sign_key.is_some(), format!("ntpkey_sign_{host}"))?,
        })
    }

    /// Finds the password of all of them, which will be that of the new ones.
    fn choose<'a>(
        &self,
        arguments: &'a Arguments,
        names: &'a Names,
    ) -> Result<Choice<'a>, HostFailure> {
        let passwords = Passwords::new(arguments, &names.host);
        let choice = passwords.choose(|password| self.check(password, passwords))?;
        let makes_private = self.host.is_none()
            || arguments.sign_key.is_some()
            || Scheme::ALL
                .into_iter()
                .any(|scheme| scheme.is_wanted(arguments));
        match choice.dialect {
            Dialect::Today if choice.export.is_some() => {
                tell("-q has no effect without -e");
            }
            Dialect::Today => {}
            Dialect::Of2008 => {
                if makes_private && choice.export.is_some_and(|other| other != choice.local) {
                    return Err(HostFailure::TwoPasswords);
                }
                tell(choice.explanation());
            }
        }
        Ok(choice)
    }

    fn check(&self, password: &str, passwords: Passwords<'_>) -> Result<(), HostFailure> {
        let tried = |failure| match failure {
            HostFailure::Closed {
                link,
                problem: KeyFileError::WrongPassword,
            } => HostFailure::Password {
                link,
                tried: passwords.tried(),
            },
            other => other,
        };
        if let Some(file) = &self.host {
            file.open(password, KeyFile::private_key).map_err(tried)?;
        }
        if let Some(file) = &self.sign {
            file.open(password, KeyFile::sign_key).map_err(tried)?;
        }
        for (scheme, file) in &self.groups {
            file.open(password, |file, password| scheme.check(file, password))
                .map_err(tried)?;
        }
        Ok(())
    }
}

impl Reuse {
    fn name(&self) -> &str {
        self.file.name()
    }

    fn open<T>(
        &self,
        password: &str,
        content: impl Fn(&KeyFile, &str) -> Result<T, KeyFileError>,
    ) -> Result<T, HostFailure> {
        content(&self.file, password).map_err(|problem| HostFailure::Closed {
            link: self.link.clone(),
            problem,
        })
    }
}

/// `-m` is for new keys.
fn note_size(arguments: &Arguments, key: &PrivateKey) {
    if arguments.modulus.is_some_and(|bits| bits != key.bits()) {
        tell(&format!(
            "The host key that is there has {} bits; -H with -m makes a new one",
            key.bits()
        ));
    }
}

fn warn_of_weakness(terms: Terms, keys: [&PrivateKey; 2]) {
    if let Some(key) = keys.into_iter().find(|key| key.is_weak()) {
        tell(&format!(
            "Warning: {} of {} bits can be broken, and whoever does so passes for this host: use \
             it only towards hosts of 2008 that take no more; -H -m 2048 makes a better key",
            if key.is_dsa() { "DSA" } else { "RSA" },
            key.bits()
        ));
    }
    if terms.scheme.is_weak() {
        tell(&format!(
            "Warning: signatures of {} can be forged: use them only towards hosts of 2008 that \
             take no others; -c RSA-SHA256 makes better ones",
            terms.scheme
        ));
    }
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Certificate(#[from] CertificateFailure),
    #[error("{link}: {tried}: give its password by -p, or move the link away to begin anew")]
    Password { link: String, tried: &'static str },
    #[error("{link}: {problem}")]
    Closed { link: String, problem: KeyFileError },
    #[error(
        "-q opens the keys that are there, and -p would protect new ones: ntpd opens all with one \
         password, so give one only, by -p"
    )]
    TwoPasswords,
    #[error("no RSA key was made: {0}")]
    Key(#[from] PrivateKeyError),
    #[error(transparent)]
    Group(#[from] GroupFailure),
    #[error("a key cannot be written: {0}")]
    Write(#[from] WriteError),
}
