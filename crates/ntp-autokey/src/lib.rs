//! Autokey version 2 (RFC 5906) without I/O: the server, the client's dance with it, and the identity
//! schemes TC, PC, IFF, GQ and MV.
//!
//! Packets, addresses and the time come in as arguments; what is to be sent goes out into the
//! caller's buffer. Nothing here knows sockets, files or clocks.
//!
//! ```
//! use ntp_autokey::{Association, AssociationOptions, Credentials, Exchange, Host, HostOptions};
//! use ntp_autokey::{IdentityGroups, Relation, Reply, Stamp};
//! use ntp_keys::{Certificate, CertificateRequest, CertificateTrust, PrivateKey, SignatureScheme};
//! use ntp_wire::{AssociationId, Duration, Monotonic, Packet, Timestamp};
//! use rand::{SeedableRng, rngs::ChaCha20Rng};
//!
//! let now = Timestamp::from_unix(1_795_399_589, 0);
//! let mut random = ChaCha20Rng::from_seed([7; 32]); // of the system, in earnest
//!
//! // What ntp-keygen makes for each host: a key, and a certificate that it signs itself.
//! let mut host = |name, trust, seed| -> Result<Host, Box<dyn std::error::Error>> {
//!     let key = PrivateKey::generate(512, &mut random)?; // 2048, in earnest
//!     let made = now - Duration::from_seconds(3600);
//!     let request = CertificateRequest {
//!         subject: name,
//!         issuer: name,
//!         serial: Stamp::of(made).value(),
//!         not_before: made,
//!         not_after: now + Duration::from_seconds(86_400),
//!         trust,
//!         public_key: key.public(),
//!         group_key: None,
//!     };
//!     let certificate = Certificate::issue(&request, &key, SignatureScheme::RsaSha256)?;
//!     let credentials = Credentials {
//!         host_key: key,
//!         host_key_filestamp: Stamp::of(made),
//!         sign_key: None,
//!         certificate,
//!         certificate_filestamp: Stamp::of(made),
//!         identity: Vec::new(),
//!     };
//!     Ok(Host::new(credentials, HostOptions::default(), [seed; 32])?)
//! };
//! let mut server = host("server", CertificateTrust::Trusted, 1)?;
//! let mut client = host("client", CertificateTrust::Ordinary, 2)?;
//! server.set_synchronised(now, true);
//!
//! let options = AssociationOptions {
//!     association: AssociationId::new(4711),
//!     relation: Relation::Client,
//!     ident: None,
//! };
//! let mut association = Association::new(options);
//! let at_client = Exchange {
//!     local: "10.0.0.2".parse()?,
//!     remote: "10.0.0.1".parse()?,
//!     now,
//!     monotonic: Monotonic::START,
//!     synchronised: true,
//! };
//! let at_server = Exchange { local: at_client.remote, remote: at_client.local, ..at_client };
//!
//! let groups = IdentityGroups::new(); // or the parameters of the server's group
//! // ASSOC, CERT, COOKIE, SIGN, LEAP: one step a packet.
//! while !association.is_complete(true) {
//!     let mut request = vec![0; 48];
//!     request[0] = 0x23; // version 4, mode 3; the engine fills in the rest
//!     association.seal_request(&mut client, &at_client, &groups, &mut request);
//!
//!     let mut reply = vec![0; 48];
//!     reply[0] = 0x24;
//!     let verdict = server.respond_at_once(&at_server, &Packet::parse(&request)?, &mut reply)?;
//!     assert_eq!(verdict, Reply::Sealed);
//!
//!     let reply = Packet::parse(&reply)?;
//!     association.receive(&mut client, &at_client, &groups, &reply)?;
//! }
//! assert!(association.is_proventic());
//! assert_eq!(association.status().to_string(), "0x29c7f03");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Map
//!
//! - this host: [`Host`], made of [`Credentials`] and [`HostOptions`]; it answers requests
//!   ([`Host::respond`], [`Response`], [`Reply`], [`Refusal`]) and keeps certificates
//!   ([`CachedCertificate`]). Public-key work is a [`Job`] for another thread, which comes back
//!   [`Finished`]; [`WorkLimits`] say how much of it strangers may ask for
//! - the packet path: [`SessionKeys`] checks and seals packets without extension fields; a clone
//!   goes to each thread
//! - another host: [`Association`], one for each server or peer ([`Relation`]); [`Exchange`] says where and when a packet
//!   goes, [`Received`] and [`ReceiveError`] what a reply brought, [`StatusWord`] how far the dance
//!   has come
//! - many: an [`Announcer`] makes the packets for a broadcast address or group
//! - identity: an [`IdentityKey`] challenges, answers and verifies; it is an [`IffKey`], a [`GqKey`],
//!   an [`MvServerKey`] or an [`MvClientKey`]. [`IdentityGroups`] finds the right one
//! - the log: [`Event`]
//! - the wire: [`Message`] and its [`Value`], [`Stamp`], [`SessionKey`], [`Cookie`]
//!
//! # What it refuses
//!
//! It is strict where the reference is not: a reply must answer what was asked, in one field; a
//! server must pass the identity scheme whenever parameters of its group are at hand; an expired
//! certificate ends a trail; time is taken only from packets whose MAC was made with the secret
//! cookie. It does no public-key work beyond [`WorkLimits`], keeps nothing of a client, and begins
//! anew only after repeated refusals (see [`Association`]).
//!
//! # What Autokey cannot do
//!
//! Autokey is weak by design, and is here for those who have nothing else. Röttger's analysis
//! ("Analysis of the NTP Autokey Procedures", 2012) shows that a cookie of 32 bits can be found by
//! trying, that anybody who can send from a client's address can ask for that client's cookie, and
//! that clients are not identified; without an identity scheme the first server that answers is
//! trusted, and with IFF whoever holds the clients' parameters can pass for a server. Use NTS where
//! both sides know it. Session keys with MD5 and RSA keys of 512 bits are accepted because hosts of
//! 2008 have no others.

mod announcer;
mod association;
#[cfg(test)]
mod captures;
mod certificate_cache;
mod chain;
mod der;
mod event;
mod exchange;
mod host;
mod identity;
mod key_list;
mod message;
mod name;
mod receive_error;
mod server_secret;
mod session;
mod signed_value;
mod stamp;
mod status_word;
#[cfg(test)]
mod test_material;
mod work_limit;

pub use announcer::Announcer;
pub use association::{Association, AssociationOptions, Received, Relation};
pub use certificate_cache::CachedCertificate;
pub use event::{CertificateNote, Event, RestartReason};
pub use exchange::Exchange;
pub use host::{
    Credentials, Finished, Host, HostError, HostOptions, Job, LeapValues, Refusal, Reply, Response,
};
pub use identity::{
    GqKey, IdentityError, IdentityGroups, IdentityKey, IdentityScheme, IffKey, MvClientKey,
    MvServerKey,
};
pub use message::{Direction, Message, MessageError, Opcode, Value};
pub use receive_error::ReceiveError;
pub use session::{Cookie, SessionKey, SessionKeys};
pub use stamp::Stamp;
pub use status_word::StatusWord;
pub use work_limit::WorkLimits;
