//! The daemon on a machine whose network card stamps packets: a card that a library makes up.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use meridian_harness::{Loopback, Program, Run, free_port, skip, wait_for};
use ntp_wire::{Header, Mode, Timestamp, WireTimestamp};

/// So much before the kernel the card has a packet, in seconds.
const WAY_IN: f64 = 0.005;
/// And so much after the kernel a packet that leaves.
const WAY_OUT: f64 = 0.001;
/// Clocks are compared, and both programs' clocks read, this exactly.
const EXACTLY: f64 = 0.000_3;

#[test]
fn stamps_of_the_card_are_taken() {
    let host = Loopback::new("server", 1, free_port());
    let library = host.directory().join("card.so");
    if !compile(&library) {
        return skip("a card that stamps packets", "gcc is not there");
    }
    let notes = host.directory().join("notes");
    let start = |text: &str| {
        let mut command = host.ntpd(text);
        command
            .env("LD_PRELOAD", &library)
            .env("CARD_INTERFACE", "lo")
            .env("CARD_NOTES", &notes);
        Program::start(&mut command, host.directory().join("ntpd.log")).unwrap()
    };

    // The card does nothing that it was not asked for.
    let mut daemon = start("threads 1\n");
    let exchange = Exchange::with(&host, None);
    assert!(exchange.is_by_kernel(), "{exchange:?}");
    assert_eq!(daemon.stop(), 0, "{}", daemon.log());
    assert!(!notes.exists());

    let mut daemon = start("threads 1\nhwtimestamp lo there-is-none\n");
    let told = "hwtimestamp lo: packets are stamped by the clock ptp7 of the card";
    assert!(
        daemon.says(told, Duration::from_secs(10)),
        "{}",
        daemon.log()
    );
    let refused = "hwtimestamp there-is-none: there is no such interface";
    assert!(daemon.log().contains(refused), "{}", daemon.log());
    // Once the clocks were compared twice.
    wait_for(
        Duration::from_secs(10),
        "stamps of the card",
        || (!Exchange::with(&host, None).is_by_kernel()).then_some(()),
        || daemon.log(),
    );
    for _ in 0..5 {
        let exchange = Exchange::with(&host, None);
        let (before, after) = exchange.around(exchange.reply.receive_time);
        assert!(before < WAY_IN + EXACTLY, "{exchange:?}");
        assert!(after > WAY_IN - EXACTLY, "{exchange:?}");
    }

    // An interleaved reply tells of the departure of the one before.
    let plain = Exchange::with(&host, None);
    let first = Exchange::with(&host, Some(&plain));
    let second = Exchange::with(&host, Some(&first));
    let (before, after) = first.around(second.reply.transmit_time);
    assert!(-before > WAY_OUT - EXACTLY, "{first:?} {second:?}");
    assert!(-after < WAY_OUT + EXACTLY, "{first:?} {second:?}");

    assert_eq!(daemon.stop(), 0, "{}", daemon.log());
    // Packets that leave, and all that come: this one has no filter for NTP alone.
    let notes = fs::read_to_string(&notes).unwrap();
    assert_eq!(notes.matches("stamp 1 1\n").count(), 1, "{notes}");
}

/// A request and its reply.
#[derive(Debug)]
struct Exchange {
    sent: Timestamp,
    reply: Header,
    arrived: Timestamp,
}

impl Exchange {
    /// Asks, interleaved if an exchange before is given.
    fn with(host: &Loopback, before: Option<&Self>) -> Self {
        let mut request = Header {
            mode: Mode::Client,
            transmit_time: WireTimestamp::from_bits(0x0123_4567_89ab_cdef),
            ..Header::default()
        };
        if let Some(before) = before {
            request.origin_time = before.reply.receive_time;
            request.receive_time = WireTimestamp::from_bits(0xfedc_ba98_7654_3210);
        }
        let mut packet = [0; Header::LENGTH];
        request.emit(&mut packet);
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        // The daemon may still be starting.
        for _ in 0..20 {
            let sent = now();
            socket.send_to(&packet, host.address).unwrap();
            let mut reply = [0; Header::LENGTH];
            if let Ok(length) = socket.recv(&mut reply) {
                let arrived = now();
                assert_eq!(length, Header::LENGTH);
                let reply = Header::parse(&reply).unwrap();
                return Self {
                    sent,
                    reply,
                    arrived,
                };
            }
        }
        panic!("there is no answer");
    }

    /// How long before the request was sent, and before the reply was there, `time` was, in seconds.
    fn around(&self, time: WireTimestamp) -> (f64, f64) {
        let time = time.near(self.sent);
        let before = |end: Timestamp| (end - time).to_seconds_f64();
        (before(self.sent), before(self.arrived))
    }

    /// Whether the request had come when it could have.
    fn is_by_kernel(&self) -> bool {
        let (before, _) = self.around(self.reply.receive_time);
        before < EXACTLY
    }
}

fn now() -> Timestamp {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    Timestamp::from_unix(now.as_secs() as i64, now.subsec_nanos())
}

/// `false` if there is no compiler.
fn compile(library: &Path) -> bool {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/card.c");
    let mut gcc = Command::new("gcc");
    let there = Command::new("gcc").arg("--version").output();
    if !there.is_ok_and(|output| output.status.success()) {
        return false;
    }
    gcc.args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
        .arg(library)
        .args([source, "-ldl"]);
    Run::successfully(&mut gcc);
    true
}
