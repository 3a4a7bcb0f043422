//! The key list of another host, as far as it is known.

use std::net::IpAddr;

use ntp_keys::DigestAlgorithm;
use ntp_wire::KeyId;

use crate::{Cookie, SessionKey, key_list::ListStart};

/// No list is longer than this, whatever its maker says: each packet that does not fit costs as many
/// digests. The reference's have 100.
const LONGEST: u32 = 256;

/// Tells which key identifiers may come next (RFC 5906 section 5.4): each is proven by the one
/// before, of which it is the origin. Packets may be lost, but none may come twice or late.
#[derive(Debug)]
pub(crate) struct Chain {
    last: KeyId,
    /// How many identifiers there may still be.
    left: u32,
    cookie: Cookie,
}

impl Chain {
    /// Of a list that begins so and was made with this cookie.
    pub(crate) fn new(start: ListStart, cookie: Cookie) -> Self {
        Self {
            last: start.key_id,
            left: start.sequence.saturating_add(1).min(LONGEST),
            cookie,
        }
    }

    /// Whether `key_id` was the last one that came.
    pub(crate) fn is_last(&self, key_id: KeyId) -> bool {
        self.last == key_id
    }

    /// Whether `key_id` comes later in the list than what was seen of it; if so, all up to it have
    /// been seen from now on.
    pub(crate) fn follow(
        &mut self,
        algorithm: DigestAlgorithm,
        source: IpAddr,
        destination: IpAddr,
        key_id: KeyId,
    ) -> bool {
        let mut one = key_id;
        for steps in 1..=self.left {
            one = SessionKey::new(algorithm, source, destination, one, self.cookie).next_key_id();
            if one == self.last {
                self.last = key_id;
                self.left -= steps;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::{Monotonic, Timestamp};
    use rand::{SeedableRng, rngs::ChaCha20Rng};

    use super::*;
    use crate::{
        Exchange,
        key_list::KeyList,
        test_material::{CLIENT, SERVER},
    };

    const COOKIE: Cookie = Cookie::new(7);

    fn list() -> (Vec<KeyId>, ListStart) {
        let exchange = Exchange {
            local: SERVER,
            remote: CLIENT,
            now: Timestamp::default(),
            monotonic: Monotonic::START,
            synchronised: true,
        };
        let mut random = ChaCha20Rng::from_seed([2; 32]);
        let mut list = KeyList::default();
        let mut next = || list.next(DigestAlgorithm::Md5, &exchange, COOKIE, &mut random);
        let identifiers = (0..100).map(|_| next()).collect();
        let start = list.start().unwrap();
        assert!(list.take_new() && !list.take_new());
        (identifiers, start)
    }

    fn follows(chain: &mut Chain, key_id: KeyId) -> bool {
        chain.follow(DigestAlgorithm::Md5, SERVER, CLIENT, key_id)
    }

    #[test]
    fn the_list_is_followed_to_its_end_and_no_further() {
        let (identifiers, start) = list();
        assert_eq!(start.sequence, 99);
        assert_eq!(ListStart::from_octets(&start.to_octets()), Some(start));
        let mut chain = Chain::new(start, COOKIE);
        for key_id in &identifiers {
            assert!(follows(&mut chain, *key_id) && chain.is_last(*key_id));
        }
        // Its maker has said how long it is.
        let origin = SessionKey::new(DigestAlgorithm::Md5, SERVER, CLIENT, KeyId::new(9), COOKIE);
        chain.last = origin.next_key_id();
        assert!(!follows(&mut chain, KeyId::new(9)));
    }

    #[test]
    fn lost_packets_are_passed_over_and_old_ones_are_not_taken() {
        let (identifiers, start) = list();
        let mut chain = Chain::new(start, COOKIE);
        assert!(follows(&mut chain, identifiers[30]));
        for old in &identifiers[..=30] {
            assert!(!follows(&mut chain, *old));
        }
        assert!(follows(&mut chain, identifiers[99]));
        assert!(!follows(&mut chain, identifiers[98]));
    }

    #[test]
    fn another_cookie_or_address_is_another_list() {
        let (identifiers, start) = list();
        assert!(!follows(
            &mut Chain::new(start, Cookie::PUBLIC),
            identifiers[0]
        ));
        let mut chain = Chain::new(start, COOKIE);
        assert!(!chain.follow(DigestAlgorithm::Md5, CLIENT, SERVER, identifiers[0]));
        assert!(!chain.follow(DigestAlgorithm::Sha1, SERVER, CLIENT, identifiers[0]));
        assert!(follows(&mut chain, identifiers[0]));
    }

    #[test]
    fn nobody_has_us_count_for_ever() {
        let start = ListStart {
            key_id: KeyId::new(1),
            sequence: u32::MAX,
        };
        assert_eq!(Chain::new(start, COOKIE).left, LONGEST);
    }
}
