//! The reference's ntpdc and ours, asked the same of the same daemon, command by command.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use meridian_harness::{
    Host, Network, Program, Reference, Run, built, can_make_networks, skip, wait_for,
};

const CONF: &str = "\
server 127.127.1.0 prefer minpoll 3 maxpoll 3
fudge 127.127.1.0 stratum 1
server 192.0.2.7
server 2001:db8::7 iburst
tos maxdist 16
keys ntp.keys
trustedkey 1
requestkey 1
enable mode7
restrict 192.0.2.0 mask 255.255.255.0 nomodify noquery
";

/// A group to a run of the program. What is changed is changed back within the group, so that who
/// comes next finds what was there before.
const GROUPS: [&[&str]; 6] = [
    &[
        "host",
        "host 127.0.0.1",
        "hostnames",
        "hostnames what",
        "delay",
        "delay 30",
        "delay",
        "delay x",
        "timeout",
        "timeout 4000",
        "timeout",
        "timeout x",
        "keyid",
        "keyid 7",
        "keyid",
        "keyid 0",
        "keyid",
        "keytype",
        "keytype SHA1",
        "keytype",
        "keytype bogus",
        "debug",
        "debug what",
        "help",
        "help nosuch",
        "help p",
        "nosuch",
        "p",
        "showpeer",
        "peers -5",
        "loopinfo bla",
        "restrict 192.0.2.1",
    ],
    &[
        "listpeers",
        "listpeers -4",
        "peers",
        "peers -6",
        "dmpeers",
        "showpeer 127.127.1.0",
        "showpeer 192.0.2.7 2001:db8::7",
        "showpeer 192.0.2.9",
        "pstats 127.127.1.0",
        "pstats 192.0.2.7 127.127.1.0",
        "pstats 192.0.2.9",
    ],
    &[
        "loopinfo",
        "loopinfo oneline",
        "sysinfo",
        "sysstats",
        "memstats",
        "iostats",
        "timerstats",
        "kerninfo",
        "authinfo",
        "ctlstats",
        "reslist",
        "reslist -6",
        "monlist",
        "traps",
        "clockstat 127.127.1.0",
        "clockstat 192.0.2.7",
    ],
    &[
        "keyid 1",
        "passwd three.blind.mice",
        "ifstats",
        "addserver 192.0.2.20",
        "addserver 192.0.2.21 1 4 minpoll 4 maxpoll 6 prefer iburst burst",
        "addserver 192.0.2.22 9 9",
        "addserver 192.0.2.22 minpoll 1",
        "addserver 192.0.2.22 bogus",
        "addpeer 192.0.2.23",
        "listpeers",
        "showpeer 192.0.2.21",
        "unconfig 192.0.2.20 192.0.2.21",
        "unconfig 192.0.2.20",
        "unconfig 192.0.2.23",
        "listpeers",
    ],
    &[
        "keyid 1",
        "passwd three.blind.mice",
        "disable stats monitor",
        "sysinfo",
        "enable stats monitor",
        "enable bogus",
        "sysinfo",
        "restrict 10.1.0.0 255.255.0.0 noserve kod",
        "restrict 10.1.0.0 255.255.0.3 noserve",
        "restrict 10.1.0.0 255.255.0.0 bogus",
        "reslist",
        "unrestrict 10.1.0.0 255.255.0.0 noserve",
        "reslist",
        "delrestrict 10.1.0.0 255.255.0.0 noserve",
        "delrestrict 10.1.0.0 255.255.0.0",
        "reslist",
        "trustedkey 5",
        "untrustedkey 5",
        "readkeys",
        "fudge 127.127.1.0 time1 0.0001",
        "clockstat 127.127.1.0",
        "fudge 127.127.1.0 time1 0",
        "fudge 127.127.1.0 nosuch 3",
        "fudge 192.0.2.7 val1 3",
        "reset io sys",
        "reset bogus",
        "preset 192.0.2.99",
    ],
    &[
        "keyid 1",
        "passwd a.wrong.one",
        "addserver 192.0.2.20",
        "listpeers",
        "quit",
    ],
];

