//! The identity scheme MV: the broadcast encryption of Mu and Varadharajan (RFC 5906 appendix D).

use ntp_keys::{MvClient, MvServer, Secret, secret_power, secret_product};
use num_bigint::BigUint;
use rand::CryptoRng;

use super::{IdentityError, challenge_below, wide};
use crate::{Stamp, der};

/// What the server of an MV group has, and when the group was made.
///
/// It answers a challenge r by encrypting it: y = r E^k mod p for a random k, with ḡ^k and ĝ^k.
#[derive(Clone, PartialEq, Eq)]
pub struct MvServerKey {
    numbers: MvServer,
    filestamp: Stamp,
}

/// What one client of an MV group has, and when the group was made.
///
/// Who has seen one exchange can answer any challenge: y / r gives E^k, which serves again. So this
/// scheme keeps out clients that were revoked, and nobody else.
///
/// It decrypts the server's answer as y (ḡ^k)^x̂ (ĝ^k)^x̄ mod p. For a client that was revoked, that
/// is not r.
#[derive(Clone, PartialEq, Eq)]
pub struct MvClientKey {
    numbers: MvClient,
    filestamp: Stamp,
}

impl MvServerKey {
    /// The keys in a file that was made at `filestamp`.
    pub const fn new(numbers: MvServer, filestamp: Stamp) -> Self {
        Self { numbers, filestamp }
    }

    /// The numbers.
    pub const fn numbers(&self) -> &MvServer {
        &self.numbers
    }

    /// When the group was made.
    pub const fn filestamp(&self) -> Stamp {
        self.filestamp
    }

    /// The answer to a challenge, a DER sequence of the integers y, ḡ^k and ĝ^k.
    ///
    /// k is secret: the arithmetic takes the same time for each.
    ///
    /// # Errors
    ///
    /// [`IdentityError::BadChallenge`] unless 0 < r < p.
    pub fn respond(
        &self,
        challenge: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, IdentityError> {
        let numbers = &self.numbers;
        let (p, q) = (numbers.p(), numbers.q());
        let r = BigUint::from_bytes_be(challenge);
        if r == BigUint::ZERO || r >= *p {
            return Err(IdentityError::BadChallenge);
        }
        let length = q.bits().div_ceil(8) as usize;
        let k = BigUint::from_bytes_be(&wide(length, random)) % (q - 1u8) + 1u8;
        // k + 2^64 q has the same powers, and a length that does not depend on k.
        let k = Secret::from_be_bytes(&(k + (q << 64_u32)).to_bytes_be());
        let power = |base| secret_power(base, &k, p).ok_or(IdentityError::NoSecret);
        let hidden = power(numbers.encryption())?;
        let y = secret_product(&r, &hidden, p).ok_or(IdentityError::NoSecret)?;
        let (private, public) = (power(numbers.private())?, power(numbers.public())?);
        let [y, private, public] = [y, private, public].map(|number| number.to_bytes_be());
        Ok(der::write_integers(&[&y, &private, &public]))
    }
}

impl MvClientKey {
    /// The keys in a file that was made at `filestamp`.
    pub const fn new(numbers: MvClient, filestamp: Stamp) -> Self {
        Self { numbers, filestamp }
    }

    /// The numbers.
    pub const fn numbers(&self) -> &MvClient {
        &self.numbers
    }

    /// When the group was made.
    pub const fn filestamp(&self) -> Stamp {
        self.filestamp
    }

    /// A fresh challenge r, 0 < r < p, as long as p.
    pub fn challenge(&self, random: &mut impl CryptoRng) -> Vec<u8> {
        challenge_below(self.numbers.p(), random)
    }

    /// Whether `response` answers `challenge`.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if it does not.
    pub fn verify(&self, challenge: &[u8], response: &[u8]) -> Result<(), IdentityError> {
        let p = self.numbers.p();
        let numbers: [&[u8]; 3] = der::read_integers(response).ok_or(IdentityError::BadResponse)?;
        let numbers = numbers.map(BigUint::from_bytes_be);
        let [y, private, public] = &numbers;
        // Of 1 and -1 everybody knows the powers, whatever the exponents: only members of the group
        // of order (p - 1) / 2 count, and not 1.
        let one = BigUint::from(1_u8);
        let order = p >> 1_u32;
        let is_member = |number: &BigUint| *number > one && number.modpow(&order, p) == one;
        let is_in_range = numbers.iter().all(|number| number < p) && *y >= one;
        if !is_in_range || !is_member(private) || !is_member(public) {
            return Err(IdentityError::BadResponse);
        }
        let power = |base: &BigUint, exponent| {
            secret_power(base, exponent, p).ok_or(IdentityError::BadResponse)
        };
        let private = power(private, self.numbers.public())?;
        let public = power(public, self.numbers.private())?;
        let r = y * private % p * public % p;
        if r == BigUint::from_bytes_be(challenge) {
            Ok(())
        } else {
            Err(IdentityError::NotVerified)
        }
    }
}

macro_rules! hide {
    ($($kind:ident),*) => {$(
        /// What it holds is not for strangers: the numbers are not shown.
        impl std::fmt::Debug for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($kind))
                    .field("bits", &self.numbers.p().bits())
                    .field("filestamp", &self.filestamp)
                    .finish_non_exhaustive()
            }
        }
    )*};
}
hide!(MvServerKey, MvClientKey);

#[cfg(test)]
mod tests;
