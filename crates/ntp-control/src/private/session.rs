//! One question of mode 7 and its answer.

use core::{fmt, time::Duration};

use ntp_keys::MacBuffer;
use ntp_wire::{
    Monotonic, Timestamp, Version,
    private::{PrivateHeader, PrivateMessage, RequestCode, ResponseCode},
};

use crate::Credentials;

/// What to ask, or to have done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivateRequest {
    /// The request.
    pub code: RequestCode,
    item_size: usize,
    data: Vec<u8>,
}

impl PrivateRequest {
    /// A request that says nothing more.
    pub const fn new(code: RequestCode) -> Self {
        Self {
            code,
            item_size: 0,
            data: Vec::new(),
        }
    }

    /// A request with items of one size.
    pub fn with_items<const N: usize>(
        code: RequestCode,
        items: impl IntoIterator<Item = [u8; N]>,
    ) -> Self {
        Self {
            code,
            item_size: N,
            data: items.into_iter().flatten().collect(),
        }
    }
}

/// What a request is signed with: a key, and the time, by which copies of old requests are told.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// The key.
    pub credentials: &'a Credentials,
    /// When the request is sent.
    pub time: Timestamp,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PrivateResponse {
    /// Octets of each item.
    pub item_size: usize,
    /// How many packets there were.
    pub packets: usize,
    data: Vec<u8>,
}

impl PrivateResponse {
    /// The items.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.data.chunks_exact(self.item_size.max(1))
    }
}

/// Asks one question at a time, and puts the answer together.
///
/// Nothing within five seconds: that was all, nothing is sent twice. Once a packet has come, the
/// next may take two seconds, and all of them thirty.
#[derive(Clone, Debug)]
pub struct PrivateSession {
    primary: Duration,
    pending: Option<Pending>,
}

impl Default for PrivateSession {
    fn default() -> Self {
        Self {
            primary: Duration::from_secs(5),
            pending: None,
        }
    }
}

#[derive(Clone, Debug)]
struct Pending {
    code: RequestCode,
    /// The data of each packet by its number.
    packets: Vec<Option<Vec<u8>>>,
    item_size: Option<usize>,
    last: Option<usize>,
    deadline: Monotonic,
    end: Monotonic,
}

/// Between packets of a response.
const SECONDARY: Duration = Duration::from_secs(2);
/// For all packets of a response.
const ALL: Duration = Duration::from_secs(30);
/// Packets of a response at most: their number has seven bits.
const MOST: usize = 128;
/// A MAC of so many octets stands at the end of a request of the usual length.
const SHORT_MAC: usize = 16;
/// No MAC of mode 7 is longer.
const LONGEST_MAC: usize = 20;

impl PrivateSession {
    /// How long to wait for the first packet.
    pub const fn timeout(&self) -> Duration {
        self.primary
    }

    /// Waits longer or shorter for the first packet, from the next request on.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.primary = timeout;
    }

    /// Begins a request, and returns the datagram to send; one that was under way is forgotten.
    ///
    /// # Errors
    ///
    /// [`PrivateRequestError`] if it cannot be sent like this.
    pub fn ask(
        &mut self,
        request: &PrivateRequest,
        signature: Option<Signature<'_>>,
        now: Monotonic,
    ) -> Result<Vec<u8>, PrivateRequestError> {
        self.pending = None;
        let datagram = datagram(request, signature)?;
        self.pending = Some(Pending {
            code: request.code,
            packets: Vec::new(),
            item_size: None,
            last: None,
            deadline: now + self.primary,
            end: now + self.primary + ALL,
        });
        Ok(datagram)
    }

    /// Takes a datagram that came from the server's address.
    pub fn handle(&mut self, datagram: &[u8], now: Monotonic) -> PrivateProgress {
        let Some(pending) = &mut self.pending else {
            return PrivateProgress::Waiting;
        };
        let progress = pending.take(datagram, now);
        if progress != PrivateProgress::Waiting {
            self.pending = None;
        }
        progress
    }

    /// When to call [`handle_deadline`](Self::handle_deadline); `None` if nothing is under way.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }

    /// Tells that time has passed; an error if that was all.
    ///
    /// # Errors
    ///
    /// [`PrivateQueryError::TimedOut`] or [`PrivateQueryError::Incomplete`].
    pub fn handle_deadline(&mut self, now: Monotonic) -> Result<(), PrivateQueryError> {
        let overdue = self.pending.take_if(|pending| pending.deadline <= now);
        match overdue {
            None => Ok(()),
            Some(pending) if pending.packets.is_empty() => Err(PrivateQueryError::TimedOut),
            Some(_) => Err(PrivateQueryError::Incomplete),
        }
    }
}

