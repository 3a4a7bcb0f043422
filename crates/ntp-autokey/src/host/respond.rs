//! The server's answers.

use std::net::IpAddr;

use ntp_keys::{Certificate, PublicKey, ReissueTerms};
use ntp_wire::{Duration, KeyId, Packet, Trailer};

use super::{Host, MessageError, Opcode};
use crate::{Direction, Exchange, IffError, Message, Value, name, signed_value::SignedValue};

/// How long certificates hold that are signed for others.
const YEAR: Duration = Duration::from_seconds(365 * 86_400);

impl Host {
    /// The server's answer to a request in mode 3 whose MAC has an Autokey key identifier.
    ///
    /// `reply` holds the 48 octets of the header; field and MAC are appended. The first field of
    /// the request is answered, others are not looked at (nor does the reference). A clock that is
    /// not synchronised signs nothing: all answers but those to ASSOC are then empty.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if nothing should be answered; `reply` is then as it was.
    pub fn respond(
        &mut self,
        exchange: &Exchange,
        request: &Packet<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<Reply, Refusal> {
        let &Exchange { local, remote, .. } = exchange;
        let key_id = match request.trailer() {
            Trailer::Mac { key_id, .. } if key_id.is_autokey() => key_id,
            _ => return Err(Refusal::NoMac),
        };
        let field = request.extensions().next();
        if !self.keys.verify(local, remote, request) {
            reply.extend_from_slice(&KeyId::CRYPTO_NAK.value().to_be_bytes());
            return Ok(Reply::CryptoNak {
                restart: field.is_none().then_some(key_id),
            });
        }
        let Some(field) = field else {
            let mut mac = [0; crate::SessionKeys::LONGEST_MAC];
            let length = self.keys.seal(local, remote, key_id, reply, &mut mac);
            reply.extend_from_slice(mac.get(..length).unwrap_or_default());
            return Ok(Reply::Sealed);
        };
        let message = Message::parse(&field)?;
        if message.direction != Direction::Request {
            return Err(Refusal::NotARequest(message.opcode));
        }
        self.answer(exchange, &message, reply)?;
        self.keys.seal_public(local, remote, key_id, reply);
        Ok(Reply::Sealed)
    }

    /// Appends the field that answers `message`.
    fn answer(
        &mut self,
        exchange: &Exchange,
        message: &Message<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let opcode = message.opcode;
        let empty = Message {
            direction: Direction::Response,
            value: None,
            ..*message
        };
        if opcode == Opcode::Association {
            return self.answer_association(message, reply);
        }
        if !matches!(
            opcode,
            Opcode::Certificate | Opcode::Cookie | Opcode::Leap | Opcode::Sign | Opcode::Iff
        ) {
            return Err(Refusal::NotOffered(opcode));
        }
        if !exchange.synchronised {
            empty.emit(reply);
            return Ok(());
        }
        let costly = matches!(opcode, Opcode::Cookie | Opcode::Sign | Opcode::Iff);
        if !self
            .limiter
            .admit(exchange.remote, costly, exchange.monotonic)
        {
            return Err(Refusal::TooMuchWork(exchange.remote));
        }
        // A daemon that forgot to tell: better signed late than with a timestamp of never.
        self.set_synchronised(exchange.now, true);
        let answer = match opcode {
            Opcode::Certificate => self.answer_certificate(exchange, message)?,
            Opcode::Cookie => Some(self.answer_cookie(exchange, message)?),
            Opcode::Leap => Some(self.answer_leap(exchange)?),
            Opcode::Sign => Some(self.answer_sign(exchange, message)?),
            _ => Some(self.answer_iff(exchange, message)?),
        };
        Message {
            value: answer.as_ref().map(SignedValue::value),
            ..empty
        }
        .emit(reply);
        Ok(())
    }

    /// ASSOC: name and status word, never signed.
    fn answer_association(
        &self,
        message: &Message<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let theirs = value_of(message)?;
        name::read(theirs.octets).ok_or(Refusal::Malformed(Opcode::Association))?;
        Message {
            direction: Direction::Response,
            value: Some(Value {
                timestamp: self.updated_stamp(),
                filestamp: crate::Stamp::new(self.status.bits()),
                octets: self.name.as_bytes(),
                signature: &[],
            }),
            ..*message
        }
        .emit(reply);
        Ok(())
    }

    /// CERT: a certificate by its subject, or nothing if there is none to give.
    fn answer_certificate(
        &mut self,
        exchange: &Exchange,
        message: &Message<'_>,
    ) -> Result<Option<SignedValue>, Refusal> {
        let subject =
            name::read(value_of(message)?.octets).ok_or(Refusal::Malformed(Opcode::Certificate))?;
        let answer = self.cache.answer(subject, &self.signer, exchange.now)?;
        Ok(answer.cloned())
    }

    /// COOKIE: the client's cookie, encrypted for the key that it has sent.
    fn answer_cookie(
        &mut self,
        exchange: &Exchange,
        message: &Message<'_>,
    ) -> Result<SignedValue, Refusal> {
        let malformed = Refusal::Malformed(Opcode::Cookie);
        let key = PublicKey::from_pkcs1_der(value_of(message)?.octets).map_err(|_| malformed)?;
        let cookie = self.keys.cookie(exchange.local, exchange.remote);
        let encrypted = key
            .encrypt_oaep(&mut self.random, &cookie.value().to_be_bytes())
            .map_err(|_| Refusal::Malformed(Opcode::Cookie))?;
        let filestamp = self.updated_stamp();
        Ok(self.signer.sign(exchange.now, filestamp, encrypted)?)
    }

    /// LEAP: what is known of leap seconds.
    fn answer_leap(&mut self, exchange: &Exchange) -> Result<SignedValue, Refusal> {
        if let Some(value) = &self.signed_leap {
            return Ok(value.clone());
        }
        let octets = self.leap.to_octets();
        let value = self
            .signer
            .sign(exchange.now, self.leap_filestamp, octets)?;
        Ok(self.signed_leap.insert(value).clone())
    }

    /// SIGN: the client's certificate, signed by us.
    fn answer_sign(
        &mut self,
        exchange: &Exchange,
        message: &Message<'_>,
    ) -> Result<SignedValue, Refusal> {
        let value = value_of(message)?;
        let theirs =
            Certificate::parse(value.octets).map_err(|_| Refusal::Malformed(Opcode::Sign))?;
        let subject = theirs.subject();
        let proper = name::is_proper(subject) && subject != self.name;
        if !proper || !theirs.is_self_issued() || theirs.is_private() {
            return Err(Refusal::NotSignable(subject.to_owned()));
        }
        if theirs.verify(theirs.public_key()).is_err() {
            return Err(Refusal::NotSignable(subject.to_owned()));
        }
        if exchange.now > self.until {
            return Err(Refusal::OwnCertificateExpired);
        }
        if exchange.now > theirs.not_after() {
            return Err(Refusal::CertificateExpired(subject.to_owned()));
        }
        let terms = ReissueTerms {
            issuer: &self.name,
            serial: exchange.now.to_wire().seconds(),
            not_before: exchange.now,
            not_after: exchange.now + YEAR,
        };
        let signed = theirs
            .reissue(&terms, &self.signer.key, self.signer.scheme)
            .map_err(|_| Refusal::NotSignable(subject.to_owned()))?;
        let octets = signed.der().to_vec();
        Ok(self.signer.sign(exchange.now, value.filestamp, octets)?)
    }

    /// IFF: the answer to a challenge.
    fn answer_iff(
        &mut self,
        exchange: &Exchange,
        message: &Message<'_>,
    ) -> Result<SignedValue, Refusal> {
        let challenge = value_of(message)?.octets;
        let iff = self.iff.as_ref();
        let iff = iff.ok_or(Refusal::NotOffered(Opcode::Iff))?;
        let response = iff.respond(challenge, &mut self.random)?;
        Ok(self.signer.sign(exchange.now, iff.filestamp(), response)?)
    }
}

fn value_of<'a>(message: &Message<'a>) -> Result<Value<'a>, Refusal> {
    message.value.ok_or(Refusal::Malformed(message.opcode))
}

