//! Where the log goes: standard error, a file, or the system log.

use std::{
    borrow::Cow,
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Zoned;
use ntp_engine::Severity;
use ntp_os::{Facility, Syslog};

/// Lines for the operator.
pub(crate) struct Log {
    to_standard_error: bool,
    file: Option<(PathBuf, File)>,
    system: Option<Syslog>,
}

impl Log {
    /// To `file` if there is one, else to standard error in the foreground, else to the system log.
    pub(crate) fn open(file: Option<&Path>, foreground: bool) -> (Self, Option<io::Error>) {
        let mut log = Self {
            to_standard_error: foreground,
            file: None,
            system: None,
        };
        let mut problem = None;
        match file {
            Some(path) => match append(path) {
                Ok(file) => log.file = Some((path.to_owned(), file)),
                Err(error) => problem = Some(error),
            },
            None if !foreground => log.system = Syslog::open("ntpd", Facility::Daemon).ok(),
            None => {}
        }
        (log, problem)
    }

    /// Opens the file anew, after it was moved away (SIGHUP).
    pub(crate) fn reopen(&mut self) {
        if let Some((path, file)) = &mut self.file
            && let Ok(new) = append(path)
        {
            *file = new;
        }
    }

    /// Writes a line. What cannot be written is lost: a full disk must not stop the clock.
    pub(crate) fn write(&mut self, severity: Severity, text: &str) {
        let text = &*harmless(text);
        let mark = match severity {
            Severity::Information => "",
            Severity::Warning => "warning: ",
            Severity::Error => "error: ",
        };
        if let Some(system) = &mut self.system {
            let level = match severity {
                Severity::Information => ntp_os::Severity::Information,
                Severity::Warning => ntp_os::Severity::Warning,
                Severity::Error => ntp_os::Severity::Error,
            };
            system.write(level, text);
        }
        if !self.to_standard_error && self.file.is_none() {
            return;
        }
        let stamp = Zoned::now().strftime("%e %b %H:%M:%S").to_string();
        let process = std::process::id();
        for line in text.lines() {
            let line = format!("{} ntpd[{process}]: {mark}{line}\n", stamp.trim_start());
            if self.to_standard_error {
                let _ = io::stderr().write_all(line.as_bytes());
            }
            if let Some((_, file)) = &mut self.file {
                let _ = file.write_all(line.as_bytes());
            }
        }
    }

    pub(crate) fn information(&mut self, text: &str) {
        self.write(Severity::Information, text);
    }

    pub(crate) fn warning(&mut self, text: &str) {
        self.write(Severity::Warning, text);
    }

    pub(crate) fn error(&mut self, text: &str) {
        self.write(Severity::Error, text);
    }
}

/// Without characters that a terminal obeys, which somebody far away may have chosen: names in
/// certificates, words of another server.
fn harmless(text: &str) -> Cow<'_, str> {
    let is_obeyed = |letter: char| letter.is_control() && letter != '\n';
    match text.contains(is_obeyed) {
        true => text.replace(is_obeyed, "?").into(),
        false => text.into(),
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // A test that can't go on has failed.

    use super::*;

    #[test]
    fn nothing_in_the_log_gives_a_terminal_orders() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (mut log, problem) = Log::open(Some(&path), false);
        assert!(problem.is_none());
        log.warning("no key of \u{1b}]0;you\u{7}\u{9b}2Jé\nsecond");
        let text = std::fs::read_to_string(&path).unwrap();
        let ends: Vec<_> = text
            .lines()
            .map(|line| line.split_once("warning: ").unwrap().1)
            .collect();
        assert_eq!(ends, ["no key of ?]0;you??2Jé", "second"]);
    }
}
