//! The command line.

use std::{net::IpAddr, path::PathBuf, time::Duration as Elapsed};

use clap::{ArgAction, Parser};
use ntp_os::{ClockSpec, Family};
use ntp_wire::{KeyId, Version};

use crate::survey::Terms;

/// Sets the date and time by NTP.
#[derive(Debug, Parser)]
#[command(
    name = "ntpdate",
    disable_version_flag = true,
    after_help = "Exit codes: 0 the clock was set, or with -q could be; 1 it was not; 2 usage."
)]
pub(crate) struct Arguments {
    /// Only use IPv4 addresses
    #[arg(short = '4', conflicts_with = "ipv6")]
    ipv4: bool,
    /// Only use IPv6 addresses
    #[arg(short = '6')]
    ipv6: bool,
    /// Authenticate with this key of the key file
    #[arg(short = 'a', value_name = "KEY", value_parser = key_id)]
    pub(crate) key: Option<KeyId>,
    /// Always step the clock, however small the offset
    #[arg(short = 'b')]
    pub(crate) step: bool,
    /// Always slew the clock, however large the offset
    #[arg(short = 'B', conflicts_with = "step")]
    pub(crate) slew: bool,
    /// Tell what is done; do not set the clock
    #[arg(short = 'd', action = ArgAction::Count)]
    pub(crate) debug: u8,
    /// Accepted for compatibility: the time of sending is read after the MAC was made
    #[arg(short = 'e', value_name = "SECONDS", value_parser = seconds, allow_hyphen_values = true)]
    _authentication_delay: Option<Elapsed>,
    /// The key file
    #[arg(short = 'k', value_name = "FILE", default_value = "/etc/ntp.keys")]
    pub(crate) key_file: PathBuf,
    /// The NTP version of the requests, 1 to 4
    #[arg(short = 'o', value_name = "VERSION", default_value = "4", value_parser = version)]
    pub(crate) ntp_version: Version,
    /// How many samples to take of each server, 1 to 8 [default: 4, with -q 1]
    #[arg(short = 'p', value_name = "SAMPLES", value_parser = clap::value_parser!(u8).range(1..=8))]
    samples: Option<u8>,
    /// Only ask; do not set the clock
    #[arg(short = 'q')]
    pub(crate) query: bool,
    /// Write to the system log instead of the standard output
    #[arg(short = 's')]
    pub(crate) syslog: bool,
    /// How long to wait for an answer
    #[arg(short = 't', value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub(crate) timeout: Elapsed,
    /// Send from a port that needs no privilege
    #[arg(short = 'u')]
    unprivileged: bool,
    /// Tell the version of the program
    #[arg(short = 'v')]
    pub(crate) version: bool,
    /// The port of the servers; if it is another one, send from a port that needs no privilege
    #[arg(long, value_name = "N", default_value_t = Arguments::NTP_PORT)]
    pub(crate) port: u16,
    /// The clock to set: kernel, none, or virtual:offset=SECONDS,freq=PPM,state=FILE
    #[arg(long, value_name = "SPEC", default_value = "kernel")]
    pub(crate) clock: ClockSpec,
    /// The address of this machine to send from
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source: Option<IpAddr>,
    /// The servers to ask, by name or address
    #[arg(value_name = "SERVER")]
    pub(crate) servers: Vec<String>,
}

impl Arguments {
    /// The port of NTP.
    pub(crate) const NTP_PORT: u16 = 123;

    /// Whether the clock is to be set at all.
    pub(crate) const fn sets_clock(&self) -> bool {
        !self.query && self.debug == 0
    }

    /// How servers are asked.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            port: self.port,
            family: self.family(),
            source: self.source,
            source_port: self.source_port(),
            samples: self.samples(),
            version: self.ntp_version,
            timeout: self.timeout,
        }
    }

    /// How many samples to take of each server.
    fn samples(&self) -> usize {
        let default = if self.query { 1 } else { 4 };
        self.samples.unwrap_or(default).into()
    }

    /// The port to send from; 0 for any.
    const fn source_port(&self) -> u16 {
        if self.unprivileged || !self.sets_clock() || self.port != Self::NTP_PORT {
            0
        } else {
            Self::NTP_PORT
        }
    }

    /// The addresses that can be used.
    const fn family(&self) -> Family {
        match self.source {
            _ if self.ipv4 => Family::V4,
            _ if self.ipv6 => Family::V6,
            Some(IpAddr::V4(_)) => Family::V4,
            Some(IpAddr::V6(_)) => Family::V6,
            None => Family::Any,
        }
    }
}

pub(crate) fn key_id(text: &str) -> Result<KeyId, String> {
    text.parse()
        .ok()
        .map(KeyId::new)
        .filter(|id| id.is_symmetric())
        .ok_or_else(|| format!("a key has a number from 1 to {}", KeyId::HIGHEST_SYMMETRIC))
}

pub(crate) fn version(text: &str) -> Result<Version, String> {
    match text {
        "1" => Ok(Version::V1),
        "2" => Ok(Version::V2),
        "3" => Ok(Version::V3),
        "4" => Ok(Version::V4),
        _ => Err("the versions of NTP are 1, 2, 3 and 4".to_owned()),
    }
}

pub(crate) fn seconds(text: &str) -> Result<Elapsed, String> {
    const MOST: f64 = 3600.0;
    text.parse()
        .ok()
        .filter(|seconds| (0.0..=MOST).contains(seconds))
        .map(Elapsed::from_secs_f64)
        .ok_or_else(|| format!("a number of seconds from 0 to {MOST} is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Arguments {
        Arguments::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn clusters_and_attached_values_are_taken() {
        let arguments = parse("ntpdate -4bup2 -t0.5 -o3 -a 7 -e 0.01 one two");
        assert!(arguments.step && !arguments.slew);
        assert_eq!(arguments.family(), Family::V4);
        assert_eq!(arguments.samples(), 2);
        assert_eq!(arguments.timeout, Elapsed::from_millis(500));
        assert_eq!(arguments.ntp_version, Version::V3);
        assert_eq!(arguments.key, Some(KeyId::new(7)));
        assert_eq!(arguments.servers, ["one", "two"]);
    }

    #[test]
    fn the_port_is_a_privileged_one_only_for_setting() {
        for (line, port) in [
            ("ntpdate a", 123),
            ("ntpdate -b a", 123),
            ("ntpdate -u a", 0),
            ("ntpdate -q a", 0),
            ("ntpdate -d a", 0),
            ("ntpdate --port 1123 a", 0),
        ] {
            assert_eq!(parse(line).source_port(), port, "{line}");
        }
        assert!(!parse("ntpdate -d a").sets_clock());
        assert_eq!(parse("ntpdate a").samples(), 4);
        assert_eq!(parse("ntpdate -q a").samples(), 1);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "ntpdate -p 9 a",
            "ntpdate -p 0 a",
            "ntpdate -o 5 a",
            "ntpdate -a 0 a",
            "ntpdate -a 65536 a",
            "ntpdate -t nan a",
            "ntpdate -t -1 a",
            "ntpdate -b -B a",
            "ntpdate -4 -6 a",
            "ntpdate --clock sundial a",
        ] {
            assert!(
                Arguments::try_parse_from(line.split(' ')).is_err(),
                "{line}"
            );
        }
    }
}
