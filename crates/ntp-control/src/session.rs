//! One question and its answer.

use core::{fmt, time::Duration};

use ntp_keys::{MacBuffer, SymmetricKey};
use ntp_wire::{
    AssociationId, KeyId, Monotonic, Version,
    control::{
        ControlError, ControlHeader, ControlMessage, ErrorCode, Fragment, Opcode, pad_for_mac,
    },
};

use crate::reassembly::{Reassembly, ReassemblyError};

/// What to ask.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The operation.
    pub opcode: Opcode,
    /// About what.
    pub association: AssociationId,
    /// Names of variables, assignments, or a line of configuration; at most 468 octets.
    pub data: Vec<u8>,
}

impl Request {
    /// A request without data.
    pub const fn new(opcode: Opcode, association: AssociationId) -> Self {
        Self {
            opcode,
            association,
            data: Vec::new(),
        }
    }

    /// The list of all associations.
    pub const fn list_associations() -> Self {
        Self::new(Opcode::READ_STATUS, AssociationId::SYSTEM)
    }

    /// Variables of the system or an association, by names between commas; none means the usual
    /// ones.
    pub fn read_variables(association: AssociationId, names: &str) -> Self {
        Self {
            data: names.into(),
            ..Self::new(Opcode::READ_VARIABLES, association)
        }
    }
}

/// A key that signs requests.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its number.
    pub id: KeyId,
    /// The key.
    pub key: SymmetricKey,
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The status word of the first fragment.
    pub status: u16,
    /// About what.
    pub association: AssociationId,
    /// The data of all fragments.
    pub data: Vec<u8>,
    /// How many fragments there were.
    pub fragments: usize,
    /// Whether the request was signed, and every fragment with the same key.
    pub authentic: bool,
}

/// Asks one question at a time, and puts the answer together.
///
/// Nothing within five seconds: the request is sent once more, and after five more seconds that was
/// all. Once a fragment has come, the next may take three seconds, and all of them forty: a server
/// that sends one now and then does not hold anybody for ever.
#[derive(Clone, Debug)]
pub struct Session {
    version: Version,
    sequence: u16,
    primary: Duration,
    pending: Option<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    request: Request,
    credentials: Option<Credentials>,
    reassembly: Reassembly,
    status: u16,
    authentic: bool,
    deadline: Monotonic,
    /// When all of it must have come.
    last_deadline: Monotonic,
    repeated: bool,
}

impl Session {
    /// How long the next fragment may take at most.
    const SECONDARY: Duration = Duration::from_secs(3);
    /// How many times as long as the first fragment all of them may take.
    const PATIENCE: u32 = 8;

    /// A session whose first request carries `first_sequence`: take a random one, so that nobody
    /// off the path can guess it.
    pub const fn new(first_sequence: u16) -> Self {
        Self {
            version: Version::V2,
            sequence: first_sequence.wrapping_sub(1),
            primary: Duration::from_secs(5),
            pending: None,
        }
    }

    /// The version that requests claim; 2 unless it was set.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Claims another version from now on.
    pub const fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// How long to wait for the first fragment.
    pub const fn timeout(&self) -> Duration {
        self.primary
    }

