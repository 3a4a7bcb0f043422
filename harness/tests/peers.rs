//! Our programs with chrony and NTPsec, on either side.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};

use meridian_harness::{
    Host, Listed, Network, Peers, Program, can_make_networks, skip, value_of, wait_for,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// In our format, which NTPsec reads as well.
const KEYS: &str = "\
1 MD5 three-blind-mice
3 SHA1 5365652068000102030405060708090a0b0c0d0e
4 AES128CMAC 000102030405060708090a0b0c0d0e0f
";
/// The same in chrony's.
const CHRONY_KEYS: &str = "\
1 MD5 ASCII:three-blind-mice
3 SHA1 HEX:5365652068000102030405060708090a0b0c0d0e
4 AES128 HEX:000102030405060708090a0b0c0d0e0f
";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Ours,
    Chrony,
    Ntpsec,
}
use Whose::{Chrony, Ntpsec, Ours};

impl Whose {
    /// A server's configuration with the key of this number. NTPsec answers no questions without
    /// the `restrict` line.
    fn of_server(self, key: Option<u32>) -> String {
        let trusted = trusted(key);
        match self {
            Ours => format!("server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n{trusted}"),
            Ntpsec => format!(
                "server 127.127.1.0 prefer minpoll 3 maxpoll 3\nfudge 127.127.1.0 stratum 1\n\
                 tos maxdist 16\nrestrict 127.0.0.1\n{trusted}"
            ),
            Chrony => format!("{CHRONY}local stratum 2\nallow all\n"),
        }
    }

    fn of_client(self, server: &str, key: Option<u32>) -> String {
        let option = key.map_or_else(String::new, |key| format!(" key {key}"));
        match self {
            Ours | Ntpsec => format!(
                "server {server} iburst minpoll 3 maxpoll 3{option}\ntos maxdist 16\n\
                 restrict 127.0.0.1\n{}",
                trusted(key)
            ),
            Chrony => format!(
                "{CHRONY}server {server} iburst minpoll 2 maxpoll 3{option}\nlog measurements\nlogdir .\n"
            ),
        }
    }

    fn start(self, peers: &Peers, host: &Host) -> Program {
        let file = host.directory.join("ntp.conf");
        match self {
            Ours => host.ntpd("virtual"),
            Chrony => peers.chronyd(host, &file),
            Ntpsec => peers.ntpsec(host, &file),
        }
    }
}

/// Nothing of the machine's own chrony is touched: no socket, no file of its process number.
const CHRONY: &str = "cmdport 0\nbindcmdaddress /\npidfile chrony.pid\nkeyfile chrony.keys\n";

fn trusted(key: Option<u32>) -> String {
    key.map_or_else(String::new, |key| {
        format!("keys ntp.keys\ntrustedkey {key}\n")
    })
}

fn check(peers: &Peers, server: Whose, client: Whose, key: Option<u32>, ipv6: bool) {
    let network = Network::new().unwrap();
    for host in [&network.server, &network.client] {
        for (name, text) in [("ntp.keys", KEYS), ("chrony.keys", CHRONY_KEYS)] {
            let path = host.write(name, text);
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    let address = network.server.address(ipv6).to_string();
    network.server.write("ntp.conf", &server.of_server(key));
    network
        .client
        .write("ntp.conf", &client.of_client(&address, key));
    let server_process = server.start(peers, &network.server);
    if server != Chrony {
        wait_for(
            Duration::from_secs(40),
            "the server to give time",
            || {
                let text = network.server.ntpq("rv 0 stratum");
                text.contains("stratum=2").then_some(())
            },
            || server_process.log(),
        );
    }
    let client_process = client.start(peers, &network.client);
    wait_for(
        PATIENCE,
        &format!("{client:?} to follow {server:?}, key {key:?}, IPv6 {ipv6}"),
        || follows(client, &network.client, &client_process, key).then_some(()),
        || {
            format!(
                "{}client:\n{}\nserver:\n{}",
                network.client.ntpq("rv &1"),
                client_process.log(),
                server_process.log()
            )
        },
    );
}

fn follows(client: Whose, host: &Host, process: &Program, key: Option<u32>) -> bool {
    if client == Chrony {
        // It has no port for questions here, but says whom it selects, and only once its tests of
        // key and time were passed.
        return process.log().contains("Selected source");
    }
    let all = Listed::all(&host.ntpq("as"));
    let wanted = if key.is_some() { "ok" } else { "none" };
    all.first().is_some_and(|listed| {
        listed.is_followed()
            && listed.reachable
            && listed.authentication == wanted
            && value_of(&host.ntpq("rv 0 stratum"), "stratum").as_deref() == Some("3")
    })
}

fn both_directions(other: Whose, key: Option<u32>, ipv6: bool) {
    if !can_make_networks() {
        skip("chrony and NTPsec", "it takes root and iproute2");
        return;
    }
    let Some(peers) = Peers::find() else {
        skip("chrony and NTPsec", "MERIDIAN_PEERS does not lead to them");
        return;
    };
    thread::scope(|scope| {
        scope.spawn(|| check(&peers, other, Ours, key, ipv6));
        scope.spawn(|| check(&peers, Ours, other, key, ipv6));
    });
}

#[test]
fn chrony_plain() {
    both_directions(Chrony, None, false);
}

#[test]
fn chrony_plain_over_ipv6() {
    both_directions(Chrony, None, true);
}

#[test]
fn chrony_md5() {
    both_directions(Chrony, Some(1), false);
}

#[test]
fn chrony_sha1() {
    both_directions(Chrony, Some(3), false);
}

#[test]
fn chrony_aes_128_cmac() {
    both_directions(Chrony, Some(4), true);
}

/// The next reply tells when the last one left, either way; and each side has that from its kernel.
#[test]
fn chrony_interleaved() {
    if !can_make_networks() {
        skip("chrony, interleaved", "it takes root and iproute2");
        return;
    }
    let Some(peers) = Peers::find() else {
        skip("chrony, interleaved", "MERIDIAN_PEERS does not lead to it");
        return;
    };
    let interleaved = |server: Whose, client: Whose, says: fn(&Host, &Program) -> bool| {
        let network = Network::new().unwrap();
        let address = network.server.address(false).to_string();
        network.server.write("ntp.conf", &server.of_server(None));
        let text = client.of_client(&address, None);
        let text = text.replace(" iburst", " iburst xleave");
        network.client.write("ntp.conf", &text);
        let _server = server.start(&peers, &network.server);
        let process = client.start(&peers, &network.client);
        wait_for(
            PATIENCE,
            &format!("{client:?} to be interleaved with {server:?}"),
            || says(&network.client, &process).then_some(()),
            || process.log(),
        );
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            interleaved(Chrony, Ours, |_, process| {
                let log = process.log();
                assert!(!log.contains("interleave_error"), "{log}");
                log.contains("interleave_mode")
            });
        });
        scope.spawn(|| {
            // Its log of measurements ends in mode, kind and the origin of the client's stamps.
            interleaved(Ours, Chrony, |host, _| {
                let path = host.directory.join("measurements.log");
                let log = fs::read_to_string(path).unwrap_or_default();
                log.lines().any(|line| line.ends_with("4I K K"))
            });
        });
    });
}

#[test]
fn ntpsec_plain() {
    both_directions(Ntpsec, None, false);
}

#[test]
fn ntpsec_plain_over_ipv6() {
    both_directions(Ntpsec, None, true);
}

#[test]
fn ntpsec_aes_128_cmac() {
    both_directions(Ntpsec, Some(4), false);
}
