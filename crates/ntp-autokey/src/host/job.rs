//! Public-key work, apart from the host whose keys it uses.

use std::{net::IpAddr, sync::Arc, time::Duration as Elapsed};

use ntp_keys::{Certificate, PrivateKey, PublicKey, ReissueTerms};
use ntp_wire::{Duration, KeyId, Timestamp};
use rand::{SeedableRng, rngs::ChaCha20Rng};
use zeroize::Zeroizing;

use super::{Identity, Refusal, answer_cache::Question};
use crate::{
    Cookie, Exchange, IdentityKey, IdentityScheme, Message, Opcode, Stamp,
    signed_value::SignedValue,
};

/// How long certificates hold that are signed for others.
const YEAR: Duration = Duration::from_seconds(365 * 86_400);

/// The public-key work that a request takes. It owns what it needs, so it can be done anywhere,
/// best in a thread that answers no packets; what comes of it goes to
/// [`Host::finish`](super::Host::finish).
#[derive(Clone, Debug)]
pub struct Job {
    pub(crate) asked: Asked,
    pub(crate) task: Task,
}

/// What came of a [`Job`].
#[derive(Clone)]
pub struct Finished {
    pub(super) asked: Asked,
    pub(super) question: Question,
    /// Whose key has signed it.
    pub(super) identity: Arc<Identity>,
    pub(super) value: Result<SignedValue, Refusal>,
}

/// Who asked, and for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(super) local: IpAddr,
    pub(super) remote: IpAddr,
    pub(super) key_id: KeyId,
    pub(crate) opcode: Opcode,
    pub(crate) association: u32,
}

impl Asked {
    /// What a peer asks by this field of a packet.
    pub(crate) const fn of(exchange: &Exchange, key_id: KeyId, message: &Message<'_>) -> Self {
        Self {
            local: exchange.local,
            remote: exchange.remote,
            key_id,
            opcode: message.opcode,
            association: message.association,
        }
    }
}

impl Job {
    /// Does the work: milliseconds with keys of 2048 bits.
    pub fn run(self) -> Finished {
        Finished {
            asked: self.asked,
            question: self.task.question,
            identity: Arc::clone(&self.task.identity),
            value: self.task.run(),
        }
    }

    /// About how much computing time it takes.
    pub fn cost(&self) -> Elapsed {
        self.task.cost()
    }
}

/// A value that is yet to be made.
#[derive(Clone)]
pub(crate) struct Task {
    pub(super) identity: Arc<Identity>,
    pub(super) question: Question,
    pub(super) now: Timestamp,
    /// Feeds what is random in it.
    pub(super) seed: Zeroizing<[u8; 32]>,
    pub(super) work: Work,
}

#[derive(Clone)]
pub(super) enum Work {
    /// A value of the host itself (CERT, LEAP), to be signed.
    Own { filestamp: Stamp, octets: Vec<u8> },
    /// COOKIE: the client's cookie, encrypted for the key that it has sent.
    Cookie {
        key: Box<PublicKey>,
        cookie: Cookie,
        filestamp: Stamp,
    },
    /// SIGN: the client's certificate, signed by us.
    Sign {
        certificate: Box<Certificate>,
        filestamp: Stamp,
    },
    /// IFF, GQ, MV: the answer to a challenge.
    Identity {
        scheme: IdentityScheme,
        challenge: Vec<u8>,
    },
}

