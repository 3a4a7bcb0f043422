//! The parameters of identity groups (RFC 5906 appendix B to D): numbers that files and schemes
//! share.

use core::fmt;

use num_bigint::BigUint;
use thiserror::Error;
use zeroize::Zeroizing;

mod generate;
mod power;
#[cfg(test)]
mod tests;

pub use generate::GenerateError;
pub use power::secret_power;

/// An IFF group (RFC 5906 appendix B): what the server holds if [`secret`](Self::secret) is there,
/// what clients hold if it is not.
#[derive(Clone, PartialEq, Eq)]
pub struct IffGroup {
    p: BigUint,
    q: BigUint,
    g: BigUint,
    v: BigUint,
    secret: Option<Secret>,
}

impl IffGroup {
    /// What clients hold: a prime `p`, a prime `q` that divides p - 1, a generator `g` of the
    /// subgroup of order q, and `v` = g^(q-b) mod p.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such a group.
    pub fn client(p: BigUint, q: BigUint, g: BigUint, v: BigUint) -> Result<Self, GroupError> {
        let group = Self {
            p,
            q,
            g,
            v,
            secret: None,
        };
        group.check()?;
        Ok(group)
    }

    /// What the server holds: as for clients, and the secret b from which v is made.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such a group.
    pub fn server(p: BigUint, q: BigUint, g: BigUint, b: Secret) -> Result<Self, GroupError> {
        let v = power::public_of_secret(&p, &q, &g, &b)?;
        let group = Self {
            p,
            q,
            g,
            v,
            secret: Some(b),
        };
        group.check()?;
        Ok(group)
    }

    /// The prime modulus.
    pub const fn p(&self) -> &BigUint {
        &self.p
    }

    /// The prime order of the subgroup.
    pub const fn q(&self) -> &BigUint {
        &self.q
    }

    /// The generator of the subgroup.
    pub const fn g(&self) -> &BigUint {
        &self.g
    }

    /// The public key of the group: g^(q-b) mod p.
    pub const fn v(&self) -> &BigUint {
        &self.v
    }

    /// The secret key b of the group, if this is the server's half.
    pub const fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// The same group without its secret: what clients may have.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        Self {
            secret: None,
            ..self.clone()
        }
    }

    fn check(&self) -> Result<(), GroupError> {
        let one = BigUint::from(1_u8);
        let bits = self.p.bits();
        if !(256..=4096).contains(&bits) || !self.p.bit(0) {
            return Err(GroupError::Modulus { bits });
        }
        if self.q.bits() < 128 || self.q.bits() >= bits || !self.q.bit(0) {
            return Err(GroupError::Order {
                bits: self.q.bits(),
            });
        }
        for (name, number) in [("g", &self.g), ("v", &self.v)] {
            if *number <= one || *number >= self.p || number.modpow(&self.q, &self.p) != one {
                return Err(GroupError::NotInGroup { name });
            }
        }
        // b = 1 in the files of ntp-keygen 4.2.7 and later: v was lost and g stands in its place.
        if self.v == self.g {
            return Err(GroupError::PublicValueLost);
        }
        Ok(())
    }
}

/// The secret stays unseen.
impl fmt::Debug for IffGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IffGroup")
            .field("p", &self.p)
            .field("q", &self.q)
            .field("g", &self.g)
            .field("v", &self.v)
            .finish_non_exhaustive()
    }
}

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
    /// The file is one of ntp-keygen 4.2.7 or later, which loses v.
    #[error(
        "the public value v was lost when the file was written (ntp-keygen of ntp 4.2.7 and later \
         writes PKCS#8, which has no room for it): export the parameters again from the server's \
         key with this ntp-keygen -e"
    )]
    PublicValueLost,
}
