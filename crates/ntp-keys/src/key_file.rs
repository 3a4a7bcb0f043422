//! The files that ntp-keygen writes: `ntpkey_*`.

mod legacy;
mod private;
mod write;

use der::Decode;
use thiserror::Error;

use self::private::{DsaNumbers, Numbers};
pub use self::write::{
    Cipher, Protection, WriteError, write_certificate, write_gq_group, write_iff_group,
    write_mv_client, write_mv_keys, write_mv_server, write_private_key,
};
use crate::{
    Certificate, CertificateError, GqGroup, GroupError, IffGroup, MvClient, MvServer, PrivateKey,
    PrivateKeyError,
    pem::{PemBlock, PemError},
};

/// A key file taken apart: the name and the filestamp of its first line, and what it holds.
///
/// ```
/// let text = "# ntpkey_cert_server.4004389195\n# Mon Nov 23 02:19:55 2026\n\n\
///     -----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
/// let file = ntp_keys::KeyFile::parse(text)?;
/// assert_eq!(file.name(), "ntpkey_cert_server.4004389195");
/// assert_eq!(file.filestamp(), 4_004_389_195);
/// assert!(file.certificate().is_err()); // three octets are no certificate
/// # Ok::<(), ntp_keys::KeyFileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyFile {
    name: String,
    filestamp: u32,
    blocks: Vec<PemBlock>,
}

impl KeyFile {
    /// Takes the text of a file apart.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if its first line has no filestamp or it holds no PEM.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let first = text.lines().next().unwrap_or_default();
        let name = first.trim_start_matches('#').trim();
        let filestamp = name
            .rsplit_once('.')
            .and_then(|(_, digits)| digits.parse().ok())
            .ok_or(KeyFileError::NoFilestamp)?;
        let blocks = PemBlock::parse_all(text)?;
        if blocks.is_empty() {
            return Err(KeyFileError::Empty);
        }
        Ok(Self {
            name: name.to_owned(),
            filestamp,
            blocks,
        })
    }

    /// The name in the first line. The file itself may have been renamed since.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it was made, in NTP seconds.
    pub fn filestamp(&self) -> u32 {
        self.filestamp
    }

    /// Whether a password is needed to read its first private key.
    pub fn is_encrypted(&self) -> bool {
        self.first_private().is_ok_and(private::is_encrypted)
    }

    /// The RSA private key in it.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there is none, or the password is not its.
    pub fn private_key(&self, password: &str) -> Result<PrivateKey, KeyFileError> {
        match private::open(self.first_private()?, password)? {
            Numbers::Rsa(numbers) => Ok(PrivateKey::from_rsa(numbers.into_key()?)?),
            Numbers::Dsa(_) => Err(KeyFileError::WrongKind {
                wanted: "RSA private key",
                found: "DSA private key".into(),
            }),
        }
    }

    /// The private key for signatures in it, RSA or DSA.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there is none, or the password is not its.
    pub fn sign_key(&self, password: &str) -> Result<PrivateKey, KeyFileError> {
        match private::open(self.first_private()?, password)? {
            Numbers::Rsa(numbers) => Ok(PrivateKey::from_rsa(numbers.into_key()?)?),
            Numbers::Dsa(numbers) => Ok(PrivateKey::from_dsa(numbers.into_key()?)?),
        }
    }

    /// The certificate in it.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there is none.
    pub fn certificate(&self) -> Result<Certificate, KeyFileError> {
        let block = self.first(|block| block.label.ends_with("CERTIFICATE"))?;
        if !matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE") {
            return Err(KeyFileError::WrongKind {
                wanted: "certificate",
                found: block.label.clone(),
            });
        }
        Ok(Certificate::parse(&block.body)?)
    }

    /// The IFF group in it: the server's half with its secret, or the parameters that clients have.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there is none, the password is not its, or its public value was lost.
    pub fn iff_group(&self, password: &str) -> Result<IffGroup, KeyFileError> {
        let numbers = dsa(
            self.first_private()?,
            password,
            "IFF group (DSA private key)",
        )?;
        Ok(numbers.into_iff_group()?)
    }

    /// The GQ group in it: the server's half with its secret, or the parameters that clients have.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there is none or the password is not its.
    pub fn gq_group(&self, password: &str) -> Result<GqGroup, KeyFileError> {
        match private::open(self.first_private()?, password)? {
            Numbers::Rsa(numbers) => numbers.into_gq_group(),
            Numbers::Dsa(_) => Err(KeyFileError::WrongKind {
                wanted: "GQ group (RSA private key)",
                found: "DSA private key".into(),
            }),
        }
    }

    /// The keys of an MV group's server in it, alone or behind those of the authority.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there are none, the password is not theirs, or a public value was lost.
    pub fn mv_server(&self, password: &str) -> Result<MvServer, KeyFileError> {
        let block = match &self.private_blocks()[..] {
            [] => self.first_private()?,
            [alone] => alone,
            [_, server, ..] => server,
        };
        let numbers = dsa(block, password, "MV server key (DSA private key)")?;
        Ok(numbers.into_mv_server()?)
    }

    /// The keys of one client of an MV group in it, alone or, by number from 1, behind those of the
    /// authority and the server.
    ///
    /// # Errors
    ///
    /// [`KeyFileError`] if there are none, the password is not theirs, or a public value was lost.
    pub fn mv_client(&self, password: &str, number: usize) -> Result<MvClient, KeyFileError> {
        let blocks = self.private_blocks();
        let block = match &blocks[..] {
            [] => self.first_private()?,
            [alone] => alone,
            several => number
                .checked_add(1)
                .filter(|_| number > 0)
                .and_then(|index| several.get(index))
                .ok_or_else(|| KeyFileError::NoSuchClient {
                    number,
                    clients: several.len().saturating_sub(2),
                })?,
        };
        let numbers = dsa(block, password, "MV client key (DSA private key)")?;
        Ok(numbers.into_mv_client()?)
    }

    /// How many clients of an MV group it has keys of.
    pub fn mv_clients(&self) -> usize {
        match self.private_blocks().len() {
            1 => 1,
            several => several.saturating_sub(2),
        }
    }

    /// The first block that is `wanted`, else the first of all, whose kind can be told.
    fn first(&self, wanted: impl Fn(&PemBlock) -> bool) -> Result<&PemBlock, KeyFileError> {
        let block = self.blocks.iter().find(|block| wanted(block));
        block
            .or_else(|| self.blocks.first())
            .ok_or(KeyFileError::Empty)
    }

    fn first_private(&self) -> Result<&PemBlock, KeyFileError> {
        self.first(private::is_private)
    }

    fn private_blocks(&self) -> Vec<&PemBlock> {
        let blocks = self.blocks.iter();
        blocks.filter(|block| private::is_private(block)).collect()
    }
}

