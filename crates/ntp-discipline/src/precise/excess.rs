//! How likely a packet's delay beyond the least one is: queues only ever add.

use super::normal::lower_tail;

/// Weight and scale of the exponential tails that are mixed: most packets wait for a usual time,
/// some in a queue that is several times longer. A tail that a packet in a thousand may be in costs
/// nothing while there are none, and keeps one late packet from moving the clock.
const TAILS: [(f64, f64); 3] = [(0.90, 1.0), (0.07, 8.0), (0.03, 64.0)];

/// The distribution of one direction's excess delay: exponential with an edge that is not sharp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excess {
    /// The mean of the usual excess, λ, in seconds.
    pub(super) scale: f64,
    /// The standard deviation of the edge in units of the scale, ρ: 0 is a sharp one.
    pub(super) roundness: f64,
    /// What reading the clocks adds to the edge: a standard deviation in seconds.
    pub(super) precision: f64,
}

/// The density of an excess, as a function of where it is thought to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Likelihood {
    /// Its logarithm, ln Z.
    pub(super) ln: f64,
    /// d ln Z / dv.
    pub(super) slope: f64,
    /// d² ln Z / dv².
    pub(super) curvature: f64,
    /// d ln Z / d ln λ.
    pub(super) scale_slope: f64,
}

impl Excess {
    /// The variance of the edge.
    pub(super) fn edge(&self) -> f64 {
        let rounding = self.roundness * self.scale;
        rounding * rounding + self.precision * self.precision
    }

    /// How wide the whole distribution is, edge included: λ(1 + ρ).
    pub(super) fn width(&self) -> f64 {
        self.scale * (1.0 + self.roundness)
    }

    /// The likelihood of an excess that is predicted to be `v`, with a normal error of `variance`.
    ///
    /// The convolution of an exponential and a normal distribution, and its exact derivatives:
    /// docs/ derive them under "One direction".
    pub(super) fn likelihood(&self, v: f64, variance: f64) -> Likelihood {
        let spread = variance + self.edge();
        let deviation = spread.sqrt();
        let rounding = self.roundness * self.scale;
        let parts = TAILS.map(|(weight, stretch)| {
            let scale = self.scale * stretch;
            let k = v / deviation - deviation / scale;
            let (ln_cdf, ratio) = lower_tail(k);
            let slope = -1.0 / scale + ratio / deviation;
            let curvature = -ratio * (k + ratio) / spread;
            Likelihood {
                ln: (weight / scale).ln() + spread / (2.0 * scale * scale) - v / scale + ln_cdf,
                slope,
                curvature,
                // The scale stretches the tail and, by ρ, the edge; a normal law's derivative in
                // its variance is half of the second one in its argument.
                scale_slope: -1.0 - spread / (scale * scale)
                    + v / scale
                    + ratio * deviation / scale
                    + rounding * rounding * (curvature + slope * slope),
            }
        });
        mixed(&parts)
    }
}

/// The likelihood of a sum of densities.
fn mixed(parts: &[Likelihood]) -> Likelihood {
    let greatest = parts
        .iter()
        .map(|part| part.ln)
        .fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    let (mut slope, mut second, mut scale_slope) = (0.0, 0.0, 0.0);
    for part in parts {
        let weight = (part.ln - greatest).exp();
        total += weight;
        slope += weight * part.slope;
        second += weight * (part.curvature + part.slope * part.slope);
        scale_slope += weight * part.scale_slope;
    }
    let slope = slope / total;
    Likelihood {
        ln: greatest + total.ln(),
        slope,
        curvature: second / total - slope * slope,
        scale_slope: scale_slope / total,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn excess(scale: f64, roundness: f64) -> Excess {
        Excess {
            scale,
            roundness,
            precision: 1e-9,
        }
    }

    /// The integral over all excesses, by steps of a hundredth of the edge and the tail.
    fn integral(excess: &Excess, variance: f64) -> f64 {
        let deviation = (variance + excess.edge()).sqrt();
        let step = deviation.min(excess.scale) / 50.0;
        let mut at = -10.0 * deviation;
        let mut sum = 0.0;
        while at < 64.0 * 30.0 * excess.scale {
            let step = if at > 20.0 * excess.width() + 10.0 * deviation {
                20.0 * step
            } else {
                step
            };
            sum += excess.likelihood(at + step / 2.0, variance).ln.exp() * step;
            at += step;
        }
        sum
    }

    #[test]
    fn it_is_a_density() {
        for roundness in [0.0, 0.7, 3.0] {
            for variance in [1e-12, 1e-9, 1e-7] {
                let sum = integral(&excess(1e-4, roundness), variance);
                assert!((sum - 1.0).abs() < 1e-3, "{roundness} {variance}: {sum}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_derivatives_are_those_of_the_logarithm(
            v in -3e-4..3e-3, roundness in 0.0..3.0, sd in 1e-6..1e-3,
        ) {
            let excess = excess(1e-4, roundness);
            let variance = sd * sd;
            let at = |v| excess.likelihood(v, variance);
            let here = at(v);
            let step = 1e-4 * (variance + excess.edge()).sqrt();
            let slope = (at(v + step).ln - at(v - step).ln) / (2.0 * step);
            prop_assert!((slope - here.slope).abs() < 1e-4 * (here.slope.abs() + 1e4), "{slope} {here:?}");
            let curvature = (at(v + step).slope - at(v - step).slope) / (2.0 * step);
            prop_assert!((curvature - here.curvature).abs() < 1e-3 * (here.curvature.abs() + 1e8));
            let scaled = |by: f64| {
                Excess { scale: excess.scale * by, ..excess }.likelihood(v, variance).ln
            };
            let slope = (scaled(1.0 + 1e-5) - scaled(1.0 - 1e-5)) / 2e-5;
            prop_assert!((slope - here.scale_slope).abs() < 1e-3 * (here.scale_slope.abs() + 1.0), "{slope} {here:?}");
        }

        #[test]
        fn nothing_is_infinite(v in -10.0..10.0, sd in 1e-9..1e3, scale in 1e-9..1.0) {
            let found = excess(scale, 0.0).likelihood(v, sd * sd);
            for value in [found.ln, found.slope, found.curvature, found.scale_slope] {
                prop_assert!(value.is_finite(), "{found:?}");
            }
        }
    }
}
