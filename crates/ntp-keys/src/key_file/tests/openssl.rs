//! One key in every form that OpenSSL writes; `tests/vectors/openssl/README.md` says how.

use super::*;

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../../tests/vectors/openssl/", $name)))),+]
    };
}

#[test]
fn every_form_is_the_same_key() {
    let expected = KeyFile::parse(HOST).unwrap().private_key("redhat").unwrap();
    for (name, text) in files![
        "traditional-plain",
        "traditional-des",
        "traditional-des3",
        "traditional-aes128",
        "traditional-aes192",
        "traditional-aes256",
        "pkcs8-plain",
        "pbes1-pbe-md5-des",
        "pbes1-pbe-sha1-des",
        "pbes1-pbe-sha1-2des",
        "pbes1-pbe-sha1-3des",
        "pbes2-des-cbc",
        "pbes2-des-ede3-cbc",
        "pbes2-aes-128-cbc",
        "pbes2-aes-192-cbc",
        "pbes2-aes-256-cbc",
        "pbes2-hmacwithsha1",
        "pbes2-hmacwithsha224",
        "pbes2-hmacwithsha384",
        "pbes2-hmacwithsha512",
        "pbes2-scrypt",
    ] {
        let file = KeyFile::parse(text).unwrap();
        assert_eq!(file.private_key("geheim").as_ref(), Ok(&expected), "{name}");
        assert_eq!(file.is_encrypted(), !name.ends_with("plain"), "{name}");
        if file.is_encrypted() {
            for password in ["", "Geheim", "geheim ", "geheimgeheim"] {
                assert_eq!(
                    file.private_key(password),
                    Err(KeyFileError::WrongPassword),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn ciphers_that_are_not_here_are_named() {
    let [(_, text)] = files!["pbes1-pbe-sha1-rc2-40"];
    let error = KeyFile::parse(text).unwrap().private_key("geheim");
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("the scheme 1.2.840.113549.1.12.1.6"),
        "{text}"
    );
}

#[test]
fn no_file_makes_its_reader_work_for_minutes() {
    // The count of rounds stands behind the salt: 2048 becomes 2^31 - 1 less a little.
    let (_, text) = files!["pbes1-pbe-md5-des"][0];
    let mut file = KeyFile::parse(text).unwrap();
    let body = &mut file.blocks[0].body;
    let at = body.windows(4).position(|octets| octets == [2, 2, 8, 0]);
    let at = at.unwrap();
    body.splice(at..at + 4, [2, 4, 0x7f, 0xff, 0xff, 0]);
    // The lengths of the three sequences around it.
    for length in [at - 11, at - 24] {
        body[length] += 2;
    }
    let total = u16::from_be_bytes([body[2], body[3]]) + 2;
    body[2..4].copy_from_slice(&total.to_be_bytes());
    let error = file.private_key("geheim").unwrap_err();
    assert!(
        matches!(&error, KeyFileError::UnknownCipher(what) if what.contains("rounds")),
        "{error}"
    );
}

#[test]
fn keys_and_certificates_may_stand_in_one_file() {
    let (_, key) = files!["pbes1-pbe-sha1-3des"][0];
    let expected = KeyFile::parse(key).unwrap().private_key("geheim");
    let blocks = |text: &str| {
        let from = text.find("-----BEGIN").unwrap();
        text[from..].to_owned()
    };
    for text in [
        format!("{CERTIFICATE}\n{}", blocks(key)),
        format!("{key}a word between\n{}", blocks(CERTIFICATE)),
    ] {
        let file = KeyFile::parse(&text).unwrap();
        assert_eq!(file.private_key("geheim"), expected);
        assert_eq!(file.certificate().unwrap().subject(), "server");
        assert!(file.is_encrypted());
    }
    // The kind of what is there is told.
    let error = KeyFile::parse(CERTIFICATE).unwrap().private_key("geheim");
    let found = "CERTIFICATE".into();
    let wanted = "private key";
    assert_eq!(error, Err(KeyFileError::WrongKind { wanted, found }));
}
