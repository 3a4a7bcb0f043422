//! What replies are made of.

use ntp_discipline::Now;
use ntp_wire::{Header, Ppm};

/// What replies are made of from now on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moment {
    /// What the clocks showed together.
    pub now: Now,
    /// How much faster than the monotonic clock the wall clock runs.
    pub gain: Ppm,
    /// The port that requests come to.
    pub port: u16,
    /// A reply to a client of version 4. Poll interval, origin, receive and transmit times are put
    /// in for each request.
    pub header: Header,
    /// Seconds that a [limited](super::Treatment::Limited) client has between requests on average.
    pub headway: u32,
    /// And at least.
    pub minimum: u32,
}

impl Moment {
    /// Words of `struct moment` in answer.c.
    pub(super) const WORDS: usize = 8;

    /// The structure, as answer.c knows it, of a moment that holds until the monotonic clock shows
    /// `until` nanoseconds.
    pub(super) fn to_words(self, until: u64) -> [u64; Self::WORDS] {
        let mut header = [0; Header::LENGTH];
        self.header.emit(&mut header);
        let (halves, _) = header.as_chunks::<8>();
        let mut halves = halves.iter().map(|half| u64::from_ne_bytes(*half));
        let mut next = || halves.next().unwrap_or_default();
        let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
        [
            until,
            self.now.monotonic.as_nanos(),
            u64::from_be_bytes(self.now.wall.to_wire().to_be_bytes()),
            pair(fractions_per_nanosecond(self.gain), self.headway),
            pair(
                self.minimum,
                u16::from_ne_bytes(self.port.to_be_bytes()).into(),
            ),
            next(),
            next(),
            next(),
        ]
    }
}

/// Fractions of 2⁻³² s that a clock gains in a nanosecond, times 2²⁹.
fn fractions_per_nanosecond(gain: Ppm) -> u32 {
    let rate = (1_u64 << 61) as f64 / 1e9 * (1.0 + gain.value() * 1e-6);
    // A cast keeps within bounds.
    rate.round() as u32
}
