//! The tables of all scenarios, as they are in git: whatever changes the clock changes them.
//!
//! After a change that is meant, `MERIDIAN_SNAPSHOTS=rewrite cargo test -p ntp-sim --test tables`
//! writes them anew; `git diff` then shows what became better and what worse.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // A test that can't go on has failed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ntp_sim::{Report, Scenario};

/// So many seeds show what is luck, and take a moment only.
const SEEDS: u64 = 3;
/// What there is to compare: a name, and the lines of ntp.conf that choose it.
const DISCIPLINES: &[(&str, &str)] = &[
    ("precise", "discipline precise"),
    ("classic", "discipline classic"),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The scenarios of a group, by name.
fn scenarios(group: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(directory().join(group))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() > 9, "{group}: {}", found.len());
    found
}

fn table(group: &str) -> String {
    let mut text = format!("# {group}\n\nMedians of {SEEDS} seeds.\n");
    for (discipline, more) in DISCIPLINES {
        text.push_str(&format!("\n## {discipline}\n\n{}", Report::head()));
        for (name, scenario) in scenarios(group) {
            let scenario = Scenario::parse(&name, &scenario, more).unwrap();
            let runs = (1..=SEEDS).map(|seed| scenario.run(seed).summary);
            text.push_str(&Report::new(&scenario, runs.collect()).row());
        }
    }
    text
}

fn compare(group: &str) {
    let path = directory().join(format!("{group}.md"));
    let now = table(group);
    if std::env::var("MERIDIAN_SNAPSHOTS").is_ok_and(|value| value == "rewrite") {
        fs::write(&path, &now).unwrap();
        return;
    }
    let then = fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<String> = then
        .lines()
        .filter(|line| !now.lines().any(|other| other == *line))
        .map(|line| format!("- {line}"))
        .chain(
            now.lines()
                .filter(|line| !then.lines().any(|other| other == *line))
                .map(|line| format!("+ {line}")),
        )
        .collect();
    assert!(
        then == now,
        "{} is not what the simulation shows:\n{}\nif that is meant, run the test again with \
         MERIDIAN_SNAPSHOTS=rewrite",
        path.display(),
        changed.join("\n")
    );
}

#[test]
fn networks() {
    compare("networks");
}

#[test]
fn robustness() {
    compare("robustness");
}

#[test]
fn machines() {
    compare("machines");
}
