//! Autokey's extension fields: bytes to messages and back.

use ntp_wire::ExtensionField;

use crate::Stamp;

/// What an Autokey message is about (RFC 5906 section 10).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Opcode {
    /// 0: nothing.
    Null,
    /// 1, ASSOC: names, status words.
    Association,
    /// 2, CERT: a certificate by the name of its subject.
    Certificate,
    /// 3, COOKIE: the client's public key, the encrypted cookie.
    Cookie,
    /// 4, AUTO: where a key list begins.
    Autokey,
    /// 5, LEAP: leap second values.
    Leap,
    /// 6, SIGN: a certificate, and the same signed by the server.
    Sign,
    /// 7: challenge and response of the identity scheme IFF.
    Iff,
    /// 8: of GQ.
    Gq,
    /// 9: of MV.
    Mv,
}

impl Opcode {
    /// From the low octet of the field type.
    pub const fn from_octet(octet: u8) -> Option<Self> {
        Some(match octet {
            0 => Self::Null,
            1 => Self::Association,
            2 => Self::Certificate,
            3 => Self::Cookie,
            4 => Self::Autokey,
            5 => Self::Leap,
            6 => Self::Sign,
            7 => Self::Iff,
            8 => Self::Gq,
            9 => Self::Mv,
            _ => return None,
        })
    }

    /// The low octet of the field type.
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// The name that RFC 5906 has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Association => "ASSOC",
            Self::Certificate => "CERT",
            Self::Cookie => "COOKIE",
            Self::Autokey => "AUTO",
            Self::Leap => "LEAP",
            Self::Sign => "SIGN",
            Self::Iff => "IFF",
            Self::Gq => "GQ",
            Self::Mv => "MV",
        }
    }
}

impl std::fmt::Display for Opcode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// Neither bit set.
    Request,
    /// Bit 0x8000.
    Response,
    /// Bits 0x8000 and 0x4000, or 0x4000 alone: something went wrong, begin anew.
    Error,
}

const RESPONSE: u16 = 0x8000;
const ERROR: u16 = 0x4000;
const VERSION_MASK: u16 = 0x3f00;
const VERSION: u16 = 0x0200;

/// The octets of a value field before the value: association, two stamps, length.
const VALUE_HEAD: usize = 16;

/// One message, where it lies in a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about.
    pub opcode: Opcode,
    /// The association of the client that asks; a response has the request's.
    pub association: u32,
    /// What it carries. AUTO and LEAP requests carry nothing, nor does the response of a server
    /// that cannot sign.
    pub value: Option<Value<'a>>,
}

/// What a message carries, with the signature over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Value<'a> {
    /// When it was signed; never, if the signer was not synchronised.
    pub timestamp: Stamp,
    /// When the file that it comes from was made. In ASSOC these 32 bits are the status word.
    pub filestamp: Stamp,
    /// The value, without padding.
    pub octets: &'a [u8],
    /// The signature, empty if there is none.
    pub signature: &'a [u8],
}

impl Value<'_> {
    /// The twelve octets that are signed before the value: both stamps and the length.
    pub fn signed_head(&self) -> [u8; 12] {
        let length = u32::try_from(self.octets.len()).unwrap_or(u32::MAX);
        let mut head = [0; 12];
        let numbers = [self.timestamp.value(), self.filestamp.value(), length];
        for (to, from) in head.chunks_exact_mut(4).zip(numbers) {
            to.copy_from_slice(&from.to_be_bytes());
        }
        head
    }
}

impl<'a> Message<'a> {
    /// Whether a field of this type is Autokey's. Another version than 2 is not.
    pub const fn is_autokey(kind: u16) -> bool {
        kind & VERSION_MASK == VERSION
    }

    /// Reads a field.
    ///
    /// # Errors
    ///
    /// [`MessageError`] if it is not Autokey's or if its lengths do not fit one another.
    pub fn parse(field: &ExtensionField<'a>) -> Result<Self, MessageError> {
        let kind = field.kind;
        if !Self::is_autokey(kind) {
            return Err(MessageError::NotAutokey { kind });
        }
        let [_, octet] = kind.to_be_bytes();
        let opcode = Opcode::from_octet(octet).ok_or(MessageError::UnknownOpcode { octet })?;
        let direction = if kind & ERROR != 0 {
            Direction::Error
        } else if kind & RESPONSE != 0 {
            Direction::Response
        } else {
            Direction::Request
        };
        let length = field.length();
        let short = MessageError::TooShort { opcode, length };
        let association = number(field.body, 0).ok_or(short)?;
        let value = if field.body.len() <= 4 {
            None
        } else if field.body.len() < VALUE_HEAD {
            return Err(short);
        } else {
            Some(Value::parse(opcode, field.body)?)
        };
        Ok(Self {
            direction,
            opcode,
            association,
            value,
        })
    }

