//! What a clock runs on: a crystal whose frequency is wrong, and not constant.

use core::time::Duration as Elapsed;

use ntp_wire::{Monotonic, Ppm};
use rand::{SeedableRng, rngs::ChaCha12Rng};

use crate::{Window, random::normal};

/// One part of an oscillator's frequency error; the parts add up.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Drift {
    /// Always the same; in a repeated [`Window`] a square wave.
    Fixed(Ppm),
    /// A random walk: each second a normal number of this standard deviation is added, for good.
    Wander(Ppm),
    /// A sine wave, as of a temperature that goes up and down.
    Sine {
        /// From the middle to the top.
        amplitude: Ppm,
        /// From top to top.
        period: Elapsed,
    },
    /// From the beginning of its window on slowly to a new value, as after a change of
    /// temperature: 63 % of the way after the time constant.
    Settling {
        /// How far in the end.
        change: Ppm,
        /// The time constant.
        within: Elapsed,
    },
}

/// An oscillator: the sum of its [`Drift`]s, each in its window, anew every second.
#[derive(Debug)]
pub(crate) struct Oscillator {
    drifts: Vec<(Window, Drift)>,
    /// Where the random walk is, in ppm.
    walk: f64,
    random: ChaCha12Rng,
}

impl Oscillator {
    pub(crate) fn new(drifts: Vec<(Window, Drift)>, seed: [u8; 32]) -> Self {
        Self {
            drifts,
            walk: 0.0,
            random: ChaCha12Rng::from_seed(seed),
        }
    }

    /// Whether it never changes.
    pub(crate) fn is_constant(&self) -> bool {
        self.drifts
            .iter()
            .all(|(window, drift)| *window == Window::ALWAYS && matches!(drift, Drift::Fixed(_)))
    }

    /// The frequency error for the second that begins at `at`; to be asked once for each.
    pub(crate) fn next(&mut self, at: Monotonic) -> Ppm {
        let mut sum = 0.0;
        for (window, drift) in &self.drifts {
            let now = window.contains(at);
            let age = at.since(Monotonic::START + window.start()).as_secs_f64();
            match drift {
                Drift::Fixed(error) if now => sum += error.value(),
                Drift::Wander(deviation) => {
                    let step = deviation.value() * normal(&mut self.random);
                    if now {
                        self.walk += step;
                    }
                }
                Drift::Sine { amplitude, period } if now && !period.is_zero() => {
                    let phase = age / period.as_secs_f64();
                    sum += amplitude.value() * (core::f64::consts::TAU * phase.fract()).sin();
                }
                Drift::Settling { change, within } if now => {
                    let left = if within.is_zero() {
                        0.0
                    } else {
                        (-age / within.as_secs_f64()).exp()
                    };
                    sum += change.value() * (1.0 - left);
                }
                Drift::Fixed(_) | Drift::Sine { .. } | Drift::Settling { .. } => {}
            }
        }
        Ppm::new(sum + self.walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequencies(drift: Drift, window: Window, seconds: u64) -> Vec<f64> {
        let mut oscillator = Oscillator::new(vec![(window, drift)], [3; 32]);
        (0..seconds)
            .map(|second| {
                let at = Monotonic::START + Elapsed::from_secs(second);
                oscillator.next(at).value()
            })
            .collect()
    }

    #[test]
    fn a_walk_goes_as_the_root_of_time() {
        let walked = frequencies(Drift::Wander(Ppm::new(1e-3)), Window::ALWAYS, 100_000);
        let steps: f64 = walked.windows(2).map(|two| (two[1] - two[0]).powi(2)).sum();
        assert!(((steps / 99_999.0).sqrt() / 1e-3 - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_sine_a_square_wave_and_a_slow_step() {
        let period = Elapsed::from_secs(400);
        let sine = Drift::Sine {
            amplitude: Ppm::new(2.0),
            period,
        };
        let sine = frequencies(sine, Window::ALWAYS, 401);
        assert!((sine[100] - 2.0).abs() < 1e-9 && (sine[300] + 2.0).abs() < 1e-9);

        let half = Window::ALWAYS.repeated(Elapsed::from_secs(10), Elapsed::from_secs(20));
        let square = frequencies(Drift::Fixed(Ppm::new(1.0)), half, 40);
        assert_eq!(&square[8..12], [1.0, 1.0, 0.0, 0.0]);

        let step = Drift::Settling {
            change: Ppm::new(1.0),
            within: Elapsed::from_secs(10),
        };
        let later = Window::ALWAYS.starting(Elapsed::from_secs(5));
        let step = frequencies(step, later, 200);
        assert_eq!(step[4], 0.0);
        assert!((step[15] - (1.0 - (-1f64).exp())).abs() < 1e-9 && step[199] > 0.999);
    }
}
