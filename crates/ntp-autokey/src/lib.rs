//! Autokey version 2 (RFC 5906) without I/O: the server, the client's dance, the identity scheme
//! IFF.

mod association;
mod certificate_cache;
mod der;
mod event;
mod exchange;
mod host;
mod iff;
mod key_list;
mod message;
mod name;
mod receive_error;
mod session;
mod signed_value;
mod stamp;
mod status_word;
#[cfg(test)]
mod test_material;
mod work_limit;

pub use association::{Association, ClientOptions, Received};
pub use certificate_cache::CachedCertificate;
pub use event::{CertificateNote, Event, RestartReason};
pub use exchange::Exchange;
pub use host::{Credentials, Host, HostError, HostOptions, LeapValues, Refusal, Reply};
pub use iff::{IffError, IffGroups, IffKey};
pub use message::{Direction, Message, MessageError, Opcode, Value};
pub use receive_error::ReceiveError;
pub use session::{Cookie, SessionKey, SessionKeys};
pub use stamp::Stamp;
pub use status_word::StatusWord;
pub use work_limit::WorkLimits;
