//! From a checked configuration to the parts of an engine.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use ntp_autokey::{Host, HostOptions, IdentityGroups};
use ntp_conf::{AssociationKind, ClockAddress, Config, ReferenceClock, Switch};
use ntp_discipline::{Estimator, HashCheck, Limits, LoopOptions, Tinker};
use ntp_keys::KeyTable;
use ntp_nts::CookieKeys;
use ntp_restrict::{
    ClientTable, ClientTableLimits, RateLimit, RestrictRules, RestrictTarget, Scope, SourceTemplate,
};
use ntp_wire::{AssociationId, Duration, KeyId, Monotonic, PollExponent, Ppm, Precision};
use rand::{Rng, RngExt};

use crate::{
    TrustedKeys,
    association::{
        Announcer, Association, ListeningOptions, LocalClock, Pool, Role, Searcher, Security,
        Server, Settings, Source,
    },
    engine::{SearchService, ToMany},
    leap::LeapOptions,
    schedule::Pacing,
};

/// What an [`Engine`](crate::Engine) starts from: the configuration, and what its driver read from
/// files and found on the machine.
#[derive(Debug)]
pub struct Setup {
    /// The checked configuration.
    pub config: Config,
    /// The keys file.
    pub keys: KeyTable,
    /// Our own Autokey identity; without it `autokey` lines ask nothing.
    pub autokey: Option<Host>,
    /// How that speaks, if there is a `crypto` line and its files come only later
    /// ([`Input::Identity`](crate::Input::Identity)).
    pub autokey_options: HostOptions,
    /// The identity parameters at hand.
    pub groups: IdentityGroups,
    /// The keys of NTS cookies that were kept; new ones are made if there are none and `nts enable`
    /// is configured.
    pub cookie_keys: Option<CookieKeys>,
    /// The frequency of the drift file.
    pub frequency: Option<Ppm>,
    /// How fine the clock can be read.
    pub precision: Precision,
    /// The UDP port that we listen on, and that servers are asked on where their line names none.
    pub port: u16,
    /// `-g`: the first offset may be above the panic threshold.
    pub panic_once: bool,
    /// `-G`: the first offset is stepped.
    pub step_once: bool,
    /// `-q`: set the clock once and end.
    pub one_shot: bool,
    /// `-x`: slew up to 600 s.
    pub slew: bool,
    /// The addresses of the host names in `restrict` lines.
    pub restricted_hosts: HashMap<String, Vec<IpAddr>>,
    /// The file of `leapfile`, if the driver read it already, or why it could not. Without it the
    /// engine asks for the file.
    pub leap_file: Option<Result<Vec<u8>, String>>,
    /// What we say of ourselves.
    pub program: ProgramDescription,
}

/// What ntpq shows of the program and its machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProgramDescription {
    /// `version`
    pub version: String,
    /// `processor`
    pub processor: String,
    /// `system`
    pub system: String,
}

/// The parts of an engine.
pub(crate) struct Plan {
    pub(crate) associations: Vec<Association>,
    pub(crate) clients: ClientTable,
    pub(crate) limit: RateLimit,
    pub(crate) limits: Limits,
    pub(crate) options: LoopOptions,
    pub(crate) frequency: Option<Ppm>,
    pub(crate) steering: bool,
    pub(crate) leaps: LeapOptions,
    pub(crate) precise: bool,
    pub(crate) rest: Rest,
}

/// What goes into the engine as it is.
pub(crate) struct Rest {
    pub(crate) program: ProgramDescription,
    pub(crate) slew: bool,
    pub(crate) port: u16,
    pub(crate) control_key: Option<KeyId>,
    /// `enable auth`: who comes by himself must have a key.
    pub(crate) authentication_required: bool,
    /// `enable monitor`: clients are remembered whether or not there is need to.
    pub(crate) monitor: bool,
    pub(crate) to_many: ToMany,
    pub(crate) search_service: SearchService,
    pub(crate) keys: Arc<TrustedKeys>,
    pub(crate) autokey: Option<Host>,
    /// There if `crypto` is configured.
    pub(crate) autokey_options: Option<HostOptions>,
    pub(crate) groups: IdentityGroups,
    pub(crate) cookie_keys: Option<CookieKeys>,
    /// `ident`: the Autokey group of those who come by themselves.
    pub(crate) ident: Option<String>,
    pub(crate) rules: RestrictRules,
    /// The `ident` line.
    pub(crate) default_ident: Option<String>,
}

