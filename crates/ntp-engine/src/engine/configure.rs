//! What ntpq's `:config` and `saveconfig` change and keep while the daemon runs.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use ntp_conf::{Config, Parsed, RestrictAddress, Restriction, ServerAddress, Switch, Switches};
use ntp_wire::{AssociationId, control::ControlHeader};

use super::{Engine, reset::CounterGroup};
use crate::{
    Output, SaveError, SaveRequest, Severity,
    association::{Association, Source},
    setup::{self},
};

/// The directives that are carried out while the daemon runs.
const AT_RUN_TIME: [&str; 30] = [
    "server",
    "peer",
    "pool",
    "broadcast",
    "manycastclient",
    "unpeer",
    "unconfig",
    "restrict",
    "enable",
    "disable",
    "setvar",
    "tos",
    "mru",
    "discard",
    "fudge",
    "tinker",
    "keys",
    "trustedkey",
    "controlkey",
    "requestkey",
    "ident",
    "broadcastclient",
    "multicastclient",
    "manycastserver",
    "broadcastdelay",
    "ttl",
    "statistics",
    "filegen",
    "logconfig",
    "reset",
];
/// The switches that are.
const SWITCHES: [Switch; 7] = [
    Switch::Authentication,
    Switch::BroadcastClient,
    Switch::Kernel,
    Switch::Mode7,
    Switch::Monitor,
    Switch::Ntp,
    Switch::Statistics,
];
/// So many sources there are at most once lines are added while the daemon runs. Each takes time in
/// proportion to all others, and their numbers have 16 bits.
const MOST_SOURCES: usize = 4096;
/// So many hosts of `restrict` lines are looked up at a time.
const MOST_HOSTS: usize = 64;
/// No file has a longer name.
const LONGEST_NAME: usize = 128;

/// Why a line is not carried out.
#[derive(Debug, thiserror::Error)]
#[error("column {column} {what}")]
pub(crate) struct Refused {
    /// Where in the line, from 0.
    column: usize,
    what: String,
}

impl Engine {
    /// Carries out the line `data`, or nothing of it; says what came of it.
    pub(crate) fn configure(&mut self, from: SocketAddr, data: &[u8]) -> String {
        let line = data.trim_ascii();
        let is_text = |byte: &u8| *byte == b'\t' || matches!(byte, b' '..=b'~');
        let Some(line) = std::str::from_utf8(line)
            .ok()
            .filter(|line| line.bytes().all(|byte| is_text(&byte)))
        else {
            return "runtime configuration failed: request contains an unprintable character\r\n"
                .to_owned();
        };
        match self.carry_out_lines(from, &[line.to_owned()]) {
            Ok(()) => "Config Succeeded\r\n".to_owned(),
            Err(refused) => format!("{refused}\r\n"),
        }
    }

    /// Carries out all of these lines, or nothing of them, and reports them.
    pub(crate) fn carry_out_lines(
        &mut self,
        from: SocketAddr,
        lines: &[String],
    ) -> Result<(), Refused> {
        for line in lines {
            self.note(
                Severity::Information,
                format!("{} config: {line}", from.ip()),
            );
        }
        let result = self.change(&lines.join("\n"));
        if let Err(refused) = &result {
            self.note(
                Severity::Warning,
                format!("{} config: {refused}", from.ip()),
            );
        }
        result
    }

    fn change(&mut self, lines: &str) -> Result<(), Refused> {
        let parsed = ntp_conf::parse_more(&self.config, lines);
        check(&parsed, &self.config)?;
        self.check_room(&parsed.config)?;
        let kept = self.config.kept.len();
        let groups = resets(&parsed, kept)?;
        let removals = removals(&parsed.config, kept);
        let has_keys = says(&parsed, "keys");
        // From here on nothing fails.
        self.add_sources(&parsed.config);
        let before = self.adopt(parsed);
        self.restrict_more(before.restrictions.len());
        self.take_over(&before);
        if has_keys && let Some(path) = self.config.keys.file.clone() {
            self.outputs.push_back(Output::ReadKeys(path));
        }
        for group in groups {
            self.reset(group);
        }
        for what in removals {
            self.remove_source(&what);
        }
        Ok(())
    }

