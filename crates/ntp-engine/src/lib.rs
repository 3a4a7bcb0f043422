//! The NTP daemon without I/O: time, datagrams, names, files and randomness are its arguments and
//! its outputs. The same engine runs on the kernel's clock, on a virtual one, and in a simulation
//! of a month that takes seconds.
//!
//! ```
//! use ntp_discipline::Now;
//! use ntp_engine::{Engine, Input, Output, Setup};
//! use ntp_wire::{Header, Mode, Monotonic, Stratum, Timestamp, WireTimestamp};
//!
//! // A server that follows its own clock.
//! let text = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";
//! let config = ntp_conf::parse("ntp.conf", text, |_| Err("no other file".to_owned())).config;
//! let setup = Setup::new(config); // without keys, without Autokey
//! let now = Now {
//!     wall: Timestamp::from_unix(1_795_393_189, 0),
//!     monotonic: Monotonic::START,
//! };
//! let mut engine = Engine::new(setup, [7; 32], now);
//! engine.handle_deadline(now); // it wants to read its clock at once
//!
//! // A request comes in, its answer goes out.
//! let mut request = [0; Header::LENGTH];
//! let nonce = WireTimestamp::from_bits(0x1234);
//! Header { mode: Mode::Client, transmit_time: nonce, ..Header::default() }.emit(&mut request);
//! engine.handle(
//!     now,
//!     Input::Datagram {
//!         received: now.wall,
//!         local: "192.0.2.1".parse()?,
//!         remote: "192.0.2.9:40000".parse()?,
//!         data: &request,
//!     },
//! );
//! let answer = std::iter::from_fn(|| engine.poll()).find_map(|output| match output {
//!     Output::Send { data, .. } => Header::parse(&data),
//!     _ => None, // events for the log, a new view for the packet path, ...
//! });
//! let answer = answer.ok_or("no answer")?;
//! assert_eq!(answer.origin_time, nonce);
//! assert_eq!(answer.stratum, Stratum::new(2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - [`Engine`] is made from a [`Setup`]: the checked configuration and what its driver read from
//!   files. [`Input`]s go in, [`Output`]s come out, and it says when it wants to be woken
//! - the packet path: a [`Responder`] answers plain requests from a [`ServerView`], which the
//!   engine publishes and never changes; what is no plain request is the engine's
//!   ([`Verdict::Engine`]). [`Counters`] say what was done. Other threads have a [`Shard`] each
//! - authentication: [`TrustedKeys`] here, Autokey in the crate `ntp-autokey`
//! - [`Record`]: a line of a statistics file
//! - [`Work`]: public-key work, which belongs into a thread of its own and comes back [`Worked`]
//! - what an operator should know: [`Event`]s, whose `Display` is the line for the log; [`Flash`](ntp_wire::control::Flash)
//!   says why a server is not believed
//!
//! # What it refuses
//!
//! It opens nothing, reads no clock and sleeps never. It believes no packet that answers no
//! request of its own, sends no request without the authentication that was configured, and
//! answers no answer.
#![forbid(unsafe_code)]

mod association;
mod authority;
mod control;
mod counters;
mod engine;
mod event;
mod event_count;
mod jump;
mod leap;
mod metrics;
mod on_wire;
mod output;
mod private;
mod reference_id;
mod responder;
mod schedule;
mod server_view;
mod setup;
mod shard;
mod statistics;
mod system;
mod traffic;
mod work;

pub use association::Endpoint;
pub use authority::TrustedKeys;
pub use counters::Counters;
pub use engine::Engine;
pub use event::{Event, Severity, Subject, What};
pub use output::{Exit, IdentityFiles, Input, KeyOrder, Output, SaveError, SaveRequest};
pub use responder::{Arrival, DropReason, LONGEST_REPLY, NtsCounters, Reply, Responder, Verdict};
pub use server_view::ServerView;
pub use setup::{ProgramDescription, Setup};
pub use shard::{Shard, Turn};
pub use statistics::Record;
pub use traffic::InterfaceDescription;
pub use work::{Work, Worked};
