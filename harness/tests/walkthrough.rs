//! The walk-through of an administrator, typed as it stands, between two hosts of their own.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    thread,
    time::{Duration, Instant},
};

use meridian_harness::{Host, Network, Program, Tap, can_make_networks, skip, wait_for};

const SERVER_CONF: &str = "\
server 127.127.1.0
fudge 127.127.1.0 stratum 1
crypto pw redhat randfile /dev/urandom
keysdir KEYS
restrict default ignore
restrict 127.0.0.1
restrict 10.0.0.0 mask 255.255.255.0 nomodify noquery
restrict fd00:4d65:: mask ffff:ffff:ffff:ffff:: nomodify noquery
driftfile DRIFT
";

const CLIENT_CONF: &str = "\
server SERVER iburst autokey OPTIONS
crypto pw linux randfile /dev/urandom
keysdir KEYS
";

/// Two hosts with keys, both daemons running.
struct Walk {
    network: Network,
    tap: Tap,
    server: Program,
    client: Program,
    ready: Instant,
}

fn prepare(host: &Host, text: &str) {
    let keys = host.directory.join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    let text = text
        .replace("KEYS", keys.to_str().unwrap())
        .replace("DRIFT", host.directory.join("drift").to_str().unwrap());
    host.write("ntp.conf", &text);
}

fn walk(ipv6: bool, options: &str) -> Walk {
    let network = Network::new().unwrap();
    let (server, client) = (&network.server, &network.client);
    prepare(server, SERVER_CONF);
    let address = server.address(ipv6).to_string();
    prepare(
        client,
        &CLIENT_CONF
            .replace("SERVER", &address)
            .replace("OPTIONS", options),
    );
    server.shell("cd keys; ntp-keygen -T -I -p redhat");
    server.shell(
        "cd keys; ntp-keygen -e -q redhat -p linux > ../../client/keys/ntpkey_IFFkey_server.3426035707",
    );
    client.shell("cd keys; ntp-keygen -H -p linux");
    client.shell("cd keys; ln -s ntpkey_IFFkey_server.3426035707 ntpkey_iff_server");
    client.shell("cd keys; ln -s ntpkey_IFFkey_server.3426035707 ntpkey_iff_client");
    let tap = Tap::new(client);
    let server_process = server.ntpd("virtual");
    // The client's clock is 37 s wrong; ntpdate steps it.
    let clock = "virtual:offset=37,freq=50,state=clock";
    wait_for(
        Duration::from_secs(20),
        "the server to be synchronised",
        || {
            server
                .ntpq("rv 0 stratum")
                .contains("stratum=2")
                .then_some(())
        },
        || server_process.log(),
    );
    let stepped = client.shell(&format!("ntpdate --clock {clock} -b {address}"));
    assert!(stepped.stdout.contains("step time server"), "{stepped:?}");
    let ready = Instant::now();
    let client_process = client.ntpd("virtual:state=clock");
    Walk {
        tap,
        server: server_process,
        client: client_process,
        ready,
        network,
    }
}

/// Waits for all bits and gives the association number.
fn wait_for_flags(walk: &Walk, patience: Duration) -> String {
    let client = &walk.network.client;
    let mut last = String::new();
    let end = walk.ready + patience;
    loop {
        let list = client.ntpq("as");
        if let Some(line) = list
            .lines()
            .find(|line| line.trim_start().starts_with("1 "))
        {
            let association = line
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned();
            last = client.ntpq(&format!("rv {association} flags"));
            let flags = last.trim().trim_start_matches("flags=0x");
            let complete = u32::from_str_radix(flags, 16)
                .is_ok_and(|flags| matches!(flags & 0xffff, 0x7f21 | 0x7f23));
            if complete && list.contains("sys.peer") {
                return association;
            }
        }
        assert!(
            Instant::now() < end,
            "flags {last} after {patience:?}\n{list}\nclient:\n{}\nserver:\n{}",
            walk.client.log(),
            walk.server.log()
        );
        thread::sleep(Duration::from_millis(200));
    }
}

fn walk_through(ipv6: bool, options: &str, patience: Duration) {
    if !can_make_networks() {
        skip(
            "the walk-through between two hosts",
            "it takes root and iproute2",
        );
        return;
    }
    let mut walk = walk(ipv6, options);
    let association = wait_for_flags(&walk, patience);
    eprintln!(
        "all flags {:?} after the client's start",
        walk.ready.elapsed()
    );
    let client = &walk.network.client;
    let list = client.ntpq("as");
    let line = list
        .lines()
        .find(|line| line.contains(&association))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[3..7], ["yes", "yes", "ok", "sys.peer"], "{list}");
    let certificates = client.ntpq("rv 0 cert");
    assert!(
        certificates.contains("cert=\"client server 0x"),
        "{certificates}"
    );
    assert!(certificates.contains("until=20"), "{certificates}");
    // The flags are a claim; the wire is the proof.
    let server = walk.network.server.address(ipv6);
    let seen: Vec<_> = walk
        .tap
        .autokey_fields(server)
        .iter()
        .map(|field| (field.0, field.1))
        .collect();
    assert!(
        seen.contains(&(false, 0x0207)),
        "no IFF challenge: {seen:x?}"
    );
    assert!(seen.contains(&(true, 0x8207)), "no IFF answer: {seen:x?}");
    assert!(!seen.contains(&(true, 0xc207)), "an IFF error: {seen:x?}");
    assert_eq!(walk.client.stop(), 0);
    assert_eq!(walk.server.stop(), 0);
}

#[test]
fn as_it_stands() {
    walk_through(false, "", Duration::from_secs(60));
}

#[test]
fn with_minpoll_3() {
    walk_through(false, "minpoll 3 maxpoll 3", Duration::from_secs(20));
}

#[test]
fn over_ipv6() {
    walk_through(true, "minpoll 3", Duration::from_secs(60));
}
