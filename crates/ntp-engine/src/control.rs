//! The answers to control messages (mode 6, RFC 9327): what ntpq asks.

mod budget;
mod clients;
mod clock;
mod counters;
mod listing;
mod lists;
mod nonce;
mod peer;
mod system;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ntp_keys::MacBuffer;
use ntp_restrict::RestrictFlags;
use ntp_wire::{
    AssociationId, KeyId, Leap,
    control::{
        ControlHeader, ControlMac, ControlMessage, ErrorCode, Fragment, Fragments, Opcode,
        SystemStatus,
    },
};

pub(crate) use self::{
    budget::Budget,
    clients::Epoch,
    counters::FREQUENCY_TOLERANCE,
    listing::minute,
    lists::interface_flags,
    nonce::Nonces,
    peer::{counted, host_mode, peer_mode, reference_id, source_address},
};
use self::{
    clients::{Piece, Wanted},
    listing::Listing,
};
use crate::{Engine, association::Association};

/// Where the stratum's source stands in the system status word.
const SOURCE_LOCAL: u8 = 5;
const SOURCE_NTP: u8 = 6;

/// Clients that are looked at in vain for as much as a datagram of an answer counts.
const SEARCHED_AT_A_TIME: usize = 1024;

/// A status word and the data that go with it.
struct Answer {
    status: u16,
    data: Vec<u8>,
}

impl Answer {
    fn of(text: impl Into<String>) -> Self {
        Self {
            status: 0,
            data: text.into().into_bytes(),
        }
    }
}

impl Engine {
    /// The datagrams that answer the control message `bytes`; none for what is no request.
    ///
    /// A request to save the configuration is answered when that is done.
    pub(crate) fn answer_control(
        &mut self,
        bytes: &[u8],
        local: IpAddr,
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
        // The list of clients goes to proven addresses only.
        let is_free = header.opcode == Opcode::READ_MRU;
        let now = self.now.monotonic;
        if !is_free && !self.control_budget.allows(from.ip(), now) {
            return Vec::new();
        }
        let signer = self.signer(&message, from);
        let leap = self.system.state.leap;
        let mut answers = match self.answer(&message, local, from, restrictions) {
            Ok(Some(answer)) => in_fragments(&header, leap, &answer),
            Ok(None) => Vec::new(),
            Err(code) => emit(&header.refuse(leap, code), &[]).into_iter().collect(),
        };
        if let Some(key) = signer {
            answers = self.signed(answers, key);
        }
        if !is_free {
            self.control_budget.charge(from.ip(), answers.len(), now);
        }
        answers
    }

