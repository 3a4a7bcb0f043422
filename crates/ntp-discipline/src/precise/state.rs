//! What is believed of a source: a normal distribution over four numbers.

use super::excess::{Excess, Likelihood};
use super::normal::ln_density;

/// How long an asymmetry is remembered: two days.
const ASYMMETRY_MEMORY: f64 = 2.0 * 86_400.0;
/// How fast the least delay may wander, in squared scales a second: a third of a scale in ten days.
const DELAY_WANDER: f64 = 1e-7;

/// Our oscillator minus true time, s.
pub(super) const OFFSET: usize = 0;
/// How fast that grows, s/s.
pub(super) const FREQUENCY: usize = 1;
/// The mean of the least delays there and back, s.
pub(super) const DELAY: usize = 2;
/// Half of the least delay there minus that back, s.
pub(super) const ASYMMETRY: usize = 3;

const SIZE: usize = 4;

/// The two one-way measurements of an exchange, against the bare oscillator.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Ways {
    /// The oscillator at the time, in seconds since it was first read.
    pub(crate) at: f64,
    /// Server's time of arrival minus our time of sending, s.
    pub(crate) forward: f64,
    /// Our time of arrival minus the server's time of sending, s.
    pub(crate) backward: f64,
}

impl Ways {
    /// Time on the network, there and back.
    pub(super) fn round_trip(&self) -> f64 {
        self.forward + self.backward
    }

    /// Our oscillator minus true time, if both ways took equally long.
    pub(super) fn offset(&self) -> f64 {
        (self.backward - self.forward) / 2.0
    }
}

/// Mean and covariance of offset, frequency, delay and asymmetry.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct State {
    pub(super) mean: [f64; SIZE],
    pub(super) covariance: [[f64; SIZE]; SIZE],
}

/// What an observation said of a state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    /// ln of how likely it was.
    pub(super) ln: f64,
    /// Its derivative in the logarithm of the excess' scale.
    pub(super) scale_slope: f64,
    /// Whether the offset was too uncertain for its edges to count.
    pub(super) wide: bool,
}

impl State {
    /// Independent numbers of these means and variances.
    pub(super) fn independent(mean: [f64; SIZE], variance: [f64; SIZE]) -> Self {
        let mut covariance = [[0.0; SIZE]; SIZE];
        for (at, variance) in variance.into_iter().enumerate() {
            covariance[at][at] = variance;
        }
        Self { mean, covariance }
    }

    /// The variance of one of them.
    pub(super) fn variance(&self, of: usize) -> f64 {
        self.covariance[of][of]
    }

    /// Mean offset after `elapsed` seconds, and its variance where the frequency wanders by
    /// `wander` (s/s)²/s.
    pub(super) fn predicted_offset(&self, elapsed: f64, wander: f64) -> (f64, f64) {
        let p = &self.covariance;
        let mean = self.mean[OFFSET] + elapsed * self.mean[FREQUENCY];
        let variance = p[OFFSET][OFFSET]
            + elapsed * (2.0 * p[OFFSET][FREQUENCY] + elapsed * p[FREQUENCY][FREQUENCY])
            + wander * elapsed * elapsed * elapsed / 3.0;
        (mean, variance)
    }

    /// Lets time pass: the frequency is a random walk, the offset its integral.
    pub(super) fn propagate(&mut self, elapsed: f64, wander: f64, scale: f64) {
        let (mean, variance) = self.predicted_offset(elapsed, wander);
        self.mean[OFFSET] = mean;
        let p = &mut self.covariance;
        p[OFFSET][FREQUENCY] +=
            elapsed * p[FREQUENCY][FREQUENCY] + wander * elapsed * elapsed / 2.0;
        p[FREQUENCY][OFFSET] = p[OFFSET][FREQUENCY];
        p[OFFSET][OFFSET] = variance;
        p[FREQUENCY][FREQUENCY] += wander * elapsed;
        for other in [DELAY, ASYMMETRY] {
            p[OFFSET][other] += elapsed * p[FREQUENCY][other];
            p[other][OFFSET] = p[OFFSET][other];
        }
        p[DELAY][DELAY] += DELAY_WANDER * scale * scale * elapsed;
        let kept = (-elapsed / ASYMMETRY_MEMORY).exp();
        self.mean[ASYMMETRY] *= kept;
        p[ASYMMETRY] = p[ASYMMETRY].map(|one| one * kept);
        for row in p.iter_mut() {
            row[ASYMMETRY] *= kept;
        }
    }

    /// Takes both ways of an exchange in.
    pub(super) fn observe(&mut self, ways: &Ways, excess: &Excess, wide_from: f64) -> Evidence {
        let width = excess.width();
        if self.variance(OFFSET).sqrt() > wide_from * width {
            return self.observe_round_trip(ways, excess);
        }
        let forward = self.observe_one_way([1.0, 0.0, -1.0, -1.0], ways.forward, excess);
        let backward = self.observe_one_way([-1.0, 0.0, -1.0, 1.0], ways.backward, excess);
        Evidence {
            ln: forward.ln + backward.ln,
            scale_slope: forward.scale_slope + backward.scale_slope,
            wide: false,
        }
    }

