//! Into the background, with a parent that waits until the start has succeeded.
#![allow(unsafe_code)]

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::fd::OwnedFd,
    process,
};

use nix::{
    fcntl::OFlag,
    unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe2, setsid},
};

/// Goes into the background: returns in the child, while the parent waits and then ends with the
/// exit code that the child tells by [`Readiness`].
///
/// The child has a session of its own and reads nothing. Its output still goes where the parent's
/// went until it is ready, so that what goes wrong can be seen. Its directory stays the same.
///
/// # Errors
///
/// [`DaemonError`] if there are threads already, or if the system refuses.
pub fn daemonise() -> Result<Readiness, DaemonError> {
    if thread_count()? != 1 {
        return Err(DaemonError::Threads);
    }
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(io::Error::from)?;
    // SAFETY: the process has one thread only, as was checked, so the child finds every lock free.
    match unsafe { fork() }.map_err(io::Error::from)? {
        ForkResult::Parent { .. } => {
            drop(writer);
            process::exit(exit_code(reader));
        }
        ForkResult::Child => {
            drop(reader);
            setsid().map_err(io::Error::from)?;
            let null = File::open("/dev/null")?;
            dup2_stdin(&null).map_err(io::Error::from)?;
            Ok(Readiness {
                pipe: Some(writer.into()),
            })
        }
    }
}

fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// What the child told; 1 if it ended without a word.
fn exit_code(pipe: OwnedFd) -> i32 {
    let mut code = [0];
    match File::from(pipe).read_exact(&mut code) {
        Ok(()) => code[0].into(),
        Err(_) => 1,
    }
}

/// Tells the waiting parent how the start went. Dropped without that, it tells of a failure.
#[derive(Debug, Default)]
#[must_use = "the parent waits until it is told"]
pub struct Readiness {
    pipe: Option<File>,
}

impl Readiness {
    /// That of a process in the foreground, where nobody waits.
    pub const fn nobody_waits() -> Self {
        Self { pipe: None }
    }

    /// The start has succeeded: the parent ends with 0. Output goes nowhere from now on.
    ///
    /// # Errors
    ///
    /// If /dev/null cannot be opened. A parent that is gone is no error.
    pub fn ready(mut self) -> io::Result<()> {
        let Some(mut pipe) = self.pipe.take() else {
            return Ok(());
        };
        let null = OpenOptions::new().write(true).open("/dev/null")?;
        dup2_stdout(&null)?;
        dup2_stderr(&null)?;
        let _ = pipe.write_all(&[0]);
        Ok(())
    }

    /// The start has failed: the parent ends with `exit_code`.
    pub fn failed(mut self, exit_code: u8) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[exit_code]);
        }
    }
}

/// Why the program could not go into the background.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// A child has only the thread that made it; the others' work would stop half done.
    #[error("cannot go into the background once there are threads")]
    Threads,
    /// The system refused.
    #[error("cannot go into the background: {0}")]
    System(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tell: impl FnOnce(Readiness)) -> i32 {
        let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
        tell(Readiness {
            pipe: Some(writer.into()),
        });
        exit_code(reader)
    }

    #[test]
    fn the_parent_learns_the_code() {
        assert_eq!(told(|readiness| readiness.failed(3)), 3);
        assert_eq!(told(drop), 1);
    }

    #[test]
    fn threads_are_noticed() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv());
        assert!(matches!(daemonise(), Err(DaemonError::Threads)));
        drop(stop);
        let _ = thread.join();
    }

    #[test]
    fn in_the_foreground_nobody_is_told() {
        Readiness::nobody_waits().ready().unwrap();
        Readiness::nobody_waits().failed(1);
    }
}
