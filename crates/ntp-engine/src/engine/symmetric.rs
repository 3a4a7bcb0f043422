//! Packets of those who are peers, or want to be.

use std::net::IpAddr;

use ntp_restrict::RestrictFlags;
use ntp_wire::{Header, Mode, Packet, PollExponent, Trailer};

use super::Engine;
use crate::{
    Arrival, Endpoint,
    association::{Association, Role, Security, Server, Settings, Source},
};

/// A peer that came by itself is told of us after this time, as in the reference: its packets and
/// ours should not cross.
const FIRST_WORD: std::time::Duration = std::time::Duration::from_secs(2);

/// Whether a packet of somebody we do not know is authentic.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Stranger {
    /// By the key of this security.
    Proven(Security),
    /// It will be, once more packets have been exchanged; anybody could have sent this one.
    Provable(Security),
    /// It does not say.
    Unsigned,
    /// It says so, and it can't be shown.
    Failed,
}

impl Engine {
    /// A packet in symmetric mode: of a peer, or of one who wants to be.
    pub(super) fn symmetric(&mut self, arrival: &Arrival, flags: RestrictFlags, data: &[u8]) {
        let Ok(packet) = Packet::parse(data) else {
            return;
        };
        let mode = packet.header().mode;
        let is_known = self
            .associations
            .iter()
            .any(|association| association.takes(mode, arrival.remote));
        if is_known {
            self.reply(arrival, flags, data);
        } else if mode == Mode::SymmetricActive {
            self.stranger(arrival, flags, &packet);
        }
    }

    /// Somebody has a `peer` line for us, and we none for him. Who proves by a key that he may
    /// becomes a peer until he is silent; with `disable auth`, anybody does. The others get a
    /// passive answer and are forgotten.
    fn stranger(&mut self, arrival: &Arrival, flags: RestrictFlags, packet: &Packet<'_>) {
        let header = packet.header();
        let stranger = self.recognise(arrival, arrival.local, packet);
        let must_prove = self.authentication_required
            || flags.intersects(RestrictFlags::NO_PEER | RestrictFlags::NO_TRUST);
        let security = match stranger {
            Stranger::Proven(security) => Some(security),
            Stranger::Provable(security) if self.has_room_for_unproven() => Some(security),
            Stranger::Unsigned if !must_prove => Some(Security::None),
            Stranger::Unsigned | Stranger::Failed | Stranger::Provable(_) => None,
        };
        let is_own = arrival.remote.ip() == arrival.local && arrival.remote.port() == self.port;
        match security {
            _ if is_own => {}
            // Not even those who have a key.
            Some(_) if flags.contains(RestrictFlags::NO_EPHEMERAL_PEER) => {
                self.responder.note_declined();
            }
            Some(security) if self.has_room_for_ephemeral() => {
                if self.responder.admits(&self.view, arrival, header, flags) {
                    self.mobilise_passive(arrival, header, security);
                    self.reply(arrival, flags, packet.bytes());
                }
            }
            _ => self.answer_statelessly(arrival, flags, packet.bytes()),
        }
    }

    /// Whose packet it is, which was sent to the address `to`.
    pub(super) fn recognise(&self, arrival: &Arrival, to: IpAddr, packet: &Packet<'_>) -> Stranger {
        match packet.trailer() {
            Trailer::None => Stranger::Unsigned,
            Trailer::CryptoNak => Stranger::Failed,
            Trailer::Mac { key_id, .. } if key_id.is_autokey() => {
                let verified = self.autokey.as_ref().is_some_and(|host| {
                    packet.extensions().next().is_some()
                        && host.recognises(to, arrival.remote.ip(), packet)
                });
                if !verified {
                    return Stranger::Failed;
                }
                Stranger::Provable(Security::Autokey {
                    ident: self.ident.clone(),
                })
            }
            Trailer::Mac { key_id, digest } => match self.keys.trusted(key_id) {
                Some(entry)
                    if entry.allows(arrival.remote.ip())
                        && entry.key().verify(packet.authenticated(), digest) =>
                {
                    Stranger::Proven(Security::Key(key_id))
                }
                _ => Stranger::Failed,
            },
        }
    }

    fn mobilise_passive(&mut self, arrival: &Arrival, header: &Header, security: Security) {
        let id = self.unused_id();
        let settings = Settings {
            // He says how often he will speak, within bounds.
            minimum_poll: header
                .poll
                .clamp(PollExponent::FASTEST, PollExponent::DEFAULT_MAXIMUM),
            maximum_poll: PollExponent::DEFAULT_MAXIMUM,
            version: header.version,
            ..Settings::plain(arrival.remote.ip().to_string(), security)
        };
        let mut server = Server::new(id, Role::SymmetricPassive, &settings.security, None, None);
        server.locate(Endpoint {
            remote: arrival.remote,
            local: arrival.local,
        });
        let source = Source::Server(Box::new(server));
        let now = self.now.monotonic;
        let mut association = Association::new(id, settings, source, now, self.precision);
        association.schedule.postpone(now + FIRST_WORD);
        self.mobilise(association);
    }
}