    /// One way: `measured` + `h`·state is its excess over the least delay. The posterior's exact
    /// mean and covariance take the place of the posterior.
    fn observe_one_way(&mut self, h: [f64; SIZE], measured: f64, excess: &Excess) -> Likelihood {
        let (v, variance, gain) = self.project(&h, measured);
        let found = excess.likelihood(v, variance);
        // Rounding, and tails whose curvature is positive, must not make a covariance that is none.
        let curvature = found
            .curvature
            .clamp(-0.9999 / variance, 0.5 / (variance + excess.edge()));
        for row in 0..SIZE {
            self.mean[row] += gain[row] * found.slope;
            for column in 0..SIZE {
                self.covariance[row][column] += gain[row] * gain[column] * curvature;
            }
        }
        found
    }

    /// Where the offset is hardly known, the two edges would let offset and delay trade places: the
    /// delay learns from the round trip alone, and the offset lies anywhere within it.
    fn observe_round_trip(&mut self, ways: &Ways, excess: &Excess) -> Evidence {
        let half = ways.round_trip() / 2.0;
        let delay = self.observe_one_way([0.0, 0.0, -1.0, 0.0], half, excess);
        let width = excess.width();
        let queued = (ways.round_trip() - 2.0 * self.mean[DELAY]).max(0.0);
        // A uniform distribution over the queueing time, and what is not known of the delay.
        let noise = queued * queued / 12.0 + width * width / 4.0 + excess.edge();
        let (error, variance, gain) = self.project(&[1.0, 0.0, 0.0, -1.0], -ways.offset());
        let total = variance + noise;
        for row in 0..SIZE {
            self.mean[row] -= gain[row] * error / total;
            for column in 0..SIZE {
                self.covariance[row][column] -= gain[row] * gain[column] / total;
            }
        }
        // The queueing time of both ways has a gamma distribution.
        let queued = queued.max(0.2 * width);
        let far = 64.0 * width;
        let ln_queued = (queued / (width * width)).ln() - queued / width;
        let ln_queued = ln_queued.max(-queued / far - far.ln() - 3.5);
        Evidence {
            ln: ln_queued + ln_density(error, total),
            scale_slope: delay.scale_slope,
            wide: true,
        }
    }

    /// `measured` + `h`·mean, its variance, and the covariance of each number with it.
    fn project(&self, h: &[f64; SIZE], measured: f64) -> (f64, f64, [f64; SIZE]) {
        let mut gain = [0.0; SIZE];
        for (row, gain) in gain.iter_mut().enumerate() {
            *gain = (0..SIZE)
                .map(|column| self.covariance[row][column] * h[column])
                .sum();
        }
        let dot = |with: &[f64; SIZE]| -> f64 { (0..SIZE).map(|at| h[at] * with[at]).sum() };
        (measured + dot(&self.mean), dot(&gain).max(1e-24), gain)
    }

    /// Gives one number a new mean and variance, independent of the others.
    pub(super) fn reset(&mut self, which: usize, mean: f64, variance: f64) {
        self.mean[which] = mean;
        for other in 0..SIZE {
            self.covariance[which][other] = 0.0;
            self.covariance[other][which] = 0.0;
        }
        self.covariance[which][which] = variance;
    }

    /// The least delay can't be far from half the least round trip: puts it back if it is.
    pub(super) fn hold_delay(&mut self, least_round_trip: f64, width: f64) {
        let half = least_round_trip / 2.0;
        if self.mean[DELAY] > half + 3.0 * width || self.mean[DELAY] < half - 6.0 * width {
            self.reset(DELAY, half - width / 2.0, width * width);
        }
    }

    /// The path changed: the least delays are found anew on its `samples`, with the clock as known.
    pub(super) fn change_route(&mut self, samples: &[Ways], now: f64, width: f64) {
        let (mut forward, mut backward) = (f64::INFINITY, f64::INFINITY);
        for sample in samples {
            let offset = self.mean[OFFSET] - self.mean[FREQUENCY] * (now - sample.at);
            forward = forward.min(sample.forward + offset);
            backward = backward.min(sample.backward - offset);
        }
        if samples.is_empty() {
            return;
        }
        // The least of n excesses is a scale divided by n.
        let error = width / samples.len() as f64;
        let (forward, backward) = (forward - error, backward - error);
        let asymmetry = (forward - backward) / 2.0;
        self.reset(DELAY, (forward + backward) / 2.0, 2.0 * error * error);
        let variance = self.variance(OFFSET) + error * error;
        if (asymmetry - self.mean[ASYMMETRY]).abs() > 3.0 * variance.sqrt() {
            // What is wrong with the clock now is in the asymmetry too.
            self.reset(ASYMMETRY, asymmetry, variance);
            for other in [OFFSET, FREQUENCY] {
                let shared = self.covariance[OFFSET][other];
                self.covariance[ASYMMETRY][other] = shared;
                self.covariance[other][ASYMMETRY] = shared;
            }
        }
    }
}
