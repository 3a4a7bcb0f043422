//! ntp-wait: waits until the daemon has synchronised the clock.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::{ArgAction, Parser};
use ntp_control::{Request, Session, Variables};
use ntp_os::complain;
use ntp_wire::AssociationId;
use ntpq::{AskError, Connection, Family, first_sequence};

/// Waits until this machine's clock is synchronised, for start scripts.
///
/// Exit codes: 0 it is synchronised; 1 it is not, or the daemon does not run.
#[derive(Debug, Parser)]
#[command(name = "ntp-wait", version, disable_help_flag = true)]
struct Arguments {
    /// How often to ask the daemon.
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 100)]
    tries: u32,
    /// How many seconds to wait before it is asked again.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 6)]
    sleep: u64,
    /// Show that it is waited for.
    #[arg(short, long)]
    verbose: bool,
    /// Ask at this UDP port.
    #[arg(long, value_name = "PORT", default_value_t = 123)]
    port: u16,
    /// Print this help.
    #[arg(short = '?', long, action = ArgAction::Help)]
    help: Option<bool>,
    /// The host to ask.
    #[arg(value_name = "HOST", default_value = "localhost")]
    host: String,
}

/// One of them at a time shows that it goes on.
const SPINNER: [char; 4] = ['*', '+', ':', '.'];

/// What the daemon says of its clock.
enum Leap {
    Synchronised,
    Unsynchronised,
    /// It does not say.
    Unknown,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a closed standard output.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    let show = |text: &str| {
        if arguments.verbose {
            // Who waits for the exit code need not read.
            let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
        }
    };
    show("Waiting for ntpd to synchronize...  ");
    let mut daemon = Daemon::new(&arguments);
    for (tries, sign) in (1..=arguments.tries).zip(SPINNER.into_iter().cycle().skip(1)) {
        match daemon.leap() {
            Ok(Leap::Synchronised) => {
                show("\u{8}OK!\n");
                return ExitCode::SUCCESS;
            }
            Ok(Leap::Unsynchronised) => show(&format!("\u{8}{sign}")),
            Ok(Leap::Unknown) => {
                show("\u{8}");
                return conclude("Leap status not available");
            }
            Err(error) => {
                show("\u{8}");
                complain(format_args!("{error}"));
                return conclude("Leap status not available");
            }
        }
        if tries < arguments.tries {
            thread::sleep(Duration::from_secs(arguments.sleep));
        }
    }
    show("\u{8}No!\n");
    conclude("ntpd did not synchronize.")
}

fn conclude(why: &str) -> ExitCode {
    let _ = writeln!(io::stdout(), "{why}");
    ExitCode::FAILURE
}

struct Daemon<'a> {
    arguments: &'a Arguments,
    session: Session,
    connection: Option<Connection>,
}

impl<'a> Daemon<'a> {
    fn new(arguments: &'a Arguments) -> Self {
        Self {
            arguments,
            session: Session::new(first_sequence()),
            connection: None,
        }
    }

    fn leap(&mut self) -> Result<Leap, String> {
        let Arguments { host, port, .. } = self.arguments;
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let connection = Connection::open(host, *port, Family::Any)
                    .map_err(|error| format!("{host}: {}", ntpq::reason(&error)))?;
                self.connection.insert(connection)
            }
        };
        let request = Request::read_variables(AssociationId::SYSTEM, "leap");
        let response = connection
            .ask(&mut self.session, &request, None)
            .map_err(|error: AskError| error.to_string())?;
        let variables = Variables::new(&response.data);
        let leap = variables
            .named("leap")
            .and_then(|variable| variable.text()?.parse::<u8>().ok());
        Ok(match leap {
            Some(0..=2) => Leap::Synchronised,
            Some(_) => Leap::Unsynchronised,
            None => Leap::Unknown,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Arguments::command().debug_assert();
    }
}
