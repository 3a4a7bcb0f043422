//! Mode 6: the control messages of ntpq (RFC 9327), as bytes.
//!
//! ```
//! use ntp_wire::control::{ControlHeader, ControlMessage, Opcode};
//!
//! let mut buffer = [0; 64];
//! let length = ControlHeader::request(Opcode::READ_VARIABLES, 7)
//!     .emit_message(b"stratum", &mut buffer)?;
//! assert_eq!(length, 20); // 12 octets of header, 7 of data, 1 of padding
//!
//! let message = ControlMessage::parse(&buffer[..length])?;
//! assert_eq!(message.header().sequence, 7);
//! assert_eq!(message.data(), b"stratum");
//! assert_eq!(message.macs().next(), None);
//! # Ok::<(), ntp_wire::control::ControlError>(())
//! ```
//!
//! A message is a [`ControlHeader`], up to 468 octets of data, padding to a multiple of four and,
//! where it is authenticated, padding to a multiple of eight and a MAC ([`ControlMac`]). A response
//! that is longer travels as several [`Fragments`]. What the 16 bits of status mean depends on what
//! was asked: [`SystemStatus`], [`PeerStatus`], [`ClockStatus`], or [`ErrorCode`] if the error bit is
//! set.

mod flash;
mod fragment;
mod message;
mod status;

pub use flash::Flash;
pub use fragment::{Fragment, Fragments};
pub use message::{ControlMac, ControlMessage};
pub use status::{ClockStatus, PeerStatus, Selection, SystemStatus};

use crate::{AssociationId, Leap, Mode, Version};

/// The twelve octets that every control message starts with (RFC 9327 section 2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlHeader {
    /// The responder's leap indicator; zero bits in requests.
    pub leap: Leap,
    /// The version of the protocol; ntpq says 2, and a server answers with the version it was asked.
    pub version: Version,
    /// R: a response, not a request.
    pub response: bool,
    /// E: the request failed; `status` holds an [`ErrorCode`].
    pub error: bool,
    /// M: more fragments follow.
    pub more: bool,
    /// What is asked.
    pub opcode: Opcode,
    /// Chosen by who asks, repeated in the response.
    pub sequence: u16,
    /// A status word, or an [`ErrorCode`] in its high octet.
    pub status: u16,
    /// Which association it is about; 0 is the system.
    pub association: AssociationId,
    /// Where in the whole response this fragment's data belong, in octets.
    pub offset: u16,
    /// Octets of data in this fragment, without padding.
    pub count: u16,
}

const RESPONSE: u8 = 0x80;
const ERROR: u8 = 0x40;
const MORE: u8 = 0x20;
const OPCODE: u8 = 0x1f;

impl ControlHeader {
    /// Octets of a header.
    pub const LENGTH: usize = 12;

    /// A request about the system, of version 2 as ntpq sends it.
    pub const fn request(opcode: Opcode, sequence: u16) -> Self {
        Self {
            leap: Leap::None,
            version: Version::V2,
            response: false,
            error: false,
            more: false,
            opcode,
            sequence,
            status: 0,
            association: AssociationId::SYSTEM,
            offset: 0,
            count: 0,
        }
    }

    /// The response to this request, or its first fragment: version, opcode, sequence and
    /// association are those of the request.
    pub const fn respond(&self, leap: Leap, status: u16) -> Self {
        Self {
            leap,
            response: true,
            error: false,
            more: false,
            status,
            offset: 0,
            count: 0,
            ..*self
        }
    }

    /// The response that refuses this request.
    pub const fn refuse(&self, leap: Leap, code: ErrorCode) -> Self {
        Self {
            error: true,
            ..self.respond(leap, code.to_status())
        }
    }