    /// Whether there is room for what a configuration would add.
    fn check_room(&self, more: &Config) -> Result<(), Refused> {
        let lines = more
            .restrictions
            .iter()
            .skip(self.config.restrictions.len());
        let hosts = lines.filter(|line| is_host(line)).count();
        let sources = more.associations.len() + more.reference_clocks.len();
        let what = if self.awaited_hosts.len() + hosts > MOST_HOSTS {
            "too many names are being looked up: give the address".to_owned()
        } else if sources > 0 && self.associations.len() + sources > MOST_SOURCES {
            format!("there are {MOST_SOURCES} sources, and no room for more")
        } else {
            return Ok(());
        };
        Err(Refused { column: 0, what })
    }

    /// Makes the configuration that of some lines, but for the sources, which are
    /// [added](Self::add_sources); gives the one before.
    fn adopt(&mut self, parsed: Parsed) -> Config {
        // A `server` line for a clock that is there already says nothing of its `fudge`.
        let is_fudged = says(&parsed, "fudge");
        let mut config = parsed.config;
        config.kept.truncate(self.config.kept.len());
        config.associations = std::mem::take(&mut self.config.associations);
        let standing = std::mem::take(&mut self.config.reference_clocks);
        let said = std::mem::replace(&mut config.reference_clocks, standing);
        for line in said.into_iter().filter(|_| is_fudged) {
            let mut clocks = config.reference_clocks.iter_mut();
            if let Some(clock) = clocks.find(|clock| clock.address == line.address) {
                clock.fudge = line.fudge;
            }
        }
        std::mem::replace(&mut self.config, config)
    }

    /// Puts the `restrict` lines behind the first `known` into force.
    fn restrict_more(&mut self, known: usize) {
        let added = self.config.restrictions.iter().skip(known);
        let added: Vec<Restriction> = added.cloned().collect();
        if added.is_empty() {
            return;
        }
        for line in added {
            setup::restrict(&mut self.rules, &line, &HashMap::new());
            self.look_up_restricted(line);
        }
        self.restrictions = Arc::new(self.rules.build());
    }

    /// Asks where the host of a line is, if it names one.
    fn look_up_restricted(&mut self, line: Restriction) {
        let RestrictAddress::Host { name, family, .. } = &line.address else {
            return;
        };
        let number = self.next_host;
        self.next_host = number.wrapping_add(1);
        self.outputs.push_back(Output::ResolveRestricted {
            number,
            name: name.clone(),
            family: *family,
        });
        self.awaited_hosts.push((number, line));
    }

    /// The host of a `restrict` line was looked up.
    pub(super) fn resolved_restricted(
        &mut self,
        number: u16,
        addresses: Result<Vec<IpAddr>, String>,
    ) {
        let is_it = |(awaited, _): &(u16, Restriction)| *awaited == number;
        let Some(place) = self.awaited_hosts.iter().position(is_it) else {
            return;
        };
        let (_, line) = self.awaited_hosts.swap_remove(place);
        let RestrictAddress::Host { name, .. } = &line.address else {
            return;
        };
        match addresses {
            Ok(addresses) => {
                let hosts = HashMap::from([(name.clone(), addresses)]);
                setup::restrict(&mut self.rules, &line, &hosts);
                self.restrictions = Arc::new(self.rules.build());
                self.publish();
            }
            Err(why) => self.note(
                Severity::Warning,
                format!("restrict {name} is not in force: {why}; give its address"),
            ),
        }
    }

