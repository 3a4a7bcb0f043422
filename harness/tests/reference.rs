//! Our programs with those of the reference, ntp 4.2.8p15, on either side.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::time::Duration;

use meridian_harness::{Host, Network, Program, Reference, Tap, can_make_networks, skip, wait_for};
use ntp_keys::KeyFile;
use num_bigint::BigUint;

/// The reference follows its local clock at once only if it is preferred.
const SERVER_CONF: &str = "server 127.127.1.0 prefer minpoll 3 maxpoll 3\n\
    fudge 127.127.1.0 stratum 1\ntos maxdist 16\n";
const CLIENT_CONF: &str = "tos maxdist 16\n";
const KEYS: &str = "1 MD5 sesame-open\n2 SHA1 0123456789abcdef0123456789abcdef01234567\n\
    3 AES128CMAC 00112233445566778899aabbccddeeff\n";
const PATIENCE: Duration = Duration::from_secs(100);

/// How the two prove themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Proof {
    Plain,
    Key(u8),
    TrustedCertificate,
    Iff,
}

/// Which side is ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ours {
    Server,
    Client,
}

struct Case {
    network: Network,
    reference: Reference,
    ours: Ours,
    proof: Proof,
    ipv6: bool,
}

impl Case {
    fn new(ours: Ours, proof: Proof, ipv6: bool) -> Option<Self> {
        let what = format!("{ours:?} ours, {proof:?}, IPv{}", if ipv6 { 6 } else { 4 });
        if !can_make_networks() {
            skip(&what, "it takes root and iproute2");
            return None;
        }
        let Some(reference) = Reference::find() else {
            skip(
                &what,
                "MERIDIAN_REFERENCE and MERIDIAN_NOCLOCK name no reference",
            );
            return None;
        };
        Some(Self {
            network: Network::new().unwrap(),
            reference,
            ours,
            proof,
            ipv6,
        })
    }

    /// Lets both run until the client follows the server, and looks at how it came to that.
    fn run(&self) {
        let (server, client) = (&self.network.server, &self.network.client);
        self.write_configurations();
        if matches!(self.proof, Proof::TrustedCertificate | Proof::Iff) {
            self.make_keys();
        }
        let tap = Tap::new(client);
        let server_process = self.start(server, self.ours == Ours::Server);
        wait_for(
            Duration::from_secs(30),
            "the server to be synchronised",
            || server.ntpq("rv 0 leap").contains("leap=00"),
        );
        let client_process = self.start(client, self.ours == Ours::Client);
        let mut last = String::new();
        let mut flags = String::new();
        let end = std::time::Instant::now() + PATIENCE;
        while !(last.contains("sys.peer") && self.is_complete(&flags)) {
            assert!(
                std::time::Instant::now() < end,
                "{:?} {:?}: {last}{flags}\nclient:\n{}\nserver:\n{}",
                self.ours,
                self.proof,
                client_process.log(),
                server_process.log()
            );
            std::thread::sleep(Duration::from_millis(500));
            last = client.ntpq("as");
            flags = client.ntpq("rv &1 flags");
        }
        let authentic = if self.proof == Proof::Plain {
            "none"
        } else {
            "ok"
        };
        assert!(last.contains(&format!("  {authentic:>4}  ")), "{last}");
        if self.proof == Proof::Iff {
            self.check_identity(&tap);
        }
    }

    fn is_complete(&self, flags: &str) -> bool {
        let word = flags.trim().trim_start_matches("flags=0x");
        let low = u32::from_str_radix(word, 16).unwrap_or(0) & 0xffff;
        match self.proof {
            Proof::Plain | Proof::Key(_) => true,
            Proof::TrustedCertificate => low & 0x7ff0 == 0x7f00,
            Proof::Iff => low & 0x7ff0 == 0x7f20,
        }
    }

    fn write_configurations(&self) {
        let (server, client) = (&self.network.server, &self.network.client);
        let address = server.address(self.ipv6);
        let mut of_server = SERVER_CONF.to_owned();
        let mut of_client = CLIENT_CONF.to_owned();
        let mut line = format!("server {address} iburst minpoll 3 maxpoll 3");
        match self.proof {
            Proof::Plain => {}
            Proof::Key(key) => {
                for (host, text) in [(server, &mut of_server), (client, &mut of_client)] {
                    host.write("ntp.keys", KEYS);
                    std::process::Command::new("chmod")
                        .args(["600", host.directory.join("ntp.keys").to_str().unwrap()])
                        .status()
                        .unwrap();
                    text.push_str("keys ntp.keys\ntrustedkey 1 2 3\n");
                }
                line.push_str(&format!(" key {key}"));
            }
            Proof::TrustedCertificate | Proof::Iff => {
                of_server.push_str("crypto pw redhat\nkeysdir keys\n");
                of_client.push_str("crypto pw linux\nkeysdir keys\n");
                line.push_str(" autokey");
                if self.proof == Proof::Iff {
                    line.push_str(" ident server");
                }
            }
        }
        of_client.push_str(&line);
        of_client.push('\n');
        server.write("ntp.conf", &of_server);
        client.write("ntp.conf", &of_client);
    }

