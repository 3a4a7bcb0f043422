//! PBES1 (RFC 8018 section 6.1) and its kin of PKCS#12 (RFC 7292 appendix C): how older programs
//! encrypt PKCS#8. Read only: nothing is written so.

use der::{
    Sequence,
    asn1::{AnyRef, ObjectIdentifier, OctetStringRef},
};
use des::{Des, TdesEde2, TdesEde3};
use zeroize::Zeroizing;

use super::{super::KeyFileError, decrypt_with_key};
use crate::{DigestAlgorithm, digest};

/// `EncryptedPrivateKeyInfo`, whatever it is encrypted by.
#[derive(Sequence)]
pub(in crate::key_file) struct Encrypted<'a> {
    algorithm: Algorithm<'a>,
    data: &'a OctetStringRef,
}

#[derive(Sequence)]
struct Algorithm<'a> {
    oid: ObjectIdentifier,
    #[asn1(optional = "true")]
    parameters: Option<AnyRef<'a>>,
}

/// RFC 8018 appendix A.3, and RFC 7292 appendix C just so.
#[derive(Sequence)]
struct Parameters<'a> {
    salt: &'a OctetStringRef,
    rounds: u32,
}

/// The block cipher of a scheme.
#[derive(Clone, Copy)]
enum Cipher {
    Des,
    /// Triple DES with two keys.
    TwoKeys,
    /// Triple DES with three keys.
    ThreeKeys,
}

/// How key and vector come from the password.
#[derive(Clone, Copy)]
enum Derivation {
    /// PBKDF1 (RFC 8018 section 5.1).
    Pbkdf1(DigestAlgorithm),
    /// With SHA-1, RFC 7292 appendix B.
    Pkcs12,
}

impl Encrypted<'_> {
    /// The plain octets, or `None` if the scheme is none of these.
    pub(in crate::key_file) fn decrypt(
        &self,
        password: &str,
        most_rounds: u32,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFileError> {
        let Some((derivation, cipher)) = scheme(self.algorithm.oid) else {
            return Ok(None);
        };
        let parameters = self.algorithm.parameters;
        let parameters = parameters.ok_or_else(|| der::Error::from(der::ErrorKind::Failed))?;
        let Parameters { salt, rounds } = parameters.decode_as()?;
        if rounds > most_rounds {
            return Err(KeyFileError::UnknownCipher(format!(
                "{rounds} rounds of PBES1"
            )));
        }
        let (key, vector) = derivation.derive(cipher, password, salt.as_bytes(), rounds);
        let data = self.data.as_bytes();
        let plain = match cipher {
            Cipher::Des => decrypt_with_key::<Des>(&key, &vector, data),
            Cipher::TwoKeys => decrypt_with_key::<TdesEde2>(&key, &vector, data),
            Cipher::ThreeKeys => decrypt_with_key::<TdesEde3>(&key, &vector, data),
        };
        plain.map(Some).ok_or(KeyFileError::WrongPassword)
    }

    /// What to call a scheme that is not known.
    pub(in crate::key_file) fn scheme_name(&self) -> String {
        format!("the scheme {}", self.algorithm.oid)
    }
}

/// The schemes whose ciphers are at hand: RC2 and RC4 are not.
fn scheme(oid: ObjectIdentifier) -> Option<(Derivation, Cipher)> {
    const MD5_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.3");
    const SHA1_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.10");
    const THREE_KEYS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
    const TWO_KEYS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.4");
    Some(match oid {
        MD5_DES => (Derivation::Pbkdf1(DigestAlgorithm::Md5), Cipher::Des),
        SHA1_DES => (Derivation::Pbkdf1(DigestAlgorithm::Sha1), Cipher::Des),
        THREE_KEYS => (Derivation::Pkcs12, Cipher::ThreeKeys),
        TWO_KEYS => (Derivation::Pkcs12, Cipher::TwoKeys),
        _ => return None,
    })
}

impl Derivation {
    /// Key and vector.
    fn derive(
        self,
        cipher: Cipher,
        password: &str,
        salt: &[u8],
        rounds: u32,
    ) -> (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>) {
        let key_length = match cipher {
            Cipher::Des => 8,
            Cipher::TwoKeys => 16,
            Cipher::ThreeKeys => 24,
        };
        match self {
            Self::Pbkdf1(algorithm) => {
                let parts = [password.as_bytes(), salt];
                let octets = repeated(algorithm, &parts, rounds);
                let (key, rest) = octets.split_at(8);
                (
                    Zeroizing::new(key.to_vec()),
                    Zeroizing::new(rest.iter().take(8).copied().collect()),
                )
            }
            Self::Pkcs12 => (
                pkcs12(1, key_length, password, salt, rounds),
                pkcs12(2, 8, password, salt, rounds),
            ),
        }
    }
}

/// The digest of `parts`, and of that, `rounds` times in all.
fn repeated(algorithm: DigestAlgorithm, parts: &[&[u8]], rounds: u32) -> Zeroizing<Vec<u8>> {
    let mut state = digest(algorithm, parts);
    for _ in 1..rounds {
        state = digest(algorithm, &[state.as_bytes()]);
    }
    Zeroizing::new(state.as_bytes().to_vec())
}

/// RFC 7292 appendix B.2 with SHA-1: `purpose` is 1 for a key, 2 for a vector.
fn pkcs12(
    purpose: u8,
    length: usize,
    password: &str,
    salt: &[u8],
    rounds: u32,
) -> Zeroizing<Vec<u8>> {
    /// What SHA-1 takes in at once.
    const BLOCK: usize = 64;
    // UTF-16, the greater octet first, with a zero at the end.
    let units = password.encode_utf16().chain([0]);
    let password: Zeroizing<Vec<u8>> = Zeroizing::new(units.flat_map(u16::to_be_bytes).collect());
    let filled = |octets: &[u8]| {
        let length = octets.len().next_multiple_of(BLOCK);
        let filled: Vec<u8> = octets.iter().copied().cycle().take(length).collect();
        Zeroizing::new(filled)
    };
    let mut input = Zeroizing::new([&filled(salt)[..], &filled(&password)[..]].concat());
    let mut out = Zeroizing::new(Vec::with_capacity(length + BLOCK));
    loop {
        let octets = repeated(DigestAlgorithm::Sha1, &[&[purpose; BLOCK], &input], rounds);
        out.extend_from_slice(&octets);
        if out.len() >= length {
            out.truncate(length);
            return out;
        }
        // Each block of the input becomes itself and the repeated digest and one, added.
        for block in input.chunks_mut(BLOCK) {
            let added: Vec<u8> = octets.iter().copied().cycle().take(BLOCK).collect();
            let mut carry = 1;
            for (octet, added) in block.iter_mut().zip(added).rev() {
                let sum = u16::from(*octet) + u16::from(added) + carry;
                [_, *octet] = sum.to_be_bytes();
                carry = sum >> 8;
            }
        }
    }
}
