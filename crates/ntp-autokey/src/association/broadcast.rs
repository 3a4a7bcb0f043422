//! Listening to who tells everybody.

use std::time::Duration;

use ntp_wire::{Monotonic, Packet};

use super::{Association, Received, STEP};
use crate::{
    Cookie, Direction, Exchange, Host, Message, Opcode, ReceiveError, SessionKey, StatusWord, Value,
};

/// So many packets in a row that do not follow from the list may mean that there is a new one.
const MOST_MISSES: u8 = 2;
/// The autokey values are asked for anew no more often than this: anybody can send what does not
/// follow.
const PATIENCE: Duration = Duration::from_secs(64);
/// A signature in what was sent to everybody is looked at no more often than this.
const BREATH: Duration = Duration::from_secs(1);

/// What a listener has heard.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// The server's association, which is asked for its autokey values.
    association: u32,
    misses: u8,
    asked: Option<Monotonic>,
    looked: Option<Monotonic>,
}

impl Hearing {
    pub(super) const fn association(&self) -> u32 {
        self.association
    }
}

impl Association {
    /// Takes a packet that the server has sent to everybody, to the address `exchange.local`.
    ///
    /// Its key identifier must follow from those before it. A packet with the signed values of a new
    /// list begins that one.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`] if the packet proves nothing; its time must not be used. As long as the
    /// server is not proven by questions that is no error.
    pub fn hear(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        packet: &Packet<'_>,
    ) -> Result<Received, ReceiveError> {
        self.watch_age(exchange);
        let heard = self.take_announcement(host, exchange, packet);
        match &heard {
            Ok(received) if received.time_usable => self.last_error = None,
            Ok(_) => {}
            Err(error) => self.note_error(exchange.monotonic, 0, error.clone()),
        }
        if self.wants_to_ask() {
            self.soon.get_or_insert(STEP);
        }
        heard
    }

    /// Whether there is something that a listener must ask the server for.
    pub fn wants_to_ask(&self) -> bool {
        let needed = StatusWord::CERTIFICATE
            | StatusWord::COOKIE
            | StatusWord::AUTOKEY
            | StatusWord::PROVENTIC;
        !self.dance.status.contains(needed)
    }

    fn take_announcement(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        packet: &Packet<'_>,
    ) -> Result<Received, ReceiveError> {
        let (key_id, digest) = super::reply::autokey_mac(packet)?;
        let Exchange { local, remote, .. } = *exchange;
        let algorithm = host.keys().algorithm();
        if !SessionKey::new(algorithm, remote, local, key_id, Cookie::PUBLIC)
            .verify(packet.authenticated(), digest)
        {
            return Err(ReceiveError::BadMac);
        }
        let field = packet.extensions().next();
        let message = field.map(|field| Message::parse(&field)).transpose()?;
        let message = message.ok_or(ReceiveError::Unexpected)?;
        let is_announced = message.direction == Direction::Response
            && matches!(message.opcode, Opcode::Association | Opcode::Autokey);
        if !is_announced {
            return Err(ReceiveError::Unexpected);
        }
        if !self.dance.status.contains(StatusWord::AUTOKEY) {
            self.hearing.association = message.association;
        }
        if message.opcode == Opcode::Autokey
            && let Some(value) = &message.value
            && self.is_new_list(value, exchange.monotonic)
        {
            self.take_list(host, exchange, value)?;
            self.hearing.association = message.association;
        }
        if !self.is_proventic() {
            return Ok(Received {
                time_usable: false,
                progress: false,
            });
        }
        let list = match self.standing.as_deref_mut() {
            Some(standing) => &mut standing.list,
            None => &mut self.dance.list,
        };
        let follows = list
            .as_mut()
            .is_some_and(|list| list.chain.follow(algorithm, remote, local, key_id));
        if follows {
            self.hearing.misses = 0;
            return Ok(Received {
                time_usable: true,
                progress: false,
            });
        }
        if list.as_ref().is_some_and(|list| list.chain.is_last(key_id)) {
            return Err(ReceiveError::Older);
        }
        self.hearing.misses = self.hearing.misses.saturating_add(1);
        if self.hearing.misses >= MOST_MISSES {
            self.ask_for_list(exchange.monotonic);
        }
        Err(ReceiveError::NotInList)
    }

    /// Whether the signature of a value is worth a look: it must be newer than what is known. What is
    /// known is not forgotten for it while another dance is under way.
    fn is_new_list(&mut self, value: &Value<'_>, now: Monotonic) -> bool {
        let known = self.dance.list.as_ref().map(|list| list.timestamp);
        let has_rested = self
            .hearing
            .looked
            .is_none_or(|looked| now.since(looked) >= BREATH);
        let is_new = self.is_proventic()
            && self.standing.is_none()
            && has_rested
            && known.is_none_or(|known| known.is_before(value.timestamp));
        if is_new {
            self.hearing.looked = Some(now);
        }
        is_new
    }

    /// The list of the other host is another than the one that is known, or somebody wants us to
    /// think so.
    pub(super) fn ask_for_list(&mut self, now: Monotonic) {
        let has_rested = self
            .hearing
            .asked
            .is_none_or(|asked| now.since(asked) >= PATIENCE);
        if !has_rested {
            return;
        }
        self.hearing.asked = Some(now);
        let kept = self.dance.status.bits() & !StatusWord::AUTOKEY.bits();
        self.dance.status = StatusWord::from_bits(kept);
        self.soon = Some(STEP);
    }
}
