//! Key files as text, in the reference's layout.

use pkcs8::{PrivateKeyInfoRef, pkcs5::pbes2};
use rand::CryptoRng;
use rsa::pkcs8::EncodePrivateKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{Certificate, PrivateKey, pem::PemBlock};
use der::Decode;

mod group;

pub use group::{write_gq_group, write_iff_group, write_mv_client, write_mv_keys, write_mv_server};

/// Rounds of PBKDF2: each costs who guesses passwords as much as it costs ntpd at its start.
const ROUNDS: u32 = 10_000;

/// How private files are encrypted: `-C` of ntp-keygen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Cipher {
    /// `aes-128-cbc`
    Aes128,
    /// `aes-256-cbc`
    #[default]
    Aes256,
    /// `des-ede3-cbc`, what the reference takes by default.
    TripleDes,
}

impl Cipher {
    /// The cipher that OpenSSL calls `name`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "aes-128-cbc" | "aes128" => Some(Self::Aes128),
            "aes-256-cbc" | "aes256" => Some(Self::Aes256),
            "des-ede3-cbc" | "des3" => Some(Self::TripleDes),
            _ => None,
        }
    }

    /// The name that OpenSSL has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "aes-128-cbc",
            Self::Aes256 => "aes-256-cbc",
            Self::TripleDes => "des-ede3-cbc",
        }
    }
}

/// A password, and the cipher that it is the key of.
#[derive(Clone, Copy)]
pub struct Protection<'a> {
    /// The password.
    pub password: &'a str,
    /// The cipher.
    pub cipher: Cipher,
}

/// The password stays unseen.
impl std::fmt::Debug for Protection<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Protection")
            .field("cipher", &self.cipher)
            .finish_non_exhaustive()
    }
}

/// A key that could not be written down.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("the key can't be encoded: {0}")]
pub struct WriteError(String);

/// The text of a private key's file: PKCS#8, encrypted (PBES2) if there is `protection`; of a DSA key
/// the traditional form, as for identity groups.
///
/// `name` is `ntpkey_RSAhost_server.4004389195` or the like, `date` the time as `ctime` writes it.
///
/// # Errors
///
/// [`WriteError`] if the library refuses to encode it.
pub fn write_private_key<R: CryptoRng + ?Sized>(
    name: &str,
    date: &str,
    key: &PrivateKey,
    protection: Option<&Protection<'_>>,
    random: &mut R,
) -> Result<Zeroizing<String>, WriteError> {
    let failed = |error: String| WriteError(error);
    let key = match key.as_rsa() {
        Ok(key) => key,
        Err(key) => return group::write_dsa_key(name, date, key, protection, random),
    };
    let plain = key
        .to_pkcs8_der()
        .map_err(|error| failed(error.to_string()))?;
    let (label, body) = match protection {
        None => ("PRIVATE KEY", Zeroizing::new(plain.as_bytes().to_vec())),
        Some(protection) => {
            let parameters =
                parameters(protection.cipher, random).map_err(|error| failed(error.to_string()))?;
            let info = PrivateKeyInfoRef::from_der(plain.as_bytes())
                .map_err(|error| failed(error.to_string()))?;
            let encrypted = info
                .encrypt_with_params(parameters, protection.password)
                .map_err(|error| failed(error.to_string()))?;
            (
                "ENCRYPTED PRIVATE KEY",
                Zeroizing::new(encrypted.as_bytes().to_vec()),
            )
        }
    };
    Ok(file(
        name,
        date,
        &[PemBlock {
            label: label.into(),
            encryption: None,
            body,
        }],
    ))
}

/// The text of a certificate's file.
pub fn write_certificate(name: &str, date: &str, certificate: &Certificate) -> String {
    let body = Zeroizing::new(certificate.der().to_vec());
    file(
        name,
        date,
        &[PemBlock {
            label: "CERTIFICATE".into(),
            encryption: None,
            body,
        }],
    )
    .to_string()
}

fn parameters<R: CryptoRng + ?Sized>(
    cipher: Cipher,
    random: &mut R,
) -> Result<pbes2::Parameters, pkcs8::pkcs5::Error> {
    let mut salt = [0; 16];
    random.fill_bytes(&mut salt);
    let mut vector = [0; 16];
    random.fill_bytes(&mut vector);
    let mut short = [0; 8];
    short.copy_from_slice(&vector[..8]);
    let encryption = match cipher {
        Cipher::Aes128 => pbes2::EncryptionScheme::Aes128Cbc { iv: vector },
        Cipher::Aes256 => pbes2::EncryptionScheme::Aes256Cbc { iv: vector },
        Cipher::TripleDes => pbes2::EncryptionScheme::DesEde3Cbc { iv: short },
    };
    let kdf = pbes2::Pbkdf2Params::hmac_sha256(ROUNDS, &salt)?;
    Ok(pbes2::Parameters {
        kdf: pbes2::Kdf::Pbkdf2(kdf),
        encryption,
    })
}

fn file(name: &str, date: &str, blocks: &[PemBlock]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("# {name}\n# {date}\n\n"));
    for block in blocks {
        block.write(&mut text);
    }
    text
}
