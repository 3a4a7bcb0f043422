//! The 48 octets that every NTP packet starts with (RFC 5905 section 7.3).

use core::{fmt, net::Ipv4Addr};

use crate::{Leap, Mode, PollExponent, Precision, ShortDuration, Stratum, WireTimestamp};

/// The version of the protocol, three bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version(u8);

impl Version {
    /// RFC 1059, 1988.
    pub const V1: Self = Self(1);
    /// RFC 1119, 1989.
    pub const V2: Self = Self(2);
    /// RFC 1305, 1992.
    pub const V3: Self = Self(3);
    /// RFC 5905, 2010.
    pub const V4: Self = Self(4);

    /// From the three low bits.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & 7)
    }

    /// 0 to 7.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Whether this implementation speaks it: 1 to 4.
    pub const fn is_supported(self) -> bool {
        self.0 >= 1 && self.0 <= 4
    }
}

impl Default for Version {
    fn default() -> Self {
        Self::V4
    }
}

/// Whom a server follows: four letters of a reference clock at stratum 1, the IPv4 address (or the
/// first four octets of the MD5 of the IPv6 address) above that, a kiss code at stratum 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ReferenceId([u8; 4]);

impl ReferenceId {
    /// No reference.
    pub const NONE: Self = Self([0; 4]);
    /// Not yet synchronised.
    pub const INIT: Self = Self(*b"INIT");
    /// No server but a pool of them.
    pub const POOL: Self = Self(*b"POOL");
    /// The clock was just stepped.
    pub const STEP: Self = Self(*b"STEP");

    /// As it stands in a packet.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// As it stands in a packet.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }

    /// The reference that is the server at `address`.
    pub const fn from_ipv4(address: Ipv4Addr) -> Self {
        Self(address.octets())
    }

    /// Up to four letters, zero padded; what is longer is cut.
    pub fn from_text(text: &str) -> Self {
        let mut bytes = [0; 4];
        for (byte, letter) in bytes.iter_mut().zip(text.bytes()) {
            *byte = letter;
        }
        Self(bytes)
    }

    /// The letters, if it is one to four printable ASCII characters followed by zeroes.
    pub fn as_text(&self) -> Option<&str> {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(4);
        let (letters, rest) = self.0.split_at(length);
        let is_text = length > 0
            && letters.iter().all(|byte| (0x20..0x7f).contains(byte))
            && rest.iter().all(|&byte| byte == 0);
        if is_text {
            core::str::from_utf8(letters).ok()
        } else {
            None
        }
    }
}

impl fmt::Debug for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => write!(f, "ReferenceId({text})"),
            None => write!(f, "ReferenceId({})", Ipv4Addr::from(self.0)),
        }
    }
}

/// Why a server sent a packet of stratum 0 (RFC 5905 section 7.4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum KissCode {
    /// `DENY`: access denied; stop asking.
    Deny,
    /// `RSTR`: access restricted; stop asking.
    Restrict,
    /// `RATE`: asked too often; ask less.
    Rate,
    /// `NTSN`: the NTS cookie or authenticator was not accepted (RFC 8915).
    NtsNak,
    /// Any other; nothing follows from it.
    Other(ReferenceId),
}

impl KissCode {
    /// The code that stands in the reference identifier.
    pub const fn from_reference_id(id: ReferenceId) -> Self {
        match &id.to_bytes() {
            b"DENY" => Self::Deny,
            b"RSTR" => Self::Restrict,
            b"RATE" => Self::Rate,
            b"NTSN" => Self::NtsNak,
            _ => Self::Other(id),
        }
    }

    /// The code as a reference identifier.
    pub const fn to_reference_id(self) -> ReferenceId {
        match self {
            Self::Deny => ReferenceId::from_bytes(*b"DENY"),
            Self::Restrict => ReferenceId::from_bytes(*b"RSTR"),
            Self::Rate => ReferenceId::from_bytes(*b"RATE"),
            Self::NtsNak => ReferenceId::from_bytes(*b"NTSN"),
            Self::Other(id) => id,
        }
    }
}

/// The header of an NTP packet, each field in its own type.
///
/// ```
/// use ntp_wire::{Header, Mode, WireTimestamp};
///
/// let request = Header {
///     mode: Mode::Client,
///     transmit_time: WireTimestamp::from_bits(0xeeae_1289_0000_0001),
///     ..Header::default()
/// };
/// let mut packet = [0; Header::LENGTH];
/// request.emit(&mut packet);
/// assert_eq!(packet[0], 0xe3);
/// assert_eq!(Header::parse(&packet), Some(request));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the last minute of the month will be like.
    pub leap: Leap,
    /// The version of the protocol.
    pub version: Version,
    /// Who talks to whom.
    pub mode: Mode,
    /// Distance from a primary reference; 0 is a kiss-o'-death or "unspecified".
    pub stratum: Stratum,
    /// The longest interval between packets.
    pub poll: PollExponent,
    /// How fine the sender's clock can be read.
    pub precision: Precision,
    /// Round-trip delay to the primary reference.
    pub root_delay: ShortDuration,
    /// Greatest error against the primary reference, apart from delay.
    pub root_dispersion: ShortDuration,
    /// Whom the sender follows, or a kiss code.
    pub reference_id: ReferenceId,
    /// When the sender's clock was last set.
    pub reference_time: WireTimestamp,
    /// The transmit timestamp of the packet that this one answers.
    pub origin_time: WireTimestamp,
    /// When that packet arrived.
    pub receive_time: WireTimestamp,
    /// When this packet left.
    pub transmit_time: WireTimestamp,
}

