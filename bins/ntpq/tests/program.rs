//! The program itself, asking a server of a few lines on the loopback interface.

// Whatever goes wrong, the test shall fail.
#![allow(clippy::unwrap_used)]

#[path = "support/server.rs"]
mod server;

use std::{
    io::Write,
    net::UdpSocket,
    process::{Command, Output, Stdio},
};

use ntp_wire::control::{ErrorCode, Opcode};
use server::serve;

/// One association, which is the system peer; certificates; nothing can be written.
fn daemon() -> u16 {
    serve(|header, names| match header.opcode {
        Opcode::READ_STATUS => Ok((0x0615, vec![0x6e, 0x2b, 0x96, 0x1a])),
        Opcode::READ_VARIABLES if header.association.value() == 0x6e2b => Ok((
            0x961a,
            b"srcadr=192.0.2.1, stratum=1, refid=GPS, reach=0xff, hmode=3, hpoll=6, ppoll=6,\r\n\
              offset=-0.250, delay=1.500, jitter=0.125\r\n"
                .to_vec(),
        )),
        Opcode::READ_VARIABLES if header.association.value() != 0 => {
            Err(ErrorCode::BAD_ASSOCIATION)
        }
        Opcode::READ_VARIABLES if names == b"cert" => Ok((
            0x0615,
            b"cert=\"server server 0x5\", until=202711230125, cert=\"client client 0x0\",\r\n\
              until=202711230125\r\n"
                .to_vec(),
        )),
        Opcode::READ_VARIABLES => Ok((0x0615, b"leap=0, stratum=2\r\n".to_vec())),
        _ => Err(ErrorCode::PERMISSION),
    })
}

