//! The normal distribution, also far out in its tails.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

/// Below this the distribution function is taken from its continued fraction: there the
/// complementary error function begins to lose digits to underflow.
const FAR: f64 = -25.0;

/// ln Φ(k), and φ(k)/Φ(k), which is its derivative.
pub(super) fn lower_tail(k: f64) -> (f64, f64) {
    let ln_density = -0.5 * k * k - 0.5 * (2.0 * PI).ln();
    if k > FAR {
        let ln = (0.5 * libm::erfc(-k * FRAC_1_SQRT_2)).ln();
        return (ln, (ln_density - ln).exp());
    }
    // φ/Φ = t + 1/(t + 2/(t + 3/(t + …))) with t = −k (Abramowitz and Stegun 26.2.14). So far out
    // a few terms are exact.
    let t = -k;
    let ratio = (1..=8).rev().fold(t, |inner, n| t + f64::from(n) / inner);
    (ln_density - ratio.ln(), ratio)
}

/// ln of the density of N(0, `variance`) at `x`.
pub(super) fn ln_density(x: f64, variance: f64) -> f64 {
    -0.5 * (x * x / variance + (2.0 * PI * variance).ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_half() {
        let (ln, ratio) = lower_tail(0.0);
        assert!((ln - 0.5_f64.ln()).abs() < 1e-15);
        // φ(0)/Φ(0) = √(2/π).
        assert!((ratio - (2.0 / PI).sqrt()).abs() < 1e-15);
    }

    #[test]
    fn known_tails() {
        // Φ(−10) = 7.619853024160527e-24, Φ(−30) = 4.906713927148187e-198.
        assert!((lower_tail(-10.0).0 - 7.619_853_024_160_527e-24_f64.ln()).abs() < 1e-12);
        assert!((lower_tail(-30.0).0 - 4.906_713_927_148_187e-198_f64.ln()).abs() < 1e-11);
        assert_eq!(lower_tail(40.0).0, 0.0);
    }

    #[test]
    fn the_two_ways_meet() {
        let (above, ratio_above) = lower_tail(FAR + 1e-9);
        let (below, ratio_below) = lower_tail(FAR - 1e-9);
        assert!((above - below).abs() < 1e-6);
        assert!((ratio_above - ratio_below).abs() < 1e-7);
    }

    #[test]
    fn the_ratio_is_the_derivative() {
        for k in [-60.0, -24.0, -3.0, -0.5, 0.7, 4.0] {
            let step = 1e-5;
            let slope = (lower_tail(k + step).0 - lower_tail(k - step).0) / (2.0 * step);
            let ratio = lower_tail(k).1;
            assert!(
                (slope - ratio).abs() < 1e-6 * (1.0 + ratio),
                "{k}: {slope} {ratio}"
            );
        }
    }
}
