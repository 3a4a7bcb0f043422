//! What is asked next.

use ntp_wire::Timestamp;

use super::{Association, COOKIE_LIFE, Identity, Relation, Sent};
use crate::{
    Cookie, Direction, Exchange, Host, IdentityGroups, Message, Opcode, SessionKey, Stamp,
    StatusWord, signed_value::SignedValue,
};

impl Association {
    /// Appends to `packet`, which holds the 48 octets of the header, the request that comes next in
    /// the dance, if there is one, and the MAC.
    ///
    /// A challenge is made for the parameters that `groups` has now, so that a file which was
    /// wrong can be replaced while the dance waits for it.
    pub fn seal_request(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        packet: &mut Vec<u8>,
    ) {
        self.settle(exchange);
        self.soon = None;
        if let Identity::Asked { group, key, .. } = &mut self.dance.identity
            && let Some(current) = groups.lookup(group, key.scheme())
        {
            **key = current.clone();
        }
        self.began.get_or_insert(exchange.monotonic);
        let opcode = match self.is_time_next() || self.rests() {
            true => None,
            false => self.next_step(exchange),
        };
        let value = opcode.and_then(|opcode| self.value(opcode, host, exchange.now));
        let algorithm = host.keys().algorithm();
        let cookie = self.cookie();
        let key_id = self.list.next(algorithm, exchange, cookie, host.random());
        let answered = self.seal_answers(host, exchange, packet);
        let opcode = opcode.filter(|_| packet.len() <= Self::ROOM);
        if let Some(opcode) = opcode {
            Message {
                direction: Direction::Request,
                opcode,
                association: self.number_for(opcode),
                value: value.as_ref().map(SignedValue::value),
            }
            .emit(packet);
        }
        let is_bare = opcode.is_none() && !answered;
        self.note_sent(is_bare);
        let cookie = if is_bare { cookie } else { Cookie::PUBLIC };
        SessionKey::new(algorithm, exchange.local, exchange.remote, key_id, cookie)
            .seal(key_id, packet);
        self.sent = Some(Sent::new(key_id, opcode));
        self.key_id = Some(key_id);
    }

    /// A question goes into a packet of at most so many octets; with an answer before it that is
    /// longer it would not fit into one frame, and waits.
    pub(super) const ROOM: usize = 400;

    /// The association that a question is about: ours, but for AUTO to who tells everybody.
    pub(super) fn number_for(&self, opcode: Opcode) -> u32 {
        match (self.options.relation, opcode) {
            (Relation::Listener, Opcode::Autokey) => self.hearing.association(),
            _ => self.options.association.value().into(),
        }
    }

    /// The first step that is missing.
    fn next_step(&mut self, exchange: &Exchange) -> Option<Opcode> {
        let status = self.dance.status;
        let missing = |bit| !status.contains(bit);
        if self.dance.server.is_none() {
            Some(Opcode::Association)
        } else if missing(StatusWord::CERTIFICATE) {
            Some(Opcode::Certificate)
        } else if let Identity::Asked { key, .. } = &self.dance.identity {
            Some(key.scheme().opcode())
        } else if missing(StatusWord::COOKIE) && self.can_have_cookie(exchange) {
            Some(Opcode::Cookie)
        } else if missing(StatusWord::AUTOKEY) {
            Some(Opcode::Autokey)
        } else if !exchange.synchronised {
            None
        } else if missing(StatusWord::SIGNED) {
            self.pause.is_over().then_some(Opcode::Sign)
        } else if missing(StatusWord::LEAP) {
            self.pause.is_over().then_some(Opcode::Leap)
        } else if self.has_old_cookie(exchange) {
            self.pause.is_over().then_some(Opcode::Cookie)
        } else {
            None
        }
    }

    /// What would be asked next.
    #[cfg(test)]
    pub(crate) fn expects(&mut self, exchange: &Exchange) -> Option<Opcode> {
        self.next_step(exchange)
    }

    /// Waits for the reply to a request that somebody else has made.
    #[cfg(test)]
    pub(crate) fn pretend_asked(
        &mut self,
        key_id: ntp_wire::KeyId,
        opcode: Option<Opcode>,
        question: Option<&[u8]>,
    ) {
        if let Identity::Asked { challenge, .. } = &mut self.dance.identity {
            *challenge = question.unwrap_or_default().to_vec();
        }
        self.sent = Some(Sent::new(key_id, opcode));
    }

    /// Knows the cookie that somebody else was sent.
    #[cfg(test)]
    pub(crate) fn pretend_cookie(&mut self, cookie: Cookie) {
        self.dance.cookie = Some(super::CookieValue {
            cookie,
            timestamp: Stamp::NEVER,
            received: ntp_wire::Monotonic::START,
        });
        self.dance.status |= StatusWord::COOKIE | StatusWord::PROVENTIC;
    }

    /// Takes it that somebody else's certificate was signed.
    #[cfg(test)]
    pub(crate) fn pretend_signed(&mut self) {
        self.dance.status |= StatusWord::SIGNED;
        self.pause = super::Pause::default();
    }

    /// What the request carries.
    fn value(&mut self, opcode: Opcode, host: &mut Host, now: Timestamp) -> Option<SignedValue> {
        let named =
            |filestamp, name: &str| SignedValue::unsigned(filestamp, name.as_bytes().to_vec());
        match opcode {
            Opcode::Association => Some(named(Stamp::new(host.status().bits()), host.name())),
            Opcode::Certificate => Some(named(Stamp::NEVER, self.dance.trail.wanted())),
            Opcode::Cookie => Some(host.public_key_value()),
            Opcode::Sign => host.certificate_value(now),
            Opcode::Iff | Opcode::Gq | Opcode::Mv => {
                let Identity::Asked { key, challenge, .. } = &mut self.dance.identity else {
                    return None;
                };
                *challenge = key.challenge(host.random())?;
                Some(SignedValue::unsigned(key.filestamp(), challenge.clone()))
            }
            _ => None,
        }
    }

    /// Peers agree on a cookie only when both can sign; the others wait for no one.
    fn can_have_cookie(&self, exchange: &Exchange) -> bool {
        self.options.relation != Relation::Peer || exchange.synchronised
    }

    fn has_old_cookie(&self, exchange: &Exchange) -> bool {
        let cookie = self.dance.cookie.as_ref();
        cookie.is_some_and(|cookie| exchange.monotonic.since(cookie.received) >= COOKIE_LIFE)
    }
}
