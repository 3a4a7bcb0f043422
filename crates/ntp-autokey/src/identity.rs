//! How a server proves that it belongs to a group (RFC 5906 appendices B to D).

use std::time::Duration as Elapsed;

use ntp_keys::DigestAlgorithm;
use num_bigint::BigUint;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{Opcode, Stamp, StatusWord};

mod gq;
mod groups;
mod iff;
mod mv;

pub use gq::GqKey;
pub use groups::IdentityGroups;
pub use iff::IffKey;
pub use mv::{MvClientKey, MvServerKey};

/// A way to prove it: the client sends a random challenge, the server answers what only a member of
/// the group can.
///
/// The fourth scheme, private certificates (PC), has no challenge: whoever has the key is a member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IdentityScheme {
    /// Schnorr's proof (RFC 5906 appendix B).
    Iff,
    /// That of Guillou and Quisquater (RFC 5906 appendix C).
    Gq,
    /// That of Mu and Varadharajan (RFC 5906 appendix D), whose clients can be revoked one by one.
    Mv,
}

impl IdentityScheme {
    /// All, in the order in which a client takes the first that it can.
    pub const ALL: [Self; 3] = [Self::Iff, Self::Gq, Self::Mv];

    /// The message that carries challenge and response.
    pub const fn opcode(self) -> Opcode {
        match self {
            Self::Iff => Opcode::Iff,
            Self::Gq => Opcode::Gq,
            Self::Mv => Opcode::Mv,
        }
    }

    /// The scheme of a message, if it is one of these.
    pub const fn of(opcode: Opcode) -> Option<Self> {
        match opcode {
            Opcode::Iff => Some(Self::Iff),
            Opcode::Gq => Some(Self::Gq),
            Opcode::Mv => Some(Self::Mv),
            _ => None,
        }
    }

    /// Its bit in status words.
    pub const fn status(self) -> StatusWord {
        match self {
            Self::Iff => StatusWord::IFF,
            Self::Gq => StatusWord::GQ,
            Self::Mv => StatusWord::MV,
        }
    }

    /// As the log and the names of files have it: `iff`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Iff => "iff",
            Self::Gq => "gq",
            Self::Mv => "mv",
        }
    }
}

/// What one member of a group has of it, and when the group was made.
///
/// Neither half is for strangers: who has what clients have can pass for a server, with each of the
/// schemes, because the challenge is known before anything must be committed to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum IdentityKey {
    /// Either half of an IFF group.
    Iff(IffKey),
    /// Either half of a GQ group.
    Gq(GqKey),
    /// What the server of an MV group has.
    MvServer(MvServerKey),
    /// What a client of an MV group has.
    MvClient(MvClientKey),
}

impl IdentityKey {
    /// The scheme that it is for.
    pub const fn scheme(&self) -> IdentityScheme {
        match self {
            Self::Iff(_) => IdentityScheme::Iff,
            Self::Gq(_) => IdentityScheme::Gq,
            Self::MvServer(_) | Self::MvClient(_) => IdentityScheme::Mv,
        }
    }

    /// When the group was made.
    pub const fn filestamp(&self) -> Stamp {
        match self {
            Self::Iff(key) => key.filestamp(),
            Self::Gq(key) => key.filestamp(),
            Self::MvServer(key) => key.filestamp(),
            Self::MvClient(key) => key.filestamp(),
        }
    }

    /// Whether it can answer challenges, as a server must.
    pub fn is_server(&self) -> bool {
        match self {
            Self::Iff(key) => key.group().secret().is_some(),
            Self::Gq(key) => key.group().secret().is_some(),
            Self::MvServer(_) => true,
            Self::MvClient(_) => false,
        }
    }

    /// A fresh challenge. `None` for what the server of an MV group has: only clients can ask.
    pub fn challenge(&self, random: &mut impl CryptoRng) -> Option<Vec<u8>> {
        match self {
            Self::Iff(key) => Some(key.challenge(random)),
            Self::Gq(key) => Some(key.challenge(random)),
            Self::MvServer(_) => None,
            Self::MvClient(key) => Some(key.challenge(random)),
        }
    }

    /// Whether a challenge can be answered: cheap, so that nonsense costs no power.
    pub(crate) fn check_challenge(&self, challenge: &[u8]) -> Result<(), IdentityError> {
        let bound = match self {
            Self::Iff(key) => key.group().q(),
            Self::Gq(key) => key.group().n(),
            Self::MvServer(key) => key.numbers().p(),
            Self::MvClient(_) => return Err(IdentityError::NoSecret),
        };
        let r = BigUint::from_bytes_be(challenge);
        if r == BigUint::ZERO || r >= *bound {
            return Err(IdentityError::BadChallenge);
        }
        Ok(())
    }

