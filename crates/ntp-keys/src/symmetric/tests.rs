use proptest::prelude::*;

use super::*;
use ntp_wire::KeyId;

fn octets(hex: &str) -> Vec<u8> {
    base16ct::mixed::decode_vec(hex).unwrap()
}

/// The keys under which ntpd and ntpdate 4.2.8p15 sent the packets below.
const KEYS: &str = "\
    # keys of no secrecy\n\
    1 M secretMD5key1\n\
    3 SHA1 0123456789abcdef0123456789abcdef01234567\n\
    4 AES128CMAC 00112233445566778899aabbccddeeff\n\
    5 SHA256 secretsha256\n\
    8 AES128CMAC shortkey\n\
    11 sha256 0123456789abcdef01234\n\
    12 RIPEMD160 thekey\n";

/// Answers of ntpd (mode 4 and 2), then requests of ntpdate, with their MACs.
const CAPTURED: [&str; 8] = [
    "240203e8000000000007f2927f7f0100eeae149567997ef1eeae14987a2bf226eeae14987a41fb52eeae14987d5b39e2\
     00000001620fab0b3e06626a64f85a8d9e8d3598",
    "240203e8000000000007f2937f7f0100eeae149567997ef1eeae14997a194ae9eeae14997a265d4ceeae14997a5027b7\
     00000003566b021b04ebe576182d6aaef472be0b6ee32fdc",
    "240203e8000000000007f2947f7f0100eeae149567997ef1eeae149a7a559094eeae149a7a71209eeeae149a7ad1c497\
     0000000412d4d23f338da5804dfd254f62cc6535",
    "240203e8000000000007f2957f7f0100eeae149567997ef1eeae149b7a298961eeae149b7a75cae8eeae149b7b9a600e\
     0000000535c0e6484a8dd6687f10278710f6ae01e9486af8",
    "220203e8000000000003f2937f7f0100eeae149d6761d876eeae149d7a17becaeeae149d7a1e6d68eeae149f675d7708\
     000000040bfe6cbaeb900cb4ba636619a3bdbd2a",
    "e30003fa000100000001000000000000000000000000000000000000000000000000000000000000eeae3e3363e5ee46\
     000000080510c035046b4e94ad2bd7a0025ac3a1",
    "e30003fa000100000001000000000000000000000000000000000000000000000000000000000000eeae3e372f0e39bf\
     0000000bf82c5528ce57c3e4ab4ef08a4c83a24cf6e8cb29",
    "e30003fa000100000001000000000000000000000000000000000000000000000000000000000000eeae3e387294fd97\
     0000000ce6e5d9806a7686d888007ef1d693edbbede7356d",
];

#[test]
fn captured_packets_verify() {
    let (table, _) = KeyTable::parse(KEYS);
    for packet in CAPTURED {
        let packet = octets(packet);
        let (message, trailer) = packet.split_at(48);
        let (id, mac) = trailer.split_at(4);
        let id = KeyId::new(u32::from_be_bytes(id.try_into().unwrap()));
        let key = table.lookup(id).unwrap().key();
        assert_eq!(key.mac_length(), mac.len());
        assert_eq!(key.mac(message, &mut MacBuffer::new()), mac, "key {id}");
        assert!(key.verify(message, mac), "key {id}");
        for (other, entry) in table.iter() {
            assert_eq!(entry.key().verify(message, mac), other == id);
        }
    }
}

