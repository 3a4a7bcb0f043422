//! One source, and what it says of the oscillator beneath our clock.

use super::bank::Bank;
use super::pace::Pace;
use super::path::{Path, Route};
use super::state::{FREQUENCY, State, Ways};

/// The first samples are kept, and all are weighed anew with each that comes: what the first one
/// was taken for should not matter later.
const START: usize = 12;
/// From this sample on, what can't be is not believed at once.
const GUARDED_FROM: usize = START + 4;
/// A sample less likely than e to this power, by the best of all guesses, can't be.
const IMPOSSIBLE: f64 = -30.0;

/// What is known of the frequency before the first sample.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct FrequencyPrior {
    /// s/s.
    pub(crate) mean: f64,
    /// Its standard deviation.
    pub(crate) deviation: f64,
    /// ln of how much likelier than the others it is.
    pub(crate) ln_weight: f64,
}

/// Offset and frequency of the oscillator against one source.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    priors: Vec<FrequencyPrior>,
    precision: f64,
    start: Vec<Ways>,
    count: usize,
    last: f64,
    since_last: f64,
    belief: Option<Belief>,
    suspicion: u32,
    pace: Pace,
}

#[derive(Clone, Debug)]
struct Belief {
    bank: Bank,
    path: Path,
    /// When the bank last learned something.
    at: f64,
    state: State,
}

/// Offset and frequency, as one source shows them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Prediction {
    /// Oscillator minus true time, s.
    pub(crate) offset: f64,
    pub(crate) offset_variance: f64,
    /// How fast it grows, s/s.
    pub(crate) frequency: f64,
    pub(crate) frequency_variance: f64,
    /// How fast the frequency's variance grows, (s/s)²/s.
    pub(crate) wander: f64,
}

impl Track {
    /// A track that knows nothing but what the `priors` say: the likelier one is kept.
    pub(crate) fn new(priors: Vec<FrequencyPrior>, precision: f64) -> Self {
        Self {
            priors,
            precision,
            start: Vec::new(),
            count: 0,
            last: 0.0,
            since_last: 0.0,
            belief: None,
            suspicion: 0,
            pace: Pace::new(),
        }
    }

    /// How many exchanges were taken in.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Takes an exchange in.
    pub(crate) fn update(&mut self, ways: Ways) {
        self.count += 1;
        self.since_last = ways.at - self.last;
        self.last = ways.at;
        if self.start.len() < START {
            self.start.push(ways);
            self.begin();
        } else if let Some(belief) = &mut self.belief {
            if self.count <= GUARDED_FROM {
                belief.step(&ways, self.precision);
            } else {
                guarded(belief, &mut self.suspicion, &ways, self.precision);
            }
        }
    }

    /// How often to ask, after the newest exchange: each 2ⁿ s, with n within these bounds.
    pub(crate) fn pace(&mut self, least: i8, most: i8) -> i8 {
        match &self.belief {
            Some(belief) => self.pace.note(&belief.bank, self.since_last, least, most),
            None => least,
        }
    }

    /// Weighs all samples of the start, each prior for itself.
    fn begin(&mut self) {
        let tried = self.priors.iter().filter_map(|prior| {
            let belief = self.replay(prior)?;
            Some((belief.bank.evidence() + prior.ln_weight, belief))
        });
        let best = tried.max_by(|(a, _), (b, _)| a.total_cmp(b));
        self.belief = best.map(|(_, belief)| belief);
    }

