//! The secret that cookies are made from, and how it changes with time.

use ntp_keys::{DigestAlgorithm, PrivateKey, SignError, SignatureScheme};
use ntp_wire::Timestamp;
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::SessionKeys;

/// A client uses a cookie no longer: 2^19 s, after which it asks for all anew.
const COOKIE_LIFE: i64 = 1 << 19;

/// Secrets before the present one that are honoured, at most: a request with a wrong MAC is tried
/// with each.
const MOST_BEFORE: i64 = 9;

/// Shorter epochs would leave clients behind that ask for a new cookie each 18 hours.
pub(crate) const SHORTEST: u8 = 14;

/// The present secret and those before it.
///
/// Time is cut into epochs of 2^`revoke` s, counted from 1970. Each has a secret of its own, which
/// follows from the host key and the number of the epoch, so that it is the same after a restart.
/// Nobody can tell one of them from another, or from the cookies.
pub(crate) struct ServerSecret {
    algorithm: DigestAlgorithm,
    revoke: u8,
    /// What the secrets of each epoch are derived from; first that of the present host key.
    roots: Vec<Root>,
    epoch: i64,
}

struct Root {
    key: Zeroizing<[u8; 32]>,
    /// If the host key was replaced: the last epoch that it gave out cookies in.
    last: Option<i64>,
}

impl ServerSecret {
    pub(crate) fn new(
        host_key: &PrivateKey,
        algorithm: DigestAlgorithm,
        revoke: u8,
    ) -> Result<Self, SignError> {
        Ok(Self {
            algorithm,
            revoke: revoke.clamp(SHORTEST, 31),
            roots: vec![Root::of(host_key)?],
            epoch: 0,
        })
    }

    /// It is `now`. True if the secret is another from now on.
    pub(crate) fn turn(&mut self, now: Timestamp) -> bool {
        let epoch = now.to_unix().0 >> self.revoke;
        let oldest = epoch - self.before();
        let turned = std::mem::replace(&mut self.epoch, epoch) != epoch;
        if turned {
            self.roots
                .retain(|root| root.last.is_none_or(|last| last >= oldest));
        }
        turned
    }

    /// There is another host key from now on.
    pub(crate) fn replace(&mut self, host_key: &PrivateKey) -> Result<(), SignError> {
        let root = Root::of(host_key)?;
        // It may be one that was there before.
        self.roots.retain(|old| *old.key != *root.key);
        if let Some(old) = self.roots.first_mut() {
            old.last = Some(self.epoch);
        }
        self.roots.insert(0, root);
        self.roots.truncate(2);
        Ok(())
    }

    /// The keys of the present epoch and of those that are honoured.
    pub(crate) fn session_keys(&self) -> SessionKeys {
        let oldest = self.epoch - self.before();
        let secrets = self.roots.iter().flat_map(|root| {
            let newest = root.last.unwrap_or(self.epoch).min(self.epoch);
            (oldest..=newest).rev().map(|epoch| root.secret(epoch))
        });
        let secrets: Vec<_> = secrets.collect();
        SessionKeys::new(self.algorithm, secrets.iter().map(|secret| &**secret))
    }

    /// Has other secrets.
    #[cfg(test)]
    pub(crate) fn pretend(&mut self, key: [u8; 32]) {
        self.roots = vec![Root {
            key: Zeroizing::new(key),
            last: None,
        }];
    }

    /// How many epochs before the present one are honoured: as many as a cookie can last.
    fn before(&self) -> i64 {
        (COOKIE_LIFE >> self.revoke)
            .saturating_add(1)
            .min(MOST_BEFORE)
    }
}

impl Root {
    /// What only the owner of the host key can know, and what is the same after a restart: derived
    /// from a signature, which for this scheme is always the same (RFC 8017 section 8.2). No
    /// message is signed that begins like this one: the first four octets would be a time in 1941.
    fn of(host_key: &PrivateKey) -> Result<Self, SignError> {
        let signature = host_key.sign(
            SignatureScheme::RsaMd5,
            &[b"Meridian: the secret of an Autokey server, version 1"],
        )?;
        let signature = Zeroizing::new(signature);
        Ok(Self {
            key: derive(&signature, b"autokey server secret", &[b"cookies"]),
            last: None,
        })
    }

    fn secret(&self, epoch: i64) -> Zeroizing<[u8; 32]> {
        let epoch = epoch.to_be_bytes();
        derive(&*self.key, b"autokey server secret", &[b"epoch", &epoch])
    }
}

