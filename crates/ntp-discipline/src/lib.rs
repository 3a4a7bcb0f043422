//! The clock discipline of NTP: from samples to a clock that is right.

mod classic;
mod clock;
mod discipline;
mod event;
mod filter;
mod select;
mod tinker;
mod virtual_clock;

pub use classic::{Classic, LoopOptions};
pub use clock::{Adjustment, Applied, Clock, ClockError, ClockStatus, Now};
pub use discipline::{Discipline, LoopState, LoopStatus, Outcome, Response, Update};
pub use event::SystemEvent;
pub use filter::{ClockFilter, Estimate, FilterConditions, FilterVerdict, Sample};
pub use select::{
    Candidate, Combined, Limits, Selection, SelectionConditions, Selector, SourceKind, Tally,
};
pub use tinker::Tinker;
pub use virtual_clock::VirtualClock;
