//! Lines for the system log.
#![allow(unsafe_code)]

use std::{
    io,
    mem::MaybeUninit,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process,
};

/// The system log: lines go to `/dev/log` in the form of RFC 3164, as the C library sends them.
///
/// Open it before changing the root directory: the connection and the time zone stay. If the log is restarted it
/// is connected anew, where it can still be reached.
#[derive(Debug)]
pub struct Syslog {
    path: PathBuf,
    socket: UnixDatagram,
    facility: Facility,
    program: String,
}

/// What kind of program writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Facility {
    /// Programs of users.
    User = 1,
    /// System services; ntpd's.
    #[default]
    Daemon = 3,
    /// Time services, of newer standards.
    Ntp = 12,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Severity {
    /// Something failed, and cannot go on.
    Critical = 2,
    /// Something failed.
    Error = 3,
    /// Something may be wrong.
    Warning = 4,
    /// Something worth knowing.
    Notice = 5,
    /// Something else.
    Information = 6,
    /// Something for who looks for a fault.
    Debug = 7,
}

impl Syslog {
    /// Connects to the system log; lines begin with the name `program` and the process number.
    ///
    /// # Errors
    ///
    /// What the system says, as where no log runs.
    pub fn open(program: &str, facility: Facility) -> io::Result<Self> {
        Self::open_at(Path::new("/dev/log"), program, facility)
    }

    fn open_at(path: &Path, program: &str, facility: Facility) -> io::Result<Self> {
        // The time zone is read at its first use, which must not be behind a changed root.
        let _ = local_time();
        Ok(Self {
            socket: connect(path)?,
            path: path.to_owned(),
            facility,
            program: program.to_owned(),
        })
    }

    /// Writes `text`, in as many messages as it has lines. What cannot be written is lost: nobody
    /// else could be told.
    pub fn write(&mut self, severity: Severity, text: &str) {
        for line in text.lines() {
            let message = format!(
                "<{}>{} {}[{}]: {line}",
                (self.facility as u8) << 3 | severity as u8,
                local_time(),
                self.program,
                process::id()
            );
            if self.socket.send(message.as_bytes()).is_ok() {
                continue;
            }
            if let Ok(socket) = connect(&self.path) {
                self.socket = socket;
                let _ = self.socket.send(message.as_bytes());
            }
        }
    }
}

/// A connection that never waits: a log that does not read must not stop the clock.
fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// The time as RFC 3164 writes it: `Nov 23 01:26:08`, of the machine's zone.
fn local_time() -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (seconds, _) = crate::stamp::real().to_unix();
    let mut broken_down = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; all zero is a tm, even if the call fails.
    let tm = unsafe {
        libc::localtime_r(&raw const seconds, broken_down.as_mut_ptr());
        broken_down.assume_init()
    };
    let month = usize::try_from(tm.tm_mon).unwrap_or(0);
    format!(
        "{} {:2} {:02}:{:02}:{:02}",
        MONTHS.get(month).unwrap_or(&"Jan"),
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 500];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn lines_have_priority_time_and_program() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut log = Syslog::open_at(&path, "ntpd", Facility::Daemon).unwrap();
        log.write(Severity::Notice, "one\ntwo\n");
        for text in ["one", "two"] {
            let line = received(&daemon);
            let rest = line.strip_prefix("<29>").unwrap();
            assert_eq!(rest.as_bytes()[3], b' ');
            assert_eq!(rest.as_bytes()[9], b':');
            let (time, rest) = rest.split_at(16);
            assert!(time.ends_with(' '));
            assert_eq!(rest, format!("ntpd[{}]: {text}", process::id()));
        }
    }

    #[test]
    fn a_restarted_log_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let daemon = UnixDatagram::bind(&path).unwrap();
        let mut log = Syslog::open_at(&path, "ntpd", Facility::Ntp).unwrap();
        drop(daemon);
        std::fs::remove_file(&path).unwrap();
        log.write(Severity::Error, "lost");
        let daemon = UnixDatagram::bind(&path).unwrap();
        log.write(Severity::Error, "found");
        assert!(received(&daemon).ends_with("found"));
    }
}
