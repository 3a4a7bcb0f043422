//! The event loop: it moves datagrams, names, signals and the clock between the world and the
//! engine, and decides nothing.

mod interfaces;
mod names;
mod nts;
mod receiving;
mod sending;

use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::Duration as Elapsed};

use mio::{Events, Poll, Token, Waker};
use ntp_conf::{AddressFamily, Config};
use ntp_discipline::{Adjustment, Clock};
use ntp_engine::{Engine, Exit, Input, Output, Work};
use ntp_os::{AddressWatch, Batch, Cards, Departures, Family, Outbox, Resolver, SystemClock};
use ntp_wire::Monotonic;

use self::interfaces::{SETTLING, watch_addresses};
use crate::{
    drift,
    driver_answers::DriverAnswers,
    identity_watch::IdentityWatch,
    keys_file, leap_file,
    log::Log,
    metrics_server::MetricsServer,
    nts::Nts,
    saved_configuration,
    signals::Signals,
    sockets::{Hearing, Sockets},
    statistics::StatisticsFiles,
    team::Team,
    token,
    worker::Worker,
};

/// No wait is longer: a signal may come just before it.
const LONGEST_WAIT: Elapsed = Elapsed::from_secs(1);

/// The running daemon.
pub(crate) struct Driver {
    engine: Engine,
    clock: SystemClock,
    sockets: Sockets,
    /// Answers to the datagrams of one batch.
    outbox: Outbox,
    departures: Departures,
    poll: Poll,
    signals: Signals,
    /// There once a thread needs it.
    waker: Option<Arc<Waker>>,
    /// Runs once there is a name to look up: addresses need no thread.
    resolver: Resolver,
    /// Runs once there is public-key work.
    worker: Option<Worker>,
    /// There if `metrics` is configured.
    metrics: Option<MetricsServer>,
    /// How many threads may answer.
    threads: u16,
    /// There once more requests came at a time than one thread should answer.
    team: Option<Team>,
    /// There if `crypto` is configured.
    identity: Option<IdentityWatch>,
    /// There if `xdp` is configured and the kernel can.
    answers: Option<DriverAnswers>,
    /// There if `hwtimestamp` is configured and a card can.
    cards: Option<Cards>,
    nts: Nts,
    log: Log,
    statistics: StatisticsFiles,
    drift_file: Option<PathBuf>,
    started: Monotonic,
    /// How often to look for new interfaces; `None` is never.
    scan_interval: Option<Elapsed>,
    next_scan: Monotonic,
    /// There if interfaces are looked for, and the system tells of them.
    addresses: Option<AddressWatch>,
    /// Sends that failed are told of once per destination until one succeeds.
    failing: HashMap<std::net::SocketAddr, io::ErrorKind>,
    exit: Option<Exit>,
    /// Sockets that may hold more than was taken: they will not be told of again.
    unread: Vec<Token>,
    /// One of them does for certain: do not wait.
    hurry: bool,
}

/// What the driver needs besides the engine.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) clock: SystemClock,
    pub(crate) sockets: Sockets,
    pub(crate) poll: Poll,
    pub(crate) identity: Option<IdentityWatch>,
    pub(crate) answers: Option<DriverAnswers>,
    pub(crate) nts: Nts,
    pub(crate) log: Log,
    pub(crate) statistics: StatisticsFiles,
    pub(crate) drift_file: Option<PathBuf>,
    pub(crate) scan_interval: Option<Elapsed>,
    pub(crate) threads: u16,
    pub(crate) metrics: Option<MetricsServer>,
    pub(crate) cards: Option<Cards>,
}

/// How the daemon ended.
pub(crate) enum Ended {
    /// By a signal.
    Signal(i32),
    /// By itself.
    Exit(Exit),
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> io::Result<Self> {
        let Parts {
            engine,
            clock,
            sockets,
            poll,
            identity,
            answers,
            cards,
            nts,
            log,
            statistics,
            drift_file,
            scan_interval,
            threads,
            metrics,
        } = parts;
        let now = clock.read().monotonic;
        let addresses = scan_interval.and_then(|_| watch_addresses(&poll));
        let first_scan = match scan_interval {
            Some(_) if sockets.is_waiting() => now + SETTLING,
            Some(interval) => now + interval,
            None => now,
        };
        Ok(Self {
            engine,
            clock,
            sockets,
            outbox: Outbox::new(),
            departures: Departures::new(),
            poll,
            signals: Signals::watch()?,
            waker: None,
            resolver: Resolver::new(),
            worker: None,
            metrics,
            threads,
            team: None,
            identity,
            answers,
            cards,
            nts,
            log,
            statistics,
            drift_file,
            started: now,
            scan_interval,
            next_scan: first_scan,
            addresses,
            failing: HashMap::new(),
            exit: None,
            unread: Vec::new(),
            hurry: false,
        })
    }

