//! Which sources to believe, which to follow, and what they say together (RFC 5905 section 11.2).

use core::{cmp::Ordering, time::Duration as Elapsed};

use ntp_wire::{Duration, Leap, Ppm, Precision, Stratum};

mod candidate;
mod cluster;
mod combine;
mod intersection;

use crate::ClockFilter;
pub use candidate::{Candidate, Limits, SourceKind, Unfitness};
use cluster::cluster;
use combine::combine;
use intersection::intersection;
/// What became of a candidate, in the words and numbers of mode 6.
pub use ntp_wire::control::Selection as Tally;

/// What the selection needs to know besides the candidates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SelectionConditions {
    /// The precision of our clock.
    pub precision: Precision,
    /// [`Tinker::dispersion`](crate::Tinker::dispersion).
    pub dispersion_rate: Ppm,
    /// How long the program has been running.
    pub uptime: Elapsed,
    /// Which candidate is the system peer so far.
    pub system_peer: Option<usize>,
}

/// What the selection found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Selection {
    /// One for each candidate, in their order.
    pub tallies: Vec<Tally>,
    /// The candidates that survived, the best first.
    pub survivors: Vec<usize>,
    /// Whom to follow, and what they say together; `None` if nobody can be followed.
    pub combined: Option<Combined>,
}

/// What the survivors say together (RFC 5905 section 11.2.3), and what we announce on it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Combined {
    /// The candidate to follow.
    pub system_peer: usize,
    /// True time minus ours.
    pub offset: Duration,
    /// How much the survivors and their samples differ.
    pub jitter: Duration,
    /// What we announce as our stratum.
    pub stratum: Stratum,
    /// What most survivors say of the coming leap second.
    pub leap: Leap,
    /// What we announce as our root delay.
    pub root_delay: Duration,
    /// What we announce as our root dispersion.
    pub root_dispersion: Duration,
}

/// Selects again and again, remembering what keeps it from hopping between equals.
#[derive(Clone, Debug)]
pub struct Selector {
    limits: Limits,
    /// How near to the best one a system peer must be to stay.
    hop_threshold: Option<f64>,
    /// From when on the local clock may be used although others are configured, and we may be an
    /// orphan parent.
    waits_until: Elapsed,
    /// Since when somebody could be followed and was not, because too many others are not known
    /// well enough.
    hesitates_since: Option<Elapsed>,
}

impl Selector {
    /// How long the others are waited for at most before the first that could be is followed: the
    /// time that an initial burst of eight packets takes, 16 s.
    pub const HESITATION: Elapsed = Elapsed::from_secs(16);