/// What [`Host::respond`] made of the reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Field and MAC, or just a MAC, have been appended.
    Sealed,
    /// The request's MAC was wrong, and a crypto-NAK (four zero octets) has been appended.
    ///
    /// If `restart` is there, the request was bare, so the client has a cookie that is not ours.
    /// The caller may then send it a second packet, made with
    /// [`SessionKeys::seal_restart`](crate::SessionKeys::seal_restart) and this key identifier, but
    /// only seldom: both answers are unauthenticated.
    CryptoNak {
        /// The key identifier of the request.
        restart: Option<KeyId>,
    },
}

/// Why a request is not answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The packet has no MAC with an Autokey key identifier.
    #[error("the request has no Autokey MAC")]
    NoMac,
    /// An extension field that cannot be read.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A response or an error where a request should be.
    #[error("{0} message that is no request")]
    NotARequest(Opcode),
    /// A request without the value that it needs, or with a wrong one.
    #[error("malformed {0} request")]
    Malformed(Opcode),
    /// A request that this host does not serve.
    #[error("{0} is not offered here")]
    NotOffered(Opcode),
    /// Too much is asked for, by this source or by all.
    #[error("{0} asks for more public-key work than is allowed")]
    TooMuchWork(IpAddr),
    /// A certificate that does not prove itself, or names us.
    #[error("the certificate of {0} cannot be signed: it is not its own, or bears our name")]
    NotSignable(String),
    /// A certificate that has expired.
    #[error("the certificate of {0} has expired: make a new one there with ntp-keygen")]
    CertificateExpired(String),
    /// Our own certificate has expired.
    #[error("our own certificate has expired: make a new one with ntp-keygen")]
    OwnCertificateExpired,
    /// A challenge that cannot be answered.
    #[error("IFF request: {0}")]
    Iff(#[from] IffError),
    /// Our key cannot sign.
    #[error(transparent)]
    Sign(#[from] ntp_keys::SignError),
}
