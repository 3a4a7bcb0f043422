//! Statements to configuration.

use ntp_wire::Duration;

use crate::{
    Association, AssociationKind, Config, Directive, InterfaceRule, Kept, Metrics, ReferenceClock,
    Span, Standing, Statement, Switch, Variable, XdpInterface,
    association::Source,
    authentication::KeyRange,
    directive::DIRECTIVES,
    discipline::Discipline,
    reader::{Problem, Reader},
    reference_clock::{ClockAddress, Fudge},
    restriction::Restriction,
};

/// A configuration in the making, with where its parts came from.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) config: Config,
    pub(crate) problems: Vec<Problem>,
    /// Places of `config.associations`, in their order.
    pub(crate) association_spans: Vec<Span>,
    pub(crate) clock_spans: Vec<Span>,
    pub(crate) fudges: Vec<(Span, ClockAddress, Fudge)>,
    /// Clocks of an earlier configuration, that may be fudged.
    pub(crate) known_clocks: Vec<ReferenceClock>,
    pub(crate) control_span: Option<Span>,
    pub(crate) request_span: Option<Span>,
    pub(crate) tos_span: Option<Span>,
    pub(crate) interface_span: Option<Span>,
    pub(crate) nts_span: Option<Span>,
    /// Where `mode7` was turned on.
    pub(crate) mode7_span: Option<Span>,
}

