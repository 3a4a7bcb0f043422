//! The server's side.

use std::{fmt, io::Write, sync::Arc};

use rand::Rng;
use rustls::ServerConnection;

use super::{ExchangeError, ServerIdentity, check_protocol, export, give, message, opaque, take};
use crate::{
    AES_SIV_CMAC_256, COOKIES, NTPV4,
    cookie::CookieKeys,
    message::{KeyRequest, KeyResponse},
};

/// One key exchange with a client.
pub struct ServerExchange {
    tls: ServerConnection,
    inbox: Vec<u8>,
    done: bool,
}

/// What a client asked for, that was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wishes {
    /// Whether it got keys.
    pub granted: bool,
    /// The NTP server that it would have liked; we know no other than ourselves.
    pub server: Option<String>,
}

impl ServerExchange {
    /// Begins one.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`] if TLS fails.
    pub fn new(identity: &ServerIdentity) -> Result<Self, ExchangeError> {
        Ok(Self {
            tls: ServerConnection::new(Arc::clone(&identity.config))?,
            inbox: Vec::new(),
            done: false,
        })
    }

    /// Adds what is to be sent to the client to `out`; look after each call of any other function,
    /// also of one that failed.
    pub fn transmit(&mut self, out: &mut Vec<u8>) {
        give(&mut self.tls, out);
    }

    /// Takes in what came from the client. Once its request is there, the answer is on its way out,
    /// with cookies that `keys` seal and, if it is not 123, the `port` that NTP is served on.
    ///
    /// # Errors
    ///
    /// [`ExchangeError`] if the connection is to be closed, after what is to be sent is.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        keys: &CookieKeys,
        rng: &mut impl Rng,
        port: u16,
    ) -> Result<Option<Wishes>, ExchangeError> {
        if self.done {
            // Nothing more is wanted, and nothing more is read.
            return Ok(None);
        }
        take(&mut self.tls, &mut self.inbox, bytes)?;
        if self.tls.is_handshaking() {
            return Ok(None);
        }
        check_protocol(self.tls.alpn_protocol())?;
        let request = match message(&self.inbox) {
            Ok(None) => return Ok(None),
            Ok(Some(records)) => KeyRequest::parse(records),
            Err(error) => Err(error.into()),
        };
        self.done = true;
        let response = match &request {
            Ok(request) => self.respond(request, keys, rng, port)?,
            Err(error) => KeyResponse::Refused(error.code()),
        };
        if self.tls.writer().write_all(&response.write()).is_err() {
            return Err(ExchangeError::TooLong);
        }
        self.tls.send_close_notify();
        let granted = matches!(response, KeyResponse::Granted { .. });
        let server = request?.server;
        Ok(Some(Wishes { granted, server }))
    }

    fn respond(
        &self,
        request: &KeyRequest,
        keys: &CookieKeys,
        rng: &mut impl Rng,
        port: u16,
    ) -> Result<KeyResponse, ExchangeError> {
        if !request.protocols.contains(&NTPV4) {
            return Ok(KeyResponse::NoProtocol);
        }
        if !request.algorithms.contains(&AES_SIV_CMAC_256) {
            return Ok(KeyResponse::NoAlgorithm);
        }
        let session = export(&self.tls)?;
        Ok(KeyResponse::Granted {
            cookies: (0..COOKIES)
                .map(|_| keys.seal(&session, rng).to_vec())
                .collect(),
            server: None,
            port: Some(port).filter(|port| *port != 123),
        })
    }

    /// Whether the client was answered: it is to be closed once all is sent.
    pub const fn is_done(&self) -> bool {
        self.done
    }
}

opaque!(ServerExchange);
