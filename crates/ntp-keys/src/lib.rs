//! NTP key material: the lines of `ntp.keys`, message digests, and the `ntpkey_*` files of Autokey.
//!
//! ```
//! use ntp_keys::{KeyFile, PrivateKey, Protection, SignatureScheme, write_private_key};
//! use rand::SeedableRng;
//!
//! // What `ntp-keygen -H -p linux` does: a key, and the text of its file.
//! let mut random = rand::rngs::ChaCha12Rng::from_seed([7; 32]); // of the system, in earnest
//! let key = PrivateKey::generate(512, &mut random)?; // 2048, in earnest
//! let protection = Protection {
//!     password: "linux",
//!     cipher: Default::default(),
//! };
//! let name = "ntpkey_RSAhost_client.4004389196";
//! let date = "Mon Nov 23 02:19:56 2026";
//! let text = write_private_key(name, date, &key, Some(&protection), &mut random)?;
//!
//! // What ntpd does with it: `crypto pw linux`.
//! let file = KeyFile::parse(&text)?;
//! assert_eq!(file.filestamp(), 4_004_389_196);
//! let signature = file.private_key("linux")?.sign(SignatureScheme::RsaSha256, &[b"value"])?;
//! key.public().verify(SignatureScheme::RsaSha256, &[b"value"], &signature)?;
//! assert!(file.private_key("redhat").is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - keys that both sides know: a [`KeyTable`] is read from `ntp.keys`, and its [`SymmetricKey`]s
//!   make MACs; [`digest()`] is the plain digest that Autokey's session keys are made of
//! - RSA, and DSA for signatures: a [`PrivateKey`] signs and decrypts, a [`PublicKey`] verifies and
//!   encrypts, by a [`SignatureScheme`]
//! - X.509: a [`Certificate`] is parsed, issued from a [`CertificateRequest`], or issued again as
//!   SIGN does
//! - identity: an [`IffGroup`] or a [`GqGroup`] with or without its [`Secret`], and the [`MvKeys`] of an
//!   [`MvAuthority`], an [`MvServer`] and each [`MvClient`]; [`secret_power`] and
//!   [`secret_product`] for the arithmetic
//! - files: a [`KeyFile`] is taken apart and opened with a password, in whatever form OpenSSL wrote it
//!   (traditional, PKCS#8, PBES1, PBES2; no RC2 and RC4); [`write_private_key`],
//!   [`write_certificate`], [`write_iff_group`], [`write_gq_group`], [`write_mv_keys`],
//!   [`write_mv_server`] and [`write_mv_client`] make the text of one
//!
//! # What it refuses
//!
//! It opens no files and has no clock and no random numbers of its own: all are arguments. It has
//! no DSA signatures (with them ntpd 4.2.8p15 crashes), no RSA beyond 256 to 4096 bits, and does
//! not say whom to trust: that a certificate is signed, valid and trusted is for its caller to ask,
//! each by itself. MD5, SHA-1, RIPEMD-160 and short keys work, since old peers have nothing else;
//! `is_weak` tells of them.
#![forbid(unsafe_code)]

mod certificate;
mod dsa;
mod group;
mod key_file;
mod pem;
mod private_key;
mod public_key;
mod signature_scheme;
mod symmetric;

pub use certificate::{
    Certificate, CertificateError, CertificateRequest, CertificateTrust, IssueError, ReissueTerms,
};
pub use group::{
    GenerateError, GqGroup, GroupError, IffGroup, MvAuthority, MvClient, MvKeys, MvServer, Secret,
    secret_power, secret_product,
};
pub use key_file::{
    Cipher, KeyFile, KeyFileError, Protection, WriteError, write_certificate, write_gq_group,
    write_iff_group, write_mv_client, write_mv_keys, write_mv_server, write_private_key,
};
pub use pem::PemError;
pub use private_key::{DecryptError, PrivateKey, PrivateKeyError, SignError};
pub use public_key::{
    EncryptError, LEAST_RSA_BITS, MOST_RSA_BITS, PublicKey, PublicKeyError, VerifyError,
};
pub use signature_scheme::SignatureScheme;
pub use symmetric::*;