impl Task {
    /// Makes the value and signs it.
    fn run(self) -> Result<SignedValue, Refusal> {
        let Self {
            identity,
            question: _,
            now,
            seed,
            work,
        } = self;
        let mut random = ChaCha20Rng::from_seed(*seed);
        let (filestamp, octets) = match work {
            Work::Own { filestamp, octets } => (filestamp, octets),
            Work::Cookie {
                key,
                cookie,
                filestamp,
            } => {
                let octets = Zeroizing::new(cookie.value().to_be_bytes());
                let encrypted = key.encrypt_oaep(&mut random, &*octets);
                let encrypted = encrypted.map_err(|_| Refusal::Malformed(Opcode::Cookie))?;
                (filestamp, encrypted)
            }
            Work::Sign {
                certificate,
                filestamp,
            } => (filestamp, identity.reissue(&certificate, now)?),
            Work::Identity { scheme, challenge } => {
                let key = identity.group(scheme);
                let key = key.ok_or_else(|| Refusal::NotOffered(scheme.opcode()))?;
                let response = key.respond(&challenge, &mut random);
                let refusal = |error| Refusal::Identity { scheme, error };
                (key.filestamp(), response.map_err(refusal)?)
            }
        };
        Ok(identity.signer.sign(now, filestamp, octets)?)
    }

    /// About how much computing time it takes.
    pub(super) fn cost(&self) -> Elapsed {
        let sign = signing_cost(&self.identity.signer.key);
        sign + match &self.work {
            Work::Own { .. } => Elapsed::ZERO,
            Work::Cookie { key, .. } => public_cost(key.bits()),
            Work::Sign { certificate, .. } => sign + verification_cost(certificate.public_key()),
            Work::Identity { scheme, .. } => self
                .identity
                .group(*scheme)
                .map_or(Elapsed::ZERO, IdentityKey::cost),
        }
    }
}

/// What a signature or decryption takes with an RSA key of `bits` bits. Measured on a small machine,
/// in microseconds: 125 with 512 bits, 445 with 1024, 1900 with 2048, 8900 with 4096.
fn private_cost(bits: u32) -> Elapsed {
    let bits = u64::from(bits);
    Elapsed::from_micros(20 + bits.pow(2) / 2_700 + bits.saturating_pow(3) / 26_500_000)
}

/// What a signature takes. With DSA 0.7 ms with 1024 bits, 8.5 with 2048.
fn signing_cost(key: &PrivateKey) -> Elapsed {
    match key.is_dsa() {
        true => 5 * private_cost(key.bits()),
        false => private_cost(key.bits()),
    }
}

/// What it takes to verify a signature. With DSA 0.3 ms with 1024 bits, 2.4 with 3072.
fn verification_cost(key: &PublicKey) -> Elapsed {
    match key.is_dsa() {
        true => 2 * private_cost(key.bits()),
        false => public_cost(key.bits()),
    }
}

/// What a verification or encryption takes with an RSA key of `bits` bits: 54 us with 2048.
fn public_cost(bits: u32) -> Elapsed {
    let bits = u64::from(bits);
    Elapsed::from_micros(10 + bits.pow(2) / 80_000)
}

impl Identity {
    /// The certificate of somebody else, signed by us.
    fn reissue(&self, theirs: &Certificate, now: Timestamp) -> Result<Vec<u8>, Refusal> {
        let not_signable = || Refusal::NotSignable(theirs.subject().to_owned());
        theirs
            .verify(theirs.public_key())
            .map_err(|_| not_signable())?;
        let terms = ReissueTerms {
            issuer: &self.name,
            serial: now.to_wire().seconds(),
            not_before: now,
            not_after: now + YEAR,
        };
        let signed = theirs
            .reissue(&terms, &self.signer.key, self.signer.scheme)
            .map_err(|_| not_signable())?;
        Ok(signed.der().to_vec())
    }
}

/// The keys are not shown.
impl std::fmt::Debug for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished")
            .field("asked", &self.asked)
            .field("value", &self.value)
            .finish_non_exhaustive()
    }
}

/// Neither keys nor cookies are shown.
impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_keys_cost_more_and_small_ones_something() {
        let costs = [256, 512, 1024, 2048, 4096].map(private_cost);
        assert!(costs.is_sorted() && costs[0] >= Elapsed::from_micros(40));
        assert!(costs[4] > costs[3] * 4, "{costs:?}");
        assert!(public_cost(2048) * 4 < private_cost(2048));
    }
}
