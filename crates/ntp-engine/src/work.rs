//! Public-key work that answers an Autokey request.

use ntp_autokey::{Finished, Job};
use ntp_wire::Header;

use crate::Arrival;

/// Public-key work that answers an Autokey request: milliseconds with keys of 2048 bits. It owns
/// all that it needs, so any thread can do it.
#[derive(Clone, Debug)]
pub struct Work {
    pub(crate) arrival: Arrival,
    pub(crate) request: Header,
    pub(crate) job: Job,
}

/// What came of [`Work`]; it goes back into the engine by [`Input::Worked`](crate::Input::Worked).
#[derive(Clone, Debug)]
pub struct Worked {
    pub(crate) arrival: Arrival,
    pub(crate) request: Header,
    pub(crate) finished: Finished,
}

impl Work {
    /// Does it.
    pub fn run(self) -> Worked {
        Worked {
            arrival: self.arrival,
            request: self.request,
            finished: self.job.run(),
        }
    }
}
