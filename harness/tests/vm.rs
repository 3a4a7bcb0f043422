//! The programs on kernels' clocks of their own: throw-away guests, whose clocks may be set.
//!
//! `harness/vm/README.md` tells of the guests and of the scenarios.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{path::Path, process::Command};

use meridian_harness::{Run, built, skip};

/// Runs the scenario of that name below `harness/vm/scenarios`, and shows what the guests said.
fn scenario(name: &str) {
    let Some(tools) = std::env::var_os("MERIDIAN_VM") else {
        skip(
            &format!("on a kernel's clock: {name}"),
            "MERIDIAN_VM names no directory with the tools; harness/vm/fetch-tools makes it",
        );
        return;
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm");
    let ntpd = built("ntpd");
    let output = tempfile::tempdir().unwrap();
    let run = Run::of(
        Command::new(directory.join("run"))
            .arg(name)
            .arg(output.path())
            .env("MERIDIAN_VM", tools)
            .env("MERIDIAN_PROGRAMS", ntpd.parent().unwrap()),
    );
    print!("{}", run.stdout);
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
}

#[test]
fn ntpdate_steps_a_clock_that_is_an_hour_wrong() {
    scenario("step");
}

#[test]
fn ntpd_corrects_an_hour_once_and_then_slews() {
    scenario("discipline");
}

#[test]
fn leap_seconds_are_made_at_the_right_second() {
    scenario("leap");
}

#[test]
fn the_drift_file_survives_a_reboot() {
    scenario("drift");
}

#[test]
fn another_user_steers_the_clock() {
    scenario("unprivileged");
}

#[test]
fn the_walk_through_on_two_machines() {
    scenario("walk-through");
}

/// A test for each, else it would never run.
#[test]
fn no_scenario_is_forgotten() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("vm/scenarios");
    for entry in std::fs::read_dir(directory).unwrap() {
        let name = entry.unwrap().file_name();
        let call = format!("scenario({name:?});");
        assert!(include_str!("vm.rs").contains(&call), "no {call}");
    }
}
