use num_bigint::BigUint;
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

/// What one client of an MV group sees when the server has encrypted `r` with `k`.
fn decrypted(server: &MvServer, client: &MvClient, r: &BigUint, k: &BigUint) -> BigUint {
    let p = server.p();
    let [e, private, public] =
        [server.encryption(), server.private(), server.public()].map(|base| base.modpow(k, p));
    let y = r * e % p;
    let of = |base: BigUint, exponent: &Secret| {
        base.modpow(&BigUint::from_bytes_be(exponent.as_be_bytes()), p)
    };
    y * of(private, client.public()) % p * of(public, client.private()) % p
}

#[test]
fn every_client_of_an_mv_group_decrypts_but_the_revoked_one() {
    let mut random = ChaCha12Rng::from_seed([9; 32]);
    for count in [2, 3, 5] {
        let keys = MvKeys::generate(count, 256, &mut random).unwrap();
        let bits = u64::from(512_u32.max(count * 160)).next_multiple_of(8);
        assert_eq!(keys.server.p().bits(), bits);
        let (r, k) = (small(0x1234_5678_9abc), small(0x0fed_cba9_8765));
        let fit: Vec<bool> = keys
            .clients
            .iter()
            .map(|client| decrypted(&keys.server, client, &r, &k) == r)
            .collect();
        let last = fit.len() - 1;
        assert_eq!(fit.len(), count as usize);
        assert!(
            fit[..last].iter().all(|fits| *fits) && !fit[last],
            "{fit:?}"
        );
    }
}

#[test]
fn an_mv_group_has_at_least_two_clients_and_at_most_a_hundred() {
    let mut random = ChaCha12Rng::from_seed([9; 32]);
    for count in [0, 1, 101] {
        let refused = MvKeys::generate(count, 512, &mut random).unwrap_err();
        assert_eq!(refused, GroupError::Clients(count).into());
    }
    assert!(MvKeys::generate(3, 3073, &mut random).is_err());
}

#[test]
fn mv_keys_whose_public_value_was_lost_are_told() {
    let mut random = ChaCha12Rng::from_seed([9; 32]);
    let MvKeys {
        server, clients, ..
    } = MvKeys::generate(2, 512, &mut random).unwrap();
    let numbers = || {
        [
            server.p(),
            server.q(),
            server.encryption(),
            server.private(),
        ]
        .map(Clone::clone)
    };
    let [p, q, e, private] = numbers();
    let recomputed = e.modpow(&private, &p);
    let lost = MvServer::new(p, q, e, private, recomputed).unwrap_err();
    assert_eq!(lost, GroupError::PublicValueLost);
    let private = clients[0].private().clone();
    let lost = MvClient::new(server.p().clone(), private, Secret::from_be_bytes(&[1]));
    assert_eq!(lost, Err(GroupError::PublicValueLost));
    // A client's numbers lie between 0 and p.
    let p = server.p();
    let good = Secret::from_be_bytes(&[2]);
    let large = Secret::from_be_bytes(&p.to_bytes_be());
    let nothing = Secret::from_be_bytes(&[]);
    for (private, public, error) in [
        (&nothing, &good, GroupError::OutOfRange { name: "xbar" }),
        (&large, &good, GroupError::OutOfRange { name: "xbar" }),
        (&good, &large, GroupError::OutOfRange { name: "xhat" }),
        (&good, &nothing, GroupError::PublicValueLost),
    ] {
        let refused = MvClient::new(p.clone(), private.clone(), public.clone());
        assert_eq!(refused, Err(error));
    }
    let [p, q, e, private] = numbers();
    // -1 is no square mod a prime of the form 4k + 3.
    let other = &p - server.public();
    let stranger = MvServer::new(p, q, e, private, other).unwrap_err();
    assert_eq!(stranger, GroupError::NotInGroup { name: "ghat" });
}

#[test]
fn a_gq_group_proves_what_its_server_knows() {
    let mut random = ChaCha12Rng::from_seed([9; 32]);
    for (asked, bits) in [(256, 512), (1024, 1024), (1100, 1100)] {
        let group = GqGroup::generate(asked, &mut random).unwrap();
        let (n, b, v) = (group.n(), group.b(), group.v().unwrap());
        assert_eq!(n.bits(), bits);
        assert!(
            v.bits() <= 127 * 8 || bits > 1024,
            "the reference can't read {}",
            v.bits()
        );
        let u = BigUint::from_bytes_be(group.secret().unwrap().as_be_bytes());
        assert_eq!(u.modpow(b, n) * v % n, small(1));
        let client = group.without_secret();
        assert_eq!((client.secret(), client.v()), (None, None));
        assert_eq!(GqGroup::client(n.clone(), b.clone()), Ok(client));
    }
}

#[test]
fn numbers_that_are_no_gq_group_are_refused() {
    let group = GqGroup::generate(512, &mut ChaCha12Rng::from_seed([9; 32])).unwrap();
    let (n, b) = (group.n().clone(), group.b().clone());
    let even = GqGroup::client(&n + 1_u8, b.clone()).unwrap_err();
    assert_eq!(even, GroupError::Modulus { bits: 512 });
    for b in [small(0), small(1), n.clone()] {
        assert_eq!(
            GqGroup::client(n.clone(), b).unwrap_err(),
            GroupError::OutOfRange { name: "b" }
        );
    }
    for u in [&[][..], &[1], &n.to_bytes_be()] {
        assert_eq!(
            GqGroup::server(n.clone(), b.clone(), Secret::from_be_bytes(u)).unwrap_err(),
            GroupError::OutOfRange { name: "u" }
        );
    }
}

#[test]
fn factors_that_are_not_below_the_modulus_have_no_product() {
    let product = |a, b| secret_product(&small(a), &small(b), &small(7));
    assert_eq!(product(6, 6), Some(small(1)));
    assert_eq!((product(7, 1), product(1, 7)), (None, None));
}

proptest! {
    #[test]
    fn products_agree_with_plain_arithmetic(a: Vec<u8>, b: Vec<u8>, modulus in "[1-9a-f][0-9a-f]{0,150}[13579bdf]") {
        let modulus = BigUint::parse_bytes(modulus.as_bytes(), 16).unwrap();
        let [a, b] = [&a, &b].map(|octets| BigUint::from_bytes_be(octets) % &modulus);
        prop_assert_eq!(secret_product(&a, &b, &modulus), Some(&a * &b % &modulus));
        let exponent = Secret::from_be_bytes(&b.to_bytes_be());
        prop_assert_eq!(secret_power(&a, &exponent, &modulus), Some(a.modpow(&b, &modulus)));
    }
}
