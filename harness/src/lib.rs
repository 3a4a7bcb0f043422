//! What the black-box tests and the demonstration share: programs that end when they are dropped,
//! hosts in network namespaces of their own, and captures of what crosses the wire.
//!
//! No daemon that is started here can set the machine's clock: ours run on a virtual clock, and
//! foreign ones without the right to set time and with the calls that do so stubbed out.

mod capture;
mod host;
mod program;
mod reference;

use std::{
    thread,
    time::{Duration, Instant},
};

pub use capture::{Captured, Tap};
pub use host::{Host, Network, can_make_networks};
pub use program::{Program, Run, built};
pub use reference::Reference;

/// Waits until `done` says so, looking five times a second.
///
/// # Panics
///
/// If that takes longer than `patience`; `what` is what was waited for.
pub fn wait_for(patience: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + patience;
    while !done() {
        assert!(
            Instant::now() < end,
            "waited {patience:?} in vain for {what}"
        );
        thread::sleep(Duration::from_millis(200));
    }
}

/// Says loudly that a check did not run. In CI nothing may be skipped, so there it fails.
///
/// # Panics
///
/// Where the environment variable `CI` is set.
pub fn skip(what: &str, why: &str) {
    let line = format!("SKIPPED: {what}: {why}");
    eprintln!("\n{line}\n");
    assert!(
        std::env::var_os("CI").is_none(),
        "{line}; in CI nothing is skipped"
    );
}
