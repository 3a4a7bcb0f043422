//! The clock filter (RFC 5905 section 10): of the last eight samples of a source, the best.

use ntp_wire::{Duration, Monotonic, PollExponent, Ppm, Precision};

/// A sample this many jitters away from the last is a spike (RFC 5905: SGATE).
const SPIKE_GATE: i32 = 3;

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
    /// [`LoopStatus::settling`](crate::LoopStatus::settling): take the newest sample, not the best.
    pub settling: bool,
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
        Self {
            stages: [Self::empty_stage(at); Self::STAGES],
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
        self.grow(sample.at, conditions.dispersion_rate);
        self.stages.rotate_right(1);
        let [newest, ..] = &mut self.stages;
        *newest = Sample {
            delay: sample.delay.max(Duration::ZERO),
            dispersion: sample
                .dispersion
                .clamp(Duration::ZERO, Self::MAXIMUM_DISPERSION),
            ..sample
        };
        self.judge(conditions)
    }

    /// Takes note that an answer did not come: an empty stage pushes the oldest sample out.
    pub fn miss(&mut self, at: Monotonic, conditions: &FilterConditions) -> FilterVerdict {
        self.push(Self::empty_stage(at), conditions)
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

    /// When it last took anything in; the dispersions are those of that moment.
    pub fn updated(&self) -> Monotonic {
        self.grown_to
    }

    fn empty_stage(at: Monotonic) -> Sample {
        Sample {
            offset: Duration::ZERO,
            delay: Duration::ZERO,
            dispersion: Self::MAXIMUM_DISPERSION,
            at,
        }
    }

    /// Lets the error bounds of old samples grow with their age.
    fn grow(&mut self, to: Monotonic, rate: Ppm) {
        let growth = rate.value().max(0.0) * 1e-6 * to.since(self.grown_to).as_secs_f64();
        let growth = Duration::from_seconds_f64(growth);
        for stage in &mut self.stages {
            stage.dispersion = (stage.dispersion + growth).min(Self::MAXIMUM_DISPERSION);
        }
        self.grown_to = self.grown_to.max(to);
    }

    fn judge(&mut self, conditions: &FilterConditions) -> FilterVerdict {
        let ranked = self.ranked(conditions);

        // Each rank counts half of the one before it.
        let mut dispersion = Duration::ZERO;
        for (_, stage) in ranked.iter().rev() {
            dispersion = (dispersion + stage.dispersion) / 2;
        }
        self.estimate.dispersion = dispersion;

        let usable = Self::usable(&ranked, conditions.maximum_distance);
        let [(_, best), others @ ..] = usable else {
            return FilterVerdict::Empty;
        };
        let squares: f64 = others
            .iter()
            .map(|(_, stage)| (stage.offset - best.offset).to_seconds_f64().powi(2))
            .sum();
        let jitter = Duration::from_seconds_f64((squares / others.len().max(1) as f64).sqrt())
            .max(conditions.precision.to_duration());

        if let Some(used) = self.estimate.at {
            if best.at <= used {
                self.estimate.jitter = jitter;
                return FilterVerdict::Stale;
            }
            let jump = (best.offset - self.estimate.offset).abs();
            if dispersion < conditions.maximum_distance
                && best.dispersion < conditions.maximum_distance
                && jump > jitter * SPIKE_GATE
                && best.at.since(used) < 2 * conditions.poll.interval()
            {
                return FilterVerdict::Spike;
            }
        }
        self.estimate = Estimate {
            offset: best.offset,
            delay: best.delay,
            dispersion,
            jitter,
            at: Some(best.at),
        };
        FilterVerdict::Updated
    }

    /// The stages with their distances, the best first; the newest first while the loop settles.
    fn ranked(&self, conditions: &FilterConditions) -> [(Duration, Sample); Self::STAGES] {
        let correlated = conditions.allan.interval();
        let mut ranked = self.stages.map(|stage| {
            let distance = if stage.dispersion >= Self::MAXIMUM_DISPERSION {
                Self::MAXIMUM_DISPERSION
            } else if self.grown_to.since(stage.at) > correlated {
                // Too old for its delay alone to tell how good it is.
                stage.delay + stage.dispersion
            } else {
                stage.delay
            };
            (distance, stage)
        });
        // Both sorts are stable: among equals the newest stays first.
        if conditions.settling {
            ranked.sort_by_key(|(distance, _)| *distance >= Self::MAXIMUM_DISPERSION);
        } else {
            ranked.sort_by_key(|(distance, _)| *distance);
        }
        ranked
    }

    /// How many of the ranked stages count: those within the distance, and two at least.
    fn usable(
        ranked: &[(Duration, Sample); Self::STAGES],
        maximum_distance: Duration,
    ) -> &[(Duration, Sample)] {
        let mut count = 0;
        for (distance, _) in ranked {
            if *distance < Self::MAXIMUM_DISPERSION && (count < 2 || *distance < maximum_distance) {
                count += 1;
            }
        }
        ranked.get(..count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
