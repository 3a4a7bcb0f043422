//! The shapes that the jitter of a network may have, weighed by how well they predict.

use super::excess::Excess;
use super::ladder::{Ladder, Verdict, mixture};
use super::path::{Path, Route};
use super::state::{State, Ways};

/// How round the edges of the three shapes are: a queue's sharp one, a rounded one, and one so round
/// that it is nearly a normal distribution.
const ROUNDNESS: [f64; SHAPES] = [0.0, 0.7, 3.0];
const SHAPES: usize = 3;

/// How much of the evidence is kept from one sample to the next: networks change.
const FORGETTING: f64 = 0.99;
/// A scale is learned from this many measurements at most.
const SCALE_MEMORY: f64 = 300.0;
/// And from this many after the path changed.
const SCALE_MEMORY_AFTER_ROUTE: f64 = 20.0;
/// How far one sample may pull at the scale, in the units of its information.
const SCALE_PULL: f64 = 4.0;
/// Where the offset's deviation is beyond so many widths, it is taken for unknown.
const WIDE: f64 = 4.0;

/// One shape, with what is believed if it is the true one.
#[derive(Clone, Debug)]
struct Shape {
    excess: Excess,
    /// Of how many measurements the scale knows.
    learned_from: f64,
    /// ln of how well it predicted, the older samples counting less.
    evidence: f64,
    ladder: Ladder,
}

/// All shapes.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    shapes: [Shape; SHAPES],
}

impl Bank {
    /// A bank that believes `state`, where packets queue for about `width` seconds.
    pub(super) fn new(state: State, width: f64, precision: f64) -> Self {
        Self {
            shapes: ROUNDNESS.map(|roundness| Shape {
                excess: Excess {
                    scale: width / (1.0 + roundness),
                    roundness,
                    precision,
                },
                learned_from: 5.0,
                evidence: 0.0,
                ladder: Ladder::new(state),
            }),
        }
    }

    /// Takes an exchange in, `elapsed` seconds after the last; gives how well the best shape's best
    /// rung expected it: ln of the density, in units of its scale.
    pub(super) fn observe(&mut self, ways: &Ways, elapsed: f64, path: &Path, route: &Route) -> f64 {
        let best = self.best_index();
        let least = path.least();
        let bounds = path.width_bounds();
        let mut expected = 0.0;
        for (index, shape) in self.shapes.iter_mut().enumerate() {
            let verdict = shape.observe(ways, elapsed, least, route);
            if index == best {
                expected = verdict.best + 2.0 * shape.excess.scale.ln();
            }
            shape.learn(&verdict, bounds, *route != Route::Same);
        }
        expected
    }

    fn best_index(&self) -> usize {
        let evidence = |index: &usize| self.shapes.get(*index).map_or(f64::MIN, |one| one.evidence);
        (0..SHAPES)
            .max_by(|a, b| evidence(a).total_cmp(&evidence(b)))
            .unwrap_or(0)
    }

    /// The shape that predicted best.
    fn best(&self) -> &Shape {
        &self.shapes[self.best_index()]
    }

    /// How wide the queues are.
    pub(super) fn width(&self) -> f64 {
        self.best().excess.width()
    }

    /// What is believed, all shapes together.
    pub(super) fn state(&self) -> State {
        let states = self.shapes.each_ref().map(|shape| shape.ladder.state());
        mixture(&states, &self.weights())
    }

    /// How much the oscillator wanders, (s/s)²/s.
    pub(super) fn wander(&self) -> f64 {
        let weights = self.weights();
        self.shapes
            .iter()
            .zip(weights)
            .map(|(shape, weight)| weight * shape.ladder.wander())
            .sum()
    }

    /// The variance of the offset after `elapsed` seconds without a sample.
    pub(super) fn predicted_variance(&self, elapsed: f64, least_wander: f64) -> f64 {
        self.best().ladder.predicted_offset(elapsed, least_wander).1
    }

    fn weights(&self) -> [f64; SHAPES] {
        let greatest = self.best().evidence;
        let weights = self
            .shapes
            .each_ref()
            .map(|shape| (shape.evidence - greatest).exp());
        let total: f64 = weights.iter().sum();
        weights.map(|weight| weight / total)
    }

    /// ln of how well all that came was expected.
    pub(super) fn evidence(&self) -> f64 {
        self.best().evidence
    }

    /// Changes every state.
    pub(super) fn each(&mut self, mut change: impl FnMut(&mut State)) {
        for shape in &mut self.shapes {
            shape.ladder.each(&mut change);
        }
    }
}

impl Shape {
    fn observe(&mut self, ways: &Ways, elapsed: f64, least: f64, route: &Route) -> Verdict {
        let width = self.excess.width();
        self.ladder
            .observe(ways, elapsed, &self.excess, WIDE, |state| {
                if let Route::Longer(samples) | Route::Shorter(samples) = route {
                    state.change_route(samples, ways.at, width);
                }
                state.hold_delay(least, width);
            })
    }

    /// Learns the scale (recursive maximum likelihood: an exponential measurement has information 1
    /// on the logarithm of its scale), and how well the shape fits.
    fn learn(&mut self, verdict: &Verdict, (low, high): (f64, f64), rerouted: bool) {
        if !verdict.wide {
            self.evidence = FORGETTING * self.evidence + verdict.ln;
        }
        self.learned_from = (self.learned_from + 2.0).min(SCALE_MEMORY);
        if rerouted {
            self.learned_from = self.learned_from.min(SCALE_MEMORY_AFTER_ROUTE);
        }
        let pull = verdict.scale_slope.clamp(-SCALE_PULL, SCALE_PULL) / self.learned_from;
        let width = (self.excess.width() * pull.exp()).clamp(low, high);
        let scale = width / (1.0 + self.excess.roundness);
        self.excess.scale = scale.max(self.excess.precision);
    }
}