    /// A selection within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hop_threshold: None,
            waits_until: limits.orphan_wait,
            hesitates_since: None,
        }
    }

    /// Selects within these limits from now on. A wait that goes on is as long as they say, since
    /// when it began.
    pub fn set_limits(&mut self, limits: Limits) {
        let since = self.waits_until.saturating_sub(self.limits.orphan_wait);
        self.waits_until = since.saturating_add(limits.orphan_wait);
        self.limits = limits;
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How long the local clock still waits for the others, where there are any; `None` if it does
    /// not, or one that is preferred.
    pub fn local_clock_waits(&self, uptime: Elapsed) -> Option<Elapsed> {
        let left = self.waits_until.checked_sub(uptime);
        left.filter(|left| !left.is_zero())
    }

    /// The stratum to serve at without any source, once all have been waited for long enough;
    /// `None` if that is not wanted (`tos orphan`).
    pub fn orphan_stratum(&self, uptime: Elapsed) -> Option<Stratum> {
        self.limits
            .orphan
            .filter(|stratum| *stratum < Stratum::UNSYNCHRONISED && uptime >= self.waits_until)
    }

    /// The sources must be waited for anew: there are none, or the clock was stepped and nothing
    /// is known of them.
    pub fn wait_again(&mut self, uptime: Elapsed) {
        self.waits_until = uptime.saturating_add(self.limits.orphan_wait);
        self.hesitates_since = None;
    }

    /// Judges every candidate and combines the survivors.
    ///
    /// The order of the candidates does not matter, but for ties between equals.
    pub fn select(
        &mut self,
        candidates: &[Candidate],
        conditions: &SelectionConditions,
    ) -> Selection {
        let mut selection = Selection {
            tallies: vec![Tally::Reject; candidates.len()],
            ..Selection::default()
        };
        let (mut entrants, mut last_resort) = self.admit(candidates, conditions);
        selection.mark(&entrants, Tally::Falseticker);
        let hesitates = self.hesitates(&entrants, candidates, conditions);

        let agreed = intersection(&entrants);
        entrants.retain(|entrant| {
            entrant.always_true || agreed.is_some_and(|agreed| agreed.overlaps(entrant))
        });
        // A pulse must agree with the others, but has no voice in which second it is.
        let pulse = entrants.iter().find(|entrant| entrant.pulse).copied();
        entrants.retain(|entrant| !entrant.pulse);
        if entrants.is_empty() {
            last_resort.truncate(1);
            entrants = last_resort;
        }
        selection.mark(&entrants, Tally::Outlier);

        let surplus = cluster(&mut entrants, &self.limits, seconds(conditions.precision));
        selection.mark(&surplus, Tally::Backup);
        selection.mark(&entrants, Tally::Candidate);
        entrants.sort_by(|a, b| a.metric(&self.limits).total_cmp(&b.metric(&self.limits)));
        selection.survivors = entrants.iter().map(|entrant| entrant.index).collect();

        let followed = self
            .leader(&entrants, conditions.system_peer)
            .filter(|_| !hesitates)
            .map(|leader| {
                selection.tally(leader.index, Tally::SystemPeer);
                combine(&entrants, leader, candidates, &self.limits, conditions)
            });
        let pulse = pulse.filter(|_| self.pulse_may_lead(&entrants, followed.as_ref()));
        selection.combined = match (pulse, followed) {
            (Some(pulse), followed) => {
                self.hop_threshold = None;
                selection.tally(pulse.index, Tally::PpsPeer);
                let alone = || combine(&[pulse], &pulse, candidates, &self.limits, conditions);
                Some(followed.unwrap_or_else(alone).taken_over_by(&pulse))
            }
            (None, followed) => followed,
        };
        if selection.combined.is_none() && conditions.system_peer.is_some() {
            self.wait_again(conditions.uptime);
        }
        selection
    }

    /// Why `candidate` cannot be followed (RFC 5905 appendix A.5.5.3, `accept`).
    pub fn unfitness(&self, candidate: &Candidate, conditions: &SelectionConditions) -> Unfitness {
        let limits = &self.limits;
        let stratum = candidate.stratum.value();
        let until_next_poll = growth(conditions.dispersion_rate, candidate.poll.interval());
        Unfitness {
            stratum: candidate.leap == Leap::Unsynchronised
                || stratum < limits.floor
                || stratum >= limits.ceiling,
            distance: candidate.kind == SourceKind::Server
                && self.root_distance(candidate, conditions)
                    >= limits.maximum_distance + until_next_poll,
            looped: candidate.looped,
            unreachable: !candidate.reachable || candidate.noselect,
        }
    }

    /// How far `candidate` may be from true time (RFC 5905 appendix A.5.5.2, `root_dist`).
    pub fn root_distance(
        &self,
        candidate: &Candidate,
        conditions: &SelectionConditions,
    ) -> Duration {
        let distance = (candidate.delay + candidate.root_delay) / 2
            + candidate.dispersion
            + growth(conditions.dispersion_rate, candidate.age)
            + candidate.root_dispersion
            + candidate.jitter;
        distance.max(self.limits.minimum_distance)
    }

    /// Those who may vote, and those who are used when nobody can, local clocks before the orphan
    /// parent; each in an order that does not depend on theirs.
    fn admit(
        &self,
        candidates: &[Candidate],
        conditions: &SelectionConditions,
    ) -> (Vec<Entrant>, Vec<Entrant>) {
        // The reference lets the local clock wait even where there is nobody to wait for.
        let alone = candidates
            .iter()
            .all(|candidate| candidate.kind == SourceKind::Local || candidate.noselect);
        let local_may = alone || conditions.uptime >= self.waits_until;

        let mut entrants = Vec::with_capacity(candidates.len());
        let mut last_resort = Vec::new();
        let mut parent: Option<([u8; 4], Entrant)> = None;
        for (index, candidate) in candidates.iter().enumerate() {
            if self.unfitness(candidate, conditions).any() {
                continue;
            }
            let entrant = Entrant::new(index, candidate, self.root_distance(candidate, conditions));
            match self
                .limits
                .orphan
                .map(|orphan| candidate.stratum.cmp(&orphan))
            {
                Some(Ordering::Equal) => {
                    let id = candidate.reference_id.to_bytes();
                    if id < candidate.own_reference_id.to_bytes()
                        && parent.is_none_or(|(least, _)| id < least)
                    {
                        parent = Some((id, entrant));
                    }
                }
                Some(Ordering::Greater) => {}
                _ if candidate.kind == SourceKind::Local && !candidate.prefer => {
                    if local_may {
                        last_resort.push(entrant.without_error(&self.limits));
                    }
                }
                _ => entrants.push(entrant),
            }
        }
        entrants.sort_by(Entrant::canonical_order);
        last_resort.sort_by(Entrant::canonical_order);
        last_resort.extend(parent.map(|(_, parent)| parent.without_error(&self.limits)));
        (entrants, last_resort)
    }

    /// Whether it is too early to begin to follow anybody. Else the first of many servers to fill
    /// its filter would be believed, and the clock loop would learn from it, even if all the
    /// others are about to say that it lies.
    ///
    /// That is while those who agree may turn out to be no majority of those who answer, and while
    /// they agree only because half-full filters make their intervals wide.
    fn hesitates(
        &mut self,
        entrants: &[Entrant],
        candidates: &[Candidate],
        conditions: &SelectionConditions,
    ) -> bool {
        if entrants.is_empty() || conditions.system_peer.is_some() {
            return false;
        }
        let too_far = Unfitness {
            distance: true,
            ..Unfitness::default()
        };
        let unknown = candidates
            .iter()
            .filter(|candidate| self.unfitness(candidate, conditions) == too_far)
            .count();
        // The last stage alone, if empty, adds this much to the dispersion.
        let half_full = ClockFilter::MAXIMUM_DISPERSION.to_seconds_f64() / 256.0;
        let is_filling = entrants.iter().any(|voter| voter.dispersion >= half_full);
        let agreed = intersection(entrants);
        let agreeing = entrants
            .iter()
            .filter(|voter| agreed.is_some_and(|agreed| agreed.overlaps(voter)))
            .count();
        let no_majority = unknown > 0 && 2 * agreeing <= entrants.len() + unknown;
        let too_early = no_majority || is_filling && !agree_when_full(entrants);
        let since = *self.hesitates_since.get_or_insert(conditions.uptime);
        too_early && conditions.uptime.saturating_sub(since) < Self::HESITATION
    }

    /// Whom to follow: the preferred survivor, else the best one, unless the system peer so far
    /// is about as good. That nearness is halved each time, so that in the end it gives way.
    fn leader<'a>(
        &mut self,
        survivors: &'a [Entrant],
        system_peer: Option<usize>,
    ) -> Option<&'a Entrant> {
        let best = survivors.first()?;
        if survivors.len() < self.limits.minimum_sane {
            return None;
        }
        if let Some(preferred) = survivors.iter().find(|survivor| survivor.prefer) {
            self.hop_threshold = None;
            return Some(preferred);
        }
        let former = survivors
            .iter()
            .find(|survivor| Some(survivor.index) == system_peer);
        let minimum_distance = self.limits.minimum_distance.to_seconds_f64();
        let hop = former
            .filter(|former| former.index != best.index)
            .map(|former| (former, (best.offset - former.offset).abs()))
            .filter(|(_, gap)| *gap < minimum_distance);
        if let Some((former, gap)) = hop {
            let threshold = self
                .hop_threshold
                .map_or(minimum_distance, |threshold| threshold / 2.0);
            if gap < threshold {
                self.hop_threshold = Some(threshold);
                return Some(former);
            }
        }
        self.hop_threshold = None;
        Some(best)
    }

    /// Whether a pulse may take over: a preferred survivor numbers its seconds and is near enough
    /// to do so, or it stands alone, and `minsane 0` says that it needs nobody.
    fn pulse_may_lead(&self, survivors: &[Entrant], followed: Option<&Combined>) -> bool {
        match followed {
            Some(combined) => {
                survivors.iter().any(|survivor| survivor.prefer) && combined.numbers_the_seconds()
            }
            None => self.limits.minimum_sane == 0,
        }
    }
}

