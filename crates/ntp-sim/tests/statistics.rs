//! What a daemon writes into its files of statistics.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_conf::StatisticsKind;
use ntp_engine::{Engine, Setup};
use ntp_sim::{Delay, Link, Loss, World};
use ntp_wire::{Duration, Ppm, Timestamp};

/// 2026-11-23 at 00:19:49 UTC, modified Julian day 61367.
const START: i64 = 1_795_393_189;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Two hours of a client of a good server; the lines of its files.
fn lines(statistics: &str) -> Vec<(StatisticsKind, String)> {
    let delay = Delay::Exponential {
        least: Elapsed::from_micros(200),
        mean_excess: Elapsed::from_micros(50),
    };
    let link = Link::new(delay, Loss::NONE, [3; 32]);
    let mut world = World::new(Timestamp::from_unix(START, 0), link);
    let client = format!("server 10.0.0.1 iburst minpoll 4 maxpoll 4\n{statistics}");
    let mut client_index = 0;
    for (at, conf) in [
        (
            "10.0.0.1",
            "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n",
        ),
        ("10.0.0.2", &client),
    ] {
        let parsed = ntp_conf::parse("ntp.conf", conf, |_| Err("no".to_owned()));
        assert!(!parsed.has_errors(), "{}", parsed.render());
        let setup = Setup::new(parsed.config);
        let seed = [at.as_bytes()[at.len() - 1]; 32];
        client_index = world.add(address(at), Duration::ZERO, Ppm::new(0.0), |now| {
            Engine::new(setup, seed, now)
        });
    }
    world.run(Elapsed::from_secs(2 * 3600 + 60));
    let records = world.host(client_index).records().iter();
    records
        .map(|record| (record.kind, record.to_string()))
        .collect()
}

/// The line with a 9 in the place of every digit, several of them once.
fn shape(line: &str) -> String {
    let mut shape = String::new();
    for letter in line.chars() {
        let letter = if letter.is_ascii_digit() { '9' } else { letter };
        if letter != '9' || !shape.ends_with('9') {
            shape.push(letter);
        }
    }
    shape.replace('-', "")
}

#[test]
fn lines_have_the_references_columns() {
    let all = lines("statistics loopstats peerstats rawstats sysstats protostats cryptostats\n");
    for (kind, theirs, at_least) in [
        // Each a line that ntpd 4.2.8p15 wrote.
        (
            StatisticsKind::Loop,
            "61367 44891.855 0.000011199 0.000 0.000003960 0.000000 3",
            50,
        ),
        (
            StatisticsKind::Peer,
            "61367 44891.855 10.9.0.1 9014 0.000011199 0.000032945 3.937507590 0.000054957",
            50,
        ),
        (
            StatisticsKind::Raw,
            "61367 44891.855 10.9.0.1 10.9.0.2 4004425691.854789356 4004425691.854817028 \
             4004425691.854899226 4004425691.854904500 0 4 4 2 3 -24 0.000000 7.947556 127.127.1.0",
            100,
        ),
        (
            StatisticsKind::System,
            "61367 3600.855 3600 0 0 0 0 0 0 0 0 0 0",
            2,
        ),
    ] {
        let lines: Vec<&String> = all
            .iter()
            .filter(|(one, _)| *one == kind)
            .map(|(_, line)| line)
            .collect();
        assert!(lines.len() >= at_least, "{kind:?}: {}", lines.len());
        // The first peerstats word has a letter in it where the source is followed.
        let alike = lines
            .iter()
            .filter(|line| shape(line) == shape(theirs))
            .count();
        let enough = if kind == StatisticsKind::Peer {
            1
        } else {
            lines.len()
        };
        assert!(alike >= enough, "{kind:?}: {}\n{theirs}", lines[0]);
        assert!(lines.iter().all(|line| line.starts_with("61367 ")));
    }
    let events: Vec<&String> = all
        .iter()
        .filter(|(kind, _)| *kind == StatisticsKind::Protocol)
        .map(|(_, line)| line)
        .collect();
    let mobilised = events
        .iter()
        .any(|line| line.contains(" 10.0.0.1 8011 81 mobilize assoc "));
    assert!(mobilised, "{events:#?}");
    let synchronised = events.iter().any(|line| line.contains(" 05 clock_sync"));
    assert!(synchronised, "{events:#?}");
    // Without `crypto` nothing happens there.
    assert!(all.iter().all(|(kind, _)| *kind != StatisticsKind::Crypto));
}

#[test]
fn what_was_not_asked_for_is_not_written() {
    assert_eq!(lines(""), []);
    assert_eq!(lines("statistics loopstats\ndisable stats\n"), []);
    let all = lines("filegen peerstats enable\nfilegen loopstats disable\n");
    assert!(!all.is_empty() && all.iter().all(|(kind, _)| *kind == StatisticsKind::Peer));
}