    /// The trusted key of a right MAC of the message: the answer is signed with it, too.
    fn signer(&self, message: &ControlMessage<'_>, from: SocketAddr) -> Option<KeyId> {
        let is_right = |mac: &ControlMac<'_>| {
            self.keys.trusted(mac.key_id).is_some_and(|entry| {
                entry.allows(from.ip()) && entry.key().verify(mac.message, mac.digest)
            })
        };
        message.macs().find(is_right).map(|mac| mac.key_id)
    }

    fn signed(&self, answers: Vec<Bytes>, id: KeyId) -> Vec<Bytes> {
        let Some(entry) = self.keys.trusted(id) else {
            return answers;
        };
        let sign = |answer: Bytes| {
            let mut datagram = answer.to_vec();
            datagram.resize(answer.len().next_multiple_of(8), 0);
            let mut buffer = MacBuffer::new();
            let digest = entry.key().mac(&datagram, &mut buffer);
            datagram.extend_from_slice(&id.value().to_be_bytes());
            datagram.extend_from_slice(digest);
            Bytes::from(datagram)
        };
        answers.into_iter().map(sign).collect()
    }

    fn answer(
        &mut self,
        message: &ControlMessage<'_>,
        local: IpAddr,
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Result<Option<Answer>, ErrorCode> {
        let header = message.header();
        if header.opcode.needs_authentication() {
            if restrictions.contains(RestrictFlags::NO_MODIFY) || !self.is_authorised(message, from)
            {
                return Err(ErrorCode::PERMISSION);
            }
            return match header.opcode {
                Opcode::CONFIGURE => Ok(Some(Answer::of(self.configure(from, message.data())))),
                Opcode::SAVE_CONFIGURATION => {
                    let refused = self.save_configuration(header, message.data(), local, from);
                    Ok(refused.map(Answer::of))
                }
                opcode => self.obey(opcode, message.data()).map(Some),
            };
        }
        let answer = match header.opcode {
            Opcode::READ_STATUS => self.read_status(header.association),
            Opcode::READ_VARIABLES => self.read_variables(header.association, message.data()),
            Opcode::READ_CLOCK_VARIABLES => self.read_clock(header.association, message.data()),
            Opcode::REQUEST_NONCE => {
                let nonce = self.nonces.make(from.ip(), self.now.monotonic);
                let nonce = nonce.ok_or(ErrorCode::UNSPECIFIED)?;
                Ok(Answer::of(format!("nonce={nonce}\r\n")))
            }
            Opcode::READ_MRU => return self.read_clients(message.data(), from, restrictions),
            _ => Err(ErrorCode::BAD_OPCODE),
        };
        answer.map(Some)
    }

    /// Whether the message carries a right MAC of the control key.
    fn is_authorised(&self, message: &ControlMessage<'_>, from: SocketAddr) -> bool {
        let Some(control) = self.control_key else {
            return false;
        };
        self.signer(message, from) == Some(control)
    }

    /// The list of recent clients. Whoever does not give back a nonce that he was given at his
    /// address gets nothing: the answer is long, and the request may be forged.
    ///
    /// What he gets is his; but the clients that are looked at and not told, for which he says that
    /// he wants others, keep those waiting who ask for the time. Of them there are only so many.
    fn read_clients(
        &mut self,
        data: &[u8],
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Result<Option<Answer>, ErrorCode> {
        if restrictions.contains(RestrictFlags::NO_MRU_LIST) {
            return Err(ErrorCode::PERMISSION);
        }
        let proven = |wanted: &Wanted<'_>| {
            self.nonces
                .is_valid(wanted.nonce, from.ip(), self.now.monotonic)
        };
        let Some(wanted) = Wanted::parse(data).filter(proven) else {
            return Ok(None);
        };
        let (reader, now) = (from.ip(), self.now.monotonic);
        if !self.search_budget.allows(reader, now) {
            return Ok(None);
        }
        let Piece { data, passed_over } = self.client_list(wanted, reader)?;
        self.search_budget
            .charge(reader, passed_over / SEARCHED_AT_A_TIME, now);
        Ok(Some(Answer { status: 0, data }))
    }

    /// An authorised request that changes nothing.
    fn obey(&self, opcode: Opcode, data: &[u8]) -> Result<Answer, ErrorCode> {
        match opcode {
            Opcode::READ_ORDERED_LIST => {
                let data = match data.trim_ascii_end() {
                    b"" | b"ifstats" => self.address_list(),
                    b"addr_restrictions" => self.restriction_list(),
                    _ => return Err(ErrorCode::UNKNOWN_VARIABLE),
                };
                Ok(Answer { status: 0, data })
            }
            Opcode::WRITE_VARIABLES if data.trim_ascii().is_empty() => Ok(Answer::of("")),
            Opcode::WRITE_VARIABLES => {
                let name = data.split(|&byte| byte == b'=').next().unwrap_or_default();
                let is_known = |known: &&&str| known.as_bytes() == name.trim_ascii();
                match system::NAMES.iter().find(is_known) {
                    // It is there, and cannot be written.
                    Some(_) => Err(ErrorCode::UNSPECIFIED),
                    None if self.variable(name.trim_ascii()).is_some() => {
                        Err(ErrorCode::PERMISSION)
                    }
                    None => Err(ErrorCode::UNKNOWN_VARIABLE),
                }
            }
            Opcode::WRITE_CLOCK_VARIABLES => Err(ErrorCode::PERMISSION),
            Opcode::SET_TRAP | Opcode::UNSET_TRAP => Err(ErrorCode::PERMISSION),
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
            let of_operator = |listed: bool| {
                let variables = self.config.variables.iter();
                variables
                    .filter(move |one| one.listed || !listed)
                    .filter(|one| !system::NAMES.contains(&one.name.as_str()))
                    .map(|one| one.name.as_str())
            };
            let known: Vec<&str> = system::NAMES
                .iter()
                .copied()
                .chain(of_operator(false))
                .collect();
            let default: Vec<&str> = system::DEFAULT
                .iter()
                .copied()
                .chain(of_operator(true))
                .collect();
            listing.fill(names, &known, &default, |name, items| {
                match self.variable(name.as_bytes()) {
                    Some(variable) if !system::NAMES.contains(&name) => {
                        items.plain(name, &variable.value);
                    }
                    _ => self.system_variable(name, items),
                }
            })?;
            self.system_status().to_bits()
        } else {
            let association = self.association(id).ok_or(ErrorCode::BAD_ASSOCIATION)?;
            let default = peer::default_names(association);
            listing.fill(names, peer::NAMES, &default, |name, items| {
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
            let is_clock = |association: &&Association| clock::of(association).is_some();
            let followed = self.system_peer().filter(is_clock);
            followed.or_else(|| self.associations.iter().find(is_clock))
        } else {
            self.association(id)
        };
        let (association, clock) = association
            .and_then(|association| Some((association, clock::of(association)?)))
            .ok_or(ErrorCode::BAD_ASSOCIATION)?;
        let by_name = !names.trim_ascii().is_empty();
        let mut listing = Listing::default();
        listing.fill(names, clock::NAMES, clock::DEFAULT, |name, items| {
            clock::variable(clock, association, name, by_name, items);
        })?;
        Ok(Answer {
            status: 0,
            data: listing.into_bytes(),
        })
    }

    /// What `setvar` said of the variable `name`.
    fn variable(&self, name: &[u8]) -> Option<&ntp_conf::Variable> {
        let mut variables = self.config.variables.iter().rev();
        variables.find(|one| one.name.as_bytes() == name)
    }

    /// The datagrams of a text that answers `request`.
    ///
    /// They are signed with the key `signer`, if there is one.
    pub(crate) fn text_answer(
        &self,
        request: &ControlHeader,
        signer: Option<KeyId>,
        text: String,
    ) -> Vec<Bytes> {
        let answers = in_fragments(request, self.system.state.leap, &Answer::of(text));
        match signer {
            Some(key) => self.signed(answers, key),
            None => answers,
        }
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
