//! The client's side.

use std::{fmt, io::Write, sync::Arc};

use rustls::{ClientConnection, pki_types::ServerName};

use super::{ExchangeError, Stopped, Trust, check_protocol, export, give, message, opaque, take};
use crate::{
    keys::SessionKeys,
    message::{KeyRequest, KeyResponse},
};

/// The NTP server that a client would like to be sent to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ask {
    /// Its name or address.
    pub server: Option<String>,
    /// Its port.
    pub port: Option<u16>,
}

/// What client and server agreed on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreement {
    /// The keys of both directions.
    pub keys: SessionKeys,
    /// The first cookies.
    pub cookies: Vec<Vec<u8>>,
    /// The NTP server to ask; `None` is the one that the keys came from.
    pub server: Option<String>,
    /// Its port; `None` is 123.
    pub port: Option<u16>,
}

/// One key exchange with a server.
pub struct ClientExchange {
    pub(super) tls: ClientConnection,
    pub(super) inbox: Vec<u8>,
}

impl ClientExchange {
    /// Begins one with the server of this `name`, or address, at this second of Unix time, which
    /// certificates are judged by.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`] if no certificate could have the name.
    pub fn new(trust: &Trust, name: &str, ask: Ask, now: u64) -> Result<Self, ExchangeError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| ExchangeError::Name(name.to_owned()))?;
        let mut config = trust.config.clone();
        config.time_provider = Stopped::at(now);
        let mut tls = ClientConnection::new(Arc::new(config), name)?;
        let request = KeyRequest::ntp(ask.server, ask.port).write();
        // It is held back until the handshake is done.
        if tls.writer().write_all(&request).is_err() {
            return Err(ExchangeError::TooLong);
        }
        Ok(Self {
            tls,
            inbox: Vec::new(),
        })
    }

    /// Adds what is to be sent to the server to `out`; look after each call of any other function,
    /// also of one that failed.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        give(&mut self.tls, out);
    }

    /// Takes in what came from the server: what was agreed on, once it is.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`] if there is nothing to be hoped for any more.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Agreement>, ExchangeError> {
        take(&mut self.tls, &mut self.inbox, bytes)?;
        if self.tls.is_handshaking() {
            return Ok(None);
        }
        check_protocol(self.tls.alpn_protocol())?;
        let Some(records) = message(&self.inbox)? else {
            return Ok(None);
        };
        let (cookies, server, port) = match KeyResponse::parse(records)? {
            KeyResponse::Granted {
                cookies,
                server,
                port,
            } => (cookies, server, port),
            KeyResponse::NoProtocol => return Err(ExchangeError::NoProtocol),
            KeyResponse::NoAlgorithm => return Err(ExchangeError::NoAlgorithm),
            KeyResponse::Refused(code) => return Err(ExchangeError::Refused(code)),
        };
        let keys = export(&self.tls)?;
        self.tls.send_close_notify();
        Ok(Some(Agreement {
            keys,
            cookies,
            server,
            port,
        }))
    }
}

opaque!(ClientExchange);
