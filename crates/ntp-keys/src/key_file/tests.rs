use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;

mod openssl;

const HOST: &str = include_str!("../../tests/vectors/reference-host");
const CERTIFICATE: &str = include_str!("../../tests/vectors/reference-cert");
const IFF_KEY: &str = include_str!("../../tests/vectors/reference-iffkey");
const IFF_PARAMETERS: &str = include_str!("../../tests/vectors/reference-iffpar-traditional");
const EXPORT: &str = include_str!("../../tests/vectors/reference-export");

fn random() -> ChaCha12Rng {
    ChaCha12Rng::from_seed([5; 32])
}

#[test]
fn the_references_files_are_read() {
    let host = KeyFile::parse(HOST).unwrap();
    assert_eq!(host.name(), "ntpkey_RSAhost_server.4004389195");
    assert_eq!(host.filestamp(), 4_004_389_195);
    assert!(host.is_encrypted());
    let key = host.private_key("redhat").unwrap();
    assert_eq!(key.bits(), 512);
    let certificate = KeyFile::parse(CERTIFICATE).unwrap().certificate().unwrap();
    assert_eq!(certificate.subject(), "server");
    assert!(certificate.is_trusted());
    assert_eq!(certificate.public_key(), key.public());
    certificate.verify(key.public()).unwrap();
}

#[test]
fn every_cipher_of_the_reference_is_read() {
    for text in [
        include_str!("../../tests/vectors/reference-host-aes-128-cbc"),
        include_str!("../../tests/vectors/reference-host-aes-256-cbc"),
        include_str!("../../tests/vectors/reference-host-des-ede3-cbc"),
    ] {
        assert_eq!(
            KeyFile::parse(text)
                .unwrap()
                .private_key("pw")
                .unwrap()
                .bits(),
            512
        );
    }
}

#[test]
fn the_servers_half_gives_the_clients_half_that_was_lost() {
    // The reference's key is PKCS#8, where v is lost; it follows from the secret.
    let server = KeyFile::parse(IFF_KEY)
        .unwrap()
        .iff_group("redhat")
        .unwrap();
    let client = KeyFile::parse(IFF_PARAMETERS)
        .unwrap()
        .iff_group("")
        .unwrap();
    assert!(client.secret().is_none());
    assert_eq!(server.without_secret(), client);
}

#[test]
fn the_references_export_is_refused_with_its_remedy() {
    let error = KeyFile::parse(EXPORT).unwrap().iff_group("").unwrap_err();
    assert_eq!(error, KeyFileError::Group(GroupError::PublicValueLost));
    assert!(
        error.to_string().contains("export the parameters again"),
        "{error}"
    );
}

#[test]
fn wrong_passwords_are_told() {
    let host = KeyFile::parse(HOST).unwrap();
    assert_eq!(
        host.private_key("linux").unwrap_err(),
        KeyFileError::WrongPassword
    );
    assert_eq!(
        host.private_key("").unwrap_err(),
        KeyFileError::WrongPassword
    );
    let group = KeyFile::parse(IFF_KEY)
        .unwrap()
        .iff_group("redhat")
        .unwrap();
    for cipher in [Cipher::Aes128, Cipher::Aes256, Cipher::TripleDes] {
        let protection = Protection {
            password: "linux",
            cipher,
        };
        let text = write_iff_group(
            "ntpkey_x.1",
            "now",
            &group,
            Some(&protection),
            &mut random(),
        )
        .unwrap();
        let file = KeyFile::parse(&text).unwrap();
        assert!(file.is_encrypted());
        for password in ["", "redhat", "linux ", "LINUX"] {
            assert_eq!(
                file.iff_group(password).unwrap_err(),
                KeyFileError::WrongPassword
            );
        }
        assert_eq!(file.iff_group("linux").unwrap(), group);
    }
}

