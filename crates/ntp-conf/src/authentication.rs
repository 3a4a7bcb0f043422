//! `keys`, `trustedkey`, `controlkey`, `requestkey`, `keysdir`, `crypto`: keys and Autokey.

use std::path::{Path, PathBuf};

use ntp_wire::KeyId;

use crate::{
    line::Line,
    reader::{Problem, Reader},
    spelling,
};

/// Symmetric keys and where keys are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// `keys`: the file of symmetric keys.
    pub file: Option<PathBuf>,
    /// `trustedkey`: the keys that may be used, in ascending order, without overlap.
    pub trusted: Vec<KeyRange>,
    /// `controlkey`: the key of ntpq.
    pub control: Option<KeyId>,
    /// `requestkey`: the key of ntpdc.
    pub request: Option<KeyId>,
    /// `keysdir`: where the files of Autokey are. The reference's is `/usr/local/etc`.
    pub directory: PathBuf,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            file: None,
            trusted: Vec::new(),
            control: None,
            request: None,
            directory: PathBuf::from(Self::DIRECTORY),
        }
    }
}

impl Keys {
    /// `keysdir` where none is written.
    pub const DIRECTORY: &str = "/usr/local/etc";

    /// Whether `trustedkey` names `key`.
    pub fn is_trusted(&self, key: KeyId) -> bool {
        let after = self.trusted.partition_point(|range| range.first <= key);
        let nearest = after
            .checked_sub(1)
            .and_then(|index| self.trusted.get(index));
        nearest.is_some_and(|range| range.contains(key))
    }

    pub(crate) fn write(&self, out: &mut String) {
        if let Some(file) = &self.file {
            Line::new("keys").name(&file.to_string_lossy()).end(out);
        }
        if !self.trusted.is_empty() {
            let mut line = Line::new("trustedkey");
            for range in &self.trusted {
                line = if range.first == range.last {
                    line.word(range.first)
                } else {
                    line.word(format_args!("({} ... {})", range.first, range.last))
                };
            }
            line.end(out);
        }
        for (keyword, key) in [("controlkey", self.control), ("requestkey", self.request)] {
            if let Some(key) = key {
                Line::new(keyword).word(key).end(out);
            }
        }
        if self.directory != Path::new(Self::DIRECTORY) {
            Line::new("keysdir")
                .name(&self.directory.to_string_lossy())
                .end(out);
        }
    }
}

/// The keys from one number to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRange {
    /// The lowest number.
    pub first: KeyId,
    /// The highest number; not below `first`.
    pub last: KeyId,
}

impl KeyRange {
    /// Whether `key` is among them.
    pub fn contains(&self, key: KeyId) -> bool {
        self.first <= key && key <= self.last
    }

    /// Sorts ranges, and makes one of those that touch.
    pub(crate) fn merge(ranges: &mut Vec<Self>) {
        ranges.sort_by_key(|range| range.first);
        let mut merged: Vec<Self> = Vec::new();
        for range in ranges.drain(..) {
            match merged.last_mut() {
                Some(last) if range.first.value() <= last.last.value() + 1 => {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        *ranges = merged;
    }

    /// Reads `1 2 (10 ... 20)`; blanks within the parentheses may be missing.
    pub(crate) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, Problem> {
        let first = reader.expect("the number of a key")?;
        let mut ranges = Vec::new();
        let mut next = Some(first);
        while let Some(word) = next {
            let range = if word.keyword().starts_with('(') {
                let mut text = word.text.clone();
                let mut span = word.span.clone();
                while !text.ends_with(')') {
                    let part = reader.expect("the rest of a range like `(1 ... 5)`")?;
                    text.push_str(&part.text);
                    span = span.to(&part.span);
                }
                let inner = text.trim_start_matches('(').trim_end_matches(')');
                let ends = inner.split_once("...");
                let ends = ends.and_then(|(low, high)| Some((key(low)?, key(high)?)));
                match ends {
                    Some((first, last)) if first <= last => Self { first, last },
                    _ => {
                        let shown = spelling::shown(&text);
                        return Err(Problem::error(
                            &span,
                            format!("`{shown}` is no range of keys"),
                            "write for example `(1 ... 5)`, with numbers from 1 to 65535",
                        ));
                    }
                }
            } else {
                let key = key(&word.text).ok_or_else(|| {
                    let shown = spelling::shown(&word.text);
                    Problem::error(
                        &word.span,
                        format!("`{shown}` is no number of a key"),
                        "keys have numbers from 1 to 65535",
                    )
                })?;
                Self {
                    first: key,
                    last: key,
                }
            };
            ranges.push(range);
            next = reader.take();
        }
        Ok(ranges)
    }
}

fn key(text: &str) -> Option<KeyId> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| digits)
        .map(KeyId::new)
        .filter(|key| key.is_symmetric())
}

/// `crypto`: Autokey is on, and how.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Crypto {
    /// `pw`: what private keys and identity parameters are encrypted with; the host's name if
    /// `None`.
    pub password: Option<String>,
    /// `randfile`: a file of randomness. The operating system's own is used whatever it says.
    pub random_file: Option<PathBuf>,
    /// `host`: the name in the names of the key files; the host's name if `None`.
    pub host: Option<String>,
    /// `ident`: the group of this host.
    pub ident: Option<String>,
    /// `digest`: the message digest of the session keys; MD5 if `None`.
    pub digest: Option<String>,
    /// `cert`: the certificate's file, as ntpd 4.2.4 had it.
    pub certificate_file: Option<PathBuf>,
    /// `sign`: the sign key's file, as ntpd 4.2.4 had it.
    pub sign_file: Option<PathBuf>,
    /// `iffpar`: the IFF parameters' file, as ntpd 4.2.4 had it.
    pub iff_file: Option<PathBuf>,
    /// `gqpar` or `gq`: the GQ parameters' file, as ntpd 4.2.4 had it.
    pub gq_file: Option<PathBuf>,
    /// `mvpar`: the MV parameters' file, as ntpd 4.2.4 had it.
    pub mv_file: Option<PathBuf>,
    /// `leap`: the leap second file, as ntpd 4.2.4 had it.
    pub leap_file: Option<PathBuf>,
}

