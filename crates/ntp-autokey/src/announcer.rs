//! A server that tells many the time.

use ntp_keys::SignError;
use ntp_wire::AssociationId;

use crate::{
    Cookie, Direction, Exchange, Host, Message, Opcode, SessionKey, Stamp, key_list::KeyList,
    signed_value::SignedValue,
};

/// What a host keeps of one broadcast address or group that it tells the time (RFC 5906 section
/// 11.3): the key list of its packets.
///
/// The first packet of a list carries the signed autokey values, all others the host's name. The
/// MAC of each is made with a cookie that everybody knows; what proves a packet is the place of its
/// key identifier in the list. Nothing is kept of those who listen. Who missed the values asks for
/// them as a client, and [`Host::respond`] answers without signing anything.
#[derive(Debug)]
pub struct Announcer {
    association: AssociationId,
    list: KeyList,
}

impl Announcer {
    /// Of this association, which is not 0.
    pub fn new(association: AssociationId) -> Self {
        Self {
            association,
            list: KeyList::default(),
        }
    }

    /// Appends field and MAC to `packet`, which holds the 48 octets of the header.
    /// `exchange.remote` is the address of the many.
    ///
    /// # Errors
    ///
    /// [`SignError`] if a new list begins and our key can't sign its values; `packet` is then as it
    /// was.
    pub fn seal(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        packet: &mut Vec<u8>,
    ) -> Result<(), SignError> {
        let number = self.association.value().into();
        // The keys were renewed, so that nobody could verify the values.
        if !host.has_announced(number) {
            self.list.forget();
        }
        let algorithm = host.keys().algorithm();
        let key_id = self
            .list
            .next(algorithm, exchange, Cookie::PUBLIC, host.random());
        let start = self.list.start().filter(|_| self.list.take_new());
        let (opcode, value) = match start {
            Some(start) => {
                let value = host.sign_list(exchange.now, start)?;
                host.announce(number, value.clone());
                (Opcode::Autokey, value)
            }
            None => {
                let name = host.name().as_bytes().to_vec();
                let value = SignedValue::unsigned(Stamp::new(host.status().bits()), name);
                (Opcode::Association, value.at(host.updated_stamp()))
            }
        };
        Message {
            direction: Direction::Response,
            opcode,
            association: number,
            value: Some(value.value()),
        }
        .emit(packet);
        let Exchange { local, remote, .. } = *exchange;
        SessionKey::new(algorithm, local, remote, key_id, Cookie::PUBLIC).seal(key_id, packet);
        Ok(())
    }
}
