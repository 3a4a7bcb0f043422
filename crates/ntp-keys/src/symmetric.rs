//! Keys that both sides know: the lines of `ntp.keys` and the MACs made with them.

use core::fmt;

use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

mod digest;
mod key_table;
mod legacy;
#[cfg(test)]
mod tests;

pub use digest::{Digest, DigestAlgorithm, digest};
pub use key_table::{AddressBlock, KeyEntry, KeyFileProblem, KeyFileProblemKind, KeyTable};

/// How a symmetric key makes a MAC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyAlgorithm {
    /// The digest of the key followed by the packet, cut to 20 octets (RFC 5905 section 7.3 has
    /// MD5 only; the others are an extension that all implementations share).
    Digest(DigestAlgorithm),
    /// AES-CMAC with a key of 128 bits (RFC 8573).
    Aes128Cmac,
}

impl KeyAlgorithm {
    /// MD5, which every implementation has.
    pub const MD5: Self = Self::Digest(DigestAlgorithm::Md5);
    /// SHA-1.
    pub const SHA1: Self = Self::Digest(DigestAlgorithm::Sha1);
    /// SHA-256, cut to 20 octets.
    pub const SHA256: Self = Self::Digest(DigestAlgorithm::Sha256);

    /// The algorithm that `ntp.keys` or ntpq's `keytype` calls `name`, in any case.
    ///
    /// As in ntpd 4.2.8, a name that begins with `M` and is no digest of OpenSSL means MD5.
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(digest) = DigestAlgorithm::from_name(name) {
            return Some(Self::Digest(digest));
        }
        if ["AES128CMAC", "AES-128-CMAC"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        {
            return Some(Self::Aes128Cmac);
        }
        let means_md5 = name.starts_with(['m', 'M'])
            && !DIGESTS_NOT_SUPPORTED
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known));
        means_md5.then_some(Self::MD5)
    }

    /// The name that `ntp.keys` has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Digest(digest) => digest.name(),
            Self::Aes128Cmac => "AES128CMAC",
        }
    }

    /// Octets of a MAC, without the key number in front: 16 or 20.
    pub const fn mac_length(self) -> usize {
        match self {
            Self::Digest(digest) if digest.output_length() < MacBuffer::LONGEST => {
                digest.output_length()
            }
            Self::Digest(_) => MacBuffer::LONGEST,
            Self::Aes128Cmac => AES_KEY_LENGTH,
        }
    }

    /// Whether a log should warn of it: MD5 and SHA-1 are kept for those who have nothing else.
    pub const fn is_weak(self) -> bool {
        match self {
            Self::Digest(digest) => digest.is_weak(),
            Self::Aes128Cmac => false,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Digests that OpenSSL knows and this crate does not: they must not pass for MD5.
const DIGESTS_NOT_SUPPORTED: [&str; 4] = ["MD2", "MD4", "MDC2", "MD5-SHA1"];

const AES_KEY_LENGTH: usize = 16;

/// Why octets cannot be a symmetric key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum SymmetricKeyError {
    /// No octet at all.
    #[error("the key is empty: give it at least one octet, better 16 or more")]
    Empty,
}

/// One symmetric key: an algorithm and a secret, which is wiped from memory when it is dropped.
///
/// ```
/// use ntp_keys::{KeyAlgorithm, MacBuffer, SymmetricKey};
///
/// let key = SymmetricKey::new(KeyAlgorithm::Aes128Cmac, b"sixteen octets!!")?;
/// let mut buffer = MacBuffer::new();
/// let mac = key.mac(b"a packet", &mut buffer);
/// assert!(key.verify(b"a packet", mac));
/// assert!(!key.verify(b"another packet", mac));
/// # Ok::<(), ntp_keys::SymmetricKeyError>(())
/// ```
#[derive(Clone)]
pub struct SymmetricKey {
    algorithm: KeyAlgorithm,
    material: Material,
}

/// What MACs are made with.
#[derive(Clone)]
enum Material {
    Secret(DigestAlgorithm, Zeroizing<Vec<u8>>),
    Cmac(Box<digest::AesCmac>),
}

impl SymmetricKey {
    /// A key for `algorithm` made of the octets `secret`.
    ///
    /// AES-128-CMAC takes 16 octets: fewer are padded with zeroes and more are cut, as ntpd 4.2.8
    /// does.
    ///
    /// # Errors
    ///
    /// [`SymmetricKeyError::Empty`] if there are no octets.
    pub fn new(algorithm: KeyAlgorithm, secret: &[u8]) -> Result<Self, SymmetricKeyError> {
        if secret.is_empty() {
            return Err(SymmetricKeyError::Empty);
        }
        let material = match algorithm {
            KeyAlgorithm::Digest(digest) => {
                Material::Secret(digest, Zeroizing::new(secret.to_vec()))
            }
            KeyAlgorithm::Aes128Cmac => {
                let mut exact = Zeroizing::new([0; AES_KEY_LENGTH]);
                for (to, from) in exact.iter_mut().zip(secret) {
                    *to = *from;
                }
                Material::Cmac(Box::new(digest::AesCmac::new(&exact)))
            }
        };
        Ok(Self {
            algorithm,
            material,
        })
    }

    /// The algorithm.
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Octets of a MAC, without the key number in front: 16 or 20.
    pub const fn mac_length(&self) -> usize {
        self.algorithm.mac_length()
    }

    /// The MAC of `message`, which is all of a packet before the key number. Does not allocate.
    pub fn mac<'b>(&self, message: &[u8], out: &'b mut MacBuffer) -> &'b [u8] {
        match &self.material {
            Material::Secret(algorithm, secret) => {
                let mut whole = digest(*algorithm, &[secret, message]);
                for (to, from) in out.0.iter_mut().zip(whole.as_ref()) {
                    *to = *from;
                }
                whole.wipe();
            }
            Material::Cmac(key) => key.mac(message, &mut out.0),
        }
        out.0.get(..self.mac_length()).unwrap_or_default()
    }

    /// Whether `digest` is the MAC of `message`. Takes the same time wherever they differ, and
    /// does not allocate. A digest of another length than [`mac_length`](Self::mac_length) is
    /// always wrong.
    pub fn verify(&self, message: &[u8], digest: &[u8]) -> bool {
        let mut buffer = MacBuffer::new();
        self.mac(message, &mut buffer).ct_eq(digest).into()
    }
}

/// The secret is not shown.
impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SymmetricKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Room for the longest MAC.
#[derive(Clone, Default)]
pub struct MacBuffer([u8; Self::LONGEST]);

impl MacBuffer {
    /// Octets of the longest MAC, without the key number: what is longer is cut to this.
    pub const LONGEST: usize = 20;

    /// Room, filled with zeroes.
    pub const fn new() -> Self {
        Self([0; Self::LONGEST])
    }
}

impl Drop for MacBuffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for MacBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacBuffer")
    }
}
