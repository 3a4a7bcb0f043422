//! The status word: what a host offers, and how far the dance with it has come.

use std::{
    fmt,
    ops::{BitOr, BitOrAssign},
};

/// The 32 bits that hosts exchange with ASSOC and that `ntpq -c "rv ASSOC flags"` prints
/// (RFC 5906 section 9.1).
///
/// The high half is the signature scheme, as OpenSSL numbers it. Of the low half, the lowest octet
/// travels and says what a host offers; the next is kept by the client and says what it has seen
/// proven.
///
/// ```
/// use ntp_autokey::StatusWord;
///
/// let word = StatusWord::from_bits(0x87f23);
/// assert_eq!(word.scheme_number(), 8); // RSA with MD5
/// assert!(word.contains(StatusWord::IFF | StatusWord::VERIFIED | StatusWord::PROVENTIC));
/// assert_eq!(word.to_string(), "0x87f23");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct StatusWord(u32);

impl StatusWord {
    /// The host speaks Autokey.
    pub const ENABLED: Self = Self(0x1);
    /// The host has leap second values to give: it has been synchronised.
    pub const LEAP_VALUES: Self = Self(0x2);
    /// The host offers the identity scheme PC (private certificates).
    pub const PC: Self = Self(0x10);
    /// The host offers the identity scheme IFF (Schnorr).
    pub const IFF: Self = Self(0x20);
    /// The host offers the identity scheme GQ (Guillou and Quisquater).
    pub const GQ: Self = Self(0x40);
    /// The host offers the identity scheme MV (Mu and Varadharajan).
    pub const MV: Self = Self(0x80);
    /// A trail of certificates has been followed to a trusted one.
    pub const CERTIFICATE: Self = Self(0x100);
    /// The server's identity has been verified; lit also where the server offers no scheme.
    pub const VERIFIED: Self = Self(0x200);
    /// Proventic: a signature of the server has been verified after its identity.
    pub const PROVENTIC: Self = Self(0x400);
    /// The cookie is known.
    pub const COOKIE: Self = Self(0x800);
    /// The autokey values are known, or not needed.
    pub const AUTOKEY: Self = Self(0x1000);
    /// The server has signed our certificate.
    pub const SIGNED: Self = Self(0x2000);
    /// The leap second values are known, or the server has none.
    pub const LEAP: Self = Self(0x4000);

    /// All bits that a client lights in the end.
    pub const COMPLETE: Self = Self(0x7f00);

    /// All that the client keeps for itself.
    const LOCAL: u32 = 0xff00;
    /// All bits of identity schemes.
    const IDENTITY: u32 = 0xf0;

    /// From the 32 bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The 32 bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The signature scheme in the high half: 8 RSA-MD5, 668 RSA-SHA256, ...
    pub const fn scheme_number(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// Whether all bits of `other` are on.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Without the bits of identity schemes.
    pub(crate) const fn without_identity(self) -> Self {
        Self(self.0 & !Self::IDENTITY)
    }

    /// Whether any identity scheme but trusted certificates is offered.
    pub const fn offers_identity(self) -> bool {
        self.0 & Self::IDENTITY != 0
    }

    /// A word with the signature scheme `number` and nothing else.
    pub(crate) const fn of_scheme(number: u16) -> Self {
        Self((number as u32) << 16)
    }

    /// What another host said of itself, without the bits that are for us to set.
    pub(crate) const fn as_offered(self) -> Self {
        Self(self.0 & !Self::LOCAL)
    }
}

impl BitOr for StatusWord {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for StatusWord {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// As ntpq prints it: `0x87f23`.
impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusWord({self})")
    }
}
