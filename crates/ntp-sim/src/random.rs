//! Numbers of the distributions that networks and oscillators have.

use rand::{Rng, RngExt};

/// The most that an exponential number can be, in means: e⁻⁴⁰ is rarer than any run is long.
const LONGEST: f64 = 40.0;

/// Exponential, of mean 1.
pub(crate) fn exponential(random: &mut impl Rng) -> f64 {
    (-(1.0 - random.random::<f64>()).ln()).clamp(0.0, LONGEST)
}

/// Normal, of mean 0 and standard deviation 1 (Box and Muller).
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).max(0.0).sqrt();
    radius * (core::f64::consts::TAU * random.random::<f64>()).cos()
}

/// Log-normal, of mean 1; `sigma` is the standard deviation of its logarithm.
pub(crate) fn log_normal(sigma: f64, random: &mut impl Rng) -> f64 {
    (sigma * normal(random) - sigma * sigma / 2.0).exp()
}

/// Gamma, of mean 1 (Marsaglia and Tsang).
pub(crate) fn gamma(shape: f64, random: &mut impl Rng) -> f64 {
    if !(shape > 0.0 && shape.is_finite()) {
        return 1.0;
    }
    // Below 1 by the one of a shape that is greater by 1.
    let (shape_used, factor) = if shape < 1.0 {
        (
            shape + 1.0,
            (1.0 - random.random::<f64>()).powf(shape.recip()),
        )
    } else {
        (shape, 1.0)
    };
    let d = shape_used - 1.0 / 3.0;
    let c = (9.0 * d).sqrt().recip();
    // Each try succeeds with more than 95 %.
    for _ in 0..64 {
        let x = normal(random);
        let v = (1.0 + c * x).powi(3);
        let u: f64 = 1.0 - random.random::<f64>();
        if v > 0.0 && u.ln() < x * x / 2.0 + d - d * v + d * v.ln() {
            return factor * d * v / shape;
        }
    }
    1.0
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::ChaCha12Rng};

    use super::*;

    /// Mean and standard deviation of 40000 draws.
    fn moments(mut draw: impl FnMut(&mut ChaCha12Rng) -> f64) -> (f64, f64) {
        let mut random = ChaCha12Rng::from_seed([9; 32]);
        let drawn: Vec<f64> = (0..40_000).map(|_| draw(&mut random)).collect();
        let mean = drawn.iter().sum::<f64>() / 4e4;
        let square = drawn.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / 4e4;
        (mean, square.sqrt())
    }

    fn near((mean, deviation): (f64, f64), expected: (f64, f64)) {
        assert!((mean - expected.0).abs() < 0.02, "{mean} {expected:?}");
        assert!(
            (deviation - expected.1).abs() < 0.04,
            "{deviation} {expected:?}"
        );
    }

    #[test]
    fn each_has_its_mean_and_deviation() {
        near(moments(exponential), (1.0, 1.0));
        near(moments(normal), (0.0, 1.0));
        near(moments(|random| gamma(4.0, random)), (1.0, 0.5));
        near(moments(|random| gamma(0.5, random)), (1.0, 2f64.sqrt()));
        let spread = (0.25f64.exp() - 1.0).sqrt();
        near(moments(|random| log_normal(0.5, random)), (1.0, spread));
    }
}
