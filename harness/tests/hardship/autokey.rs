//! A client that must not follow its server, and says why.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    time::Duration,
};

use meridian_harness::{Listed, Loopback, Program, free_port, value_of, wait_for};
use ntp_autokey::Stamp;
use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, KeyFile, SignatureScheme, write_certificate,
};
use ntp_wire::Timestamp;

use crate::{LOCAL_CLOCK, wait_for_time};

/// What the association has to say where the log names a file of ours.
const NO_IDENTITY: &str = "`autokey` without a `crypto` directive that could be carried out";

/// A server with a group, and a client that has its parameters.
struct Pair {
    server: Loopback,
    client: Loopback,
    client_password: &'static str,
}

impl Pair {
    fn new() -> Self {
        let port = free_port();
        let pair = Self {
            server: Loopback::new("server", 1, port),
            client: Loopback::new("client", 2, port),
            client_password: "linux",
        };
        pair.server.keygen("-T -I -p redhat");
        pair.client.keygen("-H -p linux");
        pair.take_parameters(&pair.server, |text| text);
        pair
    }

    /// Gives the client the parameters of `owner` under the server's name.
    fn take_parameters(&self, owner: &Loopback, change: impl FnOnce(String) -> String) {
        let exported = owner.keygen("-e -p redhat").stdout;
        self.write_client_key("ntpkey_iffpar_server", &change(exported), 0o600);
    }

