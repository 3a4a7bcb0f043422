//! What must have crossed the wire for a claim to be true.

use std::{collections::BTreeMap, net::IpAddr};

use meridian_harness::Captured;
use ntp_wire::{Mode, Packet, Trailer};

/// The Autokey messages between a server and its client.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    /// How many of each type the client sent.
    pub(crate) from_client: BTreeMap<u16, usize>,
    /// How many of each type the server sent.
    pub(crate) from_server: BTreeMap<u16, usize>,
    /// Packets of the server without a field, with the MAC of a session key.
    pub(crate) bare: usize,
    /// Broadcasts of the server.
    pub(crate) broadcasts: usize,
}

impl Messages {
    pub(crate) fn of(seen: &[Captured], server: IpAddr, client: IpAddr) -> Self {
        let mut messages = Self::default();
        for captured in seen {
            let Ok(packet) = Packet::parse(&captured.data) else {
                continue;
            };
            let is_session =
                matches!(packet.trailer(), Trailer::Mac { key_id, .. } if key_id.is_autokey());
            if !is_session {
                continue;
            }
            let count = if captured.source == server {
                if packet.header().mode == Mode::Broadcast {
                    messages.broadcasts += 1;
                }
                messages.bare += usize::from(packet.extensions().next().is_none());
                &mut messages.from_server
            } else if captured.source == client {
                &mut messages.from_client
            } else {
                continue;
            };
            for field in packet.extensions() {
                *count.entry(field.kind).or_default() += 1;
            }
        }
        messages
    }

    /// Whether the client asked this, and the server answered.
    pub(crate) fn has(&self, request: u16) -> bool {
        self.from_client.contains_key(&request)
            && self.from_server.contains_key(&(request | 0x8000))
    }
}
