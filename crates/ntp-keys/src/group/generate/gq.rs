//! New GQ groups.

use crypto_bigint::BoxedUint;
use crypto_primes::{Flavor, random_prime};
use num_bigint::BigUint;
use rand::CryptoRng;

use super::{GenerateError, secret_below};
use crate::GqGroup;

/// v goes into certificates, where the reference reads it only if its length takes one octet.
const LONGEST_READABLE: u64 = 127 * 8;

impl GqGroup {
    /// The bits of n that are made at least, whatever is asked for: what the reference can make.
    pub const LEAST_MODULUS_BITS: u32 = 512;
    /// The bits of n that are made at most.
    pub const MOST_MODULUS_BITS: u32 = 4096;

    /// Makes a new group with an n of `modulus_bits` bits (lifted to 512), a prime exponent of 160
    /// bits (256 if n has 2048 or more), and a secret.
    ///
    /// With 1024 bits or less ntpd 4.2.8 can verify it too: v is chosen short enough for its way of
    /// reading certificates.
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
        let n = modulus(bits, random)?;
        let b = prime(if bits < 2048 { 160 } else { 256 }, random);
        // One in 256 fits where n has 1024 bits.
        for _ in 0..65_536 {
            let group = Self::server(n.clone(), b.clone(), secret_below(&n, random)?)?;
            let length = group.v().map_or(0, BigUint::bits);
            if length <= LONGEST_READABLE || bits > 1024 {
                return Ok(group);
            }
        }
        Err(GenerateError::NoLuck)
    }
}

/// A product of two primes of about the same size, with exactly so many bits.
fn modulus<R: CryptoRng + ?Sized>(bits: u32, random: &mut R) -> Result<BigUint, GenerateError> {
    for _ in 0..1000 {
        let half = bits / 2;
        let (first, second) = (prime(bits - half, random), prime(half, random));
        let product = &first * &second;
        if first != second && product.bits() == u64::from(bits) {
            return Ok(product);
        }
    }
    Err(GenerateError::NoLuck)
}

fn prime<R: CryptoRng + ?Sized>(bits: u32, random: &mut R) -> BigUint {
    let prime: BoxedUint = random_prime(random, Flavor::Any, bits);
    BigUint::from_bytes_be(&prime.to_be_bytes())
}
