//! From text to a scenario, or to what is wrong with it.

use core::{net::IpAddr, time::Duration as Elapsed};

use ntp_conf::{Config, ServerAddress, Severity};
use ntp_wire::{Duration, Precision, Stratum};

use super::{
    Client, ClientEvent, Options, Scenario, Server, clock_words,
    path_words::{self, PathWord},
    tokens::Tokens,
};
use crate::{ClockModel, Disturbance, Path};

/// How fine a clock is read if nothing else is said, as by a kernel on today's machines.
const PRECISION: Precision = Precision::new(-24);
/// No table has more seeds.
const MOST_SEEDS: u32 = 1000;
/// No simulation lasts longer: the error of each second is kept.
const LONGEST: Elapsed = Elapsed::from_secs(8_640_000);
/// The lines that are not of the scenario's file.
const MORE: &str = "--conf";

/// What is wrong with a scenario, and where.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct ScenarioError {
    /// The file.
    pub file: String,
    /// The line in it, counted from 1; the last one if something is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a line of a scenario, or with the whole of it.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A word that means nothing here.
    #[error("`{word}` is not known here; expected {known}")]
    Word {
        /// The word.
        word: String,
        /// What there is.
        known: &'static str,
    },
    /// Something else should stand here.
    #[error("expected {expected}, but {found}")]
    Unexpected {
        /// What should stand here.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Looks like a number and is none.
    #[error("`{0}` is no number")]
    Number(String),
    /// A unit that is none, or of another quantity.
    #[error("`{unit}` is no unit of {what}; use {units}")]
    Unit {
        /// The unit.
        unit: String,
        /// Of what it should be.
        what: &'static str,
        /// What there is.
        units: &'static str,
    },
    /// A number that is not whole, too small or too large.
    #[error("{number} should be a whole number from {least} to {most}")]
    Count {
        /// The number.
        number: f64,
        /// The least.
        least: u32,
        /// The most.
        most: u32,
    },
    /// More than all, or less than nothing.
    #[error("{0} % is no share; use 0 % to 100 %")]
    Share(f64),
    /// The first parameter of a distribution.
    #[error("{0} is no shape of a distribution; use 0.001 to 1000")]
    Shape(f64),
    /// How fine a clock is.
    #[error("{0} is no precision; use a power of two of a second, from -32 to 0")]
    Precision(f64),
    /// A time that may not be negative.
    #[error("a time here can't be negative")]
    Negative,
    /// A time of decades.
    #[error("no time here may be longer than 34 years")]
    TooLong,
    /// No address of a host.
    #[error("`{0}` is no IP address; a simulation knows no names")]
    Address(String),
    /// Two servers at one address.
    #[error("there is a server {0} already; give this one another address")]
    Twice(IpAddr),
    /// A block that does not end.
    #[error("the block `{0} {{` is not closed; add a line with `}}`")]
    Open(String),
    /// A block that is missing.
    #[error("{0} is missing; a scenario needs a duration, `ntp.conf {{`, and a server")]
    Missing(&'static str),
    /// It would last too long.
    #[error("a simulation may last 8640000 s, which are 100 days, and no longer")]
    Duration,
    /// It would happen when all is over.
    #[error("an event is at {} s, after the end; make the duration longer", at.as_secs_f64())]
    Late {
        /// When.
        at: Elapsed,
    },
    /// A line of ntp.conf that asks a server that is not there.
    #[error("ntp.conf asks {0}, but there is no block `server {0} {{`; add one, by IP address")]
    NoServer(String),
    /// Nothing is left to measure.
    #[error("the warm-up is as long as the whole; make it shorter, or the duration longer")]
    NothingLeft,
    /// The configuration is not as it should be.
    #[error("in ntp.conf: {0}")]
    Configuration(String),
}

/// In which block a line stands.
#[derive(Debug)]
enum Block {
    Top,
    Configuration,
    Client,
    /// From this one on all servers are meant.
    Servers(usize),
}

struct Reader {
    title: Option<String>,
    duration: Option<Elapsed>,
    warm_up: Elapsed,
    seeds: u32,
    /// Lines of ntp.conf, at the places where they stand in the file.
    configuration: Option<String>,
    options: Options,
    drift: Option<ntp_wire::Ppm>,
    precision: Precision,
    clock: ClockModel,
    events: Vec<(Elapsed, ClientEvent)>,
    servers: Vec<Server>,
}

pub(super) fn read(name: &str, text: &str, more: &str) -> Result<Scenario, ScenarioError> {
    let at = |line: usize, problem: Problem| ScenarioError {
        file: name.to_owned(),
        line,
        problem,
    };
    let mut reader = Reader::new();
    let mut block = Block::Top;
    let mut opened = (0, String::new());
    let mut last = 0;
    for (index, line) in text.lines().enumerate() {
        last = index + 1;
        let bare = line.split('#').next().unwrap_or_default().trim();
        if bare == "}" && !matches!(block, Block::Top) {
            block = Block::Top;
        } else if let Block::Configuration = block {
            reader.configuration_line(index, line);
        } else if bare.is_empty() {
        } else if let (Block::Top, Some(head)) = (&block, bare.strip_suffix('{')) {
            opened = (last, head.trim().to_owned());
            block = reader.open(head).map_err(|problem| at(last, problem))?;
        } else {
            reader
                .line(&block, bare)
                .map_err(|problem| at(last, problem))?;
        }
    }
    if !matches!(block, Block::Top) {
        return Err(at(opened.0, Problem::Open(opened.1)));
    }
    let configuration = reader.configuration.take();
    let configuration = configuration
        .ok_or(Problem::Missing("the configuration"))
        .map_err(|problem| at(last, problem))?;
    let parsed = configure(name, &configuration, more)?;
    for association in &parsed.associations {
        let asked = association.address.to_string();
        let is_there = |server: &Server| association.address == ServerAddress::Ip(server.address);
        if !reader.servers.iter().any(is_there) {
            let line = configuration.lines().position(|line| line.contains(&asked));
            return Err(at(
                line.map_or(last, |line| line + 1),
                Problem::NoServer(asked),
            ));
        }
    }
    reader
        .finish(name, parsed)
        .map_err(|problem| at(last, problem))
}

/// Reads the lines of ntp.conf, which stand where they stood in the file.
fn configure(name: &str, text: &str, more: &str) -> Result<Config, ScenarioError> {
    let text = format!("{text}\nincludefile \"{MORE}\"\n");
    let parsed = ntp_conf::parse(name, &text, |path: &std::path::Path| {
        if path.as_os_str() == MORE {
            Ok(more.as_bytes().to_vec())
        } else {
            Err("a scenario reads no other file".to_owned())
        }
    });
    let error = parsed
        .diagnostics
        .iter()
        .find(|diagnostic| diagnostic.severity == Severity::Error);
    match error {
        None => Ok(parsed.config),
        Some(error) => {
            let hint = error.hint.as_ref().map(|hint| format!("; {hint}"));
            Err(ScenarioError {
                file: error.location.file.clone(),
                line: error.location.line,
                problem: Problem::Configuration(format!(
                    "{}{}",
                    error.message,
                    hint.unwrap_or_default()
                )),
            })
        }
    }
}

impl Reader {
    fn new() -> Self {
        Self {
            title: None,
            duration: None,
            warm_up: Elapsed::ZERO,
            seeds: 1,
            configuration: None,
            options: Options::default(),
            drift: None,
            precision: PRECISION,
            clock: ClockModel::default(),
            events: Vec::new(),
            servers: Vec::new(),
        }
    }

    /// Begins a block: what stands before its brace.
    fn open(&mut self, head: &str) -> Result<Block, Problem> {
        let mut words = head.split_whitespace();
        match words.next() {
            Some("ntp.conf") => {
                self.configuration.get_or_insert_default();
                Ok(Block::Configuration)
            }
            Some("client") => Ok(Block::Client),
            Some("server") => {
                let first = self.servers.len();
                for word in words {
                    let address = word
                        .parse()
                        .map_err(|_| Problem::Address(word.to_owned()))?;
                    if self.servers.iter().any(|server| server.address == address) {
                        return Err(Problem::Twice(address));
                    }
                    self.servers.push(server(address));
                }
                if self.servers.len() == first {
                    return Err(Problem::Address(String::new()));
                }
                Ok(Block::Servers(first))
            }
            word => Err(Problem::Word {
                word: word.unwrap_or_default().to_owned(),
                known: "`ntp.conf {`, `client {` or `server ADDRESS… {`",
            }),
        }
    }

    /// A line of ntp.conf, put at its place by as many empty ones as are missing.
    fn configuration_line(&mut self, index: usize, line: &str) {
        let text = self.configuration.get_or_insert_default();
        while text.matches('\n').count() < index {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }

    fn line(&mut self, block: &Block, text: &str) -> Result<(), Problem> {
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match (block, first) {
            (Block::Top, "title") => {
                self.title = Some(rest.trim().to_owned());
                return Ok(());
            }
            (Block::Client, "option") => return self.option(rest.trim()),
            _ => {}
        }
        let mut line = Tokens::new(rest)?;
        match block {
            Block::Top | Block::Configuration => self.top(first, &mut line)?,
            Block::Client => self.client(first, &mut line)?,
            Block::Servers(from) => {
                // Each reads the line for itself.
                for server in self.servers.iter_mut().skip(*from) {
                    line = Tokens::new(rest)?;
                    server.line(first, &mut line)?;
                }
            }
        }
        line.end()
    }

    fn top(&mut self, word: &str, line: &mut Tokens) -> Result<(), Problem> {
        match word {
            "duration" => self.duration = Some(line.elapsed()?),
            "warm-up" => self.warm_up = line.elapsed()?,
            "seeds" => self.seeds = line.count(1, MOST_SEEDS)?,
            _ => {
                return Err(Problem::Word {
                    word: word.to_owned(),
                    known: "title, duration, warm-up, seeds, `ntp.conf {`, `client {` or \
                            `server ADDRESS… {`",
                });
            }
        }
        Ok(())
    }

    fn option(&mut self, word: &str) -> Result<(), Problem> {
        let option = match word {
            "-g" => &mut self.options.panic_once,
            "-G" => &mut self.options.step_once,
            "-x" => &mut self.options.slew,
            _ => {
                return Err(Problem::Word {
                    word: word.to_owned(),
                    known: "-g, -G or -x",
                });
            }
        };
        *option = true;
        Ok(())
    }

    fn client(&mut self, word: &str, line: &mut Tokens) -> Result<(), Problem> {
        match word {
            "precision" => self.precision = precision(line)?,
            "drift-file" => self.drift = Some(line.ppm()?),
            "limit" => self.clock.limit = line.ppm()?,
            "at" => {
                let at = line.elapsed()?;
                let event = match line.word().as_deref() {
                    Some("step") => ClientEvent::Disturbance(Disturbance::Step(line.span()?)),
                    Some("pause") => ClientEvent::Disturbance(Disturbance::Pause(line.elapsed()?)),
                    Some("suspend") => {
                        ClientEvent::Disturbance(Disturbance::Suspend(line.elapsed()?))
                    }
                    Some("restart") => ClientEvent::Restart,
                    word => {
                        return Err(Problem::Word {
                            word: word.unwrap_or_default().to_owned(),
                            known: "step TIME, pause TIME, suspend TIME or restart",
                        });
                    }
                };
                self.events.push((at, event));
            }
            _ if clock_words::extend(&mut self.clock, word, line)? => {}
            _ => {
                return Err(Problem::Word {
                    word: word.to_owned(),
                    known: "offset, frequency, wander, sine, settle, noise, granularity, limit, \
                            precision, drift-file, option, at or `}`",
                });
            }
        }
        Ok(())
    }

    fn finish(mut self, name: &str, configuration: Config) -> Result<Scenario, Problem> {
        let duration = self.duration.ok_or(Problem::Missing("the duration"))?;
        if self.servers.is_empty() {
            return Err(Problem::Missing("a server"));
        }
        // Whole seconds are looked at, so one of them must be left.
        if self.warm_up.as_secs() >= duration.as_secs() {
            return Err(Problem::NothingLeft);
        }
        if duration > LONGEST {
            return Err(Problem::Duration);
        }
        let times = self.events.iter().map(|(at, _)| *at);
        let steps = self.servers.iter().flat_map(|server| &server.steps);
        if let Some(at) = times.chain(steps.map(|(at, _)| *at)).max()
            && at >= duration
        {
            return Err(Problem::Late { at });
        }
        self.events.sort_by_key(|(at, _)| *at);
        for server in &mut self.servers {
            server.steps.sort_by_key(|(at, _)| *at);
        }
        Ok(Scenario {
            title: self.title.unwrap_or_else(|| name.to_owned()),
            duration,
            warm_up: self.warm_up,
            seeds: self.seeds,
            client: Client {
                configuration,
                options: self.options,
                drift: self.drift,
                precision: self.precision,
                clock: self.clock,
                events: self.events,
            },
            servers: self.servers,
        })
    }
}

fn server(address: IpAddr) -> Server {
    Server {
        address,
        clock: ClockModel::default(),
        steps: Vec::new(),
        stratum: Stratum::PRIMARY,
        precision: PRECISION,
        root_delay: Duration::ZERO,
        root_dispersion: Duration::ZERO,
        up: Path::new(),
        down: Path::new(),
    }
}

impl Server {
    fn line(&mut self, word: &str, line: &mut Tokens) -> Result<(), Problem> {
        let (up, down, what) = match word {
            "up" => (true, false, PathWord::Delay),
            "down" => (false, true, PathWord::Delay),
            "both" => (true, true, PathWord::Delay),
            "lose" => (true, true, PathWord::Lose),
            "duplicate" => (true, true, PathWord::Duplicate),
            "in-order" => (true, true, PathWord::InOrder),
            _ => return self.property(word, line),
        };
        let (up, down) = if what == PathWord::Delay {
            (up, down)
        } else {
            // `lose up 5 %` and its like; without a direction both are meant.
            match (line.take("up"), line.take("down")) {
                (true, false) => (true, false),
                (false, true) => (false, true),
                _ => (true, true),
            }
        };
        // Each way draws by itself, from the same description.
        let described = path_words::extend(Path::new(), what, line)?;
        if up {
            self.up = core::mem::take(&mut self.up).and(described.clone());
        }
        if down {
            self.down = core::mem::take(&mut self.down).and(described);
        }
        Ok(())
    }

    fn property(&mut self, word: &str, line: &mut Tokens) -> Result<(), Problem> {
        match word {
            "stratum" => self.stratum = Stratum::new(line.count(1, 15)? as u8),
            "precision" => self.precision = precision(line)?,
            "root-delay" => self.root_delay = line.span()?,
            "root-dispersion" => self.root_dispersion = line.span()?,
            "at" => {
                let at = line.elapsed()?;
                line.expect_word("step")?;
                self.steps.push((at, line.span()?));
            }
            _ if clock_words::extend(&mut self.clock, word, line)? => {}
            _ => {
                return Err(Problem::Word {
                    word: word.to_owned(),
                    known: "up, down, both, lose, duplicate, in-order, offset, frequency, wander, \
                            sine, settle, noise, granularity, stratum, precision, root-delay, \
                            root-dispersion, at or `}`",
                });
            }
        }
        Ok(())
    }
}

/// `-20`, as a power of two of a second.
fn precision(line: &mut Tokens) -> Result<Precision, Problem> {
    let exponent = line.number("a precision such as -20")?;
    if exponent.fract() == 0.0 && (-32.0..=0.0).contains(&exponent) {
        Ok(Precision::new(exponent as i8))
    } else {
        Err(Problem::Precision(exponent))
    }
}
