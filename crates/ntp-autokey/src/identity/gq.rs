//! The identity scheme GQ: the proof of Guillou and Quisquater in one round (RFC 5906 appendix C).

use ntp_keys::{DigestAlgorithm, GqGroup, Secret, secret_power, secret_product};
use num_bigint::BigUint;
use rand::CryptoRng;

use super::{IdentityError, challenge_below, commitment, wide};
use crate::{Stamp, der};

/// A GQ group and when it was made: the server's half with the secret u, or the clients'.
///
/// The server proves that it knows u: to a challenge r it answers y = k u^r mod n for a random k,
/// with the digest of x = k^b mod n. The client has v = u^-b from the server's certificate, and
/// computes x as v^r y^b.
#[derive(Clone, PartialEq, Eq)]
pub struct GqKey {
    group: GqGroup,
    filestamp: Stamp,
}

impl GqKey {
    /// The group in a file that was made at `filestamp`.
    pub const fn new(group: GqGroup, filestamp: Stamp) -> Self {
        Self { group, filestamp }
    }

    /// The numbers.
    pub const fn group(&self) -> &GqGroup {
        &self.group
    }

    /// When the group was made.
    pub const fn filestamp(&self) -> Stamp {
        self.filestamp
    }

    /// A fresh challenge r, 0 < r < n, as long as n.
    pub fn challenge(&self, random: &mut impl CryptoRng) -> Vec<u8> {
        challenge_below(self.group.n(), random)
    }

    /// Whether `response` answers `challenge`; `certified` is v, from the server's certificate.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if it does not.
    pub fn verify(
        &self,
        challenge: &[u8],
        response: &[u8],
        certified: &[u8],
    ) -> Result<(), IdentityError> {
        let [y, hash] = der::read_integers(response).ok_or(IdentityError::BadResponse)?;
        let (n, b) = (self.group.n(), self.group.b());
        let [r, y, v] = [challenge, y, certified].map(BigUint::from_bytes_be);
        let one = BigUint::from(1_u8);
        if y < one || y >= *n || hash.len() > DigestAlgorithm::Md5.output_length() {
            return Err(IdentityError::BadResponse);
        }
        // Of 0 and 1 everybody knows the powers.
        if v <= one || v >= *n {
            return Err(IdentityError::NotCertified);
        }
        let x = v.modpow(&r, n) * y.modpow(b, n) % n;
        if commitment(&x) == BigUint::from_bytes_be(hash) {
            Ok(())
        } else {
            Err(IdentityError::NotVerified)
        }
    }

    /// The answer to a challenge, a DER sequence of the integers y and digest of x.
    ///
    /// k and u are secret: the arithmetic takes the same time for all of them.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoSecret`] if this is the clients' half, [`IdentityError::BadChallenge`]
    /// unless 0 < r < n.
    pub fn respond(
        &self,
        challenge: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, IdentityError> {
        let no_secret = IdentityError::NoSecret;
        let u = self.group.secret().ok_or(no_secret)?;
        let u = BigUint::from_bytes_be(u.as_be_bytes());
        let (n, b) = (self.group.n(), self.group.b());
        let r = BigUint::from_bytes_be(challenge);
        if r == BigUint::ZERO || r >= *n {
            return Err(IdentityError::BadChallenge);
        }
        let length = n.bits().div_ceil(8) as usize;
        let k = BigUint::from_bytes_be(&wide(length, random)) % (n - 1u8) + 1u8;
        let exponent = |number: &BigUint| Secret::from_be_bytes(&number.to_bytes_be());
        let power = secret_power(&u, &exponent(&r), n).ok_or(no_secret)?;
        let y = secret_product(&k, &power, n).ok_or(no_secret)?;
        let x = secret_power(&k, &exponent(b), n).ok_or(no_secret)?;
        let hash = commitment(&x).to_bytes_be();
        Ok(der::write_integers(&[&y.to_bytes_be(), &hash]))
    }
}

/// Neither half is for strangers: the numbers are not shown.
impl std::fmt::Debug for GqKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GqKey")
            .field("bits", &self.group.n().bits())
            .field("filestamp", &self.filestamp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
