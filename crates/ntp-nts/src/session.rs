//! What a client keeps of a server: keys, cookies, and the request on its way.

use std::collections::VecDeque;

use ntp_wire::{ExtensionField, Header, KissCode, Packet};
use rand::{Rng, RngExt};
use subtle::ConstantTimeEq;

use crate::{
    COOKIES,
    field::{self, AUTHENTICATOR_LENGTH, Authenticator, IDENTIFIER},
    keys::SessionKeys,
    seal::Sealer,
};

/// No request is longer, so that it travels in one piece on every path.
const LONGEST_REQUEST: usize = 1200;

/// The longest cookie that a request has room for, a multiple of four.
const LONGEST_COOKIE: usize = LONGEST_REQUEST
    - Header::LENGTH
    - ExtensionField::HEAD
    - IDENTIFIER
    - ExtensionField::HEAD
    - AUTHENTICATOR_LENGTH;

/// The keys and cookies of one server.
#[derive(Debug)]
pub struct Session {
    keys: SessionKeys,
    cookies: VecDeque<Vec<u8>>,
    /// The identifier of the request that was sent last, until it is answered.
    identifier: Option<[u8; IDENTIFIER]>,
}

/// There is no cookie left: keys must be exchanged again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no NTS cookie is left")]
pub struct Exhausted;

/// Why an answer is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It answers no request of ours, or not the last one.
    #[error("its NTS identifier is not that of our request")]
    Identifier,
    /// It is not authenticated.
    #[error("it is not authenticated by NTS")]
    Missing,
    /// It is, and wrongly.
    #[error("its NTS authenticator is wrong")]
    Authenticator,
    /// The server can't use our cookie (RFC 8915 section 5.7). Everybody who sees the request can
    /// say so: only if no authentic answer comes, the keys are to be exchanged again.
    #[error("the server can't use our NTS cookie any more")]
    Refused,
}

impl Session {
    /// A session with what a key exchange gave.
    pub fn new(keys: SessionKeys, cookies: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut session = Self {
            keys,
            cookies: VecDeque::with_capacity(COOKIES),
            identifier: None,
        };
        for cookie in cookies {
            session.keep(cookie);
        }
        session
    }

    /// How many cookies are left.
    pub fn cookies(&self) -> usize {
        self.cookies.len()
    }

    /// Adds all fields of NTS to a request whose header is in `packet`: it takes a cookie, and asks
    /// for as many as are missing.
    ///
    /// # Errors
    ///
    /// [`Exhausted`] if there is no cookie: `packet` is as it was.
    pub fn seal_request(
        &mut self,
        rng: &mut impl Rng,
        packet: &mut Vec<u8>,
    ) -> Result<(), Exhausted> {
        let cookie = self.cookies.pop_front().ok_or(Exhausted)?;
        let identifier: [u8; IDENTIFIER] = rng.random();
        self.identifier = Some(identifier);
        append(packet, field::UNIQUE_IDENTIFIER, &identifier);
        append(packet, field::COOKIE, &cookie);
        // The cookie makes room for one, each placeholder for another.
        let blank = vec![0; cookie.len()];
        let missing = COOKIES.saturating_sub(self.cookies.len() + 1);
        for _ in 0..missing {
            let length = packet.len() + ExtensionField::HEAD + blank.len() + AUTHENTICATOR_LENGTH;
            if length <= LONGEST_REQUEST {
                append(packet, field::PLACEHOLDER, &blank);
            }
        }
        let at = packet.len();
        packet.resize(at + AUTHENTICATOR_LENGTH, 0);
        let sealer = Sealer::new(&self.keys.client_to_server);
        // There is room for it.
        let _ = field::write_authenticator(&sealer, &rng.random(), packet, at, 0);
        Ok(())
    }

    /// Checks that `packet` answers the last request and comes from the server, and takes the
    /// cookies that it brings. An answer is accepted once.
    ///
    /// # Errors
    ///
    /// [`AnswerError`]; the request then stays open, so that a forged answer does not shut out the
    /// true one.
    pub fn receive(&mut self, packet: &Packet<'_>) -> Result<(), AnswerError> {
        let cookies = self.check(packet)?;
        self.identifier = None;
        for cookie in cookies {
            self.keep(cookie);
        }
        Ok(())
    }

    fn check(&self, packet: &Packet<'_>) -> Result<Vec<Vec<u8>>, AnswerError> {
        let mut is_ours = false;
        let mut offset = Header::LENGTH;
        let mut authenticator = None;
        for field in packet.extensions() {
            match field.kind {
                field::UNIQUE_IDENTIFIER => {
                    let identifier = self.identifier.as_ref().ok_or(AnswerError::Identifier)?;
                    if !bool::from(identifier.ct_eq(field.body)) {
                        return Err(AnswerError::Identifier);
                    }
                    is_ours = true;
                }
                field::AUTHENTICATOR => {
                    authenticator = Some(field.body);
                    // What follows is not authenticated.
                    break;
                }
                _ => {}
            }
            offset += field.length();
        }
        match authenticator {
            Some(_) if !is_ours => Err(AnswerError::Identifier),
            Some(body) => {
                let before = packet.bytes().get(..offset).unwrap_or_default();
                self.open(before, body).ok_or(AnswerError::Authenticator)
            }
            None if is_ours && is_refusal(packet) => Err(AnswerError::Refused),
            None => Err(AnswerError::Missing),
        }
    }

    /// The cookies in an authenticator with this `body`.
    fn open(&self, before: &[u8], body: &[u8]) -> Option<Vec<Vec<u8>>> {
        let authenticator = Authenticator::parse(body)?;
        let mut room = authenticator.sealed.to_vec();
        let sealer = Sealer::new(&self.keys.server_to_client);
        let text = sealer.open(before, authenticator.nonce, &mut room)?;
        let cookies = field::fields(text).filter(|field| field.kind == field::COOKIE);
        Some(cookies.map(|cookie| cookie.body.to_vec()).collect())
    }

    fn keep(&mut self, cookie: Vec<u8>) {
        let is_fit =
            !cookie.is_empty() && cookie.len() <= LONGEST_COOKIE && cookie.len().is_multiple_of(4);
        if is_fit && self.cookies.len() < COOKIES {
            self.cookies.push_back(cookie);
        }
    }
}

fn is_refusal(packet: &Packet<'_>) -> bool {
    packet.header().kiss_code() == Some(KissCode::NtsNak)
}

fn append(packet: &mut Vec<u8>, kind: u16, body: &[u8]) {
    if let Some(head) = field::head_of(kind, ExtensionField::HEAD + body.len()) {
        packet.extend_from_slice(&head);
        packet.extend_from_slice(body);
    }
}

#[cfg(test)]
mod tests;
