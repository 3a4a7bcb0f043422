//! ntpstat, ntp-wait and ntptrace, asking a server of a few lines on the loopback interface.

// Whatever goes wrong, the test shall fail.
#![allow(clippy::unwrap_used)]

#[path = "support/server.rs"]
mod server;

use std::{
    net::UdpSocket,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use server::serve;

/// What a program prints, both outputs one after the other, and its exit code.
fn run(program: &str, port: u16, arguments: &[&str]) -> (String, Option<i32>) {
    let output = Command::new(program)
        .args(["--port", &port.to_string()])
        .args(arguments)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8(text).unwrap(), output.status.code())
}

fn ntpstat(port: u16, arguments: &[&str]) -> (String, Option<i32>) {
    run(env!("CARGO_BIN_EXE_ntpstat"), port, arguments)
}

fn ntp_wait(port: u16, arguments: &[&str]) -> (String, Option<i32>) {
    let arguments = [arguments, &["127.0.0.1"]].concat();
    run(env!("CARGO_BIN_EXE_ntp-wait"), port, &arguments)
}

fn ntptrace(port: u16, arguments: &[&str]) -> (String, Option<i32>) {
    run(env!("CARGO_BIN_EXE_ntptrace"), port, arguments)
}

/// Where nobody listens.
fn closed() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

/// A daemon that follows a server over IPv6.
fn follower() -> u16 {
    serve(|header, names| match (header.association.value(), names) {
        (7, b"srcadr") => Ok((0x961a, b"srcadr=fd00::1\r\n".to_vec())),
        _ => Ok((
            0x0615,
            b"stratum=3, rootdelay=20.5, rootdisp=48.5, refid=123.45.67.89, peer=7, tc=6\r\n"
                .to_vec(),
        )),
    })
}

#[test]
fn ntpstat_tells_how_well_the_clock_is_kept() {
    let lines = "synchronised to NTP server (fd00::1) at stratum 3\n   \
                 time correct to within 59 ms\n   polling server every 64 s\n";
    let port = follower();
    assert_eq!(ntpstat(port, &[]), (lines.to_owned(), Some(0)));
    assert_eq!(ntpstat(port, &["-m", "59"]).1, Some(0));
    assert_eq!(ntpstat(port, &["-m", "58"]).1, Some(1));
}

#[test]
fn ntpstat_tells_when_it_is_not() {
    let port = serve(|_, _| Ok((0xc016, b"stratum=16, tc=3\r\n".to_vec())));
    let lines = "unsynchronised\n  time server re-starting\n   polling server every 8 s\n";
    assert_eq!(ntpstat(port, &[]), (lines.to_owned(), Some(1)));
    let nobody = "Unable to talk to NTP daemon. Is it running?\n".to_owned();
    assert_eq!(ntpstat(closed(), &[]), (nobody, Some(2)));
    assert_eq!(ntpstat(port, &["--nosuch"]).1, Some(3));
}

#[test]
fn ntp_wait_waits_until_the_leap_bits_say_so() {
    let asked = AtomicU32::new(0);
    let port = serve(move |_, names| {
        assert_eq!(names.trim_ascii_end(), b"leap");
        let leap = if asked.fetch_add(1, Ordering::Relaxed) < 5 {
            3
        } else {
            0
        };
        Ok((0, format!("leap={leap}\r\n").into_bytes()))
    });
    let text = "Waiting for ntpd to synchronize...  \u{8}+\u{8}:\u{8}.\u{8}*\u{8}+\u{8}OK!\n";
    let arguments = ["-v", "-s", "0"];
    assert_eq!(ntp_wait(port, &arguments), (text.to_owned(), Some(0)));
    assert_eq!(ntp_wait(port, &[]), (String::new(), Some(0)));
}

#[test]
fn ntp_wait_gives_up() {
    let port = serve(|_, _| Ok((0xc016, b"leap=3\r\n".to_vec())));
    let text = "Waiting for ntpd to synchronize...  \u{8}+\u{8}:\u{8}No!\n\
                ntpd did not synchronize.\n";
    assert_eq!(
        ntp_wait(port, &["-v", "-n2", "-s0"]),
        (text.to_owned(), Some(1))
    );
    let (text, code) = ntp_wait(closed(), &["-n", "3", "-s", "1"]);
    assert_eq!(
        text,
        "Leap status not available\nntpq: read: Connection refused\n"
    );
    assert_eq!(code, Some(1));
    assert_eq!(ntp_wait(port, &["-n", "x"]).1, Some(1));
}

#[test]
fn ntptrace_follows_the_servers() {
    let port = serve(|header, names| {
        Ok(match (header.association.value(), names) {
            (9, b"srcadr") => (0x961a, b"srcadr=127.0.0.1\r\n".to_vec()),
            _ => (
                0x0615,
                b"stratum=2, offset=0.25, rootdelay=1, rootdisp=2, refid=192.0.2.9, peer=9\r\n"
                    .to_vec(),
            ),
        })
    });
    let line = "127.0.0.1: stratum 2, offset 0.000250, synch distance 0.002500\n";
    // It leads to itself, which is noticed.
    let (text, code) = ntptrace(port, &["-n"]);
    let end = "127.0.0.1 was there before: the servers follow each other\n";
    assert_eq!(text, format!("{line}{line}{end}"));
    assert_eq!(code, Some(0));
    assert_eq!(ntptrace(port, &["-n", "-m", "1"]).0, line);
    assert_eq!(
        ntptrace(port, &["-n", "-m", "1", "-r", "127.0.0.1"]).0,
        line
    );

    let clock = serve(|_, _| {
        let data = b"stratum=1, offset=0, rootdelay=0, rootdisp=1, refid=GPS, peer=9\r\n";
        Ok((0x0415, data.to_vec()))
    });
    assert_eq!(
        ntptrace(clock, &["-n"]).0,
        "127.0.0.1: stratum 1, offset 0.000000, synch distance 0.001000, refid 'GPS'\n"
    );
    let (text, code) = ntptrace(closed(), &["-n"]);
    assert_eq!(text, "ntpq: read: Connection refused\n");
    assert_eq!(code, Some(0));
}
