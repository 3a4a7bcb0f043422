//! The answers to private messages (mode 7): what ntpdc asks, where `enable mode7` is set.

mod change;
mod counted;
mod list;
mod replay;
mod source;
mod system;

use std::net::SocketAddr;

use bytes::Bytes;
use ntp_restrict::RestrictFlags;
use ntp_wire::private::{
    AddressRecord, FlagsRecord, FudgeRecord, PeerChange, PeerListEntry, PrivateHeader,
    PrivateMessage, RequestCode, ResponseCode, RestrictionChange,
};

pub(crate) use self::{counted::ControlCounters, replay::Replays};
use crate::Engine;

/// Packets of an answer to somebody who has not shown a key: his address may be forged, and what is
/// sent there unwanted.
const MOST_PACKETS: usize = 16;
/// Octets of the header and of the room for data behind it, which those who ask leave: a shorter
/// question would get an answer too much longer than itself.
const LEAST_REQUEST: usize = 184;
/// The longest MAC: the number of a key, and 20 octets.
const LONGEST_MAC: usize = 24;
/// A MAC that stands at the end of a request of fixed length: the number of a key, and 16 octets.
const USUAL_MAC: usize = 20;

/// Items of one size, one after the other.
#[derive(Debug, Default)]
struct Items {
    size: usize,
    data: Vec<u8>,
}

impl Items {
    /// One item, or the first of several.
    fn of<const N: usize>(item: [u8; N]) -> Self {
        let mut items = Self::default();
        items.push(item);
        items
    }

    fn push<const N: usize>(&mut self, item: [u8; N]) {
        self.size = N;
        self.data.extend_from_slice(&item);
    }
}

impl<const N: usize> FromIterator<[u8; N]> for Items {
    fn from_iter<T: IntoIterator<Item = [u8; N]>>(items: T) -> Self {
        let mut all = Self::default();
        for item in items {
            all.push(item);
        }
        all
    }
}

/// What becomes of a request: items, none if it only had to be done, or a refusal.
type Answer = Result<Items, ResponseCode>;