impl Setup {
    /// A configuration and nothing else: no keys, no Autokey, port 123, a clock read to a
    /// microsecond, no option of the command line. Change what is otherwise.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            keys: KeyTable::default(),
            autokey: None,
            autokey_options: HostOptions::default(),
            groups: IdentityGroups::new(),
            cookie_keys: None,
            frequency: None,
            precision: Precision::new(-20),
            port: 123,
            panic_once: false,
            step_once: false,
            one_shot: false,
            slew: false,
            restricted_hosts: HashMap::new(),
            leap_file: None,
            program: ProgramDescription::default(),
        }
    }

    pub(crate) fn plan(self, rng: &mut impl Rng, now: Monotonic) -> Plan {
        let config = &self.config;
        let tinker = tinker(&config.tinker, self.slew);
        let is_trusted = |id: &KeyId| config.keys.is_trusted(*id);
        let trusted: Vec<KeyId> = self
            .keys
            .iter()
            .map(|(id, _)| id)
            .filter(is_trusted)
            .collect();
        // What sets the clock once has no use for a frequency.
        let precise = config.discipline == ntp_conf::Discipline::Precise && !self.one_shot;
        let frequency = config.tinker.frequency.or(self.frequency);
        // Numbers that differ from run to run, so that a tool notices a restart.
        let mut next: u16 = rng.random_range(1..=u16::MAX);
        let id = || {
            let id = AssociationId::new(next);
            next = next.checked_add(1).unwrap_or(1);
            id
        };
        let mut associations = associations(config, self.precision, id, now);
        for association in &mut associations {
            if let Source::Pool(pool) = &mut association.source {
                pool.precise = precise;
            } else if precise && association.server().is_some() {
                association.estimator = Some(Estimator::new(frequency, self.precision));
                association.schedule.set_pacing(Pacing::Spread);
            }
        }
        Plan {
            associations,
            clients: ClientTable::new(client_limits(config), rng.random()),
            limit: rate_limit(config),
            limits: limits(&config.tos),
            options: LoopOptions {
                tinker,
                panic_once: self.panic_once,
                step_once: self.step_once,
                one_shot: self.one_shot,
                kernel: config.switches.is_on(Switch::Kernel),
                precision: self.precision,
            },
            frequency,
            precise,
            steering: config.switches.is_on(Switch::Ntp),
            leaps: leap_options(config, tinker),
            rest: Rest {
                slew: self.slew,
                port: self.port,
                control_key: config.keys.control,
                to_many: to_many(config),
                search_service: SearchService {
                    groups: config.groups.manycast_server.clone(),
                    cohort: config.tos.cohort,
                },
                monitor: config.switches.is_on(Switch::Monitor),
                authentication_required: config.switches.is_on(Switch::Authentication),
                default_ident: config.ident.clone(),
                rules: rules(config, &self.restricted_hosts),
                keys: Arc::new(TrustedKeys::new(self.keys, trusted)),
                autokey: self.autokey,
                autokey_options: config.crypto.as_ref().map(|_| self.autokey_options),
                groups: self.groups,
                cookie_keys: self.cookie_keys,
                ident: config.ident.clone(),
                program: self.program,
            },
        }
    }
}

