//! NTP key material: the lines of `ntp.keys`, message digests, and the `ntpkey_*` files of Autokey.
#![forbid(unsafe_code)]

mod certificate;
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
pub use group::{GenerateError, GroupError, IffGroup, Secret, secret_power};
pub use key_file::{
    Cipher, KeyFile, KeyFileError, Protection, WriteError, write_certificate, write_iff_group,
    write_private_key,
};
pub use pem::PemError;
pub use private_key::{DecryptError, PrivateKey, PrivateKeyError, SignError};
pub use public_key::{
    EncryptError, LEAST_RSA_BITS, MOST_RSA_BITS, PublicKey, PublicKeyError, VerifyError,
};
pub use signature_scheme::SignatureScheme;
pub use symmetric::*;
