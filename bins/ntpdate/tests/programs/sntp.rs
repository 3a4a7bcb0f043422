//! sntp on virtual clocks.

use ntp_wire::{Leap, ReferenceId, Stratum};

use super::{Bench, Ran, Server, is_about, program};

/// Runs sntp on the clock of the bench.
fn sntp(bench: &Bench, server: &Server, arguments: &[&str]) -> Ran {
    let clock = bench.clock();
    let usual = ["--clock", &clock, "--port", &server.port()];
    program(env!("CARGO_BIN_EXE_sntp"), &[&usual, arguments])
}

/// The words of the one line that was printed.
fn words(ran: &Ran) -> Vec<String> {
    let lines: Vec<&str> = ran.output.lines().collect();
    let [line] = lines[..] else {
        panic!("{ran:?}");
    };
    line.split(' ').map(str::to_owned).collect()
}

#[test]
fn one_line_says_it() {
    let server = Server::start(|header| {
        header.stratum = Stratum::new(3);
        header.leap = Leap::Insert;
    });
    let bench = Bench::new(37.0);
    let ran = sntp(&bench, &server, &["127.0.0.1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let words = words(&ran);
    let [day, time, zone, offset, sign, error, rest @ ..] = &words[..] else {
        panic!("{words:?}");
    };
    assert_eq!((day.len(), time.len()), (10, 15));
    assert_eq!((zone.as_str(), sign.as_str()), ("(+0000)", "+/-"));
    assert!(is_about(offset.parse().unwrap(), -37.0), "{offset}");
    assert!(error.parse::<f64>().unwrap() > 0.0);
    assert_eq!(rest, ["127.0.0.1", "s3", "add-leap"]);
    // Who does not say that the clock is to be set has it left alone.
    assert!(is_about(bench.ahead(), 37.0));
    // A name stands before its address.
    let ran = sntp(&bench, &server, &["-4", "-c", "localhost"]);
    assert!(ran.output.contains(" localhost 127.0.0.1 s3 "), "{ran:?}");
}

#[test]
fn the_clock_is_set_as_it_is_said() {
    let server = Server::start(|_| {});
    for (arguments, ahead) in [
        (&["-S"][..], 0.0),
        (&["-s"], 2.0),
        (&["-S", "-s"], 0.0),
        (&["-S", "-s", "-M", "1000"], 0.0),
        (&["-S", "-s", "-M", "3000"], 2.0),
    ] {
        let bench = Bench::new(2.0);
        let ran = sntp(&bench, &server, &[arguments, &["127.0.0.1"]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(is_about(bench.ahead(), ahead), "{arguments:?} {ran:?}");
        let state = std::fs::read_to_string(bench.file("clock")).unwrap();
        assert_eq!(state.contains("slew "), ahead > 0.0, "{state}");
    }
}

#[test]
fn what_goes_wrong_is_said() {
    let server = Server::start(|header| {
        header.stratum = Stratum::UNSPECIFIED;
        header.reference_id = ReferenceId::from_text("DENY");
    });
    let bench = Bench::new(2.0);
    let none: &[&str] = &[];
    for (arguments, code, text) in [
        (&["-S", "127.0.0.1"][..], 1, "access denied by the server"),
        (&["-t", "0.1", "127.0.0.9"], 1, "no UCST response after 0.1"),
        (&["-a", "9", "-k", "/dev/null", "127.0.0.1"], 1, "key"),
        (none, 64, "Must supply at least one"),
        (&["-o", "9", "127.0.0.1"], 2, "versions of NTP"),
    ] {
        let ran = sntp(&bench, &server, arguments);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.errors.contains(text), "{ran:?}");
        assert_eq!(ran.output, "");
    }
    assert!(is_about(bench.ahead(), 2.0));
}