    /// Appends the field to `packet`. What would be longer than a field can be is sent without its
    /// value.
    pub fn emit(&self, packet: &mut Vec<u8>) {
        let direction = match self.direction {
            Direction::Request => 0,
            Direction::Response => RESPONSE,
            Direction::Error => RESPONSE | ERROR,
        };
        let kind = direction | VERSION | u16::from(self.opcode.octet());
        let whole = self.value.and_then(|value| {
            let length = 4
                + VALUE_HEAD
                + value.octets.len().next_multiple_of(4)
                + 4
                + value.signature.len().next_multiple_of(4);
            u16::try_from(length).ok().map(|length| (value, length))
        });
        packet.extend_from_slice(&kind.to_be_bytes());
        packet.extend_from_slice(&whole.map_or(8, |(_, length)| length).to_be_bytes());
        packet.extend_from_slice(&self.association.to_be_bytes());
        if let Some((value, _)) = whole {
            packet.extend_from_slice(&value.signed_head());
            emit_padded(value.octets, packet);
            let length = u32::try_from(value.signature.len()).unwrap_or(u32::MAX);
            packet.extend_from_slice(&length.to_be_bytes());
            emit_padded(value.signature, packet);
        }
    }

    /// The error that makes a client begin anew.
    pub(crate) const fn restart() -> Self {
        Self {
            direction: Direction::Error,
            opcode: Opcode::Association,
            association: 0,
            value: None,
        }
    }
}

impl<'a> Value<'a> {
    /// Reads the value in `body`, which begins with the association.
    fn parse(opcode: Opcode, body: &'a [u8]) -> Result<Self, MessageError> {
        let at = |offset| number(body, offset).unwrap_or_default();
        let (timestamp, filestamp, length) = (at(4), at(8), at(12));
        let beyond = |what, length| MessageError::BeyondEnd {
            opcode,
            what,
            length,
            left: body.len(),
        };
        let rest = body.get(VALUE_HEAD..).unwrap_or_default();
        let (octets, rest) = take_padded(rest, length).ok_or_else(|| beyond("value", length))?;
        let signature = match number(rest, 0) {
            None => &[][..],
            Some(length) => {
                let rest = rest.get(4..).unwrap_or_default();
                take_padded(rest, length)
                    .ok_or_else(|| beyond("signature", length))?
                    .0
            }
        };
        Ok(Self {
            timestamp: Stamp::new(timestamp),
            filestamp: Stamp::new(filestamp),
            octets,
            signature,
        })
    }
}

/// The 32-bit number at `offset`.
fn number(octets: &[u8], offset: usize) -> Option<u32> {
    let bytes = octets.get(offset..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes))
}

/// The first `length` octets, and what follows them and their padding.
fn take_padded(octets: &[u8], length: u32) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(length).ok()?;
    let value = octets.get(..length)?;
    let rest = octets.get(length.checked_next_multiple_of(4)?..)?;
    Some((value, rest))
}

fn emit_padded(octets: &[u8], packet: &mut Vec<u8>) {
    packet.extend_from_slice(octets);
    let padding = octets.len().next_multiple_of(4) - octets.len();
    packet.extend(std::iter::repeat_n(0, padding));
}

/// Why an extension field is no Autokey message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// Another protocol's field, or another version of Autokey.
    #[error("field type {kind:#06x} is not Autokey version 2")]
    NotAutokey {
        /// The type.
        kind: u16,
    },
    /// An opcode that does not exist.
    #[error("there is no Autokey message {octet}")]
    UnknownOpcode {
        /// The low octet of the type.
        octet: u8,
    },
    /// Not even the stamps fit, or no association.
    #[error("{opcode} field of {length} octets is too short for what it should carry")]
    TooShort {
        /// What it is about.
        opcode: Opcode,
        /// Octets of the whole field.
        length: usize,
    },
    /// A value or signature that ends beyond its field.
    #[error("{opcode} field: {what} of {length} octets in a body of {left}")]
    BeyondEnd {
        /// What it is about.
        opcode: Opcode,
        /// The value or the signature.
        what: &'static str,
        /// What its length says.
        length: u32,
        /// Octets of the field after type and length.
        left: usize,
    },
}

#[cfg(test)]
mod tests;
