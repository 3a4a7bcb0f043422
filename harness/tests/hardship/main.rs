//! What goes wrong in the field: wrong passwords and keys, closed doors, power cuts. The programs
//! say what is wrong, and nothing is followed that should not be.
//!
//! All on loopback addresses, with virtual clocks: it takes no root.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

mod access;
mod autokey;
mod daemon;
mod files;
mod metrics;
mod threads;

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use meridian_harness::{Loopback, Program, wait_for};

/// A server that gives the time of its own clock.
const LOCAL_CLOCK: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";

/// Waits until the daemon on `host` gives time.
fn wait_for_time(host: &Loopback, process: &Program) {
    wait_for(
        Duration::from_secs(15),
        "the server to give time",
        || host.ask("rv 0 stratum").contains("stratum=2").then_some(()),
        || process.log(),
    );
}

/// What `server` answers to `packet` from 127.0.0.`last`, if it does so within a second.
fn ask_raw(server: SocketAddr, last: u8, packet: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0)).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    socket.send_to(packet, server).unwrap();
    let mut reply = [0; 1024];
    let (length, from) = socket.recv_from(&mut reply).ok()?;
    assert_eq!(from, server);
    Some(reply[..length].to_vec())
}

/// A client's request of version 4.
fn time_request() -> [u8; 48] {
    let mut packet = [0; 48];
    packet[0] = 0x23;
    packet[40..].copy_from_slice(b"whenever");
    packet
}
