//! An RSA key with both halves: sign, decrypt.

use core::fmt;

use rand::CryptoRng;
use rsa::{Oaep, RsaPrivateKey, traits::PublicKeyParts};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    public_key::{LEAST_RSA_BITS, MOST_RSA_BITS, PublicKey, PublicKeyError},
    signature_scheme::SignatureScheme,
    symmetric::digest,
};

/// An RSA private key of 256 to 4096 bits. It is wiped when dropped and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    key: RsaPrivateKey,
    public: PublicKey,
}

impl PrivateKey {
    /// Makes a new key of `bits` bits, with the public exponent 65537.
    ///
    /// # Errors
    ///
    /// [`PrivateKeyError::NotSupported`] outside 256 to 4096 bits.
    pub fn generate<R: CryptoRng + ?Sized>(
        bits: u32,
        random: &mut R,
    ) -> Result<Self, PrivateKeyError> {
        if !(LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits) {
            return Err(PrivateKeyError::NotSupported { bits });
        }
        // Unchecked only as to the size, which is checked above.
        let key = RsaPrivateKey::new_unchecked(random, bits as usize)
            .map_err(|error| PrivateKeyError::Numbers(error.to_string()))?;
        Self::from_rsa(key)
    }

    /// The size of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.public.bits()
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The octets of a signature by this key.
    pub fn signature_length(&self) -> usize {
        self.public.signature_length()
    }

    /// Whether a log should warn of it: under 2048 bits.
    pub fn is_weak(&self) -> bool {
        self.public.is_weak()
    }

    /// Signs all `parts`, one after the other (RFC 8017 section 8.2.1).
    ///
    /// # Errors
    ///
    /// [`SignError`] if the key is too small for the digest.
    pub fn sign(&self, scheme: SignatureScheme, parts: &[&[u8]]) -> Result<Vec<u8>, SignError> {
        let digest = digest(scheme.digest(), parts);
        self.key
            .sign(scheme.padding(), digest.as_bytes())
            .map_err(|_| SignError {
                scheme,
                bits: self.bits(),
                least_bits: scheme.least_bits(),
            })
    }

    /// Decrypts what [`PublicKey::encrypt_oaep`] encrypted.
    ///
    /// # Errors
    ///
    /// [`DecryptError`] if it was encrypted for another key, or altered.
    pub fn decrypt_oaep(&self, encrypted: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        self.key
            .decrypt(Oaep::<sha1::Sha1>::new(), encrypted)
            .map(Zeroizing::new)
            .map_err(|_| DecryptError)
    }

    pub(crate) fn from_rsa(key: RsaPrivateKey) -> Result<Self, PrivateKeyError> {
        let bits = key.n().bits_vartime();
        if !(LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits) {
            return Err(PrivateKeyError::NotSupported { bits });
        }
        let public = PublicKey::from_rsa(key.to_public_key())?;
        Ok(Self { key, public })
    }

    pub(crate) const fn as_rsa(&self) -> &RsaPrivateKey {
        &self.key
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({} bits)", self.bits())
    }
}

/// Why there is no RSA private key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PrivateKeyError {
    /// The size is outside what is supported.
    #[error("RSA key of {bits} bits: 256 to 4096 are supported, 2048 is usual")]
    NotSupported {
        /// Bits of the modulus.
        bits: u32,
    },
    /// The numbers do not belong together.
    #[error("the numbers are no RSA key: {0}")]
    Numbers(String),
    /// The public half is wrong.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
}

/// A key that is too small for the digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "an RSA key of {bits} bits cannot sign with {scheme}: it takes {least_bits} bits or another scheme"
)]
pub struct SignError {
    /// The scheme asked for.
    pub scheme: SignatureScheme,
    /// Bits of the modulus.
    pub bits: u32,
    /// Bits that the scheme takes.
    pub least_bits: u32,
}

/// Octets that this key cannot decrypt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("cannot decrypt: encrypted for another key, or altered")]
pub struct DecryptError;
