//! The server's answers.

use std::{net::IpAddr, sync::Arc};

use ntp_keys::{Certificate, PublicKey};
use ntp_wire::{KeyId, Packet, Trailer};
use rand::Rng;
use zeroize::Zeroizing;

use super::{
    Host, MessageError, Opcode,
    answer_cache::Question,
    job::{Asked, Finished, Job, Task, Work},
};
use crate::{
    Cookie, Direction, Exchange, IdentityError, IdentityScheme, Message, Stamp, Value,
    certificate_cache::Answer, name, signed_value::SignedValue,
};

impl Host {
    /// The server's answer to a request in mode 3 whose MAC has an Autokey key identifier.
    ///
    /// `reply` holds the 48 octets of the header; field and MAC are appended. The first field of
    /// the request is answered, others are not looked at (nor does the reference). A clock that is
    /// not synchronised signs nothing: all answers but those to ASSOC are then empty.
    ///
    /// No public-key work is done here: where the answer needs some, `reply` stays as it was, and
    /// a [`Job`] is handed out. How much of it there may be is up to
    /// [`WorkLimits`](crate::WorkLimits).
    ///
    /// # Errors
    ///
    /// [`Refusal`] if nothing should be answered; `reply` is then as it was.
    pub fn respond(
        &mut self,
        exchange: &Exchange,
        request: &Packet<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<Response, Refusal> {
        let &Exchange { local, remote, .. } = exchange;
        let key_id = match request.trailer() {
            Trailer::Mac { key_id, .. } if key_id.is_autokey() => key_id,
            _ => return Err(Refusal::NoMac),
        };
        let field = request.extensions().next();
        let Some(cookie) = self.keys.verify(local, remote, request) else {
            // A wrong clock may show another epoch, in which secrets are different.
            if field.is_none() && !exchange.synchronised {
                return Err(Refusal::NotSynchronised);
            }
            reply.extend_from_slice(&KeyId::CRYPTO_NAK.value().to_be_bytes());
            return Ok(Response::Reply(Reply::CryptoNak {
                restart: field.is_none().then_some(key_id),
            }));
        };
        let Some(field) = field else {
            let mut mac = [0; crate::SessionKeys::LONGEST_MAC];
            let length = self
                .keys
                .seal((local, remote), key_id, cookie, reply, &mut mac);
            reply.extend_from_slice(mac.get(..length).unwrap_or_default());
            return Ok(Response::Reply(Reply::Sealed));
        };
        let message = Message::parse(&field)?;
        if message.direction != Direction::Request {
            return Err(Refusal::NotARequest(message.opcode));
        }
        let asked = Asked::of(exchange, key_id, &message);
        match self.answer(exchange, &message, None)? {
            Prepared::Nothing => self.seal(&asked, None, reply),
            Prepared::Value(value) => self.seal(&asked, Some(&value), reply),
            Prepared::Task(task) => {
                return Ok(Response::Work(Box::new(Job { asked, task })));
            }
        }
        Ok(Response::Reply(Reply::Sealed))
    }

    /// The same, with all work done at once: for programs that have nothing else to do.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if nothing should be answered; `reply` is then as it was.
    pub fn respond_at_once(
        &mut self,
        exchange: &Exchange,
        request: &Packet<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<Reply, Refusal> {
        match self.respond(exchange, request, reply)? {
            Response::Reply(verdict) => Ok(verdict),
            Response::Work(job) => {
                self.finish(job.run(), reply)?;
                Ok(Reply::Sealed)
            }
        }
    }

    /// Appends to `reply`, which holds the 48 octets of the header, the answer that took work.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if nothing should be answered; `reply` is then as it was.
    pub fn finish(&mut self, finished: Finished, reply: &mut Vec<u8>) -> Result<(), Refusal> {
        let Finished {
            asked,
            question,
            identity,
            value,
        } = finished;
        let value = value?;
        if Arc::ptr_eq(&identity, &self.identity) {
            self.keep(asked.opcode, &value);
            self.answers.keep(question, &value);
        }
        self.seal(&asked, Some(&value), reply);
        Ok(())
    }

    /// The server's answer to a client that searches for servers in `group`, whose name must be of
    /// our group if we have one. The request was sealed for the group; the answer, which is appended
    /// to the 48 octets of header in `reply`, comes from our own address.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if nothing should be answered; `reply` is then as it was.
    pub fn respond_to_search(
        &self,
        exchange: &Exchange,
        group: IpAddr,
        request: &Packet<'_>,
        reply: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let remote = exchange.remote;
        let (Trailer::Mac { key_id, .. }, Some(field), Some(_)) = (
            request.trailer(),
            request.extensions().next(),
            self.keys.verify(group, remote, request),
        ) else {
            return Err(Refusal::NoMac);
        };
        let message = Message::parse(&field)?;
        if message.direction != Direction::Request || message.opcode != Opcode::Association {
            return Err(Refusal::NotARequest(message.opcode));
        }
        let value = self.answer_association(&message)?;
        let ours = name::group_of(self.name());
        let theirs = name::read(value_of(&message)?.octets).and_then(name::group_of);
        if ours.is_some() && ours != theirs {
            return Err(Refusal::NotOffered(message.opcode));
        }
        let asked = Asked::of(exchange, key_id, &message);
        self.seal(&asked, Some(&value), reply);
        Ok(())
    }

    /// The answer for a peer that took work; `None` if there is none.
    pub(crate) fn finish_for_peer(&mut self, finished: Finished) -> Option<(Asked, SignedValue)> {
        let Finished {
            asked,
            question: _,
            identity,
            value,
        } = finished;
        let value = value.ok()?;
        if Arc::ptr_eq(&identity, &self.identity) {
            self.keep(asked.opcode, &value);
        }
        Some((asked, value))
    }

    /// Keeps a signature that answers others too.
    fn keep(&mut self, opcode: Opcode, value: &SignedValue) {
        match opcode {
            Opcode::Certificate => self.cache.keep(value),
            // What it says may have changed while it was signed.
            Opcode::Leap
                if value.value().octets == self.leap.to_octets()
                    && value.value().filestamp == self.leap_filestamp =>
            {
                self.signed_leap = Some(value.clone());
            }
            _ => {}
        }
    }

    /// Appends field and MAC.
    fn seal(&self, asked: &Asked, value: Option<&SignedValue>, reply: &mut Vec<u8>) {
        Message {
            direction: Direction::Response,
            opcode: asked.opcode,
            association: asked.association,
            value: value.map(SignedValue::value),
        }
        .emit(reply);
        self.keys
            .seal_public(asked.local, asked.remote, asked.key_id, reply);
    }

    /// What answers `message`. A peer is given `half` of a cookie in place of a client's.
    pub(crate) fn answer(
        &mut self,
        exchange: &Exchange,
        message: &Message<'_>,
        half: Option<Cookie>,
    ) -> Result<Prepared, Refusal> {
        let opcode = message.opcode;
        if opcode == Opcode::Association {
            return self.answer_association(message).map(Prepared::Value);
        }
        if !matches!(
            opcode,
            Opcode::Certificate
                | Opcode::Cookie
                | Opcode::Autokey
                | Opcode::Leap
                | Opcode::Sign
                | Opcode::Iff
                | Opcode::Gq
                | Opcode::Mv
        ) {
            return Err(Refusal::NotOffered(opcode));
        }
        if !exchange.synchronised {
            return Ok(Prepared::Nothing);
        }
        let too_much = Refusal::TooMuchWork(exchange.remote);
        let (remote, monotonic) = (exchange.remote, exchange.monotonic);
        if !self.limiter.admit_value(remote, monotonic) {
            return Err(too_much);
        }
        if opcode == Opcode::Autokey {
            let value = self.announced.get(&message.association);
            let value = value.ok_or(Refusal::NotOffered(opcode))?;
            return Ok(Prepared::Value(value.clone()));
        }
        let ends = (exchange.local, remote);
        let question = Question::new(ends, opcode, message.value.as_ref(), monotonic);
        if half.is_none()
            && let Some(value) = self.answers.find(&question)
        {
            return Ok(Prepared::Value(value.clone()));
        }
        // A daemon that forgot to tell: better signed late than with a timestamp of never.
        self.set_synchronised(exchange.now, true);
        let work = match opcode {
            Opcode::Certificate => match self.find_certificate(exchange, message)? {
                Ok(prepared) => return Ok(prepared),
                Err(work) => work,
            },
            Opcode::Leap => match &self.signed_leap {
                Some(value) => return Ok(Prepared::Value(value.clone())),
                None => Work::Own {
                    filestamp: self.leap_filestamp,
                    octets: self.leap.to_octets(),
                },
            },
            Opcode::Cookie => self.cookie_work(exchange, message, half)?,
            Opcode::Sign => self.sign_work(exchange, message)?,
            _ => self.identity_work(message)?,
        };
        let mut seed = Zeroizing::new([0; 32]);
        self.random.fill_bytes(&mut *seed);
        let task = Task {
            identity: Arc::clone(&self.identity),
            question,
            now: exchange.now,
            seed,
            work,
        };
        if !self.limiter.admit_work(remote, task.cost(), monotonic) {
            return Err(too_much);
        }
        Ok(Prepared::Task(task))
    }

    /// ASSOC: name and status word, never signed.
    fn answer_association(&self, message: &Message<'_>) -> Result<SignedValue, Refusal> {
        let theirs = value_of(message)?;
        name::read(theirs.octets).ok_or(Refusal::Malformed(Opcode::Association))?;
        let status = Stamp::new(self.status.bits());
        let name = self.name().as_bytes().to_vec();
        Ok(SignedValue::unsigned(status, name).at(self.updated_stamp()))
    }

    /// CERT: a certificate by its subject, or nothing if there is none to give; or the work it
    /// takes to sign it.
    fn find_certificate(
        &self,
        exchange: &Exchange,
        message: &Message<'_>,
    ) -> Result<Result<Prepared, Work>, Refusal> {
        let subject =
            name::read(value_of(message)?.octets).ok_or(Refusal::Malformed(Opcode::Certificate))?;
        Ok(match self.cache.answer(subject, exchange.now) {
            Answer::None => Ok(Prepared::Nothing),
            Answer::Signed(value) => Ok(Prepared::Value(value.clone())),
            Answer::Unsigned(certificate, filestamp) => Err(Work::Own {
                filestamp,
                octets: certificate.der().to_vec(),
            }),
        })
    }

    fn cookie_work(
        &self,
        exchange: &Exchange,
        message: &Message<'_>,
        half: Option<Cookie>,
    ) -> Result<Work, Refusal> {
        let malformed = Refusal::Malformed(Opcode::Cookie);
        let key = PublicKey::from_pkcs1_der(value_of(message)?.octets).map_err(|_| malformed)?;
        Ok(Work::Cookie {
            key: Box::new(key),
            cookie: half.unwrap_or_else(|| self.keys.cookie(exchange.local, exchange.remote)),
            filestamp: self.updated_stamp(),
        })
    }

    fn sign_work(&self, exchange: &Exchange, message: &Message<'_>) -> Result<Work, Refusal> {
        let value = value_of(message)?;
        let theirs =
            Certificate::parse(value.octets).map_err(|_| Refusal::Malformed(Opcode::Sign))?;
        let subject = theirs.subject();
        let proper = name::is_proper(subject) && subject != self.name();
        if !proper || !theirs.is_self_issued() || theirs.is_private() {
            return Err(Refusal::NotSignable(subject.to_owned()));
        }
        if exchange.now > self.identity.until {
            return Err(Refusal::OwnCertificateExpired);
        }
        if exchange.now > theirs.not_after() {
            return Err(Refusal::CertificateExpired(subject.to_owned()));
        }
        Ok(Work::Sign {
            certificate: Box::new(theirs),
            filestamp: value.filestamp,
        })
    }

    fn identity_work(&self, message: &Message<'_>) -> Result<Work, Refusal> {
        let challenge = value_of(message)?.octets;
        let not_offered = || Refusal::NotOffered(message.opcode);
        let scheme = IdentityScheme::of(message.opcode).ok_or_else(not_offered)?;
        let key = self.identity.group(scheme).ok_or_else(not_offered)?;
        key.check_challenge(challenge)
            .map_err(|error| Refusal::Identity { scheme, error })?;
        Ok(Work::Identity {
            scheme,
            challenge: challenge.to_vec(),
        })
    }
}

/// What answers a request.
pub(crate) enum Prepared {
    /// An empty field.
    Nothing,
    /// This value.
    Value(SignedValue),
    /// A value that is yet to be made.
    Task(Task),
}

fn value_of<'a>(message: &Message<'a>) -> Result<Value<'a>, Refusal> {
    message.value.ok_or(Refusal::Malformed(message.opcode))
}

/// What [`Host::respond`] came to.
#[derive(Clone, Debug)]
pub enum Response {
    /// The reply is complete.
    Reply(Reply),
    /// The answer takes public-key work.
    Work(Box<Job>),
}

/// What was made of the reply.
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
    /// The MAC is wrong, but our clock is, too.
    #[error("the request's cookie is not ours, as far as an unsynchronised clock can tell")]
    NotSynchronised,
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
    #[error("{} request: {error}", scheme.opcode())]
    Identity {
        /// The scheme.
        scheme: IdentityScheme,
        /// Why.
        error: IdentityError,
    },
    /// Our key cannot sign.
    #[error(transparent)]
    Sign(#[from] ntp_keys::SignError),
}
