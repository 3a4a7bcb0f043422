//! `-M`: keys for `ntp.keys`, ten for MD5 and ten for SHA1.

use core::fmt::Write;

use rand::Rng;
use zeroize::Zeroizing;

use crate::{
    journal::tell,
    names::Names,
    store::{NewFile, Store, StoreError},
};

/// Keys of each type.
const KEYS: u32 = 10;
/// Characters of an MD5 key, of which each is one of 91.
const MD5_CHARACTERS: usize = 20;
/// Octets of a SHA1 key.
const SHA1_OCTETS: usize = 20;

/// Makes the file and the link `ntp.keys`.
pub(crate) fn make<R: Rng>(names: &Names, store: &Store, random: &mut R) -> Result<(), StoreError> {
    let moment = store.moment()?;
    let name = format!("ntpkey_MD5key_{}.{}", names.host, moment.filestamp);
    let keys = keys(random);
    let text = Zeroizing::new(format!("# {name}\n# {}\n\n{}", moment.date, *keys));
    store.commit(&[NewFile {
        kind: "md5",
        name,
        link: "ntp.keys".to_owned(),
        text,
        mode: NewFile::PRIVATE,
    }])?;
    tell("Keys of type MD5 are for hosts that know no better: prefer 11 to 20");
    Ok(())
}

fn keys<R: Rng>(random: &mut R) -> Zeroizing<String> {
    // Reserved at once: what grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4096));
    for number in 1..=KEYS {
        let key = Zeroizing::new(printable(random));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{number:2} MD5 {}  # MD5 key", *key);
    }
    for number in KEYS + 1..=2 * KEYS {
        let mut key = Zeroizing::new([0; SHA1_OCTETS]);
        random.fill_bytes(key.as_mut());
        let _ = write!(text, "{number:2} SHA1 ");
        for octet in key.iter() {
            let _ = write!(text, "{octet:02x}");
        }
        let _ = writeln!(text, "  # SHA1 key");
    }
    text
}

/// Characters that stand for themselves in ntp.keys and in quotes: no blank, no `#`, no quotes.
fn printable<R: Rng>(random: &mut R) -> String {
    let mut key = String::with_capacity(MD5_CHARACTERS);
    while key.len() < MD5_CHARACTERS {
        let mut octet = [0];
        random.fill_bytes(&mut octet);
        // Those that do not fit are drawn again, so that all others are equally likely.
        let character = char::from(octet[0] & 0x7f);
        if character.is_ascii_graphic() && !matches!(character, '#' | '"' | '\'') {
            key.push(character);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use ntp_keys::{KeyAlgorithm, KeyTable};
    use ntp_wire::KeyId;
    use rand::{SeedableRng, rngs::ChaCha20Rng};

    use super::*;

    #[test]
    fn every_line_is_a_key() {
        for seed in 0..20 {
            let text = keys(&mut ChaCha20Rng::from_seed([seed; 32]));
            let (table, problems) = KeyTable::parse(&text);
            assert!(problems.is_empty(), "{problems:?}");
            assert_eq!(table.len(), 20);
            for number in 1..=20 {
                let key = table.lookup(KeyId::new(number)).unwrap().key();
                let wanted = if number <= 10 {
                    KeyAlgorithm::MD5
                } else {
                    KeyAlgorithm::SHA1
                };
                assert_eq!(key.algorithm(), wanted);
            }
            assert!(!text.contains(['"', '\'']));
        }
    }
}