fn ntpq(port: u16, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ntpq"))
        .args(["-n", "--port", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may leave before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(octets: &[u8]) -> &str {
    str::from_utf8(octets).unwrap()
}

/// As where the messages go to a file whose disk is full, or to who has read enough.
#[test]
fn what_is_wrong_and_cannot_be_said_hinders_nothing() {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let output = Command::new(env!("CARGO_BIN_EXE_ntpq"))
        .args(["-n", "--port", &daemon().to_string()])
        .args(["-c", "nosuch", "-c", "as", "127.0.0.1"])
        .stdin(Stdio::null())
        .stderr(full.unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains(" 28203 "));
}

#[test]
fn commands_are_obeyed_in_order_with_a_line_between() {
    let arguments = [
        "-c",
        "as",
        "-c",
        "nosuch",
        "-c",
        "rv 0 cert",
        "-c",
        "rv &1 offset",
        "-p",
        "127.0.0.1",
    ];
    let output = ntpq(daemon(), &arguments, "");
    assert_eq!(
        text(&output.stdout),
        "\
ind assid status  conf reach auth condition  last_event cnt
===========================================================
  1 28203  961a   yes   yes  none  sys.peer    sys_peer  1


cert=\"server server 0x5\", until=202711230125, cert=\"client client 0x0\",
until=202711230125

srcadr=192.0.2.1, stratum=1, refid=GPS, reach=377, hmode=3, hpoll=6,
ppoll=6, offset=-0.250, delay=1.500, jitter=0.125

     remote           refid      st t when poll reach   delay   offset  jitter
==============================================================================
*192.0.2.1       .GPS.            1 u    -   64  377    1.500   -0.250   0.125
"
    );
    assert_eq!(text(&output.stderr), "***Command `nosuch' unknown\n");
    assert!(output.status.success());
}

/// NTPsec's table, for names that are long.
#[test]
fn names_may_come_last() {
    let output = ntpq(daemon(), &["-c", "rpeers", "127.0.0.1"], "");
    assert_eq!(
        text(&output.stdout),
        [
            " st t when poll reach   delay   offset  jitter refid           T remote\n",
            &"=".repeat(78),
            "\n  1 u    -   64  377    1.500   -0.250   0.125 .GPS.           * 192.0.2.1\n",
        ]
        .concat()
    );
}

#[test]
fn errors_of_the_server_are_told_and_are_no_failure() {
    let output = ntpq(
        daemon(),
        &["-c", "rv 7", "-c", "rv &1x", "-c", "rv 70000", "127.0.0.1"],
        "",
    );
    assert_eq!(
        text(&output.stderr),
        "***Association ID 7 unknown to server\n\
         ***Association index `&1x' invalid/undecodable\n\
         ***Invalid association ID 70000 specified\n"
    );
    assert!(output.status.success());
}

#[test]
fn a_closed_port_is_refused() {
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let output = ntpq(port, &["-c", "as", "127.0.0.1"], "");
    assert_eq!(text(&output.stderr), "ntpq: read: Connection refused\n");
    assert!(output.status.success());
}

#[test]
fn standard_input_is_obeyed_until_it_ends() {
    let input = "rv\n\nfoo\nhost\nhelp passwd\ncooked";
    let output = ntpq(daemon(), &["127.0.0.1"], input);
    assert_eq!(
        text(&output.stdout),
        "associd=0 status=0615 leap_none, sync_ntp, 1 event, clock_sync,\n\
         leap=00, stratum=2\n\
         current host is 127.0.0.1\n\
         function: tell the password of the key that signs requests\n\
         usage: passwd [ password ]\n\
         Output set to cooked\n"
    );
    assert_eq!(text(&output.stderr), "***Command `foo' unknown\n");
    assert!(output.status.success());
}

#[test]
fn writing_needs_a_key() {
    let output = ntpq(
        daemon(),
        &["-c", ":config server 192.0.2.9", "127.0.0.1"],
        "",
    );
    assert_eq!(text(&output.stderr), "Keyid: Invalid key identifier\n");
    let arguments = [
        "-c",
        "keyid 1",
        "-c",
        "passwd secret",
        "-c",
        ":config tos floor 1",
        "127.0.0.1",
    ];
    let output = ntpq(daemon(), &arguments, "");
    assert_eq!(
        text(&output.stderr),
        "***Server disallowed request (authentication?)\n"
    );
}

/// A line for each command that was understood, be it that it failed.
#[test]
fn json_is_an_object_for_each_command() {
    let arguments = [
        "--json",
        "-c",
        "as",
        "-c",
        "passwd hush",
        "-c",
        "rv x",
        "-c",
        "timeout",
        "127.0.0.1",
    ];
    let output = ntpq(daemon(), &arguments, "1\n");
    let printed = text(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines.len(), 4, "{printed}");
    assert_eq!(
        lines[0],
        "{\"host\":\"127.0.0.1\",\"command\":\"associations\",\"answers\":[{\"status\":1557,\
         \"associations\":[{\"association\":28203,\"status\":38426}]}]}"
    );
    assert!(!printed.contains("hush"), "{printed}");
    assert!(lines[2].ends_with("\"error\":\"***Illegal unsigned value x\"}"));
    assert!(lines[3].ends_with("\"text\":\"primary timeout 5000 ms\"}"));
}

#[test]
fn a_hostile_server_reaches_no_terminal() {
    let port = serve(|header, _| {
        Ok(match header.opcode {
            Opcode::READ_STATUS => (0x0615, vec![0, 1, 0x90, 0]),
            _ => (
                0xffff,
                b"srcadr=\x1b[2J,srchost=\"\x1b]0;x\x07\",refid=\x1b[1m,\x9b=\x80,cert=\"\x1b[31m\",=,,=\"".to_vec(),
            ),
        })
    });
    let plain = [
        "-p",
        "-c",
        "rv",
        "-c",
        "raw",
        "-c",
        "rv",
        "-c",
        "sysinfo",
        "127.0.0.1",
    ];
    let json = [&["--json"], &plain[..]].concat();
    for arguments in [&plain[..], &json] {
        let output = ntpq(port, arguments, "");
        let printed = [output.stdout, output.stderr].concat();
        assert!(!printed.is_empty());
        let text = String::from_utf8(printed).unwrap();
        let reaches = |letter: char| letter.is_control() && letter != '\n';
        assert!(!text.chars().any(reaches), "{text}");
        // Plain text is of ASCII; JSON shows what it cannot read as U+FFFD.
        assert!(arguments.len() > plain.len() || text.is_ascii(), "{text}");
    }
}

#[test]
fn wrong_options_exit_with_one() {
    let output = ntpq(1, &["--nosuch"], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--nosuch"));
}
