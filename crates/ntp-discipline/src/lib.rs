//! The clock discipline of NTP: from samples to a clock that is right.
//!
//! Samples of each source go through a filter, the sources are compared and combined, and the
//! combined offset steers a clock, as in RFC 5905 sections 10 to 12 and in ntpd 4.2.8.
//!
//! ```
//! use core::time::Duration as Elapsed;
//! use ntp_discipline::*;
//! use ntp_wire::{Duration, Leap, Monotonic, PollExponent, Ppm, Precision, ReferenceId, Stratum, Timestamp};
//!
//! let precision = Precision::new(-20);
//! let tinker = Tinker::default();
//! let limits = Limits::default();
//! let at = |seconds| Monotonic::START + Elapsed::from_secs(seconds);
//!
//! // A clock that is 37 s behind, and whose frequency is known from a drift file.
//! let truth = Timestamp::from_unix(1_795_393_189, 0);
//! let mut clock = VirtualClock::new(truth - Duration::from_seconds(37), at(0), Ppm::ZERO);
//! let options = LoopOptions { tinker, panic_once: false, step_once: false, one_shot: false, kernel: true, precision };
//! let (mut classic, event) = Classic::new(options, Some(Ppm::ZERO), at(0));
//! assert_eq!(event.word(), "freq_set");
//!
//! // Four answers of a server fill half of its filter: now it is known well enough.
//! let conditions = FilterConditions {
//!     precision,
//!     poll: PollExponent::DEFAULT_MINIMUM,
//!     allan: tinker.allan,
//!     dispersion_rate: tinker.dispersion,
//!     maximum_distance: limits.maximum_distance,
//!     settling: classic.status().settling,
//! };
//! let mut filter = ClockFilter::new(at(0), precision);
//! for second in [2, 4, 6, 8] {
//!     let sample = Sample {
//!         offset: Duration::from_seconds(37),
//!         delay: Duration::from_millis(12),
//!         dispersion: precision.to_duration(),
//!         at: at(second),
//!     };
//!     assert_eq!(filter.push(sample, &conditions), FilterVerdict::Updated);
//! }
//! let estimate = filter.estimate();
//!
//! // It is the only source, and fit to be followed.
//! let candidate = Candidate {
//!     kind: SourceKind::Server,
//!     reachable: true,
//!     leap: Leap::None,
//!     stratum: Stratum::PRIMARY,
//!     reference_id: ReferenceId::from_bytes([10, 0, 0, 1]),
//!     own_reference_id: ReferenceId::from_bytes([10, 0, 0, 2]),
//!     precision,
//!     offset: estimate.offset,
//!     delay: estimate.delay,
//!     dispersion: estimate.dispersion,
//!     jitter: estimate.jitter,
//!     age: at(8) - filter.updated(),
//!     poll: conditions.poll,
//!     root_delay: Duration::ZERO,
//!     root_dispersion: Duration::ZERO,
//!     looped: false,
//!     prefer: false,
//!     noselect: false,
//!     always_true: false,
//! };
//! let found = Selector::new(limits).select(&[candidate], &SelectionConditions {
//!     precision,
//!     dispersion_rate: tinker.dispersion,
//!     uptime: Elapsed::from_secs(8),
//!     system_peer: None,
//! });
//! assert_eq!(found.tallies, [Tally::SystemPeer]);
//! let combined = found.combined.expect("there is a system peer");
//!
//! // 37 s are too much to slew: the loop asks for a step, and hears that it was done.
//! let response = classic.update(&Update {
//!     at: at(8),
//!     offset: combined.offset,
//!     jitter: combined.jitter,
//!     frequency: None,
//!     minimum_poll: PollExponent::DEFAULT_MINIMUM,
//!     maximum_poll: PollExponent::DEFAULT_MAXIMUM,
//! });
//! assert_eq!(response.outcome, Outcome::Stepped);
//! if let Some(step) = response.adjustment {
//!     let applied = clock.adjust(at(8), &step);
//!     classic.stepped(at(8), &applied);
//!     filter.clear(at(8), precision);
//! }
//! assert!((clock.wall(at(8)) - truth - Duration::from_seconds(8)).abs() < Duration::from_nanos(10));
//! assert_eq!(classic.status().state.name(), "SYNC");
//!
//! // From now on it is told once a second how fast to run.
//! if let Some(rate) = classic.tick(at(9)) {
//!     clock.adjust(at(9), &rate);
//! }
//! ```
//!
//! # Map
//!
//! - one source: [`Sample`]s go into a [`ClockFilter`], under [`FilterConditions`]; out comes a
//!   [`FilterVerdict`] and an [`Estimate`]
//! - all sources: a [`Selector`] within [`Limits`] makes of [`Candidate`]s and
//!   [`SelectionConditions`] a [`Selection`]: a [`Tally`] for each, the survivors, and what they
//!   say [`Combined`]; [`Unfitness`] tells why one cannot be followed
//! - [`HuffPuff`] corrects a combined offset where queues are one-sided, if asked to
//! - the loop: a [`Discipline`] takes [`Update`]s and gives [`Response`]s and [`Adjustment`]s;
//!   [`Classic`] is the one of RFC 5905, set up by [`LoopOptions`] and [`Tinker`]; [`LoopState`],
//!   [`LoopStatus`] and [`SystemEvent`] are what there is to show of it
//! - leap seconds: a [`LeapSchedule`] knows what the file ([`LeapTable`]) and the sources say, and
//!   gives a [`LeapOutlook`]; a [`Smear`] spreads a [`LeapSecond`] over hours for clients
//! - the clock: [`Clock`] is the door to a real one, [`VirtualClock`] one made of arithmetic
//!
//! # What it refuses
//!
//! It reads no clock, waits for nothing and writes no drift file: time comes in as an argument,
//! changes go out as values. It does not use the kernel's loop; the rate it gives holds frequency
//! and slew in one figure, and is never beyond ±500 ppm. It never believes an offset beyond the
//! panic threshold, but for the first one where it was told so.

mod classic;
mod clock;
mod discipline;
mod event;
mod filter;
mod gate;
mod huff_puff;
mod leap;
mod oscillator;
mod precise;
mod select;
mod slew;
mod tinker;
mod virtual_clock;

pub use classic::{Classic, LoopOptions};
pub use clock::{Adjustment, Applied, Clock, ClockError, ClockStatus, Now};
pub use discipline::{
    Discipline, FrequencyUpdate, LoopState, LoopStatus, Outcome, Response, Update,
};
pub use event::SystemEvent;
pub use filter::{ClockFilter, Estimate, FilterConditions, FilterVerdict, Sample};
pub use huff_puff::HuffPuff;
pub use leap::{
    HashCheck, LeapOutlook, LeapProximity, LeapSchedule, LeapSecond, LeapTable, LeapTableError,
    Smear,
};
pub use oscillator::{Oscillator, Reading};
pub use precise::{Estimator, Exchange, Forecast, Precise};
pub use select::{
    Candidate, Combined, Limits, Selection, SelectionConditions, Selector, SourceKind, Tally,
    Unfitness,
};
pub use tinker::Tinker;
pub use virtual_clock::VirtualClock;
