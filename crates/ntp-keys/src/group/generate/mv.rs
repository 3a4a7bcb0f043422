//! New MV groups.
//!
//! The order q of the group is a product of one prime s_j for each client. With t_j = x_j^n for
//! secret roots x_j, T their sum, and a secret b, client j gets
//! x̄_j = (T − t_j) / b and x̂_j = (1 + q/s_j) t_j, all mod q. The authority has A = g^−T. The server
//! gets E = A^s, ḡ = g^s and ĝ = g^sb, where s is the product of the primes of all clients that are
//! not revoked. Then E ḡ^x̂ ĝ^x̄ = g^(s t_j q/s_j), which is 1 unless j is revoked.

use crypto_bigint::BoxedUint;
use crypto_primes::{Flavor, is_prime, random_prime};
use num_bigint::BigUint;
use rand::CryptoRng;

use super::{GenerateError, secret_below};
use crate::{
    GroupError, MvAuthority, MvClient, MvKeys, MvServer, Secret, group::power::secret_power,
    public_key::unsigned,
};

/// Bits of each prime where there is room: less, and discrete logarithms are easy.
const PRIME_BITS: u32 = 160;
/// Bits of q at most: a response has three numbers of this size, and must fit into a packet.
const MOST_BITS: u32 = 3072;
/// Clients at least: the last one is revoked.
const LEAST_CLIENTS: u32 = 2;
/// Clients at most, as in the reference.
const MOST_CLIENTS: u32 = 100;

impl MvKeys {
    /// The bits of p that are made at least, whatever is asked for.
    pub const LEAST_MODULUS_BITS: u32 = 512;

    /// Makes the keys of a group of so many `clients`, with a p of about `modulus_bits` bits (lifted
    /// to 512, and to 160 bits for each client as long as 3072 are not exceeded). The last client is
    /// revoked.
    ///
    /// # Errors
    ///
    /// [`GenerateError`] beyond 3072 bits, unless there are 2 to 100 clients, or if the random
    /// numbers are none.
    pub fn generate<R: CryptoRng + ?Sized>(
        clients: u32,
        modulus_bits: u32,
        random: &mut R,
    ) -> Result<Self, GenerateError> {
        if !(LEAST_CLIENTS..=MOST_CLIENTS).contains(&clients) {
            return Err(GroupError::Clients(clients).into());
        }
        if modulus_bits > MOST_BITS {
            return Err(GenerateError::TooLarge { bits: modulus_bits });
        }
        let wanted = (clients * PRIME_BITS).min(MOST_BITS);
        let bits = modulus_bits.max(Self::LEAST_MODULUS_BITS).max(wanted);
        let primes = primes(clients, bits.next_multiple_of(8), random)?;
        Self::from_primes(&primes, random)
    }

    fn from_primes<R: CryptoRng + ?Sized>(
        primes: &[BigUint],
        random: &mut R,
    ) -> Result<Self, GenerateError> {
        let one = BigUint::from(1_u8);
        let count = BigUint::from(primes.len());
        let q: BigUint = primes.iter().product();
        let p = (&q << 1_u32) + &one;
        // A square is of order q or of a divisor of it, and of q itself unless it is one to a
        // smaller power.
        let g = (2_u32..1000)
            .map(|base| BigUint::from(base * base))
            .find(|g| primes.iter().all(|s| g.modpow(&(&q / s), &p) != one))
            .ok_or(GenerateError::NoLuck)?;
        let unit = |random: &mut R| unit(&q, primes, random);
        let mut powers = Vec::new();
        for _ in primes {
            powers.push(unit(random)?.modpow(&count, &q));
        }
        let sum = powers.iter().sum::<BigUint>() % &q;
        let b = unit(random)?;
        let inverse = b.modinv(&q).ok_or(GenerateError::NoLuck)?;
        let secret = |number: &BigUint| Secret::from_be_bytes(&number.to_bytes_be());
        let mut clients = Vec::new();
        for (prime, power) in primes.iter().zip(&powers) {
            let private = &inverse * (&sum + &q - power) % &q;
            let public = (&q / prime + &one) * power % &q;
            clients.push(MvClient::new(p.clone(), secret(&private), secret(&public))?);
        }
        let power_of = |base: &BigUint, exponent: &BigUint| {
            secret_power(base, &secret(exponent), &p).ok_or(GenerateError::NoLuck)
        };
        let a = power_of(&g, &(&q - &sum))?;
        let revoked = primes.last().ok_or(GenerateError::NoLuck)?;
        let enabling = &q / revoked;
        let private = power_of(&g, &enabling)?;
        let public = power_of(&private, &b)?;
        let encryption = power_of(&a, &enabling)?;
        Ok(Self {
            server: MvServer::new(p.clone(), q.clone(), encryption, private, public)?,
            authority: MvAuthority::new(p, q, g, a, b)?,
            clients,
        })
    }
}

