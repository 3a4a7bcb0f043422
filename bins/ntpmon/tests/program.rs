//! `ntpmon --once` against servers of a few lines, friendly and hostile.
#![allow(clippy::unwrap_used)] // A test that cannot go on has failed.

use std::{
    net::UdpSocket,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use ntp_wire::{
    Leap,
    control::{ControlHeader, ControlMessage, ErrorCode, Fragments, Opcode},
};

/// Answers for as long as the test runs; returns its port.
fn serve(
    answer: impl Fn(&ControlHeader) -> Result<(u16, Vec<u8>), ErrorCode> + Send + 'static,
) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut request = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            let message = ControlMessage::parse(&request[..length]).unwrap();
            let mut reply = [0; 512];
            match answer(message.header()) {
                Err(code) => {
                    let header = message.header().refuse(Leap::None, code);
                    let length = header.emit_message(b"", &mut reply).unwrap();
                    socket.send_to(&reply[..length], from).unwrap();
                }
                Ok((status, data)) => {
                    for fragment in Fragments::new(&data).unwrap() {
                        let header = ControlHeader {
                            more: fragment.more,
                            offset: fragment.offset,
                            ..message.header().respond(Leap::None, status)
                        };
                        let length = header.emit_message(fragment.data, &mut reply).unwrap();
                        socket.send_to(&reply[..length], from).unwrap();
                    }
                }
            }
        }
    });
    port
}

/// What it prints, what it complains of, and whether it is content.
fn once(port: u16) -> (String, String, bool) {
    once_at("127.0.0.1", port)
}

fn once_at(host: &str, port: u16) -> (String, String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_ntpmon"))
        .args(["--once", "--port", &port.to_string(), host])
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.success(),
    )
}

#[test]
fn a_daemon_is_shown_and_its_escapes_are_not() {
    let port = serve(|header| match header.opcode {
        Opcode::READ_STATUS => Ok((0x0615, vec![0, 7, 0x96, 0x1a, 0, 9, 0x80, 0x11])),
        Opcode::READ_VARIABLES => Ok(match header.association.value() {
            0 => (
                0x0615,
                b"version=\"\x1b[2Jbad\", stratum=3, rootdelay=2, rootdisp=3".to_vec(),
            ),
            7 => (
                0x961a,
                b"srcadr=192.0.2.7, reach=377, flash=0, offset=0.5, delay=2.25, jitter=0.1"
                    .to_vec(),
            ),
            _ => (0x8011, b"srcadr=192.0.2.9, reach=0, flash=1000".to_vec()),
        }),
        _ => Err(ErrorCode::PERMISSION),
    });
    let (text, complaint, content) = once(port);
    assert!(content, "{complaint}");
    let (_, text) = text.split_once("UTC: ").unwrap();
    assert_eq!(
        text,
        "\
^[[2Jbad
Clock: synchronised to 192.0.2.7, stratum 3
  right to within 4.000 ms; offset -, jitter -; frequency unknown; wander unknown
Sources: 2
* 192.0.2.7: followed
    offset +500.0 us, delay 2.250 ms, jitter 100.0 us; polls ||||||||; authentication: none
  192.0.2.9: not used: does not answer; check address, network and firewall (UDP 123)
    offset -, delay -, jitter -; polls ........; authentication: none
Clients: the daemon does not tell
  Server disallowed request (authentication?)
"
    );
}

#[test]
fn a_source_that_has_gone_is_left_out() {
    let port = serve(|header| match header.opcode {
        Opcode::READ_STATUS => Ok((0xc016, vec![0, 7, 0x96, 0x1a])),
        Opcode::READ_VARIABLES if header.association.value() == 0 => {
            Ok((0xc016, b"leap=3".to_vec()))
        }
        Opcode::READ_VARIABLES => Err(ErrorCode::BAD_ASSOCIATION),
        _ => Err(ErrorCode::BAD_OPCODE),
    });
    let (text, _, content) = once(port);
    assert!(content);
    assert!(text.contains("Clock: NOT SYNCHRONISED\n"), "{text}");
    assert!(text.contains("Sources: 0\n"), "{text}");
}

#[test]
fn a_list_of_clients_without_end_is_cut() {
    let count = std::sync::atomic::AtomicU32::new(0);
    let port = serve(move |header| match header.opcode {
        Opcode::REQUEST_NONCE => Ok((0x0615, b"nonce=abc".to_vec())),
        Opcode::READ_MRU => {
            let next = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let client = format!(
                "nonce=abc, addr.0=10.0.{}.{}:123, last.0=0xeae00000.{next:08x}, \
                 first.0=0xeae00000.00000000, ct.0=1, mv.0=35, rs.0=0x0",
                next / 256 % 256,
                next % 256
            );
            Ok((0x0615, client.into_bytes()))
        }
        Opcode::READ_STATUS => Ok((0x0615, Vec::new())),
        _ => Ok((0x0615, b"stratum=1".to_vec())),
    });
    let (text, complaint, content) = once(port);
    assert!(content, "{complaint}");
    assert!(text.contains("there are more"), "{text}");
}

#[test]
fn nobody_there_is_an_error_at_once() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    // The port is kept here, so that nobody takes it there.
    let (text, complaint, content) = once_at("127.0.0.2", port);
    assert!(!content);
    assert_eq!(text, "");
    assert!(
        complaint.starts_with("ntpmon: 127.0.0.2: cannot talk to the daemon"),
        "{complaint}"
    );
}

#[test]
fn noise_does_not_keep_it_for_ever() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut request = [0; 1024];
        let (_, from) = socket.recv_from(&mut request).unwrap();
        // Until the program has gone, which the system tells of.
        let start = Instant::now();
        while start.elapsed().as_secs() < 60 && socket.send_to(&[0x16; 40], from).is_ok() {
            thread::sleep(Duration::from_micros(500));
        }
    });
    let (_, complaint, content) = once(port);
    assert!(!content);
    assert!(complaint.contains("timed out"), "{complaint}");
}

#[test]
fn no_value_harms_the_terminal_or_the_program() {
    const NAMES: &str = "version stratum leap precision rootdelay rootdisp refid reftime clock peer \
        tc offset frequency sys_jitter clk_wander tai expire srcadr srchost srcport dstadr reach \
        flash hpoll ppoll hmode pmode delay jitter flags signature host ident autherror \
        ntscookies nonce addr.0 last.0 first.0 ct.0 mv.0 rs.0 now last.newest";
    let values: [&[u8]; 7] = [
        b"\x1b]0;owned\x07\x1b[2J\x9b31m\xc2\x9b\r\x08\x7f",
        b"\"\x1b[31m\x0b, \x00\"",
        &[b'9'; 700],
        b"-99999999999999999999.5",
        b"0xffffffff.ffffffff",
        b"2147483648",
        b"\"",
    ];
    for value in values {
        let port = serve(move |header| {
            let mut data = Vec::new();
            if header.opcode == Opcode::READ_STATUS {
                data.extend([0, 1, 0xff, 0xff, 0, 2, 0x96, 0x1a]);
            } else {
                for name in NAMES.split_ascii_whitespace() {
                    data.extend([name.as_bytes(), b"=", value, b", "].concat());
                }
            }
            Ok((0xffff, data))
        });
        let (text, complaint, content) = once(port);
        assert!(content && !complaint.contains("panicked"), "{complaint}");
        let all = text + &complaint;
        let bad = |letter: char| letter.is_control() && letter != '\n';
        assert!(!all.chars().any(bad), "{all:?}");
        // What is too long for the screen is cut.
        assert!(all.lines().all(|line| line.chars().count() < 400), "{all}");
    }
}
