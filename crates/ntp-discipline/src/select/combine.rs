//! What the survivors say together (RFC 5905 section 11.2.3).

use ntp_wire::{Duration, Leap};

use super::{Candidate, Combined, Entrant, Limits, SelectionConditions, SourceKind, growth};

/// A pulse is only taken to mark the second that the others mean if they are this close, in
/// seconds.
const PULSE_GATE: f64 = 0.4;

/// Weighs the survivors by their root distances, unless `leader` is preferred: then it speaks
/// alone. The others are weighed against the best of them, which need not be the one that is followed.
pub(super) fn combine(
    survivors: &[Entrant],
    leader: &Entrant,
    candidates: &[Candidate],
    limits: &Limits,
    conditions: &SelectionConditions,
) -> Combined {
    let (offset, jitter) = if leader.prefer {
        (leader.offset, leader.jitter)
    } else {
        mean(survivors, survivors.first().unwrap_or(leader))
    };
    let (offset, jitter) = (
        Duration::from_seconds_f64(offset),
        Duration::from_seconds_f64(jitter),
    );
    let mut combined = Combined {
        system_peer: leader.index,
        offset,
        jitter,
        stratum: ntp_wire::Stratum::UNSYNCHRONISED,
        leap: vote(survivors, candidates),
        root_delay: Duration::ZERO,
        root_dispersion: Duration::ZERO,
    };
    if let Some(peer) = candidates.get(leader.index) {
        let sum = peer.root_dispersion
            + peer.dispersion
            + growth(conditions.dispersion_rate, peer.age)
            + jitter
            + offset.abs();
        combined.stratum = peer.stratum.next();
        combined.root_delay = peer.root_delay + peer.delay;
        combined.root_dispersion = sum.max(limits.minimum_distance);
    }
    combined
}

fn mean(survivors: &[Entrant], best: &Entrant) -> (f64, f64) {
    let (mut weights, mut offsets, mut squares) = (0.0, 0.0, 0.0);
    for survivor in survivors {
        // The distance is only zero where `tos mindist` is.
        let weight = 1.0 / survivor.distance.max(1e-9);
        weights += weight;
        offsets += weight * survivor.offset;
        squares += weight * (survivor.offset - best.offset).powi(2);
    }
    (
        offsets / weights,
        (squares / weights + best.selection_jitter.powi(2)).sqrt(),
    )
}

/// A leap second is believed if most survivors announce it, or a reference clock does.
fn vote(survivors: &[Entrant], candidates: &[Candidate]) -> Leap {
    let votes = |leap| {
        let mut votes = 0;
        for survivor in survivors {
            match candidates.get(survivor.index) {
                Some(voter) if voter.leap != leap => {}
                Some(voter) if voter.kind == SourceKind::ReferenceClock => votes = survivors.len(),
                _ => votes += 1,
            }
        }
        votes
    };
    if 2 * votes(Leap::Insert) > survivors.len() {
        Leap::Insert
    } else if 2 * votes(Leap::Delete) > survivors.len() {
        Leap::Delete
    } else {
        Leap::None
    }
}

impl Combined {
    /// Whether it is near enough to tell which second a pulse begins.
    pub(super) fn numbers_the_seconds(&self) -> bool {
        self.offset.to_seconds_f64().abs() < PULSE_GATE
    }

    /// The same, with the offset and jitter of a pulse.
    pub(super) fn taken_over_by(self, pulse: &Entrant) -> Self {
        Self {
            system_peer: pulse.index,
            offset: Duration::from_seconds_f64(pulse.offset),
            jitter: Duration::from_seconds_f64(pulse.jitter),
            ..self
        }
    }
}
