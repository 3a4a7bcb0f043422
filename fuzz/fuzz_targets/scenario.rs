//! Any text as a scenario: no panic, and what can be read can be run, reported and drawn.
#![no_main]

use std::time::Duration as Elapsed;

use libfuzzer_sys::fuzz_target;
use ntp_sim::{Plot, Report, Scenario};

fuzz_target!(|text: &str| {
    let Ok(mut scenario) = Scenario::parse("fuzz.scenario", text, "") else {
        return;
    };
    scenario.duration = scenario.duration.min(Elapsed::from_secs(100));
    scenario.warm_up = scenario.warm_up.min(Elapsed::from_secs(10));
    let run = scenario.run(1);
    Plot::new(&scenario, &run).to_string();
    Report::new(&scenario, vec![run.summary]).to_string();
});
