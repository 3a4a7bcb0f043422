//! How much public-key work strangers may ask for.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    net::IpAddr,
};

use ntp_wire::Monotonic;

/// How much strangers may ask a server for: values of any kind per source, public-key operations
/// by all together. What is beyond is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkLimits {
    /// Values per second and source (an IPv4 address, or 64 bits of an IPv6 one).
    pub each_per_second: u16,
    /// Values that a source may have at once after a while of silence; a whole dance takes six.
    pub each_at_once: u16,
    /// Public-key operations per second, for all sources together.
    pub all_per_second: u16,
    /// Public-key operations at once, for all sources together.
    pub all_at_once: u16,
}

impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            each_per_second: 2,
            each_at_once: 12,
            all_per_second: 100,
            all_at_once: 100,
        }
    }
}

/// Keeps count. Its memory is fixed: sources share buckets by a keyed hash.
pub(crate) struct WorkLimiter {
    limits: WorkLimits,
    seed: u64,
    all: Bucket,
    each: Vec<Bucket>,
}

const BUCKETS: usize = 1024;

impl WorkLimiter {
    pub(crate) fn new(limits: WorkLimits, seed: u64) -> Self {
        Self {
            limits,
            seed,
            all: Bucket::default(),
            each: vec![Bucket::default(); BUCKETS],
        }
    }

    /// Whether `source` may have another value, and if `costly` with a public-key operation.
    pub(crate) fn admit(&mut self, source: IpAddr, costly: bool, now: Monotonic) -> bool {
        let limits = self.limits;
        let index = self.index(source);
        let Some(own) = self.each.get_mut(index) else {
            return false;
        };
        // What is refused for one reason must not be charged for the other.
        own.refill(limits.each_per_second, limits.each_at_once, now);
        self.all
            .refill(limits.all_per_second, limits.all_at_once, now);
        if own.spent(limits.each_at_once) || costly && self.all.spent(limits.all_at_once) {
            return false;
        }
        own.used += UNIT;
        if costly {
            self.all.used += UNIT;
        }
        true
    }

    fn index(&self, source: IpAddr) -> usize {
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        match source.to_canonical() {
            IpAddr::V4(address) => address.to_bits().hash(&mut hasher),
            IpAddr::V6(address) => (address.to_bits() >> 64).hash(&mut hasher),
        }
        (hasher.finish() % BUCKETS as u64) as usize
    }
}

/// What one operation costs, in billionths: what a rate of one per second earns each nanosecond
/// is one.
const UNIT: u64 = 1_000_000_000;

#[derive(Clone, Copy, Default)]
struct Bucket {
    used: u64,
    at: Monotonic,
}

impl Bucket {
    fn refill(&mut self, per_second: u16, at_once: u16, now: Monotonic) {
        let elapsed = now.since(self.at).as_nanos();
        let earned = elapsed.saturating_mul(per_second.into());
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        self.used = self
            .used
            .min(u64::from(at_once) * UNIT)
            .saturating_sub(earned);
        self.at = now;
    }

    const fn spent(&self, at_once: u16) -> bool {
        self.used + UNIT > at_once as u64 * UNIT
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    #[test]
    fn a_flood_gets_its_share_and_no_more() {
        let limits = WorkLimits {
            each_per_second: 2,
            each_at_once: 8,
            all_per_second: 100,
            all_at_once: 100,
        };
        let mut limiter = WorkLimiter::new(limits, 7);
        let source = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let mut now = Monotonic::START;
        let mut admitted = 0;
        for _ in 0..10_000 {
            admitted += u32::from(limiter.admit(source, true, now));
            now += Duration::from_millis(1);
        }
        assert_eq!(admitted, 8 + 19);
        // Another source is not touched by that.
        assert!(limiter.admit(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), true, now));
    }

    #[test]
    fn many_sources_share_the_whole() {
        let mut limiter = WorkLimiter::new(WorkLimits::default(), 7);
        let now = Monotonic::START + Duration::from_secs(1000);
        let count = |limiter: &mut WorkLimiter, costly| {
            (0..50_000)
                .filter(|n| limiter.admit(IpAddr::V4(Ipv4Addr::from_bits(*n)), costly, now))
                .count()
        };
        assert_eq!(count(&mut limiter, true), 100);
        // What costs nothing is limited by source only; here, by the buckets there are.
        let cheap = count(&mut limiter, false);
        assert!((BUCKETS * 11..=BUCKETS * 12).contains(&cheap), "{cheap}");
    }
}
