//! ntpdate: asks NTP servers for the time, and sets the clock by the best of them.
//!
//! The order of things stands in [`run`]; what is asked and answered on the wire in [`exchange`],
//! whom to believe in [`selection`].
#![forbid(unsafe_code)]

mod arguments;
mod credential;
mod exchange;
mod journal;
mod report;
mod selection;
mod server;
mod survey;

use std::process::ExitCode;

use clap::Parser;
use ntp_discipline::{Adjustment, Applied, Clock, ClockError};
use ntp_os::{BindError, ClockSpec, OpenClockError, SystemClock};
use ntp_wire::Duration;

use crate::{
    arguments::Arguments,
    credential::{Credential, CredentialError},
    journal::Journal,
    server::Server,
    survey::Survey,
};

/// From this offset on the clock is stepped where nothing else is said.
const STEP_THRESHOLD: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut journal = Journal::open(arguments.syslog, arguments.debug > 0);
    match run(&arguments, &mut journal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            journal.error(&failure.to_string());
            ExitCode::from(1)
        }
    }
}

fn run(arguments: &Arguments, journal: &mut Journal) -> Result<(), Failure> {
    if arguments.version || arguments.debug > 0 {
        journal.notice(&format!("ntpdate Meridian {}", env!("CARGO_PKG_VERSION")));
    }
    let mut clock = SystemClock::open(&arguments.clock)?;
    if arguments.sets_clock() {
        if arguments.clock == ClockSpec::None {
            return Err(Failure::ClockNeverSet);
        }
        clock.check_permission().map_err(Failure::CannotSet)?;
    }
    let credential = match arguments.key {
        Some(id) => Some(Credential::load(&arguments.key_file, id, journal)?),
        None => None,
    };
    let servers = survey::find_servers(arguments, journal);
    if servers.is_empty() {
        return Err(Failure::NoServers);
    }
    let mut survey = Survey::open(arguments, credential, servers)?;
    survey.run(&clock, journal)?;
    let servers = survey.into_servers();

    let selected = selection::select(&servers, journal);
    let shown = servers
        .iter()
        .filter(|_| arguments.query || arguments.debug > 0);
    for server in shown {
        if let Some(text) = report::server(server, arguments.debug > 0) {
            journal.print(&text);
        }
    }
    let (server, offset) = selected.ok_or(Failure::NoneSuitable)?;
    set(arguments, &mut clock, server, offset, journal)
}

/// Steps or slews the clock, or only says which it would be.
fn set(
    arguments: &Arguments,
    clock: &mut SystemClock,
    server: &Server,
    offset: Duration,
    journal: &mut Journal,
) -> Result<(), Failure> {
    let steps = arguments.step || (!arguments.slew && offset.abs() >= STEP_THRESHOLD);
    if arguments.sets_clock() {
        let applied = if steps {
            clock.adjust(&Adjustment::Step(offset))
        } else {
            clock.slew(offset)
        };
        match applied {
            Ok(Applied::Ignored) => return Err(Failure::ClockNeverSet),
            Ok(_) => {}
            Err(error) => return Err(Failure::CannotSet(error)),
        }
    }
    journal.notice(&report::adjustment(steps, server, offset));
    Ok(())
}

/// Why the program ends with exit code 1.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no servers can be used, exiting")]
    NoServers,
    #[error("no server suitable for synchronization found")]
    NoneSuitable,
    #[error("the NTP socket is in use, exiting")]
    SocketInUse,
    #[error("{0}, exiting; use -u for a port that needs no privilege")]
    Socket(BindError),
    #[error("Can't adjust the time of day: {0}; use -q to only ask")]
    CannotSet(ClockError),
    #[error("the clock 'none' is never set: use -q to only ask")]
    ClockNeverSet,
    #[error(transparent)]
    Clock(#[from] OpenClockError),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("cannot wait for answers: {0}")]
    Waiting(#[from] std::io::Error),
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<BindError> for Failure {
    fn from(error: BindError) -> Self {
        if error.source.kind() == std::io::ErrorKind::AddrInUse {
            Self::SocketInUse
        } else {
            Self::Socket(error)
        }
    }
}
