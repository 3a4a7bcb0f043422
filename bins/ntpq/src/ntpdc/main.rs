//! ntpdc: asks an NTP daemon for its state in private messages, or changes it.
#![forbid(unsafe_code)]

mod arguments;
mod change;
mod command;
mod settings;
mod shell;

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{ArgAction, Parser};
use ntp_os::complain;
use ntpq::{Family, Lines};

use crate::shell::{Output, Settings, Shell, Step};

/// Asks an NTP daemon for its state, with private messages (mode 7).
///
/// The daemon must have `enable mode7` in its configuration. Without -c, -l, -p or -s commands are
/// read; `help` lists them. ntpq does more, and needs nothing to be enabled.
#[derive(Debug, Parser)]
#[command(name = "ntpdc", version, disable_help_flag = true)]
struct Arguments {
    /// Use IPv4 addresses of host names only.
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 addresses of host names only.
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Run this command and exit; may be given several times.
    #[arg(short = 'c', long = "command", value_name = "COMMAND")]
    commands: Vec<String>,
    /// Tell more of what happens; may be given several times.
    #[arg(short, long = "debug-level", action = ArgAction::Count)]
    debug: u8,
    /// Set how much to tell.
    #[arg(short = 'D', long, value_name = "LEVEL")]
    set_debug_level: Option<u8>,
    /// Read commands from standard input even if it is no terminal, with prompts.
    #[arg(short, long, conflicts_with_all = ["commands", "listpeers", "peers", "showpeers"])]
    interactive: bool,
    /// Print a list of the sources; the same as -c listpeers.
    #[arg(short, long)]
    listpeers: bool,
    /// Show addresses, not names.
    #[arg(short, long)]
    numeric: bool,
    /// Print the table of sources; the same as -c peers.
    #[arg(short, long)]
    peers: bool,
    /// Print that table with other marks; the same as -c dmpeers.
    #[arg(short, long)]
    showpeers: bool,
    /// Ask at this UDP port.
    #[arg(long, value_name = "PORT", default_value_t = 123)]
    port: u16,
    /// Print this help.
    #[arg(short = '?', long, action = ArgAction::Help)]
    help: Option<bool>,
    /// The hosts to ask; localhost if there are none.
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
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
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ntpdc: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<()> {
    let mut shell = Shell::new(Settings {
        family: match (arguments.ipv4, arguments.ipv6) {
            (true, _) => Family::Ipv4,
            (_, true) => Family::Ipv6,
            _ => Family::Any,
        },
        port: arguments.port,
        names: !arguments.numeric,
        debug: arguments.set_debug_level.unwrap_or(arguments.debug),
    });
    let mut commands = arguments.commands;
    for (is_wanted, command) in [
        (arguments.listpeers, "listpeers"),
        (arguments.peers, "peers"),
        (arguments.showpeers, "dmpeers"),
    ] {
        commands.extend(is_wanted.then(|| command.to_owned()));
    }
    let mut hosts = arguments.hosts;
    if hosts.is_empty() {
        hosts.push("localhost".to_owned());
    }
    if commands.is_empty() {
        if let Some(host) = hosts.first() {
            shell.open(host);
        }
        return converse(&mut shell, arguments.interactive);
    }
    for host in &hosts {
        if !shell.open(host) {
            continue;
        }
        for command in &commands {
            if hosts.len() > 1 {
                print(&Output::Text(format!("--- {host} ---\n")))?;
            }
            if obey(&mut shell, command)? == Step::Quit {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads commands until they end.
fn converse(shell: &mut Shell, forced: bool) -> io::Result<()> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let names = command::names().collect();
    let mut lines = Lines::open(is_terminal, forced, "ntpdc", names)?;
    while let Some(line) = lines.next_line()? {
        if obey(shell, &line)? == Step::Quit {
            break;
        }
    }
    Ok(())
}

/// Obeys a line, and prints what comes of it.
fn obey(shell: &mut Shell, line: &str) -> io::Result<Step> {
    let (output, step) = shell.obey(line);
    print(&output)?;
    Ok(step)
}

fn print(output: &Output) -> io::Result<()> {
    match output {
        Output::Text(text) => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            stdout.flush()
        }
        Output::File(path, text) => {
            if let Err(error) = std::fs::write(path, text) {
                complain(format_args!(
                    "***Error opening {path}: {}",
                    ntpq::reason(&error)
                ));
            }
            Ok(())
        }
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

    #[test]
    fn options_of_the_reference_are_understood() {
        let arguments = Arguments::try_parse_from(["ntpdc", "-4nlps", "-c", "as", "a"]).unwrap();
        assert!(arguments.ipv4 && arguments.numeric && arguments.listpeers);
        assert!(arguments.peers && arguments.showpeers && !arguments.interactive);
        assert_eq!(
            (arguments.commands, arguments.hosts),
            (vec!["as".into()], vec!["a".into()])
        );
    }
}
