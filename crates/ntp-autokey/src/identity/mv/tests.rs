use std::sync::LazyLock;

use ntp_keys::MvKeys;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha20Rng};

use super::*;

static KEYS: LazyLock<MvKeys> =
    LazyLock::new(|| MvKeys::generate(3, 512, &mut ChaCha20Rng::from_seed([7; 32])).unwrap());

fn server() -> MvServerKey {
    MvServerKey::new(KEYS.server.clone(), Stamp::new(9))
}

fn client(number: usize) -> MvClientKey {
    MvClientKey::new(KEYS.clients[number].clone(), Stamp::new(9))
}

#[test]
fn hostile_challenges_are_refused() {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let p = KEYS.server.p().to_bytes_be();
    for r in [&[][..], &[0], &[0; 64], &p, &[0xff; 5000]] {
        let refused = Err(IdentityError::BadChallenge);
        assert_eq!(server().respond(r, &mut random), refused);
    }
}

/// Powers of 1 and -1 are known to everybody, whatever the client's exponents are.
#[test]
fn responses_that_anybody_can_make_are_refused() {
    let p = KEYS.server.p();
    let one = BigUint::from(1_u8);
    let minus_one = p - 1_u8;
    let non_residue = (2_u32..)
        .map(BigUint::from)
        .find(|x| x.modpow(&(p >> 1_u32), p) != one);
    let non_residue = non_residue.unwrap();
    let r = BigUint::from(12_345_u32);
    let good = KEYS.server.private();
    for y in [&r, &(p - &r)] {
        for (private, public) in [
            (&one, &one),
            (&minus_one, &minus_one),
            (&one, &minus_one),
            (&minus_one, good),
            (good, &one),
            (&non_residue, good),
        ] {
            let forged = [y, private, public].map(BigUint::to_bytes_be);
            let forged = der::write_integers(&[&forged[0], &forged[1], &forged[2]]);
            let refused = Err(IdentityError::BadResponse);
            assert_eq!(client(0).verify(&r.to_bytes_be(), &forged), refused);
        }
    }
}

#[test]
fn responses_out_of_range_are_refused() {
    let (p, good) = (
        KEYS.server.p().to_bytes_be(),
        KEYS.server.private().to_bytes_be(),
    );
    let verify =
        |y: &[u8], a: &[u8], b: &[u8]| client(0).verify(&[5], &der::write_integers(&[y, a, b]));
    let refused = Err(IdentityError::BadResponse);
    assert_eq!(verify(&p, &good, &good), refused);
    assert_eq!(verify(&[0], &good, &good), refused);
    assert_eq!(verify(&[1], &p, &good), refused);
    assert_eq!(verify(&[1], &good, &[]), refused);
    assert_eq!(client(0).verify(&[5], &[]), refused);
    assert_eq!(verify(&[1], &good, &good), Err(IdentityError::NotVerified));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_client_is_convinced_but_the_revoked_one(seed: [u8; 32]) {
        let mut random = ChaCha20Rng::from_seed(seed);
        let challenge = client(0).challenge(&mut random);
        let response = server().respond(&challenge, &mut random).unwrap();
        let refused = Err(IdentityError::NotVerified);
        prop_assert_eq!(client(0).verify(&challenge, &response), Ok(()));
        prop_assert_eq!(client(1).verify(&challenge, &response), Ok(()));
        prop_assert_eq!(client(2).verify(&challenge, &response), refused);
        let other = client(1).challenge(&mut random);
        prop_assert_eq!(client(1).verify(&other, &response), refused);
    }

    #[test]
    fn the_response_is_what_plain_arithmetic_says(seed: [u8; 32]) {
        // What the server sends is r E^k and two powers with the same k, so the authority, who knows
        // b, finds the one power from the other.
        let mut random = ChaCha20Rng::from_seed(seed);
        let r = client(0).challenge(&mut random);
        let response = server().respond(&r, &mut random).unwrap();
        let numbers: [&[u8]; 3] = der::read_integers(&response).unwrap();
        let [y, private, public] = numbers.map(BigUint::from_bytes_be);
        let [p, q, _, a, b] = KEYS.authority.numbers();
        prop_assert_eq!(private.modpow(b, p), public);
        prop_assert_eq!(private.modpow(q, p), BigUint::from(1_u8));
        prop_assert_ne!(&y, &BigUint::from_bytes_be(&r));
        prop_assert!(a < p);
    }
}