/// Different primes such that twice their product plus one is a prime of `bits` bits, a multiple of
/// eight: the reference's clients lose the leading zero octets of a challenge below p and then refuse
/// the right answer, which is seldom only if the first octet of p is large.
fn primes<R: CryptoRng + ?Sized>(
    count: u32,
    bits: u32,
    random: &mut R,
) -> Result<Vec<BigUint>, GenerateError> {
    let fresh = |others: &[BigUint], bits: u32, random: &mut R| {
        (0..10_000)
            .map(|_| {
                let prime: BoxedUint = random_prime(random, Flavor::Any, bits);
                BigUint::from_bytes_be(&prime.to_be_bytes())
            })
            .find(|prime| !others.contains(prime))
            .ok_or(GenerateError::NoLuck)
    };
    let mut primes = Vec::new();
    for _ in 1..count {
        let prime = fresh(&primes, bits / count, random)?;
        primes.push(prime);
    }
    let product: BigUint = primes.iter().product();
    let rest = last_bits(&product, bits).ok_or(GenerateError::NoLuck)?;
    // Four in ten have the right size at least, and one in about bits / 3 of these is prime.
    for _ in 0..bits * 128 {
        let last = fresh(&primes, rest, random)?;
        let p = ((&product * &last) << 1_u32) + 1_u8;
        let is_prime = || unsigned(&p.to_bytes_be()).is_ok_and(|p| is_prime(Flavor::Any, &p));
        if p.bits() == u64::from(bits) && is_likely(&p) && is_prime() {
            primes.push(last);
            return Ok(primes);
        }
    }
    Err(GenerateError::NoLuck)
}

/// The bits of the last prime, for twice its product with the others to have `bits` bits: a product
/// just above a power of two asks for one bit more than one just below.
fn last_bits(product: &BigUint, bits: u32) -> Option<u32> {
    let length = product.bits();
    let is_large = (product * product).bits() == 2 * length;
    let rest = u64::from(bits).checked_sub(length + u64::from(is_large))?;
    u32::try_from(rest).ok()
}

/// Whether no small number divides it.
fn is_likely(number: &BigUint) -> bool {
    (3_u32..2000)
        .step_by(2)
        .all(|divisor| number % divisor != BigUint::ZERO)
}

/// A number that has an inverse mod q.
fn unit<R: CryptoRng + ?Sized>(
    q: &BigUint,
    primes: &[BigUint],
    random: &mut R,
) -> Result<BigUint, GenerateError> {
    for _ in 0..1000 {
        let number = BigUint::from_bytes_be(secret_below(q, random)?.as_be_bytes());
        if primes.iter().all(|prime| &number % prime != BigUint::ZERO) {
            return Ok(number);
        }
    }
    Err(GenerateError::NoLuck)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test that can't go on has failed.
mod tests {
    use super::*;

    /// Random primes of the right length would nearly all make p a bit too short otherwise.
    #[test]
    fn the_last_prime_has_the_length_that_p_needs() {
        let bits = 512;
        let one = BigUint::from(1_u8);
        for product in [
            (&one << 320_u32) + &one,
            &one << 320_u32 | &one << 318_u32,
            &one << 320_u32 | &one << 319_u32,
            (&one << 321_u32) - &one,
        ] {
            let length = last_bits(&product, bits).unwrap();
            let least = &one << (length - 1);
            let fitting = (0_u32..100)
                .map(|part| &least + (&least * part) / 100_u32)
                .filter(|last| ((&product * last) << 1_u32).bits() == u64::from(bits))
                .count();
            assert!(fitting >= 40, "{fitting} of 100 with {product:x}");
        }
    }
}
