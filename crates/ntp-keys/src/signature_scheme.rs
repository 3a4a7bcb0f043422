//! The signature schemes of Autokey: RSA (PKCS#1 version 1.5) with one of six digests, and DSA.

use core::fmt;

use rsa::Pkcs1v15Sign;

use crate::symmetric::DigestAlgorithm;

mod legacy;

/// RSA or DSA with a digest, as certificates, the status word and `ntp-keygen -c` name it.
///
/// ```
/// use ntp_keys::SignatureScheme;
///
/// let scheme = SignatureScheme::from_name("RSA-MD5").unwrap();
/// assert_eq!(scheme.nid(), 8);
/// assert_eq!(scheme.long_name(), "md5WithRSAEncryption");
/// assert!(scheme.is_weak());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SignatureScheme {
    /// With MD5: broken, and what every host of 2008 has.
    RsaMd5,
    /// With SHA-1: broken.
    RsaSha1,
    /// With RIPEMD-160: short.
    RsaRipemd160,
    /// With SHA-256: what new keys have.
    RsaSha256,
    /// With SHA-384.
    RsaSha384,
    /// With SHA-512.
    RsaSha512,
    /// DSA with SHA-1, under the number and the name that it had first: broken.
    DsaSha,
    /// DSA with SHA-1: broken.
    DsaSha1,
}

impl SignatureScheme {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RsaMd5,
        Self::RsaSha1,
        Self::RsaRipemd160,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::DsaSha,
        Self::DsaSha1,
    ];

    /// Those of RSA keys.
    pub const RSA: [Self; 6] = [
        Self::RsaMd5,
        Self::RsaSha1,
        Self::RsaRipemd160,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
    ];

    /// The scheme with this number of OpenSSL, which is the upper half of Autokey's status word.
    pub fn from_nid(nid: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.nid() == nid)
    }

    /// The number that OpenSSL has for it (NID).
    pub const fn nid(self) -> u16 {
        match self {
            Self::RsaMd5 => 8,
            Self::RsaSha1 => 65,
            Self::RsaRipemd160 => 119,
            Self::RsaSha256 => 668,
            Self::RsaSha384 => 669,
            Self::RsaSha512 => 670,
            Self::DsaSha => 66,
            Self::DsaSha1 => 113,
        }
    }

    /// The scheme that `ntp-keygen -c` calls `name`, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }

    /// The name that `ntp-keygen -c` and the names of certificate files have for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaMd5 => "RSA-MD5",
            Self::RsaSha1 => "RSA-SHA1",
            Self::RsaRipemd160 => "RSA-RIPEMD160",
            Self::RsaSha256 => "RSA-SHA256",
            Self::RsaSha384 => "RSA-SHA384",
            Self::RsaSha512 => "RSA-SHA512",
            Self::DsaSha => "DSA-SHA",
            Self::DsaSha1 => "DSA-SHA1",
        }
    }

    /// The name that ntpq shows under `signature`.
    pub const fn long_name(self) -> &'static str {
        match self {
            Self::RsaMd5 => "md5WithRSAEncryption",
            Self::RsaSha1 => "sha1WithRSAEncryption",
            Self::RsaRipemd160 => "ripemd160WithRSA",
            Self::RsaSha256 => "sha256WithRSAEncryption",
            Self::RsaSha384 => "sha384WithRSAEncryption",
            Self::RsaSha512 => "sha512WithRSAEncryption",
            Self::DsaSha => "dsaWithSHA",
            Self::DsaSha1 => "dsaWithSHA1",
        }
    }

    /// The digest that is signed.
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::RsaMd5 => DigestAlgorithm::Md5,
            Self::RsaSha1 | Self::DsaSha | Self::DsaSha1 => DigestAlgorithm::Sha1,
            Self::RsaRipemd160 => DigestAlgorithm::Ripemd160,
            Self::RsaSha256 => DigestAlgorithm::Sha256,
            Self::RsaSha384 => DigestAlgorithm::Sha384,
            Self::RsaSha512 => DigestAlgorithm::Sha512,
        }
    }

    /// Whether it takes a DSA key.
    pub const fn is_dsa(self) -> bool {
        matches!(self, Self::DsaSha | Self::DsaSha1)
    }

    /// Whether a log should warn of it.
    pub const fn is_weak(self) -> bool {
        self.digest().is_weak()
    }

    /// The least bits that a key needs for it: with RSA the digest, its name and eleven octets more.
    pub fn least_bits(self) -> u32 {
        let Some(padding) = self.padding() else {
            return crate::dsa::LEAST_BITS;
        };
        let octets = padding.prefix.len() + self.digest().output_length() + 11;
        u32::try_from(octets * 8).unwrap_or(u32::MAX)
    }

    /// What surrounds the digest; `None` with DSA.
    pub(crate) fn padding(self) -> Option<Pkcs1v15Sign> {
        Some(match self {
            Self::RsaMd5 => legacy::md5_padding(),
            Self::RsaSha1 => legacy::sha1_padding(),
            Self::RsaRipemd160 => legacy::ripemd160_padding(),
            Self::RsaSha256 => Pkcs1v15Sign::new::<sha2::Sha256>(),
            Self::RsaSha384 => Pkcs1v15Sign::new::<sha2::Sha384>(),
            Self::RsaSha512 => Pkcs1v15Sign::new::<sha2::Sha512>(),
            Self::DsaSha | Self::DsaSha1 => return None,
        })
    }
}

/// The name that `ntp-keygen -c` has for it.
impl fmt::Display for SignatureScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back() {
        for scheme in SignatureScheme::ALL {
            assert_eq!(SignatureScheme::from_nid(scheme.nid()), Some(scheme));
            assert_eq!(SignatureScheme::from_name(scheme.name()), Some(scheme));
        }
        assert_eq!(SignatureScheme::from_nid(64), None);
        assert_eq!(SignatureScheme::from_name("DSA-SHA256"), None);
    }

    #[test]
    fn the_least_size_of_a_key() {
        // 18 + 16 + 11 octets, and 19 + 64 + 11 octets
        assert_eq!(SignatureScheme::RsaMd5.least_bits(), 360);
        assert_eq!(SignatureScheme::RsaSha512.least_bits(), 752);
    }
}
