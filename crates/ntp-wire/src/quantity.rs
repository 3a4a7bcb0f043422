//! The small quantities of NTP, each a type of its own so that none passes for another.

use core::{fmt, time::Duration as Elapsed};

use crate::Duration;

/// The leap indicator: what the last minute of the month will be like, or that nobody knows
/// (RFC 5905 section 7.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Leap {
    /// The last minute has 60 seconds.
    None = 0,
    /// The last minute has 61 seconds.
    Insert = 1,
    /// The last minute has 59 seconds.
    Delete = 2,
    /// The sender's clock is not synchronised.
    #[default]
    Unsynchronised = 3,
}

impl Leap {
    /// From the two low bits.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Insert,
            2 => Self::Delete,
            _ => Self::Unsynchronised,
        }
    }
}

/// The association mode (RFC 5905 section 7.3, figure 10).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Mode {
    /// 0: reserved; a version 1 client or server sends it.
    Reserved = 0,
    /// 1: a peer that asks by itself.
    SymmetricActive = 1,
    /// 2: a peer that was asked.
    SymmetricPassive = 2,
    /// 3: a request.
    Client = 3,
    /// 4: the answer to a request.
    Server = 4,
    /// 5: an announcement to many.
    Broadcast = 5,
    /// 6: a control message (RFC 9327).
    Control = 6,
    /// 7: a private message, as ntpdc sends.
    Private = 7,
}

impl Mode {
    /// From the three low bits.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Reserved,
            1 => Self::SymmetricActive,
            2 => Self::SymmetricPassive,
            3 => Self::Client,
            4 => Self::Server,
            5 => Self::Broadcast,
            6 => Self::Control,
            _ => Self::Private,
        }
    }
}

/// The distance from a primary reference, in servers (RFC 5905 section 7.3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stratum(u8);

impl Stratum {
    /// 0: unspecified, or a kiss-o'-death packet.
    pub const UNSPECIFIED: Self = Self(0);
    /// 1: has a reference clock.
    pub const PRIMARY: Self = Self(1);
    /// 16: not synchronised.
    pub const UNSYNCHRONISED: Self = Self(16);

    /// As it stands in a packet, 0 to 255.
    pub const fn new(stratum: u8) -> Self {
        Self(stratum)
    }

    /// As it stands in a packet, 0 to 255.
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Whether a client could follow it: 1 to 15.
    pub const fn is_synchronised(self) -> bool {
        self.0 >= 1 && self.0 < 16
    }

    /// The stratum of who follows this one; never above 16.
    pub const fn next(self) -> Self {
        if self.0 >= 15 {
            Self::UNSYNCHRONISED
        } else {
            Self(self.0 + 1)
        }
    }
}

impl fmt::Display for Stratum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often to ask: every 2ⁿ seconds. Configured ones are 3 to 17, on the wire it may be anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PollExponent(i8);

impl PollExponent {
    /// The shortest interval that can be configured, 8 s.
    pub const FASTEST: Self = Self(3);
    /// The shortest interval where nothing is configured, 64 s.
    pub const DEFAULT_MINIMUM: Self = Self(6);
    /// The longest interval where nothing is configured, 1024 s.
    pub const DEFAULT_MAXIMUM: Self = Self(10);
    /// The longest interval that can be configured, 36 h.
    pub const SLOWEST: Self = Self(17);

    /// As it stands in a packet, −128 to 127.
    pub const fn new(exponent: i8) -> Self {
        Self(exponent)
    }

    /// As it stands in a packet, −128 to 127.
    pub const fn value(self) -> i8 {
        self.0
    }

    /// The interval, with the exponent held between 0 and 17.
    pub const fn interval(self) -> Elapsed {
        let exponent = if self.0 < 0 {
            0
        } else if self.0 > 17 {
            17
        } else {
            self.0
        };
        Elapsed::from_secs(1 << exponent)
    }
}

/// How fine a clock can be read: 2ⁿ seconds, n mostly negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Precision(i8);

impl Precision {
    /// As it stands in a packet, −128 to 127.
    pub const fn new(exponent: i8) -> Self {
        Self(exponent)
    }

