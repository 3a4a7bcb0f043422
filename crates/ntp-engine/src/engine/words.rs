//! Plain words for the log: what changed, why, and what to do about it.

use std::time::Duration as Elapsed;

use ntp_discipline::{SystemEvent, Tally};
use ntp_wire::{Monotonic, Stratum, control::Flash};

use super::{Engine, is_local};
use crate::{
    Severity,
    association::{Association, Security, Source},
};

/// What is said of a source is not taken back, or said again, before this time is over: a source at
/// the edge must not fill the log.
pub(super) const PAUSE: Elapsed = Elapsed::from_secs(900);
/// What is wrong with a source must last for this time, so that its first samples are not judged.
const LASTS: Elapsed = Elapsed::from_secs(60);

/// Why a source that answers is not used, where that is worth a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Flaw {
    /// It says that it is not synchronised.
    Unsynchronised,
    /// It follows us, or the source that we follow.
    Loop,
    /// Its stratum is not allowed.
    Stratum,
    /// It may be too far off.
    Distance,
    /// It is not with the majority.
    Falseticker,
}

/// What the log was told of a source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// What was said last, and when.
    flaw: Option<(Flaw, Monotonic)>,
    /// What is wrong now, and since when.
    pending: Option<(Flaw, Monotonic)>,
    /// When it was last said to be well again.
    cleared: Option<Monotonic>,
    /// That it proved who it is.
    pub(super) authentic: bool,
}

/// The stratum that the log was told of, and when.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToldStratum(Option<(Stratum, Monotonic)>);

impl Flaw {
    fn of(association: &Association) -> Option<Self> {
        let flash = association.flash;
        if flash.intersects(Flash::STRATUM) {
            Some(Self::Unsynchronised)
        } else if association.schedule.reach() == 0 || association.settings.noselect {
            None
        } else if flash.intersects(Flash::PEER_LOOP) {
            Some(Self::Loop)
        } else if flash.intersects(Flash::PEER_STRATUM) {
            Some(Self::Stratum)
        } else if flash.intersects(Flash::PEER_DISTANCE) {
            Some(Self::Distance)
        } else {
            (association.tally == Tally::Falseticker).then_some(Self::Falseticker)
        }
    }
}

impl Engine {
    /// What an event of the system means.
    pub(super) fn words_of_system(&self, event: SystemEvent) -> String {
        let clock = self.system.loop_status();
        let stepout = self.config.tinker.step_out.to_seconds_f64();
        match event {
            SystemEvent::FrequencyNotSet => {
                "the frequency of the clock is not known yet: it is measured first".to_owned()
            }
            SystemEvent::FrequencySet => format!(
                "the frequency of the clock is known, {:+.3} ppm",
                clock.frequency.value()
            ),
            SystemEvent::FrequencyMode => {
                format!("the frequency of the clock is measured, for {stepout} s")
            }
            SystemEvent::SpikeDetected => format!(
                "an offset beyond the step threshold: the clock is stepped if that lasts for \
                 {stepout} s"
            ),
            SystemEvent::ClockSynchronised => {
                let peer = self.system.peer.and_then(|peer| self.index_of(peer));
                let peer = peer.and_then(|index| self.associations.get(index));
                let name = peer.map_or_else(|| "its sources".to_owned(), Association::address);
                format!("the clock follows {name}")
            }
            SystemEvent::ClockStep => {
                "the clock was stepped, and what was measured before is forgotten".to_owned()
            }
            SystemEvent::NoSystemPeer => format!(
                "no source can be used ({}): the clock goes on by its own frequency; see `ntpq -p`",
                self.why_none()
            ),
            SystemEvent::Restart
            | SystemEvent::PanicStop
            | SystemEvent::LeapArmed
            | SystemEvent::LeapDisarmed
            | SystemEvent::LeapEvent
            | SystemEvent::Kernel
            | SystemEvent::Tai
            | SystemEvent::StaleLeapValues => String::new(),
        }
    }

    /// How many sources there are for each reason that they are not used for.
    fn why_none(&self) -> String {
        let (mut silent, mut flawed, mut waiting, mut others) = (0, [0; 5], None, 0);
        let sources = self.associations.iter().filter(|association| {
            matches!(
                association.source,
                Source::Server(_) | Source::LocalClock(_)
            )
        });
        for association in sources {
            match Flaw::of(association) {
                Some(flaw) => {
                    if let Some(count) = flawed.get_mut(flaw as usize) {
                        *count += 1;
                    }
                }
                None if association.schedule.reach() == 0 => silent += 1,
                None => match self.waits(association) {
                    Some(left) => waiting = Some(left),
                    None => others += 1,
                },
            }
        }
        let [unsynchronised, looped, stratum, distance, falsetickers] = flawed;
        let reasons = [
            (silent, "silent"),
            (unsynchronised, "not synchronised"),
            (looped, "in a loop with us"),
            (stratum, "of a stratum that is not allowed"),
            (distance, "too far away"),
            (falsetickers, "without a majority for their time"),
            (others, "not chosen"),
        ];
        let reasons = reasons.into_iter().filter(|(count, _)| *count > 0);
        let mut said: Vec<String> = reasons
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        said.extend(
            waiting.map(|left| format!("a clock of this machine that {}", words_of_wait(left))),
        );
        match said.is_empty() {
            true => "there is none".to_owned(),
            false => said.join(", "),
        }
    }

    /// How long a source is still not followed because it is a clock of this machine, which others
    /// are better than.
    fn waits(&self, association: &Association) -> Option<Elapsed> {
        let settings = &association.settings;
        let is_bound = is_local(association) && !settings.prefer && !settings.noselect;
        let mut others = self.associations.iter();
        let is_alone = others.all(|other| is_local(other) || other.settings.noselect);
        let left = self.system.local_clock_waits(self.now.monotonic);
        left.filter(|_| is_bound && !is_alone)
    }

