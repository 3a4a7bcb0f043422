//! Mode 7 from the asking side: what ntpdc asks, and the text that it prints.
//!
//! ```
//! use ntp_control::{View, private::{Inquiry, PrivateProgress, PrivateSession}};
//! use ntp_wire::{Monotonic, Timestamp, private::{PrivateHeader, TimerStatistics}};
//!
//! let mut session = PrivateSession::default();
//! let inquiry = Inquiry::Timer;
//! let now = Monotonic::START;
//! let to_send = session.ask(&inquiry.request(), None, now)?;
//! assert_eq!(to_send.len(), 192);
//!
//! let question = PrivateHeader::parse(&to_send).ok_or("no header")?;
//! let answer = PrivateHeader { response: true, items: 1, item_size: 16, ..question };
//! let timer = TimerStatistics { since_reset: 9, alarms: 9, ..TimerStatistics::default() };
//! let received = [&answer.to_bytes()[..], &timer.to_bytes()].concat();
//! let PrivateProgress::Done(response) = session.handle(&received, now) else { panic!() };
//!
//! let text = inquiry.text(&response, &View::new(Timestamp::default()))?;
//! assert!(text.starts_with("time since reset:  9\nalarms handled:    9\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod inquiry;
mod lists;
mod numbers;
mod session;
mod sources;
mod system;

pub use self::{
    inquiry::{Family, Inquiry, InquiryError},
    lists::RESTRICTIONS,
    session::{
        PrivateProgress, PrivateQueryError, PrivateRequest, PrivateRequestError, PrivateResponse,
        PrivateSession, Signature,
    },
};
