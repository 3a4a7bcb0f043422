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
mod picture;
mod question;
mod sampler;
mod screen;
mod snapshot;
mod text;
mod verdict;

use std::{
    io::{self, Write},
    process::ExitCode,
    thread,
    time::Duration,
};

use clap::Parser;
use ratatui::{Terminal, backend::TestBackend};

use crate::{
    arguments::Arguments,
    monitor::Monitor,
    sampler::{Sampler, wall_clock},
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.once {
        return once(&arguments);
    }
    if let Some(answers) = arguments.picture {
        return picture(&arguments, answers);
    }
    match live::watch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("no screen: {error}; --once prints plain text"));
            ExitCode::FAILURE
        }
    }
}

/// Asks so many times, and prints the screen of then.
fn picture(arguments: &Arguments, answers: u16) -> ExitCode {
    let mut sampler = Sampler::new(&arguments.host, arguments.port);
    let mut monitor = Monitor::new(&arguments.host);
    for answer in 0..answers {
        if answer > 0 {
            thread::sleep(Duration::from_secs(arguments.interval.into()));
        }
        match sampler.sample() {
            Ok(snapshot) => monitor.take(snapshot),
            Err(error) => monitor.miss(wall_clock(), error.to_string()),
        }
    }
    let backend = TestBackend::new(arguments.columns, arguments.rows);
    let Ok(mut terminal) = Terminal::new(backend);
    let Ok(_) = terminal.draw(|frame| screen::draw(frame, &monitor));
    let text = picture::svg(terminal.backend().buffer());
    let _ = write!(io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn once(arguments: &Arguments) -> ExitCode {
    match Sampler::new(&arguments.host, arguments.port).sample() {
        Ok(snapshot) => {
            // Who wants the first lines only may have closed it.
            let _ = write!(io::stdout(), "{}", text::text(&arguments.host, &snapshot));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("{}: {error}", arguments.host));
            ExitCode::FAILURE
        }
    }
}

/// Says what is wrong, if anybody reads it.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "ntpmon: {text}");
}
