//! Leap seconds that are spread over the hours before them, for clients that cannot stand them.

use core::f64::consts::PI;

use ntp_wire::{Duration, Leap, ReferenceId, Timestamp};

use super::LeapSecond;

/// The first octet of the reference identifier of a server that smears: an IPv4 address that
/// nobody has.
const SMEARED: u32 = 0xfe00_0000;
/// What chrony says while it smooths its time: 127.127.1.255.
const SMOOTHED: u32 = 0x7f7f_01ff;
/// An offset in 24 bits has this many bits of fraction less than one of 64.
const DROPPED_BITS: u32 = 10;

/// One leap second, smeared over the time that leads up to it.
///
/// The served time is the clock's plus [`offset`](Self::offset), which goes from zero to a second
/// along half a cosine: −(1 − cos(π t / w)) / 2 for a second that is inserted, t seconds after the
/// start of an interval of w seconds. When the clock makes its leap, the smear is over, and both
/// show the same.
///
/// ```
/// use ntp_discipline::{LeapSecond, Smear};
/// use ntp_wire::{Duration, Leap, Timestamp};
///
/// let midnight = Timestamp::from_unix(1_483_228_800, 0);
/// let leap = LeapSecond { at: midnight, leap: Leap::Insert };
/// let smear = Smear::new(leap, Duration::from_seconds(86_400));
/// let noon = midnight - Duration::from_seconds(43_200);
/// let offset = smear.offset(noon).map(|offset| offset.to_seconds_f64());
/// assert!(offset.is_some_and(|offset| (offset + 0.5).abs() < 1e-9));
/// assert_eq!(smear.offset(midnight), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Smear {
    ends: Timestamp,
    interval: Duration,
    sign: i32,
}

impl Smear {
    /// Smears `leap` over the `interval` before it.
    pub fn new(leap: LeapSecond, interval: Duration) -> Self {
        Self {
            ends: leap.at,
            interval,
            sign: if leap.leap == Leap::Delete { 1 } else { -1 },
        }
    }

    /// What to add to the clock when it shows `time`; `None` before the interval and after it.
    pub fn offset(&self, time: Timestamp) -> Option<Duration> {
        let left = self.ends - time;
        if left <= Duration::ZERO || left > self.interval {
            return None;
        }
        let part = 1.0 - left.to_seconds_f64() / self.interval.to_seconds_f64();
        let magnitude = Duration::from_seconds_f64((1.0 - (PI * part).cos()) / 2.0);
        Some(magnitude * self.sign)
    }

    /// The reference identifier that says how much the time is smeared by: 254, then two bits of
    /// seconds and 22 of their fraction, in two's complement (draft-stenn-ntp-leap-smear-refid).
    pub fn reference_id(offset: Duration) -> ReferenceId {
        let rounded = offset.to_bits().saturating_add(1 << (DROPPED_BITS - 1)) >> DROPPED_BITS;
        ReferenceId::from_bytes((SMEARED | (rounded as u32 & 0x00ff_ffff)).to_be_bytes())
    }

    /// Whether `reference_id` may be one that says that the time is smeared. The digest of an IPv6
    /// address looks like one now and then; it does not change from packet to packet.
    pub fn is_possible(reference_id: ReferenceId) -> bool {
        let bits = u32::from_be_bytes(reference_id.to_bytes());
        // Nobody smears more than a second.
        let offset = (((bits << 8) as i32) >> 8).unsigned_abs();
        bits & 0xff00_0000 == SMEARED && offset <= 1 << 22
    }

    /// Whether `reference_id` says for certain that the time is not that of a plain clock: that of
    /// chrony while it smooths.
    pub fn is_certain(reference_id: ReferenceId) -> bool {
        u32::from_be_bytes(reference_id.to_bytes()) == SMOOTHED
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDNIGHT: Timestamp = Timestamp::from_unix(1_483_228_800, 0);

    fn smear(leap: Leap, interval: i32) -> Smear {
        let leap = LeapSecond { at: MIDNIGHT, leap };
        Smear::new(leap, Duration::from_seconds(interval))
    }

    fn before(seconds: i32) -> Timestamp {
        MIDNIGHT - Duration::from_seconds(seconds)
    }

    #[test]
    fn it_goes_from_nothing_to_a_second() {
        for (leap, sign) in [(Leap::Insert, -1.0), (Leap::Delete, 1.0)] {
            let smear = smear(leap, 7200);
            assert_eq!(smear.offset(before(7201)), None);
            assert_eq!(smear.offset(before(7200)), Some(Duration::ZERO));
            let at = |seconds| smear.offset(before(seconds)).unwrap().to_seconds_f64();
            // 1 − cos 45° is 0.2929.
            assert!((at(5400) - sign * 0.146_446_609).abs() < 1e-8);
            assert!((at(3600) - sign * 0.5).abs() < 1e-9);
            assert!((at(1) - sign).abs() < 1e-7);
            assert_eq!(smear.offset(MIDNIGHT), None);
        }
    }

    #[test]
    fn the_identifier_holds_the_offset() {
        for (nanoseconds, identifier) in [
            (0, 0xfe00_0000),
            (-1_000_000_000, 0xfec0_0000),
            (-500_000_000, 0xfee0_0000),
            (1_000_000_000, 0xfe40_0000),
            // A unit is 238 ns.
            (239, 0xfe00_0001),
            (-239, 0xfeff_ffff),
            (-100, 0xfe00_0000),
        ] {
            let identifier = ReferenceId::from_bytes(u32::to_be_bytes(identifier));
            assert_eq!(
                Smear::reference_id(Duration::from_nanos(nanoseconds)),
                identifier,
                "{nanoseconds}"
            );
            assert!(Smear::is_possible(identifier));
        }
        for other in ["254.128.0.0", "254.64.0.1", "10.0.0.1", "255.0.0.0"] {
            let address: core::net::Ipv4Addr = other.parse().unwrap();
            assert!(
                !Smear::is_possible(ReferenceId::from_ipv4(address)),
                "{other}"
            );
        }
    }

    proptest! {
        #[test]
        fn served_time_never_runs_backwards(
            interval in 100i32..2_000_000, part in 0.0..1.0f64, step in 1i64..1_000_000_000,
        ) {
            for leap in [Leap::Insert, Leap::Delete] {
                let smear = smear(leap, interval);
                let time = before((f64::from(interval) * part) as i32);
                let later = time + Duration::from_nanos(step);
                let done = Duration::from_seconds(smear.sign);
                let outside = |time| if time < MIDNIGHT { Duration::ZERO } else { done };
                let served = |time| time + smear.offset(time).unwrap_or_else(|| outside(time));
                prop_assert!(served(later) >= served(time));
            }
        }
    }
}
