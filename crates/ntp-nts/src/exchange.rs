//! Key exchange over TLS 1.3 (RFC 8915 section 4): fed with bytes, gives bytes.

mod certificate;
mod client;
mod server;

use std::{io, sync::Arc, time::Duration};

use rustls::{crypto::CryptoProvider, pki_types::UnixTime, time_provider::TimeProvider};

pub use self::{
    certificate::{ServerIdentity, TlsFileError, Trust},
    client::{Agreement, Ask, ClientExchange},
    server::{ServerExchange, Wishes},
};
use crate::{
    AES_SIV_CMAC_256, NTPV4,
    keys::SessionKeys,
    message::MessageError,
    record::{RecordError, Records},
};

/// The name of the protocol in the TLS handshake.
const ALPN: &[u8] = b"ntske/1";

/// What both ends derive the keys under.
const EXPORTER: &[u8] = b"EXPORTER-network-time-security";

/// A message may not be longer: a request has some dozen octets, a response eight cookies.
const LONGEST_MESSAGE: usize = 16 << 10;

/// Why a key exchange failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The name of the server is no name.
    #[error("`{0}` is no name that a certificate could have")]
    Name(String),
    /// It is no server of NTS keys.
    #[error("it does not speak the NTS key exchange (ntske/1)")]
    Protocol,
    /// It sends something else.
    #[error("its records make no sense: {0}")]
    Record(#[from] RecordError),
    /// Its records are no message.
    #[error("its message makes no sense: {0}")]
    Message(#[from] MessageError),
    /// It sends too much.
    #[error("it sends more than {LONGEST_MESSAGE} octets")]
    TooLong,
    /// It closed the connection.
    #[error("it closed the connection before it was done")]
    Closed,
    /// It has other protocols only.
    #[error("it has no keys for NTPv4")]
    NoProtocol,
    /// It has other algorithms only.
    #[error("it does not know AES-SIV-CMAC-256")]
    NoAlgorithm,
    /// It refused.
    #[error("it refused: {}", reason(*.0))]
    Refused(u16),
}

fn reason(code: u16) -> String {
    match code {
        0 => "it does not know a record of ours".to_owned(),
        1 => "it calls our request bad".to_owned(),
        2 => "an error of its own".to_owned(),
        other => format!("error {other}"),
    }
}

/// Whether TLS came to the right protocol, once it is known.
fn check_protocol(chosen: Option<&[u8]>) -> Result<(), ExchangeError> {
    match chosen {
        Some(ALPN) => Ok(()),
        _ => Err(ExchangeError::Protocol),
    }
}

/// The keys of both directions.
fn export<Data>(tls: &rustls::ConnectionCommon<Data>) -> Result<SessionKeys, rustls::Error> {
    let key = |direction: u8| {
        let [a, b] = NTPV4.to_be_bytes();
        let [c, d] = AES_SIV_CMAC_256.to_be_bytes();
        tls.export_keying_material([0; 32], EXPORTER, Some(&[a, b, c, d, direction]))
    };
    Ok(SessionKeys::new(key(0)?, key(1)?))
}

/// Takes in what came from the other end: the message so far is in `inbox`.
fn take<Data>(
    tls: &mut rustls::ConnectionCommon<Data>,
    inbox: &mut Vec<u8>,
    mut bytes: &[u8],
) -> Result<(), ExchangeError> {
    loop {
        let is_read = !bytes.is_empty();
        if is_read {
            // Reading from memory fails only if there is no room, which is made below.
            let _ = tls.read_tls(&mut bytes);
        }
        let state = tls.process_new_packets()?;
        let mut room = vec![0; state.plaintext_bytes_to_read()];
        match io::Read::read(&mut tls.reader(), &mut room) {
            Ok(length) => inbox.extend(room.iter().take(length)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(ExchangeError::Closed),
        }
        if inbox.len() > LONGEST_MESSAGE {
            return Err(ExchangeError::TooLong);
        }
        if bytes.is_empty() {
            return Ok(());
        }
    }
}

/// Adds what is to be sent to `out`.
fn give<Data>(tls: &mut rustls::ConnectionCommon<Data>, out: &mut Vec<u8>) {
    while tls.wants_write() {
        // Writing to memory does not fail.
        if tls.write_tls(out).unwrap_or_default() == 0 {
            return;
        }
    }
}

/// The message in `inbox`, once it is whole.
fn message(inbox: &[u8]) -> Result<Option<Records<'_>>, RecordError> {
    Records::find(inbox)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A clock that stands: an exchange is over in seconds.
#[derive(Debug)]
struct Stopped(UnixTime);

impl Stopped {
    fn at(seconds: u64) -> Arc<Self> {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Arc::new(Self(time))
    }
}

impl TimeProvider for Stopped {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// Keys and certificates are not for logs.
macro_rules! opaque {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    };
}
use opaque;

#[cfg(test)]
mod tests;