/// HKDF with SHA-256 (RFC 5869).
fn derive(from: &[u8], salt: &[u8], about: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut secret = Zeroizing::new([0; 32]);
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(from);
    // 32 octets are one block of SHA-256: asking for them cannot fail.
    if let Ok(material) = key.expand(about, hmac::HMAC_SHA256) {
        let _ = material.fill(&mut *secret);
    }
    secret
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ntp_wire::{Duration, KeyId, Packet};

    use super::*;
    use crate::{
        Cookie, SessionKey,
        test_material::{Strength, start},
    };

    const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2));
    const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));

    /// How long secrets are honoured after their epoch.
    const HONOURED: Duration = Duration::from_seconds(COOKIE_LIFE as i32);

    fn secret(key: usize, revoke: u8) -> ServerSecret {
        let key = Strength::Of2008.key(key);
        let mut secret = ServerSecret::new(&key, DigestAlgorithm::Md5, revoke).unwrap();
        secret.turn(start());
        secret
    }

    fn cookie(secret: &ServerSecret) -> Cookie {
        secret.session_keys().cookie(SERVER, CLIENT)
    }

    fn honours(secret: &ServerSecret, cookie: Cookie) -> bool {
        let mut packet = vec![0; 48];
        let key_id = KeyId::new(70_000);
        SessionKey::new(DigestAlgorithm::Md5, CLIENT, SERVER, key_id, cookie)
            .seal(key_id, &mut packet);
        let found = secret
            .session_keys()
            .verify(SERVER, CLIENT, &Packet::parse(&packet).unwrap());
        assert!(
            found.is_none_or(|found| found == cookie),
            "answered in kind"
        );
        found.is_some()
    }

    #[test]
    fn a_cookie_is_honoured_as_long_as_a_client_uses_it() {
        for revoke in [16, 17, 19, 24] {
            let mut secret = secret(0, revoke);
            let mut now = start();
            for _ in 0..40 {
                let given = cookie(&secret);
                secret.turn(now + HONOURED);
                assert!(honours(&secret, given), "{revoke}");
                secret.turn(now);
                now += Duration::from_seconds(50_000);
                secret.turn(now);
            }
        }
    }

    #[test]
    fn the_secret_changes_with_each_epoch_and_is_forgotten_in_the_end() {
        let mut secret = secret(0, 16);
        let first = cookie(&secret);
        assert!(!secret.turn(start()));
        let mut now = start();
        let mut seen = vec![first];
        for _ in 0..12 {
            now += Duration::from_seconds(1 << 16);
            assert!(secret.turn(now));
            assert!(!seen.contains(&cookie(&secret)));
            seen.push(cookie(&secret));
        }
        assert!(!honours(&secret, first));
        assert!(honours(&secret, seen[12 - 9]) && !honours(&secret, seen[12 - 10]));
    }

    #[test]
    fn a_restart_changes_nothing_and_another_host_key_all() {
        assert_eq!(cookie(&secret(0, 16)), cookie(&secret(0, 16)));
        assert_ne!(cookie(&secret(0, 16)), cookie(&secret(1, 16)));
    }

    #[test]
    fn cookies_of_the_host_key_before_are_honoured_for_a_while() {
        let mut secret = secret(0, 16);
        let given = cookie(&secret);
        secret.replace(&Strength::Of2008.key(1)).unwrap();
        assert_ne!(cookie(&secret), given);
        assert!(honours(&secret, given) && honours(&secret, cookie(&secret)));
        secret.turn(start() + HONOURED);
        assert!(honours(&secret, given));
        secret.turn(start() + HONOURED + HONOURED);
        assert!(!honours(&secret, given));
        assert_eq!(secret.roots.len(), 1);
        // Back to the first one.
        let given = cookie(&secret);
        secret.replace(&Strength::Of2008.key(0)).unwrap();
        secret.replace(&Strength::Of2008.key(1)).unwrap();
        assert_eq!(cookie(&secret), given);
        assert_eq!(secret.roots.len(), 2, "none of them twice");
    }

    #[test]
    fn there_are_never_many() {
        for revoke in 0..=31 {
            let mut secret = secret(0, revoke);
            secret.replace(&Strength::Of2008.key(1)).unwrap();
            secret.replace(&Strength::Of2008.key(2)).unwrap();
            let count = secret.roots.len() as i64 * (secret.before() + 1);
            assert!((2..=20).contains(&count), "{revoke} {count}");
        }
    }
}
