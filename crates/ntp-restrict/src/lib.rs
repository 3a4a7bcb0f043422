//! Who may ask an NTP server what: the restrict list, rate limits and the list of recent clients.
//!
//! ```
//! use ntp_restrict::{RestrictFlags, RestrictRules, RestrictTarget};
//!
//! let mut rules = RestrictRules::new();
//! // restrict default ignore
//! rules.restrict(RestrictTarget::DEFAULT_IPV4, RestrictFlags::IGNORE);
//! rules.restrict(RestrictTarget::DEFAULT_IPV6, RestrictFlags::IGNORE);
//! // restrict 10.0.0.0 mask 255.255.255.0 nomodify noquery
//! let net = RestrictTarget::with_mask("10.0.0.0".parse()?, "255.255.255.0".parse()?)?;
//! rules.restrict(net, RestrictFlags::NO_MODIFY | RestrictFlags::NO_QUERY);
//!
//! let list = rules.build();
//! let inside = list.lookup("10.0.0.7:40000".parse()?);
//! assert!(inside.flags.contains(RestrictFlags::NO_QUERY));
//! let outside = list.lookup("192.0.2.1:123".parse()?);
//! assert!(outside.flags.contains(RestrictFlags::IGNORE));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - what is forbidden: [`RestrictFlags`]
//! - to whom: a [`RestrictTarget`], made of address, mask and [`Scope`]
//! - [`RestrictRules`] is what configuration and control messages change, [`RestrictList`] what
//!   packets are looked up in; it is built of the rules and does not change, so that it can be
//!   shared
//! - [`ClientTable`] remembers recent clients, and [`RateLimit`] says which of them are too fast
//!
//! # What it refuses
//!
//! It drops and answers nothing itself, resolves no names, and reads no clock: time is an
//! argument. It does not say what a flag means for a packet; the server does.
#![forbid(unsafe_code)]

mod client;
mod client_table;
mod flags;
mod list;
mod prefixes;
mod rate_limit;
mod rules;
mod search;

pub use client::Client;
pub use client_table::{ClientTable, ClientTableLimits, PastSighting, Sighting};
pub use flags::RestrictFlags;
pub use list::{RestrictEntry, RestrictList, Restriction};
pub use prefixes::PrefixRestriction;
pub use rate_limit::{RateLimit, Verdict};
pub use rules::{RestrictRules, RestrictTarget, RestrictTargetError, Scope, SourceTemplate};
