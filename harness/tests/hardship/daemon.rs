//! The daemon by itself: its start, its size, its other ways to run.

use std::{
    fs,
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use meridian_harness::{Loopback, Program, Run, free_port};

use crate::{LOCAL_CLOCK, time_request, wait_for_time};

/// How long that takes depends on the machine, so it is said, not judged.
#[test]
fn the_first_answer() {
    let host = Loopback::new("server", 1, free_port());
    let mut command = host.ntpd(LOCAL_CLOCK);
    let client = UdpSocket::bind("127.0.0.2:0").unwrap();
    client
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    let start = Instant::now();
    let mut process = Program::start(&mut command, host.directory().join("log")).unwrap();
    let mut reply = [0; 64];
    loop {
        client.send_to(&time_request(), host.address).unwrap();
        if client.recv_from(&mut reply).is_ok() {
            break;
        }
        assert!(process.is_running(), "{}", process.log());
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    eprintln!("first answer after {:?}", start.elapsed());
    assert_eq!(reply[0] & 7, 4);
    assert_eq!(reply[24..32], *b"whenever");
}

#[test]
fn it_is_small_when_idle() {
    let host = Loopback::new("server", 1, free_port());
    host.keygen("-T -I -p redhat");
    let process = host.start(&format!(
        "{LOCAL_CLOCK}crypto host server pw redhat\nkeysdir keys\n"
    ));
    wait_for_time(&host, &process);
    thread::sleep(Duration::from_secs(2));
    let status = fs::read_to_string(format!("/proc/{}/status", process.process())).unwrap();
    // What it holds itself: how much of the program lies in memory depends on how it was built.
    let own: u32 = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap()
        .parse()
        .unwrap();
    eprintln!("{own} KiB of its own\n{status}");
    assert!(own < 2 * 1024, "{own} KiB of its own");
}

#[test]
fn quit_sets_the_clock_and_ends() {
    let port = free_port();
    let server = Loopback::new("server", 1, port);
    let process = server.start(LOCAL_CLOCK);
    wait_for_time(&server, &process);
    for (clock, wanted, offset) in [
        ("virtual:offset=37,state=clock", "ntpd: time set ", -37.0),
        ("virtual:state=clock", "ntpd: time slew ", 0.0),
    ] {
        let client = Loopback::new("client", 2, port);
        let state = server.directory().join("client-clock");
        let clock = clock.replace("=clock", &format!("={}", state.display()));
        let mut command = client.ntpd("server 127.0.0.1 iburst\n");
        let run = Run::successfully(command.args(["-q", "--clock", &clock]));
        let said = run.stdout.strip_prefix(wanted).expect(&run.stdout);
        let said: f64 = said.trim_end().trim_end_matches('s').parse().unwrap();
        assert!((said - offset).abs() < 0.12, "{run:?}");
    }
}

#[test]
fn check_config_points_at_what_is_wrong() {
    let host = Loopback::new("server", 1, 1);
    host.write("good.conf", LOCAL_CLOCK);
    host.write(
        "bad.conf",
        "server 127.0.0.1 iburst minpoll 99\nservre 127.0.0.1\n",
    );
    let check = |file: &str| Run::of(host.command("ntpd").args(["--check-config", "-c", file]));
    let good = check("good.conf");
    assert_eq!(good.code, 0, "{good:?}");
    let bad = check("bad.conf");
    assert_eq!(bad.code, 1, "{bad:?}");
    for wanted in ["bad.conf:1:", "bad.conf:2:", "servre", "^", "2 problems"] {
        assert!(bad.stderr.contains(wanted), "no {wanted} in {}", bad.stderr);
    }
    let absent = check("absent.conf");
    assert_eq!(absent.code, 1, "{absent:?}");
    assert!(absent.stderr.contains("absent.conf"), "{absent:?}");
}