impl Header {
    /// Octets of a header.
    pub const LENGTH: usize = 48;

    /// The header at the front of `bytes`; `None` if there are fewer than 48.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::LENGTH] = bytes.first_chunk()?;
        let [first, stratum, poll, precision, ..] = *bytes;
        Some(Self {
            leap: Leap::from_bits(first >> 6),
            version: Version::from_bits(first >> 3),
            mode: Mode::from_bits(first),
            stratum: Stratum::new(stratum),
            poll: PollExponent::new(poll as i8),
            precision: Precision::new(precision as i8),
            root_delay: ShortDuration::from_bits(u32::from_be_bytes(octets(bytes, 4))),
            root_dispersion: ShortDuration::from_bits(u32::from_be_bytes(octets(bytes, 8))),
            reference_id: ReferenceId::from_bytes(octets(bytes, 12)),
            reference_time: WireTimestamp::from_be_bytes(octets(bytes, 16)),
            origin_time: WireTimestamp::from_be_bytes(octets(bytes, 24)),
            receive_time: WireTimestamp::from_be_bytes(octets(bytes, 32)),
            transmit_time: WireTimestamp::from_be_bytes(octets(bytes, 40)),
        })
    }

    /// Writes the header into `bytes`.
    pub fn emit(&self, bytes: &mut [u8; Self::LENGTH]) {
        bytes[0] = (self.leap as u8) << 6 | self.version.value() << 3 | self.mode as u8;
        bytes[1] = self.stratum.value();
        bytes[2] = self.poll.value() as u8;
        bytes[3] = self.precision.value() as u8;
        bytes[4..8].copy_from_slice(&self.root_delay.to_bits().to_be_bytes());
        bytes[8..12].copy_from_slice(&self.root_dispersion.to_bits().to_be_bytes());
        bytes[12..16].copy_from_slice(&self.reference_id.to_bytes());
        bytes[16..24].copy_from_slice(&self.reference_time.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.origin_time.to_be_bytes());
        bytes[32..40].copy_from_slice(&self.receive_time.to_be_bytes());
        bytes[40..48].copy_from_slice(&self.transmit_time.to_be_bytes());
    }

    /// Why the server refuses, if this is a kiss-o'-death packet: stratum 0 from a server.
    pub fn kiss_code(&self) -> Option<KissCode> {
        (self.stratum == Stratum::UNSPECIFIED
            && matches!(
                self.mode,
                Mode::Server | Mode::SymmetricPassive | Mode::Broadcast
            ))
        .then(|| KissCode::from_reference_id(self.reference_id))
    }
}

/// All zero but for the version, 4, and the mode, client.
impl Default for Header {
    fn default() -> Self {
        Self {
            leap: Leap::Unsynchronised,
            version: Version::V4,
            mode: Mode::Client,
            stratum: Stratum::UNSPECIFIED,
            poll: PollExponent::new(0),
            precision: Precision::new(0),
            root_delay: ShortDuration::ZERO,
            root_dispersion: ShortDuration::ZERO,
            reference_id: ReferenceId::NONE,
            reference_time: WireTimestamp::ZERO,
            origin_time: WireTimestamp::ZERO,
            receive_time: WireTimestamp::ZERO,
            transmit_time: WireTimestamp::ZERO,
        }
    }
}

/// `N` octets at `offset`, which every caller knows to be inside.
fn octets<const N: usize>(bytes: &[u8; Header::LENGTH], offset: usize) -> [u8; N] {
    let mut octets = [0; N];
    octets.copy_from_slice(&bytes[offset..offset + N]);
    octets
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reference_ids_are_text_only_when_printable() {
        assert_eq!(ReferenceId::from_text("GPS").as_text(), Some("GPS"));
        assert_eq!(ReferenceId::from_text("LOCAL").as_text(), Some("LOCA"));
        assert_eq!(ReferenceId::NONE.as_text(), None);
        assert_eq!(ReferenceId::from_bytes(*b"A\0B\0").as_text(), None);
        assert_eq!(ReferenceId::from_ipv4(Ipv4Addr::LOCALHOST).as_text(), None);
    }

    #[test]
    fn kisses_come_from_servers_only() {
        let kiss = Header {
            mode: Mode::Server,
            reference_id: ReferenceId::from_text("RATE"),
            ..Header::default()
        };
        assert_eq!(kiss.kiss_code(), Some(KissCode::Rate));
        assert_eq!(
            Header {
                mode: Mode::Client,
                ..kiss
            }
            .kiss_code(),
            None
        );
        assert_eq!(
            Header {
                stratum: Stratum::PRIMARY,
                ..kiss
            }
            .kiss_code(),
            None
        );
    }

    proptest! {
        #[test]
        fn every_header_is_written_as_it_was_read(bytes: [u8; 32], more: [u8; 16]) {
            let mut packet = [0; Header::LENGTH];
            packet[..32].copy_from_slice(&bytes);
            packet[32..].copy_from_slice(&more);
            let header = Header::parse(&packet).expect("48 octets are a header");
            let mut again = [0xff; Header::LENGTH];
            header.emit(&mut again);
            prop_assert_eq!(packet, again);
            prop_assert_eq!(Header::parse(&packet[..47]), None);
        }
    }
}
