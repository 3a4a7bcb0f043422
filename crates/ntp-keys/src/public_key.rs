//! The public half of a key: verify, and with RSA encrypt.

use core::fmt;

use crypto_bigint::BoxedUint;
use der::{Decode, Encode, asn1::UintRef};
use rand::CryptoRng;
use rsa::{Oaep, RsaPublicKey, traits::PublicKeyParts};
use thiserror::Error;

use crate::{
    dsa::DsaPublic,
    signature_scheme::SignatureScheme,
    symmetric::{DigestAlgorithm, digest},
};

/// The fewest bits that an RSA key may have: what hosts of 2008 could be told to make.
pub const LEAST_RSA_BITS: u32 = 256;
/// The most bits that an RSA key may have; more would only cost time.
pub const MOST_RSA_BITS: u32 = 4096;

/// An RSA public key of 256 to 4096 bits, or a DSA public key of 512 to 3072 bits.
///
/// ```
/// use ntp_keys::{PrivateKey, PublicKey, SignatureScheme};
/// use rand::SeedableRng;
///
/// let mut random = rand::rngs::ChaCha12Rng::from_seed([7; 32]); // of the system, in earnest
/// let private = PrivateKey::generate(512, &mut random)?;
/// let signature = private.sign(SignatureScheme::RsaSha256, &[b"stamp", b"value"])?;
///
/// let public = PublicKey::from_pkcs1_der(&private.public().to_pkcs1_der())?;
/// public.verify(SignatureScheme::RsaSha256, &[b"stampvalue"], &signature)?;
/// assert!(public.verify(SignatureScheme::RsaSha256, &[b"stampvalues"], &signature).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kind: Kind,
    der: Vec<u8>,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Rsa(RsaPublicKey),
    Dsa(Box<DsaPublic>),
}

impl PublicKey {
    /// Reads an `RSAPublicKey` (RFC 8017 appendix A.1.1), as a COOKIE request carries it.
    ///
    /// # Errors
    ///
    /// [`PublicKeyError`] if it is none, or of a size that is not supported.
    pub fn from_pkcs1_der(der: &[u8]) -> Result<Self, PublicKeyError> {
        let numbers = Numbers::from_der(der)?;
        let modulus = unsigned(numbers.modulus.as_bytes())?;
        let exponent = unsigned(numbers.public_exponent.as_bytes())?;
        let limits = LEAST_RSA_BITS as usize..=MOST_RSA_BITS as usize;
        let bits = modulus.bits_vartime();
        let key = RsaPublicKey::new_with_size_limits(modulus, exponent, limits)
            .map_err(|_| PublicKeyError::NotSupported { bits })?;
        Self::from_rsa(key)
    }

    /// Writes it as an `RSAPublicKey` (RFC 8017 appendix A.1.1); of a DSA key the number y (RFC 3279
    /// section 2.3.2).
    pub fn to_pkcs1_der(&self) -> Vec<u8> {
        self.der.clone()
    }

    /// Whether it is a DSA key, which signs and never encrypts.
    pub const fn is_dsa(&self) -> bool {
        matches!(self.kind, Kind::Dsa(_))
    }

    /// The size of the modulus in bits.
    pub fn bits(&self) -> u32 {
        match &self.kind {
            Kind::Rsa(key) => key.n().bits_vartime(),
            Kind::Dsa(key) => key.bits(),
        }
    }

    /// The octets of a signature that this key verifies, and of what it encrypts; of a DSA key those
    /// of the longest signature.
    pub fn signature_length(&self) -> usize {
        match &self.kind {
            Kind::Rsa(key) => key.size(),
            Kind::Dsa(key) => key.longest_signature(),
        }
    }

    /// Whether a log should warn of it: under 2048 bits.
    pub fn is_weak(&self) -> bool {
        self.bits() < 2048
    }

    /// Checks a signature over all `parts`, one after the other (RFC 8017 section 8.2.2).
    ///
    /// # Errors
    ///
    /// [`VerifyError`] if it was not made by the other half of this key over these octets.
    pub fn verify(
        &self,
        scheme: SignatureScheme,
        parts: &[&[u8]],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        let (found, expected) = (signature.len(), self.signature_length());
        // Numbers have no fixed length in a signature of DSA.
        if found > expected || (found < expected && !self.is_dsa()) {
            return Err(VerifyError::Length { found, expected });
        }
        let digest = || digest(scheme.digest(), parts);
        let holds = match (&self.kind, scheme.padding()) {
            (Kind::Rsa(key), Some(padding)) => match self.strong_algorithm(scheme) {
                Some(algorithm) => verify_strong(key, algorithm, parts, signature),
                None => key.verify(padding, digest().as_bytes(), signature).is_ok(),
            },
            (Kind::Dsa(key), None) => key.verify(digest().as_bytes(), signature),
            _ => false,
        };
        holds.then_some(()).ok_or(VerifyError::Mismatch)
    }

