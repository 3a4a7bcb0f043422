use std::sync::LazyLock;

use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha20Rng};

use super::*;

static KEY: LazyLock<IffKey> = LazyLock::new(|| {
    let mut random = ChaCha20Rng::from_seed([7; 32]);
    IffKey::new(crate::test_material::iff_group(&mut random), Stamp::new(9))
});

#[test]
fn clients_cannot_answer() {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let clients = IffKey::new(KEY.group().without_secret(), Stamp::new(9));
    assert_eq!(
        clients.respond(&[1], &mut random),
        Err(IdentityError::NoSecret)
    );
}

#[test]
fn hostile_challenges_are_refused() {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let (p, q) = (KEY.group().p().to_bytes_be(), KEY.group().q().to_bytes_be());
    for r in [&[][..], &[0], &[0; 20], &q, &p, &[0xff; 5000]] {
        assert_eq!(
            KEY.respond(r, &mut random),
            Err(IdentityError::BadChallenge)
        );
    }
    let mut long = vec![0; 5000];
    long.push(1);
    assert!(KEY.respond(&long, &mut random).is_ok());
}

#[test]
fn hostile_responses_are_refused() {
    let (p, q) = (KEY.group().p().to_bytes_be(), KEY.group().q().to_bytes_be());
    let verify = |y: &[u8], hash: &[u8]| KEY.verify(&[5], &der::write_integers(&[y, hash]));
    for y in [&q, &p] {
        assert_eq!(verify(y, &[1; 16]), Err(IdentityError::BadResponse));
    }
    assert_eq!(verify(&[1], &[1; 17]), Err(IdentityError::BadResponse));
    for y in [&[0][..], &[1]] {
        assert_eq!(verify(y, &[1; 16]), Err(IdentityError::NotVerified));
    }
    assert_eq!(KEY.verify(&[5], &[]), Err(IdentityError::BadResponse));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_server_of_the_group_passes_and_no_other(seed: [u8; 32]) {
        let mut random = ChaCha20Rng::from_seed(seed);
        let challenge = KEY.challenge(&mut random);
        let response = KEY.respond(&challenge, &mut random).unwrap();
        prop_assert_eq!(KEY.verify(&challenge, &response), Ok(()));
        let other = KEY.challenge(&mut random);
        prop_assert_eq!(KEY.verify(&other, &response), Err(IdentityError::NotVerified));
        let [p, q, g] = [KEY.group().p(), KEY.group().q(), KEY.group().g()].map(Clone::clone);
        let stranger = IffGroup::server(p, q, g, Secret::from_be_bytes(&other)).unwrap();
        let stranger = IffKey::new(stranger, Stamp::new(9));
        let response = stranger.respond(&challenge, &mut random).unwrap();
        prop_assert_eq!(KEY.verify(&challenge, &response), Err(IdentityError::NotVerified));
    }

    #[test]
    fn the_response_is_what_plain_arithmetic_says(seed: [u8; 32]) {
        // With y = k + b r, x must be g^(y - b r).
        let mut random = ChaCha20Rng::from_seed(seed);
        let (p, q, g) = (KEY.group().p(), KEY.group().q(), KEY.group().g());
        let r = KEY.challenge(&mut random);
        let response = KEY.respond(&r, &mut random).unwrap();
        let [y, hash] = der::read_integers(&response).unwrap().map(BigUint::from_bytes_be);
        let b = BigUint::from_bytes_be(KEY.group().secret().unwrap().as_be_bytes());
        let k = (y + (q - b * BigUint::from_bytes_be(&r) % q)) % q;
        prop_assert_eq!(commitment(&g.modpow(&k, p)), hash);
    }
}
