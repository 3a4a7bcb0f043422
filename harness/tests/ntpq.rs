//! The reference's ntpq and ours, asked the same of the same daemon, command by command.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use meridian_harness::{
    Host, Network, Peers, Program, Reference, Run, built, can_make_networks, skip, wait_for,
};

const CONF: &str = "\
server 127.127.1.0 prefer minpoll 3 maxpoll 3
fudge 127.127.1.0 stratum 1
server 192.0.2.7
tos maxdist 16
keys ntp.keys
trustedkey 1 2
controlkey 1
restrict 192.0.2.0 mask 255.255.255.0 nomodify noquery
saveconfigdir .
";

const KEYS: &str = "\
1 M three.blind.mice
2 SHA1 0123456789abcdef0123456789abcdef01234567
";

/// Questions that change nothing, a group to a run of the program.
const GROUPS: [&[&str]; 9] = [
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
    &[
        "mrulist sort=-addr",
        "mrulist sort=count",
        "mrulist sort=-avgint",
        "mrulist sort=-lstint",
        "mrulist sort=bogus",
        "mrulist sort",
        "mrulist mincount=2",
        "mrulist mincount=1000",
        "mrulist mincount",
        "mrulist resany=0x40",
        "mrulist resall=0x0",
        "mrulist kod",
        "mrulist limited",
        "mrulist laddr=127.0.0.1",
        "mrulist maxlstint=1000",
        "mrulist recent=5",
        "mrulist mincount=1 sort=addr limited",
        "mrulist foo=1",
    ],
    &[
        "rv &0",
        "rv 0 \"leap\"",
        "rv 0 leap, stratum",
        "rv &1 leap=3,reach",
        "rv 65536",
        "rv 9",
        "mrv 0 0",
        "mrl &1",
        "mrl 0 0",
        "pstats 0",
        "pstats &9",
        "addvars",
        "addvars =",
        "addvars a=",
        "addvars a=b",
        "showvars",
        "rmvars",
        "cv 9",
        "cv &1 nosuch",
        "peers 4",
        "apeers -6",
        "host -x foo",
        "host 127.0.0.1 foo",
        "host -6 127.0.0.1",
        "host -4 127.0.0.1",
        "host [::1]",
        "host",
        "hostnames foo",
        "debug foo",
        "delay x",
        "poll x",
        "timeout 1.5",
        "drefid h",
        "as >",
        "as > /nonexistent/x",
    ],
    &[
        "keyid 2",
        "keytype sha1",
        "passwd 0123456789abcdef0123456789abcdef01234567",
        "reslist",
        "keyid 1",
        "keytype md5",
        "passwd three.blind.mice",
        "writelist",
        "addvars foo=1",
        "writelist",
        "writelist &1",
        "writevar &1 reach=1",
        "config-from-file lines",
        "config-from-file nosuch",
        "config-from-file",
        ":config tos maxdist 16;",
        "raw",
        "ifstats",
        "rl",
        "cv &1",
        "pstats &1",
        "authenticate yes",
        "rv 0 leap",
    ],
];

