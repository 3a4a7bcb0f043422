//! Servers that mean harm: whatever they send, the programs end, say why, and print nothing that a
//! terminal would obey.

// Whatever goes wrong, the test shall fail.
#![allow(clippy::unwrap_used)]

#[path = "support/server.rs"]
mod server;

use std::{
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use ntp_wire::{
    AssociationId, Leap,
    control::{ControlHeader, ErrorCode, Opcode},
};
use server::{misbehave, serve};

/// A datagram of the response to `request`.
fn fragment(request: &ControlHeader, offset: u16, more: bool, data: &[u8]) -> Vec<u8> {
    let header = ControlHeader {
        offset,
        more,
        ..request.respond(Leap::None, 0x0615)
    };
    let mut datagram = vec![0; 512];
    let length = header.emit_message(data, &mut datagram).unwrap();
    datagram.truncate(length);
    datagram
}

/// What a program prints on its two outputs, once nothing in it but ends of lines is a control
/// character; `\r` and backspace, which overwrite a line, are the program's own.
fn printed(program: &str, port: u16, arguments: &[&str]) -> (String, String) {
    let output = Command::new(program)
        .args(["--port", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let harmless = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes).unwrap();
        let bad = |letter: char| letter.is_control() && !"\n\r\t\u{8}".contains(letter);
        assert!(!text.chars().any(bad), "{arguments:?}: {text:?}");
        text
    };
    assert!(output.status.code().is_some(), "{:?}", output.status);
    (harmless(output.stdout), harmless(output.stderr))
}

fn ntpq(port: u16, commands: &[&str]) -> (String, String) {
    let mut arguments = vec!["-n"];
    for command in commands {
        arguments.extend(["-c", command]);
    }
    arguments.push("127.0.0.1");
    printed(env!("CARGO_BIN_EXE_ntpq"), port, &arguments)
}

/// What ntpq says of a server that follows a script, if it waits so many milliseconds.
fn complaint(
    timeout: u32,
    script: impl Fn(&ControlHeader, &dyn Fn(&[u8])) + Send + Sync + 'static,
) -> String {
    let (out, error) = ntpq(misbehave(script), &[&format!("timeout {timeout}"), "rv"]);
    assert_eq!(out.trim(), "", "{error}");
    error
}

#[test]
fn fragments_that_make_no_response_are_told_of() {
    let endless = complaint(5000, |request, send| {
        for offset in 0..200 {
            send(&fragment(request, offset, true, b"x"));
        }
    });
    assert_eq!(endless, "***response in more than 128 fragments\n");
    let long = complaint(5000, |request, send| {
        for offset in (0..65_000).step_by(468) {
            send(&fragment(request, offset, true, &[b'x'; 468]));
        }
    });
    assert_eq!(long, "***Buffer size exceeded for returned data\n");
    let overlapping = complaint(5000, |request, send| {
        send(&fragment(request, 0, true, b"leap=0, "));
        send(&fragment(request, 7, false, b"stratum=2"));
    });
    assert_eq!(
        overlapping,
        "***fragments of the response overlap at octet 7; ask again\n"
    );
    let behind = complaint(5000, |request, send| {
        send(&fragment(request, 8, false, b"x"));
        send(&fragment(request, 9, true, b"x"));
    });
    assert_eq!(
        behind,
        "***a fragment of the response ends at octet 10, after its last one; ask again\n"
    );
}

#[test]
fn what_never_becomes_whole_is_given_up() {
    let gap = complaint(2000, |request, send| {
        send(&fragment(request, 0, true, b"leap=0, "));
        send(&fragment(request, 16, false, b"x"));
    });
    assert_eq!(
        gap,
        "127.0.0.1: timed out with incomplete data\n\
         ***Response from server was incomplete\n"
    );
    // Long before there are more fragments than a response can have.
    let trickling = complaint(100, |request, send| {
        for offset in 0..200 {
            send(&fragment(request, offset, true, b"x"));
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(trickling.starts_with("127.0.0.1: timed out"), "{trickling}");
}

#[test]
fn answers_to_what_was_not_asked_are_silence() {
    let scripts: [fn(&ControlHeader) -> Vec<u8>; 8] = [
        |request| {
            let sequence = request.sequence.wrapping_add(1);
            fragment(
                &ControlHeader {
                    sequence,
                    ..*request
                },
                0,
                false,
                b"leap=0",
            )
        },
        |request| {
            let association = AssociationId::new(7);
            fragment(
                &ControlHeader {
                    association,
                    ..*request
                },
                0,
                false,
                b"leap=0",
            )
        },
        |request| {
            let opcode = Opcode::READ_STATUS;
            fragment(&ControlHeader { opcode, ..*request }, 0, false, b"leap=0")
        },
        |request| fragment(request, 0, true, b""),
        // A request, as a mirror would send it.
        |request| {
            let mut datagram = fragment(request, 0, false, b"leap=0");
            datagram[1] &= 0x7f;
            datagram
        },
        // It claims more octets than it has.
        |request| {
            let mut datagram = fragment(request, 0, false, b"leap=0");
            datagram[10..12].copy_from_slice(&400_u16.to_be_bytes());
            datagram
        },
        |_| Vec::new(),
        |_| vec![0x16; 11],
    ];
    for answer in scripts {
        let error = complaint(100, move |request, send| {
            // As often as one likes: it buys no time.
            for _ in 0..50 {
                send(&answer(request));
            }
        });
        assert_eq!(
            error,
            "127.0.0.1: timed out, nothing received\n***Request timed out\n"
        );
    }
}

/// What stands behind the octets that it claims is not of the message.
#[test]
fn a_reply_longer_than_it_claims_is_cut() {
    let port = misbehave(|request, send| {
        let mut datagram = fragment(request, 0, false, b"leap=0");
        datagram.extend_from_slice(&[b'x'; 900]);
        send(&datagram);
    });
    let (out, error) = ntpq(port, &["rv 0 leap"]);
    assert_eq!((out.trim(), error.as_str()), ("leap=00", ""));
}

/// Names of variables that one command or the other looks at.
const NAMES: &str = "version processor system leap stratum precision rootdelay rootdisp refid \
    reftime clock peer tc mintc offset frequency sys_jitter clk_jitter clk_wander tai leapsec \
    expire srcadr srcport srchost dstadr dstport rec reach unreach hmode pmode hpoll ppoll \
    headway flash keyid delay dispersion jitter xleave filtdelay filtoffset filtdisp refidcount \
    ss_uptime ss_reset ss_received ss_thisver ss_oldver ss_badformat ss_badauth ss_declined \
    ss_restricted ss_limited ss_kodsent ss_processed koffset kfreq kmaxerr kesterr kstflags \
    ktimeconst kprecis kfreqtol kppsfreq kppsstab mru_enabled mru_hashslots mru_deepest \
    mru_maxdepth mru_mem authreset authkeys authfreek authklookups iostats_reset total_rbuf \
    free_rbuf used_rbuf io_received timerstats_reset timer_overruns timer_xmts timecode poll \
    noreply badformat badtime fudgetime1 device cert until signature flags host peeradr peermode \
    name addr bcast en tl mc rx tx txerr pc up mask hits srcadr.0 nonce addr.0 last.0 first.0 \
    ct.0 mv.0 rs.0 now last.newest name.0 bcast.0 en.0 flags.0 mask.0 hits.0 up.0 addr.older";

/// Every command that prints what a server says.
const COMMANDS: [&str; 32] = [
    "keyid 1",
    "passwd x",
    "apeers",
    "as",
    "peers",
    "lpeers",
    "opeers",
    "lopeers",
    "rv",
    "rv &1",
    "rl",
    "mrv &1 &2",
    "cv",
    "cl &1",
    "pstats &1",
    "sysinfo",
    "sysstats",
    "kerninfo",
    "monstats",
    "authinfo",
    "iostats",
    "timerstats",
    "ifstats",
    "reslist",
    "mrulist",
    "saveconfig x",
    ":config x",
    "writevar 0 x=1",
    "raw",
    "rv",
    "ifstats",
    "drefid hash",
];

/// Answers with all names and one value, two associations, and in its turn with nothing but it.
fn with_value(value: Vec<u8>) -> u16 {
    serve(move |header, _| {
        Ok(match header.opcode {
            Opcode::READ_STATUS => (0xffff, vec![0, 1, 0xff, 0xff, 0, 2, 0x96, 0x1a]),
            Opcode::CONFIGURE | Opcode::SAVE_CONFIGURATION => (0, value.clone()),
            _ => {
                let mut text = Vec::new();
                for name in NAMES.split_ascii_whitespace() {
                    if text.len() + name.len() + value.len() > 32_000 {
                        break;
                    }
                    text.extend_from_slice(name.as_bytes());
                    text.push(b'=');
                    text.extend_from_slice(&value);
                    text.extend_from_slice(b", ");
                }
                (0x0615, text)
            }
        })
    })
}

#[test]
fn no_value_harms_the_terminal_or_the_program() {
    let values: [Vec<u8>; 10] = [
        b"\x1b]0;owned\x07\x1b[2J\x9b31m\xc2\x9b\r\x08\x7f".to_vec(),
        b"\"\x1b[31m\x0b, \x00\"".to_vec(),
        vec![b'9'; 10_000],
        [b"-0x".to_vec(), vec![b'f'; 10_000]].concat(),
        b"2147483648".to_vec(),
        b"-99999999999999999999.5".to_vec(),
        b"0x8000000000000000".to_vec(),
        b"0xffffffff.ffffffff".to_vec(),
        b"column 4294967295 is wrong".to_vec(),
        b"\"".to_vec(),
    ];
    for value in values {
        let port = with_value(value);
        let (out, error) = ntpq(port, &COMMANDS);
        assert!(!out.is_empty() && !error.contains("panicked"), "{error}");
        let mut arguments = vec!["--json", "-nw"];
        arguments.extend(COMMANDS.iter().flat_map(|command| ["-c", command]));
        arguments.push("127.0.0.1");
        let (out, error) = printed(env!("CARGO_BIN_EXE_ntpq"), port, &arguments);
        assert!(!out.is_empty() && !error.contains("panicked"), "{error}");
        for (program, arguments) in [
            (env!("CARGO_BIN_EXE_ntpstat"), &["127.0.0.1"][..]),
            (env!("CARGO_BIN_EXE_ntptrace"), &["-n", "127.0.0.1"]),
            (env!("CARGO_BIN_EXE_ntp-wait"), &["-vn1", "127.0.0.1"]),
        ] {
            let (out, error) = printed(program, port, arguments);
            assert!(!(out + &error).is_empty());
            assert!(!error.contains("panicked"), "{error}");
        }
    }
}

/// A list that is as long as a response can be, of which none is there when it is asked for.
#[test]
fn thousands_of_associations_are_no_trouble() {
    let port = serve(|header, _| match header.opcode {
        Opcode::READ_STATUS => Ok((0x0615, [0x12, 0x34, 0xff, 0xff].repeat(8192))),
        _ => Err(ErrorCode::BAD_ASSOCIATION),
    });
    let (out, error) = ntpq(port, &["as", "lpeers", "rv &65535"]);
    assert_eq!(out.matches(" 4660 ").count(), 8192);
    assert_eq!(
        error,
        "***Association ID 4660 unknown to server\n".repeat(2)
    );
    // One more than fits.
    let port = misbehave(|request, send| {
        for offset in (0..33_000).step_by(400) {
            send(&fragment(request, offset, true, &[7; 400]));
        }
    });
    let (_, error) = ntpq(port, &["lassociations"]);
    assert_eq!(error, "***Buffer size exceeded for returned data\n");
}

/// Answers requests for clients with what `piece` makes of the number of the request.
fn clients(piece: impl Fn(u32) -> String + Send + 'static) -> String {
    let count = std::sync::atomic::AtomicU32::new(0);
    let port = serve(move |_, _| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok((
            0,
            format!("nonce={number:024x}, {}", piece(number)).into_bytes(),
        ))
    });
    let (_, error) = ntpq(port, &["mrulist"]);
    error.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn lists_of_clients_without_end_are_given_up() {
    let again = "***the server sends clients that are known, again and again";
    // Nonces that change, and nothing else.
    assert!(clients(|_| String::new()).ends_with(again));
    let row = "addr.0=10.0.0.1:1, first.0=0x00000001.00000000, ct.0=1, mv.0=35, rs.0=0x0";
    let repeated = format!("{row}, last.0=0x00000001.00000000");
    assert!(clients(move |_| repeated.clone()).ends_with(again));
    // `last.newest` without `now` is no end.
    assert!(clients(|_| "last.newest=0x00000001.00000000".to_owned()).ends_with(again));
    let backwards = |number: u32| {
        let rows = (0..150).map(|index| {
            let second = 0xf000_0000 - 150 * number - index;
            format!(
                "addr.{index}=10.0.0.1:1, first.{index}=0x00000001.00000000, ct.{index}=1, \
                 mv.{index}=35, rs.{index}=0x0, last.{index}=0x{second:08x}.00000000"
            )
        });
        rows.collect::<Vec<_>>().join(", ")
    };
    assert!(
        clients(backwards)
            .ends_with("***the server sends clients anew faster than its list can be read")
    );
}

/// A server that refuses what it gave, again and again.
#[test]
fn a_list_that_is_always_begun_anew_is_given_up() {
    let port = serve(|header, _| match header.opcode {
        Opcode::READ_MRU => Err(ErrorCode::UNKNOWN_VARIABLE),
        _ => Ok((0, b"nonce=4567".to_vec())),
    });
    let (_, error) = ntpq(port, &["mrulist"]);
    assert!(
        error.ends_with("***A request variable unknown to the server\n"),
        "{error}"
    );
}
