//! The requests that a client sends.

use bytes::Bytes;
use ntp_discipline::Now;
use ntp_keys::{MacBuffer, SymmetricKey};
use ntp_wire::{Header, KeyId, Leap, Precision};
use rand::Rng;

use super::{Association, Endpoint, Security, Source, nts::Nts, server::Wire};
use crate::{authority::Authority, server_view::ClockView};

/// What a packet of ours is made from.
pub(crate) struct Sender<'a, R> {
    pub(crate) now: Now,
    pub(crate) rng: &'a mut R,
    /// What we say of our clock, to those who are told.
    pub(crate) clock: &'a ClockView,
    pub(crate) precision: Precision,
}

/// A request that can't be sent, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("key {0} is not in the keys file or not named by trustedkey: nothing is sent")]
    NoKey(KeyId),
    #[error("`autokey` without a `crypto` directive that could be carried out: nothing is sent")]
    NoAutokey,
    #[error("our Autokey key can't sign: {0}: nothing is sent")]
    Sign(#[from] ntp_keys::SignError),
}

impl Association {
    /// The next packet to the server or peer, if its address is known.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the key that it should be made with is not there: an unauthenticated
    /// request in its place would only ask for an answer that must not be believed.
    pub(crate) fn request(
        &mut self,
        sender: &mut Sender<'_, impl Rng>,
        authority: &mut Authority<'_>,
    ) -> Result<Option<(Endpoint, Bytes)>, RequestError> {
        let now = sender.now;
        // The server gives it back: what it says of us is what we would like, not what we do.
        let poll = self.schedule.host_poll();
        let Source::Server(server) = &mut self.source else {
            return Ok(None);
        };
        let Some(endpoint) = server.endpoint() else {
            return Ok(None);
        };
        let (version, mode) = (self.settings.version, server.role.mode());
        // Before a packet is noted as sent, it must be certain that it can be.
        match &self.settings.security {
            Security::Autokey { .. } if server.autokey.is_none() || authority.host.is_none() => {
                return Err(RequestError::NoAutokey);
            }
            // Keys are on their way, or the log says why not.
            Security::Nts(_) if server.nts.as_ref().is_none_or(Nts::needs_keys) => {
                return Ok(None);
            }
            Security::None | Security::Key(_) | Security::Autokey { .. } | Security::Nts(_) => {}
        }
        let key = authority.key_of(&self.settings.security)?;
        let answers = server
            .autokey
            .as_ref()
            .is_some_and(|autokey| autokey.owes_an_answer());
        let header = match &mut server.wire {
            // A client's header tells nothing that the server needs to know; so it tells nothing.
            Wire::Client(wire) => {
                let stamps = wire.request(sender.rng, now.wall);
                Header {
                    leap: Leap::None,
                    mode,
                    version,
                    poll,
                    origin_time: stamps.origin,
                    receive_time: stamps.receive,
                    transmit_time: stamps.transmit,
                    ..Header::default()
                }
            }
            Wire::Symmetric(wire) => {
                let stamps = wire.send(sender.rng, now.wall, sender.precision, answers);
                Header {
                    poll,
                    origin_time: stamps.origin,
                    receive_time: stamps.receive,
                    transmit_time: stamps.transmit,
                    ..sender.clock.header(version, mode, now.monotonic)
                }
            }
        };
        let mut packet = vec![0; Header::LENGTH];
        if let Some(room) = packet.first_chunk_mut() {
            header.emit(room);
        }
        if let Some(key) = key {
            key.seal(&mut packet);
        }
        let exchange = authority.exchange(endpoint, now);
        if let (Some(autokey), Some(host)) = (&mut server.autokey, authority.host.as_deref_mut()) {
            autokey.seal_request(host, &exchange, authority.groups, &mut packet);
        }
        if let Some(nts) = &mut server.nts {
            nts.seal(sender.rng, &mut packet);
        }
        server.sent += 1;
        Ok(Some((endpoint, packet.into())))
    }
}

/// The symmetric key that a packet is made with.
pub(super) struct SealingKey<'a> {
    id: KeyId,
    key: &'a SymmetricKey,
}

impl SealingKey<'_> {
    /// Puts its MAC behind `packet`.
    pub(super) fn seal(&self, packet: &mut Vec<u8>) {
        let mut buffer = MacBuffer::new();
        let mac = self.key.mac(packet, &mut buffer);
        packet.extend_from_slice(&self.id.value().to_be_bytes());
        packet.extend_from_slice(mac);
    }
}

impl<'a> Authority<'a> {
    /// The symmetric key that `security` asks for, if it does.
    pub(super) fn key_of(
        &self,
        security: &Security,
    ) -> Result<Option<SealingKey<'a>>, RequestError> {
        let Security::Key(id) = *security else {
            return Ok(None);
        };
        let entry = self.keys.trusted(id).ok_or(RequestError::NoKey(id))?;
        Ok(Some(SealingKey {
            id,
            key: entry.key(),
        }))
    }
}