    /// As it stands in a packet, −128 to 127.
    pub const fn value(self) -> i8 {
        self.0
    }

    /// The step, with the exponent held between −32 and 30.
    pub const fn to_duration(self) -> Duration {
        let exponent = if self.0 < -32 {
            -32
        } else if self.0 > 30 {
            30
        } else {
            self.0
        };
        Duration::from_bits(1 << (32 + exponent as i32))
    }

    /// The smallest power of two that is not below `step`.
    pub const fn from_duration(step: Duration) -> Self {
        let bits = step.to_bits();
        if bits <= 1 {
            return Self(-32);
        }
        Self((64 - (bits - 1).leading_zeros()) as i8 - 32)
    }
}

/// The number of a key: 1 to 65535 symmetric, above that Autokey, 0 a crypto-NAK.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct KeyId(u32);

impl KeyId {
    /// The key number of a crypto-NAK: "your MAC was wrong".
    pub const CRYPTO_NAK: Self = Self(0);
    /// The highest number that ntp.keys can hold.
    pub const HIGHEST_SYMMETRIC: Self = Self(65535);

    /// As it stands in a packet.
    pub const fn new(id: u32) -> Self {
        Self(id)
    }

    /// As it stands in a packet.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// Whether ntp.keys could hold it: 1 to 65535.
    pub const fn is_symmetric(self) -> bool {
        self.0 >= 1 && self.0 <= Self::HIGHEST_SYMMETRIC.0
    }

    /// Whether it names a session key of Autokey: above 65535 (RFC 5906 section 5).
    pub const fn is_autokey(self) -> bool {
        self.0 > Self::HIGHEST_SYMMETRIC.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of an association within a daemon, as control messages name it; 0 is the system.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AssociationId(u16);

impl AssociationId {
    /// Not an association but the system itself.
    pub const SYSTEM: Self = Self(0);

    /// As it stands in a control message.
    pub const fn new(id: u16) -> Self {
        Self(id)
    }

    /// As it stands in a control message.
    pub const fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Display for AssociationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A rate in parts per million: a frequency error of 1 ppm gains 1 µs each second.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug, Default)]
pub struct Ppm(f64);

impl Ppm {
    /// A clock that is exactly right.
    pub const ZERO: Self = Self(0.0);

    /// `rate` parts per million; what is no finite number becomes zero.
    pub const fn new(rate: f64) -> Self {
        if rate.is_finite() {
            Self(rate)
        } else {
            Self::ZERO
        }
    }

    /// Parts per million.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// Held between `-limit` and `limit`.
    pub const fn clamp(self, limit: Self) -> Self {
        Self(self.0.clamp(-limit.0.abs(), limit.0.abs()))
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} ppm", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_is_the_next_power_of_two() {
        assert_eq!(
            Precision::from_duration(Duration::from_seconds(1)).value(),
            0
        );
        assert_eq!(
            Precision::from_duration(Duration::from_nanos(40)).value(),
            -24
        );
        assert_eq!(
            Precision::from_duration(Duration::from_bits(3)).value(),
            -30
        );
        assert_eq!(Precision::from_duration(Duration::ZERO).value(), -32);
        for exponent in -31..=30 {
            let precision = Precision::new(exponent);
            assert_eq!(Precision::from_duration(precision.to_duration()), precision);
        }
        assert_eq!(
            Precision::new(127).to_duration(),
            Precision::new(30).to_duration()
        );
    }

    #[test]
    fn strata_end_at_sixteen() {
        assert_eq!(Stratum::new(14).next(), Stratum::new(15));
        assert_eq!(Stratum::new(15).next(), Stratum::UNSYNCHRONISED);
        assert_eq!(Stratum::new(255).next(), Stratum::UNSYNCHRONISED);
    }

    #[test]
    fn rates_are_finite() {
        assert_eq!(Ppm::new(f64::INFINITY), Ppm::ZERO);
        assert_eq!(Ppm::new(-700.0).clamp(Ppm::new(500.0)), Ppm::new(-500.0));
    }
}