#[test]
fn private_keys_survive_the_way_there_and_back() {
    let key = PrivateKey::generate(512, &mut random()).unwrap();
    for cipher in [
        None,
        Some(Cipher::Aes128),
        Some(Cipher::Aes256),
        Some(Cipher::TripleDes),
    ] {
        let protection = cipher.map(|cipher| Protection {
            password: "geheim",
            cipher,
        });
        let name = "ntpkey_RSAhost_x.4004389195";
        let text =
            write_private_key(name, "now", &key, protection.as_ref(), &mut random()).unwrap();
        assert!(text.starts_with("# ntpkey_RSAhost_x.4004389195\n# now\n\n-----BEGIN "));
        let file = KeyFile::parse(&text).unwrap();
        assert_eq!(file.is_encrypted(), cipher.is_some());
        assert_eq!(file.private_key("geheim").unwrap(), key);
    }
}

#[test]
fn exported_parameters_hold_no_secret() {
    let group = KeyFile::parse(IFF_KEY)
        .unwrap()
        .iff_group("redhat")
        .unwrap();
    let text = write_iff_group(
        "ntpkey_x.1",
        "now",
        &group.without_secret(),
        None,
        &mut random(),
    )
    .unwrap();
    let read = KeyFile::parse(&text).unwrap().iff_group("").unwrap();
    assert_eq!(read.secret(), None);
    // Octet for octet what was proven to verify at the reference.
    let proven = KeyFile::parse(IFF_PARAMETERS).unwrap();
    assert_eq!(KeyFile::parse(&text).unwrap().blocks, proven.blocks);
}

#[test]
fn other_files_are_refused() {
    assert_eq!(KeyFile::parse("").unwrap_err(), KeyFileError::NoFilestamp);
    assert_eq!(
        KeyFile::parse("# ntpkey_host\n").unwrap_err(),
        KeyFileError::NoFilestamp
    );
    assert_eq!(
        KeyFile::parse("# ntpkey_host.12\n").unwrap_err(),
        KeyFileError::Empty
    );
    let certificate = KeyFile::parse(CERTIFICATE).unwrap();
    assert!(matches!(
        certificate.private_key("x"),
        Err(KeyFileError::WrongKind { .. })
    ));
    let host = KeyFile::parse(HOST).unwrap();
    assert!(matches!(
        host.certificate(),
        Err(KeyFileError::WrongKind { .. })
    ));
    assert!(matches!(
        host.iff_group("redhat"),
        Err(KeyFileError::WrongKind { .. })
    ));
}

#[test]
fn gq_groups_are_read_wherever_the_exponent_stands() {
    let open = |text| KeyFile::parse(text).unwrap().gq_group("redhat").unwrap();
    // The same group: as the reference wrote it, and as its server reads it.
    let stock = open(include_str!("../../tests/vectors/reference-gqkey"));
    let rewritten = open(include_str!("../../tests/vectors/gqkey-for-reference"));
    assert!(stock.secret().is_some());
    assert_eq!(stock, rewritten);
    let client = open(include_str!("../../tests/vectors/reference-gqpar"));
    assert_eq!(client, stock.without_secret());
}

#[test]
fn mv_keys_are_read_unless_their_public_values_were_lost() {
    let open = |text| KeyFile::parse(text).unwrap();
    let server = open(include_str!("../../tests/vectors/mvkey-traditional"));
    let server = server.mv_server("").unwrap();
    let client = open(include_str!("../../tests/vectors/mvpar-traditional"));
    assert_eq!(client.mv_clients(), 1);
    assert_eq!(client.mv_client("", 1).unwrap().p(), server.p());
    let lost = Err(KeyFileError::Group(GroupError::PublicValueLost));
    let authority = open(include_str!("../../tests/vectors/reference-mvta"));
    assert_eq!(authority.mv_clients(), 3);
    assert_eq!(authority.mv_server("redhat").map(|_| ()), lost);
    for number in 1..=3 {
        assert_eq!(authority.mv_client("redhat", number).map(|_| ()), lost);
    }
    let export = open(include_str!("../../tests/vectors/reference-mvpar"));
    assert_eq!(export.mv_client("", 1).map(|_| ()), lost);
}

