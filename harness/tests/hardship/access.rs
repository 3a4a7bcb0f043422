//! `restrict`: who is served, and who may ask what.

use std::time::Duration;

use meridian_harness::{Loopback, Program, free_port, wait_for};
use ntp_wire::control::{ControlHeader, ControlMessage, Opcode};

use crate::{LOCAL_CLOCK, ask_raw, time_request, wait_for_time};

/// A server that lets 127.0.0.1 do everything, and has `lines` for others.
fn server(lines: &str) -> (Loopback, Program) {
    let server = Loopback::new("server", 1, free_port());
    let process = server.start(&format!("{LOCAL_CLOCK}{lines}restrict 127.0.0.1\n"));
    wait_for_time(&server, &process);
    (server, process)
}

fn control(opcode: Opcode, data: &[u8]) -> Vec<u8> {
    let mut packet = [0; 512];
    let length = ControlHeader::request(opcode, 1)
        .emit_message(data, &mut packet)
        .unwrap();
    packet[..length].to_vec()
}

/// A private request (mode 7): list of peers.
const PRIVATE: [u8; 8] = [0x17, 0, 3, 0, 0, 0, 0, 0];

#[test]
fn ignore_is_silence() {
    let (server, _process) = server("restrict default ignore\nrestrict 127.0.0.3\n");
    for packet in [
        &time_request()[..],
        &control(Opcode::READ_VARIABLES, b""),
        &PRIVATE,
        b"nonsense",
    ] {
        assert_eq!(ask_raw(server.address, 2, packet), None);
    }
    let reply = ask_raw(server.address, 3, &time_request()).expect("others are served");
    assert_eq!((reply[0] & 0x3f, reply[1]), (0x24, 2));
    assert_eq!(reply[24..32], *b"whenever");
}

#[test]
fn noquery_serves_time_and_answers_no_questions() {
    let server = Loopback::new("server", 1, free_port());
    let process = server.start(&format!("{LOCAL_CLOCK}restrict default noquery\n"));
    let reply = wait_for(
        Duration::from_secs(15),
        "the server to give time",
        || ask_raw(server.address, 2, &time_request()).filter(|reply| reply[1] == 2),
        || process.log(),
    );
    assert_eq!(reply.len(), 48);
    assert_eq!(reply[24..32], *b"whenever");
    for packet in [&control(Opcode::READ_VARIABLES, b"")[..], &PRIVATE] {
        assert_eq!(ask_raw(server.address, 2, packet), None);
    }
    // The same as a person meets it.
    let said = server.ask("rv 0 leap");
    assert!(
        said.contains("timed out") && !said.contains("leap="),
        "{said}"
    );
}

#[test]
fn nomodify_refuses_to_be_written() {
    let (server, process) = server("restrict default nomodify\n");
    let before = server.ask("rv 0 version,leap,stratum,refid");
    let question = control(Opcode::READ_VARIABLES, b"stratum");
    let answer = ask_raw(server.address, 2, &question).expect("questions are answered");
    let answer = ControlMessage::parse(&answer).unwrap();
    assert!(!answer.header().error && answer.data().starts_with(b"stratum="));
    for (opcode, data) in [
        (Opcode::WRITE_VARIABLES, &b"leap=1"[..]),
        (Opcode::CONFIGURE, b"server 127.0.0.9"),
    ] {
        let reply = ask_raw(server.address, 2, &control(opcode, data)).expect("a refusal");
        let reply = ControlMessage::parse(&reply).unwrap();
        assert!(reply.header().error, "{opcode:?}: {reply:?}");
        assert!(reply.data().is_empty());
    }
    assert_eq!(server.ask("rv 0 version,leap,stratum,refid"), before);
    assert!(!process.log().contains("127.0.0.9"), "{}", process.log());
}
