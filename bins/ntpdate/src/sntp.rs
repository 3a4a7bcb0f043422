//! sntp: the order of things, and its one line.

use std::{net::IpAddr, path::PathBuf, process::ExitCode, time::Duration as Elapsed};

use clap::{ArgAction, Parser};
use jiff::{Timestamp as CivilTimestamp, tz::TimeZone};
use ntp_discipline::{Adjustment, Applied, Clock};
use ntp_os::{ClockSpec, Family, SystemClock};
use ntp_wire::{Duration, KeyId, Leap, Timestamp, Version};

use crate::{
    arguments::{Arguments as Ntpdate, key_id, seconds, version},
    credential::Credential,
    exchange::Answer,
    failure::Failure,
    journal::Journal,
    selection,
    survey::{self, Survey, Terms},
};

/// The exit code where no server was named, as of the reference's programs.
const USAGE: u8 = 64;

/// Asks NTP servers for the time, and says how far the clock is off.
#[derive(Debug, Parser)]
#[command(
    name = "sntp",
    version,
    after_help = "Exit codes: 0 a server answered, and the clock was set if it should be; \
                  1 none did, or it could not; 2 and 64 usage."
)]
struct Arguments {
    /// Only use IPv4 addresses
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Only use IPv6 addresses
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Authenticate with this key of the key file
    #[arg(short = 'a', long = "authentication", value_name = "KEY", value_parser = key_id)]
    key: Option<KeyId>,
    /// A server to ask, as those without an option: all their addresses are asked
    #[arg(short = 'c', long = "concurrent", value_name = "SERVER")]
    concurrent: Vec<String>,
    /// Tell what is done
    #[arg(short = 'd', long = "debug-level", action = ArgAction::Count)]
    debug: u8,
    /// Accepted for compatibility: servers are asked 200 ms after one another
    #[arg(short = 'g', long = "gap", value_name = "MILLISECONDS")]
    _gap: Option<u32>,
    /// Accepted for compatibility: refusals are not remembered
    #[arg(short = 'K', long = "kod", value_name = "FILE")]
    _refusals: Option<PathBuf>,
    /// The key file
    #[arg(
        short = 'k',
        long = "keyfile",
        value_name = "FILE",
        default_value = "/etc/ntp.keys"
    )]
    key_file: PathBuf,
    /// With -S and -s: slew what is not more than this, step what is
    #[arg(short = 'M', long = "steplimit", value_name = "MILLISECONDS")]
    step_limit: Option<u32>,
    /// The NTP version of the requests, 1 to 4
    #[arg(short = 'o', long = "ntpversion", value_name = "VERSION", default_value = "4",
          value_parser = version)]
    ntp_version: Version,
    /// Send from port 123
    #[arg(short = 'r', long = "usereservedport")]
    reserved_port: bool,
    /// Step the clock
    #[arg(short = 'S', long)]
    step: bool,
    /// Slew the clock
    #[arg(short = 's', long)]
    slew: bool,
    /// How long to wait for an answer
    #[arg(short = 't', long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    timeout: Elapsed,
    /// Accepted for compatibility: all servers are waited for
    #[arg(long = "wait", overrides_with = "_no_wait")]
    _wait: bool,
    /// Accepted for compatibility
    #[arg(long = "no-wait")]
    _no_wait: bool,
    /// The port of the servers
    #[arg(long, value_name = "N", default_value_t = Ntpdate::NTP_PORT)]
    port: u16,
    /// The clock to set: kernel, none, or virtual:offset=SECONDS,freq=PPM,state=FILE
    #[arg(long, value_name = "SPEC", default_value = "kernel")]
    clock: ClockSpec,
    /// The address of this machine to send from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// The servers to ask, by name or address
    #[arg(value_name = "SERVER")]
    servers: Vec<String>,
}

impl Arguments {
    const fn sets_clock(&self) -> bool {
        self.step || self.slew
    }

    /// Whether an offset is stepped away, if the clock is set.
    fn steps(&self, offset: Duration) -> bool {
        let limit = self.step_limit.map(|limit| f64::from(limit) * 1e-3);
        let is_large = limit.is_none_or(|limit| offset.abs().to_seconds_f64() > limit);
        self.step && (!self.slew || is_large)
    }

