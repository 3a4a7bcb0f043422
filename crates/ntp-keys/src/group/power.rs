//! Powers with exponents that nobody may learn, not even from the time they take.

use crypto_bigint::{
    BoxedUint, NonZero, Odd,
    modular::{BoxedMontyForm, BoxedMontyParams},
};
use num_bigint::BigUint;

use super::{GroupError, Secret};
use crate::public_key::unsigned;

/// base^exponent mod modulus, in a time that depends on the sizes only. `None` if the modulus is
/// even, one, or not more than the base.
pub fn secret_power(base: &BigUint, exponent: &Secret, modulus: &BigUint) -> Option<BigUint> {
    if base >= modulus || modulus.bits() < 2 {
        return None;
    }
    let modulus_octets = modulus.to_bytes_be();
    let modulus = unsigned(&modulus_octets).ok()?;
    let precision = modulus.bits_precision();
    let parameters = BoxedMontyParams::new(Odd::new(modulus).into_option()?);
    let base = BoxedUint::from_be_slice(&base.to_bytes_be(), precision).ok()?;
    let exponent = unsigned(exponent.as_be_bytes()).ok()?;
    let power = BoxedMontyForm::new(base, &parameters)
        .pow(&exponent)
        .retrieve();
    Some(BigUint::from_bytes_be(&power.to_be_bytes()))
}

/// a b mod modulus, in a time that depends on the sizes only. `None` if the modulus is zero or a
/// factor is not below it.
pub fn secret_product(a: &BigUint, b: &BigUint, modulus: &BigUint) -> Option<BigUint> {
    if a >= modulus || b >= modulus {
        return None;
    }
    let modulus = unsigned(&modulus.to_bytes_be()).ok()?;
    let precision = modulus.bits_precision();
    let number = |number: &BigUint| BoxedUint::from_be_slice(&number.to_bytes_be(), precision).ok();
    let product = number(a)?.mul_mod(&number(b)?, &NonZero::new(modulus).into_option()?);
    Some(BigUint::from_bytes_be(&product.to_be_bytes()))
}

/// g^(q-b) mod p.
pub(super) fn public_of_secret(
    p: &BigUint,
    q: &BigUint,
    g: &BigUint,
    b: &Secret,
) -> Result<BigUint, GroupError> {
    let order = unsigned(&q.to_bytes_be()).map_err(|_| GroupError::Order { bits: q.bits() })?;
    let secret = BoxedUint::from_be_slice(b.as_be_bytes(), order.bits_precision())
        .map_err(|_| GroupError::SecretOutOfRange)?;
    if bool::from(secret.is_zero()) || secret >= order {
        return Err(GroupError::SecretOutOfRange);
    }
    let difference = Secret::from_be_bytes(&order.wrapping_sub(&secret).to_be_bytes());
    if g >= p {
        return Err(GroupError::NotInGroup { name: "g" });
    }
    secret_power(g, &difference, p).ok_or_else(|| GroupError::Modulus { bits: p.bits() })
}