/// The numbers of a block that should be a `wanted`.
fn dsa(block: &PemBlock, password: &str, wanted: &'static str) -> Result<DsaNumbers, KeyFileError> {
    match private::open(block, password)? {
        Numbers::Dsa(numbers) => Ok(numbers),
        Numbers::Rsa(_) => Err(KeyFileError::WrongKind {
            wanted,
            found: "RSA private key".into(),
        }),
    }
}

/// Why a key file is of no use.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The first line does not end with a filestamp.
    #[error(
        "its first line is not `# NAME.FILESTAMP` as ntp-keygen writes it: \
         restore that line, or make the file anew"
    )]
    NoFilestamp,
    /// There is no PEM block.
    #[error("it holds no key and no certificate: make it anew with ntp-keygen")]
    Empty,
    /// A PEM block is damaged.
    #[error("{0}")]
    Pem(#[from] PemError),
    /// The password does not open it.
    #[error("the password does not open it: compare `crypto pw` with what ntp-keygen was given")]
    WrongPassword,
    /// It is encrypted in a way that is not known.
    #[error("it is encrypted by {0}, which is not supported: write it anew with ntp-keygen")]
    UnknownCipher(String),
    /// It holds something else.
    #[error("it should hold a {wanted}, but holds a {found}")]
    WrongKind {
        /// What was looked for.
        wanted: &'static str,
        /// What is there.
        found: String,
    },
    /// It has keys of fewer clients.
    #[error("it holds the keys of {clients} clients: there is no number {number}")]
    NoSuchClient {
        /// Whose was looked for.
        number: usize,
        /// How many there are.
        clients: usize,
    },
    /// The ASN.1 in it is damaged.
    #[error("its ASN.1 is damaged: {0}")]
    Encoding(#[from] der::Error),
    /// The numbers are no RSA key.
    #[error("{0}")]
    PrivateKey(#[from] PrivateKeyError),
    /// It is no certificate.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The numbers are no identity group.
    #[error("{0}")]
    Group(#[from] GroupError),
}

/// Whether `octets` look like ASN.1, which is how a wrong password shows.
fn is_sequence(octets: &[u8]) -> bool {
    der::asn1::AnyRef::from_der(octets)
        .is_ok_and(|any| der::Tagged::tag(&any) == der::Tag::Sequence)
}

#[cfg(test)]
mod tests;
