//! The octets that the reference makes, made again.

use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;
use crate::KeyFile;

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../tests/vectors/", $name))
    };
}

fn certificate(text: &str) -> Certificate {
    KeyFile::parse(text).unwrap().certificate().unwrap()
}

fn key(text: &str) -> PrivateKey {
    KeyFile::parse(text).unwrap().private_key("redhat").unwrap()
}

fn serial(certificate: &Certificate) -> u32 {
    u32::from_be_bytes(certificate.serial().try_into().unwrap())
}

#[test]
fn the_references_certificates_are_made_again_octet_for_octet() {
    let cases = [
        (vector!("reference-cert"), vector!("reference-host")),
        (
            vector!("certificates/private-cert"),
            vector!("certificates/private-host"),
        ),
        (
            vector!("certificates/group-cert"),
            vector!("certificates/group-host"),
        ),
        (
            vector!("certificates/gq-1016-cert"),
            vector!("certificates/gq-1016-host"),
        ),
        (
            vector!("certificates/gq-1024-cert"),
            vector!("certificates/gq-1024-host"),
        ),
        (
            vector!("certificates/rsa2048-sha256-cert"),
            vector!("certificates/rsa2048-sha256-host"),
        ),
    ];
    for (file, host) in cases {
        let (theirs, host) = (certificate(file), key(host));
        let request = CertificateRequest {
            subject: theirs.subject(),
            issuer: theirs.issuer(),
            serial: serial(&theirs),
            not_before: theirs.not_before(),
            not_after: theirs.not_after(),
            trust: theirs.trust(),
            public_key: host.public(),
            group_key: theirs.group_key(),
        };
        let ours = Certificate::issue(&request, &host, theirs.scheme()).unwrap();
        assert_eq!(ours.der(), theirs.der(), "{theirs:?}");
        assert_eq!(ours, theirs);
        theirs.verify(host.public()).unwrap();
    }
}

#[test]
fn what_certificates_say_is_read() {
    let trusted = certificate(vector!("reference-cert"));
    assert!(trusted.is_trusted() && trusted.is_self_issued() && !trusted.is_private());
    assert_eq!(trusted.scheme(), SignatureScheme::RsaMd5);
    let made = 4_004_389_196; // by `ntp-keygen -e`, a second after the key
    assert_eq!(i64::from(serial(&trusted)), made);
    assert_eq!(trusted.not_before().seconds(), made);
    assert_eq!(trusted.not_after().seconds(), made + 365 * 24 * 3600);
    assert!(trusted.is_valid_at(trusted.not_after()));
    assert!(!trusted.is_valid_at(Timestamp::UNIX_EPOCH));

    assert!(certificate(vector!("certificates/private-cert")).is_private());
    let group = certificate(vector!("certificates/group-cert"));
    assert_eq!(group.subject(), "server@grp");
    assert_eq!(trusted.group_key(), None);
    // One octet of length in front of it for 1016 bits, two for 1024.
    let lengths = [
        vector!("certificates/gq-1016-cert"),
        vector!("certificates/gq-1024-cert"),
    ]
    .map(|text| certificate(text).group_key().unwrap().len());
    assert_eq!(lengths, [127, 128]);
    let strong = certificate(vector!("certificates/rsa2048-sha256-cert"));
    assert_eq!(strong.public_key().bits(), 2048);
    assert_eq!(strong.scheme(), SignatureScheme::RsaSha256);
}

#[test]
fn the_references_answer_to_sign_is_made_again_octet_for_octet() {
    let server = key(vector!("reference-host"));
    let client = certificate(vector!("certificates/client-cert"));
    let theirs = certificate(vector!("certificates/signed-cert"));
    let terms = ReissueTerms {
        issuer: "server",
        serial: serial(&theirs),
        not_before: theirs.not_before(),
        not_after: theirs.not_after(),
    };
    let ours = client.reissue(&terms, &server, theirs.scheme()).unwrap();
    assert_eq!(ours.der(), theirs.der());
    assert_eq!((ours.subject(), ours.issuer()), ("client", "server"));
    assert_eq!(ours.public_key(), client.public_key());
    ours.verify(server.public()).unwrap();
    assert!(ours.verify(client.public_key()).is_err());
}

#[test]
fn an_altered_octet_is_noticed() {
    let theirs = certificate(vector!("reference-cert"));
    for index in 0..theirs.der().len() {
        let mut der = theirs.der().to_vec();
        der[index] ^= 1;
        if let Ok(altered) = Certificate::parse(&der) {
            assert!(
                altered.verify(theirs.public_key()).is_err(),
                "octet {index}"
            );
        }
    }
    for length in 0..theirs.der().len() {
        assert!(Certificate::parse(&theirs.der()[..length]).is_err());
    }
}

#[test]
fn times_beyond_2049_and_every_scheme_survive() {
    let mut random = ChaCha12Rng::from_seed([3; 32]);
    let key = PrivateKey::generate(768, &mut random).unwrap();
    for scheme in SignatureScheme::RSA {
        let request = CertificateRequest {
            subject: "höst@grp",
            issuer: "other",
            serial: 127,
            not_before: Timestamp::from_unix(2_524_607_999, 0),
            not_after: Timestamp::from_unix(2_524_608_000, 0),
            trust: CertificateTrust::Ordinary,
            public_key: key.public(),
            group_key: None,
        };
        let made = Certificate::issue(&request, &key, scheme).unwrap();
        let read = Certificate::parse(made.der()).unwrap();
        assert_eq!((read.subject(), read.issuer()), ("höst@grp", "other"));
        assert_eq!(read.not_before(), request.not_before);
        assert_eq!(read.not_after(), request.not_after);
        assert_eq!((read.serial(), read.scheme()), (&[127][..], scheme));
        assert!(!read.is_trusted() && !read.is_private() && !read.is_self_issued());
        read.verify(key.public()).unwrap();
    }
}

#[test]
fn names_that_cannot_be_are_refused() {
    let mut random = ChaCha12Rng::from_seed([4; 32]);
    let key = PrivateKey::generate(512, &mut random).unwrap();
    for subject in ["", &"x".repeat(256), "two\nlines"] {
        let request = CertificateRequest {
            subject,
            issuer: "issuer",
            serial: 1,
            not_before: Timestamp::from_unix(0, 0),
            not_after: Timestamp::from_unix(1, 0),
            trust: CertificateTrust::Ordinary,
            public_key: key.public(),
            group_key: None,
        };
        Certificate::issue(&request, &key, SignatureScheme::RsaMd5).unwrap_err();
    }
}
