//! A network that is told the time without asking.

use bytes::Bytes;
use ntp_autokey::Announcer as Autokey;
use ntp_conf::AddressFamily;
use ntp_wire::{Header, Mode};
use rand::Rng;

use super::{
    Association, Endpoint, Security, Source,
    request::{RequestError, Sender},
};
use crate::{authority::Authority, on_wire};

/// What is kept of a `broadcast` line: where to, and how far. Nothing ever comes back.
#[derive(Debug)]
pub(crate) struct Announcer {
    /// Which addresses to look for.
    pub(crate) family: Option<AddressFamily>,
    pub(crate) port: Option<u16>,
    pub(crate) endpoint: Option<Endpoint>,
    /// Whether our address on that network is being looked up.
    pub(crate) resolving: bool,
    /// Through how many routers a multicast may go.
    pub(crate) hops: u8,
    /// The key list of its packets, from the first one on.
    autokey: Option<Autokey>,
    pub(crate) sent: u64,
}

/// A packet for many.
pub(crate) struct Announcement {
    pub(crate) endpoint: Endpoint,
    pub(crate) hops: u8,
    pub(crate) data: Bytes,
}

impl Announcer {
    /// Hops where the line says nothing, as in the reference: any multicast of an organisation.
    pub(crate) const HOPS: u8 = 127;

    pub(crate) fn new(family: Option<AddressFamily>, port: Option<u16>, hops: Option<u8>) -> Self {
        Self {
            family,
            port,
            endpoint: None,
            resolving: false,
            hops: hops.unwrap_or(Self::HOPS),
            autokey: None,
            sent: 0,
        }
    }
}

impl Association {
    /// The next packet for a network.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the key that it should be made with is not there.
    pub(crate) fn announce(
        &mut self,
        sender: &mut Sender<'_, impl Rng>,
        authority: &mut Authority<'_>,
    ) -> Result<Option<Announcement>, RequestError> {
        let poll = self.schedule.host_poll();
        let Source::Announcer(announcer) = &mut self.source else {
            return Ok(None);
        };
        let Some(endpoint) = announcer.endpoint else {
            return Ok(None);
        };
        let key = authority.key_of(&self.settings.security)?;
        let now = sender.now;
        let exchange = authority.exchange(endpoint, now);
        let autokey = match (&self.settings.security, authority.host.as_deref_mut()) {
            (Security::Autokey { .. }, None) => return Err(RequestError::NoAutokey),
            (Security::Autokey { .. }, Some(host)) => Some(host),
            // NTS is for clients: the configuration has no such line.
            (Security::Nts(_), _) => return Ok(None),
            (Security::None | Security::Key(_), _) => None,
        };
        let header = Header {
            poll,
            transmit_time: on_wire::below_precision_random(now.wall, sender.precision, sender.rng),
            ..sender
                .clock
                .header(self.settings.version, Mode::Broadcast, now.monotonic)
        };
        let mut packet = vec![0; Header::LENGTH];
        if let Some(room) = packet.first_chunk_mut() {
            header.emit(room);
        }
        if let Some(key) = key {
            key.seal(&mut packet);
        }
        if let Some(host) = autokey {
            let id = self.id;
            announcer
                .autokey
                .get_or_insert_with(|| Autokey::new(id))
                .seal(host, &exchange, &mut packet)?;
        }
        announcer.sent += 1;
        Ok(Some(Announcement {
            endpoint,
            hops: announcer.hops,
            data: packet.into(),
        }))
    }
}