impl Selection {
    fn mark(&mut self, entrants: &[Entrant], tally: Tally) {
        for entrant in entrants {
            self.tally(entrant.index, tally);
        }
    }

    fn tally(&mut self, index: usize, tally: Tally) {
        if let Some(place) = self.tallies.get_mut(index) {
            *place = tally;
        }
    }
}

/// A candidate that is fit, in the quantities that the mathematics needs, in seconds.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Entrant {
    index: usize,
    offset: f64,
    distance: f64,
    /// The part of the distance that is the filter's dispersion.
    dispersion: f64,
    jitter: f64,
    stratum: u8,
    /// The RMS of the others' offsets against this one's; set by clustering.
    selection_jitter: f64,
    prefer: bool,
    always_true: bool,
    pulse: bool,
}

impl Entrant {
    fn new(index: usize, candidate: &Candidate, distance: Duration) -> Self {
        Self {
            index,
            offset: candidate.offset.to_seconds_f64(),
            distance: distance.to_seconds_f64(),
            dispersion: candidate.dispersion.to_seconds_f64(),
            jitter: candidate.jitter.to_seconds_f64(),
            stratum: candidate.stratum.value(),
            selection_jitter: 0.0,
            prefer: candidate.prefer,
            always_true: candidate.always_true,
            pulse: candidate.kind == SourceKind::Pps,
        }
    }