    /// Each side's keys are made by its own ntp-keygen; the group's parameters by ours, since what
    /// the reference exports does not verify, even at the reference.
    fn make_keys(&self) {
        let (server, client) = (&self.network.server, &self.network.client);
        let generate = |host: &Host, is_ours: bool, options: &str| {
            std::fs::create_dir_all(host.directory.join("keys")).unwrap();
            let program = if is_ours {
                "ntp-keygen".to_owned()
            } else {
                self.reference.program("ntp-keygen").display().to_string()
            };
            host.shell(&format!("cd keys; umask 077; {program} {options}"));
        };
        let identity = if self.proof == Proof::Iff { "-I " } else { "" };
        generate(
            server,
            self.ours == Ours::Server,
            &format!("-T {identity}-p redhat"),
        );
        generate(client, self.ours == Ours::Client, "-H -p linux");
        if self.proof == Proof::Iff {
            // Unencrypted, as the reference wants it; by today's name.
            server
                .shell("cd keys; ntp-keygen -e -p redhat > ../../client/keys/ntpkey_iffpar_server");
        }
    }

    fn start(&self, host: &Host, is_ours: bool) -> Program {
        if is_ours {
            host.ntpd("virtual")
        } else {
            self.reference.ntpd(host, &host.directory.join("ntp.conf"))
        }
    }

    /// The challenge and the answer that went over the wire: H(g^y v^r mod p) must be what was sent.
    fn check_identity(&self, tap: &Tap) {
        let path = self
            .network
            .client
            .directory
            .join("keys/ntpkey_iffpar_server");
        let file = KeyFile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
        let group = file.iff_group("").unwrap();
        let fields = tap.autokey_fields(self.network.server.address(self.ipv6));
        let value = |from_server: bool, kind: u16| {
            let (_, _, body) = fields
                .iter()
                .rev()
                .find(|field| field.0 == from_server && field.1 == kind)?;
            let length = u32::from_be_bytes(*body.get(12..16)?.first_chunk()?);
            body.get(16..16 + length as usize).map(<[u8]>::to_vec)
        };
        let challenge = BigUint::from_bytes_be(&value(false, 0x0207).expect("an IFF challenge"));
        let answer = value(true, 0x8207).expect("an IFF answer");
        let [y, hash] = integers(&answer);
        let x =
            group.g().modpow(&y, group.p()) * group.v().modpow(&challenge, group.p()) % group.p();
        let digest = ntp_keys::digest(ntp_keys::DigestAlgorithm::Md5, &[&x.to_bytes_be()]);
        assert_eq!(
            BigUint::from_bytes_be(digest.as_bytes()),
            hash,
            "the answer is wrong"
        );
    }
}

/// The two numbers of a SEQUENCE { INTEGER, INTEGER } shorter than 128 octets.
fn integers(der: &[u8]) -> [BigUint; 2] {
    let first = usize::from(der[3]);
    let second = usize::from(der[5 + first]);
    [
        BigUint::from_bytes_be(&der[4..4 + first]),
        BigUint::from_bytes_be(&der[6 + first..6 + first + second]),
    ]
}

fn run(ours: Ours, proof: Proof, ipv6: bool) {
    if let Some(case) = Case::new(ours, proof, ipv6) {
        case.run();
    }
}

macro_rules! cases {
    ($($name:ident: $ours:ident, $proof:expr, $ipv6:expr;)*) => {
        $(#[test]
        fn $name() {
            run(Ours::$ours, $proof, $ipv6);
        })*
    };
}

cases! {
    our_client_plain: Client, Proof::Plain, false;
    our_client_plain_ipv6: Client, Proof::Plain, true;
    our_client_md5: Client, Proof::Key(1), false;
    our_client_sha1: Client, Proof::Key(2), false;
    our_client_aes_cmac: Client, Proof::Key(3), true;
    our_client_trusted_certificate: Client, Proof::TrustedCertificate, false;
    our_client_iff: Client, Proof::Iff, false;
    our_client_iff_ipv6: Client, Proof::Iff, true;
    our_server_plain: Server, Proof::Plain, false;
    our_server_plain_ipv6: Server, Proof::Plain, true;
    our_server_md5: Server, Proof::Key(1), false;
    our_server_sha1: Server, Proof::Key(2), false;
    our_server_aes_cmac: Server, Proof::Key(3), true;
    our_server_trusted_certificate: Server, Proof::TrustedCertificate, false;
    our_server_iff: Server, Proof::Iff, false;
    our_server_iff_ipv6: Server, Proof::Iff, true;
}
