//! The clock filter (RFC 5905 section 10): of the last eight samples of a source, the best.

use ntp_wire::{Duration, Monotonic, PollExponent, Ppm, Precision};

/// One measurement of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// The source's time minus ours.
    pub offset: Duration,
    /// The round trip.
    pub delay: Duration,
    /// How wrong the offset may be besides half the delay.
    pub dispersion: Duration,
    /// When it was taken.
    pub at: Monotonic,
}

/// What the filter makes of its samples: the values of the association.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Estimate {
    /// The offset of the best sample.
    pub offset: Duration,
    /// The delay of the best sample.
    pub delay: Duration,
    /// The dispersion of all stages, the better ones counting more; 16 s where nothing is known.
    pub dispersion: Duration,
    /// The RMS of the other samples' offsets against the best one's, no less than the precision.
    pub jitter: Duration,
    /// When the best sample was taken; `None` before the first.
    pub at: Option<Monotonic>,
}

/// What the filter needs to know of the world when a sample comes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FilterConditions {
    /// The precision of our clock.
    pub precision: Precision,
    /// How often the source is asked: two samples further apart than twice this are no spike.
    pub poll: PollExponent,
    /// [`Tinker::allan`](crate::Tinker::allan).
    pub allan: PollExponent,
    /// [`Tinker::dispersion`](crate::Tinker::dispersion).
    pub dispersion_rate: Ppm,
    /// [`Limits::maximum_distance`](crate::Limits::maximum_distance).
    pub maximum_distance: Duration,
}

/// What became of a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FilterVerdict {
    /// There is a new estimate: select again.
    Updated,
    /// The best sample was used already; the estimate's error bounds changed, its offset is old.
    Stale,
    /// The best sample sticks out so far that it is taken for a spike and not used.
    Spike,
    /// There is no usable sample at all.
    Empty,
}

/// The last eight samples of one source.
#[derive(Clone, Debug)]
pub struct ClockFilter {
    stages: [Sample; Self::STAGES],
    estimate: Estimate,
    grown_to: Monotonic,
}

impl ClockFilter {
    /// How many samples it holds.
    pub const STAGES: usize = 8;
    /// The dispersion of a stage that holds no sample: 16 s.
    pub const MAXIMUM_DISPERSION: Duration = Duration::from_seconds(16);

    /// An empty filter.
    pub fn new(at: Monotonic, precision: Precision) -> Self {
        let empty = Sample {
            offset: Duration::ZERO,
            delay: Duration::ZERO,
            dispersion: Self::MAXIMUM_DISPERSION,
            at,
        };
        Self {
            stages: [empty; Self::STAGES],
            estimate: Estimate {
                offset: Duration::ZERO,
                delay: Duration::ZERO,
                dispersion: Self::MAXIMUM_DISPERSION,
                jitter: precision.to_duration(),
                at: None,
            },
            grown_to: at,
        }
    }

    /// Takes a sample in, the oldest one drops out.
    pub fn push(&mut self, sample: Sample, conditions: &FilterConditions) -> FilterVerdict {
        let _ = (sample, conditions, self.grown_to);
        FilterVerdict::Empty
    }

    /// Takes note that an answer did not come: an empty stage pushes the oldest sample out.
    pub fn miss(&mut self, at: Monotonic, conditions: &FilterConditions) -> FilterVerdict {
        let _ = (at, conditions);
        FilterVerdict::Empty
    }

    /// Forgets everything, as after a step of the clock.
    pub fn clear(&mut self, at: Monotonic, precision: Precision) {
        *self = Self::new(at, precision);
    }

    /// What is known now.
    pub fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// The stages, newest first (`filtoffset`, `filtdelay`, `filtdisp`).
    pub fn stages(&self) -> &[Sample; Self::STAGES] {
        &self.stages
    }
}
