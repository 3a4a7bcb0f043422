//! The round trips of a source: how long the path is, and whether it changed.

use std::collections::VecDeque;

use super::state::Ways;

/// How many round trips are remembered.
const REMEMBERED: usize = 64;
/// How many samples tell a new, longer path from congestion.
const WITNESSES: usize = 12;
/// How far the width may be from what the round trips show.
const RAIL: f64 = 2.0;
/// And from what the very first ones showed.
const FIRST_RAIL: f64 = 4.0;
/// How many raise the suspicion.
const SUSPICIOUS: usize = 4;

/// The last round trips of a source.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// The width of the queues as the first samples showed it.
    first_width: f64,
    /// The newest last.
    round_trips: VecDeque<f64>,
    /// The newest last; no more than the witnesses.
    recent: VecDeque<Ways>,
}

/// What a sample says of the path.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Route {
    /// Nothing new.
    Same,
    /// It may have become longer: no conclusion from this sample yet.
    Undecided,
    /// It has become longer, as these samples show.
    Longer(Vec<Ways>),
    /// It has become shorter, as these samples show.
    Shorter(Vec<Ways>),
}

impl Path {
    /// A path of which nothing is known but how wide its queues seem to be.
    pub(super) fn new(first_width: f64) -> Self {
        Self {
            first_width,
            round_trips: VecDeque::new(),
            recent: VecDeque::new(),
        }
    }

    /// Takes note of a sample, where queues are usually as long as `width`.
    pub(super) fn note(&mut self, ways: &Ways, width: f64, precision: f64) -> Route {
        self.round_trips.push_back(ways.round_trip());
        if self.round_trips.len() > REMEMBERED {
            self.round_trips.pop_front();
        }
        self.recent.push_back(*ways);
        if self.recent.len() > WITNESSES {
            self.recent.pop_front();
        }
        let route = self.judge(ways, width, precision);
        // What belongs to the old path says nothing of the new one.
        match &route {
            Route::Same | Route::Undecided => {}
            Route::Longer(samples) => self.keep(samples.len()),
            Route::Shorter(_) => self.keep(1),
        }
        route
    }

    fn judge(&self, ways: &Ways, width: f64, precision: f64) -> Route {
        let count = self.round_trips.len();
        let before = |newest: usize| {
            let old = self.round_trips.iter().take(count - newest);
            old.copied().fold(f64::INFINITY, f64::min)
        };
        if count >= WITNESSES + 4 {
            let least = before(1);
            if ways.round_trip() < least - 2.0 * width - 10.0 * precision {
                let below = |one: &&Ways| one.round_trip() < least - width;
                return Route::Shorter(self.recent.iter().filter(below).copied().collect());
            }
        }
        if count < 2 * WITNESSES + 4 {
            return Route::Same;
        }
        let least = before(WITNESSES);
        // Moved, but not wider than it was: a route. Moved and wider: a queue.
        let moved = |newest: usize, clearance: f64| {
            let newest = self.round_trips.iter().skip(count - newest);
            let mean = newest.clone().sum::<f64>() / newest.len() as f64;
            let new_least = newest.copied().fold(f64::INFINITY, f64::min);
            let (rise, spread) = (new_least - least, mean - new_least);
            rise > clearance * spread && rise > 3.0 * width && spread < 4.0 * width
        };
        if moved(WITNESSES, 3.0) {
            Route::Longer(self.recent.iter().copied().collect())
        } else if moved(SUSPICIOUS, 2.0) {
            Route::Undecided
        } else {
            Route::Same
        }
    }

    fn keep(&mut self, newest: usize) {
        let surplus = self.round_trips.len().saturating_sub(newest);
        self.round_trips.drain(..surplus);
    }

    /// Takes over the newest samples, which were not believed, as witnesses of a change.
    pub(super) fn remember(&mut self, other: &Self) {
        self.recent.clone_from(&other.recent);
    }

    /// The shortest of the round trips.
    pub(super) fn least(&self) -> f64 {
        self.round_trips
            .iter()
            .copied()
            .fold(f64::INFINITY, f64::min)
    }

    /// Between which bounds the width of the queues is, as the lower third of the last round trips
    /// shows it, which late packets can't move.
    pub(super) fn width_bounds(&self) -> (f64, f64) {
        let mut newest: Vec<f64> = self.round_trips.iter().rev().take(32).copied().collect();
        newest.sort_by(f64::total_cmp);
        let count = newest.len();
        // A third of a gamma distribution of shape 2 lies below 1.188 scales; the least of n such
        // values is expected 1.25/√n above zero.
        let width = match (newest.first(), newest.get(count / 3)) {
            (Some(least), Some(third)) if count >= 12 && third > least => {
                (third - least) / (1.188 - 1.25 / (count as f64).sqrt())
            }
            _ => return (self.first_width / FIRST_RAIL, self.first_width * FIRST_RAIL),
        };
        (width / RAIL, width * RAIL)
    }

    /// The newest samples are about another clock.
    pub(super) fn forget_recent(&mut self) {
        self.recent.clear();
    }

    /// The clock was stepped by `by`.
    pub(super) fn step(&mut self, by: f64) {
        for ways in &mut self.recent {
            *ways = ways.stepped(by);
        }
    }
}

impl Ways {
    /// What it would have been, had the clock been ahead by `by` already.
    pub(super) fn stepped(self, by: f64) -> Self {
        Self {
            forward: self.forward - by,
            backward: self.backward + by,
            ..self
        }
    }
}
