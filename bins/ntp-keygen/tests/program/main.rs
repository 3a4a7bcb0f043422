//! The program itself, in directories of its own.

// Whatever goes wrong, the test shall fail.
#![allow(clippy::unwrap_used)]

mod directory;
mod export;
mod groups;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio, thread, time::Duration};

use ntp_keys::{CertificateTrust, KeyTable, SignatureScheme};

use crate::directory::{command, keygen, names, open, server, target};

#[test]
fn a_server_gets_files_and_links() {
    let directory = server();
    let filestamp = open(&directory.path().join("ntpkey_host_server")).filestamp();
    let files = [
        (
            "ntpkey_iffkey_server",
            format!("ntpkey_IFFkey_server.{filestamp}"),
            0o600,
        ),
        (
            "ntpkey_cert_server",
            format!("ntpkey_RSA-SHA256cert_server.{filestamp}"),
            0o644,
        ),
        (
            "ntpkey_host_server",
            format!("ntpkey_RSAhost_server.{filestamp}"),
            0o600,
        ),
    ];
    assert_eq!(names(directory.path()).len(), 2 * files.len());
    for (link, name, mode) in files {
        assert_eq!(target(&directory, link), Path::new(&name));
        let path = directory.path().join(&name);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode,
            "{name}"
        );
        let text = fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next().unwrap(), format!("# {name}"));
        // As in `# Mon Nov 23 02:19:55 2026`
        assert_eq!(lines.next().unwrap().len(), 26);
        assert_eq!(lines.next().unwrap(), "");
        assert!(lines.next().unwrap().starts_with("-----BEGIN "));
    }
    let open = |link: &str| open(&directory.path().join(link));
    let key = open("ntpkey_host_server").private_key("redhat").unwrap();
    assert_eq!(key.bits(), 2048);
    assert!(open("ntpkey_host_server").private_key("linux").is_err());
    assert!(open("ntpkey_iffkey_server").is_encrypted());
    let group = open("ntpkey_iffkey_server").iff_group("redhat").unwrap();
    assert!(group.secret().is_some());
    let certificate = open("ntpkey_cert_server").certificate().unwrap();
    assert_eq!(
        (certificate.subject(), certificate.issuer()),
        ("server", "server")
    );
    assert_eq!(certificate.trust(), CertificateTrust::Trusted);
    assert_eq!(certificate.scheme(), SignatureScheme::RsaSha256);
    assert_eq!(certificate.serial(), filestamp.to_be_bytes());
    assert_eq!(certificate.public_key(), key.public());
    certificate.verify(key.public()).unwrap();
    let lifetime = certificate.not_after() - certificate.not_before();
    assert_eq!(lifetime.whole_seconds(), 365 * 86_400);
    assert_eq!(certificate.not_before().to_wire().seconds(), filestamp);
}

#[test]
fn the_next_run_keeps_keys_trust_and_scheme() {
    let directory = server();
    let [host, group, old] = [
        "ntpkey_host_server",
        "ntpkey_iffkey_server",
        "ntpkey_cert_server",
    ]
    .map(|link| target(&directory, link));
    let run = keygen(directory.path(), "-p redhat -s server -l 10 -m 1024");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.says(&format!("Using host key {}", host.display())));
    assert!(run.says(&format!("Using IFF keys {}", group.display())));
    assert!(run.says("-H with -m makes a new one"), "{run:?}");
    assert_eq!(target(&directory, "ntpkey_host_server"), host);
    assert_eq!(target(&directory, "ntpkey_iffkey_server"), group);
    let new = target(&directory, "ntpkey_cert_server");
    assert_ne!(new, old);
    assert!(directory.path().join(old).exists());
    let certificate = open(&directory.path().join(new)).certificate().unwrap();
    assert_eq!(certificate.trust(), CertificateTrust::Trusted);
    let lifetime = certificate.not_after() - certificate.not_before();
    assert_eq!(lifetime.whole_seconds(), 10 * 86_400);

    // Another scheme stays too, once it was chosen; so does a group.
    let run = keygen(
        directory.path(),
        "-p redhat -s server -i lab -c RSA-SHA1 -P",
    );
    assert!(run.says("signatures of RSA-SHA1 can be forged"), "{run:?}");
    let run = keygen(directory.path(), "-p redhat -s server");
    assert!(run.says("Using host server group lab"), "{run:?}");
    let certificate = open(&directory.path().join("ntpkey_cert_server"))
        .certificate()
        .unwrap();
    assert_eq!(certificate.scheme(), SignatureScheme::RsaSha1);
    assert_eq!(certificate.trust(), CertificateTrust::Private);
    assert_eq!(certificate.subject(), "server@lab");
}

