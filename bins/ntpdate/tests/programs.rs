//! The program itself, against a small server in this process, and on virtual clocks only.
#![allow(clippy::unwrap_used)] // Helpers of tests may fail as tests do.

#[path = "programs/server.rs"]
mod server;
#[path = "programs/sntp.rs"]
mod sntp;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ntp_discipline::Clock;
use ntp_os::{ClockSpec, SystemClock};
use ntp_wire::{Leap, ReferenceId, Stratum, WireTimestamp};
use tempfile::TempDir;

use crate::server::Server;

/// A folder with the state of a virtual clock that begins `offset` seconds ahead.
struct Bench {
    directory: TempDir,
    offset: f64,
}

impl Bench {
    fn new(offset: f64) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            offset,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn clock(&self) -> String {
        let state = self.file("clock");
        format!("virtual:offset={},state={}", self.offset, state.display())
    }

    /// Runs the program on the virtual clock.
    fn run(&self, server: &Server, arguments: &[&str]) -> Ran {
        ntpdate(&[
            &["--clock", &self.clock(), "--port", &server.port()],
            arguments,
            &["127.0.0.1"],
        ])
    }

    /// How far the virtual clock is ahead of the machine's now.
    fn ahead(&self) -> f64 {
        let clock = SystemClock::open(&self.clock().parse().unwrap()).unwrap();
        let machine = SystemClock::open(&ClockSpec::None).unwrap();
        (clock.read().wall - machine.read().wall).to_seconds_f64()
    }

    fn keys(&self, text: &str, mode: u32) -> String {
        let path = self.file("ntp.keys");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.display().to_string()
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    output: String,
    errors: String,
}

fn ntpdate(arguments: &[&[&str]]) -> Ran {
    program(env!("CARGO_BIN_EXE_ntpdate"), arguments)
}

fn program(path: &str, arguments: &[&[&str]]) -> Ran {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(path)
        .args(arguments.concat())
        .env("TZ", "UTC")
        .output()
        .unwrap();
    Ran {
        code: status.code(),
        output: String::from_utf8(stdout).unwrap(),
        errors: String::from_utf8(stderr).unwrap(),
    }
}

impl Ran {
    /// The offset at the end of the line that contains `text`, in seconds.
    fn offset_after(&self, text: &str) -> f64 {
        let (_, rest) = self
            .output
            .split_once(text)
            .unwrap_or_else(|| panic!("no '{text}' in {self:?}"));
        let word = rest.split([' ', ',', '\n']).next().unwrap();
        word.parse().unwrap()
    }

    fn failed_with(&self, text: &str) {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.errors.contains(text), "{self:?}");
        assert!(!self.output.contains(" time server "), "{self:?}");
    }
}

/// A busy machine may hold a datagram up.
fn is_about(value: f64, expected: f64) -> bool {
    (value - expected).abs() < 0.14
}

const UNSUITABLE: &str = "no server suitable for synchronization found";

