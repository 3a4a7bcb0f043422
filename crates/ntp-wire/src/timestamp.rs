//! Points in time: the era-aware [`Timestamp`] and the 64 bits of it that travel, [`WireTimestamp`].

use core::{
    fmt,
    ops::{Add, AddAssign, Sub, SubAssign},
};

use crate::Duration;

/// Seconds from 1900-01-01 (the NTP prime epoch) to 1970-01-01 (the Unix epoch).
pub const UNIX_EPOCH_SECONDS: i64 = 2_208_988_800;

/// A point in time, counted from 1900-01-01 00:00 UTC without leap seconds, in steps of 2⁻³² s.
///
/// It is the date format of RFC 5905 section 6 with the fraction cut to 32 bits: the era is part of
/// the value, so that order and differences survive 2036 (era 1) and 2104 (half of it).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp {
    seconds: i64,
    fraction: u32,
}

impl Timestamp {
    /// 1970-01-01 00:00 UTC.
    pub const UNIX_EPOCH: Self = Self::from_parts(UNIX_EPOCH_SECONDS, 0);

    /// The time `seconds` after 1900-01-01, and `fraction` in units of 2⁻³² s.
    pub const fn from_parts(seconds: i64, fraction: u32) -> Self {
        Self { seconds, fraction }
    }

    /// The time that a Unix clock shows as `seconds` and `nanoseconds` (less than 10⁹).
    pub const fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        let fraction = ((nanoseconds as u64) << 32).div_ceil(1_000_000_000);
        let carry = fraction >> 32;
        Self {
            seconds: seconds
                .saturating_add(UNIX_EPOCH_SECONDS)
                .saturating_add(carry as i64),
            fraction: fraction as u32,
        }
    }

    /// Seconds since 1970-01-01, and nanoseconds (less than 10⁹).
    pub const fn to_unix(self) -> (i64, u32) {
        (
            self.seconds.saturating_sub(UNIX_EPOCH_SECONDS),
            ((self.fraction as u64 * 1_000_000_000) >> 32) as u32,
        )
    }

    /// Whole seconds since 1900-01-01.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// The part of a second, in units of 2⁻³² s.
    pub const fn fraction(self) -> u32 {
        self.fraction
    }

    /// The era: 0 from 1900, 1 from 2036-02-07 06:28:16 UTC.
    pub const fn era(self) -> i64 {
        self.seconds >> 32
    }

    /// The 64 bits that travel in a packet; the era stays behind.
    pub const fn to_wire(self) -> WireTimestamp {
        WireTimestamp::from_bits(((self.seconds as u64) << 32) | self.fraction as u64)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        let (fraction, carry) = self.fraction.overflowing_add(duration.to_bits() as u32);
        Self {
            seconds: self
                .seconds
                .saturating_add(duration.whole_seconds())
                .saturating_add(carry.into()),
            fraction,
        }
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        let (fraction, borrow) = self.fraction.overflowing_sub(duration.to_bits() as u32);
        Self {
            seconds: self
                .seconds
                .saturating_sub(duration.whole_seconds())
                .saturating_sub(borrow.into()),
            fraction,
        }
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl SubAssign<Duration> for Timestamp {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

/// The time from `earlier` to `self`; beyond ±68 years it saturates.
impl Sub for Timestamp {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        let bits = (i128::from(self.seconds) - i128::from(earlier.seconds)) * (1 << 32)
            + i128::from(self.fraction)
            - i128::from(earlier.fraction);
        Duration::from_bits(bits.clamp(i64::MIN.into(), i64::MAX.into()) as i64)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({}.{:08x})", self.seconds, self.fraction)
    }
}

/// The 64-bit timestamp of the header (RFC 5905 section 6): 32 bits of seconds in an era that is
/// not told, 32 bits of fraction. All zero means "no time".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct WireTimestamp(u64);

impl WireTimestamp {
    /// No time: unknown, or never.
    pub const ZERO: Self = Self(0);

    /// From seconds (high half) and fraction (low half).
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Seconds (high half) and fraction (low half).
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// As it stands in a packet.
    pub const fn from_be_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes))
    }

    /// As it stands in a packet.
    pub const fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// Seconds within the era.
    pub const fn seconds(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The part of a second, in units of 2⁻³² s.
    pub const fn fraction(self) -> u32 {
        self.0 as u32
    }

    /// Whether it means "no time".
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The point in time within 68 years of `pivot` that these bits stand for (RFC 5905 section 6).
    pub const fn near(self, pivot: Timestamp) -> Timestamp {
        let distance = self.0.wrapping_sub(pivot.to_wire().0) as i64;
        let fraction = pivot.fraction as u64 + (distance as u64 & 0xffff_ffff);
        Timestamp {
            seconds: pivot
                .seconds
                .saturating_add((distance >> 32) + (fraction >> 32) as i64),
            fraction: fraction as u32,
        }
    }
}

impl fmt::Debug for WireTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WireTimestamp({self})")
    }
}

/// `ssssssss.ffffffff` in hexadecimal, the way ntpq prints it.
impl fmt::Display for WireTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}.{:08x}", self.seconds(), self.fraction())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eras_are_told_apart_by_the_pivot() {
        // The last second of era 0, and half of era 1: 2036-02-07 06:28:15 and 2104-02-26 09:42:24.
        let end_of_era_0 = Timestamp::from_unix(2_085_978_495, 0);
        assert_eq!(end_of_era_0.to_wire().to_bits(), 0xffff_ffff_0000_0000);
        assert_eq!(end_of_era_0.era(), 0);
        let start_of_era_1 = end_of_era_0 + Duration::from_seconds(1);
        assert_eq!(start_of_era_1.era(), 1);
        assert_eq!(start_of_era_1.to_wire(), WireTimestamp::ZERO);
        assert_eq!(start_of_era_1.to_wire().near(end_of_era_0), start_of_era_1);
        assert_eq!(end_of_era_0.to_wire().near(start_of_era_1), end_of_era_0);
        let half = Timestamp::from_unix(4_233_462_144, 0);
        assert_eq!(half.to_wire().to_bits(), 0x8000_0000_0000_0000);
        let before = half - Duration::from_seconds(1);
        assert_eq!(half.to_wire().near(before), half);
        assert_eq!(before.to_wire().near(half), before);
    }

    #[test]
    fn differences_saturate() {
        let late = Timestamp::from_parts(1 << 40, 0);
        assert_eq!(late - Timestamp::default(), Duration::MAX);
        assert_eq!(Timestamp::default() - late, Duration::MIN);
    }

    proptest! {
        #[test]
        fn unix_time_survives_the_way_there_and_back(seconds in -1i64 << 40..1 << 40, nanoseconds in 0u32..1_000_000_000) {
            prop_assert_eq!(Timestamp::from_unix(seconds, nanoseconds).to_unix(), (seconds, nanoseconds));
        }

        #[test]
        fn sum_and_difference_agree(seconds in -1i64 << 40..1 << 40, fraction: u32, bits: i64) {
            let start = Timestamp::from_parts(seconds, fraction);
            let duration = Duration::from_bits(bits);
            prop_assert_eq!((start + duration) - start, duration);
            prop_assert_eq!((start + duration) - duration, start);
        }

        #[test]
        fn near_is_the_only_candidate_within_half_an_era(seconds in -1i64 << 40..1 << 40, fraction: u32, bits: i64) {
            let pivot = Timestamp::from_parts(seconds, fraction);
            let time = pivot + Duration::from_bits(bits);
            prop_assert_eq!(time.to_wire().near(pivot), time);
        }
    }
}