#[test]
fn aes_cmac_as_in_rfc_4493() {
    let key = SymmetricKey::new(
        KeyAlgorithm::Aes128Cmac,
        &octets("2b7e151628aed2a6abf7158809cf4f3c"),
    )
    .unwrap();
    let message = octets(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51\
         30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    for (length, mac) in [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ] {
        assert_eq!(
            key.mac(&message[..length], &mut MacBuffer::new()),
            octets(mac)
        );
    }
}

/// RFC 1321, RFC 3174, FIPS 180-4 and the RIPEMD-160 paper, all of "abc".
#[test]
fn digests_of_abc() {
    for (name, nid, expected) in [
        ("MD5", 4, "900150983cd24fb0d6963f7d28e17f72"),
        ("sha1", 64, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("RIPEMD160", 117, "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (
            "SHA224",
            675,
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        ),
        (
            "Sha256",
            672,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            "SHA384",
            673,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            "SHA512",
            674,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ] {
        let algorithm = DigestAlgorithm::from_name(name).unwrap();
        assert_eq!(DigestAlgorithm::from_nid(nid), Some(algorithm));
        assert_eq!(algorithm.output_length(), expected.len() / 2);
        assert_eq!(
            digest(algorithm, &[b"a", b"", b"bc"]).as_bytes(),
            octets(expected)
        );
    }
}

#[test]
fn names_of_types() {
    for (name, algorithm) in [
        ("M", Some(KeyAlgorithm::MD5)),
        ("md5", Some(KeyAlgorithm::MD5)),
        ("MUMBLE", Some(KeyAlgorithm::MD5)),
        ("MD4", None),
        ("mdc2", None),
        ("SHA1", Some(KeyAlgorithm::SHA1)),
        ("SHA", None),
        ("aes128cmac", Some(KeyAlgorithm::Aes128Cmac)),
        ("AES-128-CMAC", Some(KeyAlgorithm::Aes128Cmac)),
        ("RMD160", None),
        ("", None),
    ] {
        assert_eq!(KeyAlgorithm::from_name(name), algorithm, "{name}");
    }
    assert!(KeyAlgorithm::MD5.is_weak() && KeyAlgorithm::SHA1.is_weak());
    assert!(!KeyAlgorithm::SHA256.is_weak() && !KeyAlgorithm::Aes128Cmac.is_weak());
}

fn secret(text: &str) -> Vec<u8> {
    let (table, _) = KeyTable::parse(text);
    let (_, entry) = table.iter().next().unwrap();
    secret_of(entry.key()).to_vec()
}

#[test]
fn keys_are_text_or_hexadecimal() {
    assert_eq!(
        secret("1 MD5 twentycharacterslong"),
        b"twentycharacterslong"
    );
    assert_eq!(secret("1\tMD5\ttabs\t# comment\r\n"), b"tabs");
    assert_eq!(
        secret("1 MD5 00112233445566778899"),
        b"00112233445566778899"
    );
    assert_eq!(
        secret("1 MD5 00112233445566778899a"),
        octets("00112233445566778899")
    );
    assert_eq!(
        secret("1 MD5 00112233445566778899Aa"),
        octets("00112233445566778899aa")
    );
    assert_eq!(secret(&format!("1 SHA1 {}", "ab".repeat(40))), [0xab; 32]);
}

#[test]
fn keys_of_aes_are_filled_up_and_cut() {
    let mac = |text: &str| {
        let (table, _) = KeyTable::parse(text);
        let (_, entry) = table.iter().next().unwrap();
        let mut buffer = MacBuffer::new();
        entry.key().mac(b"a packet", &mut buffer).to_vec()
    };
    let short = format!("1 AES128CMAC {}{}", "73686f7274", "00".repeat(11));
    assert_eq!(mac("1 AES128CMAC short"), mac(&short));
    assert_eq!(
        mac("1 AES128CMAC seventeen-octets!"),
        mac("1 AES128CMAC seventeen-octets")
    );
    assert_ne!(mac("1 AES128CMAC short"), mac("1 AES128CMAC shorts"));
}

#[test]
fn problems_name_their_line_and_the_rest_is_used() {
    let (table, problems) = KeyTable::parse(
        "\n0 MD5 zero\n65536 MD5 high\n-1 MD5 negative\n2x MD5 text\n1\n1 MD5\n1 MD5 #key\n\
         1 FOO key\n1 SHA1 0123456789abcdef01234g\n1 MD5 key 10.0.0.0/33\n1 MD5 key 10.0.0.0,\n\
         65535 MD5 good\n65535 MD5 again",
    );
    let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14]);
    assert_eq!(table.len(), 1);
    let entry = table.lookup(KeyId::HIGHEST_SYMMETRIC).unwrap();
    assert_eq!(secret_of(entry.key()), b"good");
    assert_eq!(
        problems[7].to_string(),
        "line 9: key 1 has the unknown type \"FOO\": use AES128CMAC, SHA256, SHA384, SHA512, or, \
         for old peers, SHA1 or MD5"
    );
}

/// CVE-2021-22212: what a `#` cuts off must at least be noticed where nothing is left.
#[test]
fn a_comment_starts_within_a_key() {
    assert_eq!(secret("1 MD5 ab#cd"), b"ab");
}

#[test]
fn only_named_addresses_may_use_a_key() {
    let (table, problems) = KeyTable::parse(
        "1 MD5 key 10.0.0.0/8,2001:db8::/33,192.0.2.1,0.0.0.0/0 more\n2 MD5 key ::/0",
    );
    assert_eq!(problems, []);
    let allows = |id, address: &str| {
        table
            .lookup(KeyId::new(id))
            .unwrap()
            .allows(address.parse().unwrap())
    };
    assert!(allows(1, "10.255.0.1") && allows(1, "::ffff:10.255.0.1"));
    assert!(allows(1, "2001:db8:7fff::1") && !allows(1, "2001:db8:8000::1"));
    assert!(allows(1, "11.0.0.0"), "0.0.0.0/0 is all of IPv4");
    assert!(allows(2, "2001::1") && !allows(2, "10.0.0.1"));
    let written: Vec<_> = table.lookup(KeyId::new(1)).unwrap().addresses()[..3]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(written, ["10.0.0.0/8", "2001:db8::/33", "192.0.2.1"]);
}

#[test]
fn secrets_are_not_shown() {
    let (table, _) = KeyTable::parse("7 MD5 horse");
    let shown = format!("{table:?}");
    assert!(shown.contains("Md5") && !shown.contains("horse") && !shown.contains("104"));
}

proptest! {
    #[test]
    fn any_text_is_read(text in "\\PC*") {
        KeyTable::parse(&text);
    }

    #[test]
    fn any_changed_bit_is_seen(
        message in proptest::collection::vec(any::<u8>(), 0..200),
        key in proptest::collection::vec(any::<u8>(), 1..40),
        algorithm in 0..=DigestAlgorithm::ALL.len(),
        bit in 0..160_usize,
    ) {
        let algorithm = DigestAlgorithm::ALL
            .get(algorithm)
            .map_or(KeyAlgorithm::Aes128Cmac, |digest| KeyAlgorithm::Digest(*digest));
        let key = SymmetricKey::new(algorithm, &key).unwrap();
        let mut mac = key.mac(&message, &mut MacBuffer::new()).to_vec();
        prop_assert!(key.verify(&message, &mac));
        prop_assert!(!key.verify(&message, &mac[1..]));
        let bit = bit % (mac.len() * 8);
        mac[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!key.verify(&message, &mac));
    }
}

fn secret_of(key: &SymmetricKey) -> &[u8] {
    match &key.material {
        Material::Secret(_, secret) => secret,
        Material::Cmac(_) => panic!("only its schedule is kept"),
    }
}
