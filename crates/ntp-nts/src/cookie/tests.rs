use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;

fn rng() -> ChaCha12Rng {
    ChaCha12Rng::from_seed([4; 32])
}

fn session() -> SessionKeys {
    SessionKeys::new([1; 32], [2; 32])
}

#[test]
fn a_cookie_gives_back_its_keys() {
    let mut rng = rng();
    let keys = CookieKeys::new(&mut rng, 0);
    let one = keys.seal(&session(), &mut rng);
    let (opened, age) = keys.open(&one).unwrap();
    assert!(opened == session());
    assert_eq!(age.rotations(), 0);
    // Nothing but the number of the key is the same in two of them.
    let other = keys.seal(&session(), &mut rng);
    assert_eq!(one[..4], other[..4]);
    let same = one[4..].iter().zip(&other[4..]).filter(|(a, b)| a == b);
    assert!(same.count() < 10);
}

#[test]
fn every_octet_of_a_cookie_counts() {
    let mut rng = rng();
    let keys = CookieKeys::new(&mut rng, 0);
    let cookie = keys.seal(&session(), &mut rng);
    for at in 0..cookie.len() {
        let mut changed = cookie;
        changed[at] ^= 0x40;
        let error = keys.open(&changed).unwrap_err();
        match at {
            0..4 => assert!(matches!(error, CookieError::Key(_))),
            _ => assert_eq!(error, CookieError::Forged),
        }
    }
    assert_eq!(
        keys.open(&cookie[1..]).unwrap_err(),
        CookieError::Length(99)
    );
}

#[test]
fn keys_rotate_once_a_day_and_old_ones_go() {
    let mut rng = rng();
    let mut keys = CookieKeys::new(&mut rng, 1000);
    let cookie = keys.seal(&session(), &mut rng);
    assert!(!keys.rotate(&mut rng, 1000 + LIFETIME - 1));
    for day in 1..=KEPT as i64 {
        assert_eq!(keys.due(), 1000 + day * LIFETIME);
        let opened = keys.open(&cookie).map(|(_, age)| age.rotations());
        assert_eq!(opened, Ok(day as usize - 1));
        assert!(keys.rotate(&mut rng, 1000 + day * LIFETIME));
    }
    assert!(matches!(keys.open(&cookie), Err(CookieError::Key(_))));
}

#[test]
fn a_key_from_the_future_is_replaced() {
    let mut rng = rng();
    let mut keys = CookieKeys::new(&mut rng, 10 * LIFETIME);
    assert!(!keys.rotate(&mut rng, 9 * LIFETIME));
    assert!(keys.rotate(&mut rng, 8 * LIFETIME));
    assert_eq!(keys.due(), 9 * LIFETIME);
    assert!(!keys.rotate(&mut rng, i64::from(i32::MAX).min(8 * LIFETIME)));
}

#[test]
fn a_file_of_something_else_is_refused() {
    for (text, error) in [
        ("", CookieFileError::Empty),
        ("# nothing\n\n", CookieFileError::Empty),
        ("driftfile /x\n", CookieFileError::Line(1)),
        ("# \n00000001 5 00\n", CookieFileError::Line(2)),
    ] {
        assert_eq!(CookieKeys::parse(text).unwrap_err(), error);
    }
    let line = CookieKeys::new(&mut rng(), 7).to_text();
    let twice = format!("{}{}", *line, *line);
    assert_eq!(
        CookieKeys::parse(&twice).unwrap_err(),
        CookieFileError::Line(4)
    );
    let signed = line.replace(" 7 ", " 7 +");
    assert!(CookieKeys::parse(&signed).is_err());
}

proptest! {
    #[test]
    fn the_file_keeps_all_keys(seed: [u8; 32], start in -10i64..1 << 40, rotations in 0usize..12) {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut keys = CookieKeys::new(&mut rng, start);
        for _ in 0..rotations {
            let due = keys.due();
            prop_assert!(keys.rotate(&mut rng, due));
        }
        let again = CookieKeys::parse(&keys.to_text()).unwrap();
        prop_assert!(again == keys);
        let cookie = keys.seal(&session(), &mut rng);
        prop_assert!(again.open(&cookie).unwrap().0 == session());
    }

    #[test]
    fn no_text_and_no_cookie_is_too_strange(text: String, cookie: Vec<u8>) {
        let _ = CookieKeys::parse(&text);
        prop_assert!(CookieKeys::new(&mut rng(), 0).open(&cookie).is_err());
    }
}