#[test]
fn a_dsa_key_signs_until_another_one_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let schemes = [
        ("-T -S DSA -m 512", SignatureScheme::DsaSha1),
        ("-l 300", SignatureScheme::DsaSha1),
        ("-c DSA-SHA", SignatureScheme::DsaSha),
        ("-S RSA -m 1024", SignatureScheme::RsaSha256),
    ];
    for (line, scheme) in schemes {
        let run = keygen(directory.path(), &format!("{line} -p redhat -s server"));
        assert_eq!(run.code, Some(0), "{run:?}");
        let file = |link: &str| open(&directory.path().join(link));
        let certificate = file("ntpkey_cert_server").certificate().unwrap();
        let signer = file("ntpkey_sign_server").sign_key("redhat").unwrap();
        assert_eq!(certificate.scheme(), scheme);
        assert_eq!(certificate.public_key(), signer.public());
        certificate.verify(signer.public()).unwrap();
        file("ntpkey_host_server").private_key("redhat").unwrap();
    }
    let before = target(&directory, "ntpkey_cert_server");
    let run = keygen(directory.path(), "-c DSA-SHA1 -p redhat -s server");
    assert_eq!(run.code, Some(255), "{run:?}");
    assert_eq!(target(&directory, "ntpkey_cert_server"), before);
}

#[test]
fn new_keys_are_made_where_asked_for() {
    let directory = server();
    let [host, group] =
        ["ntpkey_host_server", "ntpkey_iffkey_server"].map(|l| target(&directory, l));
    let run = keygen(directory.path(), "-H -I -S RSA -m 1024 -p redhat -s server");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.says("RSA of 1024 bits can be broken"), "{run:?}");
    assert_ne!(target(&directory, "ntpkey_host_server"), host);
    assert_ne!(target(&directory, "ntpkey_iffkey_server"), group);
    assert!(directory.path().join(host).exists() && directory.path().join(group).exists());
    let file = |link: &str| open(&directory.path().join(link));
    let signer = file("ntpkey_sign_server").private_key("redhat").unwrap();
    assert!(
        file("ntpkey_sign_server")
            .name()
            .starts_with("ntpkey_RSAsign_server.")
    );
    let certificate = file("ntpkey_cert_server").certificate().unwrap();
    assert_eq!(certificate.public_key(), signer.public());
    let run = keygen(directory.path(), "-p redhat -s server");
    assert!(run.says("Using sign key ntpkey_RSAsign_server."), "{run:?}");
}