#[test]
fn groups_survive_the_way_there_and_back() {
    let protection = |cipher| Protection {
        password: "linux",
        cipher,
    };
    let gq = GqGroup::generate(512, &mut random()).unwrap();
    let mv = crate::MvKeys::generate(3, 512, &mut random()).unwrap();
    for cipher in [None, Some(Cipher::Aes128), Some(Cipher::TripleDes)] {
        let protection = cipher.map(protection);
        let protection = protection.as_ref();
        for group in [&gq, &gq.without_secret()] {
            let text = write_gq_group("x.1", "now", group, protection, &mut random()).unwrap();
            assert_eq!(
                &KeyFile::parse(&text).unwrap().gq_group("linux").unwrap(),
                group
            );
        }
        let text = write_mv_keys("x.1", "now", &mv, protection, &mut random()).unwrap();
        let whole = KeyFile::parse(&text).unwrap();
        assert_eq!(whole.mv_server("linux").unwrap(), mv.server);
        for (number, client) in (1..).zip(&mv.clients) {
            assert_eq!(&whole.mv_client("linux", number).unwrap(), client);
            let text = write_mv_client("x.1", "now", client, protection, &mut random()).unwrap();
            let alone = KeyFile::parse(&text).unwrap();
            assert_eq!(&alone.mv_client("linux", 1).unwrap(), client);
        }
        for number in [0, 4, usize::MAX] {
            let error = whole.mv_client("linux", number).unwrap_err();
            assert_eq!(error, KeyFileError::NoSuchClient { number, clients: 3 });
        }
        let text = write_mv_server("x.1", "now", &mv.server, protection, &mut random()).unwrap();
        assert_eq!(
            KeyFile::parse(&text).unwrap().mv_server("linux").unwrap(),
            mv.server
        );
    }
}

#[test]
fn one_kind_of_group_is_not_taken_for_another() {
    let mv = crate::MvKeys::generate(2, 512, &mut random()).unwrap();
    let text = write_mv_keys("x.1", "now", &mv, None, &mut random()).unwrap();
    let file = KeyFile::parse(&text).unwrap();
    assert!(file.gq_group("").is_err());
    let iff = KeyFile::parse(IFF_KEY).unwrap();
    assert!(iff.mv_server("redhat").is_err());
    assert!(iff.mv_client("redhat", 1).is_err());
    let host = KeyFile::parse(HOST).unwrap();
    assert!(host.gq_group("redhat").is_err());
}

#[test]
fn a_wrong_password_is_told_even_if_it_seems_to_decrypt() {
    // One in 256 leaves right padding behind, and nonsense before it.
    let group = KeyFile::parse(IFF_PARAMETERS).unwrap();
    let group = group.iff_group("").unwrap();
    let protection = Protection {
        password: "linux",
        cipher: Cipher::TripleDes,
    };
    let text = write_iff_group("x.1", "now", &group, Some(&protection), &mut random()).unwrap();
    let file = KeyFile::parse(&text).unwrap();
    for number in 0..2000 {
        let error = file.iff_group(&number.to_string()).unwrap_err();
        assert_eq!(error, KeyFileError::WrongPassword, "{number}");
    }
}

#[test]
fn a_file_that_would_take_minutes_to_open_is_refused_at_once() {
    use der::{Encode, asn1::OctetStringRef};
    use pkcs8::{EncryptedPrivateKeyInfoRef, pkcs5::pbes2};
    let kdf = pbes2::Pbkdf2Params::hmac_sha256(5_000_001, &[1; 16]).unwrap();
    let parameters = pbes2::Parameters {
        kdf: pbes2::Kdf::Pbkdf2(kdf),
        encryption: pbes2::EncryptionScheme::Aes256Cbc { iv: [2; 16] },
    };
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetStringRef::new(&[3; 32]).unwrap(),
    };
    let block = PemBlock {
        label: "ENCRYPTED PRIVATE KEY".into(),
        encryption: None,
        body: zeroize::Zeroizing::new(info.to_der().unwrap()),
    };
    let mut text = String::from("# x.1\n");
    block.write(&mut text);
    let error = KeyFile::parse(&text).unwrap().private_key("x").unwrap_err();
    assert!(matches!(error, KeyFileError::UnknownCipher(_)), "{error}");
}

