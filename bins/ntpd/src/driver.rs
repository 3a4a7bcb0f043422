//! The event loop: it moves datagrams, names, signals and the clock between the world and the
//! engine, and decides nothing.

mod nts;
mod sending;

use std::{collections::HashMap, io, path::PathBuf, sync::Arc, time::Duration as Elapsed};

use mio::{Events, Interest, Poll, Token, Waker};
use ntp_conf::AddressFamily;
use ntp_discipline::{Adjustment, Clock};
use ntp_engine::{Arrival, Endpoint, Engine, Exit, Input, Output, Work};
use ntp_os::{AddressWatch, Batch, Datagram, Departures, Family, Outbox, Resolver, SystemClock};
use ntp_wire::{AssociationId, Monotonic};

use crate::{
    drift,
    driver_answers::DriverAnswers,
    identity_watch::IdentityWatch,
    leap_file,
    log::Log,
    metrics_server::MetricsServer,
    nts::Nts,
    saved_configuration,
    signals::Signals,
    sockets::Sockets,
    statistics::StatisticsFiles,
    team::{Report, Team},
    token,
    worker::Worker,
};

/// How many batches of one socket are taken before the others have their turn.
const BATCHES: usize = 8;
/// No wait is longer: a signal may come just before it.
const LONGEST_WAIT: Elapsed = Elapsed::from_secs(1);

