//! Public-key work, in a thread of its own.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use mio::Waker;
use ntp_engine::{Work, Worked};
use ntp_os::lower_priority;

/// Does public-key work one piece after the other, with what processor time the packets leave, and
/// wakes the event loop for each. The engine asks for a bounded number of pieces at a time.
pub(crate) struct Worker {
    work: Sender<Box<Work>>,
    done: Receiver<Option<Box<Worked>>>,
}

impl Worker {
    /// Starts the thread, which ends when the worker is dropped and its last piece is done.
    pub(crate) fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (work, inbox) = channel::<Box<Work>>();
        let (outbox, done) = channel();
        thread::Builder::new()
            .name("public-key".to_owned())
            .stack_size(1 << 20)
            .spawn(move || {
                // Where this is refused the kernel shares out the time evenly.
                let _ = lower_priority();
                for work in inbox {
                    // Whatever a stranger sent, the next one is served.
                    let worked = catch_unwind(AssertUnwindSafe(|| Box::new(work.run()))).ok();
                    if outbox.send(worked).is_err() {
                        return;
                    }
                    // If the loop cannot be woken it is gone, or finds this later.
                    let _ = waker.wake();
                }
            })?;
        Ok(Self { work, done })
    }

    /// Has this done.
    pub(crate) fn ask(&self, work: Box<Work>) {
        // The thread lives as long as the worker.
        let _ = self.work.send(work);
    }

    /// The next piece that is done, or was given up. Ask until there is none whenever the loop was
    /// woken.
    pub(crate) fn done(&self) -> Option<Option<Box<Worked>>> {
        self.done.try_recv().ok()
    }
}