/// Command lines; several hosts, some of which are not there, and options.
const LINES: [&str; 12] = [
    "-n -c mru -p 127.0.0.1",
    "-n -p -c as 127.0.0.1",
    "-w -c apeers -c opeers 127.0.0.1",
    "-n -p 127.0.0.1 ::1 localhost",
    "-n -c peers -c as -c sysinfo 127.0.0.1 nosuch.invalid",
    "-n -c rv -c rl -c cv 127.0.0.1 localhost",
    "-n -c raw -c rv -c lopeers 127.0.0.1 localhost",
    "-n -c lpassociations -c pstats -c mrv nosuch.invalid 127.0.0.1",
    "-4 -np ::1",
    "-6 -np 127.0.0.1",
    "-n4 --refid=hash -c lpeers --old-rv -cas localhost",
    "-p --numeric -6 ::1 [::1]",
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

/// What is said to a whole command line.
fn said_to_line(host: &Host, program: &Path, line: &str) -> String {
    let mut command = host.command(program);
    command.stdin(Stdio::null()).args(line.split(' '));
    let Run {
        stdout,
        stderr,
        code,
        ..
    } = Run::of(&mut command);
    masked(&format!("{stdout}\nerrors:\n{stderr}\n{code}"))
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
fn compare(
    what: &(impl std::fmt::Debug + ?Sized),
    reference: &Path,
    said: impl Fn(&Path) -> String,
) {
    let mut said_last = Vec::new();
    for _ in 0..3 {
        let theirs = said(reference);
        let ours = said(&built("ntpq"));
        if theirs == ours {
            return;
        }
        said_last = vec![theirs, ours];
    }
    let [theirs, ours] = &said_last[..] else {
        unreachable!("there were three tries");
    };
    let differ = theirs.lines().zip(ours.lines()).find(|(a, b)| a != b);
    panic!("{what:?}\n{differ:?}\nreference:\n{theirs}\n\nours:\n{ours}");
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
        compare(group, &program, |program| said(host, program, group));
    }
    for line in LINES {
        compare(&line, &program, |program| said_to_line(host, program, line));
    }
    screen(host);
}

/// The one screen tells of either daemon, in text and as a picture.
fn screen(host: &Host) {
    let ntpmon = |option: &[&str]| {
        let mut command = host.command(built("ntpmon"));
        Run::successfully(command.args(option).arg("127.0.0.1")).stdout
    };
    let text = ntpmon(&["--once"]);
    for part in [
        "Clock: synchronised",
        "stratum 2",
        "* 127.127.1.0: followed",
        "frequency ",
        "polls ",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let picture = ntpmon(&["--picture", "2", "--interval", "1"]);
    for part in ["<svg ", "127.127.1.0", "watching", "</svg>"] {
        assert!(picture.contains(part), "{part} in {picture}");
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
        host.write("ntp.keys", KEYS);
        host.write("lines", "# a note\nrestrict 10.9.9.8 # another\n\nbogus\n");
        host.shell("chmod 600 ntp.keys");
    }
    let (theirs, ours) = (&network.server, &network.client);
    let their_daemon = reference.ntpd(theirs, &PathBuf::from("ntp.conf"));
    let mut command = ours.command(built("ntpd"));
    command.args(["-n", "-g", "-c", "ntp.conf", "--clock", "virtual"]);
    let our_daemon = ours.start(&mut command, "ntpd.log");
    check(&reference, theirs, &their_daemon);
    check(&reference, ours, &our_daemon);
    drop(their_daemon);
    ntpsec(&reference, theirs);
    saves(ours, &reference.program("ntpq"));
}

/// Of NTPsec's daemon our ntpq says what the reference's does, where it is at hand. It has no local
/// clock, so it is not synchronised.
fn ntpsec(reference: &Reference, host: &Host) {
    let Some(peers) = Peers::find() else {
        skip("ntpq with NTPsec's daemon", "it is not at hand");
        return;
    };
    // It lets nobody ask unless it is told to.
    let text = CONF.replace("saveconfigdir .\n", "restrict 127.0.0.1\nrestrict ::1\n");
    host.write("ntpsec.conf", &text);
    let daemon = peers.ntpsec(host, &PathBuf::from("ntpsec.conf"));
    wait_for(
        Duration::from_secs(60),
        "NTPsec's daemon to answer",
        || host.ask("rv 0 stratum").contains("stratum=").then_some(()),
        || daemon.log(),
    );
    let program = reference.program("ntpq");
    // Of its addresses it says less than the reference's ntpq wants, which warns of that in each row;
    // and in `filtdelay` of a source that never answered it sends octets at random.
    let is_at_random = |line: &&&str| {
        let mut starts = ["rv &", "rl &", "mrl", "mrv &2"].iter();
        starts.any(|start| line.starts_with(start))
    };
    let groups = GROUPS.iter().filter(|group| !group.contains(&"ifstats"));
    for group in groups {
        let lines = group.iter().filter(|line| !is_at_random(line));
        let lines: Vec<&str> = lines.copied().collect();
        compare(&lines, &program, |program| said(host, program, &lines));
    }
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
