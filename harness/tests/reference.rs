//! Our client with the reference's server and the reverse, with every kind of authentication, over
//! both families of addresses. What the programs say of it is compared with what crossed the wire.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, path::PathBuf, thread, time::Duration};

use meridian_harness::{
    Host, Listed, Network, Program, Reference, Tap, built, can_make_networks, skip, value_of,
    wait_for,
};
use ntp_autokey::{Direction, IffKey, Message, Opcode, Stamp};
use ntp_keys::KeyFile;
use ntp_wire::{Packet, Trailer};

const PATIENCE: Duration = Duration::from_secs(75);

/// Both sides have this file.
const KEYS: &str = "\
1 M three.blind.mice
3 SHA1 5365652068 # comments are allowed
4 AES128CMAC 000102030405060708090a0b0c0d0e0f
";

const SERVER_CONF: &str = "\
server 127.127.1.0 prefer minpoll 3 maxpoll 3
fudge 127.127.1.0 stratum 1
tos maxdist 16
restrict default nomodify
";

/// Whose program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Ours,
    References,
}
use Whose::{Ours, References};

/// How packets are authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    /// The key of this number, whose MACs have so many octets.
    Key(u32, usize),
    Iff,
}

impl Kind {
    const fn is_autokey(self) -> bool {
        matches!(self, Self::Iff)
    }

    fn of_server(self) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Key(id, _) => format!("keys ntp.keys\ntrustedkey {id}\n"),
            Self::Iff => "crypto pw redhat randfile /dev/urandom\nkeysdir ./keys\n".into(),
        }
    }

    fn of_client(self, server: IpAddr) -> String {
        let (options, lines) = match self {
            Self::Plain => (String::new(), String::new()),
            Self::Key(id, _) => (
                format!("key {id}"),
                format!("keys ntp.keys\ntrustedkey {id}\n"),
            ),
            Self::Iff => ("autokey ident server".into(), CLIENT_CRYPTO.into()),
        };
        format!("server {server} iburst minpoll 3 maxpoll 3 {options}\ntos maxdist 16\n{lines}")
    }
}

const CLIENT_CRYPTO: &str = "crypto pw linux randfile /dev/urandom\nkeysdir ./keys\n";

/// A server and a client of it.
struct Pair<'a> {
    reference: &'a Reference,
    network: Network,
    kind: Kind,
    server: Whose,
    client: Whose,
    ipv6: bool,
}

