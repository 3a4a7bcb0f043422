//! ntpdc with servers that mean harm: whatever they send, it ends, says why, and prints nothing
//! that a terminal would obey.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    io::Write,
    net::UdpSocket,
    process::{Command, Stdio},
    thread,
};

use ntp_wire::private::{
    ClockInformation, InterfaceRecord, PrivateHeader, SystemInformation, TimerStatistics,
};

/// Answers each request with the datagrams of `script`, for as long as the test runs; returns its
/// port.
fn serve(script: impl Fn(&PrivateHeader, &dyn Fn(&[u8])) + Send + 'static) -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    thread::spawn(move || {
        let mut request = [0; 1024];
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            let header = PrivateHeader::parse(&request[..length]).unwrap();
            script(&header, &|datagram| {
                // Who asked may have left.
                let _ = socket.send_to(datagram, from);
            });
        }
    });
    port
}

/// A packet of the response to `request`, with one item.
fn packet(request: &PrivateHeader, sequence: u8, more: bool, item: &[u8]) -> Vec<u8> {
    let header = PrivateHeader {
        response: true,
        authenticated: false,
        more,
        sequence,
        items: u16::from(!item.is_empty()),
        item_size: item.len() as u16,
        ..*request
    };
    [&header.to_bytes()[..], item].concat()
}

/// What ntpdc prints on its two outputs, once nothing in it but ends of lines is a control
/// character.
fn ntpdc(port: u16, commands: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ntpdc"));
    command.args(["-n", "--port", &port.to_string()]);
    for line in commands {
        command.args(["-c", line]);
    }
    let output = command
        .arg("127.0.0.1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let harmless = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let bad = |letter: char| letter.is_control() && !"\n\t".contains(letter);
        assert!(!text.chars().any(bad), "{commands:?}: {text:?}");
        text
    };
    (harmless(output.stdout), harmless(output.stderr))
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    let port = serve(|request, send| {
        let item = match request.request.0 {
            4 => {
                let mut record = SystemInformation::default();
                record.reference_id = *b"\x1b[2J";
                record.to_bytes().to_vec()
            }
            36 => ClockInformation {
                reference_id: *b"\x07\xff\x08\r",
                ..Default::default()
            }
            .to_bytes()
            .to_vec(),
            _ => {
                let mut record = InterfaceRecord::default();
                record.name[..8].copy_from_slice(b"\x1b]0;me\x07\n");
                record.to_bytes().to_vec()
            }
        };
        send(&packet(request, 0, false, &item));
    });
    let (text, _) = ntpdc(
        port,
        &[
            "sysinfo",
            "clockstat 127.127.1.0",
            "keyid 1",
            "passwd x",
            "ifstats",
        ],
    );
    assert!(text.contains("reference ID:         [^[[2J]\n"), "{text}");
    assert!(
        text.contains("reference ID:         ^GM-^?^H^M\n"),
        "{text}"
    );
    assert!(text.contains("^[]0;me^G^J"), "{text}");
}

#[test]
fn answers_that_make_no_sense_are_told() {
    let port = serve(|request, send| match request.request.0 {
        4 => send(&packet(request, 0, false, &[0; 400])),
        8 => send(&packet(request, 0, false, &[])),
        9 => {
            send(&packet(request, 0, true, &[0; 16]));
            send(&packet(request, 1, false, &[0; 16]));
        }
        _ => {
            // What is no answer to this is passed over.
            send(b"");
            send(&[0x97; 3]);
            send(&[0xff; 508]);
            send(&packet(request, 0, false, &[0; 52])[..40]);
        }
    });
    let (text, errors) = ntpdc(
        port,
        &[
            "timeout 300",
            "sysinfo",
            "loopinfo",
            "timerstats",
            "sysstats",
        ],
    );
    assert_eq!(
        text,
        "No data returned in response to query\nExpected one item in response, got 2\n"
    );
    assert_eq!(
        errors,
        "***Incorrect item size returned by remote host (400 should be 80)\n\
         127.0.0.1: timed out, nothing received\n***Request timed out\n"
    );
}

#[test]
fn an_endless_answer_ends() {
    let port = serve(|request, send| {
        for sequence in (0..128).chain(0..128) {
            send(&packet(request, sequence, true, &[0; 16]));
        }
    });
    let (text, errors) = ntpdc(port, &["timerstats"]);
    assert_eq!(text, "");
    assert_eq!(
        errors,
        "127.0.0.1: timed out with incomplete data\n***Response from server was incomplete\n"
    );
}

#[test]
fn commands_are_read_where_none_are_given() {
    let port = serve(|request, send| {
        let timer = TimerStatistics {
            alarms: 7,
            ..Default::default()
        };
        send(&packet(request, 0, false, &timer.to_bytes()));
    });
    let mut child = Command::new(env!("CARGO_BIN_EXE_ntpdc"))
        .args(["-n", "-i", "--port", &port.to_string(), "127.0.0.1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"timerst\nquit\nhost\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "ntpdc> time since reset:  0\nalarms handled:    7\nalarm overruns:    0\n\
         calls to transmit: 0\nntpdc> "
    );
}
