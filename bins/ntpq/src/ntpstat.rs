//! ntpstat: whether the clock is synchronised, in three lines and an exit code.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{ArgAction, Parser};
use ntp_control::{Session, Synchronisation};
use ntp_os::complain;
use ntpq::{Connection, Family, first_sequence};

/// Tells whether this machine's clock is synchronised, to what, and how well.
///
/// Exit codes: 0 it is; 1 it is not, or its error may be greater than -m allows; 2 nobody knows,
/// since the daemon does not answer; 3 wrong options.
#[derive(Debug, Parser)]
#[command(name = "ntpstat", version, disable_help_flag = true)]
struct Arguments {
    /// The clock must be right to within so many milliseconds.
    #[arg(short, long, value_name = "MILLISECONDS")]
    maximum_error: Option<f64>,
    /// Ask at this UDP port.
    #[arg(long, value_name = "PORT", default_value_t = 123)]
    port: u16,
    /// Print this help.
    #[arg(short = 'h', visible_short_alias = '?', long, action = ArgAction::Help)]
    help: Option<bool>,
    /// The host to ask.
    #[arg(value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a closed standard output.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 3 } else { 0 });
        }
    };
    let Some(state) = ask(&arguments) else {
        complain(format_args!("Unable to talk to NTP daemon. Is it running?"));
        return ExitCode::from(2);
    };
    // Whoever wants the exit code only may have closed it.
    let _ = write!(io::stdout(), "{state}");
    let is_precise = arguments
        .maximum_error
        .is_none_or(|maximum| state.error_ms.is_some_and(|error| error <= maximum));
    ExitCode::from(u8::from(!(state.synchronised && is_precise)))
}

fn ask(arguments: &Arguments) -> Option<Synchronisation> {
    let mut connection = Connection::open(&arguments.host, arguments.port, Family::Any).ok()?;
    let mut session = Session::new(first_sequence());
    let response = connection
        .ask(&mut session, &Synchronisation::request(), None)
        .ok()?;
    let mut state = Synchronisation::new(&response);
    // The association may be gone by now, in which case the reference identifier has to do.
    if let Some(request) = state.request_server()
        && let Ok(response) = connection.ask(&mut session, &request, None)
    {
        state.set_server(&response);
    }
    Some(state)
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