impl Builder {
    /// Takes in one statement; `includefile` is not for here.
    pub(crate) fn add(&mut self, statement: &Statement) {
        let Some(directive) = self.directive(statement) else {
            return;
        };
        let mut reader = Reader::new(statement);
        let done = self
            .read(directive.keyword, &mut reader)
            .and_then(|()| reader.end());
        self.problems.append(&mut reader.remarks);
        match done {
            Ok(()) => {
                if let Standing::NotCarriedOut(what) = directive.standing {
                    let keyword = directive.keyword;
                    self.problems.push(Problem::warning(
                        &statement.keyword.span,
                        format!(
                            "`{keyword}` is understood but not carried out by this version: {what}"
                        ),
                        "",
                    ));
                }
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    pub(crate) fn directive(&mut self, statement: &Statement) -> Option<&'static Directive> {
        let word = &statement.keyword;
        let directive = Directive::find(word.keyword());
        if directive.is_none() {
            // A file that is no configuration at all is not worth guessing about.
            let words = match self.problems.len() {
                0..=200 => DIRECTIVES.map(|directive| directive.keyword).to_vec(),
                _ => Vec::new(),
            };
            self.problems
                .push(Problem::unknown(word, "directive", &words));
        }
        directive
    }

    /// Reads into a copy where an error in the middle of a line must leave nothing behind.
    fn read(&mut self, keyword: &str, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let config = &mut self.config;
        match keyword {
            "server" => return self.association(AssociationKind::Server, reader),
            "peer" => return self.association(AssociationKind::Peer, reader),
            "pool" => return self.association(AssociationKind::Pool, reader),
            "broadcast" => return self.association(AssociationKind::Broadcast, reader),
            "manycastclient" => return self.association(AssociationKind::ManycastClient, reader),
            "fudge" => {
                let (clock, fudge) = Fudge::read(reader)?;
                self.fudges.push((reader.span(), clock, fudge));
            }
            "restrict" => config.restrictions.push(Restriction::read(reader)?),
            "driftfile" => {
                // Bare, it takes back an earlier one.
                config.drift_file = if reader.peek().is_some() {
                    Some(reader.path("a file")?)
                } else {
                    None
                };
                if reader.peek().is_some() {
                    config.drift_write_threshold = threshold(reader)?;
                }
            }
            "keys" => config.keys.file = only(reader, |reader| reader.path("a file")).map(Some)?,
            "keysdir" => config.keys.directory = only(reader, |reader| reader.path("a directory"))?,
            "trustedkey" => config.keys.trusted.extend(KeyRange::read_list(reader)?),
            "controlkey" => {
                config.keys.control =
                    Some(only(reader, |reader| reader.key_id("the number of a key"))?);
                self.control_span = Some(reader.span());
            }
            "requestkey" => {
                config.keys.request =
                    Some(only(reader, |reader| reader.key_id("the number of a key"))?);
                self.request_span = Some(reader.span());
            }
            "crypto" => {
                let mut crypto = config.crypto.clone().unwrap_or_default();
                if let Some(revoke) = crypto.read(reader)? {
                    config.revoke = revoke;
                }
                config.crypto = Some(crypto);
            }
            "nts" => {
                config.nts = changed(&config.nts, |nts| nts.read(reader))?;
                self.nts_span = Some(reader.span());
            }
            "discipline" => config.discipline = only(reader, Discipline::read)?,
            "ident" => {
                config.ident = Some(only(reader, |reader| reader.text("the name of a group"))?)
            }
            "automax" => config.automax = only(reader, |reader| reader.clamped("automax", 0..=31))?,
            "revoke" => config.revoke = only(reader, |reader| reader.clamped("revoke", 0..=31))?,
            "enable" | "disable" => {
                let mut switches = config.switches;
                switches.read(reader, keyword == "enable")?;
                if switches.is_on(Switch::Mode7) && !config.switches.is_on(Switch::Mode7) {
                    self.mode7_span = Some(reader.span());
                }
                config.switches = switches;
            }
            "logfile" => config.log_file = Some(only(reader, |reader| reader.path("a file"))?),
            "pidfile" => config.pid_file = Some(only(reader, |reader| reader.path("a file"))?),
            "logconfig" => config.log_mask.read(reader)?,
            "statsdir" => {
                config.statistics.directory =
                    Some(only(reader, |reader| reader.path("a directory"))?);
            }
            "statistics" => config.statistics.read_kinds(reader)?,
            "filegen" => config.statistics.read_file(reader)?,
            "tos" => {
                config.tos = changed(&config.tos, |tos| tos.read(reader))?;
                self.tos_span = Some(reader.span());
            }
            "tinker" => config.tinker = changed(&config.tinker, |tinker| tinker.read(reader))?,
            "discard" => config.discard = changed(&config.discard, |discard| discard.read(reader))?,
            "mru" => config.mru = changed(&config.mru, |mru| mru.read(reader))?,
            "interface" | "nic" => {
                config.interfaces.push(InterfaceRule::read(reader)?);
                self.interface_span = Some(reader.span());
            }
            _ => return self.read_rarer(keyword, reader),
        }
        Ok(())
    }

    fn read_rarer(&mut self, keyword: &str, reader: &mut Reader<'_>) -> Result<(), Problem> {
        let config = &mut self.config;
        match keyword {
            "leapfile" => {
                let file = reader.path("a file")?;
                let check = match reader.take() {
                    None => true,
                    Some(word) if word.keyword() == "checkhash" => true,
                    Some(word) if word.keyword() == "ignorehash" => false,
                    Some(word) => {
                        let words = ["checkhash", "ignorehash"];
                        return Err(Problem::unknown(word, "option of `leapfile`", &words));
                    }
                };
                config.leap_file = Some(file);
                config.leap_file_check_hash = check;
            }
            "leapsmearinterval" => {
                let seconds = only(reader, |reader| {
                    reader.integer("leapsmearinterval", 0..=2_419_200)
                })?;
                config.leap_smear_interval =
                    Some(Duration::from_seconds(seconds)).filter(|time| *time != Duration::ZERO);
            }
            "broadcastdelay" => {
                config.broadcast_delay = only(reader, |reader| reader.span_of_time("time"))?;
            }
            "broadcastclient" | "multicastclient" | "manycastserver" | "ttl" => {
                config.groups = changed(&config.groups, |groups| groups.read(keyword, reader))?;
            }
            "hwtimestamp" => {
                config.hardware_timestamps =
                    changed(&config.hardware_timestamps, |cards| cards.read(reader))?;
            }
            "xdp" => {
                let xdp = XdpInterface::read(reader)?;
                config.xdp.retain(|known| known.name != xdp.name);
                config.xdp.push(xdp);
            }
            "metrics" => config.metrics = Some(Metrics::read(reader)?),
            "threads" => {
                config.threads = Some(only(reader, |reader| reader.clamped("threads", 1..=64))?);
            }
            "dscp" => config.dscp = only(reader, |reader| reader.integer("dscp", 0..=63))?,
            "tick" => {
                config.tick = Some(only(reader, |reader| {
                    reader.integer("tick", 0..=1_000_000)
                })?)
            }
            "nonvolatile" => config.drift_write_threshold = only(reader, threshold)?,
            "mdnstries" => {
                config.mdns_tries = only(reader, |reader| reader.integer("mdnstries", 0..=255))?
            }
            "saveconfigdir" => {
                config.save_config_directory =
                    Some(only(reader, |reader| reader.path("a directory"))?);
            }
            "ntpsigndsocket" => {
                config.sign_socket = Some(only(reader, |reader| reader.path("a socket"))?);
            }
            "rlimit" => {
                let mut limits = config.limits;
                let mut next = Some(reader.expect("an option of `rlimit`")?);
                while let Some(word) = next {
                    let most = i64::from(i32::MAX);
                    match word.keyword() {
                        "memlock" => {
                            limits.locked_memory = Some(reader.integer("memlock", -1..=most)?)
                        }
                        "stacksize" => {
                            limits.stack_pages = Some(reader.integer("stacksize", 0..=most)?)
                        }
                        "filenum" => limits.open_files = Some(reader.integer("filenum", 0..=most)?),
                        _ => {
                            let words = ["memlock", "stacksize", "filenum"];
                            return Err(Problem::unknown(word, "option of `rlimit`", &words));
                        }
                    }
                    next = reader.take();
                }
                config.limits = limits;
            }
            "setvar" => {
                let variable = variable(reader)?;
                config.variables.retain(|one| one.name != variable.name);
                config.variables.push(variable);
            }
            _ => {
                let bare = ["pollskewlist", "simulate"];
                if !bare.contains(&keyword) {
                    reader.expect("an argument")?;
                }
                reader.rest();
                config.kept.push(Kept {
                    keyword: keyword.to_owned(),
                    arguments: reader
                        .arguments()
                        .iter()
                        .map(|word| word.text.clone())
                        .collect(),
                });
            }
        }
        Ok(())
    }

    fn association(
        &mut self,
        kind: AssociationKind,
        reader: &mut Reader<'_>,
    ) -> Result<(), Problem> {
        match Association::read(kind, reader)? {
            Source::Association(association) => {
                self.config.associations.push(association);
                self.association_spans.push(reader.span());
            }
            Source::Clock(clock) => {
                self.config.reference_clocks.push(clock);
                self.clock_spans.push(reader.span());
            }
        }
        Ok(())
    }
}

/// One value, and then the end of the line.
fn only<'a, T>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let value = read(reader)?;
    reader.end()?;
    Ok(value)
}

/// A changed copy, if the change succeeds.
fn changed<T: Clone>(
    old: &T,
    change: impl FnOnce(&mut T) -> Result<(), Problem>,
) -> Result<T, Problem> {
    let mut new = old.clone();
    change(&mut new)?;
    Ok(new)
}

fn threshold(reader: &mut Reader<'_>) -> Result<f64, Problem> {
    let word = reader.peek();
    let number = reader.number("a number like `1e-7`")?;
    match word {
        Some(word) if number < 0.0 => Err(Problem::error(
            &word.span,
            "a threshold cannot be negative",
            "",
        )),
        _ => Ok(number),
    }
}

/// `NAME=VALUE [default]`, with or without blanks and quotation marks.
fn variable(reader: &mut Reader<'_>) -> Result<Variable, Problem> {
    let word = reader.expect("`NAME=VALUE`")?;
    let (name, value) = match word.text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => {
            let sign = reader.expect("`=`")?;
            match sign.keyword().strip_prefix('=') {
                Some(value) => (word.text.as_str(), Some(value)),
                None => {
                    let message = "`=` is missing after the name";
                    return Err(Problem::error(
                        &sign.span,
                        message,
                        "write `setvar NAME=VALUE`",
                    ));
                }
            }
        }
    };
    let value = match value {
        Some("") | None => reader.expect("a value")?.text.clone(),
        Some(value) => value.to_owned(),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if name.is_empty() || !name.chars().all(fits) {
        let message = "this is no name of a variable";
        return Err(Problem::error(
            &word.span,
            message,
            "names are of letters, digits and `_`",
        ));
    }
    let listed = reader.take_if("default").is_some();
    reader.end()?;
    Ok(Variable {
        name: name.to_owned(),
        value,
        listed,
    })
}
