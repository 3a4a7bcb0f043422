//! Deterministic networks and clocks to test NTP on: the same seed gives the same delays, losses
//! and errors.
//!
//! ```
//! use core::time::Duration as Elapsed;
//! use ntp_sim::{Delay, Link, Loss};
//! use ntp_wire::Monotonic;
//!
//! // A path of 5 ms with an exponential jitter of 500 µs that loses one datagram in a hundred.
//! let delay = Delay::Exponential {
//!     least: Elapsed::from_millis(5),
//!     mean_excess: Elapsed::from_micros(500),
//! };
//! let loss = Loss::per_million(10_000);
//! let mut link = Link::new(delay, loss, [7; 32]);
//! let mut again = Link::new(delay, loss, [7; 32]);
//! for second in 0..1000 {
//!     let sent = Monotonic::START + Elapsed::from_secs(second);
//!     let arrived = link.carry(sent);
//!     assert!(arrived.is_none_or(|arrived| arrived - sent >= Elapsed::from_millis(5)));
//!     assert_eq!(arrived, again.carry(sent));
//! }
//! ```
//!
//! # Map
//!
//! - a [`Scenario`] is read from a small text file, and describes a client, its servers, their
//!   clocks and the network; carried out with a seed it gives a [`Run`] with its [`Summary`]. A
//!   [`Report`] is the table of several seeds, a [`Plot`] the picture of one
//! - a [`World`] is [`Host`]s that run the very engine of ntpd, [`PlainServer`]s that are nothing
//!   but clocks, and links that carry their [`Datagram`]s; its time jumps, so that a day takes a
//!   moment
//! - a [`HostClock`] is what a kernel makes of an oscillator, as its [`ClockModel`] says: offset,
//!   [`Drift`]s of the frequency, noise, granularity; a [`Disturbance`] befalls it from outside
//! - a [`Path`] describes one way through the network: [`Term`]s of a delay that add up, and
//!   [`Share`]s that are lost or come twice, each in its [`Window`] of time. A [`Link`] is a path in
//!   use: give it the time when a datagram was sent, and it tells when it arrives, if it does.
//!   [`Delay`] and [`Loss`] are short for simple ones
//! - two ways are two links, which may differ; give them different seeds
//!
//! # What it refuses
//!
//! It has no bandwidth: a delay does not depend on how much is sent. It opens no socket, reads no
//! clock, and draws nothing from the system's randomness. Nothing in it shows a host the true time:
//! the monotonic clock runs as wrong as the wall clock.

mod host_clock;
mod link;
mod oscillator;
mod path;
mod plain_server;
mod plot;
mod random;
mod report;
mod run;
mod scenario;
mod window;
mod world;

pub use host_clock::{ClockModel, Disturbance, HostClock};
pub use link::{Arrivals, Delay, Link, Loss};
pub use oscillator::Drift;
pub use path::{Path, Share, Term};
pub use plain_server::PlainServer;
pub use plot::Plot;
pub use report::Report;
pub use run::{Run, Summary, THRESHOLDS};
pub use scenario::{Client, ClientEvent, Options, Problem, Scenario, ScenarioError, Server};
pub use window::Window;
pub use world::{Datagram, Host, PORT, World};
