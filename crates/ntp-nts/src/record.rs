//! The records that key exchange messages are made of (RFC 8915 section 4).

/// Octets of type and length before the body.
const HEAD: usize = 4;

/// The bit that says: who does not know this record must not go on.
const CRITICAL: u16 = 0x8000;

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Whether a receiver that does not know its kind must give up.
    pub critical: bool,
    /// What it says.
    pub kind: RecordKind,
    /// The rest of it.
    pub body: &'a [u8],
}

/// What a record says: 15 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RecordKind(u16);

impl RecordKind {
    /// The message ends here.
    pub const END_OF_MESSAGE: Self = Self(0);
    /// The protocols that keys are wanted, or given, for.
    pub const NEXT_PROTOCOL: Self = Self(1);
    /// Something is wrong with the request.
    pub const ERROR: Self = Self(2);
    /// Something is to be noted.
    pub const WARNING: Self = Self(3);
    /// The algorithms that are offered, or the one that is chosen.
    pub const AEAD_ALGORITHM: Self = Self(4);
    /// A cookie for a request.
    pub const NEW_COOKIE: Self = Self(5);
    /// The NTP server that is wanted, or is to be asked.
    pub const SERVER: Self = Self(6);
    /// Its port.
    pub const PORT: Self = Self(7);

    /// The kind with this number; its highest bit is no part of it.
    pub const fn new(number: u16) -> Self {
        Self(number & !CRITICAL)
    }

    /// Its number.
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl<'a> Record<'a> {
    /// A record that the receiver must know.
    pub const fn critical(kind: RecordKind, body: &'a [u8]) -> Self {
        Self {
            critical: true,
            kind,
            body,
        }
    }

    /// A record that the receiver may ignore.
    pub const fn optional(kind: RecordKind, body: &'a [u8]) -> Self {
        Self {
            critical: false,
            kind,
            body,
        }
    }

    /// Adds it to `message`. What a record has no room for, above 65535 octets, is left out.
    pub fn write(&self, message: &mut Vec<u8>) {
        let length = u16::try_from(self.body.len()).unwrap_or(u16::MAX);
        let bit = if self.critical { CRITICAL } else { 0 };
        message.extend_from_slice(&(bit | self.kind.0).to_be_bytes());
        message.extend_from_slice(&length.to_be_bytes());
        message.extend(self.body.iter().take(length.into()));
    }

    /// The body as a list of 16-bit numbers.
    ///
    /// # Errors
    ///
    /// [`RecordError::OddLength`] if half a number is left over.
    pub fn numbers(&self) -> Result<impl Iterator<Item = u16> + use<'a>, RecordError> {
        let (pairs, rest) = self.body.as_chunks();
        if rest.is_empty() {
            Ok(pairs.iter().map(|pair| u16::from_be_bytes(*pair)))
        } else {
            Err(RecordError::OddLength {
                kind: self.kind.0,
                length: self.body.len(),
            })
        }
    }
}

/// The records of a message, in order; the last one is [`RecordKind::END_OF_MESSAGE`].
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
}

impl<'a> Records<'a> {
    /// The message that `bytes` begins with; `None` if its end is not there yet.
    ///
    /// # Errors
    ///
    /// [`RecordError`] if it can't become a message, however many octets follow.
    pub fn find(bytes: &'a [u8]) -> Result<Option<Self>, RecordError> {
        let mut rest = bytes;
        while let Some((record, after)) = split(rest) {
            rest = after;
            if record.kind == RecordKind::END_OF_MESSAGE {
                if !record.body.is_empty() {
                    return Err(RecordError::LongEnd(record.body.len()));
                }
                let length = bytes.len() - rest.len();
                return Ok(bytes.get(..length).map(|bytes| Self { bytes }));
            }
        }
        Ok(None)
    }

    /// Octets of the message.
    pub const fn length(&self) -> usize {
        self.bytes.len()
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let (record, rest) = split(self.bytes)?;
        self.bytes = rest;
        Some(record)
    }
}

fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (&[a, b, c, d], rest) = bytes.split_first_chunk::<HEAD>()?;
    let number = u16::from_be_bytes([a, b]);
    let (body, rest) = rest.split_at_checked(u16::from_be_bytes([c, d]).into())?;
    let record = Record {
        critical: number & CRITICAL != 0,
        kind: RecordKind::new(number),
        body,
    };
    Some((record, rest))
}

/// Why bytes are no records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The record that ends a message is not empty.
    #[error("the record that ends the message has {0} octets: it must be empty")]
    LongEnd(usize),
    /// A list of 16-bit numbers of an odd length.
    #[error("record {kind} of {length} octets: it is a list of numbers of two octets each")]
    OddLength {
        /// Which record.
        kind: u16,
        /// Octets of its body.
        length: usize,
    },
}
