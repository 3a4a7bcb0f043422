//! New identity groups.

use crypto_bigint::BoxedUint;
use crypto_primes::{Flavor, is_prime, random_prime};
use num_bigint::BigUint;
use rand::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{GroupError, IffGroup, Secret};
use crate::public_key::unsigned;

mod gq;
mod mv;

impl IffGroup {
    /// The bits of p that are made at least, whatever is asked for, as OpenSSL does since 1.0.
    pub const LEAST_MODULUS_BITS: u32 = 512;
    /// The bits of p that are made at most.
    pub const MOST_MODULUS_BITS: u32 = 4096;

    /// Makes a new group with a p of `modulus_bits` bits (lifted to 512), a q of 160 bits (256 if
    /// p has 2048 or more), and a secret.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] beyond 4096 bits, or if the random numbers are none.
    pub fn generate<R: CryptoRng + ?Sized>(
        modulus_bits: u32,
        random: &mut R,
    ) -> Result<Self, GenerateError> {
        if modulus_bits > Self::MOST_MODULUS_BITS {
            return Err(GenerateError::TooLarge { bits: modulus_bits });
        }
        let bits = modulus_bits.max(Self::LEAST_MODULUS_BITS);
        let (p, q, g) = modulus_and_generator(bits, random)?;
        let b = secret_below(&q, random)?;
        Ok(Self::server(p, q, g, b)?)
    }
}

/// A prime p of `bits` bits, a prime q of 160 bits (256 if p has 2048 or more) that divides p − 1,
/// and a number of order q mod p.
pub(crate) fn modulus_and_generator<R: CryptoRng + ?Sized>(
    bits: u32,
    random: &mut R,
) -> Result<(BigUint, BigUint, BigUint), GenerateError> {
    let order_bits = if bits < 2048 { 160 } else { 256 };
    let order: BoxedUint = random_prime(random, Flavor::Any, order_bits);
    let q = BigUint::from_bytes_be(&order.to_be_bytes());
    let p = modulus(bits, &q, random)?;
    let g = generator(&p, &q)?;
    Ok((p, q, g))
}

/// A prime of `bits` bits, one more than a multiple of 2q.
fn modulus<R: CryptoRng + ?Sized>(
    bits: u32,
    q: &BigUint,
    random: &mut R,
) -> Result<BigUint, GenerateError> {
    let step = q << 1_u32;
    // One in about bits / 3 is prime; so many failures mean that the numbers are not random.
    for _ in 0..bits * 64 {
        let mut octets = vec![0; bits.div_ceil(8) as usize];
        random.fill_bytes(&mut octets);
        let mut start = BigUint::from_bytes_be(&octets) >> (octets.len() as u32 * 8 - bits);
        start.set_bit(u64::from(bits) - 1, true);
        let candidate = &start - (&start % &step) + 1_u8;
        if candidate.bits() != u64::from(bits) {
            continue;
        }
        let Ok(number) = unsigned(&candidate.to_bytes_be()) else {
            continue;
        };
        if is_prime(Flavor::Any, &number) {
            return Ok(candidate);
        }
    }
    Err(GenerateError::NoLuck)
}

/// An element of order q.
fn generator(p: &BigUint, q: &BigUint) -> Result<BigUint, GenerateError> {
    let one = BigUint::from(1_u8);
    let exponent = (p - &one) / q;
    (2_u8..=u8::MAX)
        .map(|base| BigUint::from(base).modpow(&exponent, p))
        .find(|g| *g != one)
        .ok_or(GenerateError::NoLuck)
}

/// A number above one and below q.
pub(crate) fn secret_below<R: CryptoRng + ?Sized>(
    q: &BigUint,
    random: &mut R,
) -> Result<Secret, GenerateError> {
    let bound = Zeroizing::new(q.to_bytes_be());
    let unused = bound.first().map_or(0, |first| first.leading_zeros());
    for _ in 0..256 {
        let mut octets = Zeroizing::new(vec![0; bound.len()]);
        random.fill_bytes(&mut octets);
        if let Some(first) = octets.first_mut() {
            *first &= 0xff >> unused;
        }
        let secret = Secret::from_be_bytes(&octets);
        // Octets of one length compare as the numbers do.
        if *octets < *bound && !secret.as_be_bytes().is_empty() && !secret.is_one() {
            return Ok(secret);
        }
    }
    Err(GenerateError::NoLuck)
}

/// Why no identity group was made.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum GenerateError {
    /// More bits than are supported.
    #[error("identity parameters of {bits} bits: 4096 is the most, 512 is usual")]
    TooLarge {
        /// Bits asked for.
        bits: u32,
    },
    /// The source of random numbers is not random.
    #[error("found no prime numbers: the random numbers are not random")]
    NoLuck,
    /// The numbers failed the checks that a reader makes.
    #[error(transparent)]
    Group(#[from] GroupError),
}
