//! The requests that a client sends.

use bytes::Bytes;
use ntp_discipline::Now;
use ntp_keys::MacBuffer;
use ntp_wire::{Header, Leap, Mode, WireTimestamp};
use rand::Rng;

use super::{Association, Endpoint, Security, Source};
use crate::authority::Authority;

/// A request that can't be sent, and why.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RequestError {
    #[error("key {0} is not in the keys file or not named by trustedkey: nothing is sent")]
    NoKey(ntp_wire::KeyId),
    #[error("`autokey` without a `crypto` directive that could be carried out: nothing is sent")]
    NoAutokey,
}

impl Association {
    /// The next request to the server, if its address is known.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the key that it should be made with is not there: an unauthenticated
    /// request in its place would only ask for an answer that must not be believed.
    pub(crate) fn request(
        &mut self,
        now: Now,
        rng: &mut impl Rng,
        authority: &mut Authority<'_>,
    ) -> Result<Option<(Endpoint, Bytes)>, RequestError> {
        // The server gives it back: what it says of us is what we would like, not what we do.
        let poll = self.schedule.host_poll();
        let Source::Server(server) = &mut self.source else {
            return Ok(None);
        };
        let Some(endpoint) = server.endpoint() else {
            return Ok(None);
        };
        // A client's header tells nothing that the server needs to know; so it tells nothing.
        let header = |transmit_time: WireTimestamp| Header {
            leap: Leap::None,
            mode: Mode::Client,
            version: self.settings.version,
            poll,
            transmit_time,
            ..Header::default()
        };
        let mut packet = vec![0; Header::LENGTH];
        let write = |packet: &mut Vec<u8>, header: Header| {
            if let Some(room) = packet.first_chunk_mut() {
                header.emit(room);
            }
        };
        match &self.settings.security {
            Security::None => {
                write(&mut packet, header(server.wire.request(rng, now.wall)));
            }
            Security::Key(id) => {
                let entry = authority
                    .keys
                    .trusted(*id)
                    .ok_or(RequestError::NoKey(*id))?;
                write(&mut packet, header(server.wire.request(rng, now.wall)));
                let mut buffer = MacBuffer::new();
                let mac = entry.key().mac(&packet, &mut buffer);
                packet.extend_from_slice(&id.value().to_be_bytes());
                packet.extend_from_slice(mac);
            }
            Security::Autokey { .. } => {
                let exchange = authority.exchange(endpoint, now);
                let (Some(autokey), Some(host)) =
                    (&mut server.autokey, authority.host.as_deref_mut())
                else {
                    return Err(RequestError::NoAutokey);
                };
                write(&mut packet, header(server.wire.request(rng, now.wall)));
                autokey.seal_request(host, &exchange, authority.groups, &mut packet);
            }
        }
        server.sent += 1;
        Ok(Some((endpoint, packet.into())))
    }
}
