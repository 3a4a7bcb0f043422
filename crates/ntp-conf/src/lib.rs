//! ntp.conf: text to statements with places, to a checked [`Config`]; what is wrong with it; and
//! back to text.
//!
//! ```
//! use ntp_conf::{parse, Severity};
//!
//! let text = "server 10.0.0.1 iburst autokey\n\
//!             crypto pw linux\n\
//!             keysdir /etc/ntp\n\
//!             restrict default nomodfy\n";
//! let parsed = parse("ntp.conf", text, |path| Err(format!("{} is not here", path.display())));
//!
//! // What can be used is used …
//! let server = &parsed.config.associations[0];
//! assert!(server.initial_burst && server.autokey);
//! assert_eq!(server.minimum_poll.value(), 6);
//!
//! // … and what cannot is said.
//! assert_eq!(parsed.diagnostics[0].severity, Severity::Error);
//! assert_eq!(
//!     parsed.diagnostics[0].to_string(),
//!     "ntp.conf:4:18: error: `nomodfy` is no flag of `restrict` (did you mean `nomodify`?)",
//! );
//! assert!(parsed.render().contains("^^^^^^^"));
//!
//! // A configuration writes itself.
//! let again = parse("again", parsed.config.write(), |_| Err(String::new()));
//! assert_eq!(again.config, parsed.config);
//! ```
//!
//! # Map
//!
//! - [`parse`] reads a file, and through a closure those it includes, to [`Parsed`]
//! - [`Config`] has a field for every directive: [`Association`] (`server` and its like),
//!   [`ReferenceClock`] with its [`Fudge`], [`Restriction`], [`Keys`], [`Crypto`], [`Switches`],
//!   [`LogMask`], [`Statistics`], [`Tos`], [`Tinker`], [`Discard`], [`Mru`], [`InterfaceRule`];
//!   [`Config::write`] is the way back
//! - [`Diagnostic`] says what is wrong and where, in one line or with the source and a caret
//! - [`Statement`], [`Word`], [`Span`] and [`Sources`] are for tools that want the text itself
//! - [`DIRECTIVES`] lists what there is, and what of it is carried out
//!
//! # What it refuses
//!
//! It opens no file and looks up no name. It does not stop at an error: every other line is used,
//! as ntpd always did; who wants to be strict asks [`Parsed::has_errors`]. It knows keywords in
//! lower case only, and it does not read the configuration of any other daemon.

mod association;
mod authentication;
mod builder;
mod check;
mod config;
mod decimal;
mod diagnostic;
mod directive;
mod discipline;
mod groups;
mod hardware_timestamps;
mod interface;
mod line;
mod logging;
mod metrics;
mod nts;
mod parser;
mod reader;
mod reference_clock;
mod restriction;
mod source;
mod spelling;
mod statement;
mod statistics;
mod switches;
mod tuning;
mod xdp;

pub use association::{AddressFamily, Association, AssociationKind, ServerAddress};
pub use authentication::{Crypto, KeyRange, Keys};
pub use config::{Config, Kept, ResourceLimits, Variable};
pub use diagnostic::{Diagnostic, Severity};
pub use directive::{DIRECTIVES, Directive, Standing};
pub use discipline::Discipline;
pub use groups::Groups;
pub use hardware_timestamps::HardwareTimestamps;
pub use interface::{InterfaceAction, InterfaceMatch, InterfaceRule};
pub use logging::{LogClass, LogKind, LogMask};
pub use metrics::Metrics;
pub use ntp_restrict::RestrictFlags;
pub use nts::{Nts, NtsServer};
pub use parser::{DEEPEST_INCLUDE, MOST_FILES, Parsed, parse, parse_more};
pub use reference_clock::{ClockAddress, Fudge, ReferenceClock};
pub use restriction::{RestrictAddress, Restriction};
pub use source::{Location, Source, SourceId, Sources, Span};
pub use statement::{Statement, Word};
pub use statistics::{FileGeneration, FilePeriod, Statistics, StatisticsKind};
pub use switches::{Switch, Switches};
pub use tuning::{Discard, Mru, Tinker, Tos};
pub use xdp::XdpInterface;
