use std::sync::LazyLock;

use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha20Rng};

use super::*;

static KEY: LazyLock<GqKey> = LazyLock::new(|| {
    let group = GqGroup::generate(512, &mut ChaCha20Rng::from_seed([7; 32])).unwrap();
    GqKey::new(group, Stamp::new(9))
});

fn v() -> Vec<u8> {
    KEY.group().v().unwrap().to_bytes_be()
}

#[test]
fn clients_cannot_answer() {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let clients = GqKey::new(KEY.group().without_secret(), Stamp::new(9));
    assert_eq!(
        clients.respond(&[1], &mut random),
        Err(IdentityError::NoSecret)
    );
}

#[test]
fn hostile_challenges_are_refused() {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let n = KEY.group().n().to_bytes_be();
    for r in [&[][..], &[0], &[0; 64], &n, &[0xff; 5000]] {
        assert_eq!(
            KEY.respond(r, &mut random),
            Err(IdentityError::BadChallenge)
        );
    }
}

#[test]
fn hostile_responses_are_refused() {
    let n = KEY.group().n().to_bytes_be();
    let verify = |y: &[u8], hash: &[u8]| KEY.verify(&[5], &der::write_integers(&[y, hash]), &v());
    for y in [&[][..], &[0], &n, &[0xff; 100]] {
        assert_eq!(verify(y, &[1; 16]), Err(IdentityError::BadResponse));
    }
    assert_eq!(verify(&[1], &[1; 17]), Err(IdentityError::BadResponse));
    assert_eq!(verify(&[1], &[1; 16]), Err(IdentityError::NotVerified));
    assert_eq!(KEY.verify(&[5], &[], &v()), Err(IdentityError::BadResponse));
}

/// With v = 1 everybody can make x from y.
#[test]
fn a_certified_key_that_proves_nothing_is_refused() {
    let (n, b) = (KEY.group().n(), KEY.group().b());
    let y = BigUint::from(12_345_u32);
    let hash = commitment(&y.modpow(b, n)).to_bytes_be();
    let forged = der::write_integers(&[&y.to_bytes_be(), &hash]);
    for v in [
        &[][..],
        &[0],
        &[1],
        &n.to_bytes_be(),
        &(n + 1_u8).to_bytes_be(),
    ] {
        assert_eq!(
            KEY.verify(&[5], &forged, v),
            Err(IdentityError::NotCertified)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_server_of_the_group_passes_and_no_other(seed: [u8; 32]) {
        let mut random = ChaCha20Rng::from_seed(seed);
        let challenge = KEY.challenge(&mut random);
        let response = KEY.respond(&challenge, &mut random).unwrap();
        prop_assert_eq!(KEY.verify(&challenge, &response, &v()), Ok(()));
        let other = KEY.challenge(&mut random);
        let refused = Err(IdentityError::NotVerified);
        prop_assert_eq!(KEY.verify(&other, &response, &v()), refused);
        let (n, b) = (KEY.group().n().clone(), KEY.group().b().clone());
        let stranger = GqGroup::server(n, b, Secret::from_be_bytes(&other)).unwrap();
        let certified = stranger.v().unwrap().to_bytes_be();
        let stranger = GqKey::new(stranger, Stamp::new(9));
        let response = stranger.respond(&challenge, &mut random).unwrap();
        prop_assert_eq!(KEY.verify(&challenge, &response, &v()), refused);
        prop_assert_eq!(KEY.verify(&challenge, &response, &certified), Ok(()));
    }

    #[test]
    fn the_response_is_what_plain_arithmetic_says(seed: [u8; 32]) {
        // With y = k u^r, x must be (y u^-r)^b.
        let mut random = ChaCha20Rng::from_seed(seed);
        let (n, b) = (KEY.group().n(), KEY.group().b());
        let r = KEY.challenge(&mut random);
        let response = KEY.respond(&r, &mut random).unwrap();
        let [y, hash] = der::read_integers(&response).unwrap().map(BigUint::from_bytes_be);
        let u = BigUint::from_bytes_be(KEY.group().secret().unwrap().as_be_bytes());
        let inverse = u.modpow(&BigUint::from_bytes_be(&r), n).modinv(n).unwrap();
        let k = y * inverse % n;
        prop_assert_eq!(commitment(&k.modpow(b, n)), hash);
    }
}