    /// Tells which sources are not used though they answer, and which can be used again.
    pub(super) fn tell_flaws(&mut self) {
        let now = self.now.monotonic;
        for index in 0..self.associations.len() {
            let Some(association) = self.associations.get_mut(index) else {
                return;
            };
            let flaw = Flaw::of(association);
            let told = &mut association.told;
            if told.pending.map(|(flaw, _)| flaw) != flaw {
                told.pending = flaw.map(|flaw| (flaw, now));
            }
            let is_quiet = |since: Option<Monotonic>| since.is_none_or(|at| now.since(at) >= PAUSE);
            match (told.pending, told.flaw) {
                (Some((flaw, since)), said)
                    if said.map(|(flaw, _)| flaw) != Some(flaw)
                        && now.since(since) >= LASTS
                        && is_quiet(said.map(|(_, at)| at))
                        && is_quiet(told.cleared) =>
                {
                    told.flaw = Some((flaw, now));
                    let words = self.words_of_flaw(index, flaw);
                    self.peer_note(index, Severity::Warning, words);
                }
                (None, Some((_, at)))
                    if is_quiet(Some(at))
                        && !matches!(association.tally, Tally::Reject | Tally::Falseticker) =>
                {
                    told.flaw = None;
                    told.cleared = Some(now);
                    self.peer_note(index, Severity::Information, "can be used again");
                }
                _ => {}
            }
        }
    }

    fn words_of_flaw(&self, index: usize, flaw: Flaw) -> String {
        let Some(association) = self.associations.get(index) else {
            return String::new();
        };
        let offset = association.estimate().offset.to_seconds_f64();
        match flaw {
            Flaw::Unsynchronised => {
                "not used: it says that it is not synchronised itself; ask who runs it".to_owned()
            }
            Flaw::Loop => "not used: it follows this host, or the same source as it does: there \
                           would be a loop"
                .to_owned(),
            Flaw::Stratum => format!(
                "not used: its stratum, {}, is not allowed (tos floor, tos ceiling)",
                association.last.header.stratum
            ),
            Flaw::Distance => format!(
                "not used: it may be off by {:.3} s, more than tos maxdist allows; choose a \
                 nearer server",
                association.root_distance().to_seconds_f64()
            ),
            Flaw::Falseticker => format!(
                "not used: no majority of the sources agrees with it; it is {offset:+.6} s from \
                 this clock"
            ),
        }
    }

    /// Tells that the stratum of this host is another than it was.
    pub(super) fn tell_stratum(&mut self) {
        let now = self.now.monotonic;
        let stratum = self.system.state.stratum;
        match self.told_stratum.0 {
            Some((told, _)) if told == stratum => return,
            Some((_, at)) if now.since(at) < PAUSE => return,
            Some((told, _)) => self.note(
                Severity::Information,
                format!(
                    "this host is of stratum {stratum} now, not of {told}: its source is, or it \
                     follows another"
                ),
            ),
            // That it follows somebody at all is said already.
            None => {}
        }
        self.told_stratum = ToldStratum(Some((stratum, now)));
    }

    /// Tells, once until the source is lost, that its packets are authentic.
    pub(super) fn tell_authentic(&mut self, index: usize) {
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let is_authentic = association
            .server()
            .is_some_and(|server| server.is_authentic());
        if !is_authentic || association.told.authentic {
            return;
        }
        let words = match &association.settings.security {
            Security::None => return,
            Security::Key(id) => format!("its packets are authentic, by key {id}"),
            Security::Autokey { .. } => "its packets are authentic, by Autokey".to_owned(),
            Security::Nts(_) => "its packets are authentic, by Network Time Security".to_owned(),
        };
        association.told.authentic = true;
        self.peer_note(index, Severity::Information, words);
    }

    /// What an event of an association means; `code` is that of its status word.
    pub(super) fn words_of_association(&self, association: &Association, code: u8) -> String {
        let interval = association.schedule.host_poll().interval().as_secs();
        match code {
            3 => "no answer to the last 8 polls: see that it runs, and that UDP port 123 gets through"
                .to_owned(),
            4 if is_local(association) => {
                let wait = self.waits(association).map(words_of_wait);
                let wait = wait.map(|wait| format!(" that {wait}")).unwrap_or_default();
                format!("a clock of this machine{wait}")
            }
            4 => format!("it answers, stratum {}", association.last.header.stratum),
            7 => format!("it wants fewer packets, and is asked every {interval} s: raise its minpoll"),
            8 => "it does not serve this host: ask who runs it, or choose another".to_owned(),
            10 if is_local(association) => "the clock follows this machine's own".to_owned(),
            10 => format!(
                "the clock follows it, stratum {}, offset {:+.6} s",
                association.last.header.stratum,
                association.estimate().offset.to_seconds_f64()
            ),
            12 => match &association.settings.security {
                Security::None => "its packets are not authentic".to_owned(),
                Security::Key(id) => {
                    format!("its packets are not authentic: compare key {id} at both ends")
                }
                Security::Autokey { .. } => {
                    "its packets are not authentic: see the Autokey lines before this".to_owned()
                }
                Security::Nts(_) => "its packets are not authentic: keys are asked for anew".to_owned(),
            },
            15 => "the server tells of times that can't be: the next request is plain".to_owned(),
            _ => String::new(),
        }
    }
}

/// For how long a clock of this machine is not followed yet, and why.
fn words_of_wait(left: Elapsed) -> String {
    // Not a second too few.
    let seconds = left.as_millis().div_ceil(1000);
    format!("waits {seconds} s more for the others, as tos orphanwait says")
}
