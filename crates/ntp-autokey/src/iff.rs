//! The identity scheme IFF: a Schnorr proof in one round (RFC 5906 appendix B).

use crypto_bigint::{BoxedUint, NonZero};
use ntp_keys::{DigestAlgorithm, IffGroup, Secret, digest, secret_power};
use num_bigint::BigUint;
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::{Stamp, der};

mod groups;

pub use groups::IffGroups;

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
        let q = self.group.q();
        let length = q.bits().div_ceil(8) as usize;
        let r = BigUint::from_bytes_be(&wide(length, random)) % (q - 1u8) + 1u8;
        let r = r.to_bytes_be();
        let mut octets = vec![0; length.saturating_sub(r.len())];
        octets.extend_from_slice(&r);
        octets
    }

    /// Whether `response` answers `challenge`.
    ///
    /// # Errors
    ///
    /// [`IffError`] if it does not.
    pub fn verify(&self, challenge: &[u8], response: &[u8]) -> Result<(), IffError> {
        let [y, hash] = der::read_integers(response).ok_or(IffError::BadResponse)?;
        let (p, q) = (self.group.p(), self.group.q());
        let r = BigUint::from_bytes_be(challenge);
        let y = BigUint::from_bytes_be(y);
        if y >= *q || hash.len() > DigestAlgorithm::Md5.output_length() {
            return Err(IffError::BadResponse);
        }
        let x = self.group.g().modpow(&y, p) * self.group.v().modpow(&r, p) % p;
        if commitment(&x) == BigUint::from_bytes_be(hash) {
            Ok(())
        } else {
            Err(IffError::NotVerified)
        }
    }

    /// Whether a challenge can be answered: 0 < r < q.
    pub(crate) fn check_challenge(&self, challenge: &[u8]) -> Result<(), IffError> {
        let r = BigUint::from_bytes_be(challenge);
        if r == BigUint::ZERO || r >= *self.group.q() {
            return Err(IffError::BadChallenge);
        }
        Ok(())
    }

    /// The answer to a challenge, a DER sequence of the integers y and digest of x.
    ///
    /// k and b are secret: the arithmetic takes the same time for all of them.
    ///
    /// # Errors
    ///
    /// [`IffError::NoSecret`] if this is the clients' half, [`IffError::BadChallenge`] unless
    /// 0 < r < q.
    pub fn respond(
        &self,
        challenge: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, IffError> {
        let b = self.group.secret().ok_or(IffError::NoSecret)?;
        let order = self.group.q().to_bytes_be();
        // Room for a random number 64 bits longer than q, of which the rest is as good as uniform.
        let precision = u32::try_from(order.len() * 8 + 64).map_err(|_| IffError::NoSecret)?;
        let number = |octets: &[u8]| BoxedUint::from_be_slice(octets, precision).ok();
        let q = number(&order).and_then(|q| NonZero::new(q).into_option());
        let q = q.ok_or(IffError::NoSecret)?;
        let mut b = number(b.as_be_bytes()).ok_or(IffError::NoSecret)?;
        let zeroes = challenge.iter().take_while(|octet| **octet == 0).count();
        let r = challenge.get(zeroes..).filter(|octets| !octets.is_empty());
        let r = r.filter(|octets| octets.len() <= order.len());
        let r = r.and_then(number).filter(|r| *r < *q.as_ref());
        let r = r.ok_or(IffError::BadChallenge)?;

        let mut k = number(&wide(order.len(), random))
            .ok_or(IffError::NoSecret)?
            .rem(&q);
        let mut product = b.mul_mod(&r, &q);
        let y = product.add_mod(&k, &q);
        // g^k = g^(k + 2^64 q): an exponent whose length does not depend on k.
        let mut longer = Zeroizing::new(order.clone());
        longer.extend_from_slice(&[0; 8]);
        let mut exponent = number(&longer).ok_or(IffError::NoSecret)?.wrapping_add(&k);
        let octets = Zeroizing::new(exponent.to_be_bytes().into_vec());
        let x = secret_power(
            self.group.g(),
            &Secret::from_be_bytes(&octets),
            self.group.p(),
        );
        for secret in [&mut b, &mut k, &mut product, &mut exponent] {
            secret.zeroize();
        }
        let hash = commitment(&x.ok_or(IffError::NoSecret)?).to_bytes_be();
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

/// Why a challenge or a response is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IffError {
    /// Only the clients' half is at hand.
    #[error("the secret of the group is not at hand: this is what clients have")]
    NoSecret,
    /// r is zero or not below q.
    #[error("the challenge is out of range")]
    BadChallenge,
    /// The response is no sequence of two integers, or they are out of range.
    #[error("the response is malformed")]
    BadResponse,
    /// The response is another group's, or forged.
    #[error("the response is not of this group: the server's key is of another one")]
    NotVerified,
}

/// Random octets, eight more than `length`.
fn wide(length: usize, random: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
    let mut octets = Zeroizing::new(vec![0; length + 8]);
    random.fill_bytes(&mut octets);
    octets
}

/// MD5 of x in as few octets as it needs, read as a number. The scheme knows no other digest.
fn commitment(x: &BigUint) -> BigUint {
    BigUint::from_bytes_be(digest(DigestAlgorithm::Md5, &[&x.to_bytes_be()]).as_bytes())
}

#[cfg(test)]
mod tests;