impl Pair<'_> {
    fn write_files(&self) {
        let (server, client) = (&self.network.server, &self.network.client);
        for host in [server, client] {
            std::fs::create_dir(host.directory.join("keys")).unwrap();
            let keys = host.write("ntp.keys", KEYS);
            let mut mode = std::fs::metadata(&keys).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o600);
            std::fs::set_permissions(&keys, mode).unwrap();
        }
        server.write(
            "ntp.conf",
            &format!("{SERVER_CONF}{}", self.kind.of_server()),
        );
        client.write("ntp.conf", &self.kind.of_client(server.address(self.ipv6)));
        if !self.kind.is_autokey() {
            return;
        }
        let group = if self.kind == Kind::Iff { "-I " } else { "" };
        self.keygen(server, self.server, &format!("-T {group}-p redhat"));
        self.keygen(client, self.client, "-H -p linux");
        if self.kind == Kind::Iff {
            // What the reference exports can't be verified by its own clients.
            server.shell(
                "cd keys; umask 077; \
                 ntp-keygen -e -p redhat > ../../client/keys/ntpkey_iffpar_server",
            );
        }
    }

    fn keygen(&self, host: &Host, whose: Whose, options: &str) {
        let program = match whose {
            Ours => built("ntp-keygen"),
            References => self.reference.program("ntp-keygen"),
        };
        host.shell(&format!("cd keys; {} {options}", program.display()));
    }

    fn start(&self, host: &Host, whose: Whose) -> Program {
        match whose {
            Ours => {
                let mut command = host.command(built("ntpd"));
                command.args(["-n", "-g", "-c", "ntp.conf", "--clock", "virtual"]);
                host.start(&mut command, "ntpd.log")
            }
            References => self.reference.ntpd(host, &PathBuf::from("ntp.conf")),
        }
    }

    /// The association of the client, once all is done that there is to do.
    fn follow(&self, log: impl Fn() -> String) -> Listed {
        let client = &self.network.client;
        let wanted = match self.kind {
            Kind::Plain => "none",
            _ => "ok",
        };
        wait_for(
            PATIENCE,
            &format!("{:?} of {:?}", self.client, self.server),
            || {
                let listed = Listed::all(&client.ask("as")).into_iter().next()?;
                let followed = listed.is_followed()
                    && listed.reachable
                    && listed.authentication == wanted
                    && (!self.kind.is_autokey() || self.dance_is_done(&listed));
                followed.then_some(listed)
            },
            || format!("{}{}{}", client.ask("as"), client.ask("rv &1"), log()),
        )
    }

    fn dance_is_done(&self, listed: &Listed) -> bool {
        let text = self
            .network
            .client
            .ask(&format!("rv {} flags", listed.association));
        let flags = value_of(&text, "flags").unwrap_or_default();
        let Ok(flags) = u32::from_str_radix(flags.trim_start_matches("0x"), 16) else {
            return false;
        };
        let identity = if self.kind == Kind::Iff { 0x20 } else { 0 };
        // 2 says that the server was synchronised when it was asked for its name.
        flags & 0xfffd == 0x7f01 | identity
    }
}

/// Starts both daemons, waits until the client follows the server, looks at the wire.
fn check(reference: &Reference, server: Whose, client: Whose, kind: Kind, ipv6: bool) {
    let pair = Pair {
        reference,
        network: Network::new().unwrap(),
        kind,
        server,
        client,
        ipv6,
    };
    pair.write_files();
    let tap = Tap::new(&pair.network.client);
    let server_process = pair.start(&pair.network.server, server);
    let server_host = &pair.network.server;
    wait_for(
        Duration::from_secs(40),
        "the server to follow its local clock",
        || {
            server_host
                .ask("rv 0 stratum")
                .contains("stratum=2")
                .then_some(())
        },
        || server_process.log(),
    );
    let client_process = pair.start(&pair.network.client, client);
    let log = || {
        format!(
            "client:\n{}\nserver:\n{}",
            client_process.log(),
            server_process.log()
        )
    };
    pair.follow(log);
    let address = server_host.address(ipv6);
    let packets: Vec<(bool, Vec<u8>)> = tap
        .seen()
        .into_iter()
        // The tap also sees what ntpq asks.
        .filter(|captured| captured.source == address || captured.destination == address)
        .map(|captured| (captured.source == address, captured.data))
        .collect();
    check_macs(&packets, kind);
    if kind.is_autokey() {
        check_dance(&packets, kind, &pair);
    }
}

/// Every packet, in both directions, has the trailer that was asked for.
fn check_macs(packets: &[(bool, Vec<u8>)], kind: Kind) {
    for from_server in [false, true] {
        let mut count = 0;
        for (_, data) in packets.iter().filter(|(from, _)| *from == from_server) {
            let packet = Packet::parse(data).unwrap();
            match (kind, packet.trailer()) {
                (Kind::Plain, Trailer::None) => assert_eq!(data.len(), 48),
                (Kind::Key(id, length), Trailer::Mac { key_id, digest }) => {
                    assert_eq!((key_id.value(), digest.len()), (id, length));
                }
                (Kind::Iff, Trailer::Mac { key_id, digest }) => {
                    assert!(key_id.value() > 0xffff, "no session key: {key_id:?}");
                    assert_eq!(digest.len(), 16);
                }
                (kind, trailer) => panic!("{kind:?}, from the server {from_server}: {trailer:?}"),
            }
            count += 1;
        }
        assert!(
            count > 0,
            "{kind:?}: nothing, from the server {from_server}"
        );
    }
}

