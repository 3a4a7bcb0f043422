//! MV groups (RFC 5906 appendix D): the server encrypts, and each client decrypts with a key of its
//! own, which can be revoked by itself.

use core::fmt;

use num_bigint::BigUint;

use super::{GroupError, Secret};

/// All keys of an MV group, as its trusted authority makes them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MvKeys {
    /// What only the authority keeps.
    pub authority: MvAuthority,
    /// What the server holds.
    pub server: MvServer,
    /// What the clients hold, one each. The last one is revoked from the start: with none revoked
    /// the server's numbers would all be one, and anybody could answer for it.
    pub clients: Vec<MvClient>,
}

/// What the authority keeps of an MV group, to tell which files belong to it.
#[derive(Clone, PartialEq, Eq)]
pub struct MvAuthority {
    pub(super) p: BigUint,
    pub(super) q: BigUint,
    pub(super) g: BigUint,
    pub(super) a: BigUint,
    pub(super) b: BigUint,
}

/// What the server of an MV group holds: modulus, encryption key E, and the decryption keys ḡ and ĝ
/// that all clients share. They make the server what it is, so they are secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct MvServer {
    p: BigUint,
    q: BigUint,
    encryption: BigUint,
    private: BigUint,
    public: BigUint,
}

/// What one client of an MV group holds: modulus and its two exponents x̄ and x̂.
#[derive(Clone, PartialEq, Eq)]
pub struct MvClient {
    p: BigUint,
    private: Secret,
    public: Secret,
}

impl MvAuthority {
    /// The numbers of the file's first block: p, q, g, A and b.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such a group.
    pub fn new(
        p: BigUint,
        q: BigUint,
        g: BigUint,
        a: BigUint,
        b: BigUint,
    ) -> Result<Self, GroupError> {
        check_modulus(&p)?;
        check_order(&p, &q)?;
        for (name, number) in [("g", &g), ("A", &a)] {
            check_member(name, number, &p, &q)?;
        }
        Ok(Self { p, q, g, a, b })
    }

    /// p, q, g, A and b, in the order of the file.
    pub const fn numbers(&self) -> [&BigUint; 5] {
        [&self.p, &self.q, &self.g, &self.a, &self.b]
    }
}

impl MvServer {
    /// The modulus `p`, the order `q` of the group in it, the `encryption` key E, the `private`
    /// decryption key ḡ and the `public` one ĝ.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such keys, or if ĝ was lost: PKCS#8 has no room for
    /// it, and a reader puts E^ḡ in its place.
    pub fn new(
        p: BigUint,
        q: BigUint,
        encryption: BigUint,
        private: BigUint,
        public: BigUint,
    ) -> Result<Self, GroupError> {
        check_modulus(&p)?;
        check_order(&p, &q)?;
        for (name, number) in [("E", &encryption), ("gbar", &private), ("ghat", &public)] {
            check_member(name, number, &p, &q)?;
        }
        if public == encryption.modpow(&private, &p) {
            return Err(GroupError::PublicValueLost);
        }
        Ok(Self {
            p,
            q,
            encryption,
            private,
            public,
        })
    }

    /// The modulus.
    pub const fn p(&self) -> &BigUint {
        &self.p
    }

    /// The order of the group.
    pub const fn q(&self) -> &BigUint {
        &self.q
    }

    /// The encryption key E.
    pub const fn encryption(&self) -> &BigUint {
        &self.encryption
    }

    /// The private decryption key ḡ.
    pub const fn private(&self) -> &BigUint {
        &self.private
    }

    /// The public decryption key ĝ.
    pub const fn public(&self) -> &BigUint {
        &self.public
    }
}

impl MvClient {
    /// The modulus `p` and the client's exponents, `private` x̄ and `public` x̂.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if the numbers cannot be such keys, or if x̂ was lost: PKCS#8 has no room for
    /// it, and a reader puts 1 in its place.
    pub fn new(p: BigUint, private: Secret, public: Secret) -> Result<Self, GroupError> {
        check_modulus(&p)?;
        if public.is_one() || public.as_be_bytes().is_empty() {
            return Err(GroupError::PublicValueLost);
        }
        for (name, secret) in [("xbar", &private), ("xhat", &public)] {
            let number = BigUint::from_bytes_be(secret.as_be_bytes());
            if number == BigUint::ZERO || number >= p {
                return Err(GroupError::OutOfRange { name });
            }
        }
        Ok(Self { p, private, public })
    }

    /// The modulus.
    pub const fn p(&self) -> &BigUint {
        &self.p
    }

    /// The private exponent x̄.
    pub const fn private(&self) -> &Secret {
        &self.private
    }

    /// The public exponent x̂.
    pub const fn public(&self) -> &Secret {
        &self.public
    }
}

fn check_modulus(p: &BigUint) -> Result<(), GroupError> {
    let bits = p.bits();
    if (192..=4096).contains(&bits) && p.bit(0) {
        Ok(())
    } else {
        Err(GroupError::Modulus { bits })
    }
}

/// q must be odd and half of p - 1.
fn check_order(p: &BigUint, q: &BigUint) -> Result<(), GroupError> {
    if q.bit(0) && *p == (q << 1_u32) + 1_u8 {
        Ok(())
    } else {
        Err(GroupError::Order { bits: q.bits() })
    }
}

fn check_member(
    name: &'static str,
    number: &BigUint,
    p: &BigUint,
    q: &BigUint,
) -> Result<(), GroupError> {
    let one = BigUint::from(1_u8);
    if *number > one && number < p && number.modpow(q, p) == one {
        Ok(())
    } else {
        Err(GroupError::NotInGroup { name })
    }
}

macro_rules! hide {
    ($($kind:ident),*) => {$(
        /// Only the size is shown.
        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($kind))
                    .field("bits", &self.p.bits())
                    .finish_non_exhaustive()
            }
        }
    )*};
}
hide!(MvAuthority, MvServer, MvClient);