    /// Encrypts `secret` (OAEP with SHA-1 and no label, RFC 8017 section 7.1), as cookies travel.
    ///
    /// # Errors
    ///
    /// [`EncryptError`] if the key has no room for it: it needs 42 octets more than the secret.
    pub fn encrypt_oaep<R: CryptoRng + ?Sized>(
        &self,
        random: &mut R,
        secret: &[u8],
    ) -> Result<Vec<u8>, EncryptError> {
        let encrypted = match &self.kind {
            Kind::Rsa(key) => key.encrypt(random, Oaep::<sha1::Sha1>::new(), secret).ok(),
            Kind::Dsa(_) => None,
        };
        encrypted.ok_or_else(|| EncryptError {
            octets: secret.len(),
            bits: self.bits(),
        })
    }

    pub(crate) fn from_dsa(key: DsaPublic) -> Result<Self, PublicKeyError> {
        let der = key.key_der()?;
        Ok(Self {
            kind: Kind::Dsa(Box::new(key)),
            der,
        })
    }

    /// The numbers of a DSA key.
    pub(crate) fn as_dsa(&self) -> Option<&DsaPublic> {
        match &self.kind {
            Kind::Rsa(_) => None,
            Kind::Dsa(key) => Some(key),
        }
    }

    pub(crate) fn from_rsa(key: RsaPublicKey) -> Result<Self, PublicKeyError> {
        let (modulus, exponent) = (key.n_bytes(), key.e_bytes());
        let der = Numbers {
            modulus: UintRef::new(&modulus)?,
            public_exponent: UintRef::new(&exponent)?,
        }
        .to_der()?;
        Ok(Self {
            kind: Kind::Rsa(key),
            der,
        })
    }

    /// The algorithm of ring that does it, where there is one: it is faster and audited.
    fn strong_algorithm(
        &self,
        scheme: SignatureScheme,
    ) -> Option<&'static ring::signature::RsaParameters> {
        use ring::signature::{
            RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
        };
        if self.is_weak() {
            return None;
        }
        match scheme.digest() {
            DigestAlgorithm::Sha256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            DigestAlgorithm::Sha384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            DigestAlgorithm::Sha512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            _ => None,
        }
    }
}

fn verify_strong(
    key: &RsaPublicKey,
    algorithm: &'static ring::signature::RsaParameters,
    parts: &[&[u8]],
    signature: &[u8],
) -> bool {
    let key = ring::signature::RsaPublicKeyComponents {
        n: key.n_bytes(),
        e: key.e_bytes(),
    };
    key.verify(algorithm, &parts.concat(), signature).is_ok()
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_dsa() { "DSA, " } else { "" };
        write!(f, "PublicKey({kind}{} bits)", self.bits())
    }
}

/// Why octets are no public key that can be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PublicKeyError {
    /// The encoding is wrong.
    #[error("not a public key: {0}")]
    Encoding(#[from] der::Error),
    /// The numbers are outside what is supported.
    #[error(
        "RSA public key of {bits} bits with numbers out of range: 256 to 4096 bits are supported"
    )]
    NotSupported {
        /// Bits of the modulus.
        bits: u32,
    },
    /// The numbers are outside what is supported, or do not belong together.
    #[error(
        "DSA public key of {bits} bits with numbers that are no key: 512 to 3072 bits are supported"
    )]
    DsaNotSupported {
        /// Bits of p.
        bits: u32,
    },
}

/// Why a signature does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum VerifyError {
    /// It has not the length of the key.
    #[error("signature of {found} octets, the key makes {expected}: made by another key")]
    Length {
        /// Octets of the signature.
        found: usize,
        /// Octets of the modulus.
        expected: usize,
    },
    /// It is over other octets, or by another key.
    #[error("signature does not match: made by another key, or what it covers was altered")]
    Mismatch,
}

/// A key that is too small for what it should encrypt, or no RSA key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("a key of {bits} bits has no room to encrypt {octets} octets: use RSA of 512 bits or more")]
pub struct EncryptError {
    /// Octets that were to be encrypted.
    pub octets: usize,
    /// Bits of the modulus.
    pub bits: u32,
}

/// RFC 8017 appendix A.1.1.
#[derive(der::Sequence)]
struct Numbers<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

/// A number with room that is a whole count of words, as the mathematics below wants it.
pub(crate) fn unsigned(octets: &[u8]) -> Result<BoxedUint, PublicKeyError> {
    let too_long = || PublicKeyError::NotSupported { bits: u32::MAX };
    let bits = u32::try_from(octets.len())
        .ok()
        .and_then(|octets| octets.checked_mul(8))
        .ok_or_else(too_long)?;
    BoxedUint::from_be_slice(octets, bits.next_multiple_of(64).max(64)).map_err(|_| too_long())
}
