//! IFF groups (RFC 5906 appendix B).

use core::fmt;

use num_bigint::BigUint;

use super::{GroupError, Secret, power};

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

/// All of it stays unseen: what clients hold is the group's secret, too.
impl fmt::Debug for IffGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IffGroup")
            .field("bits", &self.p.bits())
            .finish_non_exhaustive()
    }
}