    fn terms(&self) -> Terms {
        Terms {
            port: self.port,
            family: match self.source {
                _ if self.ipv4 => Family::V4,
                _ if self.ipv6 => Family::V6,
                Some(IpAddr::V4(_)) => Family::V4,
                Some(IpAddr::V6(_)) => Family::V6,
                None => Family::Any,
            },
            source: self.source,
            source_port: if self.reserved_port {
                Ntpdate::NTP_PORT
            } else {
                0
            },
            samples: 1,
            version: self.ntp_version,
            timeout: self.timeout,
        }
    }
}

/// Runs sntp with the arguments of the process.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut journal = Journal::open("sntp", false, arguments.debug > 0);
    match run(&arguments, &mut journal) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            journal.error(&failure.to_string());
            ExitCode::from(match failure {
                Failure::NothingAsked => USAGE,
                _ => 1,
            })
        }
    }
}

fn run(arguments: &Arguments, journal: &mut Journal) -> Result<(), Failure> {
    let names = [&arguments.concurrent[..], &arguments.servers[..]].concat();
    if names.is_empty() {
        return Err(Failure::NothingAsked);
    }
    let mut clock = SystemClock::open(&arguments.clock)?;
    if arguments.sets_clock() {
        if arguments.clock == ClockSpec::None {
            return Err(Failure::ClockNeverSet);
        }
        clock.check_permission().map_err(Failure::CannotSet)?;
    }
    let credential = match arguments.key {
        Some(id) => Some(Credential::load(&arguments.key_file, id, journal)?),
        None => None,
    };
    let terms = arguments.terms();
    let servers = survey::find_servers(&names, &terms, journal);
    if servers.is_empty() {
        return Err(Failure::NoServers);
    }
    let mut survey = Survey::open(&terms, credential, servers)?;
    survey.run(&clock, journal)?;
    let servers = survey.into_servers();
    for server in servers.iter().filter(|server| server.is_silent()) {
        let (address, wait) = (server.address.ip(), terms.timeout.as_secs_f64());
        journal.error(&format!("{address} no UCST response after {wait} seconds"));
    }
    let selected = selection::select(&servers, journal);
    let (server, offset) = selected.ok_or(Failure::NoneSuitable)?;
    if let Some(answer) = server.best() {
        let address = server.address.ip();
        let host = match names.as_slice() {
            [name] => name.as_str(),
            _ => "",
        };
        journal.print(&line(host, address, answer));
    }
    if !arguments.sets_clock() {
        return Ok(());
    }
    let applied = if arguments.steps(offset) {
        clock.adjust(&Adjustment::Step(offset))
    } else {
        clock.slew(offset)
    };
    match applied {
        Ok(Applied::Ignored) => Err(Failure::ClockNeverSet),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::CannotSet(error)),
    }
}

/// `2026-11-23 23:30:24.664787 (+0000) -0.001617 +/- 0.011133 time.example 192.0.2.1 s2 no-leap`
///
/// The time is that of the answer by this clock; behind `+/-` stands the most that the offset can
/// be wrong by, if the server is right about itself.
fn line(host: &str, address: IpAddr, answer: &Answer) -> String {
    let header = &answer.header;
    let delay = answer.delay.max(Duration::ZERO);
    let error = (delay + header.root_delay.to_duration()) / 2
        + header.root_dispersion.to_duration()
        + header.precision.to_duration();
    let host = match host.parse::<IpAddr>() {
        Err(_) if !host.is_empty() => format!("{host} "),
        _ => String::new(),
    };
    format!(
        "{} {:+.6} +/- {:.6} {host}{address} s{} {}",
        civil_time(answer.sent + answer.delay),
        answer.offset.to_seconds_f64(),
        error.to_seconds_f64(),
        header.stratum,
        match header.leap {
            Leap::None => "no-leap",
            Leap::Insert => "add-leap",
            Leap::Delete => "del-leap",
            Leap::Unsynchronised => "unsync",
        }
    )
}

/// In the machine's time zone.
fn civil_time(time: Timestamp) -> String {
    let (seconds, nanoseconds) = time.to_unix();
    match CivilTimestamp::new(seconds, nanoseconds as i32) {
        Ok(time) => time
            .to_zoned(TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S.%6f (%z)")
            .to_string(),
        Err(_) => "beyond the calendar".to_owned(),
    }
}
