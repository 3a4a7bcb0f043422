//! `-e`, and passwords.

use std::{fs, process::Stdio};

use ntp_keys::KeyFile;

use crate::directory::{command, everything, keygen, open, server, target};

/// Both dialects, and none: parameters only, with the filestamp of the key, and nothing changes.
#[test]
fn parameters_are_exported_in_either_dialect() {
    let directory = server();
    let key = open(&directory.path().join("ntpkey_iffkey_server"));
    let group = key.iff_group("redhat").unwrap();
    let before = everything(directory.path());
    for (line, name, password, said) in [
        (
            "-e -q redhat -p linux",
            "IFFpar",
            Some("linux"),
            "as in 2008",
        ),
        (
            "-e -p redhat -q linux",
            "iffpar",
            Some("linux"),
            "Taking -p",
        ),
        ("-e -p redhat", "iffpar", None, "not encrypted"),
        (
            "--id-key --export-passwd=redhat --password=linux -T",
            "IFFpar",
            Some("linux"),
            "no effect",
        ),
    ] {
        let run = keygen(directory.path(), &format!("{line} -s server"));
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.says(said), "{line}: {run:?}");
        let file = KeyFile::parse(&run.stdout).unwrap();
        assert_eq!(
            file.name(),
            format!("ntpkey_{name}_server.{}", key.filestamp())
        );
        assert_eq!(file.is_encrypted(), password.is_some(), "{line}");
        assert_eq!(run.stdout.matches("-----BEGIN").count(), 1, "{line}");
        let exported = file.iff_group(password.unwrap_or("any")).unwrap();
        assert_eq!(exported, group.without_secret());
        if password.is_some() {
            assert!(file.iff_group("redhat").is_err());
        }
    }
    assert_eq!(everything(directory.path()), before);
}

#[test]
fn a_wrong_password_changes_and_prints_nothing() {
    let directory = server();
    let before = everything(directory.path());
    for (line, said) in [
        (
            "-e -q one -p two",
            "ntpkey_iffkey_server: neither the password of -p nor that of -q",
        ),
        (
            "-e -p one",
            "ntpkey_iffkey_server: neither the password of -p nor the host name",
        ),
        ("-e", "ntpkey_iffkey_server: the host name does not open it"),
        ("-e -q redhat", "is none for export"),
        ("-p one", "ntpkey_host_server: neither"),
        ("-T", "ntpkey_host_server: the host name"),
        // A new host key beside an IFF key with another password would stop ntpd.
        ("-H -p one", "ntpkey_iffkey_server: neither"),
        ("-I -q redhat -p linux", "one password"),
        ("-m 256 -H -p redhat", "takes"),
        ("-G -p one", "ntpkey_host_server: neither"),
        ("-S DSA -c RSA-MD5 -p redhat", "RSA"),
    ] {
        let run = keygen(directory.path(), &format!("{line} -s server"));
        assert_eq!(run.code, Some(255), "{line}: {run:?}");
        assert_eq!(run.stdout, "", "{line}");
        assert!(run.says(said), "{line}: {run:?}");
        assert!(!run.says("redhat") && !run.says("linux"), "{line}: {run:?}");
    }
    assert_eq!(everything(directory.path()), before);
    let run = keygen(directory.path(), "-e -p redhat -s elsewhere");
    assert!(
        run.code == Some(255) && run.says("no such group of elsewhere"),
        "{run:?}"
    );
    assert_eq!(keygen(directory.path(), "-c RSA-MD2").code, Some(2));
}

/// The shell empties the file before the program can see it; at least it must not look well.
#[test]
fn an_export_onto_the_keys_themselves_is_refused() {
    let directory = server();
    let name = directory
        .path()
        .join(target(&directory, "ntpkey_iffkey_server"));
    let text = fs::read(&name).unwrap();
    let file = fs::OpenOptions::new().append(true).open(&name).unwrap();
    let status = command(directory.path(), "-e -p redhat -s server")
        .stdout(file)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(255));
    assert_eq!(fs::read(&name).unwrap(), text);
}

/// Keys of 2008 are under another name, and parameters of a client can be passed on.
#[test]
fn the_names_of_2008_are_found() {
    let directory = server();
    let from = |name: &str| directory.path().join(name);
    fs::rename(from("ntpkey_iffkey_server"), from("ntpkey_iff_server")).unwrap();
    let run = keygen(directory.path(), "-e -q redhat -p linux -s server");
    assert_eq!(run.code, Some(0), "{run:?}");
    fs::remove_file(from("ntpkey_iff_server")).unwrap();
    fs::write(from("ntpkey_iff_server"), &run.stdout).unwrap();
    let again = keygen(directory.path(), "-e -p linux -s server");
    let [first, second] = [(&run, "linux"), (&again, "")].map(|(run, password)| {
        KeyFile::parse(&run.stdout)
            .unwrap()
            .iff_group(password)
            .unwrap()
    });
    assert_eq!(first, second);
}
