use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;

fn small(number: u64) -> BigUint {
    BigUint::from(number)
}

fn group() -> IffGroup {
    IffGroup::generate(512, &mut ChaCha12Rng::from_seed([6; 32])).unwrap()
}

#[test]
fn a_new_group_is_one() {
    for (asked, p, q) in [(256, 512, 160), (512, 512, 160), (1000, 1000, 160)] {
        let group = IffGroup::generate(asked, &mut ChaCha12Rng::from_seed([7; 32])).unwrap();
        assert_eq!((group.p().bits(), group.q().bits()), (p, q));
        assert_eq!((group.p() - 1_u8) % group.q(), small(0));
        let b = BigUint::from_bytes_be(group.secret().unwrap().as_be_bytes());
        assert!(b > small(1) && b < *group.q());
        // g^(q - b) g^b = 1
        let product = group.v() * group.g().modpow(&b, group.p()) % group.p();
        assert_eq!(product, small(1));
        let client = group.without_secret();
        assert_eq!(client.secret(), None);
        assert_eq!(client.v(), group.v());
    }
    assert!(IffGroup::generate(4097, &mut ChaCha12Rng::from_seed([7; 32])).is_err());
}

#[test]
fn numbers_that_are_no_group_are_refused() {
    let whole = group();
    let [p, q, g, v] = [whole.p(), whole.q(), whole.g(), whole.v()].map(Clone::clone);
    let client = |p: &BigUint, q: &BigUint, g: &BigUint, v: &BigUint| {
        IffGroup::client(p.clone(), q.clone(), g.clone(), v.clone()).unwrap_err()
    };
    let bits = p.bits();
    assert_eq!(
        client(&(&p + 1_u8), &q, &g, &v),
        GroupError::Modulus { bits }
    );
    assert_eq!(
        client(&p, &(&q + 1_u8), &g, &v),
        GroupError::Order { bits: q.bits() }
    );
    assert_eq!(client(&p, &p, &g, &v), GroupError::Order { bits });
    assert_eq!(
        client(&p, &q, &(&g + 1_u8), &v),
        GroupError::NotInGroup { name: "g" }
    );
    for wrong in [small(0), small(1), &v + &p, &p - 1_u8] {
        assert_eq!(
            client(&p, &q, &g, &wrong),
            GroupError::NotInGroup { name: "v" }
        );
    }
    assert_eq!(client(&p, &q, &g, &g), GroupError::PublicValueLost);
    for b in [small(0), q.clone(), &q + 5_u8] {
        let b = Secret::from_be_bytes(&b.to_bytes_be());
        assert_eq!(
            IffGroup::server(p.clone(), q.clone(), g.clone(), b).unwrap_err(),
            GroupError::SecretOutOfRange
        );
    }
}

#[test]
fn secrets_are_not_shown() {
    let group = group();
    let secret = BigUint::from_bytes_be(group.secret().unwrap().as_be_bytes());
    let text = format!("{group:?} {:?}", Secret::from_be_bytes(&[0, 0, 77]));
    assert!(text.ends_with("Secret(..)"), "{text}");
    assert!(!text.contains(&secret.to_string()), "{text}");
}

proptest! {
    /// The other library, which takes its time by the exponent, is the oracle.
    #[test]
    fn both_libraries_agree(
        base: [u8; 24],
        exponent in proptest::collection::vec(any::<u8>(), 0..40),
        modulus: [u8; 24],
    ) {
        let [base, modulus] = [base, modulus].map(|octets| BigUint::from_bytes_be(&octets));
        let power = secret_power(&base, &Secret::from_be_bytes(&exponent), &modulus);
        if modulus.bit(0) && base < modulus && modulus > small(1) {
            let expected = base.modpow(&BigUint::from_bytes_be(&exponent), &modulus);
            prop_assert_eq!(power, Some(expected));
        } else {
            prop_assert_eq!(power, None);
        }
    }
}