    /// The answer to a challenge.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if this is the clients' half, or the challenge is out of range.
    pub fn respond(
        &self,
        challenge: &[u8],
        random: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, IdentityError> {
        match self {
            Self::Iff(key) => key.respond(challenge, random),
            Self::Gq(key) => key.respond(challenge, random),
            Self::MvServer(key) => key.respond(challenge, random),
            Self::MvClient(_) => Err(IdentityError::NoSecret),
        }
    }

    /// Whether `response` answers `challenge`. `certified` is the group key in the server's
    /// certificate, which GQ needs.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] if it does not.
    pub fn verify(
        &self,
        challenge: &[u8],
        response: &[u8],
        certified: Option<&[u8]>,
    ) -> Result<(), IdentityError> {
        match self {
            Self::Iff(key) => key.verify(challenge, response),
            Self::Gq(key) => {
                let certified = certified.ok_or(IdentityError::NotCertified)?;
                key.verify(challenge, response, certified)
            }
            Self::MvServer(_) => Err(IdentityError::NotVerified),
            Self::MvClient(key) => key.verify(challenge, response),
        }
    }

    /// Whether a response may come from a group file made at `theirs`: from this one; with GQ, whose
    /// servers may change their half alone, from a later one too.
    pub(crate) fn admits(&self, theirs: Stamp) -> bool {
        let ours = self.filestamp();
        theirs == ours || self.scheme() == IdentityScheme::Gq && ours.is_before(theirs)
    }

    /// About how much computing time a response takes.
    pub(crate) fn cost(&self) -> Elapsed {
        // The cube of the modulus for exponents of its size, as with RSA; measured with 2048 bits.
        let power = |modulus: u64, exponent: u64| {
            Elapsed::from_micros(20 + modulus * modulus * exponent / (1 << 21))
        };
        match self {
            Self::Iff(key) => power(key.group().p().bits(), key.group().q().bits() + 64),
            Self::Gq(key) => {
                let (n, b) = (key.group().n().bits(), key.group().b().bits());
                power(n, n) + power(n, b)
            }
            Self::MvServer(key) => power(key.numbers().p().bits(), key.numbers().p().bits()) * 3,
            Self::MvClient(_) => Elapsed::ZERO,
        }
    }
}

impl From<IffKey> for IdentityKey {
    fn from(key: IffKey) -> Self {
        Self::Iff(key)
    }
}

impl From<GqKey> for IdentityKey {
    fn from(key: GqKey) -> Self {
        Self::Gq(key)
    }
}

impl From<MvServerKey> for IdentityKey {
    fn from(key: MvServerKey) -> Self {
        Self::MvServer(key)
    }
}

impl From<MvClientKey> for IdentityKey {
    fn from(key: MvClientKey) -> Self {
        Self::MvClient(key)
    }
}

/// Why a challenge or a response is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Only the clients' half is at hand.
    #[error("the secret of the group is not at hand: this is what clients have")]
    NoSecret,
    /// The challenge is zero, or not below the modulus.
    #[error("the challenge is out of range")]
    BadChallenge,
    /// The response is no sequence of as many integers as it should, or they are out of range.
    #[error("the response is malformed")]
    BadResponse,
    /// The server's certificate has no GQ key.
    #[error(
        "the server's certificate has no key of a GQ group: run ntp-keygen there again, now that \
         there is a group"
    )]
    NotCertified,
    /// The response is another group's, or forged.
    #[error(
        "the response is not of this group: the server's key is of another one, or ours was revoked"
    )]
    NotVerified,
}

/// Random octets, eight more than `length`: what is left of them by a division is as good as
/// uniform.
fn wide(length: usize, random: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
    let mut octets = Zeroizing::new(vec![0; length + 8]);
    random.fill_bytes(&mut octets);
    octets
}

/// A fresh challenge r, 0 < r < `modulus`, as long as the modulus.
fn challenge_below(modulus: &BigUint, random: &mut impl CryptoRng) -> Vec<u8> {
    let length = modulus.bits().div_ceil(8) as usize;
    let r = BigUint::from_bytes_be(&wide(length, random)) % (modulus - 1u8) + 1u8;
    let r = r.to_bytes_be();
    let mut octets = vec![0; length.saturating_sub(r.len())];
    octets.extend_from_slice(&r);
    octets
}

/// MD5 of x in as few octets as it needs, read as a number. The schemes know no other digest.
fn commitment(x: &BigUint) -> BigUint {
    let hash = ntp_keys::digest(DigestAlgorithm::Md5, &[&x.to_bytes_be()]);
    BigUint::from_bytes_be(hash.as_bytes())
}