#[test]
fn numbers_of_gq_that_do_not_belong_together_are_refused() {
    use der::{Encode, asn1::UintRef};
    let group = GqGroup::generate(512, &mut random()).unwrap();
    let write = |v: &[u8]| {
        let (n, b) = (group.n().to_bytes_be(), group.b().to_bytes_be());
        let uint = |octets| UintRef::new(octets).unwrap();
        let one = uint(&[1]);
        let key = rsa::pkcs1::RsaPrivateKey {
            modulus: uint(&n),
            public_exponent: uint(&b),
            private_exponent: uint(&b),
            prime1: uint(group.secret().unwrap().as_be_bytes()),
            prime2: uint(v),
            exponent1: one,
            exponent2: one,
            coefficient: one,
            other_prime_infos: None,
        };
        let block = PemBlock {
            label: "RSA PRIVATE KEY".into(),
            encryption: None,
            body: zeroize::Zeroizing::new(key.to_der().unwrap()),
        };
        let mut text = String::from("# x.1\n");
        block.write(&mut text);
        KeyFile::parse(&text).unwrap().gq_group("")
    };
    let v = group.v().unwrap();
    assert_eq!(write(&v.to_bytes_be()).unwrap(), group);
    let error = write(&(v - 1_u8).to_bytes_be()).unwrap_err();
    assert!(
        matches!(error, KeyFileError::Group(GroupError::Inconsistent(_))),
        "{error}"
    );
}

#[test]
fn a_servers_mv_keys_are_no_clients() {
    let server = KeyFile::parse(include_str!("../../tests/vectors/mvkey-traditional")).unwrap();
    let error = server.mv_client("", 1).unwrap_err();
    assert!(
        matches!(error, KeyFileError::Group(GroupError::Inconsistent(_))),
        "{error}"
    );
}

#[test]
fn lines_may_end_as_in_dos() {
    for text in [HOST, CERTIFICATE, IFF_KEY, IFF_PARAMETERS] {
        let (unix, dos) = (
            KeyFile::parse(text),
            KeyFile::parse(&text.replace('\n', "\r\n")),
        );
        let (unix, dos) = (unix.unwrap(), dos.unwrap());
        assert_eq!(
            (unix.name(), unix.filestamp()),
            (dos.name(), dos.filestamp())
        );
        assert_eq!(unix.blocks, dos.blocks);
    }
}

#[test]
fn dsa_keys_for_signatures_are_written_and_read() {
    let mut random = ChaCha12Rng::from_seed([3; 32]);
    let key = PrivateKey::generate_dsa(512, &mut random).unwrap();
    let name = "ntpkey_DSAsign_server.4004389195";
    for cipher in [Cipher::Aes128, Cipher::Aes256, Cipher::TripleDes] {
        let protection = Protection {
            password: "redhat",
            cipher,
        };
        let text = write_private_key(name, "now", &key, Some(&protection), &mut random).unwrap();
        let file = KeyFile::parse(&text).unwrap();
        assert!(file.is_encrypted());
        assert_eq!(file.sign_key("redhat"), Ok(key.clone()));
        assert_eq!(file.sign_key("linux"), Err(KeyFileError::WrongPassword));
        // A host key decrypts, which is beyond it.
        let refused = file.private_key("redhat").unwrap_err();
        assert!(matches!(refused, KeyFileError::WrongKind { .. }));
    }
    let rsa = PrivateKey::generate(512, &mut random).unwrap();
    let text = write_private_key(name, "now", &rsa, None, &mut random).unwrap();
    assert_eq!(KeyFile::parse(&text).unwrap().sign_key(""), Ok(rsa));
}