impl Engine {
    /// The datagrams that answer the private message `octets`; none for what is no request.
    pub(crate) fn answer_private(
        &mut self,
        octets: &[u8],
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Vec<Bytes> {
        let Some(header) = PrivateHeader::parse(octets) else {
            return Vec::new();
        };
        // An answer to an answer would go on for ever.
        if header.response
            || header.more
            || header.sequence != 0
            || header.error != ResponseCode::OKAY
        {
            return Vec::new();
        }
        let now = self.now.monotonic;
        if !self.control_budget.allows(from.ip(), now) {
            return Vec::new();
        }
        let answers = match self.answer_request(&header, octets, from, restrictions) {
            Ok(items) if items.data.is_empty() => vec![refusal(&header, ResponseCode::OKAY)],
            Ok(items) => in_packets(&header, &items),
            Err(code) => vec![refusal(&header, code)],
        };
        self.control_budget.charge(from.ip(), answers.len(), now);
        answers
    }

    fn answer_request(
        &mut self,
        header: &PrivateHeader,
        octets: &[u8],
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Answer {
        match header.implementation {
            PrivateHeader::NTPD => {}
            // Nothing was ever defined for all implementations.
            0 => return Err(ResponseCode::REQUEST),
            _ => return Err(ResponseCode::IMPLEMENTATION),
        }
        let sizes = item_sizes(header.request).ok_or(ResponseCode::REQUEST)?;
        if !sizes.contains(&usize::from(header.item_size)) {
            return Err(ResponseCode::FORMAT);
        }
        let message = PrivateMessage::parse(octets).map_err(|_| ResponseCode::FORMAT)?;
        if header.request.needs_authentication() {
            self.authorise(&message, octets.len(), from, restrictions)?;
            return self.carry_out(&message, from);
        }
        if octets.len() < LEAST_REQUEST {
            return Err(ResponseCode::FORMAT);
        }
        match header.request {
            RequestCode::PEER_LIST => some(self.peer_list()),
            RequestCode::PEER_LIST_SUMMARY => some(self.peer_list_summary()),
            RequestCode::PEER_INFORMATION => some(self.peer_information(&message)),
            RequestCode::PEER_STATISTICS => some(self.peer_statistics(&message)),
            RequestCode::SYSTEM_INFORMATION => Ok(self.system_information()),
            RequestCode::SYSTEM_STATISTICS => Ok(self.system_statistics()),
            RequestCode::IO_STATISTICS => Ok(self.io_statistics()),
            RequestCode::MEMORY_STATISTICS => Ok(self.memory_statistics()),
            RequestCode::LOOP_INFORMATION => Ok(self.loop_information()),
            RequestCode::TIMER_STATISTICS => Ok(self.timer_statistics()),
            RequestCode::AUTHENTICATION_INFORMATION => Ok(self.authentication_information()),
            RequestCode::CONTROL_STATISTICS => Ok(self.control_statistics()),
            RequestCode::KERNEL => Ok(self.kernel_information()),
            RequestCode::RESTRICTIONS => some(self.restriction_records()),
            RequestCode::CLOCK_INFORMATION => self.clock_information(&message),
            // The lists of clients were what attackers had others flooded with; ntpq has them for
            // those who have shown that they are where they say. Nobody is told of events.
            _ => Err(ResponseCode::NO_DATA),
        }
    }

    /// Whether the message has a right MAC of the request key, made just now, and is no copy.
    fn authorise(
        &mut self,
        message: &PrivateMessage<'_>,
        length: usize,
        from: SocketAddr,
        restrictions: RestrictFlags,
    ) -> Result<(), ResponseCode> {
        let header = message.header();
        let data = usize::from(header.items) * usize::from(header.item_size);
        let least = (PrivateHeader::LENGTH + data + 8).next_multiple_of(4);
        if length < least + USUAL_MAC || length > PrivateMessage::REQUEST_LENGTH + LONGEST_MAC {
            return Err(ResponseCode::FORMAT);
        }
        // Longer MACs follow the data at once; how long they are, the packet's length tells.
        let mac = match length - least {
            mac @ ..=LONGEST_MAC => mac,
            _ => USUAL_MAC,
        };
        let refused = ResponseCode::AUTHENTICATION;
        if restrictions.contains(RestrictFlags::NO_MODIFY) || !header.authenticated {
            return Err(refused);
        }
        let request_key = self.config.keys.request.ok_or(refused)?;
        let tail = message.tail(mac - size_of::<u32>()).ok_or(refused)?;
        let is_right = tail.key_id == request_key
            && tail.is_fresh(self.now.wall)
            && self.keys.trusted(request_key).is_some_and(|entry| {
                entry.allows(from.ip()) && entry.key().verify(tail.covered, tail.mac)
            });
        match is_right && self.replays.is_new(tail.mac, self.now.monotonic) {
            true => Ok(()),
            false => Err(refused),
        }
    }
}

/// A list that has something in it.
fn some(items: Items) -> Answer {
    match items.data.is_empty() {
        true => Err(ResponseCode::NO_DATA),
        false => Ok(items),
    }
}

/// How long the items of a request may be; `None` if nobody knows the request.
fn item_sizes(request: RequestCode) -> Option<&'static [usize]> {
    Some(match request {
        RequestCode::PEER_INFORMATION | RequestCode::PEER_STATISTICS => &[PeerListEntry::LENGTH],
        RequestCode::CONFIGURE => &[PeerChange::LENGTH],
        RequestCode::UNCONFIGURE | RequestCode::RESET_PEER => &[AddressRecord::LENGTH],
        RequestCode::SET_FLAGS | RequestCode::CLEAR_FLAGS | RequestCode::RESET_STATISTICS => {
            &[FlagsRecord::LENGTH]
        }
        RequestCode::RESTRICT | RequestCode::UNRESTRICT | RequestCode::REMOVE_RESTRICTION => {
            &[RestrictionChange::LENGTH]
        }
        // As long as an unsigned long of C: ntpdc takes it for granted that daemons have the same.
        RequestCode::TRUST_KEY
        | RequestCode::UNTRUST_KEY
        | RequestCode::REQUEST_KEY
        | RequestCode::CONTROL_KEY => &[8, 4],
        RequestCode::CLOCK_INFORMATION | RequestCode::CLOCK_DEBUGGING => &[4],
        RequestCode::SET_FUDGE => &[FudgeRecord::LENGTH],
        RequestCode::ADD_TRAP | RequestCode::CLEAR_TRAP => &[48],
        RequestCode(0..=1 | 4..=9 | 16 | 20 | 23 | 28 | 29 | 34 | 38 | 42 | 44 | 45) => &[0],
        _ => return None,
    })
}

fn refusal(request: &PrivateHeader, error: ResponseCode) -> Bytes {
    let header = PrivateHeader {
        response: true,
        authenticated: false,
        error,
        items: 0,
        item_size: 0,
        ..*request
    };
    Bytes::copy_from_slice(&header.to_bytes())
}

fn in_packets(request: &PrivateHeader, items: &Items) -> Vec<Bytes> {
    let room = (PrivateMessage::LONGEST_DATA / items.size.max(1)).max(1) * items.size.max(1);
    let packets: Vec<_> = items.data.chunks(room).take(MOST_PACKETS).collect();
    let last = packets.len().saturating_sub(1);
    let packet = |(number, data): (usize, &&[u8])| {
        let header = PrivateHeader {
            response: true,
            more: number < last,
            authenticated: false,
            sequence: number as u8,
            items: (data.len() / items.size.max(1)) as u16,
            item_size: items.size as u16,
            ..*request
        };
        [&header.to_bytes()[..], data].concat().into()
    };
    packets.iter().enumerate().map(packet).collect()
}
