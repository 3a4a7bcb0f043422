//! Placeholder front page.

mod clock;

pub use clock::{Adjustment, Applied, Clock, ClockError, ClockStatus, Now};
