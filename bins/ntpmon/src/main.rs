//! ntpmon: one screen that shows how an NTP daemon is.
//!
//! `sampler` asks; `monitor` remembers; `screen` and `text` show. Only `question`, `sampler` and
//! `live` know sockets, the clock or the terminal.
#![forbid(unsafe_code)]

mod arguments;
mod authentication;
mod changes;
#[cfg(test)]
mod example;
mod figures;
mod live;
mod monitor;
mod question;
mod sampler;
mod screen;
mod snapshot;
mod text;
mod verdict;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;

use crate::{arguments::Arguments, sampler::Sampler};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.once {
        return once(&arguments);
    }
    match live::watch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ntpmon: no screen: {error}; --once prints plain text");
            ExitCode::FAILURE
        }
    }
}

fn once(arguments: &Arguments) -> ExitCode {
    match Sampler::new(&arguments.host, arguments.port).sample() {
        Ok(snapshot) => {
            // Who wants the first lines only may have closed it.
            let _ = write!(io::stdout(), "{}", text::text(&arguments.host, &snapshot));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ntpmon: {}: {error}", arguments.host);
            ExitCode::FAILURE
        }
    }
}
