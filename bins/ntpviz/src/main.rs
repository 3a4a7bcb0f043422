//! ntpviz: a page of charts from the statistics files of an NTP daemon.
#![forbid(unsafe_code)]

mod directory;
mod page;
mod record;
mod spread;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use jiff::{civil::DateTime, tz::TimeZone};
use ntp_os::{complain, write_atomically};

use crate::{
    directory::{Statistics, read},
    page::Page,
};

/// Makes a page of charts from the statistics files of an NTP daemon.
///
/// STATSDIR is what `statsdir` in ntp.conf names; its files loopstats* and peerstats* are read, of
/// ntpd 4.2.8 as well. The page is one HTML file that needs no network and no script.
#[derive(Debug, Parser)]
#[command(name = "ntpviz", version, after_help = EXIT_CODES)]
struct Arguments {
    /// The directory with the statistics files
    #[arg(value_name = "STATSDIR")]
    directory: PathBuf,
    /// Write the page to this file, not to standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to call the host [default: the directory]
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// Only the last days that there are records of
    #[arg(short, long, value_name = "N", conflicts_with = "from")]
    days: Option<f64>,
    /// Only from this time on, UTC: 2026-11-23 or 2026-11-23T14:30
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    from: Option<f64>,
    /// Only up to this time, UTC
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    to: Option<f64>,
}

const EXIT_CODES: &str = "Exit codes: 0 the page is made; 1 it is not, and standard error says why; \
                          2 usage.";

/// A time of day, as seconds since 1970.
fn seconds(text: &str) -> Result<f64, String> {
    let time: DateTime = text
        .parse()
        .map_err(|_| "write it as 2026-11-23 or 2026-11-23T14:30".to_owned())?;
    let zoned = time.to_zoned(TimeZone::UTC);
    let zoned = zoned.map_err(|error| error.to_string())?;
    Ok(zoned.timestamp().as_second() as f64)
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Read(#[from] directory::ReadError),
    #[error(
        "there is no record in the loopstats and peerstats files of {} for that time",
        .0.display()
    )]
    Nothing(PathBuf),
    #[error("cannot write {}: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot write to standard output: {0}")]
    Print(io::Error),
}

impl Arguments {
    /// Leaves out what is not wanted.
    fn select(&self, statistics: &mut Statistics) {
        let to = self.to.unwrap_or(f64::INFINITY);
        statistics.keep(f64::NEG_INFINITY, to);
        let first = match (self.from, self.days) {
            (Some(from), _) => from,
            (None, Some(days)) => statistics
                .span()
                .map_or(f64::NEG_INFINITY, |(_, last)| last - days * 86_400.0),
            (None, None) => f64::NEG_INFINITY,
        };
        statistics.keep(first, to);
    }

    fn run(&self) -> Result<(), Failure> {
        let (mut statistics, faults) = read(&self.directory)?;
        for fault in &faults {
            complain(format_args!("ntpviz: warning: {fault}"));
        }
        self.select(&mut statistics);
        let Some(span) = statistics.span() else {
            return Err(Failure::Nothing(self.directory.clone()));
        };
        let directory = self.directory.to_string_lossy();
        let page = Page {
            name: self.name.as_deref().unwrap_or(&directory),
            statistics: &statistics,
            span,
        };
        let text = page.to_string();
        match &self.output {
            Some(path) => {
                write_atomically(path, text.as_bytes(), 0o644).map_err(|source| Failure::Write {
                    path: path.clone(),
                    source,
                })
            }
            None => io::stdout()
                .lock()
                .write_all(text.as_bytes())
                .map_err(Failure::Print),
        }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(format_args!("ntpviz: {failure}"));
            ExitCode::FAILURE
        }
    }
}