/// After a change of the machine's addresses, for so long more may change.
const SETTLING: Elapsed = Elapsed::from_secs(2);

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

    /// Takes what a socket holds, or much of it.
    fn receive(&mut self, token: Token, batch: &mut Batch) {
        for _ in 0..BATCHES {
            let Some(socket) = self.sockets.by_token(token) else {
                return;
            };
            let has_departures = socket.has_departures();
            if has_departures {
                // Before what may answer them.
                self.tell_departures(token);
            }
            let Some(socket) = self.sockets.by_token(token) else {
                return;
            };
            let is_for_many = self.sockets.is_for_many(token);
            if let Err(error) = socket.receive(batch) {
                self.log.warning(&format!("receiving: {error}"));
                self.unread.push(token);
                return;
            }
            let sources = batch.iter().map(|datagram| datagram.from.ip());
            self.engine.anticipate(sources);
            let is_few = batch.iter().count() <= Outbox::FEW;
            for datagram in batch.iter() {
                if is_for_many {
                    self.take_for_many(&datagram);
                } else {
                    self.take_single(token, &datagram, is_few);
                }
            }
            self.flush(token);
            if !batch.is_full() {
                if let Err(error) = self.sockets.rearm(token, self.poll.registry()) {
                    self.log.warning(&format!("waiting for a socket: {error}"));
                }
                return;
            }
        }
        self.unread.push(token);
        self.hurry = true;
        self.call_team();
    }

    /// Leaves requests to other threads from now on, if there may be any.
    fn call_team(&mut self) {
        if self.team.is_some() || !self.sockets.can_be_shared() {
            return;
        }
        let shards = self.engine.share(self.threads.into());
        let reader = self.clock.reader();
        let started = self
            .waker()
            .and_then(|waker| Team::start(shards, &reader, &waker));
        match started {
            Ok(team) => {
                self.sockets.share(&team, &mut self.log);
                self.team = Some(team);
                let threads = self.threads;
                self.log
                    .information(&format!("{threads} threads answer requests now"));
            }
            Err(error) => {
                self.sockets.keep_for_one();
                self.log
                    .warning(&format!("one thread answers requests: {error}"));
            }
        }
    }

    /// Takes in what other threads left to this one.
    fn hear_team(&mut self) {
        while let Some(report) = self.team.as_ref().and_then(Team::report) {
            match report {
                Report::Datagram {
                    received,
                    local,
                    remote,
                    flags,
                    data,
                } => {
                    let input = Input::Screened {
                        received,
                        local,
                        remote,
                        flags,
                        data: &data,
                    };
                    self.engine.handle(self.clock.read(), input);
                    self.drain();
                }
                Report::NotSent { remote, error } => self.tell_not_sent(remote, &error),
                Report::Problem(text) => self.log.warning(&text),
            }
        }
    }

    /// Takes in a datagram that was sent to us alone. Its answer waits in the outbox for those of
    /// the datagrams that came with it, unless that are few: then it leaves at once, so that the
    /// time in it is that of its departure.
    fn take_single(&mut self, token: Token, datagram: &Datagram<'_>, is_few: bool) {
        if self.outbox.is_full() {
            self.flush(token);
        }
        let (now, received) = self.clock.read_at(datagram.stamp);
        let arrival = Arrival {
            received: received.wall,
            now,
            local: datagram.to,
            remote: datagram.from,
        };
        let reply = self.outbox.room().and_then(|room| room.first_chunk_mut());
        let Some(reply) = reply else {
            return;
        };
        if let Some(answer) = self.engine.respond(&arrival, datagram.data, reply) {
            // The socket is bound to the address that was asked.
            self.outbox.queue(answer.length, datagram.from, None);
            if answer.stamped && (is_few || answer.interleaved) {
                self.outbox.want_departure();
            }
            if is_few {
                self.send_now(token, answer);
            }
        }
        self.drain();
    }

    /// Takes in a datagram that was sent to many.
    fn take_for_many(&mut self, datagram: &Datagram<'_>) {
        let Some(local) = self.sockets.local_for(datagram.from) else {
            return;
        };
        let (now, received) = self.clock.read_at(datagram.stamp);
        let input = Input::DatagramToMany {
            received: received.wall,
            local,
            remote: datagram.from,
            to: datagram.to,
            data: datagram.data,
        };
        self.engine.handle(now, input);
        self.drain();
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
                    let family = match family {
                        None => Family::Any,
                        Some(AddressFamily::Ipv4) => Family::V4,
                        Some(AddressFamily::Ipv6) => Family::V6,
                    };
                    match name.parse() {
                        // An address needs nobody to look it up.
                        Ok(address) => {
                            let found = self.endpoints([std::net::SocketAddr::new(address, port)]);
                            self.resolved(association, found);
                        }
                        Err(_) => self.ask(association, &name, port, family),
                    }
                }
                Output::ReadLeapFile(path) => {
                    let read = leap_file::read(&path);
                    let now = self.clock.read();
                    let read = read.as_deref().map_err(Clone::clone);
                    self.engine.handle(now, Input::LeapFile(read));
                }
                Output::Work(work) => self.work(work),
                Output::WatchIdentity => self.watch_identity(),
                Output::SaveConfiguration(request) => {
                    let result = saved_configuration::write(&request.path, &request.text);
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
        let now = self.clock.read();
        self.engine
            .handle(now, Input::ClockChanged { asked, result });
    }

    /// What wakes the loop, which has one for all threads.
    fn waker(&mut self) -> io::Result<Arc<Waker>> {
        if let Some(waker) = &self.waker {
            return Ok(Arc::clone(waker));
        }
        let waker = Arc::new(Waker::new(self.poll.registry(), token::WAKER)?);
        Ok(Arc::clone(self.waker.insert(waker)))
    }

    /// Looks a name up in the resolver's thread.
    fn ask(&mut self, association: AssociationId, name: &str, port: u16, family: Family) {
        let id = association.value().into();
        let asked = self
            .waker()
            .and_then(|waker| self.resolver.ask(waker, id, name, port, family));
        if let Err(error) = asked {
            let why = format!("names can't be looked up: {error}");
            self.resolved(association, Err(why));
        }
    }

    fn names(&mut self) {
        while let Some(answer) = self.resolver.answer() {
            let id = AssociationId::new(u16::try_from(answer.id).unwrap_or_default());
            let found = match answer.addresses {
                Ok(addresses) => self.endpoints(addresses),
                Err(error) => Err(error.to_string()),
            };
            self.resolved(id, found);
        }
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

    fn endpoints(
        &self,
        remotes: impl IntoIterator<Item = std::net::SocketAddr>,
    ) -> Result<Vec<Endpoint>, String> {
        let found: Vec<Endpoint> = remotes
            .into_iter()
            .filter_map(|remote| {
                Some(Endpoint {
                    remote,
                    local: self.sockets.local_for(remote)?,
                })
            })
            .collect();
        if found.is_empty() {
            Err("no interface to send from".to_owned())
        } else {
            Ok(found)
        }
    }

    fn resolved(&mut self, association: AssociationId, endpoints: Result<Vec<Endpoint>, String>) {
        let now = self.clock.read();
        self.engine.handle(
            now,
            Input::Resolved {
                association,
                endpoints,
            },
        );
    }

    fn scan(&mut self, now: Monotonic) {
        let Some(interval) = self.scan_interval else {
            return;
        };
        if self.next_scan <= now {
            self.failing.clear();
            // Whatever is wrong was logged, and the sockets that stand go on.
            let _ = self.sockets.scan(self.poll.registry(), &mut self.log);
            if let Some(team) = &self.team {
                self.sockets.share(team, &mut self.log);
            }
            self.tell_interfaces();
            let addresses = self.sockets.addresses().map(|(_, address)| address);
            self.nts.set_addresses(addresses);
            if let Some(answers) = &mut self.answers
                && !answers.set_addresses(&self.sockets, &mut self.log)
            {
                self.answers = None;
            }
            let wait = match self.sockets.is_waiting() && self.addresses.is_none() {
                true => SETTLING,
                false => interval,
            };
            self.next_scan = now + wait;
        }
    }

    /// Addresses that come or go are looked at in a moment: seldom does one come alone.
    fn addresses_changed(&mut self) {
        let Some(addresses) = &mut self.addresses else {
            return;
        };
        if addresses.take_changed() {
            let soon = self.clock.read().monotonic + SETTLING;
            self.next_scan = self.next_scan.min(soon);
        }
        // As with the sockets.
        if cfg!(mio_unsupported_force_poll_poll) {
            let _ =
                self.poll
                    .registry()
                    .reregister(addresses, token::ADDRESSES, Interest::READABLE);
        }
    }

    fn tell_interfaces(&mut self) {
        let interfaces = Input::Interfaces(self.sockets.describe());
        self.engine.handle(self.clock.read(), interfaces);
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

/// Wants to be told when the machine's addresses change. Without that they are looked at now and
/// then.
fn watch_addresses(poll: &Poll) -> Option<AddressWatch> {
    let mut watch = AddressWatch::open().ok()?;
    poll.registry()
        .register(&mut watch, token::ADDRESSES, Interest::READABLE)
        .ok()?;
    Some(watch)
}