/// What `config` says of sources, with numbers from `id`.
pub(crate) fn associations(
    config: &Config,
    precision: Precision,
    mut id: impl FnMut() -> AssociationId,
    now: Monotonic,
) -> Vec<Association> {
    let clocks = config
        .reference_clocks
        .iter()
        .filter(|clock| is_known(clock))
        .map(|clock| {
            let settings = Settings {
                minimum_poll: clock.minimum_poll,
                maximum_poll: clock.maximum_poll,
                prefer: clock.prefer,
                noselect: clock.no_select,
                always_true: clock.always_true,
                ..Settings::plain(clock.address.to_string(), Security::None)
            };
            Association::new(
                id(),
                settings,
                Source::LocalClock(local_clock(clock)),
                now,
                precision,
            )
        });
    let mut all: Vec<Association> = clocks.collect();
    for line in &config.associations {
        let security = match (line.autokey, line.key) {
            _ if line.nts.is_some() => Security::Nts(line.nts.clone().unwrap_or_default()),
            (true, _) => Security::Autokey {
                ident: line.ident.clone().or_else(|| config.ident.clone()),
            },
            (false, Some(key)) => Security::Key(key),
            (false, None) => Security::None,
        };
        let id = id();
        let source = match line.kind {
            AssociationKind::Pool => Source::Pool(Pool::new(line.family, line.port)),
            AssociationKind::Broadcast => {
                Source::Announcer(Announcer::new(line.family, line.port, line.ttl))
            }
            AssociationKind::ManycastClient => Source::Searcher(Searcher::new(
                line.family,
                line.port,
                &config.groups.hops,
                line.ttl,
                elapsed(config.tos.beacon),
            )),
            kind => {
                let role = match kind {
                    AssociationKind::Peer => Role::SymmetricActive,
                    _ => Role::Client,
                };
                let server = Server::new(id, role, &security, line.family, line.port);
                Source::Server(Box::new(server))
            }
        };
        let settings = Settings {
            name: line.address.to_string(),
            minimum_poll: line.minimum_poll,
            maximum_poll: line.maximum_poll,
            initial_burst: line.initial_burst,
            burst: line.burst,
            prefer: line.prefer,
            noselect: line.no_select,
            always_true: line.always_true,
            interleave: line.interleave,
            version: line.version,
            security,
        };
        all.push(Association::new(id, settings, source, now, precision));
    }
    all
}

pub(crate) fn to_many(config: &Config) -> ToMany {
    ToMany {
        follow: config.follows_broadcasts() || !config.groups.multicast_client.is_empty(),
        listening: ListeningOptions {
            volley: config.groups.volley,
            delay: config.broadcast_delay,
            step_polls: config.tos.broadcast_step_polls,
        },
    }
}

/// Whether there is a driver for it.
fn is_known(clock: &ReferenceClock) -> bool {
    clock.address.driver == ClockAddress::LOCAL
}

pub(crate) fn local_clock(line: &ReferenceClock) -> LocalClock {
    let mut clock = LocalClock::new(line.address.unit);
    let fudge = &line.fudge;
    clock.correction = fudge.time1.unwrap_or_default();
    clock.stratum = fudge.stratum.unwrap_or(clock.stratum);
    clock.reference_id = fudge.reference_id.unwrap_or(clock.reference_id);
    for (bit, flag) in fudge.flags.iter().enumerate() {
        clock.flags |= u8::from(*flag == Some(true)) << bit;
    }
    clock
}

pub(crate) fn tinker(written: &ntp_conf::Tinker, slew: bool) -> Tinker {
    let mut tinker = Tinker {
        allan: PollExponent::new(i8::try_from(written.allan_exponent).unwrap_or(11)),
        dispersion: written.dispersion,
        frequency: written.frequency,
        huff_puff: written.huff_puff.map(elapsed),
        panic: Tinker::threshold(written.panic),
        step_forward: Tinker::threshold(written.step_forward),
        step_back: Tinker::threshold(written.step_back),
        stepout: elapsed(written.step_out),
    };
    if slew {
        tinker.slew_only();
    }
    tinker
}

fn leap_options(config: &Config, tinker: Tinker) -> LeapOptions {
    let check = if config.leap_file_check_hash {
        HashCheck::Required
    } else {
        HashCheck::Ignored
    };
    LeapOptions {
        file: config.leap_file.clone().map(|path| (path, check)),
        smear_interval: config.leap_smear_interval,
        steering: config.switches.is_on(Switch::Ntp),
        by_clock: config.switches.is_on(Switch::Kernel),
        tinker,
    }
}