    /// What is there already stays as it is, as in ntpd 4.2.8.
    fn add_sources(&mut self, more: &Config) {
        let mut next = self.unused_id();
        let id = || {
            let id = next;
            while next == id || self.index_of(next).is_some() {
                // 0 is the system. There are far fewer associations than numbers.
                next = AssociationId::new(next.value().checked_add(1).unwrap_or(1));
            }
            id
        };
        let more = Config {
            ident: self.config.ident.clone(),
            associations: more
                .associations
                .iter()
                .filter(|line| !self.is_configured(&line.address.to_string()))
                .cloned()
                .collect(),
            reference_clocks: more
                .reference_clocks
                .iter()
                .filter(|clock| !self.is_configured(&clock.address.to_string()))
                .cloned()
                .collect(),
            groups: self.config.groups.clone(),
            tos: self.config.tos.clone(),
            ..Config::default()
        };
        let associations = setup::associations(&more, self.precision, id, self.now.monotonic);
        for mut association in associations {
            if let Source::Pool(pool) = &mut association.source {
                pool.precise = self.precise;
            } else if self.precise && association.server().is_some() {
                association.estimator = Some(self.new_estimator());
                association
                    .schedule
                    .set_pacing(crate::schedule::Pacing::Spread);
            }
            let index = self.take_in(association);
            self.resolve(index);
        }
        for line in &more.associations {
            if let ServerAddress::Ip(address) = line.address
                && self.rules.add_source(address).is_some()
            {
                self.restrictions = Arc::new(self.rules.build());
                self.publish();
            }
        }
        self.config.associations.extend(more.associations);
        self.config.reference_clocks.extend(more.reference_clocks);
    }

    fn is_configured(&self, name: &str) -> bool {
        self.associations
            .iter()
            .any(|association| !association.ephemeral && association.settings.name == name)
    }

    /// `unpeer`: lets go of the association with this number, name or address, if there is one.
    pub(crate) fn remove_source(&mut self, what: &str) {
        let number = what.parse().map(AssociationId::new).ok();
        let address: Option<IpAddr> = what.parse().ok();
        let is_meant = |association: &Association| {
            let remote = association.remote().map(|remote| remote.ip());
            Some(association.id) == number
                || association.settings.name == what
                || address.is_some() && remote == address
        };
        let Some(index) = self.associations.iter().position(is_meant) else {
            self.note(Severity::Warning, format!("unpeer: there is no {what}"));
            return;
        };
        if let Some(association) = self.associations.get(index)
            && !association.ephemeral
        {
            let name = association.settings.name.clone();
            let (lines, clocks) = (
                &mut self.config.associations,
                &mut self.config.reference_clocks,
            );
            lines.retain(|line| line.address.to_string() != name);
            clocks.retain(|clock| clock.address.to_string() != name);
        }
        self.demobilise(index, "unpeer");
        self.select();
        self.publish();
    }

    /// Asks for the configuration to be written; or says why not.
    pub(crate) fn save_configuration(
        &mut self,
        header: &ControlHeader,
        data: &[u8],
        local: IpAddr,
        from: SocketAddr,
    ) -> Option<String> {
        let Some(directory) = &self.config.save_config_directory else {
            return Some("saveconfig prohibited, no saveconfigdir configured\r\n".to_owned());
        };
        let name = data.trim_ascii();
        if name.len() > LONGEST_NAME {
            return Some(format!(
                "saveconfig exceeded maximum raw name length ({LONGEST_NAME})\r\n"
            ));
        }
        let shown: String = String::from_utf8_lossy(name)
            .chars()
            .map(|letter| if letter.is_control() { '?' } else { letter })
            .collect();
        let request = SaveRequest {
            directory: directory.clone(),
            text: self.config.write(),
            name: shown,
            header: *header,
            signer: self.control_key,
            local,
            remote: from,
        };
        // The driver puts the time in where it belongs, and looks again.
        if request.path(&request.name.replace('%', "")).is_none() {
            return Some(self.unsafe_name(&request.name, from));
        }
        self.outputs
            .push_back(Output::SaveConfiguration(Box::new(request)));
        None
    }

    /// Refuses a name that somebody far away may not give to a file.
    fn unsafe_name(&mut self, name: &str, from: SocketAddr) -> String {
        self.note(
            Severity::Warning,
            format!(
                "saveconfig rejects unsafe file name '{name}' from {}",
                from.ip()
            ),
        );
        format!("saveconfig rejects unsafe file name '{name}'\r\n")
    }

