//! What signals ask for.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
    flag,
};

/// Notes the signals that came.
///
/// A signal interrupts the wait of the event loop, which then looks here. There is no pipe to wait
/// for beside the sockets: a simulator that stands in for the kernel's sockets and clocks need not
/// know of it. A signal that comes between a look and the wait is seen after the wait, which must
/// therefore be short.
#[derive(Debug)]
pub(crate) struct Signals {
    /// The number of the last signal that ends the daemon; 0 if none came.
    end: Arc<AtomicUsize>,
    reopen: Arc<AtomicBool>,
}

impl Signals {
    /// From now on they are noted and do nothing else.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(crate) fn watch() -> io::Result<Self> {
        let end = Arc::new(AtomicUsize::new(0));
        for signal in [SIGINT, SIGQUIT, SIGTERM] {
            let number = usize::try_from(signal).unwrap_or_default();
            flag::register_usize(signal, Arc::clone(&end), number)?;
        }
        let reopen = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, Arc::clone(&reopen))?;
        // The reference counts its debugging level with them: they must not end the daemon.
        let ignored = Arc::new(AtomicBool::new(false));
        for signal in [SIGUSR1, SIGUSR2] {
            flag::register(signal, Arc::clone(&ignored))?;
        }
        Ok(Self { end, reopen })
    }

    /// The signal that ends the daemon, if one came.
    pub(crate) fn end(&self) -> Option<i32> {
        match self.end.load(Ordering::SeqCst) {
            0 => None,
            signal => i32::try_from(signal).ok(),
        }
    }

    /// Whether the log file should be opened anew; told once.
    pub(crate) fn take_reopen(&self) -> bool {
        self.reopen.swap(false, Ordering::SeqCst)
    }
}
