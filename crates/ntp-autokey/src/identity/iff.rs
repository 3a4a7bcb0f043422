//! The identity scheme IFF: a Schnorr proof in one round (RFC 5906 appendix B).

use crypto_bigint::{BoxedUint, NonZero};
use ntp_keys::{DigestAlgorithm, IffGroup, Secret, secret_power};
use num_bigint::BigUint;
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::{IdentityError, challenge_below, commitment, wide};
use crate::{Stamp, der};

/// An IFF group and when it was made: the server's half with the secret b, or the clients'.
///
/// The server proves that it knows b: to a challenge r it answers y = k + b·r mod q for a random k,
/// with the digest of x = g^k mod p. The client knows v = g^(q−b) and computes x as g^y · v^r.
///
/// The challenge travels before the commitment, so that whoever holds the clients' half can answer
/// as a server would: it is a secret of the group, and is to be handed out as such.
#[derive(Clone, PartialEq, Eq)]
pub struct IffKey {
    group: IffGroup,
    filestamp: Stamp,
}

impl IffKey {
    /// The group in a file that was made at `filestamp`. Both halves must have the same.
    pub const fn new(group: IffGroup, filestamp: Stamp) -> Self {
        Self { group, filestamp }
    }

    /// The numbers.
    pub const fn group(&self) -> &IffGroup {
        &self.group
    }

    /// When the group was made.
    pub const fn filestamp(&self) -> Stamp {
        self.filestamp
    }

    /// A fresh challenge r, 0 < r < q, as long as q.
    pub fn challenge(&self, random: &mut impl CryptoRng) -> Vec<u8> {
        challenge_below(self.group.q(), random)
    }

    /// Whether `response` answers `challenge`.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if it does not.
    pub fn verify(&self, challenge: &[u8], response: &[u8]) -> Result<(), IdentityError> {
        let [y, hash] = der::read_integers(response).ok_or(IdentityError::BadResponse)?;
        let (p, q) = (self.group.p(), self.group.q());
        let r = BigUint::from_bytes_be(challenge);
        let y = BigUint::from_bytes_be(y);
        if y >= *q || hash.len() > DigestAlgorithm::Md5.output_length() {
            return Err(IdentityError::BadResponse);
        }
        let x = self.group.g().modpow(&y, p) * self.group.v().modpow(&r, p) % p;
        if commitment(&x) == BigUint::from_bytes_be(hash) {
            Ok(())
        } else {
            Err(IdentityError::NotVerified)
        }
    }

    /// The answer to a challenge, a DER sequence of the integers y and digest of x.
    ///
    /// k and b are secret: the arithmetic takes the same time for all of them.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoSecret`] if this is the clients' half, [`IdentityError::BadChallenge`] unless
    /// 0 < r < q.
    pub fn respond(
        &self,
        challenge: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, IdentityError> {
        let b = self.group.secret().ok_or(IdentityError::NoSecret)?;
        let order = self.group.q().to_bytes_be();
        // Room for a random number 64 bits longer than q, of which the rest is as good as uniform.
        let precision = u32::try_from(order.len() * 8 + 64).map_err(|_| IdentityError::NoSecret)?;
        let number = |octets: &[u8]| BoxedUint::from_be_slice(octets, precision).ok();
        let q = number(&order).and_then(|q| NonZero::new(q).into_option());
        let q = q.ok_or(IdentityError::NoSecret)?;
        let mut b = number(b.as_be_bytes()).ok_or(IdentityError::NoSecret)?;
        let zeroes = challenge.iter().take_while(|octet| **octet == 0).count();
        let r = challenge.get(zeroes..).filter(|octets| !octets.is_empty());
        let r = r.filter(|octets| octets.len() <= order.len());
        let r = r.and_then(number).filter(|r| *r < *q.as_ref());
        let r = r.ok_or(IdentityError::BadChallenge)?;

        let mut k = number(&wide(order.len(), random))
            .ok_or(IdentityError::NoSecret)?
            .rem(&q);
        let mut product = b.mul_mod(&r, &q);
        let y = product.add_mod(&k, &q);
        // g^k = g^(k + 2^64 q): an exponent whose length does not depend on k.
        let mut longer = Zeroizing::new(order.clone());
        longer.extend_from_slice(&[0; 8]);
        let mut exponent = number(&longer)
            .ok_or(IdentityError::NoSecret)?
            .wrapping_add(&k);
        let octets = Zeroizing::new(exponent.to_be_bytes().into_vec());
        let x = secret_power(
            self.group.g(),
            &Secret::from_be_bytes(&octets),
            self.group.p(),
        );
        for secret in [&mut b, &mut k, &mut product, &mut exponent] {
            secret.zeroize();
        }
        let hash = commitment(&x.ok_or(IdentityError::NoSecret)?).to_bytes_be();
        Ok(der::write_integers(&[&y.to_be_bytes(), &hash]))
    }
}

/// Neither half is for strangers: the numbers are not shown.
impl std::fmt::Debug for IffKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IffKey")
            .field("bits", &self.group.p().bits())
            .field("filestamp", &self.filestamp)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
