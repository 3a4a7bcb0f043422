//! Whole seconds, as values and files carry them.

use std::fmt;

use ntp_wire::{Timestamp, WireTimestamp};

/// A point in time in whole NTP seconds, 32 bits: when a value was signed, or when a file was made
/// (its *filestamp*). Zero means never.
///
/// Comparisons go by the shorter way round, so that they survive the year 2036.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stamp(u32);

impl Stamp {
    /// Never: the signer's clock was not synchronised.
    pub const NEVER: Self = Self(0);

    /// As it stands in a packet or at the end of a file's first line.
    pub const fn new(seconds: u32) -> Self {
        Self(seconds)
    }

    /// As it stands in a packet.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// The second of `time`.
    pub const fn of(time: Timestamp) -> Self {
        Self(time.to_wire().seconds())
    }

    /// The point in time within 68 years of `pivot`.
    pub fn near(self, pivot: Timestamp) -> Timestamp {
        WireTimestamp::from_bits(u64::from(self.0) << 32).near(pivot)
    }

    /// Whether it means never.
    pub const fn is_never(self) -> bool {
        self.0 == 0
    }

    /// Whether it lies before `other`.
    pub const fn is_before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stamp({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_end_of_the_era() {
        assert!(Stamp::new(0xffff_fff0).is_before(Stamp::new(3)));
        assert!(!Stamp::new(3).is_before(Stamp::new(0xffff_fff0)));
        assert!(!Stamp::new(3).is_before(Stamp::new(3)));
        let era_1 = Timestamp::from_unix(2_085_978_500, 0);
        assert_eq!(Stamp::of(era_1), Stamp::new(4));
        assert_eq!(Stamp::new(4).near(era_1), era_1);
    }
}
