//! Keys as people type them.

use ntp_keys::{KeyAlgorithm, SymmetricKey};
use zeroize::Zeroizing;

/// Above so many characters a password is hexadecimal, as in ntp.keys.
const LONGEST_PLAIN_PASSWORD: usize = 20;

/// The key of a password; `None` if it is none.
pub fn key_of(algorithm: KeyAlgorithm, password: &str) -> Option<SymmetricKey> {
    SymmetricKey::new(algorithm, &secret(password)?).ok()
}

/// The octets of a password: as it is, or, if it is long, hexadecimal.
fn secret(password: &str) -> Option<Zeroizing<Vec<u8>>> {
    if password.len() <= LONGEST_PLAIN_PASSWORD {
        return Some(Zeroizing::new(password.as_bytes().to_vec()));
    }
    let (pairs, rest) = password.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let octets = pairs.iter().map(|pair| {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let [high, low] = *pair;
        Some((digit(high)? << 4 | digit(low)?) as u8)
    });
    octets.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_passwords_are_hexadecimal() {
        assert_eq!(
            secret("secretMD5key1").unwrap().as_slice(),
            b"secretMD5key1"
        );
        assert_eq!(secret("0123456789abcdefABCDEF00").unwrap().len(), 12);
        assert_eq!(secret("0123456789abcdefABCDEF0"), None);
        assert_eq!(secret("not hexadecimal at all!!"), None);
    }
}