#[test]
fn a_large_offset_is_stepped() {
    let server = Server::start(|_| {});
    let bench = Bench::new(37.0);
    let ran = bench.run(&server, &["-p", "1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let offset = ran.offset_after("step time server 127.0.0.1 offset ");
    assert!(is_about(offset, -37.0), "{ran:?}");
    assert!(is_about(bench.ahead(), 0.0));
    // A second time there is nothing left to step.
    let ran = bench.run(&server, &["-p", "1"]);
    let offset = ran.offset_after("adjust time server 127.0.0.1 offset ");
    assert!(is_about(offset, 0.0), "{ran:?}");
}

#[test]
fn small_offsets_are_stepped_only_on_demand() {
    let server = Server::start(|_| {});
    let bench = Bench::new(0.3);
    let ran = bench.run(&server, &["-p1", "-u"]);
    assert!(is_about(
        ran.offset_after("adjust time server 127.0.0.1 offset "),
        -0.3
    ));
    // The clock is being slewed, which takes ten minutes.
    assert!(is_about(bench.ahead(), 0.3));
    let state = fs::read_to_string(bench.file("clock")).unwrap();
    assert!(
        state.contains("rate -500\n") && state.contains("slew "),
        "{state}"
    );
    let ran = bench.run(&server, &["-bp1"]);
    assert!(is_about(
        ran.offset_after("step time server 127.0.0.1 offset "),
        -0.3
    ));
    assert!(is_about(bench.ahead(), 0.0));
}

#[test]
fn large_offsets_are_slewed_on_demand() {
    let server = Server::start(|_| {});
    let bench = Bench::new(-5.0);
    let ran = bench.run(&server, &["-B", "-p", "1"]);
    assert_eq!(ran.code, Some(0));
    assert!(is_about(
        ran.offset_after("adjust time server 127.0.0.1 offset "),
        5.0
    ));
    assert!(is_about(bench.ahead(), -5.0));
}

#[test]
fn asking_changes_nothing() {
    let server = Server::start(|header| header.stratum = Stratum::new(3));
    let bench = Bench::new(37.0);
    for option in ["-q", "-qb", "-d", "-db"] {
        let ran = bench.run(&server, &[option, "-p", "1"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(is_about(
            ran.offset_after("step time server 127.0.0.1 offset "),
            -37.0
        ));
        assert!(is_about(bench.ahead(), 37.0), "{option}");
    }
    let ran = bench.run(&server, &["-q"]);
    assert!(
        ran.output
            .starts_with("server 127.0.0.1, stratum 3, offset -3"),
        "{ran:?}"
    );
    assert!(is_about(ran.offset_after(", offset "), -37.0), "{ran:?}");
    assert!(ran.offset_after(", delay ") < 0.28, "{ran:?}");
}

#[test]
fn the_whole_exchange_can_be_watched() {
    let server = Server::start(|header| {
        header.stratum = Stratum::PRIMARY;
        header.reference_id = ReferenceId::from_text("GPS");
    });
    let ran = Bench::new(1.0).run(&server, &["-dp1"]);
    for line in [
        "host found : 127.0.0.1\n",
        "transmit(127.0.0.1)\nreceive(127.0.0.1)\n",
        &format!("server 127.0.0.1, port {}\n", server.port()),
        "refid [GPS], root delay 0.000000",
        "\noriginate timestamp: ",
        "ntpdate Meridian ",
    ] {
        assert!(ran.output.contains(line), "{line}: {ran:?}");
    }
}

#[test]
fn samples_are_taken_two_seconds_apart() {
    let server = Server::start(|_| {});
    let ran = Bench::new(1.0).run(&server, &["-q", "-p", "2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let times = server.requests();
    assert_eq!(times.len(), 2);
    let apart = (times[1].at - times[0].at).as_secs_f64();
    assert!((1.9..5.0).contains(&apart), "{apart}");
    // What stands for the time of sending says nothing, and is never the same.
    assert_ne!(times[0].header.transmit_time, times[1].header.transmit_time);
}

#[test]
fn servers_that_are_not_right_are_not_followed() {
    let cases: [fn(&mut ntp_wire::Header); 5] = [
        |header| header.stratum = Stratum::UNSYNCHRONISED,
        |header| header.leap = Leap::Unsynchronised,
        |header| header.transmit_time = WireTimestamp::ZERO,
        |header| header.origin_time = WireTimestamp::from_bits(42),
        |header| header.reference_time = WireTimestamp::from_bits(1),
    ];
    for change in cases {
        let server = Server::start(change);
        let bench = Bench::new(37.0);
        bench
            .run(&server, &["-b", "-p1", "-t", "0.3"])
            .failed_with(UNSUITABLE);
        assert!(is_about(bench.ahead(), 37.0));
    }
}

#[test]
fn a_kiss_of_death_ends_it() {
    let server = Server::start(|header| {
        header.stratum = Stratum::UNSPECIFIED;
        header.leap = Leap::Unsynchronised;
        header.reference_id = ReferenceId::from_text("RATE");
    });
    let ran = Bench::new(37.0).run(&server, &["-b", "-t", "1"]);
    ran.failed_with("127.0.0.1 rate limit response from server.");
    ran.failed_with(UNSUITABLE);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_silent_server_is_waited_for_only_so_long() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let start = std::time::Instant::now();
    let ran = ntpdate(&[&["-q", "-t", "0.2", "--port", &port, "127.0.0.1"]]);
    ran.failed_with(UNSUITABLE);
    assert!(start.elapsed().as_secs_f64() < 10.0);
}

#[test]
fn a_silent_server_beside_a_good_one_does_no_harm() {
    let server = Server::start(|_| {});
    let ran = ntpdate(&[&[
        "-q",
        "-t",
        "1",
        "--clock",
        "virtual:offset=4",
        "--port",
        &server.port(),
        "127.0.0.7",
        "127.0.0.1",
    ]]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(is_about(
        ran.offset_after("step time server 127.0.0.1 offset "),
        -4.0
    ));
    assert_eq!(ran.output.matches("server 127.0.0.7").count(), 0);
}

#[test]
fn the_right_key_opens() {
    let server = Server::start_with_key(3, "SHA1", "hunting-high-and-low");
    let bench = Bench::new(37.0);
    let keys = bench.keys("1 MD5 other\n3 SHA1 hunting-high-and-low\n", 0o640);
    let ran = bench.run(&server, &["-bp1", "-a", "3", "-k", &keys]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(is_about(bench.ahead(), 0.0));
    assert!(server.requests().iter().all(|request| request.is_authentic));
}

#[test]
fn the_wrong_key_does_not() {
    let server = Server::start_with_key(3, "SHA1", "hunting-high-and-low");
    for keys in ["3 SHA1 hunting-low\n", "3 MD5 hunting-high-and-low\n"] {
        let bench = Bench::new(37.0);
        let keys = bench.keys(keys, 0o600);
        let ran = bench.run(&server, &["-bdp1", "-a", "3", "-k", &keys]);
        ran.failed_with(UNSUITABLE);
        assert!(
            ran.output.contains("receive: authentication failed"),
            "{ran:?}"
        );
        assert!(ran.output.contains("Server is untrusted"), "{ran:?}");
    }
    // Nor does a server without any.
    let server = Server::start(|_| {});
    let bench = Bench::new(37.0);
    let keys = bench.keys("3 SHA1 hunting-high-and-low\n", 0o600);
    bench
        .run(&server, &["-bp1", "-a3", "-k", &keys])
        .failed_with(UNSUITABLE);
    assert!(is_about(bench.ahead(), 37.0));
}

#[test]
fn keys_that_cannot_be_used_are_told() {
    let server = Server::start(|_| {});
    let bench = Bench::new(0.0);
    let run = |path: &str| bench.run(&server, &["-q", "-a", "9", "-k", path]);
    run("/no/such/keys").failed_with("cannot read /no/such/keys");
    let keys = bench.keys("9 MD5 secret\n", 0o644);
    run(&keys).failed_with("every user may read the key file");
    let keys = bench.keys("8 MD5 secret\n7 ROT13 secret\n", 0o600);
    let ran = run(&keys);
    ran.failed_with("authentication key 9 unknown");
    ran.failed_with("line 2");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn wrong_use_is_told() {
    for arguments in [&["-Z"][..], &["-p", "9", "x"], &["-b", "-B", "x"]] {
        assert_eq!(ntpdate(&[arguments]).code, Some(2), "{arguments:?}");
    }
    ntpdate(&[&["-q"]]).failed_with("no servers can be used, exiting");
    let ran = ntpdate(&[&["-q", "not a name"]]);
    ran.failed_with("Can't find host not a name: ");
    ran.failed_with("no servers can be used, exiting");
    let ran = ntpdate(&[&["--clock", "sundial", "x"]]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.errors.contains("there is no clock 'sundial'"),
        "{ran:?}"
    );
    ntpdate(&[&["--clock", "none", "127.0.0.1"]]).failed_with("is never set: use -q");
}

#[test]
fn ipv6_is_as_good() {
    let server = Server::start_ipv6();
    let clock = ["--clock", "virtual:offset=9", "--port", &server.port()];
    let ran = ntpdate(&[&clock, &["-6p1", "::1"]]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(is_about(
        ran.offset_after("step time server ::1 offset "),
        -9.0
    ));
    let ran = ntpdate(&[&clock, &["-4p1", "::1"]]);
    ran.failed_with("Can't find host ::1: ::1 has no address of the family V4");
}

#[test]
fn a_source_address_is_kept() {
    let server = Server::start(|_| {});
    let ran = Bench::new(2.0).run(&server, &["-qv", "--source", "127.0.0.44"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let from = server.requests()[0].from;
    assert_eq!(from.to_string(), "127.0.0.44");
    let ran = Bench::new(2.0).run(&server, &["-q", "--source", "192.0.2.1"]);
    ran.failed_with("cannot bind to UDP 192.0.2.1:0");
}

/// It must end before it asks anybody, and above all not set the clock: so the capability is
/// taken from it, and if that is not possible the test does not run the program.
#[test]
fn without_permission_nothing_is_asked() {
    if !Path::new("/usr/bin/setpriv").exists() {
        return;
    }
    let server = Server::start(|_| {});
    let without = |program: &str| {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--bounding-set=-sys_time", "--inh-caps=-sys_time", program]);
        command
    };
    let status = without("/bin/cat")
        .arg("/proc/self/status")
        .output()
        .unwrap();
    let status = String::from_utf8(status.stdout).unwrap();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:\t"))
        .and_then(|set| u64::from_str_radix(set, 16).ok());
    const CAP_SYS_TIME: u64 = 1 << 25;
    if effective.is_none_or(|set| set & CAP_SYS_TIME != 0) {
        return;
    }
    let output = without(env!("CARGO_BIN_EXE_ntpdate"))
        .args(["--port", &server.port(), "127.0.0.1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("not allowed to set the clock"), "{errors}");
    assert_eq!(server.requests().len(), 0);
}
