//! Asking an NTP daemon how it is: mode 6 (RFC 9327) and mode 7 from the asking side, without
//! sockets, and the text that ntpq and ntpdc print.
//!
//! ```
//! use core::time::Duration;
//! use ntp_control::{Progress, Request, Session, View, cooked};
//! use ntp_wire::{AssociationId, Leap, Monotonic, Timestamp, control::ControlHeader};
//!
//! // What time it is, and datagrams, are the caller's.
//! let now = Monotonic::START;
//! let mut session = Session::new(1);
//! let request = Request::read_variables(AssociationId::SYSTEM, "leap,offset");
//! let to_send = session.ask(&request, None, now)?;
//! assert_eq!(&to_send[12..], b"leap,offset\0");
//! assert_eq!(session.next_deadline(), Some(now + Duration::from_secs(5)));
//!
//! let question = ControlHeader::parse(&to_send)?;
//! let mut received = [0; 36];
//! question.respond(Leap::None, 0x0615).emit_message(b"leap=0, offset=0.000113", &mut received)?;
//! let Progress::Done(response) = session.handle(&received, now) else { panic!() };
//!
//! let view = View::new(Timestamp::from_unix(1_795_397_175, 0));
//! assert_eq!(cooked(&response.data, &view), "leap=00, offset=+0.000113\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - one question and its answer: [`Session`], asked a [`Request`], perhaps with [`Credentials`],
//!   makes [`Progress`] towards a [`Response`] or a [`QueryError`]
//! - what a response holds: [`Variables`], or a list of associations ([`Association`])
//! - text: [`cooked`] and [`raw`] variables under a [`status_line`]; the tables of [`peers`] and
//!   [`associations`]; the labelled lists of a [`Summary`]
//! - mode 7, of ntpdc: [`private`]
//! - longer lists: the recent clients, a [`ClientList`] read in pieces; an [`OrderedList`] of
//!   addresses or restrictions
//! - the lines of ntpstat, a [`Synchronisation`], and of ntptrace, made of [`Hop`]s
//! - what text depends on besides the response: a [`View`] (the time, the [`Zone`], names of hosts)
//!
//! # What it refuses
//!
//! It neither sends nor waits, opens no file and asks no resolver. It believes no server: fragments
//! may not overlap, a response is at most 32 KiB, and no control character of a server reaches the
//! text ([`Escaped`]).
#![forbid(unsafe_code)]

mod address;
pub mod associations;
mod calendar;
mod clients;
mod cooked;
mod decimal;
mod escape;
mod ordered;
pub mod peers;
pub mod private;
mod reassembly;
mod session;
mod status_line;
mod summary;
mod synchronisation;
mod trace;
mod variables;
mod view;

pub use associations::{Association, AssociationListError};
pub use calendar::{Utc, Zone, pretty_date};
pub use clients::{Client, ClientList, ClientListError, ClientOrder};
pub use cooked::{Kind, cooked, raw};
pub use escape::Escaped;
pub use ordered::OrderedList;
pub use reassembly::ReassemblyError;
pub use session::{
    Credentials, Ignored, Overdue, Progress, QueryError, Request, RequestError, Response, Session,
};
pub use status_line::status_line;
pub use summary::Summary;
pub use synchronisation::Synchronisation;
pub use trace::Hop;
pub use variables::{Variable, Variables};
pub use view::View;
