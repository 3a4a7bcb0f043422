//! What the black-box tests and the demonstration share: programs that end when they are dropped,
//! hosts in network namespaces of their own, and captures of what crosses the wire.
//!
//! No daemon that is started here can set the machine's clock: ours run on a virtual clock or
//! without the right to set time, and foreign ones without that right and with the calls that do so
//! stubbed out.

mod capture;
mod host;
mod lan;
mod loopback;
mod peers;
mod program;
mod question;
mod reference;

use std::io::Write;

pub use capture::{Captured, Tap};
pub use host::{Host, Network, can_make_networks};
pub use lan::Lan;
pub use loopback::{Loopback, free_port};
pub use peers::Peers;
pub use program::{Program, Run, built};
pub use question::{Listed, answer, value_of, wait_for};
pub use reference::Reference;

/// Says loudly that a check did not run. In CI nothing may be skipped, so there it fails.
///
/// # Panics
///
/// Where the environment variable `CI` is set.
pub fn skip(what: &str, why: &str) {
    let line = format!("SKIPPED: {what}: {why}");
    // Not by `eprintln!`, which cargo holds back from tests that pass.
    let _ = writeln!(std::io::stderr(), "\n{line}\n");
    assert!(
        std::env::var_os("CI").is_none(),
        "{line}; in CI nothing is skipped"
    );
}