    fn write_client_key(&self, name: &str, text: &str, mode: u32) {
        let path = self.client.keys().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn start(&self) -> (Program, Program) {
        let server = self.server.start(&format!(
            "{LOCAL_CLOCK}crypto host server pw redhat\nkeysdir keys\n"
        ));
        wait_for_time(&self.server, &server);
        let client = self.client.start(&format!(
            "server {} iburst minpoll 3 maxpoll 3 autokey\ncrypto host client pw {}\nkeysdir keys\n",
            self.server.address.ip(),
            self.client_password,
        ));
        (server, client)
    }

    /// The client does not follow the server, says each of `in_log` in its log and `in_ntpq` to
    /// those who ask; both go on.
    fn is_refused(&self, in_log: &[&str], in_ntpq: &str) {
        let (mut server, mut client) = self.start();
        let state = || {
            format!(
                "{}{}{}\nclient:\n{}\nserver:\n{}",
                self.client.ask("as"),
                self.client.ask("rv &1"),
                self.client.ask("rv &1 autherror"),
                client.log(),
                server.log()
            )
        };
        let listed = wait_for(
            Duration::from_secs(40),
            in_ntpq,
            || {
                let log = client.log();
                let listed = Listed::all(&self.client.ask("as")).into_iter().next()?;
                let text = self
                    .client
                    .ask(&format!("rv {} autherror", listed.association));
                let told = value_of(&text, "autherror")?.contains(in_ntpq)
                    && in_log.iter().all(|wanted| log.contains(wanted));
                told.then_some(listed)
            },
            state,
        );
        // A burst more must not change that.
        for _ in 0..10 {
            let all = Listed::all(&self.client.ask("as"));
            let now = all.first().expect("the association stays");
            assert_eq!(now.condition, "reject", "{}", state());
            assert_eq!(now.authentication, "bad", "{}", state());
            std::thread::sleep(Duration::from_millis(400));
        }
        let text = self
            .client
            .ask(&format!("rv {} flash,flags", listed.association));
        assert!(!text.contains("flash=00 ok"), "{text}");
        assert_eq!(
            value_of(&self.client.ask("rv 0 stratum"), "stratum").as_deref(),
            Some("16"),
            "{}",
            state()
        );
        assert!(!client.log().contains("panicked"), "{}", client.log());
        assert!(!server.log().contains("panicked"), "{}", server.log());
        assert_eq!((client.stop(), server.stop()), (0, 0));
    }
}

/// The others would be worth nothing if this failed.
#[test]
fn nothing_wrong() {
    let pair = Pair::new();
    let (_server, client) = pair.start();
    wait_for(
        Duration::from_secs(40),
        "the client to follow",
        || {
            Listed::all(&pair.client.ask("as"))
                .first()
                .filter(|listed| listed.is_followed() && listed.authentication == "ok")
                .map(|_| ())
        },
        || format!("{}{}", pair.client.ask("rv &1"), client.log()),
    );
    let text = pair.client.ask("rv &1 autherror");
    assert_eq!(value_of(&text, "autherror").as_deref(), Some(""), "{text}");
}

#[test]
fn wrong_password() {
    let mut pair = Pair::new();
    pair.client_password = "windows";
    pair.is_refused(
        &["ntpkey_host_client", "password", "compare `crypto pw`"],
        NO_IDENTITY,
    );
}

#[test]
fn missing_key_file() {
    let pair = Pair::new();
    fs::remove_file(pair.client.keys().join("ntpkey_host_client")).unwrap();
    pair.is_refused(
        &["ntpkey_host_client", "no such file", "run ntp-keygen"],
        NO_IDENTITY,
    );
}

#[test]
fn private_key_for_everybody() {
    let pair = Pair::new();
    let key = pair.client.keys().join("ntpkey_host_client");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    pair.is_refused(
        &["ntpkey_host_client", "everybody can read", "chmod 600"],
        NO_IDENTITY,
    );
}

/// The server's host key with a certificate of the year before last.
#[test]
fn expired_certificate() {
    let pair = Pair::new();
    let keys = pair.server.keys();
    let file = KeyFile::parse(&fs::read_to_string(keys.join("ntpkey_host_server")).unwrap());
    let key = file.unwrap().private_key("redhat").unwrap();
    let now = Timestamp::from_unix(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs()
            .try_into()
            .unwrap(),
        0,
    );
    let day = |days: i32| now - ntp_wire::Duration::from_seconds(days * 86_400);
    let made = Stamp::of(day(700)).value();
    let certificate = Certificate::issue(
        &CertificateRequest {
            subject: "server",
            issuer: "server",
            serial: made,
            not_before: day(700),
            not_after: day(335),
            trust: CertificateTrust::Trusted,
            public_key: key.public(),
            group_key: None,
        },
        &key,
        SignatureScheme::RsaSha256,
    )
    .unwrap();
    let name = format!("ntpkey_RSA-SHA256cert_server.{made}");
    let text = write_certificate(&name, "long ago", &certificate);
    fs::write(keys.join(&name), text).unwrap();
    fs::remove_file(keys.join("ntpkey_cert_server")).unwrap();
    symlink(&name, keys.join("ntpkey_cert_server")).unwrap();
    pair.is_refused(
        &["certificate of server has expired", "make a new one"],
        "certificate of server has expired",
    );
}

fn stranger() -> Loopback {
    let stranger = Loopback::new("server", 3, 1);
    stranger.keygen("-T -I -p redhat");
    stranger
}

#[test]
fn another_group_of_another_time() {
    let pair = Pair::new();
    pair.take_parameters(&stranger(), |text| {
        let file = KeyFile::parse(&text).unwrap();
        text.replace(&file.filestamp().to_string(), "3426035707")
    });
    pair.is_refused(
        &["group key was made at", "get the group's file anew"],
        "group key was made at",
    );
}

#[test]
fn another_group_of_the_same_time() {
    let pair = Pair::new();
    let ours = pair.server.keygen("-e -p redhat").stdout;
    let stamp = KeyFile::parse(&ours).unwrap().filestamp().to_string();
    pair.take_parameters(&stranger(), |text| {
        let file = KeyFile::parse(&text).unwrap();
        text.replace(&file.filestamp().to_string(), &stamp)
    });
    pair.is_refused(
        &["identity of the group server not verified"],
        "identity of the group server not verified",
    );
}

#[test]
fn parameters_that_are_no_file_of_keys() {
    let pair = Pair::new();
    pair.write_client_key("ntpkey_iffpar_server", "no key at all\n", 0o600);
    pair.is_refused(
        &["ntpkey_iffpar_server", "can't be used"],
        "parameters of the group server",
    );
}

#[test]
fn server_without_the_scheme() {
    let pair = Pair::new();
    for entry in fs::read_dir(pair.server.keys()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.to_lowercase().starts_with("ntpkey_iff") {
            fs::remove_file(path).unwrap();
        }
    }
    pair.is_refused(
        &["unsupported_identity_type"],
        "offers no identity scheme that we have parameters for",
    );
}
