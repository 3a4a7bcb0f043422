//! The NTP daemon without I/O.
#![forbid(unsafe_code)]

mod association;
mod authority;
mod control;
mod counters;
mod engine;
mod event;
mod event_count;
mod flash;
mod on_wire;
mod output;
mod reference_id;
mod responder;
mod schedule;
mod server_view;
mod setup;
mod system;

pub use association::Endpoint;
pub use authority::TrustedKeys;
pub use counters::Counters;
pub use engine::Engine;
pub use event::{Event, Severity, Subject, What};
pub use flash::Flash;
pub use output::{Exit, Input, Output};
pub use responder::{Arrival, DropReason, LONGEST_REPLY, Responder, Verdict};
pub use server_view::ServerView;
pub use setup::{ProgramDescription, Setup};
