//! A key with both halves: sign, and with RSA decrypt.

use core::fmt;

use rand::CryptoRng;
use rsa::{Oaep, RsaPrivateKey, traits::PublicKeyParts};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    dsa::DsaPrivate,
    public_key::{LEAST_RSA_BITS, MOST_RSA_BITS, PublicKey, PublicKeyError},
    signature_scheme::SignatureScheme,
    symmetric::digest,
};

/// An RSA private key of 256 to 4096 bits, or a DSA private key of 512 to 3072 bits. It is wiped when
/// dropped and not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateKey {
    kind: Kind,
    public: PublicKey,
}

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Rsa(Box<RsaPrivateKey>),
    Dsa(Box<DsaPrivate>),
}

impl PrivateKey {
    /// Makes a new RSA key of `bits` bits, with the public exponent 65537.
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

    /// Makes a new DSA key with a p of `bits` bits, which takes some seconds with 2048.
    ///
    /// # Errors
    ///
    /// [`PrivateKeyError::DsaNotSupported`] outside 512 to 3072 bits.
    pub fn generate_dsa<R: CryptoRng + ?Sized>(
        bits: u32,
        random: &mut R,
    ) -> Result<Self, PrivateKeyError> {
        Self::from_dsa(DsaPrivate::generate(bits, random)?)
    }

    /// Whether it is a DSA key, which signs and never decrypts.
    pub const fn is_dsa(&self) -> bool {
        self.public.is_dsa()
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
    /// [`SignError`] if the key is too small for the digest, or of another kind.
    pub fn sign(&self, scheme: SignatureScheme, parts: &[&[u8]]) -> Result<Vec<u8>, SignError> {
        let digest = digest(scheme.digest(), parts);
        let signature = match (&self.kind, scheme.padding()) {
            (Kind::Rsa(key), Some(padding)) => key.sign(padding, digest.as_bytes()).ok(),
            (Kind::Dsa(key), None) => key.sign(digest.as_bytes()),
            _ => None,
        };
        signature.ok_or_else(|| SignError {
            scheme,
            kind: if self.is_dsa() { "a DSA" } else { "an RSA" },
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
        match &self.kind {
            Kind::Rsa(key) => key
                .decrypt(Oaep::<sha1::Sha1>::new(), encrypted)
                .map(Zeroizing::new)
                .map_err(|_| DecryptError),
            Kind::Dsa(_) => Err(DecryptError),
        }
    }

    pub(crate) fn from_rsa(key: RsaPrivateKey) -> Result<Self, PrivateKeyError> {
        let bits = key.n().bits_vartime();
        if !(LEAST_RSA_BITS..=MOST_RSA_BITS).contains(&bits) {
            return Err(PrivateKeyError::NotSupported { bits });
        }
        let public = PublicKey::from_rsa(key.to_public_key())?;
        Ok(Self {
            kind: Kind::Rsa(Box::new(key)),
            public,
        })
    }

    pub(crate) fn from_dsa(key: DsaPrivate) -> Result<Self, PrivateKeyError> {
        Ok(Self {
            public: PublicKey::from_dsa(key.public().clone())?,
            kind: Kind::Dsa(Box::new(key)),
        })
    }

    pub(crate) fn as_rsa(&self) -> Result<&RsaPrivateKey, &DsaPrivate> {
        match &self.kind {
            Kind::Rsa(key) => Ok(key),
            Kind::Dsa(key) => Err(key),
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_dsa() { "DSA, " } else { "" };
        write!(f, "PrivateKey({kind}{} bits)", self.bits())
    }
}

/// Why there is no private key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PrivateKeyError {
    /// The size is outside what is supported.
    #[error("RSA key of {bits} bits: 256 to 4096 are supported, 2048 is usual")]
    NotSupported {
        /// Bits of the modulus.
        bits: u32,
    },
    /// The size is outside what is supported.
    #[error("DSA key of {bits} bits: 512 to 3072 are supported, 2048 is usual")]
    DsaNotSupported {
        /// Bits of p.
        bits: u32,
    },
    /// The numbers do not belong together.
    #[error("the numbers are no key: {0}")]
    Numbers(String),
    /// The public half is wrong.
    #[error(transparent)]
    Public(#[from] PublicKeyError),
}

/// A key that is too small for the digest, or of another kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "{kind} key of {bits} bits cannot sign with {scheme}, which takes {least_bits} bits and a key of \
     its kind"
)]
pub struct SignError {
    /// The scheme asked for.
    pub scheme: SignatureScheme,
    /// What the key is.
    pub kind: &'static str,
    /// Bits of the modulus.
    pub bits: u32,
    /// Bits that the scheme takes.
    pub least_bits: u32,
}

/// Octets that this key cannot decrypt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("cannot decrypt: encrypted for another key, or altered")]
pub struct DecryptError;

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::ChaCha12Rng};

