//! A received control message: header, data and the MAC that may follow.

use super::{ControlError, ControlHeader};
use crate::KeyId;

/// A control message in the bytes it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlMessage<'a> {
    bytes: &'a [u8],
    header: ControlHeader,
    data: &'a [u8],
}

impl<'a> ControlMessage<'a> {
    /// Takes a datagram apart.
    ///
    /// # Errors
    ///
    /// What [`ControlHeader::parse`] says, and [`ControlError::CountBeyondEnd`] if the datagram holds
    /// less data than its header promises.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ControlError> {
        let header = ControlHeader::parse(bytes)?;
        let left = bytes.get(ControlHeader::LENGTH..).unwrap_or_default();
        let data = left
            .get(..usize::from(header.count))
            .ok_or(ControlError::CountBeyondEnd {
                count: header.count,
                left: left.len(),
            })?;
        Ok(Self {
            bytes,
            header,
            data,
        })
    }

    /// The first twelve octets.
    pub const fn header(&self) -> &ControlHeader {
        &self.header
    }

    /// The data, without padding.
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where a MAC may stand: at the multiple of eight after the data, as ntpd 4.2.8 pads, and, if
    /// that is another place, at the multiple of four, as NTPsec 1.2.3 and later do. The bytes do not
    /// tell which is meant: the message is authentic if any of them (at most two) verifies.
    pub fn macs(&self) -> impl Iterator<Item = ControlMac<'a>> + use<'a> {
        let bytes = self.bytes;
        let end = ControlHeader::LENGTH + self.data.len();
        let (four, eight) = (end.next_multiple_of(4), end.next_multiple_of(8));
        let unpadded = (four != eight).then_some(four);
        [Some(eight), unpadded]
            .into_iter()
            .flatten()
            .filter_map(move |at| ControlMac::at(bytes, at))
    }
}

/// The message authentication code at the end of a control message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlMac<'a> {
    /// Which key made it.
    pub key_id: KeyId,
    /// The digest: up to 20 octets. An empty one never verifies.
    pub digest: &'a [u8],
    /// What it authenticates: everything before it, padding included.
    pub message: &'a [u8],
}

impl<'a> ControlMac<'a> {
    /// The longest digest: what is longer is cut to that.
    const LONGEST_DIGEST: usize = 20;

    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let (message, mac) = bytes.split_at_checked(at)?;
        let (&key_id, digest) = mac.split_first_chunk()?;
        let possible = digest.len() <= Self::LONGEST_DIGEST && digest.len().is_multiple_of(4);
        possible.then(|| Self {
            key_id: KeyId::new(u32::from_be_bytes(key_id)),
            digest,
            message,
        })
    }
}
