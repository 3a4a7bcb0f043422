//! The command line, as ntpd 4.2.8 has it, with some long options of our own.

use std::path::PathBuf;

use clap::{ArgAction, Parser};
use ntp_os::ClockSpec;

/// Network Time Protocol daemon.
///
/// Reads /etc/ntp.conf, keeps this machine's clock right and serves its time. The options and the
/// configuration are those of the classic ntpd.
#[derive(Parser, Debug)]
#[command(
    name = "ntpd",
    version,
    disable_help_flag = true,
    args_override_self = true
)]
pub(crate) struct Arguments {
    /// Use IPv4 only
    #[arg(short = '4', long = "ipv4", conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long = "ipv6")]
    pub(crate) ipv6: bool,
    /// The configuration file
    #[arg(
        short = 'c',
        long = "configfile",
        value_name = "FILE",
        default_value = "/etc/ntp.conf"
    )]
    pub(crate) configuration: PathBuf,
    /// Keep the frequency of the clock in this file
    #[arg(short = 'f', long = "driftfile", value_name = "FILE")]
    pub(crate) drift_file: Option<PathBuf>,
    /// Let the first correction be larger than the panic threshold
    #[arg(short = 'g', long = "panicgate", action = ArgAction::Count)]
    pub(crate) panic_gate: u8,
    /// Step the first correction, however small
    #[arg(short = 'G', long = "force_step_once", alias = "force-step-once")]
    pub(crate) force_step_once: bool,
    /// Confine the daemon to this directory
    #[arg(short = 'i', long = "jaildir", value_name = "DIRECTORY")]
    pub(crate) jail: Option<PathBuf>,
    /// Listen on this interface or address only (may be repeated)
    #[arg(short = 'I', long = "interface", value_name = "NAME|ADDRESS", action = ArgAction::Append)]
    pub(crate) interfaces: Vec<String>,
    /// The file of symmetric keys
    #[arg(short = 'k', long = "keyfile", value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Write the log to this file
    #[arg(short = 'l', long = "logfile", value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Do not listen on virtual interfaces, whose names have a colon
    #[arg(short = 'L', long = "novirtualips")]
    pub(crate) no_virtual_addresses: bool,
    /// Stay in the foreground and log to standard error
    #[arg(short = 'n', long = "nofork")]
    pub(crate) foreground: bool,
    /// Run with high priority
    #[arg(short = 'N', long = "nice")]
    pub(crate) nice: bool,
    /// Write the process number to this file
    #[arg(short = 'p', long = "pidfile", value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// Set the clock once and end
    #[arg(short = 'q', long = "quit")]
    pub(crate) quit: bool,
    /// The directory of statistics files
    #[arg(short = 's', long = "statsdir", value_name = "DIRECTORY")]
    pub(crate) statistics: Option<PathBuf>,
    /// Trust the key of this number (may be repeated)
    #[arg(short = 't', long = "trustedkey", value_name = "KEY", action = ArgAction::Append)]
    pub(crate) trusted_keys: Vec<u32>,
    /// Run as this user, and group
    #[arg(short = 'u', long = "user", value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// Look for new interfaces so often; 0 is never
    #[arg(
        short = 'U',
        long = "updateinterval",
        value_name = "SECONDS",
        default_value_t = 300
    )]
    pub(crate) update_interval: u32,
    /// Slew corrections up to 600 s
    #[arg(short = 'x', long = "slew")]
    pub(crate) slew: bool,
    /// Say more of what is going on (may be repeated)
    #[arg(short = 'd', long = "debug-level", action = ArgAction::Count)]
    pub(crate) debug: u8,
    /// Say so much more of what is going on
    #[arg(short = 'D', long = "set-debug-level", value_name = "LEVEL")]
    pub(crate) debug_level: Option<u8>,
    /// Check the configuration, say what is wrong with it, and end
    #[arg(long)]
    pub(crate) check_config: bool,
    /// Carry out the simulation of this file, print its table, draw its plot, and end
    #[arg(long, value_name = "FILE")]
    pub(crate) simulate: Option<PathBuf>,
    /// Draw the plot of the simulation to this file; the default is FILE with the ending .svg
    #[arg(long, value_name = "FILE", requires = "simulate")]
    pub(crate) plot: Option<PathBuf>,
    /// Listen on this UDP port and ask servers on it
    #[arg(long, value_name = "PORT", default_value_t = 123)]
    pub(crate) port: u16,
    /// The clock to keep right: kernel, none, or virtual:offset=SECONDS,freq=PPM,state=FILE (each optional)
    #[arg(long, value_name = "CLOCK", default_value = "kernel")]
    pub(crate) clock: ClockSpec,
    /// Print this text
    #[arg(short = '?', long = "help", action = ArgAction::Help)]
    help: Option<bool>,
}
