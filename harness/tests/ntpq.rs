//! The reference's ntpq and ours, asked the same of the same daemon, command by command.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    os::unix::fs::PermissionsExt as _,
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
tos maxdist 16
keys ntp.keys
trustedkey 1
controlkey 1
restrict 192.0.2.0 mask 255.255.255.0 nomodify noquery
saveconfigdir .
";

/// Questions that change nothing, a group to a run of the program.
const GROUPS: [&[&str]; 6] = [
    &[
        "host",
        "hostnames",
        "debug",
        "delay",
        "delay 30",
        "delay",
        "timeout",
        "timeout 4000",
        "timeout",
        "keyid",
        "keytype",
        "keytype SHA1",
        "keytype",
        "keytype bogus",
        "ntpversion",
        "ntpversion 3",
        "ntpversion",
        "ntpversion 9",
        "authenticate",
        "authenticate yes",
        "authenticate no",
        "authenticate what",
        "poll",
        "keyid x",
        "keyid 77",
        "keyid",
    ],
    &[
        "drefid",
        "drefid hash",
        "rv 0 refid",
        "drefid ipv4",
        "showvars",
        "addvars leap,stratum",
        "addvars foo=7,offset",
        "showvars",
        "rmvars foo",
        "rmvars nosuch",
        "rl",
        "rl &1",
        "mrl &1 &2",
        "clearvars",
        "showvars",
        "rl",
    ],
    &[
        "as",
        "lassociations",
        "passociations",
        "lpassociations",
        "pe",
        "peers -4",
        "peers -6",
        "apeers",
        "lpeers",
        "opeers",
        "lopeers",
        "nosuch",
        "p",
        "a",
        "re",
    ],
    &[
        "rv",
        "rv 0",
        "rv &1",
        "rv &2",
        "rv &9",
        "rv &x",
        "rv 70000",
        "rv x",
        "rv 0 leap,stratum",
        "rv 0 nosuch",
        "rv &1 srcadr,reach,flash,filtdelay",
        "readvar 0 sys_jitter",
        "mrv &1 &2 refid",
        "mrv &2 &1",
        "cv",
        "cv &1",
        "cv &2",
        "cl",
        "clockvar &1 device,poll",
    ],
    &[
        "pstats &1",
        "pstats &2",
        "pstats",
        "sysinfo",
        "sysstats",
        "kerninfo",
        "monstats",
        "authinfo",
        "iostats",
        "timerstats",
        "mrulist",
        "mrulist sort=addr",
        "raw",
        "rv 0",
        "rv &1",
        "sysinfo",
        "cooked",
    ],
    &[
        "keyid 1",
        "passwd three.blind.mice",
        "ifstats",
        "reslist",
        "saveconfig",
        "saveconfig ../x",
        "writevar 0 foo=1",
        "writevar 0 leap=1",
        "writevar",
        ":config",
        ":config bogus",
        ":config restrict 10.9.9.9 bogus",
        ":config logfile x",
        ":config server 192.0.2.7",
        "as",
        "quit",
    ],
];

/// What a program says, all numbers and times alike: a moment passes between the two.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' => {}
            ' ' if masked.ends_with(' ') => {}
            '0'..='9' | '+' | '-' if letters.peek().is_some_and(char::is_ascii_digit) => {
                if !masked.ends_with('#') {
                    masked.push('#');
                }
            }
            '0'..='9' if masked.ends_with('#') => {}
            '0'..='9' => masked.push('#'),
            _ => masked.push(letter),
        }
    }
    without_times(&masked)
}

/// Times are hexadecimal and followed by a date: `clock=` and its like tell which.
fn without_times(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        for name in ["clock=", "reftime=", "rec=", "org=", "xmt=", "time: "] {
            if let Some(at) = line.find(name) {
                let (start, rest) = line.split_at(at + name.len());
                let after = rest.find(',').map_or("", |comma| &rest[comma..]);
                // A date holds commas of its own.
                let after = after.rfind(", ").map_or("", |_| "");
                line = format!("{start}T{after}");
            }
        }
        out.push(line);
    }
    out.join("\n")
}

fn run(host: &Host, program: &Path, group: &[&str]) -> Run {
    let mut command = host.command(program);
    command.arg("-n").stdin(Stdio::null());
    for line in group {
        command.args(["-c", line]);
    }
    Run::of(command.arg("127.0.0.1"))
}

/// What a program says, on either of its outputs.
fn said(host: &Host, program: &Path, group: &[&str]) -> String {
    let Run { stdout, stderr, .. } = run(host, program, group);
    masked(&format!("{stdout}\nerrors:\n{stderr}"))
}

/// The same, at the latest at the third try: what the daemon has to say may change in between.
fn compare(host: &Host, reference: &Path, group: &[&str]) {
    let mut said_last = Vec::new();
    for _ in 0..3 {
        let theirs = said(host, reference, group);
        let ours = said(host, &built("ntpq"), group);
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
    let program = reference.program("ntpq");
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
    saves(ours, &reference.program("ntpq"));
}

/// What was changed is saved, in a new file for the owner alone, and starts a daemon.
fn saves(host: &Host, program: &Path) {
    let group = [
        "keyid 1",
        "passwd three.blind.mice",
        ":config server 192.0.2.8",
        ":config unpeer 192.0.2.7",
        "saveconfig saved.conf",
        "saveconfig saved.conf",
    ];
    let said = run(host, program, &group).stdout;
    assert!(
        said.contains("Configuration saved to 'saved.conf'"),
        "{said}"
    );
    assert!(said.contains("'saved.conf': File exists"), "{said}");
    let file = host.directory.join("saved.conf");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let saved = std::fs::read_to_string(&file).unwrap();
    assert!(
        saved.contains("server 192.0.2.8\n") && !saved.contains("server 192.0.2.7"),
        "{saved}"
    );
    let mut command = host.command(built("ntpd"));
    let checked = Run::of(command.args(["--check-config", "-c", "saved.conf"]));
    assert_eq!(checked.code, 0, "{checked:?}");
}
