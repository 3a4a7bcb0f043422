//! Autokey version 2 (RFC 5906) without I/O: the server, the client's dance, the identity scheme
//! IFF.

mod association;
mod event;
mod exchange;
mod host;
mod iff;
mod interim;
mod message;
mod session;
mod stamp;
mod status_word;

pub use association::{Association, ClientOptions, ReceiveError, Received};
pub use event::Event;
pub use exchange::Exchange;
pub use host::{
    CachedCertificate, Credentials, Host, HostError, HostOptions, LeapValues, Refusal, Reply,
};
pub use iff::{IffGroups, IffParameters};
pub use interim::DigestAlgorithm;
pub use message::{Direction, Message, MessageError, Opcode, Value};
pub use session::{Cookie, SessionKey, SessionKeys};
pub use stamp::Stamp;
pub use status_word::StatusWord;
