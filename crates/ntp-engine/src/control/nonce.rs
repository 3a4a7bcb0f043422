//! Nonces: who gives one back can be reached at his address.

use std::net::IpAddr;

use ntp_keys::{KeyAlgorithm, MacBuffer, SymmetricKey};
use ntp_wire::Monotonic;
use rand::Rng;

/// Makes and checks nonces without remembering any.
pub(crate) struct Nonces {
    /// There unless the digest is not, in which case there are no nonces.
    key: Option<SymmetricKey>,
}

/// A nonce is good for so long, as in ntpd 4.2.8.
const LIFETIME: core::time::Duration = core::time::Duration::from_secs(16);

/// What a nonce begins with.
const LETTER: char = 'e';
/// Fifteen digits: nanoseconds of 36 years.
const TIME: u64 = (1 << 60) - 1;

impl Nonces {
    /// Nonces that nobody can make who does not know what `random` gave.
    pub(crate) fn new(random: &mut impl Rng) -> Self {
        let mut secret = [0; 20];
        random.fill_bytes(&mut secret);
        Self {
            key: SymmetricKey::new(KeyAlgorithm::SHA1, &secret).ok(),
        }
    }

    /// A nonce for `address`: 24 hexadecimal digits, a time and what proves it to be ours.
    ///
    /// The first is a letter: NTPsec's ntpq takes `0004e2…` for a number, and gives back another
    /// text than it was given.
    pub(crate) fn make(&self, address: IpAddr, now: Monotonic) -> Option<String> {
        let time = now.as_nanos() & TIME;
        let proof = self.proof(address, time)?;
        Some(format!("{LETTER}{time:015x}{proof:08x}"))
    }

    /// Whether `nonce` is one that `address` was given a moment ago.
    pub(crate) fn is_valid(&self, nonce: &str, address: IpAddr, now: Monotonic) -> bool {
        let split = |digits: &'_ str| -> Option<(u64, u64)> {
            let (time, proof) = digits.split_at_checked(15)?;
            Some((hexadecimal(time, 15)?, hexadecimal(proof, 8)?))
        };
        let Some((time, proof)) = nonce.strip_prefix(LETTER).and_then(split) else {
            return false;
        };
        let age = now.since(Monotonic::from_nanos(time));
        time <= now.as_nanos() & TIME
            && age <= LIFETIME
            && self.proof(address, time).map(u64::from) == Some(proof)
    }

    fn proof(&self, address: IpAddr, time: u64) -> Option<u32> {
        let mut message = Vec::with_capacity(24);
        match address.to_canonical() {
            IpAddr::V4(address) => message.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => message.extend_from_slice(&address.octets()),
        }
        message.extend_from_slice(&time.to_be_bytes());
        let mut buffer = MacBuffer::new();
        let digest = self.key.as_ref()?.mac(&message, &mut buffer);
        digest.first_chunk().map(|proof| u32::from_be_bytes(*proof))
    }
}

fn hexadecimal(digits: &str, length: usize) -> Option<u64> {
    let plain = digits.len() == length && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::ChaCha12Rng};

    use super::*;

    #[test]
    fn a_nonce_is_good_for_its_address_and_a_moment() {
        let nonces = Nonces::new(&mut ChaCha12Rng::from_seed([1; 32]));
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let there: IpAddr = "192.0.2.2".parse().unwrap();
        let now = Monotonic::START + core::time::Duration::from_secs(100);
        let nonce = nonces.make(here, now).unwrap();
        assert_eq!(nonce.len(), 24);
        assert!(nonces.is_valid(&nonce, here, now));
        assert!(nonces.is_valid(&nonce, here, now + LIFETIME));
        assert!(!nonces.is_valid(&nonce, there, now));
        let late = LIFETIME + core::time::Duration::from_nanos(1);
        assert!(!nonces.is_valid(&nonce, here, now + late));
        assert!(!nonces.is_valid(&nonce, here, Monotonic::START));
        let other = Nonces::new(&mut ChaCha12Rng::from_seed([2; 32]));
        assert!(!other.is_valid(&nonce, here, now));
        // No reader may take it for a number.
        for later in 0..1000 {
            let now = now + core::time::Duration::from_millis(later);
            let nonce = nonces.make(here, now).unwrap();
            assert!(nonce.parse::<f64>().is_err(), "{nonce}");
        }
        for wrong in [
            "",
            "00",
            "x",
            &nonce[..23],
            &format!("{nonce}0"),
            "é",
            &"é".repeat(12),
        ] {
            assert!(!nonces.is_valid(wrong, here, now), "{wrong}");
        }
    }
}