    /// Waits longer or shorter for the first fragment, from the next request on. Who does not wait
    /// three seconds for the first does not wait longer for the others.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.primary = timeout;
    }

    /// Begins a request, and returns the datagram to send; one that was under way is forgotten.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if it does not fit a datagram.
    pub fn ask(
        &mut self,
        request: &Request,
        credentials: Option<&Credentials>,
        now: Monotonic,
    ) -> Result<Vec<u8>, RequestError> {
        self.pending = None;
        self.sequence = self.sequence.wrapping_add(1);
        let datagram = self.datagram(request, credentials)?;
        self.pending = Some(Pending {
            request: request.clone(),
            credentials: credentials.cloned(),
            reassembly: Reassembly::default(),
            status: 0,
            authentic: credentials.is_some(),
            deadline: now + self.primary,
            last_deadline: self.last_deadline(now),
            repeated: false,
        });
        Ok(datagram)
    }

    /// Takes a datagram that came from the server's address.
    pub fn handle(&mut self, datagram: &[u8], now: Monotonic) -> Progress {
        let Some(mut pending) = self.pending.take() else {
            return Progress::Waiting(Some(Ignored::NothingAsked));
        };
        match self.take(&mut pending, datagram, now) {
            Ok(ignored) if !pending.reassembly.is_complete() => {
                self.pending = Some(pending);
                Progress::Waiting(ignored)
            }
            Ok(_) => Progress::Done(Response {
                status: pending.status,
                association: pending.request.association,
                fragments: pending.reassembly.fragments(),
                data: pending.reassembly.take(),
                authentic: pending.authentic,
            }),
            Err(error) => Progress::Failed(error),
        }
    }

    /// When to call [`Session::handle_deadline`]; `None` if nothing is under way.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }

    /// Tells that time has passed.
    pub fn handle_deadline(&mut self, now: Monotonic) -> Overdue {
        let Some(mut pending) = self.pending.take_if(|pending| pending.deadline <= now) else {
            return Overdue::NotYet;
        };
        let incomplete = !pending.reassembly.is_empty();
        if pending.repeated {
            return Overdue::Failed(if incomplete {
                QueryError::Incomplete
            } else {
                QueryError::TimedOut
            });
        }
        if incomplete {
            // Late fragments of the first response must not mix with those of the second.
            self.sequence = self.sequence.wrapping_add(1);
        }
        match self.datagram(&pending.request, pending.credentials.as_ref()) {
            Ok(datagram) => {
                pending.reassembly = Reassembly::default();
                pending.authentic = pending.credentials.is_some();
                pending.deadline = now + self.primary;
                pending.last_deadline = self.last_deadline(now);
                pending.repeated = true;
                self.pending = Some(pending);
                Overdue::Resend(datagram)
            }
            Err(_) => Overdue::Failed(QueryError::TimedOut),
        }
    }

    fn last_deadline(&self, now: Monotonic) -> Monotonic {
        now + self.primary.saturating_mul(Self::PATIENCE)
    }

    fn datagram(
        &self,
        request: &Request,
        credentials: Option<&Credentials>,
    ) -> Result<Vec<u8>, RequestError> {
        let header = ControlHeader {
            version: self.version,
            association: request.association,
            ..ControlHeader::request(request.opcode, self.sequence)
        };
        // Header, the longest data, padding to eight.
        let mut datagram = vec![0; (ControlHeader::LENGTH + Fragment::LONGEST).next_multiple_of(8)];
        let mut length = header.emit_message(&request.data, &mut datagram)?;
        if credentials.is_some() {
            length = pad_for_mac(&mut datagram, length)?;
        }
        datagram.truncate(length);
        if let Some(Credentials { id, key }) = credentials {
            let mut buffer = MacBuffer::new();
            let digest = key.mac(&datagram, &mut buffer);
            datagram.extend_from_slice(&id.value().to_be_bytes());
            datagram.extend_from_slice(digest);
        }
        Ok(datagram)
    }

    fn take(
        &self,
        pending: &mut Pending,
        datagram: &[u8],
        now: Monotonic,
    ) -> Result<Option<Ignored>, QueryError> {
        let message = match ControlMessage::parse(datagram) {
            Ok(message) => message,
            Err(error) => return Ok(Some(Ignored::Malformed(error))),
        };
        let header = message.header();
        let Request {
            opcode,
            association,
            ..
        } = pending.request;
        if !header.response || header.opcode != opcode {
            return Ok(Some(Ignored::NoResponse));
        }
        if header.sequence != self.sequence {
            return Ok(Some(Ignored::OtherSequence {
                received: header.sequence,
                expected: self.sequence,
            }));
        }
        if header.error {
            return Err(QueryError::Refused {
                code: ErrorCode::from_status(header.status),
                association,
            });
        }
        if header.association != association {
            return Ok(Some(Ignored::OtherAssociation(header.association)));
        }
        if header.more && message.data().is_empty() {
            return Ok(Some(Ignored::EmptyFragment));
        }
        let new = pending
            .reassembly
            .insert(header.offset.into(), message.data(), header.more)?;
        if !new {
            return Ok(Some(Ignored::Duplicate));
        }
        let next = now + Self::SECONDARY.min(self.primary);
        pending.deadline = next.min(pending.last_deadline);
        if header.offset == 0 {
            pending.status = header.status;
        }
        pending.authentic &= pending.credentials.as_ref().is_some_and(|credentials| {
            message.macs().any(|mac| {
                mac.key_id == credentials.id && credentials.key.verify(mac.message, mac.digest)
            })
        });
        Ok(None)
    }
}

/// What a datagram led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The answer is not complete. If the datagram had no part in it, why.
    Waiting(Option<Ignored>),
    /// The answer is complete.
    Done(Response),
    /// There will be no answer.
    Failed(QueryError),
}

/// What the deadline led to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Overdue {
    /// Nothing: it was too early, or nothing is under way.
    NotYet,
    /// Send this: the request once more.
    Resend(Vec<u8>),
    /// There will be no answer.
    Failed(QueryError),
}

/// Why a datagram has no part in the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ignored {
    /// No request is under way.
    NothingAsked,
    /// It is no control message.
    Malformed(ControlError),
    /// It is a request, or the response to another operation.
    NoResponse,
    /// It answers another request.
    OtherSequence {
        /// The number it carries.
        received: u16,
        /// The number of the request.
        expected: u16,
    },
    /// It is about another association.
    OtherAssociation(AssociationId),
    /// It says that more follows, but holds nothing itself.
    EmptyFragment,
    /// It has been here before.
    Duplicate,
}

/// Why a request cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("request too long: {0}")]
pub struct RequestError(#[from] ControlError);

/// Why there is no answer; the text is ntpq's, without its three asterisks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum QueryError {
    /// Nothing came.
    TimedOut,
    /// Some fragments never came.
    Incomplete,
    /// The fragments that came make no sense.
    Reassembly(ReassemblyError),
    /// The server refused.
    Refused {
        /// Why.
        code: ErrorCode,
        /// What the request was about.
        association: AssociationId,
    },
}

impl From<ReassemblyError> for QueryError {
    fn from(error: ReassemblyError) -> Self {
        Self::Reassembly(error)
    }
}

impl core::error::Error for QueryError {}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, association) = match self {
            Self::TimedOut => return f.write_str("Request timed out"),
            Self::Incomplete => return f.write_str("Response from server was incomplete"),
            Self::Reassembly(error) => return error.fmt(f),
            Self::Refused { code, association } => (*code, association),
        };
        match code {
            ErrorCode::UNSPECIFIED => f.write_str("Server returned an unspecified error"),
            ErrorCode::PERMISSION => f.write_str("Server disallowed request (authentication?)"),
            ErrorCode::BAD_FORMAT => f.write_str("Server reports a bad format request packet"),
            ErrorCode::BAD_OPCODE => f.write_str("Server reports a bad opcode in request"),
            ErrorCode::BAD_ASSOCIATION => {
                write!(f, "Association ID {association} unknown to server")
            }
            ErrorCode::UNKNOWN_VARIABLE => f.write_str("A request variable unknown to the server"),
            ErrorCode::BAD_VALUE => f.write_str("Server indicates a request variable was bad"),
            code => write!(f, "Server returns unknown error code {}", code.value()),
        }
    }
}

#[cfg(test)]
mod tests;
