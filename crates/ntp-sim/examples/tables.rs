//! Runs scenarios and prints their tables:
//!
//! ```text
//! cargo run --release -p ntp-sim --example tables -- [--seeds N] [--conf LINE]... [--each] [--log] FILE...
//! ```
//!
//! Without `--each` there is one table with a row for each scenario; with it one for each scenario
//! with a row for each seed. `--conf` adds lines to every ntp.conf; `--log` prints the log of the
//! first seed.

#![allow(clippy::disallowed_methods)] // A program reads files.

use std::{error::Error, thread};

use ntp_sim::{Report, Run, Scenario};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut seeds, mut more, mut files) = (None, String::new(), Vec::new());
    let (mut each, mut log) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .ok_or_else(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--seeds" => seeds = Some(value()?.parse::<u32>()?),
            "--conf" => {
                more.push_str(&value()?);
                more.push('\n');
            }
            "--each" => each = true,
            "--log" => log = true,
            _ => files.push(argument),
        }
    }
    if !each {
        print!("{}", Report::head());
    }
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
        let scenario = Scenario::parse(&file, &text, &more)?;
        let runs = run(&scenario, seeds.unwrap_or(scenario.seeds));
        if log {
            for line in runs.first().map(|run| &run.log).into_iter().flatten() {
                eprintln!("{line}");
            }
        }
        let summaries = runs.into_iter().map(|run| run.summary).collect();
        let report = Report::new(&scenario, summaries);
        if each {
            println!("{report}");
        } else {
            print!("{}", report.row());
        }
    }
    Ok(())
}

/// Runs seeds 1, 2, 3 ... on all processors.
fn run(scenario: &Scenario, seeds: u32) -> Vec<Run> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let seeds: Vec<u64> = (1..=seeds.into()).collect();
    thread::scope(|scope| {
        let tasks: Vec<_> = (0..threads)
            .map(|task| {
                let mine = seeds.iter().skip(task).step_by(threads);
                scope.spawn(move || mine.map(|seed| scenario.run(*seed)).collect::<Vec<_>>())
            })
            .collect();
        let mut runs: Vec<Run> = tasks
            .into_iter()
            .flat_map(|task| task.join().unwrap_or_default())
            .collect();
        runs.sort_by_key(|run| run.summary.seed);
        runs
    })
}
