//! GQ groups (RFC 5906 appendix C).

use core::fmt;

use num_bigint::BigUint;

use super::{GroupError, Secret, power::secret_power};

/// A GQ group (RFC 5906 appendix C): what the server holds if [`secret`](Self::secret) is there,
/// what clients hold if it is not.
///
/// All members know n, a product of two primes that nobody knows any more, and the exponent b.
/// The server also has the secret u; v = u^-b mod n, which verifies what u proves, stands in its
/// certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct GqGroup {
    n: BigUint,
    b: BigUint,
    server: Option<(Secret, BigUint)>,
}

impl GqGroup {
    /// What clients hold: the modulus `n` and the exponent `b`.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such a group.
    pub fn client(n: BigUint, b: BigUint) -> Result<Self, GroupError> {
        let group = Self { n, b, server: None };
        group.check()?;
        Ok(group)
    }

    /// What the server holds: as for clients, and the secret `u`.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such a group.
    pub fn server(n: BigUint, b: BigUint, u: Secret) -> Result<Self, GroupError> {
        let mut group = Self::client(n, b)?;
        let out_of_range = GroupError::OutOfRange { name: "u" };
        let secret = BigUint::from_bytes_be(u.as_be_bytes());
        if secret <= BigUint::from(1_u8) || secret >= group.n {
            return Err(out_of_range);
        }
        let inverse = secret.modinv(&group.n).ok_or(out_of_range)?;
        let v = secret_power(&inverse, &exponent(&group.b), &group.n).ok_or(out_of_range)?;
        group.server = Some((u, v));
        Ok(group)
    }

    /// The modulus.
    pub const fn n(&self) -> &BigUint {
        &self.n
    }

    /// The exponent.
    pub const fn b(&self) -> &BigUint {
        &self.b
    }

    /// The server's secret u.
    pub fn secret(&self) -> Option<&Secret> {
        self.server.as_ref().map(|(u, _)| u)
    }

    /// The server's public value v = u^-b mod n, for its certificate.
    pub fn v(&self) -> Option<&BigUint> {
        self.server.as_ref().map(|(_, v)| v)
    }

    /// The same group without the server's secret: what clients may have.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        Self {
            server: None,
            ..self.clone()
        }
    }

    fn check(&self) -> Result<(), GroupError> {
        let bits = self.n.bits();
        if !(256..=4096).contains(&bits) || !self.n.bit(0) {
            return Err(GroupError::Modulus { bits });
        }
        if self.b <= BigUint::from(1_u8) || self.b >= self.n {
            return Err(GroupError::OutOfRange { name: "b" });
        }
        Ok(())
    }
}

/// A public exponent in the clothes of a secret one.
fn exponent(number: &BigUint) -> Secret {
    Secret::from_be_bytes(&number.to_bytes_be())
}

/// All of it stays unseen: what clients hold is the group's secret, too.
impl fmt::Debug for GqGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GqGroup")
            .field("bits", &self.n.bits())
            .finish_non_exhaustive()
    }
}