fn datagram(
    request: &PrivateRequest,
    signature: Option<Signature<'_>>,
) -> Result<Vec<u8>, PrivateRequestError> {
    // The usual length holds a timestamp behind the data.
    const ROOM: usize = PrivateMessage::REQUEST_LENGTH - PrivateHeader::LENGTH - 8;
    if request.data.len() > ROOM {
        return Err(PrivateRequestError::TooLong);
    }
    let items = request.data.len() / request.item_size.max(1);
    let header = PrivateHeader {
        authenticated: signature.is_some(),
        items: items as u16,
        item_size: request.item_size as u16,
        ..PrivateHeader::request(request.code)
    };
    let mut datagram = header.to_bytes().to_vec();
    datagram.extend_from_slice(&request.data);
    let Some(Signature { credentials, time }) = signature else {
        datagram.resize(PrivateMessage::REQUEST_LENGTH, 0);
        return Ok(datagram);
    };
    let mac_length = credentials.key.mac_length();
    if mac_length > LONGEST_MAC {
        return Err(PrivateRequestError::LongMac { mac: mac_length });
    }
    // Before longer MACs there is no padding, for the sum to be what daemons take.
    let length = match mac_length {
        ..=SHORT_MAC => PrivateMessage::REQUEST_LENGTH,
        _ => (datagram.len() + 8).next_multiple_of(4),
    };
    datagram.resize(length - 8, 0);
    datagram.extend_from_slice(&time.to_wire().to_bits().to_be_bytes());
    let mut buffer = MacBuffer::new();
    let mac = credentials.key.mac(&datagram, &mut buffer);
    datagram.extend_from_slice(&credentials.id.value().to_be_bytes());
    datagram.extend_from_slice(mac);
    Ok(datagram)
}

impl Pending {
    /// What is no part of the answer is passed over, as ntpdc does.
    fn take(&mut self, datagram: &[u8], now: Monotonic) -> PrivateProgress {
        let Ok(message) = PrivateMessage::parse(datagram) else {
            return PrivateProgress::Waiting;
        };
        let header = message.header();
        let is_ours = header.response
            && !header.authenticated
            && Version::from_bits(header.version).is_supported()
            && header.implementation == PrivateHeader::NTPD
            && header.request == self.code;
        if !is_ours {
            return PrivateProgress::Waiting;
        }
        if header.error != ResponseCode::OKAY {
            return PrivateProgress::Failed(PrivateQueryError::Refused(header.error));
        }
        let size = usize::from(header.item_size);
        let number = usize::from(header.sequence);
        let is_known = self.packets.get(number).is_some_and(Option::is_some);
        let is_second_end = !header.more && self.last.is_some();
        if is_known || is_second_end || self.item_size.is_some_and(|known| known != size) {
            return PrivateProgress::Waiting;
        }
        if self.packets.len() <= number {
            self.packets.resize(number + 1, None);
        }
        if let Some(place) = self.packets.get_mut(number) {
            *place = Some(message.items().flatten().copied().collect());
        }
        self.item_size = Some(size);
        if !header.more {
            self.last = Some(number);
        }
        let is_all = self.last.is_some_and(|last| {
            let there = self.packets.iter().flatten().count();
            there > last || there >= MOST
        });
        if !is_all {
            self.deadline = (now + SECONDARY).min(self.end);
            return PrivateProgress::Waiting;
        }
        PrivateProgress::Done(PrivateResponse {
            item_size: size,
            packets: self.packets.iter().flatten().count(),
            data: self.packets.drain(..).flatten().flatten().collect(),
        })
    }
}

/// What a datagram led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PrivateProgress {
    /// The answer is not complete.
    Waiting,
    /// The answer is complete.
    Done(PrivateResponse),
    /// There will be no answer.
    Failed(PrivateQueryError),
}

/// Why a request cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PrivateRequestError {
    /// There is more than a request holds.
    #[error("request too long: name fewer at a time")]
    TooLong,
    /// The MACs of the key have no room.
    #[error("MACs of {mac} octets do not fit a request: take a key of type MD5 or SHA1")]
    LongMac {
        /// Octets of such a MAC.
        mac: usize,
    },
}

/// Why there is no answer; the text is ntpdc's, without its three asterisks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum PrivateQueryError {
    /// Nothing came.
    TimedOut,
    /// Some packets never came.
    Incomplete,
    /// The server refused.
    Refused(ResponseCode),
}

impl core::error::Error for PrivateQueryError {}

impl fmt::Display for PrivateQueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "Request timed out",
            Self::Incomplete => "Response from server was incomplete",
            Self::Refused(code) => match *code {
                ResponseCode::IMPLEMENTATION => "Server implementation incompatible with our own",
                ResponseCode::REQUEST => "Server doesn't implement this request",
                ResponseCode::FORMAT => {
                    "Server reports a format error in the received packet (shouldn't happen)"
                }
                ResponseCode::NO_DATA => "Server reports data not found",
                ResponseCode::AUTHENTICATION => "Permission denied",
                code => return write!(f, "Server returns unknown error code {}", code.0),
            },
        })
    }
}

#[cfg(test)]
mod tests;
