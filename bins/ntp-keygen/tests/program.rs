//! The program itself, in directories of its own.

// Whatever goes wrong, the test shall fail.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use ntp_keys::{CertificateTrust, KeyFile, KeyTable, SignatureScheme};
use tempfile::TempDir;

/// What a run came to.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn says(&self, text: &str) -> bool {
        self.stderr.contains(text)
    }
}

fn command(directory: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntp-keygen"));
    command
        .args(line.split(' '))
        .current_dir(directory)
        .stdin(Stdio::null());
    command
}

fn keygen(directory: &Path, line: &str) -> Run {
    let output = command(directory, line).output().unwrap();
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A copy of the keys of one `-T -I -p redhat`.
fn server() -> TempDir {
    static KEYS: OnceLock<TempDir> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let directory = tempfile::tempdir().unwrap();
        let run = keygen(directory.path(), "-T -I -p redhat -s server");
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(run.stdout, "");
        directory
    });
    let copy = tempfile::tempdir().unwrap();
    for name in names(keys.path()) {
        let (from, to) = (keys.path().join(&name), copy.path().join(&name));
        match fs::read_link(&from) {
            Ok(target) => symlink(target, to).unwrap(),
            Err(_) => drop(fs::copy(from, to).unwrap()),
        }
    }
    copy
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn open(path: &Path) -> KeyFile {
    KeyFile::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

fn target(directory: &TempDir, link: &str) -> PathBuf {
    fs::read_link(directory.path().join(link)).unwrap()
}

/// All that is in a directory: names, what links lead to, what files hold.
fn everything(directory: &Path) -> Vec<(String, Option<PathBuf>, Vec<u8>)> {
    names(directory)
        .into_iter()
        .map(|name| {
            let path = directory.join(&name);
            let link = fs::read_link(&path).ok();
            (name, link, fs::read(path).unwrap_or_default())
        })
        .collect()
}

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
        run.code == Some(255) && run.says("no IFF key of other"),
        "{run:?}"
    );
}

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
        ("-G -p redhat", "GQ"),
        ("-S DSA -p redhat", "RSA"),
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
        run.code == Some(255) && run.says("no IFF key of elsewhere"),
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
