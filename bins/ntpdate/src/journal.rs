//! Where the program's lines go.

use std::{
    io::{self, Write},
    process,
};

use jiff::Zoned;
use ntp_os::{Facility, Severity, Syslog};

/// Lines for whoever reads them: on a terminal with the time in front, or in the system log.
#[derive(Debug)]
pub(crate) struct Journal {
    program: &'static str,
    syslog: Option<Syslog>,
    traces: bool,
}

impl Journal {
    /// The system log if it is wanted and there, else the terminal. `traces` says whether what is
    /// done is told.
    pub(crate) fn open(program: &'static str, syslog: bool, traces: bool) -> Self {
        let mut journal = Self {
            program,
            syslog: None,
            traces,
        };
        if syslog {
            match Syslog::open(program, Facility::Ntp) {
                Ok(syslog) => journal.syslog = Some(syslog),
                Err(error) => journal.error(&format!("cannot reach the system log: {error}")),
            }
        }
        journal
    }

    /// What was done.
    pub(crate) fn notice(&mut self, text: &str) {
        match &mut self.syslog {
            Some(syslog) => syslog.write(Severity::Notice, text),
            None => write(io::stdout(), &self.stamped(text)),
        }
    }

    /// What failed.
    pub(crate) fn error(&mut self, text: &str) {
        match &mut self.syslog {
            Some(syslog) => syslog.write(Severity::Error, text),
            None => write(io::stderr(), &self.stamped(text)),
        }
    }

    /// What was asked for, always on the standard output.
    pub(crate) fn print(&self, text: &str) {
        write(io::stdout(), text);
    }

    fn stamped(&self, text: &str) -> String {
        let now = Zoned::now().strftime("%e %b %H:%M:%S");
        format!("{now} {}[{}]: {text}", self.program, process::id())
    }

    /// What is being done, if that is wanted.
    pub(crate) fn trace(&self, text: impl FnOnce() -> String) {
        if self.traces {
            self.print(&text());
        }
    }
}

/// A reader that went away is no reason to stop before the clock is set.
fn write(mut to: impl Write, text: &str) {
    let _ = writeln!(to, "{text}");
}
