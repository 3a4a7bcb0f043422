//! How much public-key work strangers may ask for.

use std::{
    collections::hash_map::DefaultHasher,
    hash::{Hash, Hasher},
    net::IpAddr,
    time::Duration as Elapsed,
};

use ntp_wire::Monotonic;

/// How much strangers may ask a server for: values of any kind per source, and the computing time
/// of public-key work, per source and by all together. What is beyond is dropped.
///
/// A source is an IPv4 address or 64 bits of an IPv6 one. Work is charged by what it is estimated
/// to take ([`Job::cost`](crate::Job::cost)), so that large keys get fewer answers than small ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkLimits {
    /// Values per second and source.
    pub each_per_second: u16,
    /// Values that a source may have at once after a while of silence; a whole dance takes six.
    pub each_at_once: u16,
    /// Computing time per second and source.
    pub each_work_per_second: Elapsed,
    /// Computing time that a source may have at once.
    pub each_work_at_once: Elapsed,
    /// Computing time per second, for all sources together.
    pub all_work_per_second: Elapsed,
    /// Computing time at once, for all sources together.
    pub all_work_at_once: Elapsed,
}

/// A fifth of a processor at most, and of that a fortieth for each source.
impl Default for WorkLimits {
    fn default() -> Self {
        Self {
            each_per_second: 2,
            each_at_once: 12,
            each_work_per_second: Elapsed::from_millis(5),
            each_work_at_once: Elapsed::from_millis(100),
            all_work_per_second: Elapsed::from_millis(200),
            all_work_at_once: Elapsed::from_millis(500),
        }
    }
}

/// Keeps count. Its memory is fixed: sources share buckets by a keyed hash.
pub(crate) struct WorkLimiter {
    limits: WorkLimits,
    seed: u64,
    all: Bucket,
    each: Vec<Source>,
}

/// What sources of one bucket have had.
#[derive(Clone, Copy, Default)]
struct Source {
    values: Bucket,
    work: Bucket,
}

const BUCKETS: usize = 1024;

impl WorkLimiter {
    pub(crate) fn new(limits: WorkLimits, seed: u64) -> Self {
        Self {
            limits,
            seed,
            all: Bucket::default(),
            each: vec![Source::default(); BUCKETS],
        }
    }

    /// Whether `source` may have another value.
    pub(crate) fn admit_value(&mut self, source: IpAddr, now: Monotonic) -> bool {
        let limits = self.limits;
        let index = self.index(source);
        let Some(own) = self.each.get_mut(index) else {
            return false;
        };
        let rate = Rate {
            per_second: limits.each_per_second.into(),
            at_once: limits.each_at_once.into(),
        };
        own.values.refill(rate, now);
        if own.values.lacks(rate, 1) {
            return false;
        }
        own.values.charge(1);
        true
    }

    /// Whether public-key work that takes `cost` may be done for `source`.
    pub(crate) fn admit_work(&mut self, source: IpAddr, cost: Elapsed, now: Monotonic) -> bool {
        let limits = self.limits;
        let index = self.index(source);
        let Some(own) = self.each.get_mut(index) else {
            return false;
        };
        let of_each = Rate::of_work(limits.each_work_per_second, limits.each_work_at_once);
        let of_all = Rate::of_work(limits.all_work_per_second, limits.all_work_at_once);
        let cost = micros(cost);
        // What is refused for one reason must not be charged for the other.
        own.work.refill(of_each, now);
        self.all.refill(of_all, now);
        if own.work.lacks(of_each, cost) || self.all.lacks(of_all, cost) {
            return false;
        }
        own.work.charge(cost);
        self.all.charge(cost);
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

/// How fast a bucket fills, and how much it holds: values, or microseconds of work.
#[derive(Clone, Copy)]
struct Rate {
    per_second: u64,
    at_once: u64,
}

impl Rate {
    fn of_work(per_second: Elapsed, at_once: Elapsed) -> Self {
        Self {
            per_second: micros(per_second),
            at_once: micros(at_once),
        }
    }
}

fn micros(time: Elapsed) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Buckets count in billionths: what a rate of one per second earns each nanosecond is one.
const UNIT: u64 = 1_000_000_000;

#[derive(Clone, Copy, Default)]
struct Bucket {
    used: u64,
    at: Monotonic,
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: Monotonic) {
        let elapsed = now.since(self.at).as_nanos();
        let earned = elapsed.saturating_mul(rate.per_second.into());
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        self.used = self.used.saturating_sub(earned);
        self.at = now;
    }

    /// Whether there is no room for `cost`. A full bucket has room for everything: what costs more
    /// than it holds would else never be done.
    fn lacks(&self, rate: Rate, cost: u64) -> bool {
        let cost = cost.min(rate.at_once).saturating_mul(UNIT);
        self.used.saturating_add(cost) > rate.at_once.saturating_mul(UNIT)
    }

    fn charge(&mut self, cost: u64) {
        self.used = self.used.saturating_add(cost.saturating_mul(UNIT));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(0xc000_0200 + number))
    }

