//! Who of those who agree is worth combining (RFC 5905 section 11.2.2).

use super::{Entrant, Limits};

/// Votes off, one by one, those whose offset is furthest from the others', weighted by root
/// distance; until few enough are left, or until the spread among them is no more than their own
/// jitter, so that a further vote would gain nothing.
///
/// Gives back those who were voted off while there were more than [`Limits::maximum_clocks`].
pub(super) fn cluster(
    entrants: &mut Vec<Entrant>,
    limits: &Limits,
    precision: f64,
) -> Vec<Entrant> {
    let mut surplus = Vec::new();
    loop {
        measure(entrants);
        let least_jitter = entrants
            .iter()
            .map(|entrant| entrant.jitter)
            .fold(f64::INFINITY, f64::min);
        let worst = entrants.iter().enumerate().max_by(|(_, a), (_, b)| {
            (a.selection_jitter * a.distance).total_cmp(&(b.selection_jitter * b.distance))
        });
        let Some((place, worst)) = worst else {
            return surplus;
        };
        if entrants.len() <= limits.minimum_clocks.max(1)
            || worst.selection_jitter.max(precision) <= least_jitter
            || worst.always_true
            || worst.prefer
        {
            return surplus;
        }
        if entrants.len() > limits.maximum_clocks {
            surplus.push(*worst);
        }
        entrants.remove(place);
    }
}

fn measure(entrants: &mut [Entrant]) {
    let offsets: Vec<f64> = entrants.iter().map(|entrant| entrant.offset).collect();
    let others = offsets.len().saturating_sub(1).max(1) as f64;
    for entrant in entrants {
        let squares: f64 = offsets
            .iter()
            .map(|offset| (offset - entrant.offset).powi(2))
            .sum();
        entrant.selection_jitter = (squares / others).sqrt();
    }
}