#[test]
fn the_keys_of_2008_can_be_made() {
    let directory = tempfile::tempdir().unwrap();
    let run = keygen(
        directory.path(),
        "-T -I -m 512 -c RSA-MD5 -C des-ede3-cbc -p pw -s host1@grp1",
    );
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.says("RSA of 512 bits can be broken") && run.says("RSA-MD5 can be forged"));
    assert!(run.says("Using host host1 group grp1"));
    assert!(run.says("Generating new certificate host1@grp1 RSA-MD5"));
    let filestamp = open(&directory.path().join("ntpkey_host_host1")).filestamp();
    for (link, name) in [
        ("ntpkey_cert_host1", "ntpkey_RSA-MD5cert_host1"),
        ("ntpkey_host_host1", "ntpkey_RSAhost_host1"),
        ("ntpkey_iffkey_host1", "ntpkey_IFFkey_grp1"),
    ] {
        assert_eq!(
            target(&directory, link),
            Path::new(&format!("{name}.{filestamp}"))
        );
    }
    let text = fs::read_to_string(directory.path().join("ntpkey_iffkey_host1")).unwrap();
    assert!(text.contains("DEK-Info: DES-EDE3-CBC"));
    let run = keygen(directory.path(), "-e -p pw -s host1");
    assert!(
        run.stdout
            .starts_with(&format!("# ntpkey_iffpar_grp1.{filestamp}\n")),
        "{run:?}"
    );
    let run = keygen(directory.path(), "-e -p pw -s host1 -i other");
    assert!(
        run.code == Some(255) && run.says("no such group of other"),
        "{run:?}"
    );
}

#[test]
fn the_host_name_is_the_password_where_none_is_given() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(keygen(directory.path(), "-m 512 -s client").code, Some(0));
    let file = open(&directory.path().join("ntpkey_host_client"));
    assert!(file.private_key("client").is_ok());
    let certificate = open(&directory.path().join("ntpkey_cert_client"))
        .certificate()
        .unwrap();
    assert_eq!(certificate.trust(), CertificateTrust::Ordinary);
}

#[test]
fn symmetric_keys_are_made() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("ntp.keys"), "1 M mine\n").unwrap();
    let run = keygen(directory.path(), "-M -s server");
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = fs::read_to_string(directory.path().join("ntp.keys")).unwrap();
    let name = target(&directory, "ntp.keys");
    assert_eq!(
        text.lines().next().unwrap(),
        format!("# {}", name.display())
    );
    let mode = fs::metadata(directory.path().join(&name))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let (table, problems) = KeyTable::parse(&text);
    assert!(problems.is_empty() && table.len() == 20, "{problems:?}");
    // What stood there is kept.
    let saved = fs::read_to_string(directory.path().join("ntp.keys.saved-1")).unwrap();
    assert_eq!(saved, "1 M mine\n");
}

/// Killed at any moment: what the links name is whole, and the next run works.
#[test]
fn a_killed_run_leaves_whole_files() {
    let directory = server();
    for delay in 0..30 {
        let mut child = command(directory.path(), "-H -m 512 -p redhat -s server")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        for name in names(directory.path())
            .iter()
            .filter(|name| name.starts_with("ntpkey_"))
        {
            let file = open(&directory.path().join(name));
            if file.name().contains("cert") {
                file.certificate().unwrap();
            } else if file.name().contains("RSAhost") {
                file.private_key("redhat").unwrap();
            }
        }
    }
    assert_eq!(
        keygen(directory.path(), "-p redhat -s server").code,
        Some(0)
    );
    let file = |link: &str| open(&directory.path().join(link));
    let key = file("ntpkey_host_server").private_key("redhat").unwrap();
    let certificate = file("ntpkey_cert_server").certificate().unwrap();
    certificate.verify(key.public()).unwrap();
}

/// Each in its turn, so no file takes the name of another and key and certificate fit.
#[test]
fn runs_at_once_do_not_mix() {
    const RUNS: usize = 3;
    let directory = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..RUNS)
        .map(|_| {
            command(directory.path(), "-H -I -m 512 -p pw -s server")
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(names(directory.path()).len(), 3 * RUNS + 3);
    let file = |link: &str| open(&directory.path().join(link));
    let key = file("ntpkey_host_server").private_key("pw").unwrap();
    let certificate = file("ntpkey_cert_server").certificate().unwrap();
    assert_eq!(certificate.public_key(), key.public());
}

#[test]
fn help_and_version_are_told() {
    let directory = tempfile::tempdir().unwrap();
    for line in ["-?", "--help", "--version"] {
        let run = keygen(directory.path(), line);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stdout.contains("Meridian") || run.stdout.contains("--trusted-cert"));
    }
    assert!(names(directory.path()).is_empty());
}
