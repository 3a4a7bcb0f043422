//! `ntpd --simulate`, as a user meets it.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const SCENARIO: &str = "
title     a quiet network
duration  3000 s
warm-up   1000 s
seeds     2
ntp.conf {
    server 10.0.0.1 iburst
}
client {
    offset 5 ms
}
server 10.0.0.1 {
    both 100 us + exp(10 us)
}
";

fn simulate(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ntpd"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_scenario_gives_a_table_and_a_plot() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("quiet.scenario"), SCENARIO).unwrap();
    let output = simulate(directory.path(), &["--simulate", "quiet.scenario"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for line in [
        "a quiet network",
        "| seed | rms |",
        "| 1 |",
        "| 2 |",
        "| worst |",
        "plot: quiet.svg",
    ] {
        assert!(
            table.lines().any(|found| found.starts_with(line)),
            "{line}\n{table}"
        );
    }
    let plot = fs::read_to_string(directory.path().join("quiet.svg")).unwrap();
    assert!(plot.starts_with("<svg ") && plot.contains("a quiet network"));

    let arguments = ["--simulate", "quiet.scenario", "--plot", "other.svg"];
    assert_eq!(
        text(&simulate(directory.path(), &arguments).stdout).replace("other", "quiet"),
        table
    );
    assert_eq!(
        fs::read_to_string(directory.path().join("other.svg")).unwrap(),
        plot
    );
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let bad = SCENARIO.replace("100 us", "100 miles");
    fs::write(directory.path().join("bad.svg"), &bad).unwrap();
    fs::write(directory.path().join("good.svg"), SCENARIO).unwrap();
    fs::write(directory.path().join("octets"), [0xff, 0xfe]).unwrap();
    for (arguments, expected) in [
        (
            &["--simulate", "bad.svg"][..],
            "ntpd: bad.svg:13: `miles` is no unit of time; use s, ms, us or ns",
        ),
        (
            &["--simulate", "good.svg"],
            "ntpd: good.svg is the scenario; give the plot another name",
        ),
        (
            &["--simulate", "good.svg", "--plot", "no/plot"],
            "ntpd: the plot can't be written to no/plot: ",
        ),
        (&["--simulate", "absent"], "ntpd: cannot read absent: "),
        (&["--simulate", "octets"], "ntpd: octets is no text"),
        (
            &["--plot", "x.svg"],
            "error: the following required arguments were not provided",
        ),
    ] {
        let output = simulate(directory.path(), arguments);
        assert!(!output.status.success());
        let message = text(&output.stderr);
        assert!(message.starts_with(expected), "{arguments:?}\n{message}");
    }
    assert_eq!(
        fs::read_to_string(directory.path().join("bad.svg")).unwrap(),
        bad
    );
    assert_eq!(
        fs::read_to_string(directory.path().join("good.svg")).unwrap(),
        SCENARIO
    );
}
