//! Network Time Security for NTP (RFC 8915), without sockets, clocks or random numbers of its own.
//!
//! A client agrees on keys with a server over TLS once, gets cookies, and from then on each of its
//! requests carries a cookie and is authenticated with the keys; the server learns the keys from
//! the cookie and keeps nothing of its clients.
//!
//! ```
//! use ntp_nts::{CookieKeys, Inspection, SessionKeys, Session};
//! use ntp_wire::{Header, Mode, Packet};
//! use rand::{SeedableRng, rngs::ChaCha12Rng};
//!
//! let mut rng = ChaCha12Rng::from_seed([1; 32]); // Of the caller, as all random numbers.
//! // What the key exchange ends with: keys on both sides, cookies on one.
//! let cookie_keys = CookieKeys::new(&mut rng, 1_795_393_189);
//! let keys = SessionKeys::new([2; 32], [3; 32]);
//! let cookies: Vec<_> = (0..8).map(|_| cookie_keys.seal(&keys, &mut rng).to_vec()).collect();
//! let mut session = Session::new(keys, cookies);
//!
//! // A request, as the server sees it.
//! let mut request = vec![0; Header::LENGTH];
//! request[0] = 0x23;
//! session.seal_request(&mut rng, &mut request)?;
//! let Inspection::Authentic(asked) = ntp_nts::inspect(&cookie_keys, &Packet::parse(&request)?)
//! else {
//!     panic!("it is authentic");
//! };
//!
//! // Its answer.
//! let mut answer = [0; 1024];
//! answer[0] = 0x24;
//! let length = asked.seal_answer(&cookie_keys, &mut rng, &mut answer).ok_or("too long")?;
//! assert!(length <= request.len());
//! session.receive(&Packet::parse(&answer[..length])?)?;
//! assert_eq!(session.cookies(), 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - packets: [`inspect`] and [`Authentic`] for servers, [`Session`] for clients
//! - cookies: [`CookieKeys`], which rotate and are kept in a file
//! - key exchange: [`ServerExchange`] and [`ClientExchange`] are fed with bytes and give bytes;
//!   [`ServerIdentity`] and [`Trust`] hold certificates
//! - its messages: [`Record`], [`KeyRequest`], [`KeyResponse`]
//!
//! # What it refuses
//!
//! TLS below 1.3, as the RFC does. Any algorithm but AES-SIV-CMAC-256, which everybody has to know.
//! Answers without authentication, but for the notice that a cookie is of no use any more.

mod cookie;
mod exchange;
mod field;
mod keys;
mod message;
mod record;
mod seal;
mod server;
mod session;

pub use cookie::{Cookie, CookieAge, CookieError, CookieFileError, CookieKeys};
pub use exchange::{
    Agreement, Ask, ClientExchange, ExchangeError, ServerExchange, ServerIdentity, TlsFileError,
    Trust, Wishes,
};
pub use keys::SessionKeys;
pub use message::{KeyRequest, KeyResponse, MessageError};
pub use record::{Record, RecordError, RecordKind, Records};
pub use server::{Authentic, Inspection, Refused, inspect};
pub use session::{AnswerError, Exhausted, Session};

/// The TCP port of key exchange.
pub const KEY_EXCHANGE_PORT: u16 = 4460;

/// The number of AES-SIV-CMAC-256 in the registry of algorithms (RFC 5297).
pub const AES_SIV_CMAC_256: u16 = 15;

/// The number of NTPv4 in the registry of protocols.
pub const NTPV4: u16 = 0;

/// How many cookies a client holds, and so how many a server gives it at first.
pub const COOKIES: usize = 8;
