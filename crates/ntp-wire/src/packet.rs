//! A whole packet: header, extension fields, MAC.

use crate::{Header, KeyId};

/// The longest that anything after the header can be and still is a MAC and no extension field:
/// key identifier and 20 octets of digest.
const MAC_LIMIT: usize = 24;

/// The shortest extension field there is: Autokey's requests without a value.
const SHORTEST_EXTENSION: usize = 8;

/// A packet taken apart where it lies; nothing is copied.
///
/// What follows the header is read as RFC 7822 and RFC 5906 tell: while more than 24 octets are
/// left, an extension field begins; 24 or fewer are a MAC, four zero octets a crypto-NAK.
/// A packet whose last field ends it, as those of NTS do, has no MAC.
///
/// ```
/// use ntp_wire::{Header, KeyId, Packet, Trailer};
///
/// let mut bytes = [0; 48 + 8 + 20];
/// bytes[0] = 0xe3;
/// bytes[48..52].copy_from_slice(&[0x02, 0x05, 0, 8]); // an Autokey request of 8 octets
/// bytes[56..60].copy_from_slice(&0x0001_0000u32.to_be_bytes());
/// let packet = Packet::parse(&bytes)?;
/// let field = packet.extensions().next().ok_or("no field")?;
/// assert_eq!((field.kind, field.body.len()), (0x0205, 4));
/// assert_eq!(packet.trailer(), Trailer::Mac { key_id: KeyId::new(65536), digest: &[0; 16] });
/// assert_eq!(packet.authenticated().len(), 56);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    bytes: &'a [u8],
    header: Header,
    /// Where the extension fields end and the trailer begins.
    trailer_at: usize,
}

impl<'a> Packet<'a> {
    /// Takes `bytes` apart.
    ///
    /// # Errors
    ///
    /// [`PacketError`] if it is too short, or if what follows the header is neither extension
    /// fields nor a MAC.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let header = Header::parse(bytes).ok_or(PacketError::TooShort {
            length: bytes.len(),
        })?;
        let mut offset = Header::LENGTH;
        while bytes.len() - offset > MAC_LIMIT {
            let (field, _) = ExtensionField::split(bytes, offset)?;
            offset += field.length();
        }
        match bytes.len() - offset {
            0 | 4 => {}
            length if length % 4 == 0 && length >= 12 => {}
            length => return Err(PacketError::BadMacLength { offset, length }),
        }
        Ok(Self {
            bytes,
            header,
            trailer_at: offset,
        })
    }

    /// The first 48 octets.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The extension fields, in order.
    pub fn extensions(&self) -> Extensions<'a> {
        let (before, _) = self.split();
        Extensions {
            bytes: before.get(Header::LENGTH..).unwrap_or_default(),
        }
    }

    /// What stands at the end.
    pub fn trailer(&self) -> Trailer<'a> {
        let (_, trailer) = self.split();
        let Some((id, digest)) = trailer.split_first_chunk() else {
            return Trailer::None;
        };
        match KeyId::new(u32::from_be_bytes(*id)) {
            KeyId::CRYPTO_NAK if digest.is_empty() => Trailer::CryptoNak,
            key_id => Trailer::Mac { key_id, digest },
        }
    }

    /// All that a MAC covers: the header and the extension fields.
    pub fn authenticated(&self) -> &'a [u8] {
        self.split().0
    }

    /// The whole packet.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn split(&self) -> (&'a [u8], &'a [u8]) {
        self.bytes
            .split_at_checked(self.trailer_at)
            .unwrap_or((self.bytes, &[]))
    }
}

/// How a packet ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trailer<'a> {
    /// With its header or its last extension field: no MAC.
    None,
    /// With four zero octets: the answer to a packet whose MAC was wrong.
    CryptoNak,
    /// With a message authentication code.
    Mac {
        /// Which key made it. A key identifier without a digest is possible and never verifies.
        key_id: KeyId,
        /// The digest: empty, or 8 to 20 octets.
        digest: &'a [u8],
    },
}

/// One extension field (RFC 7822): type, length, body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ExtensionField<'a> {
    /// The type, as registered; for Autokey `R E vvvvvv cccccccc`.
    pub kind: u16,
    /// What follows type and length, padding included; a multiple of four octets.
    pub body: &'a [u8],
}

impl<'a> ExtensionField<'a> {
    /// Octets of type and length before the body.
    pub const HEAD: usize = 4;

    /// Octets of the whole field.
    pub fn length(&self) -> usize {
        Self::HEAD + self.body.len()
    }

    /// The field that begins at `offset`, and what follows it.
    fn split(bytes: &'a [u8], offset: usize) -> Result<(Self, &'a [u8]), PacketError> {
        let left = bytes.get(offset..).unwrap_or_default();
        let (&[a, b, c, d], _) = left.split_first_chunk().ok_or(PacketError::BadMacLength {
            offset,
            length: left.len(),
        })?;
        let length = usize::from(u16::from_be_bytes([c, d]));
        if length < SHORTEST_EXTENSION || !length.is_multiple_of(4) {
            return Err(PacketError::BadExtensionLength { offset, length });
        }
        let (field, rest) =
            left.split_at_checked(length)
                .ok_or(PacketError::ExtensionBeyondEnd {
                    offset,
                    length,
                    left: left.len(),
                })?;
        let body = field.get(Self::HEAD..).unwrap_or_default();
        Ok((
            Self {
                kind: u16::from_be_bytes([a, b]),
                body,
            },
            rest,
        ))
    }
}

/// The extension fields of a packet, from [`Packet::extensions`].
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    bytes: &'a [u8],
}

impl<'a> Iterator for Extensions<'a> {
    type Item = ExtensionField<'a>;

    fn next(&mut self) -> Option<ExtensionField<'a>> {
        let (field, rest) = ExtensionField::split(self.bytes, 0).ok()?;
        self.bytes = rest;
        Some(field)
    }
}

/// Why bytes are no NTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Shorter than a header.
    #[error("packet of {length} octets: an NTP header has 48")]
    TooShort {
        /// Octets of the packet.
        length: usize,
    },
    /// An extension field whose length is under 8 or no multiple of 4.
    #[error("extension field at octet {offset}: length {length} is under 8 or no multiple of 4")]
    BadExtensionLength {
        /// Where the field begins.
        offset: usize,
        /// What its length field says.
        length: usize,
    },
    /// An extension field that is longer than what is left.
    #[error("extension field at octet {offset}: length {length}, but {left} octets are left")]
    ExtensionBeyondEnd {
        /// Where the field begins.
        offset: usize,
        /// What its length field says.
        length: usize,
        /// Octets left in the packet.
        left: usize,
    },
    /// A rest that is too short for an extension field and has no MAC's length.
    #[error("{length} octets at octet {offset} are neither an extension field nor a MAC")]
    BadMacLength {
        /// Where they begin.
        offset: usize,
        /// How many they are.
        length: usize,
    },
}

#[cfg(test)]
mod tests;
