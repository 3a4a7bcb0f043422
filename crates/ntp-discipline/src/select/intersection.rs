//! Who agrees with the majority (RFC 5905 section 11.2.1).

use super::Entrant;

/// Where true time must be, if most of the candidates are right.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Interval {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// Whether the correctness interval of `entrant` has a part in it.
    pub(super) fn overlaps(&self, entrant: &Entrant) -> bool {
        entrant.offset + entrant.distance >= self.low
            && entrant.offset - entrant.distance <= self.high
    }
}

/// The smallest interval that holds a point of each of the most candidates, if these are more
/// than half of all.
///
/// Each candidate stands for the interval of its offset plus and minus its root distance. With
/// no falseticker allowed, then one, then two, the ends are passed from below until enough
/// intervals have begun, and from above until enough have ended.
pub(super) fn intersection(entrants: &[Entrant]) -> Option<Interval> {
    let mut ends: Vec<(f64, i32)> = entrants
        .iter()
        .flat_map(|entrant| {
            [
                (entrant.offset - entrant.distance, 1),
                (entrant.offset + entrant.distance, -1),
            ]
        })
        .collect();
    // Where one interval ends as another begins, they touch: beginnings come first.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));

    let count = i32::try_from(entrants.len()).unwrap_or(i32::MAX);
    (0..)
        .take_while(|falsetickers| 2 * falsetickers < count)
        .find_map(|falsetickers| {
            let needed = count - falsetickers;
            let low = reach(ends.iter().copied(), needed)?;
            let high = reach(ends.iter().rev().map(|(end, step)| (*end, -step)), needed)?;
            (low < high).then_some(Interval { low, high })
        })
}

/// The first end at which `needed` intervals lie open.
fn reach(ends: impl Iterator<Item = (f64, i32)>, needed: i32) -> Option<f64> {
    let mut open = 0;
    for (end, step) in ends {
        open += step;
        if open >= needed {
            return Some(end);
        }
    }
    None
}