    /// The header at the front of `bytes`.
    ///
    /// # Errors
    ///
    /// [`ControlError::TooShort`] under twelve octets, [`ControlError::NotControl`] if the mode is
    /// not 6. Whether `count` fits is for [`ControlMessage::parse`] to say.
    pub fn parse(bytes: &[u8]) -> Result<Self, ControlError> {
        let Some(&[first, second, s0, s1, t0, t1, a0, a1, o0, o1, c0, c1]) =
            bytes.first_chunk::<{ Self::LENGTH }>()
        else {
            return Err(ControlError::TooShort {
                length: bytes.len(),
            });
        };
        if Mode::from_bits(first) != Mode::Control {
            return Err(ControlError::NotControl { mode: first & 7 });
        }
        Ok(Self {
            leap: Leap::from_bits(first >> 6),
            version: Version::from_bits(first >> 3),
            response: second & RESPONSE != 0,
            error: second & ERROR != 0,
            more: second & MORE != 0,
            opcode: Opcode::from_bits(second),
            sequence: u16::from_be_bytes([s0, s1]),
            status: u16::from_be_bytes([t0, t1]),
            association: AssociationId::new(u16::from_be_bytes([a0, a1])),
            offset: u16::from_be_bytes([o0, o1]),
            count: u16::from_be_bytes([c0, c1]),
        })
    }

    /// Writes the header into `bytes`.
    pub fn emit(&self, bytes: &mut [u8; Self::LENGTH]) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        bytes[0] = (self.leap as u8) << 6 | self.version.value() << 3 | Mode::Control as u8;
        bytes[1] = flag(self.response, RESPONSE)
            | flag(self.error, ERROR)
            | flag(self.more, MORE)
            | self.opcode.value();
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..6].copy_from_slice(&self.status.to_be_bytes());
        bytes[6..8].copy_from_slice(&self.association.value().to_be_bytes());
        bytes[8..10].copy_from_slice(&self.offset.to_be_bytes());
        bytes[10..12].copy_from_slice(&self.count.to_be_bytes());
    }

    /// Writes a whole message without a MAC into `out`: this header with `count` set to the length
    /// of `data`, the data, zeroes up to a multiple of four. Returns its length.
    ///
    /// # Errors
    ///
    /// [`ControlError::DataTooLong`] above 468 octets, [`ControlError::BufferTooShort`] if `out` does
    /// not hold the message.
    pub fn emit_message(&self, data: &[u8], out: &mut [u8]) -> Result<usize, ControlError> {
        if data.len() > Fragment::LONGEST {
            return Err(ControlError::DataTooLong {
                length: data.len(),
                limit: Fragment::LONGEST,
            });
        }
        let length = (Self::LENGTH + data.len()).next_multiple_of(4);
        let short = ControlError::BufferTooShort { needed: length };
        let message = out.get_mut(..length).ok_or(short)?;
        let (header, rest) = message
            .split_first_chunk_mut::<{ Self::LENGTH }>()
            .ok_or(short)?;
        Self {
            count: data.len() as u16,
            ..*self
        }
        .emit(header);
        let (body, padding) = rest.split_at_mut(data.len());
        body.copy_from_slice(data);
        padding.fill(0);
        Ok(length)
    }
}

/// Extends a message of `length` octets at the front of `out` with zeroes to the multiple of eight
/// at which its MAC has to begin, and returns that length.
///
/// # Errors
///
/// [`ControlError::BufferTooShort`] if `out` ends before.
pub fn pad_for_mac(out: &mut [u8], length: usize) -> Result<usize, ControlError> {
    let padded = length.next_multiple_of(8);
    out.get_mut(length..padded)
        .ok_or(ControlError::BufferTooShort { needed: padded })?
        .fill(0);
    Ok(padded)
}

/// What a control message asks, five bits (RFC 9327 section 2; the unnamed ones are reserved).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Opcode(u8);