/// Questions whose answers stay the same from one poll to the next, to the last blank.
const UNCHANGING: [&str; 5] = ["listpeers", "peers", "peers -6", "dmpeers", "help"];

/// What a program says, all numbers and times alike: a moment passes between the two.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for line in text.lines() {
        let is_time = |label: &&str| line.starts_with(*label);
        let label = [
            "reference time:",
            "receive timestamp:",
            "transmit timestamp:",
        ];
        if let Some(label) = label.iter().find(|label| is_time(label)) {
            masked.push_str(label);
            masked.push('\n');
            continue;
        }
        let mut letters = line.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                ' ' if masked.ends_with(' ') => {}
                '+' | '-' if letters.peek().is_some_and(char::is_ascii_digit) => {}
                '0'..='9' if masked.ends_with('#') => {}
                '0'..='9' => masked.push('#'),
                letter => masked.push(letter),
            }
        }
        masked.push('\n');
    }
    masked
}

/// What a program says, on either of its outputs.
fn said(host: &Host, program: &Path, group: &[&str]) -> String {
    let Run { stdout, stderr, .. } = run(host, program, group);
    masked(&format!("{stdout}\nerrors:\n{stderr}"))
}

fn run(host: &Host, program: &Path, group: &[&str]) -> Run {
    let mut command = host.command(program);
    command.arg("-n").stdin(Stdio::null());
    for line in group {
        command.args(["-c", line]);
    }
    Run::of(command.arg("127.0.0.1"))
}

/// The same, to the character, where nothing changes while they are asked.
fn compare_exactly(host: &Host, reference: &Path) {
    let asked = |program: &Path| run(host, program, &UNCHANGING).stdout;
    let mut last = None;
    for _ in 0..10 {
        let (theirs, ours) = (asked(reference), asked(&built("ntpdc")));
        if theirs == ours {
            return;
        }
        last = Some((theirs, ours));
    }
    let (theirs, ours) = last.unwrap();
    panic!("reference:\n{theirs}\n\nours:\n{ours}");
}

/// The same, at the latest at the third try: what the daemon has to say may change in between.
fn compare(host: &Host, reference: &Path, group: &[&str]) {
    let mut said_last = Vec::new();
    for _ in 0..3 {
        let theirs = said(host, reference, group);
        let ours = said(host, &built("ntpdc"), group);
        if theirs == ours {
            return;
        }
        said_last = vec![theirs, ours];
    }
    let [theirs, ours] = &said_last[..] else {
        unreachable!("there were three tries");
    };
    let differ = theirs.lines().zip(ours.lines()).find(|(a, b)| a != b);
    panic!("{group:?}\n{differ:?}\nreference:\n{theirs}\n\nours:\n{ours}");
}

fn check(reference: &Reference, host: &Host, process: &Program) {
    wait_for(
        Duration::from_secs(60),
        "the daemon to follow its local clock",
        || {
            host.ask("rv 0 stratum,leap")
                .contains("leap=00, stratum=2")
                .then_some(())
        },
        || process.log(),
    );
    let program = reference.program("ntpdc");
    compare_exactly(host, &program);
    for group in GROUPS {
        compare(host, &program, group);
    }
}

#[test]
fn both_say_the_same_of_both_daemons() {
    let Some(reference) = Reference::find().filter(|_| can_make_networks()) else {
        skip(
            "the reference",
            "it is not at hand, or networks cannot be made",
        );
        return;
    };
    let network = Network::new().unwrap();
    for host in [&network.server, &network.client] {
        host.write("ntp.conf", CONF);
        host.write("ntp.keys", "1 M three.blind.mice\n");
        host.shell("chmod 600 ntp.keys");
    }
    let (theirs, ours) = (&network.server, &network.client);
    let their_daemon = reference.ntpd(theirs, &PathBuf::from("ntp.conf"));
    let mut command = ours.command(built("ntpd"));
    command.args(["-n", "-g", "-c", "ntp.conf", "--clock", "virtual"]);
    let our_daemon = ours.start(&mut command, "ntpd.log");
    check(&reference, theirs, &their_daemon);
    check(&reference, ours, &our_daemon);
}
