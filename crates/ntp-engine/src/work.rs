//! Public-key work that answers an Autokey request.

use ntp_autokey::{Finished, Job};
use ntp_wire::{AssociationId, Header};

use crate::Arrival;

/// Public-key work that answers an Autokey request: milliseconds with keys of 2048 bits. It owns
/// all that it needs, so any thread can do it.
#[derive(Clone, Debug)]
pub struct Work {
    pub(crate) asker: Asker,
    pub(crate) job: Job,
}

/// Who is to have the answer.
#[derive(Clone, Debug)]
pub(crate) enum Asker {
    /// A client, of whom nothing else is kept.
    Client { arrival: Arrival, request: Header },
    /// A peer, with the next packet to him.
    Peer(AssociationId),
}

/// What came of [`Work`]; it goes back into the engine by [`Input::Worked`](crate::Input::Worked).
#[derive(Clone, Debug)]
pub struct Worked {
    pub(crate) asker: Asker,
    pub(crate) finished: Finished,
}

impl Work {
    /// Does it.
    pub fn run(self) -> Worked {
        Worked {
            asker: self.asker,
            finished: self.job.run(),
        }
    }
}
