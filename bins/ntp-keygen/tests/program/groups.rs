//! GQ and MV groups, and private certificates.

use std::fs;

use ntp_keys::{CertificateTrust, KeyFile};
use tempfile::TempDir;

use crate::directory::{everything, keygen, names, open};

fn parse(text: &str) -> KeyFile {
    KeyFile::parse(text).unwrap()
}

#[test]
fn a_gq_group_and_its_key_in_every_certificate_after_it() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let run = keygen(at, "-s server -T -G -p redhat -m 512");
    assert_eq!(run.code, Some(0), "{run:?}");
    let group = open(&at.join("ntpkey_gqkey_server"))
        .gq_group("redhat")
        .unwrap();
    assert_eq!(group.n().bits(), 512);
    let v = group.v().unwrap().to_bytes_be();
    let certified = || {
        let certificate = open(&at.join("ntpkey_cert_server")).certificate().unwrap();
        certificate.group_key().map(<[u8]>::to_vec)
    };
    assert_eq!(certified().as_ref(), Some(&v));
    // Without -G the group is kept, and the new certificate has its key too.
    assert_eq!(keygen(at, "-s server -p redhat").code, Some(0));
    assert_eq!(certified().as_ref(), Some(&v));
    let before = everything(at);
    let run = keygen(at, "-s server -e -p redhat");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("# ntpkey_gqpar_server."), "{run:?}");
    let exported = parse(&run.stdout).gq_group("").unwrap();
    assert_eq!(exported, group.without_secret());
    assert_eq!(everything(at), before);
}

#[test]
fn an_mv_group_has_keys_for_each_client() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    let run = keygen(at, "-s server -T -V 3 -p redhat -m 512");
    assert_eq!(run.code, Some(0), "{run:?}");
    let authority = open(&at.join("ntpkey_mvta_server"));
    assert!(authority.is_encrypted());
    assert_eq!(authority.mv_clients(), 3);
    let server = open(&at.join("ntpkey_mvkey_server"))
        .mv_server("redhat")
        .unwrap();
    assert_eq!(authority.mv_server("redhat").unwrap(), server);
    for (options, number) in [("-e", 1), ("-e -v 1", 1), ("-e -v 2", 2), ("-e -v 3", 3)] {
        let run = keygen(at, &format!("-s server {options} -p redhat"));
        assert_eq!(run.code, Some(0), "{options}: {run:?}");
        let client = parse(&run.stdout).mv_client("", 1).unwrap();
        assert_eq!(authority.mv_client("redhat", number).unwrap(), client);
        assert_eq!(run.stderr.contains("is revoked"), number == 3, "{run:?}");
    }
    let run = keygen(at, "-s server -e -v 4 -p redhat");
    assert_eq!(run.code, Some(255));
    assert!(
        run.stdout.is_empty() && run.stderr.contains("there is no number 4"),
        "{run:?}"
    );
}

#[test]
fn of_several_groups_the_one_that_is_named_is_exported() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    assert_eq!(
        keygen(at, "-s server -T -I -G -V 2 -p redhat -m 512").code,
        Some(0)
    );
    for (options, start) in [
        ("-e", "# ntpkey_iffpar_server."),
        ("-e -G", "# ntpkey_gqpar_server."),
        ("-e -v 1", "# ntpkey_mvpar_server."),
    ] {
        let run = keygen(at, &format!("-s server {options} -p redhat"));
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stdout.starts_with(start), "{options}: {run:?}");
    }
    let run = keygen(at, "-s server -e -G -v 1 -p redhat");
    assert_eq!((run.code, run.stdout.as_str()), (Some(255), ""));
    let run = keygen(at, "-s server -e -p wrong");
    assert_eq!((run.code, run.stdout.as_str()), (Some(255), ""));
}

#[test]
fn an_mv_file_whose_numbers_were_lost_is_no_hindrance() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    assert_eq!(keygen(at, "-s server -T -p redhat -m 512").code, Some(0));
    let lost = include_str!("../../../../crates/ntp-keys/tests/vectors/reference-mvta");
    fs::write(at.join("ntpkey_mvta_server"), lost).unwrap();
    let run = keygen(at, "-s server -p redhat");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("-V makes a new one"), "{run:?}");
    let run = keygen(at, "-s server -e -p redhat");
    assert_eq!((run.code, run.stdout.as_str()), (Some(255), ""), "{run:?}");
}

#[test]
fn a_private_certificate_is_kept_private() {
    let directory = TempDir::new().unwrap();
    let at = directory.path();
    assert_eq!(keygen(at, "-s server -P -p redhat -m 512").code, Some(0));
    for _ in 0..2 {
        let certificate = open(&at.join("ntpkey_cert_server")).certificate().unwrap();
        assert_eq!(certificate.trust(), CertificateTrust::Private);
        assert_eq!(keygen(at, "-s server -p redhat").code, Some(0));
    }
    assert!(names(at).iter().all(|name| !name.contains("iff")));
}