    /// Tells who asked what came of it.
    pub(super) fn configuration_saved(
        &mut self,
        request: &SaveRequest,
        result: Result<String, SaveError>,
    ) {
        let asker = request.remote.ip();
        let text = match result {
            Ok(name) => {
                let path = request.directory.join(&name);
                let path = path.display();
                self.note(
                    Severity::Information,
                    format!("Configuration saved to '{path}' (requested by {asker})"),
                );
                format!("Configuration saved to '{name}'\r\n")
            }
            Err(SaveError::UnsafeName(name)) => self.unsafe_name(&name, request.remote),
            Err(SaveError::NotWritten(why)) => {
                let name = &request.name;
                self.note(
                    Severity::Warning,
                    format!("saveconfig {name} from {asker} failed: {why}"),
                );
                format!("Unable to save configuration to file '{name}': {why}\r\n")
            }
        };
        for data in self.text_answer(&request.header, request.signer, text) {
            self.outputs.push_back(Output::Send {
                local: request.local,
                remote: request.remote,
                stamped: false,
                data,
            });
        }
    }
}

/// Whether all of what was read can be carried out while the daemon runs.
fn check(parsed: &Parsed, before: &Config) -> Result<(), Refused> {
    let mut diagnostics = parsed.diagnostics.iter();
    if let Some(wrong) = diagnostics.find(|one| one.severity == ntp_conf::Severity::Error) {
        return Err(Refused {
            column: wrong.span.range.start,
            what: format!("syntax error, {}", wrong.message),
        });
    }
    for statement in &parsed.statements {
        let keyword = statement.keyword.keyword();
        let first = statement.arguments.first().unwrap_or(&statement.keyword);
        let column = first.span.range.start;
        if !AT_RUN_TIME.contains(&keyword) {
            let what = format!("{keyword} remote config ignored: edit ntp.conf and restart ntpd");
            return Err(Refused { column, what });
        }
        // Nobody far away says which files are written.
        let file = statement.arguments.iter();
        let file = file.skip(1).find(|word| word.keyword() == "file");
        if let ("filegen", Some(word)) = (keyword, file) {
            let what = "filegen file remote config ignored: edit ntp.conf and restart ntpd";
            return Err(Refused {
                column: word.span.range.start,
                what: what.to_owned(),
            });
        }
    }
    let (old, new): (&Switches, &Switches) = (&before.switches, &parsed.config.switches);
    let changed = |switch: &&Switch| old.is_on(**switch) != new.is_on(**switch);
    let mut changed = Switch::ALL.iter().filter(changed);
    match changed.find(|switch| !SWITCHES.contains(switch)) {
        None => Ok(()),
        Some(switch) => Err(Refused {
            column: 0,
            what: format!(
                "{} remote config ignored: edit ntp.conf and restart ntpd",
                switch.keyword()
            ),
        }),
    }
}

/// Whether one of the lines is this statement.
fn says(parsed: &Parsed, keyword: &str) -> bool {
    let mut lines = parsed.statements.iter();
    lines.any(|line| line.keyword.keyword() == keyword)
}

/// What the lines `unpeer` and `unconfig` say is to go; `known` lines were kept before.
fn removals(config: &Config, known: usize) -> Vec<String> {
    let kept = config.kept.iter().skip(known);
    kept.filter(|kept| kept.keyword != "reset")
        .flat_map(|kept| kept.arguments.iter().cloned())
        .collect()
}

/// What the `reset` lines say is to be counted anew.
fn resets(parsed: &Parsed, known: usize) -> Result<Vec<CounterGroup>, Refused> {
    let kept = parsed.config.kept.iter().skip(known);
    let words = kept
        .filter(|kept| kept.keyword == "reset")
        .flat_map(|kept| &kept.arguments);
    words
        .map(|word| {
            CounterGroup::find(word).ok_or_else(|| Refused {
                column: 0,
                what: format!(
                    "syntax error, `{word}` is nothing to reset: {} are",
                    CounterGroup::ALL.map(CounterGroup::word).join(", ")
                ),
            })
        })
        .collect()
}

fn is_host(line: &Restriction) -> bool {
    matches!(line.address, RestrictAddress::Host { .. })
}
