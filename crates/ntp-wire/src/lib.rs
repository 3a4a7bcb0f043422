#![cfg_attr(not(test), no_std)]
//! NTP on the wire: bytes to meaning and back.

pub mod control;
mod duration;
mod monotonic;
mod quantity;
mod timestamp;

pub use duration::{Duration, ShortDuration};
pub use monotonic::Monotonic;
pub use quantity::{
    AssociationId, KeyId, Leap, Mode, PollExponent, Ppm, Precision, Stratum,
};
pub use timestamp::{Timestamp, UNIX_EPOCH_SECONDS, WireTimestamp};