impl Opcode {
    /// 1: the list of associations with their status words, or one status word.
    pub const READ_STATUS: Self = Self(1);
    /// 2: variables of the system or of an association.
    pub const READ_VARIABLES: Self = Self(2);
    /// 3: set variables; authenticated.
    pub const WRITE_VARIABLES: Self = Self(3);
    /// 4: variables of a reference clock.
    pub const READ_CLOCK_VARIABLES: Self = Self(4);
    /// 5: set variables of a reference clock; authenticated.
    pub const WRITE_CLOCK_VARIABLES: Self = Self(5);
    /// 6: send events to this address from now on; authenticated.
    pub const SET_TRAP: Self = Self(6);
    /// 7: an event that was not asked for.
    pub const TRAP_RESPONSE: Self = Self(7);
    /// 8: lines of configuration to obey; authenticated.
    pub const CONFIGURE: Self = Self(8);
    /// 9: write the configuration to a file; authenticated.
    pub const SAVE_CONFIGURATION: Self = Self(9);
    /// 10: the clients seen most recently; needs a nonce.
    pub const READ_MRU: Self = Self(10);
    /// 11: the interfaces or the restrictions, in order; authenticated.
    pub const READ_ORDERED_LIST: Self = Self(11);
    /// 12: a nonce for [`Self::READ_MRU`].
    pub const REQUEST_NONCE: Self = Self(12);
    /// 31: no more events; authenticated.
    pub const UNSET_TRAP: Self = Self(31);

    /// From the five low bits.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & OPCODE)
    }

    /// 0 to 31.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Whether it changes the daemon, or tells so much that a server obeys it only with a MAC.
    pub const fn needs_authentication(self) -> bool {
        matches!(
            self,
            Self::WRITE_VARIABLES
                | Self::WRITE_CLOCK_VARIABLES
                | Self::SET_TRAP
                | Self::CONFIGURE
                | Self::SAVE_CONFIGURATION
                | Self::READ_ORDERED_LIST
                | Self::UNSET_TRAP
        )
    }
}

/// Why a request was refused: the high octet of the status word of a response with the error bit
/// (RFC 9327 section 3.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ErrorCode(u8);

impl ErrorCode {
    /// 0: for a reason without a number.
    pub const UNSPECIFIED: Self = Self(0);
    /// 1: authentication failed, or was missing where it is required.
    pub const PERMISSION: Self = Self(1);
    /// 2: length, offset or text of the request make no sense.
    pub const BAD_FORMAT: Self = Self(2);
    /// 3: no such opcode.
    pub const BAD_OPCODE: Self = Self(3);
    /// 4: no such association.
    pub const BAD_ASSOCIATION: Self = Self(4);
    /// 5: no such variable.
    pub const UNKNOWN_VARIABLE: Self = Self(5);
    /// 6: a variable cannot have that value.
    pub const BAD_VALUE: Self = Self(6);
    /// 7: administratively prohibited.
    pub const RESTRICTED: Self = Self(7);

    /// From the high octet of a status word.
    pub const fn from_status(status: u16) -> Self {
        Self((status >> 8) as u8)
    }

    /// As a status word; its low octet is zero.
    pub const fn to_status(self) -> u16 {
        (self.0 as u16) << 8
    }

    /// 0 to 255.
    pub const fn value(self) -> u8 {
        self.0
    }
}

/// Why bytes are no control message, or a message could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// Shorter than a header.
    #[error("control message of {length} octets: its header has 12")]
    TooShort {
        /// Octets of the message.
        length: usize,
    },
    /// Another mode than 6.
    #[error("packet of mode {mode} is no control message: those have mode 6")]
    NotControl {
        /// Its mode.
        mode: u8,
    },
    /// The header promises more data than there are.
    #[error("control message promises {count} octets of data, but holds {left}")]
    CountBeyondEnd {
        /// What the header says.
        count: u16,
        /// Octets after the header.
        left: usize,
    },
    /// More data than fit a message, or a whole response.
    #[error("{length} octets of control data: at most {limit} are possible")]
    DataTooLong {
        /// Octets that were given.
        length: usize,
        /// Octets that are possible.
        limit: usize,
    },
    /// The caller's buffer is too short.
    #[error("buffer too short for a control message: {needed} octets are needed")]
    BufferTooShort {
        /// Octets that are needed.
        needed: usize,
    },
}

#[cfg(test)]
mod tests;
