use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 2));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 1));

#[test]
fn the_references_cookie_is_ours_for_its_secret() {
    // The secret of ntpd 4.2.8p15 is zero, and so this client's cookie is the same in every capture.
    let key = SessionKey::new(
        DigestAlgorithm::Md5,
        CLIENT,
        SERVER,
        KeyId::new(0),
        Cookie::new(0),
    );
    assert_eq!(key.next_key_id(), KeyId::new(0xded8_8f71));
}

#[test]
fn an_ipv4_address_is_hashed_as_such_in_any_clothing() {
    let mapped = IpAddr::V6(Ipv6Addr::from_bits(0xffff_0a63_0002));
    let key = |client| {
        SessionKey::new(
            DigestAlgorithm::Sha1,
            client,
            SERVER,
            KeyId::new(70000),
            Cookie::new(1),
        )
        .next_key_id()
    };
    assert_eq!(key(mapped), key(CLIENT));
}

#[test]
fn cookies_differ_by_client_server_and_secret() {
    let keys = SessionKeys::new(DigestAlgorithm::Md5, [&[1; 32]]);
    let others = SessionKeys::new(DigestAlgorithm::Md5, [&[2; 32]]);
    let cookie = keys.cookie(SERVER, CLIENT);
    assert_eq!(cookie, keys.clone().cookie(SERVER, CLIENT));
    assert_ne!(cookie, keys.cookie(CLIENT, SERVER));
    assert_ne!(cookie, others.cookie(SERVER, CLIENT));
    let third = IpAddr::V4(Ipv4Addr::new(10, 99, 0, 3));
    assert_ne!(cookie, keys.cookie(third, CLIENT));
    assert_ne!(cookie, keys.cookie(SERVER, third));
    assert!(!format!("{cookie:?} {keys:?}").contains(&cookie.value().to_string()));
}

proptest! {
    #[test]
    fn what_a_client_seals_the_server_takes_and_the_other_way(
        header: [u8; 48], id in 65536u32.., cookie_of_another: u32, flip in 0usize..72, digest in 0usize..7,
    ) {
        let algorithm = DigestAlgorithm::ALL[digest];
        let keys = SessionKeys::new(algorithm, [&[1; 32]]);
        let cookie = keys.cookie(SERVER, CLIENT);
        let key_id = KeyId::new(id);
        let seal = |cookie| {
            let mut packet = header.to_vec();
            SessionKey::new(algorithm, CLIENT, SERVER, key_id, cookie).seal(key_id, &mut packet);
            packet
        };
        let verify = |packet: &[u8]| {
            Packet::parse(packet).is_ok_and(|packet| keys.verify(SERVER, CLIENT, &packet) == Some(cookie))
        };
        let mut packet = seal(cookie);
        prop_assert!(verify(&packet));
        let flip = flip % packet.len();
        packet[flip] ^= 1;
        prop_assert!(!verify(&packet));
        if cookie_of_another != cookie.value() {
            prop_assert!(!verify(&seal(Cookie::new(cookie_of_another))));
        }

        let mut mac = [0; SessionKeys::LONGEST_MAC];
        let length = keys.seal((SERVER, CLIENT), key_id, cookie, &header, &mut mac);
        let (id, digest) = mac[..length].split_at(4);
        prop_assert_eq!(id, key_id.value().to_be_bytes());
        let key = SessionKey::new(algorithm, SERVER, CLIENT, key_id, cookie);
        prop_assert!(key.verify(&header, digest));
        prop_assert!(!key.verify(&header, &digest[1..]));
    }
}

#[test]
fn symmetric_key_identifiers_are_none_of_ours() {
    let keys = SessionKeys::new(DigestAlgorithm::Md5, [&[1; 32]]);
    let key_id = KeyId::HIGHEST_SYMMETRIC;
    let mut packet = vec![0; 48];
    let cookie = keys.cookie(SERVER, CLIENT);
    SessionKey::new(DigestAlgorithm::Md5, CLIENT, SERVER, key_id, cookie).seal(key_id, &mut packet);
    assert_eq!(
        keys.verify(SERVER, CLIENT, &Packet::parse(&packet).unwrap()),
        None
    );
}