/// The password stays unseen.
impl std::fmt::Debug for Crypto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            password,
            random_file,
            host,
            ident,
            digest,
            certificate_file,
            sign_file,
            iff_file,
            gq_file,
            mv_file,
            leap_file,
        } = self;
        f.debug_struct("Crypto")
            .field("password", &password.as_ref().map(|_| "..."))
            .field("random_file", random_file)
            .field("host", host)
            .field("ident", ident)
            .field("digest", digest)
            .field("certificate_file", certificate_file)
            .field("sign_file", sign_file)
            .field("iff_file", iff_file)
            .field("gq_file", gq_file)
            .field("mv_file", mv_file)
            .field("leap_file", leap_file)
            .finish()
    }
}

const OPTIONS: [&str; 13] = [
    "pw", "randfile", "host", "ident", "digest", "cert", "sign", "iffpar", "gqpar", "gq", "mvpar",
    "leap", "revoke",
];

impl Crypto {
    /// Digests that `digest` may name.
    pub const DIGESTS: [&str; 7] = [
        "MD5",
        "SHA1",
        "SHA",
        "RIPEMD160",
        "SHA256",
        "SHA384",
        "SHA512",
    ];

    /// Reads one line into what earlier ones said; returns the exponent behind `revoke`, if any.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<Option<u8>, Problem> {
        let mut revoke = None;
        while let Some(word) = reader.take() {
            let old = |reader: &mut Reader<'_>, instead: &str| {
                let message = format!("`{}` is of ntpd 4.2.4 and no longer heeded", word.text);
                reader
                    .remarks
                    .push(Problem::note(&word.span, message, instead));
            };
            match word.keyword() {
                "pw" => self.password = Some(reader.expect("a password")?.text.clone()),
                "randfile" => self.random_file = Some(reader.path("a file")?),
                "host" => self.host = Some(reader.text("a host name")?),
                "ident" => self.ident = Some(reader.text("the name of a group")?),
                "digest" => self.digest = Some(digest(reader)?),
                "revoke" => {
                    revoke = Some(reader.clamped("revoke", 0..=31)?);
                    let message = "`crypto revoke` is of ntpd 4.2.4";
                    reader.remarks.push(Problem::note(
                        &word.span,
                        message,
                        "write `revoke` on a line of its own",
                    ));
                }
                "cert" => {
                    self.certificate_file = Some(reader.path("a file")?);
                    old(
                        reader,
                        "the link ntpkey_cert_HOST in `keysdir` names the certificate",
                    );
                }
                "sign" => {
                    self.sign_file = Some(reader.path("a file")?);
                    old(
                        reader,
                        "the link ntpkey_sign_HOST in `keysdir` names the sign key",
                    );
                }
                "iffpar" => {
                    self.iff_file = Some(reader.path("a file")?);
                    old(
                        reader,
                        "the link ntpkey_iffkey_GROUP in `keysdir` names the parameters",
                    );
                }
                "gqpar" | "gq" => {
                    self.gq_file = Some(reader.path("a file")?);
                    old(
                        reader,
                        "the link ntpkey_gqkey_GROUP in `keysdir` names the parameters",
                    );
                }
                "mvpar" => {
                    self.mv_file = Some(reader.path("a file")?);
                    old(
                        reader,
                        "the link ntpkey_mvta_GROUP in `keysdir` names the parameters",
                    );
                }
                "leap" => {
                    self.leap_file = Some(reader.path("a file")?);
                    old(reader, "write `leapfile FILE` instead");
                }
                _ => return Err(Problem::unknown(word, "option of `crypto`", &OPTIONS)),
            }
        }
        Ok(revoke)
    }

    pub(crate) fn write(&self, out: &mut String) {
        let path = |path: &Option<PathBuf>| {
            path.as_ref()
                .map(|path| path.to_string_lossy().into_owned())
        };
        let mut line = Line::new("crypto");
        if let Some(password) = &self.password {
            line = line.word("pw").text(password);
        }
        line.named("randfile", path(&self.random_file).as_deref())
            .named("host", self.host.as_deref())
            .named("ident", self.ident.as_deref())
            .named("digest", self.digest.as_deref())
            .named("cert", path(&self.certificate_file).as_deref())
            .named("sign", path(&self.sign_file).as_deref())
            .named("iffpar", path(&self.iff_file).as_deref())
            .named("gqpar", path(&self.gq_file).as_deref())
            .named("mvpar", path(&self.mv_file).as_deref())
            .named("leap", path(&self.leap_file).as_deref())
            .end(out);
    }
}

fn digest(reader: &mut Reader<'_>) -> Result<String, Problem> {
    let word = reader.expect("the name of a digest")?;
    // The reference takes any case.
    let name = word.text.to_ascii_uppercase();
    if !Crypto::DIGESTS.contains(&name.as_str()) {
        return Err(Problem::unknown(word, "digest", &Crypto::DIGESTS));
    }
    Ok(name)
}
