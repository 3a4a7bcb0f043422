//! ntpq: asks an NTP daemon for its state, or changes it.

mod authority;
mod clients;
mod command;
mod json;
mod queries;
mod settings;
mod shell;

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, ValueEnum};
use ntp_os::complain;
use ntpq::{Family, Lines};

use crate::shell::{Output, Shell, Step};

/// Asks an NTP daemon for its state, with the control messages of RFC 9327.
///
/// Without -c, -p or -i, and with a terminal, commands are read from it; `help` lists them.
#[derive(Debug, Parser)]
#[command(name = "ntpq", version, disable_help_flag = true)]
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
    #[arg(short, long, conflicts_with_all = ["commands", "peers"])]
    interactive: bool,
    /// Say everything as JSON: an object on a line for each command.
    #[arg(long)]
    json: bool,
    /// Show addresses, not names.
    #[arg(short, long)]
    numeric: bool,
    /// Print the status line even where only some variables are asked for.
    #[arg(long)]
    old_rv: bool,
    /// Print the table of peers; the same as -c peers.
    #[arg(short, long)]
    peers: bool,
    /// How to show the reference identifier of servers that follow another.
    #[arg(short, long, value_name = "KIND", default_value = "ipv4")]
    refid: ReferenceIdStyle,
    /// Show the names of peers whole, on a line of their own if they are long.
    #[arg(short, long)]
    wide: bool,
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

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ReferenceIdStyle {
    /// The 32 bits.
    Hash,
    /// As an IPv4 address.
    Ipv4,
}

impl Arguments {
    /// The arguments, with `peers` among the commands where -p stands among them.
    fn in_order(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(words)?;
        let mut arguments = Self::from_arg_matches(&matches)?;
        if arguments.peers
            && let Some(peers) = matches.index_of("peers")
        {
            let before = matches.indices_of("commands").map_or(0, |indices| {
                indices.filter(|&command| command < peers).count()
            });
            arguments.commands.insert(before, "peers".to_owned());
        }
        Ok(arguments)
    }
}

fn main() -> ExitCode {
    let arguments = match Arguments::in_order(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a closed standard output.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("ntpq: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> io::Result<()> {
    let mut hosts = arguments.hosts.clone();
    if hosts.is_empty() {
        hosts.push("localhost".to_owned());
    }
    let mut shell = Shell::new(shell::Settings {
        family: match (arguments.ipv4, arguments.ipv6) {
            (true, _) => Family::Ipv4,
            (_, true) => Family::Ipv6,
            _ => Family::Any,
        },
        port: arguments.port,
        names: !arguments.numeric,
        wide: arguments.wide,
        old_status_line: arguments.old_rv,
        reference_id_as_hash: arguments.refid == ReferenceIdStyle::Hash,
        json: arguments.json,
        debug: arguments.set_debug_level.unwrap_or(arguments.debug),
        hosts: hosts.clone(),
    });
    if arguments.commands.is_empty() {
        if let Some(host) = hosts.first() {
            shell.open(host);
        }
        return converse(&mut shell, arguments.interactive);
    }
    let mut any_ran = false;
    for host in &hosts {
        if !shell.open(host) {
            continue;
        }
        for command in &arguments.commands {
            if any_ran && !arguments.json {
                print(&Output::Text("\n".to_owned()))?;
            }
            let obeyed = shell.obey(command);
            any_ran |= obeyed.ran;
            print(&obeyed.output)?;
            if obeyed.step == Step::Quit {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Reads commands until they end.
fn converse(shell: &mut Shell, forced: bool) -> io::Result<()> {
    let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
    let mut lines = Lines::open(is_terminal, forced, "ntpq", command::names().collect())?;
    while let Some(line) = lines.next_line()? {
        let obeyed = shell.obey(&line);
        print(&obeyed.output)?;
        if obeyed.step == Step::Quit {
            break;
        }
    }
    Ok(())
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
    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_table_of_peers_comes_where_it_stands() {
        for (line, commands) in [
            ("ntpq -p -c rv", ["peers", "rv"]),
            ("ntpq -c rv -p", ["rv", "peers"]),
            ("ntpq -npcrv", ["peers", "rv"]),
        ] {
            let words = line.split(' ').map(OsString::from);
            assert_eq!(Arguments::in_order(words).unwrap().commands, commands);
        }
    }

    #[test]
    fn options_of_the_reference_are_understood() {
        let arguments =
            Arguments::try_parse_from(["ntpq", "-46", "-c", "as"]).map(|arguments| arguments.ipv4);
        assert!(arguments.is_err());
        let arguments =
            Arguments::try_parse_from(["ntpq", "-4npw", "-dd", "-c", "rv 0", "a", "b"]).unwrap();
        assert!(arguments.ipv4 && arguments.numeric && arguments.peers && arguments.wide);
        assert_eq!(arguments.debug, 2);
        assert_eq!(arguments.commands, ["rv 0"]);
        assert_eq!(arguments.hosts, ["a", "b"]);
    }
}
