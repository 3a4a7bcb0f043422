//! The parameters of identity groups (RFC 5906 appendix B to D): numbers that files and schemes
//! share.

use core::fmt;

use thiserror::Error;
use zeroize::Zeroizing;

mod generate;
mod gq;
mod iff;
mod mv;
mod power;
#[cfg(test)]
mod tests;

pub use generate::GenerateError;
pub(crate) use generate::{modulus_and_generator, secret_below};
pub use gq::GqGroup;
pub use iff::IffGroup;
pub use mv::{MvAuthority, MvClient, MvKeys, MvServer};
pub use power::{secret_power, secret_product};

/// A secret number, as octets with the greatest first. Wiped when dropped, not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The number that `octets` write, greatest first.
    pub fn from_be_bytes(octets: &[u8]) -> Self {
        let zeroes = octets.iter().take_while(|octet| **octet == 0).count();
        Self(Zeroizing::new(
            octets.get(zeroes..).unwrap_or_default().to_vec(),
        ))
    }

    /// Its octets, greatest first, none of them zero at the start.
    pub fn as_be_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the number one, which stands where a file has no secret.
    pub fn is_one(&self) -> bool {
        *self.0 == [1]
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Why numbers are no identity group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum GroupError {
    /// p is even, too small or too large.
    #[error("the modulus p ({bits} bits) must be an odd prime of 256 to 4096 bits")]
    Modulus {
        /// Its bits.
        bits: u64,
    },
    /// q is even, too small or too large.
    #[error("the order q ({bits} bits) must be an odd prime of 128 bits or more, smaller than p")]
    Order {
        /// Its bits.
        bits: u64,
    },
    /// A number is not of the subgroup of order q.
    #[error("{name} is not of the group: {name}^q mod p is not 1")]
    NotInGroup {
        /// Which.
        name: &'static str,
    },
    /// The secret is zero or not less than q.
    #[error("the secret b must lie between 1 and q")]
    SecretOutOfRange,
    /// A number that must lie between one and the modulus does not.
    #[error("{name} must lie between 1 and the modulus")]
    OutOfRange {
        /// Which.
        name: &'static str,
    },
    /// The numbers of one file do not belong together.
    #[error("the numbers of the group do not belong together: {0}")]
    Inconsistent(&'static str),
    /// Too few or too many clients.
    #[error("an MV group of {0} clients: 2 to 100 can be made, of which the last is revoked")]
    Clients(u32),
    /// The file is one of ntp-keygen 4.2.7 or later, which loses v.
    #[error(
        "the public value v was lost when the file was written (ntp-keygen of ntp 4.2.7 and later \
         writes PKCS#8, which has no room for it): export the parameters again from the server's \
         key with this ntp-keygen -e"
    )]
    PublicValueLost,
}
