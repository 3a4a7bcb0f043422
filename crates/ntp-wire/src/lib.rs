#![cfg_attr(not(test), no_std)]
//! NTP on the wire: bytes to meaning and back, in place, without allocation, I/O or cryptography.
//!
//! ```
//! use ntp_wire::{Header, Leap, Mode, Packet, Timestamp, Trailer};
//!
//! // A server's answer, as it came from the network.
//! let mut bytes = [0; Header::LENGTH];
//! let sent = Timestamp::from_unix(1_795_393_189, 0);
//! Header {
//!     leap: Leap::None,
//!     mode: Mode::Server,
//!     transmit_time: sent.to_wire(),
//!     ..Header::default()
//! }
//! .emit(&mut bytes);
//!
//! let packet = Packet::parse(&bytes)?;
//! assert_eq!(packet.header().mode, Mode::Server);
//! assert_eq!(packet.trailer(), Trailer::None);
//! // 64 bits do not tell the era; a clock that is right to 68 years does.
//! let about_now = Timestamp::from_unix(1_700_000_000, 0);
//! assert_eq!(packet.header().transmit_time.near(about_now), sent);
//! # Ok::<(), ntp_wire::PacketError>(())
//! ```
//!
//! # Map
//!
//! - a packet: [`Packet`], made of [`Header`], [`ExtensionField`]s and a [`Trailer`]
//! - times: [`Timestamp`] knows its era, [`WireTimestamp`] is the 64 bits of it that travel,
//!   [`Duration`] is a signed span, [`ShortDuration`] the header's unsigned one, [`Monotonic`] a
//!   clock that nobody sets
//! - quantities: [`Leap`], [`Version`], [`Mode`], [`Stratum`], [`PollExponent`], [`Precision`],
//!   [`ReferenceId`] and [`KissCode`], [`KeyId`], [`AssociationId`], [`Ppm`]
//! - [`control`]: mode 6, the messages of ntpq (RFC 9327)
//! - [`private`]: mode 7, those of ntpdc
//!
//! # What it refuses
//!
//! It judges no packet: whether a MAC is right, a timestamp plausible or a field known is for the
//! crates above. It keeps no state, and it never guesses an era without a pivot.

pub mod control;
mod duration;
mod header;
mod monotonic;
mod packet;
pub mod private;
mod quantity;
mod timestamp;

pub use duration::{Duration, ShortDuration};
pub use header::{Header, KissCode, ReferenceId, Version};
pub use monotonic::Monotonic;
pub use packet::{ExtensionField, Extensions, Packet, PacketError, Trailer};
pub use quantity::{AssociationId, KeyId, Leap, Mode, PollExponent, Ppm, Precision, Stratum};
pub use timestamp::{Timestamp, UNIX_EPOCH_SECONDS, WireTimestamp};