    #[test]
    fn a_flood_gets_its_share_and_no_more() {
        let limits = WorkLimits {
            each_per_second: 2,
            each_at_once: 8,
            ..WorkLimits::default()
        };
        let mut limiter = WorkLimiter::new(limits, 7);
        let mut now = Monotonic::START;
        let mut admitted = 0;
        for _ in 0..10_000 {
            admitted += u32::from(limiter.admit_value(source(1), now));
            now += Elapsed::from_millis(1);
        }
        assert_eq!(admitted, 8 + 19);
        // Another source is not touched by that.
        assert!(limiter.admit_value(source(2), now));
    }

    #[test]
    fn a_network_of_64_bits_is_one_source() {
        let mut limiter = WorkLimiter::new(WorkLimits::default(), 7);
        let now = Monotonic::START;
        let at = |network: u128, host: u128| {
            let bits = (0x2001_0db8_0000_0000 + network) << 64 | host;
            IpAddr::V6(std::net::Ipv6Addr::from_bits(bits))
        };
        let admitted = (0..100).filter(|host| limiter.admit_value(at(0, *host), now));
        assert_eq!(admitted.count(), 12);
        assert!(limiter.admit_value(at(1, 0), now));
    }

    #[test]
    fn work_is_charged_by_what_it_takes() {
        let limits = WorkLimits {
            each_work_per_second: Elapsed::from_millis(5),
            each_work_at_once: Elapsed::from_millis(100),
            ..WorkLimits::default()
        };
        let count = |cost| {
            let mut limiter = WorkLimiter::new(limits, 7);
            let now = Monotonic::START;
            let at = |milliseconds| now + Elapsed::from_millis(milliseconds);
            let admitted = (0..10_000).filter(|n| limiter.admit_work(source(1), cost, at(*n)));
            admitted.count()
        };
        // 100 ms at once, and 50 ms more within ten seconds.
        assert_eq!(count(Elapsed::from_millis(1)), 149);
        assert_eq!(count(Elapsed::from_millis(10)), 14);
        // What costs more than there ever is is done all the same, but only when nothing else was.
        assert_eq!(count(Elapsed::from_millis(300)), 1);
    }

    #[test]
    fn many_sources_share_the_whole() {
        let mut limiter = WorkLimiter::new(WorkLimits::default(), 7);
        let now = Monotonic::START + Elapsed::from_secs(1000);
        let cost = Elapsed::from_millis(5);
        let admitted = (0..50_000).filter(|n| limiter.admit_work(source(*n), cost, now));
        assert_eq!(admitted.count(), 100);
        // What costs nothing is limited by source only; here, by the buckets there are.
        let cheap = (0..50_000).filter(|n| limiter.admit_value(source(*n), now));
        let cheap = cheap.count();
        assert!((BUCKETS * 11..=BUCKETS * 12).contains(&cheap), "{cheap}");
    }

    #[test]
    fn one_flood_leaves_the_others_their_work() {
        let mut limiter = WorkLimiter::new(WorkLimits::default(), 7);
        let mut now = Monotonic::START + Elapsed::from_secs(1000);
        let cost = Elapsed::from_millis(5);
        for n in 0..100_000u32 {
            limiter.admit_work(source(1), cost, now);
            if n % 10_000 == 0 {
                // A dance: COOKIE, SIGN and the challenge.
                let other = source(2 + n);
                assert!((0..3).all(|_| limiter.admit_work(other, cost, now)));
            }
            now += Elapsed::from_micros(100);
        }
    }
}