/// `discard`: how often a client may ask.
pub(crate) const fn rate_limit(config: &Config) -> RateLimit {
    RateLimit {
        average_exponent: config.discard.average_exponent,
        minimum_seconds: config.discard.minimum,
    }
}

/// `mru` and `discard monitor`. Of two bounds on the number of clients the lower one counts.
pub(crate) fn client_limits(config: &Config) -> ClientTableLimits {
    let usual = ClientTableLimits::default();
    let mru = &config.mru;
    let by_memory = mru
        .maximum_memory
        .map(|kibibytes| ClientTableLimits::clients_in(kibibytes as usize));
    let by_number = mru.maximum_depth.map(|depth| depth as usize);
    let age = mru.maximum_age;
    ClientTableLimits {
        least: mru
            .minimum_depth
            .map_or(usual.least, |depth| depth as usize),
        most: [by_memory, by_number]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(usual.most),
        age: age.map_or(usual.age, |age| {
            Some(core::time::Duration::from_secs(age.into()))
        }),
        certain_replacement: core::time::Duration::from_secs(config.discard.monitor.into()),
    }
}

pub(crate) fn limits(tos: &ntp_conf::Tos) -> Limits {
    Limits {
        minimum_clocks: tos.minimum_clocks as usize,
        maximum_clocks: tos.maximum_clocks as usize,
        minimum_sane: tos.minimum_sane as usize,
        minimum_distance: tos.minimum_distance,
        maximum_distance: tos.maximum_distance,
        floor: tos.floor.value(),
        ceiling: tos.ceiling.value(),
        orphan: tos.orphan,
        orphan_wait: elapsed(tos.orphan_wait),
    }
}

/// A time that has passed is never negative.
pub(crate) fn elapsed(time: Duration) -> std::time::Duration {
    std::time::Duration::from_secs_f64(time.max(Duration::ZERO).to_seconds_f64())
}

fn rules(config: &Config, hosts: &HashMap<String, Vec<IpAddr>>) -> RestrictRules {
    let mut rules = RestrictRules::new();
    for line in &config.restrictions {
        restrict(&mut rules, line, hosts);
    }
    // The others follow when their names are looked up.
    for line in &config.associations {
        if let ntp_conf::ServerAddress::Ip(address) = line.address {
            rules.add_source(address);
        }
    }
    rules
}

/// What one `restrict` line says.
pub(crate) fn restrict(
    rules: &mut RestrictRules,
    line: &ntp_conf::Restriction,
    hosts: &HashMap<String, Vec<IpAddr>>,
) {
    let flags = line.flags;
    let scope = if line.ntp_port {
        Scope::NtpPort
    } else {
        Scope::AnyPort
    };
    let mut add = |target: RestrictTarget| rules.restrict(target.scoped(scope), flags);
    let masked = |address: IpAddr, mask: Option<IpAddr>| match mask {
        Some(mask) => RestrictTarget::with_mask(address, mask).ok(),
        None => Some(RestrictTarget::host(address)),
    };
    match &line.address {
        ntp_conf::RestrictAddress::Default(family) => {
            if *family != Some(ntp_conf::AddressFamily::Ipv6) {
                add(RestrictTarget::DEFAULT_IPV4);
            }
            if *family != Some(ntp_conf::AddressFamily::Ipv4) {
                add(RestrictTarget::DEFAULT_IPV6);
            }
        }
        ntp_conf::RestrictAddress::Source => {
            rules.set_source_template(Some(SourceTemplate { scope, flags }));
        }
        ntp_conf::RestrictAddress::Network { address, mask } => {
            masked(*address, Some(*mask)).map(add);
        }
        ntp_conf::RestrictAddress::Host { name, mask, .. } => {
            for address in hosts.get(name).into_iter().flatten() {
                masked(*address, *mask).map(&mut add);
            }
        }
    }
}
