//! Running before other programs.
#![allow(unsafe_code)]

use std::io;

/// Lets this process, and the threads that it starts from now on, run before all others: with the
/// highest real-time priority, first in, first out; or, where the system has none to give, with
/// the nice value −12.
///
/// # Errors
///
/// What the system says if it allows neither.
pub fn raise_priority() -> io::Result<()> {
    /// As ntpd always had it.
    const NICE: i32 = -12;
    // SAFETY: a plain question.
    let highest = unsafe { libc::sched_get_priority_max(libc::SCHED_FIFO) };
    // SAFETY: sched_param is a C structure of integers; all zero is one of its values.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = highest;
    // SAFETY: the pointer is to a structure that lives through the call.
    if highest >= 0 && unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) } == 0 {
        return Ok(());
    }
    // SAFETY: no pointer.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Lets the calling thread run only after those of usual priority: with the nice value 15, where
/// it gets a thirtieth of a processor that others want too.
///
/// # Errors
///
/// What the system says if it does not allow that.
pub fn lower_priority() -> io::Result<()> {
    const NICE: i32 = 15;
    // SAFETY: sched_param is a C structure of integers; all zero is one of its values.
    let parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    // After raise_priority() nice values would say nothing.
    // SAFETY: the pointer is to a structure that lives through the call.
    if unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &parameters) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no pointer. On Linux 0 is the calling thread.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use caps::{CapSet, Capability};

    use super::*;

    /// In a thread of its own, to which both calls apply, and without the capability.
    #[test]
    fn without_the_capability_it_is_refused() {
        std::thread::spawn(|| {
            caps::drop(None, CapSet::Effective, Capability::CAP_SYS_NICE).unwrap();
            let error = raise_priority().unwrap_err();
            assert!(
                [Some(libc::EPERM), Some(libc::EACCES)].contains(&error.raw_os_error()),
                "{error}"
            );
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_lowers_only_itself() {
        // SAFETY: no pointer.
        let nice = || unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
        let before = nice();
        let inside = std::thread::spawn(move || {
            lower_priority().unwrap();
            nice()
        });
        assert_eq!(inside.join().unwrap(), 15);
        assert_eq!(nice(), before);
    }
}
