//! ntpd: the Network Time Protocol daemon. It keeps this machine's clock right and serves its
//! time; see the guide for its configuration.

mod arguments;
mod cards;
mod configuration;
mod drift;
mod driver;
mod driver_answers;
mod identity;
mod identity_watch;
mod key_client;
mod key_service;
mod keys_file;
mod leap_file;
mod log;
mod metrics_server;
mod nts;
mod nts_files;
mod saved_configuration;
mod signals;
mod simulate;
mod sockets;
mod start;
mod statistics;
mod team;
mod token;
mod worker;

use std::{io::Write, process::ExitCode};

use clap::Parser;
use ntp_engine::Exit;
use ntp_os::complain;

use crate::{arguments::Arguments, driver::Ended, log::Log, start::StartError};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.check_config {
        return configuration::check(&arguments);
    }
    if let Some(file) = &arguments.simulate {
        return simulate::run(file, arguments.plot.as_deref());
    }
    match start::run(&arguments) {
        Ok((ended, log)) => conclude(&ended, log),
        Err(error) => fail(&arguments, &error),
    }
}

/// Says how it ended, in the reference's words, and gives its exit code.
fn conclude(ended: &Ended, mut log: Log) -> ExitCode {
    let (text, code) = match ended {
        Ended::Signal(signal) => {
            log.information(&format!("ntpd exiting on signal {signal}"));
            return ExitCode::SUCCESS;
        }
        Ended::Exit(Exit::Stepped(offset)) => (
            format!("ntpd: time set {:+.6}s", offset.to_seconds_f64()),
            0,
        ),
        Ended::Exit(Exit::Slewed(offset)) => (
            format!("ntpd: time slew {:+.6}s", offset.to_seconds_f64()),
            0,
        ),
        Ended::Exit(Exit::Refused) => ("ntpd: the clock could not be set".to_owned(), 1),
        Ended::Exit(Exit::NoServers) => ("ntpd: no servers found".to_owned(), 1),
        // The reference's -1; what is wrong was logged.
        Ended::Exit(Exit::Panic(_)) => return ExitCode::from(255),
    };
    // Whoever reads it may be gone.
    let _ = writeln!(std::io::stdout(), "{text}");
    log.information(text.trim_start_matches("ntpd: "));
    ExitCode::from(code)
}

fn fail(arguments: &Arguments, error: &StartError) -> ExitCode {
    let (mut log, _) = Log::open(arguments.log_file.as_deref(), arguments.foreground);
    log.error(&error.to_string());
    if !arguments.foreground {
        complain(format_args!("ntpd: {error}"));
    }
    ExitCode::FAILURE
}
