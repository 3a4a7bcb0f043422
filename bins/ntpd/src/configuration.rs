//! Reading ntp.conf, and saying what is wrong with it.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use ntp_conf::{Config, Parsed};
use ntp_engine::Severity;
use ntp_os::{complain, read_file};

use crate::arguments::Arguments;

/// No configuration is longer.
const LONGEST: u64 = 16 << 20;

/// A configuration, and a line for each thing that is wrong with it.
pub(crate) struct Read {
    pub(crate) config: Config,
    pub(crate) problems: Vec<(Severity, String)>,
}

/// Reads the configuration file and what it includes, and adds what the command line says.
///
/// # Errors
///
/// If the file can't be read. What is wrong in it is no error: the rest is used.
pub(crate) fn read(arguments: &Arguments) -> Result<Read, String> {
    let parsed = parse(&arguments.configuration)?;
    let problems = parsed
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let severity = match diagnostic.severity {
                ntp_conf::Severity::Error => Severity::Error,
                ntp_conf::Severity::Warning => Severity::Warning,
                ntp_conf::Severity::Note => Severity::Information,
            };
            // The log marks the severity itself.
            let place = &diagnostic.location;
            let hint = diagnostic.hint.as_ref().map(|hint| format!("; {hint}"));
            let line = format!(
                "{}:{}:{}: {}{}",
                place.file,
                place.line,
                place.column,
                diagnostic.message,
                hint.unwrap_or_default()
            );
            (severity, line)
        })
        .collect();
    let mut config = parsed.config;
    if let Some(file) = &arguments.key_file {
        config.keys.file = Some(file.clone());
    }
    for &id in &arguments.trusted_keys {
        let id = ntp_wire::KeyId::new(id);
        config.keys.trusted.push(ntp_conf::KeyRange {
            first: id,
            last: id,
        });
    }
    Ok(Read { config, problems })
}

/// `--check-config`: says all that is wrong. 0 if nothing is.
pub(crate) fn check(arguments: &Arguments) -> ExitCode {
    let parsed = match parse(&arguments.configuration) {
        Ok(parsed) => parsed,
        Err(error) => {
            complain(format_args!("ntpd: {error}"));
            return ExitCode::FAILURE;
        }
    };
    for diagnostic in &parsed.diagnostics {
        complain(format_args!("{}\n", diagnostic.render(&parsed.sources)));
    }
    let problems = parsed
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity != ntp_conf::Severity::Note)
        .count();
    if problems == 0 {
        let path = arguments.configuration.display();
        let _ = writeln!(io::stdout(), "{path}: no problems");
        return ExitCode::SUCCESS;
    }
    complain(format_args!(
        "{}: {problems} {}",
        arguments.configuration.display(),
        if problems == 1 { "problem" } else { "problems" }
    ));
    ExitCode::FAILURE
}

fn parse(path: &Path) -> Result<Parsed, String> {
    let text = load(path)?;
    Ok(ntp_conf::parse(&path.to_string_lossy(), &text, |path| {
        load(path)
    }))
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    read_file(path, LONGEST)
        .map(|contents| contents.bytes)
        .map_err(|error| error.to_string())
}
