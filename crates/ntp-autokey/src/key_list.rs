//! The key identifiers of requests.

use std::time::Duration;

use ntp_keys::DigestAlgorithm;
use ntp_wire::{KeyId, Monotonic};
use rand::Rng;

use crate::{Cookie, Exchange, SessionKey};

/// Identifiers in a list.
const LENGTH: usize = 100;

/// How long a list is used: 2^12 s, as `automax` has it.
const LIFETIME: Duration = Duration::from_secs(1 << 12);

/// Key identifiers that hang together: each is the start of the session key of the next one in
/// use, and they are used from the last made to the first (RFC 5906 section 5.4). Where it matters,
/// which is not between a client and a server, who has seen one cannot foretell the next.
#[derive(Debug, Default)]
pub(crate) struct KeyList {
    identifiers: Vec<KeyId>,
    made: Monotonic,
    start: Option<ListStart>,
    is_new: bool,
}

/// The autokey values: what proves the first identifier of a list, and with it all others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ListStart {
    /// The identifier that would have been made next.
    pub(crate) key_id: KeyId,
    /// How many identifiers follow the first one.
    pub(crate) sequence: u32,
}

impl ListStart {
    /// As they stand in a message.
    pub(crate) fn to_octets(self) -> Vec<u8> {
        [self.key_id.value(), self.sequence]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .collect()
    }

    /// From a message.
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = *<&[u8; 8]>::try_from(octets).ok()?;
        Some(Self {
            key_id: KeyId::new(u32::from_be_bytes([a, b, c, d])),
            sequence: u32::from_be_bytes([e, f, g, h]),
        })
    }
}

impl KeyList {
    /// The identifier for the next request.
    pub(crate) fn next(
        &mut self,
        algorithm: DigestAlgorithm,
        exchange: &Exchange,
        cookie: Cookie,
        random: &mut impl Rng,
    ) -> KeyId {
        if exchange.monotonic.since(self.made) >= LIFETIME {
            self.forget();
        }
        if let Some(key_id) = self.identifiers.pop() {
            return key_id;
        }
        let mut key_id = first(random);
        self.start = None;
        // A clock that is about to be set makes no list.
        if exchange.synchronised {
            self.made = exchange.monotonic;
            while key_id.is_autokey()
                && self.identifiers.len() < LENGTH
                && !self.identifiers.contains(&key_id)
            {
                self.identifiers.push(key_id);
                key_id =
                    SessionKey::new(algorithm, exchange.local, exchange.remote, key_id, cookie)
                        .next_key_id();
            }
            self.start = u32::try_from(self.identifiers.len())
                .ok()
                .and_then(|length| length.checked_sub(1))
                .map(|sequence| ListStart { key_id, sequence });
            self.is_new = true;
            key_id = self.identifiers.pop().unwrap_or_else(|| first(random));
        }
        key_id
    }

    /// The autokey values of the list in use, if there is one.
    pub(crate) const fn start(&self) -> Option<ListStart> {
        self.start
    }

    /// Whether a list has been made since this was last asked.
    pub(crate) const fn take_new(&mut self) -> bool {
        std::mem::replace(&mut self.is_new, false)
    }

    /// Starts a new list with the next request: the cookie is another.
    pub(crate) fn forget(&mut self) {
        self.identifiers.clear();
        self.start = None;
    }
}

fn first(random: &mut impl Rng) -> KeyId {
    let number = random.next_u32();
    KeyId::new(if KeyId::new(number).is_autokey() {
        number
    } else {
        number | 1 << 31
    })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ntp_wire::Timestamp;
    use rand::{SeedableRng, rngs::ChaCha20Rng};

    use super::*;

    #[test]
    fn each_identifier_proves_the_one_before() {
        let mut exchange = Exchange {
            local: IpAddr::V4(Ipv4Addr::LOCALHOST),
            remote: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
            now: Timestamp::default(),
            monotonic: Monotonic::START,
            synchronised: false,
        };
        let cookie = Cookie::new(0x1234_5678);
        let mut random = ChaCha20Rng::from_seed([1; 32]);
        let mut list = KeyList::default();
        let mut next = |list: &mut KeyList, exchange: &Exchange| {
            list.next(DigestAlgorithm::Md5, exchange, cookie, &mut random)
        };
        let links = |before, after| {
            SessionKey::new(
                DigestAlgorithm::Md5,
                exchange.local,
                exchange.remote,
                after,
                cookie,
            )
            .next_key_id()
                == before
        };
        let alone = next(&mut list, &exchange);
        exchange.synchronised = true;
        let ids: Vec<_> = (0..LENGTH).map(|_| next(&mut list, &exchange)).collect();
        assert!(!links(alone, ids[0]));
        assert!(ids.windows(2).all(|pair| links(pair[0], pair[1])));
        assert!(ids.iter().all(|id| id.is_autokey()));
        let after = next(&mut list, &exchange);
        assert!(!links(ids[LENGTH - 1], after));
        exchange.monotonic += LIFETIME;
        assert!(!links(after, next(&mut list, &exchange)));
    }
}
