//! How fast a client may ask.

use core::time::Duration as Elapsed;

use crate::RestrictFlags;

/// The thresholds of `discard`, and the accounting of ntpd 4.2.8.
///
/// Every request puts 2ᵃᵛᵉʳᵃᵍᵉ seconds, less a grace of 2, into the client's bucket, and every
/// second takes one out. A request is too fast if it would fill the bucket to eight times that,
/// or if it follows the one before in less than the minimum less a grace of 1 s. Times between
/// requests are rounded to whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// `average`: requests may come every 2ⁿ seconds on average; more than 20 counts as 20.
    pub average_exponent: u8,
    /// `minimum`: seconds between two requests.
    pub minimum_seconds: u8,
}

impl Default for RateLimit {
    /// One request in 8 s on average, and 2 s between two of them.
    fn default() -> Self {
        Self {
            average_exponent: 3,
            minimum_seconds: 2,
        }
    }
}

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Serve it.
    Serve,
    /// It came too fast: drop it in silence.
    Drop,
    /// It came too fast: answer with the kiss code `RATE`.
    KissOfDeath,
}

/// The seconds in a client's bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bucket(i32);

/// As many requests in a row fit into the bucket.
const DEPTH: i32 = 8;
/// Seconds that a request may come early against the minimum.
const MINIMUM_GRACE: u64 = 1;
/// Seconds that every request is forgiven.
const AVERAGE_GRACE: i32 = 2;
const HIGHEST_EXPONENT: u8 = 20;

impl RateLimit {
    /// Accounts for a request that comes `interval` after the one before. Of `restriction` it
    /// leaves [`LIMITED`](RestrictFlags::LIMITED) if the request is too fast, and
    /// [`KISS_OF_DEATH`](RestrictFlags::KISS_OF_DEATH) if it is time to say so.
    pub(crate) fn account(
        &self,
        bucket: &mut Bucket,
        interval: Elapsed,
        restriction: RestrictFlags,
    ) -> RestrictFlags {
        let seconds = interval.saturating_add(Elapsed::from_millis(500)).as_secs();
        let headway = 1_i32 << self.average_exponent.min(HIGHEST_EXPONENT);
        let limit = DEPTH * headway;
        let drained = bucket
            .0
            .saturating_sub(i32::try_from(seconds).unwrap_or(i32::MAX))
            .max(0);
        let filled = drained + headway;
        if seconds + MINIMUM_GRACE >= u64::from(self.minimum_seconds) && filled < limit {
            bucket.0 = filled - AVERAGE_GRACE;
            restriction - (RestrictFlags::LIMITED | RestrictFlags::KISS_OF_DEATH)
        } else if drained < limit {
            // From here it takes one headway until the next kiss.
            bucket.0 = limit + headway;
            restriction
        } else {
            bucket.0 = drained;
            restriction - RestrictFlags::KISS_OF_DEATH
        }
    }
}
