//! A scenario: what a simulation is to show, as a text file says it.

mod clock_words;
mod path_words;
mod reader;
#[cfg(test)]
mod tests;
mod tokens;

use core::{net::IpAddr, time::Duration as Elapsed};

use ntp_conf::Config;
use ntp_wire::{Duration, Ppm, Precision, Stratum};

pub use self::reader::{Problem, ScenarioError};
use crate::{ClockModel, Disturbance, Path};

/// A client, its servers, the network between them, and what befalls them.
///
/// ```
/// use ntp_sim::{Report, Scenario};
///
/// let text = "
///     title     a quiet network
///     duration  3600 s
///     warm-up   1800 s
///     ntp.conf {
///         server 10.0.0.1 iburst
///     }
///     client {
///         offset    5 ms
///         frequency 10 ppm
///     }
///     server 10.0.0.1 {
///         both 100 us + exp(10 us)
///     }
/// ";
/// let scenario = Scenario::parse("quiet.scenario", text, "")?;
/// let run = scenario.run(1);
/// assert_eq!(run.summary.rms, scenario.run(1).summary.rms); // the same seed, the same world
///
/// let report = Report::new(&scenario, vec![run.summary]);
/// assert!(report.to_string().contains("a quiet network"));
///
/// let error = Scenario::parse("bad.scenario", "duration 5 min", "").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "bad.scenario:1: `min` is no unit of time; use s, ms, us or ns"
/// );
/// # Ok::<(), ntp_sim::ScenarioError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Scenario {
    /// What it is called in tables.
    pub title: String,
    /// How long it lasts.
    pub duration: Elapsed,
    /// How much of the beginning is left out of the errors.
    pub warm_up: Elapsed,
    /// How many seeds a table of it has.
    pub seeds: u32,
    /// The client.
    pub client: Client,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// The client of a [`Scenario`]: a machine that runs the engine of ntpd.
#[derive(Clone, PartialEq, Debug)]
pub struct Client {
    /// Its ntp.conf.
    pub configuration: Config,
    /// Its command line.
    pub options: Options,
    /// What stands in its drift file, if it has one.
    pub drift: Option<Ppm>,
    /// How fine it thinks that its clock can be read.
    pub precision: Precision,
    /// Its clock.
    pub clock: ClockModel,
    /// What happens, in order of time.
    pub events: Vec<(Elapsed, ClientEvent)>,
}

/// The options of ntpd that say how to set the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// `-g`
    pub panic_once: bool,
    /// `-G`
    pub step_once: bool,
    /// `-x`
    pub slew: bool,
}

/// What happens to a client.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ClientEvent {
    /// Something that its daemon does not do.
    Disturbance(Disturbance),
    /// Its daemon ends and starts anew, with the drift file that it left.
    Restart,
}

/// A server of a [`Scenario`], which answers from its clock and nothing else.
#[derive(Clone, PartialEq, Debug)]
pub struct Server {
    /// Where it is.
    pub address: IpAddr,
    /// Its clock.
    pub clock: ClockModel,
    /// The steps that its clock makes, in order of time.
    pub steps: Vec<(Elapsed, Duration)>,
    /// What it says of its stratum.
    pub stratum: Stratum,
    /// What it says of its precision.
    pub precision: Precision,
    /// What it says of its root delay.
    pub root_delay: Duration,
    /// What it says of its root dispersion.
    pub root_dispersion: Duration,
    /// The way from the client to it.
    pub up: Path,
    /// The way from it to the client.
    pub down: Path,
}

impl Scenario {
    /// Reads a scenario from its text. `name` is for messages; `more` are lines of ntp.conf that
    /// are read after those of the scenario.
    ///
    /// # Errors
    ///
    /// [`ScenarioError`] at the first line that can't be used, lines of ntp.conf included.
    pub fn parse(name: &str, text: &str, more: &str) -> Result<Self, ScenarioError> {
        reader::read(name, text, more)
    }
}