    fn replay(&self, prior: &FrequencyPrior) -> Option<Belief> {
        let first = self.start.first()?;
        let count = self.start.len() as f64;
        let least = self
            .start
            .iter()
            .map(Ways::round_trip)
            .fold(f64::INFINITY, f64::min);
        // The offset to begin with is that of the sample that bounds it best: by its round trip, and
        // by how far the oscillator may have drifted since the first.
        let drift = |ways: &Ways| prior.deviation * (ways.at - first.at);
        let bound = |ways: &Ways| ways.round_trip() / 2.0 + drift(ways);
        let best = self
            .start
            .iter()
            .min_by(|a, b| bound(a).total_cmp(&bound(b)))?;
        let mean = self.start.iter().map(Ways::round_trip).sum::<f64>() / count;
        // A first guess of the queues: an eighth of the path, with the weight of one sample. The
        // least of n round trips is expected 1.25/√n scales above the true least.
        let width = 1.3
            * ((mean - least) / (2.0 - 1.25 / count.sqrt()) * (count - 1.0) + 0.125 * least)
            / count;
        let width = width.max(self.precision);
        let offset = best.offset() - prior.mean * (best.at - first.at);
        let state = State::independent(
            [
                offset,
                prior.mean,
                (least / 2.0 - width).max(0.1 * least),
                0.0,
            ],
            [
                4.0 * width * width + least * least / 16.0 + drift(best) * drift(best),
                prior.deviation * prior.deviation,
                4.0 * width * width,
                0.0,
            ],
        );
        let mut belief = Belief {
            bank: Bank::new(state, width, self.precision),
            path: Path::new(width),
            at: first.at,
            state,
        };
        for ways in &self.start {
            belief.step(ways, self.precision);
        }
        Some(belief)
    }

    /// What it says of the time `at`.
    pub(crate) fn predict(&self, at: f64) -> Option<Prediction> {
        let belief = self.belief.as_ref()?;
        let elapsed = at - belief.at;
        let state = &belief.state;
        let wander = belief.bank.wander();
        let (offset, offset_variance) = state.predicted_offset(elapsed, wander);
        Some(Prediction {
            offset,
            offset_variance,
            frequency: state.mean[FREQUENCY],
            frequency_variance: state.variance(FREQUENCY) + wander * elapsed.max(0.0),
            wander,
        })
    }

    /// The clock was set by about `by` seconds, or true time went on without it.
    pub(crate) fn unsettle(&mut self, by: f64) {
        // What was measured before can't be weighed with what comes.
        if self.start.len() < START {
            self.start.clear();
            self.count = 0;
        }
        if let Some(belief) = &mut self.belief {
            belief.bank.each(|state| state.loosen(by, 0.0));
            belief.state = belief.bank.state();
            belief.path.forget_recent();
        }
    }

    /// The clock was stepped by `by` seconds.
    pub(crate) fn step(&mut self, by: f64) {
        for ways in &mut self.start {
            *ways = ways.stepped(by);
        }
        if let Some(belief) = &mut self.belief {
            belief.bank.each(|state| state.shift(by));
            belief.path.step(by);
            belief.state.shift(by);
        }
    }
}

/// One sample that can't be is dropped; when they persist, the clock has jumped, or the path has
/// become shorter than it ever was.
fn guarded(belief: &mut Belief, suspicion: &mut u32, ways: &Ways, precision: f64) {
    let before = belief.clone();
    let (expected, route) = belief.step(ways, precision);
    let shorter = matches!(route, Route::Shorter(_));
    if expected >= IMPOSSIBLE && !shorter {
        *suspicion = suspicion.saturating_sub(3);
        return;
    }
    *suspicion = (*suspicion + 4).min(16);
    // A shorter path needs three witnesses, a jump two.
    let enough = if shorter { 10 } else { 6 };
    let recent = belief.path.clone();
    if *suspicion < enough {
        *belief = before;
        belief.path.remember(&recent);
        return;
    }
    *suspicion = 0;
    if shorter {
        return;
    }
    let elapsed = ways.at - before.at;
    let jump = ways.offset() - before.state.predicted_offset(elapsed, 0.0).0;
    *belief = before;
    belief
        .bank
        .each(|state| state.loosen(jump, (jump / elapsed.max(1.0)).abs().min(1e-5)));
    belief.step(ways, precision);
}

impl Belief {
    fn step(&mut self, ways: &Ways, precision: f64) -> (f64, Route) {
        let route = self.path.note(ways, self.bank.width(), precision);
        if route == Route::Undecided {
            return (0.0, route);
        }
        let expected = self
            .bank
            .observe(ways, ways.at - self.at, &self.path, &route);
        self.at = ways.at;
        self.state = self.bank.state();
        (expected, route)
    }
}
