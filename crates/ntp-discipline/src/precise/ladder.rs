//! How much the oscillator wanders: one state for each of several guesses, weighed by how well it
//! predicts (interacting multiple models).

use super::excess::Excess;
use super::state::{Evidence, FREQUENCY, OFFSET, State, Ways};

/// The rungs: the variance of the frequency grows by this each second, (s/s)²/s. From a rubidium
/// oscillator to a board that is being warmed up.
pub(super) const WANDER: [f64; RUNGS] = [1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17, 1e-16, 1e-15];
const RUNGS: usize = 8;

/// The probability, per sample, of leaving for the next rung. A guess must be able to change within
/// a few samples, but each leak from a high rung acts as wander on the low one.
const NEIGHBOUR: f64 = 0.005;
/// The same for all other rungs together.
const ANY: f64 = 1e-5;
/// No rung is ever impossible.
const LEAST_WEIGHT: f64 = 1e-30;
/// Before any sample the common computer's oscillator is the likeliest (10^−18.5); the
/// probability falls by a factor of two for each decade.
const USUAL: f64 = -18.5;
const PREFERENCE: f64 = 0.7;

/// The states on all rungs.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    states: [State; RUNGS],
    weights: [f64; RUNGS],
    transitions: [[f64; RUNGS]; RUNGS],
}

/// What an observation said of all rungs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    /// ln of how likely it was, all told.
    pub(super) ln: f64,
    /// ln of how likely the rung held it that liked it best.
    pub(super) best: f64,
    /// The derivative in the logarithm of the scale.
    pub(super) scale_slope: f64,
    /// Whether the offset was too uncertain for the shape of the excess to show.
    pub(super) wide: bool,
}

impl Ladder {
    pub(super) fn new(state: State) -> Self {
        let mut weights = WANDER.map(preference);
        normalise(&mut weights);
        Self {
            states: [state; RUNGS],
            weights,
            transitions: transitions(),
        }
    }

    /// Lets `elapsed` seconds pass, during which the wander may have changed, and applies `before`
    /// to each state; then takes an exchange in.
    pub(super) fn observe(
        &mut self,
        ways: &Ways,
        elapsed: f64,
        excess: &Excess,
        wide_from: f64,
        mut before: impl FnMut(&mut State),
    ) -> Verdict {
        self.mix();
        let mut evidence = [Evidence {
            ln: 0.0,
            scale_slope: 0.0,
            wide: false,
        }; RUNGS];
        for ((state, wander), evidence) in self.states.iter_mut().zip(WANDER).zip(&mut evidence) {
            state.propagate(elapsed, wander, excess.scale);
            before(state);
            *evidence = state.observe(ways, excess, wide_from);
        }
        let best = evidence
            .iter()
            .map(|one| one.ln)
            .fold(f64::NEG_INFINITY, f64::max);
        for (weight, evidence) in self.weights.iter_mut().zip(&evidence) {
            *weight *= (evidence.ln - best).exp();
        }
        let total = normalise(&mut self.weights);
        Verdict {
            ln: best + total.ln(),
            best,
            scale_slope: self
                .weights
                .iter()
                .zip(&evidence)
                .map(|(weight, evidence)| weight * evidence.scale_slope)
                .sum(),
            wide: evidence.iter().all(|one| one.wide),
        }
    }

    /// The chance that the wander changed since the last sample: each rung's state becomes the
    /// mixture of those that may have led to it.
    fn mix(&mut self) {
        let (states, weights) = (self.states, self.weights);
        for to in 0..RUNGS {
            let from: [f64; RUNGS] =
                core::array::from_fn(|from| weights[from] * self.transitions[from][to]);
            let total: f64 = from.iter().sum();
            self.weights[to] = total.max(LEAST_WEIGHT);
            self.states[to] = mixture(&states, &from.map(|weight| weight / total));
        }
    }

    /// Changes every state.
    pub(super) fn each(&mut self, change: impl FnMut(&mut State)) {
        self.states.iter_mut().for_each(change);
    }

    /// The mean state.
    pub(super) fn state(&self) -> State {
        mixture(&self.states, &self.weights)
    }

    /// The mean wander, (s/s)²/s.
    pub(super) fn wander(&self) -> f64 {
        self.weights
            .iter()
            .zip(WANDER)
            .map(|(weight, wander)| weight * wander)
            .sum()
    }

    /// Mean and variance of the offset after `elapsed` seconds without a sample.
    pub(super) fn predicted_offset(&self, elapsed: f64, least_wander: f64) -> (f64, f64) {
        let each =
            || {
                self.weights.iter().zip(&self.states).zip(WANDER).map(
                    |((weight, state), wander)| {
                        (
                            *weight,
                            state.predicted_offset(elapsed, wander.max(least_wander)),
                        )
                    },
                )
            };
        let mean: f64 = each().map(|(weight, (mean, _))| weight * mean).sum();
        let variance = each()
            .map(|(weight, (one, variance))| weight * (variance + (one - mean) * (one - mean)))
            .sum();
        (mean, variance)
    }
}

/// The mean and covariance of several states of these weights, which add up to 1.
pub(super) fn mixture<'a>(
    states: impl IntoIterator<Item = &'a State> + Clone,
    weights: &[f64],
) -> State {
    let mut mixed = State::independent([0.0; 4], [0.0; 4]);
    for (state, weight) in states.clone().into_iter().zip(weights) {
        for (mean, one) in mixed.mean.iter_mut().zip(state.mean) {
            *mean += weight * one;
        }
    }
    for (state, weight) in states.into_iter().zip(weights) {
        let apart: [f64; 4] = core::array::from_fn(|at| state.mean[at] - mixed.mean[at]);
        for row in 0..4 {
            for column in 0..4 {
                mixed.covariance[row][column] +=
                    weight * (state.covariance[row][column] + apart[row] * apart[column]);
            }
        }
    }
    mixed
}

fn preference(wander: f64) -> f64 {
    (-PREFERENCE * (wander.log10() - USUAL).abs()).exp()
}

/// A walk between neighbours whose stationary law is the preference (Metropolis).
fn transitions() -> [[f64; RUNGS]; RUNGS] {
    let mut all = [[ANY / RUNGS as f64; RUNGS]; RUNGS];
    for from in 0..RUNGS {
        let mut stay = 1.0 - ANY;
        for to in [from.checked_sub(1), (from + 1 < RUNGS).then_some(from + 1)]
            .into_iter()
            .flatten()
        {
            let step =
                0.5 * NEIGHBOUR * (preference(WANDER[to]) / preference(WANDER[from])).min(1.0);
            all[from][to] += step;
            stay -= step;
        }
        all[from][from] += stay;
    }
    all
}

/// Makes weights add up to 1; gives what they added up to.
fn normalise(weights: &mut [f64]) -> f64 {
    let total: f64 = weights.iter().sum();
    for weight in weights {
        *weight = (*weight / total).max(LEAST_WEIGHT);
    }
    total
}

impl State {
    /// Moves the oscillator's offset by `by`, known exactly.
    pub(super) fn shift(&mut self, by: f64) {
        self.mean[OFFSET] += by;
    }

    /// The offset jumped by about `by`, the frequency perhaps by `rate`.
    pub(super) fn loosen(&mut self, by: f64, rate: f64) {
        self.covariance[OFFSET][OFFSET] += by * by;
        self.covariance[FREQUENCY][FREQUENCY] += rate * rate;
    }
}