    /// Runs until a signal or the engine ends it.
    pub(crate) fn run(mut self) -> io::Result<(Ended, Log)> {
        let mut events = Events::with_capacity(64);
        let mut batch = Batch::new();
        self.tell_interfaces();
        self.start_nts();
        loop {
            self.drain();
            if let Some(exit) = self.exit {
                self.finish();
                // Last, since a rate that is set ends a slew.
                let exit = match exit {
                    Exit::Slewed(offset) => match self.clock.slew(offset) {
                        Ok(_) => exit,
                        Err(error) => {
                            self.log
                                .error(&format!("the clock can't be slewed: {error}"));
                            Exit::Refused
                        }
                    },
                    exit => exit,
                };
                return Ok((Ended::Exit(exit), self.log));
            }
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Err(error);
            }
            if let Some(signal) = self.signals.end() {
                self.finish();
                return Ok((Ended::Signal(signal), self.log));
            }
            if self.signals.take_reopen() {
                self.log.reopen();
                // A second look may come at once, for who sends the signal is done.
                self.watch_identity();
                self.watch_identity();
                self.nts.look();
            }
            self.names();
            self.worked();
            self.hear_team();
            self.hear_nts();
            // Readiness is told once (epoll is edge-triggered), so each socket is emptied; the
            // others are left alone.
            let mut readable = std::mem::take(&mut self.unread);
            if events.iter().any(|event| event.token() == token::ADDRESSES) {
                self.addresses_changed();
            }
            if events.iter().any(|event| MetricsServer::has(event.token())) {
                self.serve_metrics();
            }
            for event in &events {
                if event.token().0 >= token::FIRST_SOCKET && !readable.contains(&event.token()) {
                    readable.push(event.token());
                }
            }
            self.hurry = false;
            for socket in readable {
                self.receive(socket, &mut batch);
            }
            let now = self.clock.read();
            if self
                .engine
                .next_deadline()
                .is_some_and(|deadline| deadline <= now.monotonic)
            {
                self.engine.handle_deadline(now);
            }
            self.scan(now.monotonic);
            self.refresh_answers();
            if let Some(metrics) = &mut self.metrics {
                metrics.hurry(now.monotonic, self.poll.registry());
            }
        }
    }

    fn serve_metrics(&mut self) {
        let now = self.clock.read().monotonic;
        if let Some(metrics) = &mut self.metrics {
            metrics.run(now, self.poll.registry(), || self.engine.metrics());
        }
    }

    fn refresh_answers(&mut self) {
        if let Some(answers) = &mut self.answers
            && !answers.refresh(&mut self.engine, &self.clock, &mut self.log)
        {
            self.answers = None;
        }
    }

    /// Until the engine or the interfaces want attention; rounded up, so as not to wake early.
    fn timeout(&self) -> Option<Elapsed> {
        if self.hurry {
            return Some(Elapsed::ZERO);
        }
        let now = self.clock.read().monotonic;
        let scan = self.scan_interval.map(|_| self.next_scan);
        let answers = self.answers.as_ref().map(DriverAnswers::deadline);
        let deadline = [self.engine.next_deadline(), scan, answers]
            .into_iter()
            .flatten()
            .min();
        let left = deadline.map_or(LONGEST_WAIT, |deadline| deadline.since(now));
        let rounding = Elapsed::from_micros(if left.is_zero() { 0 } else { 999 });
        Some((left + rounding).min(LONGEST_WAIT))
    }

    /// Does what the engine says.
    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Send {
                    local,
                    remote,
                    stamped,
                    data,
                } => self.send(local, remote, stamped, &data),
                Output::SendToMany {
                    local,
                    remote,
                    hops,
                    data,
                } => {
                    let result = self.sockets.send_to_many(local, remote, hops, &data);
                    self.sent(local, remote, result);
                }
                Output::Adjust(asked) => self.adjust(asked),
                Output::Resolve {
                    association,
                    name,
                    port,
                    family,
                } => {
                    match name.parse() {
                        // An address needs nobody to look it up.
                        Ok(address) => {
                            let found = self.endpoints([std::net::SocketAddr::new(address, port)]);
                            self.resolved(association, found);
                        }
                        Err(_) => self.ask(association, &name, port, family_of(family)),
                    }
                }
                Output::ReadLeapFile(path) => {
                    let read = leap_file::read(&path);
                    let now = self.clock.read();
                    let read = read.as_deref().map_err(Clone::clone);
                    self.engine.handle(now, Input::LeapFile(read));
                }
                Output::ReadKeys(path) => {
                    let read = keys_file::read_anew(&path, &mut self.log);
                    self.engine.handle(self.clock.read(), Input::Keys(read));
                }
                Output::ResolveRestricted {
                    number,
                    name,
                    family,
                } => self.ask_restricted(number, &name, family_of(family)),
                Output::Configured(config) => self.configured(&config),
                Output::Work(work) => self.work(work),
                Output::WatchIdentity => self.watch_identity(),
                Output::SaveConfiguration(request) => {
                    let result = saved_configuration::write(&request, &jiff::Zoned::now());
                    let now = self.clock.read();
                    self.engine
                        .handle(now, Input::ConfigurationSaved { request, result });
                }
                Output::WriteDrift(frequency) => {
                    if let Some(path) = &self.drift_file
                        && let Err(error) = drift::write(path, frequency)
                    {
                        self.log.error(&format!(
                            "the drift file {} can't be written: {error}",
                            path.display()
                        ));
                    }
                }
                Output::Event(event) => self.log.write(event.severity, &event.to_string()),
                Output::Record(record) => {
                    let uptime = self.clock.read().monotonic.since(self.started).as_secs();
                    self.statistics.write(&record, uptime, &mut self.log);
                }
                Output::ExchangeKeys(order) => self.exchange_keys(*order),
                Output::KeepCookieKeys(keys) => self.nts.keep(&keys, &mut self.log),
                // The engine answers by itself, and has told other threads.
                Output::Publish(view) => self.nts.set_view(&view),
                Output::Exit(exit) => {
                    self.exit.get_or_insert(exit);
                }
            }
        }
    }

    fn adjust(&mut self, asked: Adjustment) {
        // Until the engine has heard of it, nobody answers with the one time or the other.
        if let Some(answers) = &mut self.answers {
            match asked {
                Adjustment::Step(_) => answers.suspend(),
                Adjustment::Rate(_) | Adjustment::Status(_) => answers.hurry(),
            }
        }
        let result = self.clock.adjust(&asked);
        if let (Some(cards), Adjustment::Step(_)) = (&self.cards, asked) {
            cards.clock_was_set();
        }
        let now = self.clock.read();
        self.engine
            .handle(now, Input::ClockChanged { asked, result });
    }

    /// The operator changed the configuration.
    fn configured(&mut self, config: &Config) {
        self.statistics.change(&config.statistics);
        if self.sockets.hear(Hearing::of(config)) {
            self.scan_now();
        }
    }

    /// What wakes the loop, which has one for all threads.
    fn waker(&mut self) -> io::Result<Arc<Waker>> {
        if let Some(waker) = &self.waker {
            return Ok(Arc::clone(waker));
        }
        let waker = Arc::new(Waker::new(self.poll.registry(), token::WAKER)?);
        Ok(Arc::clone(self.waker.insert(waker)))
    }

    /// Has public-key work done in the worker's thread; here if there can be none.
    fn work(&mut self, work: Box<Work>) {
        if self.worker.is_none() {
            match self.waker().and_then(Worker::start) {
                Ok(worker) => self.worker = Some(worker),
                Err(error) => self.log.warning(&format!(
                    "no thread for public-key work, so it keeps packets waiting: {error}"
                )),
            }
        }
        match &self.worker {
            Some(worker) => worker.ask(work),
            None => {
                let worked = Some(Box::new(work.run()));
                self.engine.handle(self.clock.read(), Input::Worked(worked));
            }
        }
    }

    /// Looks at the files of Autokey.
    fn watch_identity(&mut self) {
        let identity = self.identity.as_mut();
        if let Some(files) = identity.and_then(|identity| identity.look(&mut self.log)) {
            let now = self.clock.read();
            self.engine.handle(now, Input::Identity(Box::new(files)));
        }
    }

    /// Takes in the public-key work that is done.
    fn worked(&mut self) {
        while let Some(worked) = self.worker.as_ref().and_then(Worker::done) {
            let now = self.clock.read();
            self.engine.handle(now, Input::Worked(worked));
            self.drain();
        }
    }

    fn finish(&mut self) {
        if let Some(answers) = &mut self.answers {
            answers.finish(&mut self.engine, &self.clock, &mut self.log);
        }
        let now = self.clock.read();
        self.engine.shut_down(now);
        self.drain();
    }
}

const fn family_of(family: Option<AddressFamily>) -> Family {
    match family {
        None => Family::Any,
        Some(AddressFamily::Ipv4) => Family::V4,
        Some(AddressFamily::Ipv6) => Family::V6,
    }
}