/// The messages that are due crossed the wire; with IFF, the answer is right.
fn check_dance(packets: &[(bool, Vec<u8>)], kind: Kind, pair: &Pair<'_>) {
    let mut seen = Vec::new();
    let mut challenge = None;
    let mut proofs = 0;
    let key = (kind == Kind::Iff).then(|| group(pair));
    for (from_server, data) in packets {
        let packet = Packet::parse(data).unwrap();
        for field in packet.extensions() {
            let message = Message::parse(&field).unwrap();
            seen.push((*from_server, field.kind));
            if message.opcode != Opcode::Iff {
                continue;
            }
            let octets = message.value.map(|value| value.octets.to_vec()).unwrap();
            match message.direction {
                Direction::Request => challenge = Some(octets),
                Direction::Response => {
                    let challenge = challenge.as_ref().expect("asked before it is answered");
                    let key = key.as_ref().expect("only the IFF cases have a group");
                    key.verify(challenge, &octets).unwrap();
                    proofs += 1;
                    // Another challenge has another answer.
                    let mut other = challenge.clone();
                    *other.last_mut().unwrap() ^= 1;
                    assert!(key.verify(&other, &octets).is_err());
                }
                other => panic!("IFF {other:?}"),
            }
        }
    }
    // ASSOC, CERT, COOKIE, SIGN.
    for opcode in [0x0201, 0x0202, 0x0203, 0x0206] {
        assert!(seen.contains(&(false, opcode)), "{opcode:x} in {seen:x?}");
        let answer = opcode | 0x8000;
        assert!(seen.contains(&(true, answer)), "{answer:x} in {seen:x?}");
    }
    let asked = seen.contains(&(false, 0x0207));
    assert_eq!(asked, kind == Kind::Iff, "{seen:x?}");
    assert_eq!(proofs > 0, kind == Kind::Iff, "{seen:x?}");
}

/// The group of the server, from its own file.
fn group(pair: &Pair<'_>) -> IffKey {
    let path = pair
        .network
        .server
        .directory
        .join("keys/ntpkey_iffkey_server");
    let file = KeyFile::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    let group = file.iff_group("redhat").unwrap();
    assert!(group.secret().is_some());
    IffKey::new(group.without_secret(), Stamp::new(file.filestamp()))
}

/// Both families at the same time.
fn both_families(server: Whose, client: Whose, kind: Kind) {
    if !can_make_networks() {
        skip("the reference", "it takes root and iproute2");
        return;
    }
    let Some(reference) = Reference::find() else {
        skip(
            "the reference",
            "MERIDIAN_REFERENCE and MERIDIAN_NOCLOCK do not lead to it",
        );
        return;
    };
    let reference = &reference;
    thread::scope(|scope| {
        for ipv6 in [false, true] {
            scope.spawn(move || check(reference, server, client, kind, ipv6));
        }
    });
}

#[test]
fn our_client_plain() {
    both_families(References, Ours, Kind::Plain);
}

#[test]
fn our_client_md5() {
    both_families(References, Ours, Kind::Key(1, 16));
}

#[test]
fn our_client_sha1() {
    both_families(References, Ours, Kind::Key(3, 20));
}

#[test]
fn our_client_aes_128_cmac() {
    both_families(References, Ours, Kind::Key(4, 16));
}

#[test]
fn our_client_autokey_iff() {
    both_families(References, Ours, Kind::Iff);
}

#[test]
fn our_server_plain() {
    both_families(Ours, References, Kind::Plain);
}

#[test]
fn our_server_md5() {
    both_families(Ours, References, Kind::Key(1, 16));
}

#[test]
fn our_server_sha1() {
    both_families(Ours, References, Kind::Key(3, 20));
}

#[test]
fn our_server_aes_128_cmac() {
    both_families(Ours, References, Kind::Key(4, 16));
}

#[test]
fn our_server_autokey_iff() {
    both_families(Ours, References, Kind::Iff);
}
