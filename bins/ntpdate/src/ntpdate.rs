//! ntpdate: the order of things.

use std::process::ExitCode;

use clap::Parser;
use ntp_discipline::{Adjustment, Applied, Clock};
use ntp_os::{ClockSpec, SystemClock};
use ntp_wire::Duration;

use crate::{
    arguments::Arguments,
    credential::Credential,
    failure::Failure,
    journal::Journal,
    report, selection,
    server::Server,
    survey::{self, Survey},
};

/// From this offset on the clock is stepped where nothing else is said.
const STEP_THRESHOLD: Duration = Duration::from_millis(500);

/// Runs ntpdate with the arguments of the process.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut journal = Journal::open("ntpdate", arguments.syslog, arguments.debug > 0);
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
    let terms = arguments.terms();
    let servers = survey::find_servers(&arguments.servers, &terms, journal);
    if servers.is_empty() {
        return Err(Failure::NoServers);
    }
    let mut survey = Survey::open(&terms, credential, servers)?;
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
