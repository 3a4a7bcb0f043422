//! From the command line to a running daemon.

use std::{
    collections::HashMap,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration as Elapsed,
};

use getrandom::SysRng;
use getrandom::rand_core::TryRng;
use mio::Poll;
use ntp_autokey::{Host, HostOptions, IdentityGroups};
use ntp_conf::{Config, RestrictAddress};
use ntp_discipline::Clock;
use ntp_engine::{Engine, ProgramDescription, Setup};
use ntp_keys::KeyTable;
use ntp_os::{
    Account, ClockSpec, Family, OpenClockError, Readiness, SocketOptions, SystemClock, change_root,
    daemonise, raise_priority, resolve, write_pid_file,
};
use ntp_wire::Timestamp;

use crate::{
    arguments::Arguments,
    cards, configuration, drift,
    driver::{Driver, Ended, Parts},
    driver_answers::DriverAnswers,
    identity,
    identity_watch::IdentityWatch,
    keys_file, leap_file,
    log::Log,
    metrics_server::MetricsServer,
    nts::Nts,
    nts_files,
    sockets::{Choice, Hearing, Sockets},
    statistics::StatisticsFiles,
};

/// Why the daemon did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{0}")]
    Configuration(String),
    #[error("can't run in the background: {0}; start with -n to stay in the foreground")]
    Background(#[from] ntp_os::DaemonError),
    #[error("{0}")]
    Clock(#[from] OpenClockError),
    #[error("{0}; is another ntpd running?")]
    Socket(#[from] ntp_os::BindError),
    #[error(
        "no address to listen on: -I, -4, -6 and `interface` lines leave none of this machine's addresses that are up"
    )]
    NoAddress,
    #[error(
        "`interface` lines and the options -I and -L exclude each other: remove one or the other"
    )]
    TwoChoices,
    #[error("user: {0}")]
    Account(#[from] ntp_os::AccountError),
    #[error("can't become that user: {0}")]
    Privilege(#[from] ntp_os::PrivilegeError),
    #[error("can't confine to {path}: {source}", path = path.display())]
    Jail {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("can't write the process number to {path}: {source}", path = path.display())]
    PidFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the system gives no random numbers")]
    Random,
    #[error("event loop: {0}")]
    Loop(#[from] std::io::Error),
}

/// Reads the configuration, opens everything, runs.
pub(crate) fn run(arguments: &Arguments) -> Result<(Ended, Log), StartError> {
    let read = configuration::read(arguments).map_err(StartError::Configuration)?;
    let config = read.config;
    // Before there is a thread, and before anything is opened that a child could not have.
    let foreground = arguments.foreground || arguments.quit || arguments.debug > 0;
    let readiness = if foreground {
        Readiness::nobody_waits()
    } else {
        daemonise()?
    };
    let log_file = arguments
        .log_file
        .clone()
        .or_else(|| config.log_file.clone());
    let (mut log, problem) = Log::open(log_file.as_deref(), foreground);
    if let (Some(error), Some(path)) = (problem, &log_file) {
        log.error(&format!(
            "the log file {} can't be opened: {error}",
            path.display()
        ));
    }
    log.information(&format!("ntpd {}: Starting", env!("CARGO_PKG_VERSION")));
    log.information(&format!("Command line: {}", command_line()));
    for (severity, line) in &read.problems {
        log.write(*severity, line);
    }
    serve(arguments, config, log, readiness)
}

fn serve(
    arguments: &Arguments,
    config: Config,
    mut log: Log,
    readiness: Readiness,
) -> Result<(Ended, Log), StartError> {
    if arguments.statistics.is_some() {
        log.warning("-s is understood, but not carried out by this version");
    }
    if arguments.nice
        && let Err(error) = raise_priority()
    {
        log.warning(&format!(
            "-N: the priority can't be raised: {error}; it takes root or CAP_SYS_NICE"
        ));
    }
    let clock = SystemClock::open(&arguments.clock)?;
    if let Err(error) = clock.check_permission() {
        log.error(&format!("{error}; until then it is only watched"));
    }
    let poll = Poll::new()?;
    let by_option = !arguments.interfaces.is_empty() || arguments.no_virtual_addresses;
    if by_option && !config.interfaces.is_empty() {
        return Err(StartError::TwoChoices);
    }
    let threads = config.threads.unwrap_or_else(processors);
    let cards = cards::open(&config.hardware_timestamps, &mut log);
    let mut sockets = Sockets::new(
        arguments.port,
        Choice {
            wanted: arguments.interfaces.clone(),
            no_virtual: arguments.no_virtual_addresses,
            ipv4_only: arguments.ipv4,
            ipv6_only: arguments.ipv6,
            rules: config.interfaces.clone(),
            hearing: Hearing::of(&config),
        },
        SocketOptions {
            dscp: config.dscp,
            cards: cards.clone(),
            ..SocketOptions::default()
        },
        // One of them is enough for few clients, and has the daemon's own sockets.
        match threads {
            1 => 0,
            more => more,
        },
    );
    sockets.scan(poll.registry(), &mut log)?;
    if sockets.is_empty() {
        return Err(StartError::NoAddress);
    }
    let drift_file = arguments
        .drift_file
        .clone()
        .or_else(|| config.drift_file.clone());
    let pid_file = arguments
        .pid_file
        .clone()
        .or_else(|| config.pid_file.clone());
    let identity = config.crypto.as_ref().map(|crypto| {
        let directory = config.keys.directory.clone();
        IdentityWatch::new(directory, crypto.clone())
    });
    let statistics = StatisticsFiles::new(&config.statistics);
    let interfaces = config.xdp.clone();
    let metrics = config.metrics.map(|metrics| metrics.address);
    let metrics = metrics.and_then(|address| {
        let opened = MetricsServer::open(address, poll.registry());
        opened
            .inspect_err(|error| log.error(&format!("no metrics at TCP {address}: {error}")))
            .ok()
    });
    let nts = Nts::open(&config, seed()?, &mut log);
    let setup = setup(arguments, config, drift_file.as_deref(), &clock, &mut log)?;
    let engine = Engine::new(setup, seed()?, clock.read());
    if let Some(path) = pid_file {
        write_pid_file(&path).map_err(|source| StartError::PidFile { path, source })?;
    }
    // Before root's rights are given up, which it takes.
    let answers = DriverAnswers::start(
        &interfaces,
        arguments.port,
        &engine,
        &sockets,
        &clock,
        &mut log,
    );
    let account = arguments.user.as_deref().map(Account::find).transpose()?;
    if let Some(path) = &arguments.jail {
        change_root(path).map_err(|source| StartError::Jail {
            path: path.clone(),
            source,
        })?;
    }
    if let Some(account) = account {
        account.assume(matches!(arguments.clock, ClockSpec::Kernel))?;
    }
    if let Some(cards) = &cards {
        cards::start(cards, &mut log);
    }
    let scan_interval = match arguments.update_interval {
        0 => None,
        seconds => Some(Elapsed::from_secs(seconds.max(60).into())),
    };
    let driver = Driver::new(Parts {
        engine,
        clock,
        sockets,
        poll,
        identity,
        answers,
        nts,
        log,
        statistics,
        drift_file,
        scan_interval,
        threads,
        metrics,
        cards,
    })?;
    readiness.ready()?;
    Ok(driver.run()?)
}

fn setup(
    arguments: &Arguments,
    config: Config,
    drift_file: Option<&Path>,
    clock: &SystemClock,
    log: &mut Log,
) -> Result<Setup, StartError> {
    let frequency = drift_file.and_then(|path| {
        drift::read(path).unwrap_or_else(|problem| {
            log.warning(&problem);
            None
        })
    });
    let keys = keys(&config, log);
    let (autokey, autokey_options, groups) = autokey(&config, clock.read().wall, log)?;
    let cookie_keys = nts_files::read_cookie_keys(&config.nts, log);
    let restricted_hosts = restricted_hosts(&config, log);
    Ok(Setup {
        keys,
        autokey,
        autokey_options,
        groups,
        cookie_keys,
        frequency,
        precision: clock.precision(),
        port: arguments.port,
        panic_once: arguments.panic_gate > 0,
        step_once: arguments.force_step_once,
        one_shot: arguments.quit,
        slew: arguments.slew,
        restricted_hosts,
        // Now, since it may be out of reach when the daemon is confined.
        leap_file: config.leap_file.as_deref().map(leap_file::read),
        program: description(),
        config,
    })
}

/// The keys file; nothing of it if it can't be trusted.
fn keys(config: &Config, log: &mut Log) -> KeyTable {
    let Some(path) = &config.keys.file else {
        return KeyTable::default();
    };
    keys_file::read(path, log).unwrap_or_else(|problem| {
        log.error(&problem);
        KeyTable::default()
    })
}

/// Our own Autokey identity, and the groups we know; neither without `crypto`.
fn autokey(
    config: &Config,
    now: Timestamp,
    log: &mut Log,
) -> Result<(Option<Host>, HostOptions, IdentityGroups), StartError> {
    let Some(crypto) = &config.crypto else {
        return Ok((None, HostOptions::default(), IdentityGroups::new()));
    };
    let mut options = HostOptions {
        revoke: config.revoke,
        ..HostOptions::default()
    };
    if options.revoke < HostOptions::LEAST_REVOKE {
        log.warning(&format!(
            "revoke {}: {} is taken, the least there is",
            options.revoke,
            HostOptions::LEAST_REVOKE
        ));
    }
    if let Some(name) = &crypto.digest {
        match ntp_keys::DigestAlgorithm::from_name(name) {
            Some(digest) => options.digest = digest,
            None => log.error(&format!("crypto: no digest `{name}`; MD5 is used")),
        }
    }
    let identity = identity::load(&config.keys.directory, crypto, log);
    let host = match identity.credentials {
        None => None,
        Some(credentials) => match Host::new(credentials, options.clone(), seed()?) {
            Ok(host) => {
                log.information(&format!(
                    "crypto: host {}, {}, flags {}; Autokey is no protection against who can see \
                     the packets",
                    host.name(),
                    host.signature_name(),
                    host.status(),
                ));
                if host.expires() < now {
                    log.error(
                        "crypto: our certificate has expired, and nobody will believe what it \
                         signs: make a new one with ntp-keygen",
                    );
                }
                Some(host)
            }
            Err(error) => {
                log.error(&format!("crypto: {error}"));
                None
            }
        },
    };
    Ok((host, options, identity.groups))
}

fn restricted_hosts(config: &Config, log: &mut Log) -> HashMap<String, Vec<IpAddr>> {
    let mut found = HashMap::new();
    for line in &config.restrictions {
        let RestrictAddress::Host { name, .. } = &line.address else {
            continue;
        };
        match resolve(name, 123, Family::Any) {
            Ok(addresses) => {
                found.insert(
                    name.clone(),
                    addresses.iter().map(|address| address.ip()).collect(),
                );
            }
            Err(error) => log.error(&format!("restrict: {error}; the line has no effect")),
        }
    }
    found
}

/// As many as can be of use; beyond this the network is the limit.
fn processors() -> u16 {
    const MOST: u16 = 16;
    let number = std::thread::available_parallelism().map_or(1, usize::from);
    u16::try_from(number).unwrap_or(MOST).min(MOST)
}

fn seed() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    SysRng
        .try_fill_bytes(&mut seed)
        .map_err(|_| StartError::Random)?;
    Ok(seed)
}

fn description() -> ProgramDescription {
    let system = nix::sys::utsname::uname().ok();
    let text = |of: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        system
            .as_ref()
            .map(|system| of(system).to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    ProgramDescription {
        version: format!("ntpd Meridian {}", env!("CARGO_PKG_VERSION")),
        processor: text(nix::sys::utsname::UtsName::machine),
        system: format!(
            "{}/{}",
            text(nix::sys::utsname::UtsName::sysname),
            text(nix::sys::utsname::UtsName::release)
        ),
    }
}

fn command_line() -> String {
    std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
