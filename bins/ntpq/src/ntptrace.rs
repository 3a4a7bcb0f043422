//! ntptrace: follows the chain of servers that a host's time comes by.
#![forbid(unsafe_code)]

use std::{
    collections::HashSet,
    io::{self, Write},
    net::IpAddr,
    process::ExitCode,
};

use clap::{ArgAction, Parser};
use ntp_control::{Hop, Session};
use ntp_os::complain;
use ntpq::{Connection, Family, first_sequence, reason};

/// Prints a line for the host, for the server it follows, and so on up to the first clock.
///
/// It ends at stratum 1, at a server that does not answer control messages, at one that was
/// there already, or after -m servers. Its exit code is 0 however far it came.
#[derive(Debug, Parser)]
#[command(name = "ntptrace", version, disable_help_flag = true)]
struct Arguments {
    /// Print addresses, not names.
    #[arg(short, long)]
    numeric: bool,
    /// Ask so many servers at most.
    #[arg(short, long, value_name = "NUMBER", default_value_t = 99)]
    max_hosts: u32,
    /// The host to start from; the same as without -r.
    #[arg(
        short = 'r',
        long = "host",
        value_name = "HOST",
        conflicts_with = "start"
    )]
    host: Option<String>,
    /// Ask at this UDP port.
    #[arg(long, value_name = "PORT", default_value_t = 123)]
    port: u16,
    /// Print this help.
    #[arg(short = '?', long, action = ArgAction::Help)]
    help: Option<bool>,
    /// The host to start from.
    #[arg(value_name = "HOST", default_value = "127.0.0.1")]
    start: String,
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
    let mut session = Session::new(first_sequence());
    let mut host = arguments.host.as_ref().unwrap_or(&arguments.start).clone();
    let mut seen = HashSet::new();
    for _ in 0..arguments.max_hosts.max(1) {
        match step(&mut session, &arguments, &host) {
            Ok(Some(next)) if seen.insert(next) => host = next.to_string(),
            Ok(Some(next)) => {
                complain(format_args!(
                    "{next} was there before: the servers follow each other"
                ));
                break;
            }
            Ok(None) => break,
            Err(error) => {
                complain(format_args!("{error}"));
                break;
            }
        }
    }
    ExitCode::SUCCESS
}

/// Prints the line of one host, and gives the address of the next.
fn step(
    session: &mut Session,
    arguments: &Arguments,
    host: &str,
) -> Result<Option<IpAddr>, String> {
    let mut connection = Connection::open(host, arguments.port, Family::Any).map_err(|error| {
        let reason = reason(&error);
        reason
            .strip_prefix("failed to lookup address information: ")
            .map_or_else(|| reason.clone(), str::to_owned)
    })?;
    let response = connection
        .ask(session, &Hop::request(), None)
        .map_err(|error| error.to_string())?;
    let hop = Hop::new(&response);
    let name = host
        .parse()
        .ok()
        .filter(|_| !arguments.numeric)
        .and_then(ntp_os::reverse_name);
    let line = hop.line(name.as_deref().unwrap_or(host));
    // Whoever reads it may have seen enough.
    if writeln!(io::stdout(), "{line}").is_err() {
        return Ok(None);
    }
    let Some(request) = hop.request_next() else {
        return Ok(None);
    };
    let response = connection
        .ask(session, &request, None)
        .map_err(|error| error.to_string())?;
    Ok(Hop::next(&response))
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