    /// A last resort competes with nobody.
    fn without_error(self, limits: &Limits) -> Self {
        Self {
            distance: limits.minimum_distance.to_seconds_f64(),
            jitter: 0.0,
            ..self
        }
    }

    /// How bad a system peer it would be.
    fn metric(&self, limits: &Limits) -> f64 {
        self.selection_jitter * self.distance
            + f64::from(self.stratum) * limits.minimum_distance.to_seconds_f64()
    }

    fn canonical_order(&self, other: &Self) -> Ordering {
        self.distance
            .total_cmp(&other.distance)
            .then(self.stratum.cmp(&other.stratum))
            .then(self.offset.total_cmp(&other.offset))
            .then(self.jitter.total_cmp(&other.jitter))
    }
}

/// Whether all would agree if their filters were full.
fn agree_when_full(entrants: &[Entrant]) -> bool {
    let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
    for entrant in entrants {
        let distance = entrant.distance - entrant.dispersion;
        low = low.max(entrant.offset - distance);
        high = high.min(entrant.offset + distance);
    }
    low <= high
}

fn seconds(precision: Precision) -> f64 {
    precision.to_duration().to_seconds_f64()
}

/// By how much an undisciplined clock may go wrong in a time.
fn growth(rate: Ppm, time: Elapsed) -> Duration {
    Duration::from_seconds_f64(rate.value().max(0.0) * 1e-6 * time.as_secs_f64())
}

#[cfg(test)]
mod tests;
