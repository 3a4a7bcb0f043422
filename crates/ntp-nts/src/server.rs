//! What a server does with a request: no public-key work, no allocation, nothing remembered.

use ntp_wire::{ExtensionField, Header, Packet, Trailer};
use rand::Rng;

use crate::{
    COOKIES,
    cookie::{Cookie, CookieAge, CookieError, CookieKeys},
    field::{self, AUTHENTICATOR_LENGTH, Authenticator, IDENTIFIER},
    keys::SessionKeys,
    seal::{NONCE, Sealer},
};

/// No sealed part of a request is longer: nothing that a server reads is sealed.
const LONGEST_SEALED: usize = 1024;

/// What a packet is, as far as NTS is concerned.
#[derive(Debug)]
pub enum Inspection<'a> {
    /// It has no field of NTS.
    Plain,
    /// It has, and not as they must be: it is not answered.
    Malformed,
    /// Its cookie or its authenticator is of no use: it is told so.
    Refused(Refused<'a>),
    /// It is authentic.
    Authentic(Authentic<'a>),
}

/// A request that is not authentic.
#[derive(Debug)]
pub struct Refused<'a> {
    identifier: &'a [u8],
    /// Why its cookie can't be used; `None` if it can, and the authenticator is wrong.
    pub cookie: Option<CookieError>,
}

/// An authentic request.
#[derive(Debug)]
pub struct Authentic<'a> {
    identifier: &'a [u8],
    keys: SessionKeys,
    /// Cookies that its answer brings.
    cookies: usize,
    /// The key that its cookie was sealed with.
    pub age: CookieAge,
    /// Octets of the request: no answer is longer.
    length: usize,
}

/// Looks for NTS in `packet`, a request.
pub fn inspect<'a>(keys: &CookieKeys, packet: &Packet<'a>) -> Inspection<'a> {
    if packet.bytes().len() == Header::LENGTH || packet.trailer() != Trailer::None {
        return Inspection::Plain;
    }
    let mut found = Found::default();
    let mut offset = Header::LENGTH;
    for field in packet.extensions() {
        match field.kind {
            field::UNIQUE_IDENTIFIER if found.identifier.is_none() => {
                found.identifier = Some(field.body);
            }
            field::COOKIE if found.cookie.is_none() => found.cookie = Some(field.body),
            field::UNIQUE_IDENTIFIER | field::COOKIE => return Inspection::Malformed,
            field::PLACEHOLDER => {
                // A placeholder that is shorter than a cookie makes no room for one.
                found.placeholders += usize::from(field.body.len() >= Cookie::LENGTH);
            }
            field::AUTHENTICATOR => {
                found.authenticator = Some((offset, field.body));
                // What follows is not authenticated, and not read.
                break;
            }
            _ => {}
        }
        offset += field.length();
    }
    found.judge(keys, packet)
}

#[derive(Default)]
struct Found<'a> {
    identifier: Option<&'a [u8]>,
    cookie: Option<&'a [u8]>,
    placeholders: usize,
    authenticator: Option<(usize, &'a [u8])>,
}

impl<'a> Found<'a> {
    fn judge(self, keys: &CookieKeys, packet: &Packet<'a>) -> Inspection<'a> {
        let (identifier, cookie, (at, body)) =
            match (self.identifier, self.cookie, self.authenticator) {
                (_, None, None) => return Inspection::Plain,
                (Some(identifier), Some(cookie), Some(authenticator))
                    if identifier.len() >= IDENTIFIER =>
                {
                    (identifier, cookie, authenticator)
                }
                _ => return Inspection::Malformed,
            };
        let (session, age) = match keys.open(cookie) {
            Ok(opened) => opened,
            Err(error) => {
                return Inspection::Refused(Refused {
                    identifier,
                    cookie: Some(error),
                });
            }
        };
        let Some(authenticator) = Authenticator::parse(body) else {
            return Inspection::Malformed;
        };
        let mut room = [0; LONGEST_SEALED];
        let Some(sealed) = room.get_mut(..authenticator.sealed.len()) else {
            return Inspection::Malformed;
        };
        sealed.copy_from_slice(authenticator.sealed);
        let before = packet.bytes().get(..at).unwrap_or_default();
        let sealer = Sealer::new(&session.client_to_server);
        if sealer.open(before, authenticator.nonce, sealed).is_none() {
            return Inspection::Refused(Refused {
                identifier,
                cookie: None,
            });
        }
        Inspection::Authentic(Authentic {
            identifier,
            keys: session,
            cookies: (1 + self.placeholders).min(COOKIES),
            age,
            length: packet.bytes().len(),
        })
    }
}

impl Authentic<'_> {
    /// Completes the answer whose header is in `reply`: the identifier of the request, new cookies,
    /// the authenticator. So many octets of it are to be sent, and never more than the request has;
    /// `None` if `reply` is too short.
    pub fn seal_answer(
        &self,
        keys: &CookieKeys,
        rng: &mut impl Rng,
        reply: &mut [u8],
    ) -> Option<usize> {
        let at = field::write(
            reply,
            Header::LENGTH,
            field::UNIQUE_IDENTIFIER,
            self.identifier,
        )?;
        const FIELD: usize = ExtensionField::HEAD + Cookie::LENGTH;
        let room = reply.len().min(self.length);
        let left = room.checked_sub(at + AUTHENTICATOR_LENGTH)?;
        let count = self.cookies.min(left / FIELD);
        let mut end = at + AUTHENTICATOR_LENGTH;
        for _ in 0..count {
            let cookie = keys.seal(&self.keys, rng);
            end = field::write(reply, end, field::COOKIE, &cookie)?;
        }
        let sealer = Sealer::new(&self.keys.server_to_client);
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        field::write_authenticator(&sealer, &nonce, reply, at, count * FIELD)
    }

    /// How many cookies its answer brings.
    pub const fn cookies(&self) -> usize {
        self.cookies
    }
}

impl Refused<'_> {
    /// Completes the answer that has a kiss-o'-death with the code NTSN as its header: so many
    /// octets of it are to be sent.
    pub fn complete(&self, reply: &mut [u8]) -> Option<usize> {
        field::write(
            reply,
            Header::LENGTH,
            field::UNIQUE_IDENTIFIER,
            self.identifier,
        )
    }
}

#[cfg(test)]
mod tests;