    use super::*;
    use crate::VerifyError;

    fn random() -> ChaCha12Rng {
        ChaCha12Rng::from_seed([9; 32])
    }

    #[test]
    fn every_scheme_signs_where_the_key_has_room() {
        for bits in [256, 512, 768] {
            let key = PrivateKey::generate(bits, &mut random()).unwrap();
            assert_eq!(
                (key.bits(), key.signature_length() * 8),
                (bits, bits as usize)
            );
            for scheme in SignatureScheme::RSA {
                let signed = key.sign(scheme, &[b"one", b"", b"two"]);
                assert_eq!(
                    signed.is_ok(),
                    bits >= scheme.least_bits(),
                    "{bits} {scheme}"
                );
                let Ok(signature) = signed else { continue };
                let public = key.public();
                public.verify(scheme, &[b"onetwo"], &signature).unwrap();
                let other = public.verify(scheme, &[b"oneTwo"], &signature);
                assert_eq!(other, Err(VerifyError::Mismatch));
                let short = public.verify(scheme, &[b"onetwo"], &signature[1..]);
                assert!(matches!(short, Err(VerifyError::Length { .. })));
            }
        }
    }

    #[test]
    fn both_libraries_verify_strong_signatures() {
        let key = PrivateKey::generate(2048, &mut random()).unwrap();
        for scheme in SignatureScheme::RSA {
            let mut signature = key.sign(scheme, &[b"value"]).unwrap();
            key.public()
                .verify(scheme, &[b"va", b"lue"], &signature)
                .unwrap();
            signature[100] ^= 4;
            let altered = key.public().verify(scheme, &[b"value"], &signature);
            assert_eq!(altered, Err(VerifyError::Mismatch));
        }
    }

    #[test]
    fn a_key_signs_by_the_schemes_of_its_kind() {
        let dsa = PrivateKey::generate_dsa(512, &mut random()).unwrap();
        let rsa = PrivateKey::generate(1024, &mut random()).unwrap();
        for scheme in SignatureScheme::ALL {
            let (signs, other) = match scheme.is_dsa() {
                true => (&dsa, &rsa),
                false => (&rsa, &dsa),
            };
            let signature = signs.sign(scheme, &[b"val", b"ue"]).unwrap();
            signs
                .public()
                .verify(scheme, &[b"value"], &signature)
                .unwrap();
            assert!(
                signs
                    .public()
                    .verify(scheme, &[b"valve"], &signature)
                    .is_err()
            );
            assert!(other.sign(scheme, &[b"value"]).is_err());
            assert!(
                other
                    .public()
                    .verify(scheme, &[b"value"], &signature)
                    .is_err()
            );
        }
        assert!(dsa.public().encrypt_oaep(&mut random(), &[1; 4]).is_err());
        assert_eq!(dsa.decrypt_oaep(&[1; 64]), Err(DecryptError));
        assert_eq!(format!("{dsa:?}"), "PrivateKey(DSA, 512 bits)");
    }

    #[test]
    fn cookies_travel_encrypted() {
        let key = PrivateKey::generate(512, &mut random()).unwrap();
        let encrypted = key
            .public()
            .encrypt_oaep(&mut random(), &[1, 2, 3, 4])
            .unwrap();
        assert_eq!(encrypted.len(), 64);
        assert_eq!(*key.decrypt_oaep(&encrypted).unwrap(), [1, 2, 3, 4]);
        let other = PrivateKey::generate(512, &mut ChaCha12Rng::from_seed([8; 32])).unwrap();
        assert_eq!(other.decrypt_oaep(&encrypted), Err(DecryptError));
        assert_eq!(key.decrypt_oaep(&encrypted[1..]), Err(DecryptError));
        let small = PrivateKey::generate(256, &mut random()).unwrap();
        assert!(
            small
                .public()
                .encrypt_oaep(&mut random(), &[1, 2, 3, 4])
                .is_err()
        );
    }

    #[test]
    fn sizes_and_damage_are_refused() {
        for bits in [0, 255, 4097, u32::MAX] {
            let refused = PrivateKey::generate(bits, &mut random());
            assert_eq!(refused, Err(PrivateKeyError::NotSupported { bits }));
        }
        let der = PrivateKey::generate(256, &mut random())
            .unwrap()
            .public()
            .to_pkcs1_der();
        for length in 0..der.len() {
            assert!(PublicKey::from_pkcs1_der(&der[..length]).is_err());
        }
        // A sequence of two zeroes.
        assert!(PublicKey::from_pkcs1_der(&[0x30, 6, 2, 1, 0, 2, 1, 0]).is_err());
    }
}
