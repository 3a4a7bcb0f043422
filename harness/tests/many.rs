//! Servers that are found in a group, and addresses that come and go, on networks of their own.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{os::unix::fs::PermissionsExt, thread, time::Duration};

use meridian_harness::{Host, Network, Program, Reference, Run, can_make_networks, skip, wait_for};

const PATIENCE: Duration = Duration::from_secs(75);

const KEYS: &str = "4 AES128CMAC 000102030405060708090a0b0c0d0e0f\n";
const SERVER: &str = "server 127.127.1.0 prefer minpoll 3 maxpoll 3\n\
    fudge 127.127.1.0 stratum 1\ntos maxdist 16\nrestrict default nomodify\n\
    manycastserver 224.0.1.1 ff05::101\nkeys ntp.keys\ntrustedkey 4\n";
const CLIENT: &str = "manycastclient 224.0.1.1 key 4 minpoll 3 maxpoll 3 iburst\n\
    manycastclient ff05::101 key 4 minpoll 3 maxpoll 3 iburst\n\
    tos maxdist 16\nrestrict default nomodify\nkeys ntp.keys\ntrustedkey 4\n";

/// Starts `ntpd` with this configuration: the reference's if there is one.
fn start(host: &Host, conf: &str, clock: &str, reference: Option<&Reference>) -> Program {
    // A group without a route is nowhere.
    let namespace = host.namespace();
    let run = |arguments: &[&str]| {
        Run::successfully(
            std::process::Command::new("ip")
                .args(["-n", namespace])
                .args(arguments),
        );
    };
    run(&["route", "add", "224.0.0.0/4", "dev", "net0"]);
    let keys = host.write("ntp.keys", KEYS);
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    let path = host.write("ntp.conf", conf);
    match reference {
        Some(reference) => reference.ntpd(host, &path),
        None => host.ntpd(clock),
    }
}

fn find_each_other(server_by: Option<&Reference>, client_by: Option<&Reference>) {
    let network = Network::new().unwrap();
    let server = start(&network.server, SERVER, "virtual", server_by);
    let client = start(&network.client, CLIENT, "virtual:offset=1", client_by);
    let found = |ipv6: bool| {
        let peers = network.client.ntpq("peers");
        let address = network.server.address(ipv6).to_string();
        let is_followed = |line: &str| {
            line.starts_with(['*', '+', '#'])
                && line[1..].split_whitespace().next() == Some(&address)
        };
        peers.lines().any(is_followed)
    };
    wait_for(
        PATIENCE,
        "the server to be found in both groups",
        || (found(false) && found(true)).then_some(()),
        || {
            format!(
                "{}\n{}\n{}",
                network.client.ntpq("peers"),
                client.log(),
                server.log()
            )
        },
    );
}

#[test]
fn servers_are_found_in_a_group() {
    if !can_make_networks() {
        skip("manycast", "it takes root and iproute2");
        return;
    }
    let reference = Reference::find();
    thread::scope(|scope| {
        scope.spawn(|| find_each_other(None, None));
        if let Some(reference) = &reference {
            scope.spawn(|| find_each_other(Some(reference), None));
            scope.spawn(|| find_each_other(None, Some(reference)));
        }
    });
}

#[test]
fn addresses_that_come_and_go_are_followed() {
    if !can_make_networks() {
        skip("new addresses", "it takes root and iproute2");
        return;
    }
    let network = Network::new().unwrap();
    let host = &network.server;
    let namespace = host.namespace();
    let run = |line: &str| {
        let words = line.split(' ');
        Run::successfully(
            std::process::Command::new("ip")
                .args(["-n", namespace])
                .args(words),
        );
    };
    // Another machine may have it: for a second or two nothing can be bound to it.
    run("addr add fd00:4d65::77/64 dev net0");
    host.write(
        "ntp.conf",
        "server 127.127.1.0\nrestrict default nomodify\n\
         interface listen all\ninterface drop 10.0.0.0/24\ninterface ignore 10.0.9.0/24\n",
    );
    let mut process = host.ntpd("virtual");
    let patience = Duration::from_secs(20);
    let mut says = |text: &str| assert!(process.says(text, patience), "{text}: {}", process.log());
    says("Listen and drop on net0 10.0.0.1:123");
    says("net0 [fd00:4d65::77]:123");
    run("addr add 10.0.9.1/24 dev net0");
    run("addr add 10.0.8.1/24 dev net0");
    says("net0 10.0.8.1:123");
    assert!(host.ntpq("rv 0 stratum").contains("stratum"));
    run("addr del 10.0.8.1/24 dev net0");
    says("Deleting interface net0, 10.0.8.1:123");
    let log = process.log();
    assert!(!log.contains("error") && !log.contains("10.0.9.1"), "{log}");
}
