//! Signed spans of time: [`Duration`], and the unsigned [`ShortDuration`] of the header.

use core::{
    fmt,
    ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign},
};

const ONE_SECOND: f64 = 4_294_967_296.0;

/// A signed span of time in steps of 2⁻³² s (0.23 ns), up to ±68 years; arithmetic saturates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(i64);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span, about 68 years.
    pub const MAX: Self = Self(i64::MAX);
    /// The longest negative span, about −68 years.
    pub const MIN: Self = Self(i64::MIN);

    /// `bits` times 2⁻³² s.
    pub const fn from_bits(bits: i64) -> Self {
        Self(bits)
    }

    /// In units of 2⁻³² s.
    pub const fn to_bits(self) -> i64 {
        self.0
    }

    /// Whole seconds.
    pub const fn from_seconds(seconds: i32) -> Self {
        Self((seconds as i64) << 32)
    }

    /// Milliseconds.
    pub const fn from_millis(milliseconds: i32) -> Self {
        Self(((milliseconds as i64) << 32) / 1000)
    }

    /// Nanoseconds, rounded down to 2⁻³² s; saturates beyond 68 years.
    pub const fn from_nanos(nanoseconds: i64) -> Self {
        let bits = ((nanoseconds as i128) << 32).div_euclid(1_000_000_000);
        if bits > i64::MAX as i128 {
            Self::MAX
        } else if bits < i64::MIN as i128 {
            Self::MIN
        } else {
            Self(bits as i64)
        }
    }

    /// Nanoseconds, rounded to the nearest.
    pub const fn to_nanos(self) -> i64 {
        ((self.0 as i128 * 1_000_000_000 + (1 << 31)) >> 32) as i64
    }

    /// From seconds; not-a-number becomes zero, what is too large saturates.
    pub const fn from_seconds_f64(seconds: f64) -> Self {
        Self((seconds * ONE_SECOND) as i64)
    }

    /// In seconds.
    pub const fn to_seconds_f64(self) -> f64 {
        self.0 as f64 / ONE_SECOND
    }

    /// Whole seconds, rounded down: −0.5 s are −1.
    pub const fn whole_seconds(self) -> i64 {
        self.0 >> 32
    }

    /// Without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// Whether it is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl Add for Duration {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Duration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Duration {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Neg for Duration {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl Mul<i32> for Duration {
    type Output = Self;
    fn mul(self, factor: i32) -> Self {
        Self(self.0.saturating_mul(factor.into()))
    }
}

/// Halves and the like; a zero divisor gives zero.
impl Div<i32> for Duration {
    type Output = Self;
    fn div(self, divisor: i32) -> Self {
        Self(self.0.checked_div(divisor.into()).unwrap_or_default())
    }
}

impl fmt::Debug for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} s")
    }
}

/// In seconds with nine decimals.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.9}", self.to_seconds_f64())
    }
}

/// The 32-bit short format of RFC 5905 section 6: 16 bits of seconds, 16 of fraction. Root delay
/// and root dispersion travel in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ShortDuration(u32);

impl ShortDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span, a hair below 65536 s.
    pub const MAX: Self = Self(u32::MAX);

    /// `bits` times 2⁻¹⁶ s.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// In units of 2⁻¹⁶ s.
    pub const fn to_bits(self) -> u32 {
        self.0
    }

    /// The nearest span that is not shorter; what is negative becomes zero, what is too long
    /// saturates. Rounding up keeps an error bound a bound.
    pub const fn from_duration(duration: Duration) -> Self {
        let bits = duration.to_bits();
        if bits <= 0 {
            return Self::ZERO;
        }
        let short = (bits >> 16) + (bits & 0xffff != 0) as i64;
        if short > u32::MAX as i64 {
            Self::MAX
        } else {
            Self(short as u32)
        }
    }

    /// The same span, signed.
    pub const fn to_duration(self) -> Duration {
        Duration::from_bits((self.0 as i64) << 16)
    }
}

impl fmt::Debug for ShortDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_duration().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nanoseconds_round_to_the_nearest() {
        assert_eq!(Duration::from_bits(1).to_nanos(), 0);
        assert_eq!(Duration::from_bits(3).to_nanos(), 1);
        assert_eq!(Duration::from_bits(-3).to_nanos(), -1);
        assert_eq!(Duration::from_seconds(-2).to_nanos(), -2_000_000_000);
    }

    #[test]
    fn seconds_that_are_no_number_are_zero() {
        assert_eq!(Duration::from_seconds_f64(f64::NAN), Duration::ZERO);
        assert_eq!(Duration::from_seconds_f64(1e300), Duration::MAX);
        assert_eq!(Duration::MIN / 0, Duration::ZERO);
        assert_eq!(-Duration::MIN, Duration::MAX);
    }

    proptest! {
        #[test]
        fn short_durations_never_understate(bits: i64) {
            let duration = Duration::from_bits(bits);
            let short = ShortDuration::from_duration(duration);
            prop_assert!(short == ShortDuration::MAX || short.to_duration() >= duration);
            let again = ShortDuration::from_duration(short.to_duration());
            prop_assert_eq!(again, short);
        }

        #[test]
        fn nanoseconds_survive_the_way_there_and_back(nanoseconds in -1i64 << 60..1 << 60) {
            prop_assert_eq!(Duration::from_nanos(nanoseconds).to_nanos(), nanoseconds);
        }
    }
}
