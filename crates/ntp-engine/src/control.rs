//! The answers to control messages (mode 6, RFC 9327): what ntpq asks.

mod clock;
mod listing;
mod peer;
mod system;

use std::net::SocketAddr;

use bytes::Bytes;
use ntp_restrict::RestrictFlags;
use ntp_wire::{
    AssociationId, Leap,
    control::{
        ControlHeader, ControlMessage, ErrorCode, Fragment, Fragments, Opcode, SystemStatus,
    },
};

use self::listing::Listing;
pub(crate) use self::{listing::minute, peer::reference_id};
use crate::{Engine, association::Association};

/// Where the stratum's source stands in the system status word.
const SOURCE_LOCAL: u8 = 5;
const SOURCE_NTP: u8 = 6;

/// A status word and the data that go with it.
struct Answer {
    status: u16,
    data: Vec<u8>,
}

impl Engine {
    /// The datagrams that answer the control message `bytes`; none for what is no request.
    pub(crate) fn answer_control(
        &self,
        bytes: &[u8],
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Vec<Bytes> {
        let Ok(message) = ControlMessage::parse(bytes) else {
            return Vec::new();
        };
        let header = *message.header();
        // An answer to an answer would go on for ever.
        if header.response || header.error || header.more || header.offset != 0 {
            return Vec::new();
        }
        let leap = self.system.state.leap;
        match self.answer(&message, from, restrictions) {
            Ok(answer) => in_fragments(&header, leap, &answer),
            Err(code) => emit(&header.refuse(leap, code), &[]).into_iter().collect(),
        }
    }

    fn answer(
        &self,
        message: &ControlMessage<'_>,
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Result<Answer, ErrorCode> {
        let header = message.header();
        if header.opcode.needs_authentication() {
            if restrictions.contains(RestrictFlags::NO_MODIFY) || !self.is_authorised(message, from)
            {
                return Err(ErrorCode::PERMISSION);
            }
            return self.change(header.opcode);
        }
        match header.opcode {
            Opcode::READ_STATUS => self.read_status(header.association),
            Opcode::READ_VARIABLES => self.read_variables(header.association, message.data()),
            Opcode::READ_CLOCK_VARIABLES => self.read_clock(header.association, message.data()),
            _ => Err(ErrorCode::BAD_OPCODE),
        }
    }

    /// Whether the message carries a right MAC of the control key.
    fn is_authorised(&self, message: &ControlMessage<'_>, from: SocketAddr) -> bool {
        let Some(control) = self.control_key else {
            return false;
        };
        message.macs().any(|mac| {
            mac.key_id == control
                && self.keys.trusted(control).is_some_and(|entry| {
                    entry.allows(from.ip()) && entry.key().verify(mac.message, mac.digest)
                })
        })
    }

    /// An authorised change. Nothing can be changed at run time yet, and the answer says so.
    fn change(&self, opcode: Opcode) -> Result<Answer, ErrorCode> {
        match opcode {
            Opcode::WRITE_VARIABLES | Opcode::WRITE_CLOCK_VARIABLES => {
                Err(ErrorCode::UNKNOWN_VARIABLE)
            }
            Opcode::CONFIGURE => Ok(Answer {
                status: 0,
                data: b"runtime configuration is not supported: edit ntp.conf and restart ntpd\r\n"
                    .to_vec(),
            }),
            _ => Err(ErrorCode::BAD_OPCODE),
        }
    }

    /// All associations with their status words, or one association's words and variables.
    fn read_status(&self, id: AssociationId) -> Result<Answer, ErrorCode> {
        if id != AssociationId::SYSTEM {
            return self.read_variables(id, b"");
        }
        let mut data = Vec::with_capacity(self.associations.len() * 4);
        for association in &self.associations {
            data.extend_from_slice(&association.id.value().to_be_bytes());
            data.extend_from_slice(&association.status().to_bits().to_be_bytes());
        }
        Ok(Answer {
            status: self.system_status().to_bits(),
            data,
        })
    }

    fn read_variables(&self, id: AssociationId, names: &[u8]) -> Result<Answer, ErrorCode> {
        let mut listing = Listing::default();
        let status = if id == AssociationId::SYSTEM {
            listing.fill(names, system::DEFAULT, |name, items| {
                self.system_variable(name, items)
            })?;
            self.system_status().to_bits()
        } else {
            let association = self.association(id).ok_or(ErrorCode::BAD_ASSOCIATION)?;
            listing.fill(names, &peer::default_names(association), |name, items| {
                self.peer_variable(association, name, items)
            })?;
            association.status().to_bits()
        };
        Ok(Answer {
            status,
            data: listing.into_bytes(),
        })
    }

    fn read_clock(&self, id: AssociationId, names: &[u8]) -> Result<Answer, ErrorCode> {
        let association = if id == AssociationId::SYSTEM {
            self.system_peer().ok_or(ErrorCode::BAD_ASSOCIATION)?
        } else {
            self.association(id).ok_or(ErrorCode::BAD_ASSOCIATION)?
        };
        let clock = clock::of(association).ok_or(ErrorCode::BAD_ASSOCIATION)?;
        let mut listing = Listing::default();
        listing.fill(names, clock::DEFAULT, |name, items| {
            clock::variable(clock, association, name, items)
        })?;
        Ok(Answer {
            status: 0,
            data: listing.into_bytes(),
        })
    }

    pub(crate) fn association(&self, id: AssociationId) -> Option<&Association> {
        self.associations
            .iter()
            .find(|association| association.id == id)
    }

    pub(crate) fn system_peer(&self) -> Option<&Association> {
        self.association(self.system.peer?)
    }

    /// The status word of the system (RFC 9327 section 3.1).
    pub(crate) fn system_status(&self) -> SystemStatus {
        let state = &self.system.state;
        let source = match self.system_peer() {
            _ if state.leap == Leap::Unsynchronised => 0,
            None => 0,
            Some(peer) if peer.server().is_none() => SOURCE_LOCAL,
            Some(_) => SOURCE_NTP,
        };
        SystemStatus::new(
            state.leap,
            source,
            self.system.events.count,
            self.system.events.last,
        )
    }
}

fn in_fragments(request: &ControlHeader, leap: Leap, answer: &Answer) -> Vec<Bytes> {
    let longest = Fragments::LONGEST_RESPONSE.min(answer.data.len());
    let data = answer.data.get(..longest).unwrap_or_default();
    let Ok(fragments) = Fragments::new(data) else {
        return Vec::new();
    };
    let header = request.respond(leap, answer.status);
    fragments
        .filter_map(|fragment| {
            emit(
                &ControlHeader {
                    offset: fragment.offset,
                    more: fragment.more,
                    ..header
                },
                fragment.data,
            )
        })
        .collect()
}

fn emit(header: &ControlHeader, data: &[u8]) -> Option<Bytes> {
    let mut buffer = [0; ControlHeader::LENGTH + Fragment::LONGEST];
    let length = header.emit_message(data, &mut buffer).ok()?;
    buffer.get(..length).map(Bytes::copy_from_slice)
}
