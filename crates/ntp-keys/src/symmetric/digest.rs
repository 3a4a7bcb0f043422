//! Plain digests over several pieces, by the names that OpenSSL has for them.

use core::fmt;

use aes::Aes128;
use cmac::{Cmac, KeyInit as _, Mac as _};
use zeroize::Zeroize;

use super::legacy::{Md5, Ripemd160, Sha1};

/// A message digest, as `crypto digest` and `ntp.keys` can name it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DigestAlgorithm {
    /// MD5 (RFC 1321): broken, and what Autokey uses where nothing else is configured.
    Md5,
    /// SHA-1: broken.
    Sha1,
    /// RIPEMD-160: short.
    Ripemd160,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Md5,
        Self::Sha1,
        Self::Ripemd160,
        Self::Sha224,
        Self::Sha256,
        Self::Sha384,
        Self::Sha512,
    ];

    /// The digest with this short name of OpenSSL, in any case. `SHA` is none: it was SHA-0.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|digest| digest.name().eq_ignore_ascii_case(name))
    }

    /// The short name of OpenSSL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Ripemd160 => "RIPEMD160",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        }
    }

    /// The digest with this number of OpenSSL.
    pub fn from_nid(nid: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|digest| digest.nid() == nid)
    }

    /// The number that OpenSSL has for it (NID).
    pub const fn nid(self) -> u16 {
        match self {
            Self::Md5 => 4,
            Self::Sha1 => 64,
            Self::Ripemd160 => 117,
            Self::Sha224 => 675,
            Self::Sha256 => 672,
            Self::Sha384 => 673,
            Self::Sha512 => 674,
        }
    }

    /// Octets of the whole digest.
    pub const fn output_length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 | Self::Ripemd160 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Whether a log should warn of it.
    pub const fn is_weak(self) -> bool {
        matches!(self, Self::Md5 | Self::Sha1 | Self::Ripemd160)
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What [`digest()`] made: 16 to 64 octets.
#[derive(Clone, PartialEq, Eq)]
pub struct Digest {
    octets: [u8; LONGEST],
    length: usize,
}

const LONGEST: usize = 64;

impl Digest {
    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }

    /// Overwrites the octets with zeroes: where it is a key, when it has done its work.
    pub fn wipe(&mut self) {
        self.octets.zeroize();
    }

    fn from_octets(from: &[u8]) -> Self {
        let mut octets = [0; LONGEST];
        for (to, from) in octets.iter_mut().zip(from) {
            *to = *from;
        }
        Self {
            octets,
            length: from.len().min(LONGEST),
        }
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(")?;
        for octet in self.as_bytes() {
            write!(f, "{octet:02x}")?;
        }
        f.write_str(")")
    }
}

/// The digest of all `parts`, one after the other. Does not allocate.
///
/// ```
/// use ntp_keys::{DigestAlgorithm, digest};
///
/// let whole = digest(DigestAlgorithm::Md5, &[b"message digest"]);
/// let pieces = digest(DigestAlgorithm::Md5, &[b"message", b" ", b"digest"]);
/// assert_eq!(whole, pieces);
/// assert_eq!(whole.as_bytes()[..4], [0xf9, 0x6b, 0x69, 0x7d]); // RFC 1321 appendix A.5
/// ```
pub fn digest(algorithm: DigestAlgorithm, parts: &[&[u8]]) -> Digest {
    match algorithm {
        DigestAlgorithm::Md5 => over::<Md5>(parts),
        DigestAlgorithm::Sha1 => over::<Sha1>(parts),
        DigestAlgorithm::Ripemd160 => over::<Ripemd160>(parts),
        DigestAlgorithm::Sha224 => over::<sha2::Sha224>(parts),
        DigestAlgorithm::Sha256 => over::<sha2::Sha256>(parts),
        DigestAlgorithm::Sha384 => over::<sha2::Sha384>(parts),
        DigestAlgorithm::Sha512 => over::<sha2::Sha512>(parts),
    }
}

fn over<D: ::digest::Digest>(parts: &[&[u8]]) -> Digest {
    let mut state = D::new();
    for part in parts {
        state.update(part);
    }
    Digest::from_octets(&state.finalize())
}

/// AES-CMAC (RFC 4493) with a key whose schedule is made once; wiped from memory when it is dropped.
#[derive(Clone)]
pub(super) struct AesCmac(Cmac<Aes128>);

impl AesCmac {
    pub(super) fn new(key: &[u8; 16]) -> Self {
        Self(Cmac::new(key.into()))
    }

    pub(super) fn mac(&self, message: &[u8], out: &mut [u8]) {
        let mut state = self.0.clone();
        state.update(message);
        for (to, from) in out.iter_mut().zip(state.finalize().into_bytes()) {
            *to = from;
        }
    }
}
