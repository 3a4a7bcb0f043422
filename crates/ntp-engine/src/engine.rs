//! The daemon: what comes in, what is due, what goes out.

mod autokey;
mod broadcast;
mod client;
mod clock;
mod configure;
mod departure;
mod ephemeral;
mod leap;
mod nts;
mod pool;
mod publish;
mod reconfigure;
mod reset;
mod search;
mod statistics;
mod symmetric;
mod turns;
mod words;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration as Elapsed,
};

use bytes::Bytes;
use ntp_autokey::{Host, HostOptions, IdentityGroups};
use ntp_conf::{Config, Restriction};
use ntp_discipline::{Adjustment, FilterConditions, Now, SystemEvent};
use ntp_nts::CookieKeys;
use ntp_restrict::{ClientTableLimits, RateLimit, RestrictFlags, RestrictList, RestrictRules};
use ntp_wire::{AssociationId, KeyId, Mode, Monotonic, PollExponent, Ppm, Precision, Timestamp};
use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

pub(crate) use self::{
    broadcast::ToMany, publish::has_limit, reset::CounterGroup, search::SearchService, words::Told,
};
use crate::{
    Arrival, Counters, Event, Input, LONGEST_REPLY, Output, ProgramDescription, Reply, Responder,
    ServerView, Severity, Verdict, What,
    association::{Association, Source},
    authority::{Authority, TrustedKeys},
    control::{Budget, Epoch, Nonces},
    event::Subject,
    jump::JumpWatch,
    leap::Leaps,
    private::{ControlCounters, Replays},
    setup::{Plan, Setup},
    shard::Shards,
    statistics::Wanted,
    system::System,
    traffic::Traffic,
};

/// The drift file is written this often.
const DRIFT_INTERVAL: Elapsed = Elapsed::from_secs(3600);
/// The loop runs once a second.
const TICK: Elapsed = Elapsed::from_secs(1);

/// The daemon without I/O.
///
/// Its driver feeds it with [`handle`](Self::handle), wakes it at
/// [`next_deadline`](Self::next_deadline) by [`handle_deadline`](Self::handle_deadline), and does
/// what [`poll`](Self::poll) says until that says nothing more. The same inputs at the same times
/// give the same outputs.
pub struct Engine {
    /// What is configured: what the files said, and what ntpq changed since.
    pub(crate) config: Config,
    pub(crate) program: ProgramDescription,
    pub(crate) port: u16,
    pub(crate) precision: Precision,
    pub(crate) control_key: Option<KeyId>,
    /// `enable auth`: who comes by himself must have a key.
    authentication_required: bool,
    pub(crate) to_many: ToMany,
    search_service: SearchService,
    /// Sources have estimators.
    precise: bool,
    pub(crate) keys: Arc<TrustedKeys>,
    pub(crate) autokey: Option<Host>,
    /// There if `crypto` is configured.
    autokey_options: Option<HostOptions>,
    /// There if `nts enable` is configured.
    cookie_keys: Option<Arc<CookieKeys>>,
    pub(crate) nts_client: nts::NtsClientCounters,
    groups: IdentityGroups,
    /// `ident`: the group of those who come by themselves.
    ident: Option<String>,
    pub(crate) associations: Vec<Association>,
    pub(crate) system: System,
    pub(crate) responder: Responder,
    pub(crate) shards: Shards,
    /// `enable monitor`.
    pub(crate) monitor: bool,
    /// The bounds on the lists of clients of all threads together.
    pub(crate) client_limits: ClientTableLimits,
    pub(crate) rules: RestrictRules,
    /// What the rules come to.
    pub(crate) restrictions: Arc<RestrictList>,
    pub(crate) view: Arc<ServerView>,
    pub(crate) rng: ChaCha12Rng,
    allan: PollExponent,
    dispersion_rate: Ppm,
    one_shot: bool,
    /// What the clocks last showed.
    pub(crate) now: Now,
    pub(crate) started: Monotonic,
    next_tick: Monotonic,
    next_drift: Monotonic,
    next_restart: Monotonic,
    /// Public-key work that is being done.
    at_work: usize,
    next_identity: Monotonic,
    /// The rate that was last asked for.
    pub(crate) rate: Option<Ppm>,
    rate_refused: bool,
    pub(crate) leap: leap::LeapWatch,
    jumps: JumpWatch,
    statistics: Wanted,
    next_system_record: Monotonic,
    /// What was counted when `sysstats` had its last line.
    recorded_counters: Counters,
    pub(crate) traffic: Traffic,
    /// What was counted of mode 6.
    pub(crate) control_counters: ControlCounters,
    /// Private messages that were carried out lately.
    pub(crate) replays: Replays,
    pub(crate) nonces: Nonces,
    pub(crate) control_budget: Budget,
    /// For looking through the list of clients.
    pub(crate) search_budget: Budget,
    /// What the times of clients are told by.
    pub(crate) epoch: Epoch,
    /// The `ident` line.
    pub(crate) default_ident: Option<String>,
    /// `-x`
    slew: bool,
    /// Lines of `restrict` whose hosts are being looked up, and the numbers of these questions.
    awaited_hosts: Vec<(u16, Restriction)>,
    next_host: u16,
    pub(crate) resets: reset::Resets,
    told_stratum: words::ToldStratum,
    turns: turns::Turns,
    outputs: VecDeque<Output>,
}

impl Engine {
    /// A daemon as `setup` describes it, started at `now`.
    ///
    /// `seed` feeds all that is random, and must be unpredictable wherever packets come from
    /// strangers.
    pub fn new(setup: Setup, seed: [u8; 32], now: Now) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let leap_file = setup.leap_file.clone();
        let config = setup.config.clone();
        let statistics = Wanted::of(&config);
        let Plan {
            associations,
            clients,
            limit,
            limits,
            options,
            frequency,
            steering,
            leaps,
            precise,
            rest,
        } = setup.plan(&mut rng, now.monotonic);
        let (system, event) = System::new(
            ntp_discipline::Selector::new(limits),
            options,
            frequency,
            steering,
            precise,
            now,
        );
        let view = Arc::new(publish::view(&rest, &system, options.precision));
        // Numbers of their own, whoever else draws some.
        let mut sealing = ChaCha12Rng::from_seed(seed);
        sealing.set_stream(1);
        let cookie_keys = config
            .nts
            .enabled
            .then(|| nts::first_keys(rest.cookie_keys, &mut sealing, now));
        let are_cookie_keys_new = cookie_keys.as_ref().is_some_and(|(_, is_new)| *is_new);
        let client_limits = *clients.limits();
        let nonces = Nonces::new(&mut rng);
        let mut engine = Self {
            config,
            program: rest.program,
            port: rest.port,
            precision: options.precision,
            control_key: rest.control_key,
            authentication_required: rest.authentication_required,
            to_many: rest.to_many,
            search_service: rest.search_service,
            precise,
            keys: rest.keys,
            autokey: rest.autokey,
            autokey_options: rest.autokey_options,
            cookie_keys: cookie_keys.map(|(keys, _)| keys),
            nts_client: nts::NtsClientCounters::default(),
            groups: rest.groups,
            ident: rest.ident,
            associations,
            system,
            responder: Responder::new(clients, limit, sealing.random()),
            shards: Shards::default(),
            monitor: rest.monitor,
            client_limits,
            restrictions: Arc::clone(&view.restrictions),
            rules: rest.rules,
            view,
            rng,
            allan: options.tinker.allan,
            dispersion_rate: options.tinker.dispersion,
            one_shot: options.one_shot,
            now,
            started: now.monotonic,
            next_tick: now.monotonic,
            next_drift: now.monotonic + DRIFT_INTERVAL,
            next_restart: now.monotonic,
            at_work: 0,
            next_identity: now.monotonic + autokey::IDENTITY_INTERVAL,
            rate: None,
            rate_refused: false,
            leap: leap::LeapWatch::new(Leaps::new(leaps), now.monotonic),
            jumps: JumpWatch::new(now, options.precision.to_duration()),
            statistics,
            next_system_record: now.monotonic + statistics::SYSTEM_INTERVAL,
            recorded_counters: Counters::default(),
            traffic: Traffic::default(),
            control_counters: ControlCounters::default(),
            replays: Replays::default(),
            nonces,
            control_budget: Budget::default(),
            search_budget: Budget::default(),
            epoch: Epoch::new(now),
            default_ident: rest.default_ident,
            slew: rest.slew,
            awaited_hosts: Vec::new(),
            next_host: 0,
            resets: reset::Resets::new(now.monotonic),
            told_stratum: words::ToldStratum::default(),
            turns: turns::Turns::default(),
            outputs: VecDeque::new(),
        };
        engine.system_event(SystemEvent::Restart, "");
        engine.system_event(event, "");
        for index in 0..engine.associations.len() {
            let detail = engine.number(index);
            engine.peer_event(index, 1, "mobilize", &detail);
            engine.resolve(index);
        }
        if are_cookie_keys_new {
            engine.keep_cookie_keys();
        }
        engine.start_leaps(leap_file);
        // From here on it is known how fast the clock runs beside its oscillator.
        engine.tick();
        engine.publish();
        engine
    }

    /// Takes in what the world did.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        if matches!(
            input,
            Input::ClockChanged {
                asked: Adjustment::Step(_),
                ..
            }
        ) {
            self.jumps.restart(now);
        }
        self.take_time(now);
        if let Input::Datagram { local, .. } | Input::DatagramToMany { local, .. } = &input {
            self.traffic.received(*local);
        }
        match input {
            Input::Datagram {
                received,
                local,
                remote,
                data,
            } => {
                self.datagram(received, local, remote, data);
            }
            Input::DatagramToMany {
                received,
                local,
                remote,
                to,
                data,
            } => self.datagram_to_many(received, local, remote, to, data),
            Input::Screened {
                received,
                local,
                remote,
                flags,
                data,
            } => {
                let arrival = Arrival {
                    received,
                    now,
                    local,
                    remote,
                };
                self.route(&arrival, data, flags);
            }
            Input::Resolved {
                association,
                endpoints,
            } => self.resolved(association, endpoints),
            Input::KeysExchanged {
                association,
                result,
            } => self.keys_exchanged(association, result),
            Input::ClockChanged { asked, result } => self.clock_changed(asked, result),
            Input::LeapFile(read) => self.leap_file(read),
            Input::Answered { counters, clients } => {
                self.responder
                    .note_elsewhere(&self.view, &counters, &clients);
            }
            Input::Worked(worked) => self.autokey_worked(worked),
            Input::Identity(files) => self.renew_identity(*files),
            Input::Interfaces(found) => {
                let is_ours = |address| found.iter().any(|one| one.address.ip() == address);
                self.shards.set_addresses(is_ours);
                self.traffic.set_interfaces(now.monotonic, found);
            }
            Input::Keys(read) => self.keys_read(read),
            Input::ResolvedRestricted { number, addresses } => {
                self.resolved_restricted(number, addresses);
            }
            Input::ConfigurationSaved { request, result } => {
                self.configuration_saved(&request, result);
            }
            Input::Sent { at, remote, data } => self.sent(at, remote, data),
            Input::NotSent { local } => self.traffic.failed(local),
        }
    }

    /// When [`handle_deadline`](Self::handle_deadline) wants to be called next.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.associations
            .iter()
            .map(|association| association.schedule.next())
            .chain([self.next_tick])
            .chain(self.leap.leaps.deadline())
            .min()
    }

    /// Does what is due.
    pub fn handle_deadline(&mut self, now: Now) {
        self.take_time(now);
        for index in 0..self.associations.len() {
            let due = self
                .associations
                .get(index)
                .is_some_and(|association| association.schedule.next() <= now.monotonic);
            if due {
                self.traffic.polls += 1;
                self.poll_association(index);
            }
        }
        if self.next_tick <= now.monotonic {
            self.tick();
        } else if self
            .leap
            .leaps
            .deadline()
            .is_some_and(|due| due <= now.monotonic)
        {
            self.watch_leap();
        }
    }

    /// The clocks show something new.
    fn take_time(&mut self, now: Now) {
        self.now = now;
        let before = self.jumps.anchor();
        let own_rate = self.rate.unwrap_or_default();
        if let Some(jump) = self.jumps.look(now, own_rate) {
            if self.leap.leaps.explains(jump, before, now) {
                self.made_leap(jump);
            } else {
                self.clock_jumped(jump);
            }
        }
    }

    /// What the world should do next.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if let Some(Output::Send { local, .. } | Output::SendToMany { local, .. }) = &output {
            self.traffic.sent(*local);
        }
        output
    }

    /// The process ends: what should be kept is put out.
    pub fn shut_down(&mut self, now: Now) {
        self.now = now;
        // Nobody would end a slew that is under way.
        self.outputs
            .extend(self.system.resting_rate().map(Output::Adjust));
        self.write_drift();
    }

    /// The view that the packet path answers from.
    pub fn view(&self) -> &Arc<ServerView> {
        &self.view
    }

    /// The UDP port that we serve on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How often a client may ask.
    pub fn rate_limit(&self) -> RateLimit {
        self.responder.limit()
    }

    /// Datagrams from these addresses come next: all of a batch. It makes
    /// [`respond`](Self::respond) faster where there are very many clients.
    pub fn anticipate(&self, sources: impl Iterator<Item = IpAddr>) {
        self.responder.anticipate(sources);
    }

    /// Takes in a datagram that was sent to us alone, as [`handle`](Self::handle) does; but the
    /// answer to a plain request is written where the caller wants it, and nothing is allocated for
    /// it. Says what became of the answer, if there is one; all else comes from [`poll`](Self::poll).
    ///
    /// ```
    /// use ntp_discipline::Now;
    /// use ntp_engine::{Arrival, Engine, LONGEST_REPLY, Setup};
    /// use ntp_wire::{Monotonic, Timestamp};
    ///
    /// let config = ntp_conf::parse("ntp.conf", "", |_| Err(String::new())).config;
    /// let now = Now { wall: Timestamp::from_unix(1_795_393_189, 0), monotonic: Monotonic::START };
    /// let mut engine = Engine::new(Setup::new(config), [7; 32], now);
    /// let arrival = Arrival {
    ///     received: now.wall,
    ///     now,
    ///     local: [192, 0, 2, 1].into(),
    ///     remote: ([192, 0, 2, 2], 40_000).into(),
    /// };
    /// let mut request = [0; 48];
    /// request[0] = 4 << 3 | 3; // a client's of version 4
    /// let mut reply = [0; LONGEST_REPLY];
    /// let answer = engine.respond(&arrival, &request, &mut reply);
    /// assert_eq!(answer.map(|answer| answer.length), Some(48));
    /// ```
    pub fn respond(
        &mut self,
        arrival: &Arrival,
        data: &[u8],
        reply: &mut [u8; LONGEST_REPLY],
    ) -> Option<Reply> {
        self.take_time(arrival.now);
        self.traffic.received(arrival.local);
        let answer = self.sort(arrival, data, reply)?;
        self.traffic.sent(arrival.local);
        Some(answer)
    }

    fn datagram(&mut self, received: Timestamp, local: IpAddr, remote: SocketAddr, data: &[u8]) {
        let arrival = Arrival {
            received,
            now: self.now,
            local,
            remote,
        };
        let mut reply = [0; LONGEST_REPLY];
        if let Some(Reply {
            length, stamped, ..
        }) = self.sort(&arrival, data, &mut reply)
        {
            let data = Bytes::copy_from_slice(reply.get(..length).unwrap_or_default());
            self.outputs.push_back(Output::Send {
                local,
                remote,
                stamped,
                data,
            });
        }
    }

    /// Answers a plain request into `reply`; what is none goes where it belongs.
    fn sort(
        &mut self,
        arrival: &Arrival,
        data: &[u8],
        reply: &mut [u8; LONGEST_REPLY],
    ) -> Option<Reply> {
        match self.responder.respond(&self.view, arrival, data, reply) {
            Verdict::Reply(reply) => return Some(reply),
            Verdict::Drop(_) => {}
            Verdict::Engine(flags) => self.route(arrival, data, flags),
        }
        None
    }

    /// What is no plain request goes where it belongs.
    fn route(&mut self, arrival: &Arrival, data: &[u8], flags: RestrictFlags) {
        match data.first().map(|first| Mode::from_bits(*first)) {
            Some(Mode::Control) => self.control(arrival.local, arrival.remote, data, flags),
            Some(Mode::Private) => self.private(arrival.local, arrival.remote, data, flags),
            Some(Mode::Client) => self.autokey_request(arrival, flags, data),
            // Next to a leap second one end may have made it and the other not.
            _ if self.leap.leaps.is_delicate(self.now) => {}
            Some(Mode::Server) if self.found(arrival, flags, data) => {}
            Some(Mode::Server) => self.reply(arrival, flags, data),
            Some(Mode::SymmetricActive | Mode::SymmetricPassive) => {
                self.symmetric(arrival, flags, data);
            }
            _ => {}
        }
    }

    fn control(&mut self, local: IpAddr, remote: SocketAddr, data: &[u8], flags: RestrictFlags) {
        self.epoch.renew(self.now);
        let answers = self.answer_control(data, local, remote, flags);
        self.control_counters.note(data, &answers);
        self.send_all(local, remote, answers);
    }

    fn private(&mut self, local: IpAddr, remote: SocketAddr, data: &[u8], flags: RestrictFlags) {
        let answers = self.answer_private(data, remote, flags);
        self.send_all(local, remote, answers);
    }

    fn send_all(&mut self, local: IpAddr, remote: SocketAddr, datagrams: Vec<Bytes>) {
        let sends = datagrams.into_iter().map(|data| Output::Send {
            local,
            remote,
            stamped: false,
            data,
        });
        self.outputs.extend(sends);
    }

    fn filter_conditions(&self, poll: PollExponent) -> FilterConditions {
        FilterConditions {
            precision: self.precision,
            poll,
            allan: self.allan,
            dispersion_rate: self.dispersion_rate,
            maximum_distance: self.system.limits().maximum_distance,
            settling: self.system.loop_status().settling,
        }
    }

    pub(crate) fn note(&mut self, severity: Severity, text: impl Into<String>) {
        self.report(Event::note(severity, text));
    }

    fn peer_note(&mut self, index: usize, severity: Severity, text: impl Into<String>) {
        let Some(association) = self.associations.get(index) else {
            return;
        };
        self.report(Event {
            severity,
            about: Subject::Association {
                id: association.id,
                address: association.address(),
            },
            what: What::Note(text.into()),
        });
    }

    /// Notes an event of the system in its status word, and reports it.
    fn system_event(&mut self, event: SystemEvent, detail: impl Into<String>) {
        let event = self.note_system_event(event, detail);
        self.report(event);
    }

    /// Notes an event of the system in its status word; what to report of it.
    fn note_system_event(&mut self, event: SystemEvent, detail: impl Into<String>) -> Event {
        self.system.events.note(event.code());
        let severity = match event {
            SystemEvent::PanicStop => Severity::Error,
            SystemEvent::NoSystemPeer
            | SystemEvent::SpikeDetected
            | SystemEvent::StaleLeapValues => Severity::Warning,
            _ => Severity::Information,
        };
        Event {
            severity,
            about: Subject::System,
            what: What::Status {
                status: self.system_status().to_bits(),
                code: event.code(),
                word: event.word(),
                detail: detail.into(),
                words: self.words_of_system(event),
            },
        }
    }

    /// Notes an event of an association in its status word, and reports it.
    fn peer_event(&mut self, index: usize, code: u8, word: &'static str, detail: &str) {
        if let Some(event) = self.note_peer_event(index, code, word, detail) {
            self.report(event);
        }
    }

    /// Notes an event of an association in its status word; what to report of it.
    fn note_peer_event(
        &mut self,
        index: usize,
        code: u8,
        word: &'static str,
        detail: &str,
    ) -> Option<Event> {
        let association = self.associations.get_mut(index)?;
        association.events.note(code);
        if matches!(code, 3 | 4) {
            association.reach_changed = Some(self.now.monotonic);
        }
        let association = self.associations.get(index)?;
        Some(Event {
            severity: Severity::Information,
            about: Subject::Association {
                id: association.id,
                address: association.address(),
            },
            what: What::Status {
                status: association.status().to_bits(),
                code: code | 0x80,
                word,
                detail: detail.into(),
                words: self.words_of_association(association, code),
            },
        })
    }

    fn index_of(&self, id: AssociationId) -> Option<usize> {
        self.associations
            .iter()
            .position(|association| association.id == id)
    }

    fn authority<'a>(
        keys: &'a TrustedKeys,
        host: &'a mut Option<Host>,
        groups: &'a IdentityGroups,
        system: &System,
    ) -> Authority<'a> {
        Authority {
            keys,
            host: host.as_mut(),
            groups,
            synchronised: system.state.is_synchronised(),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("associations", &self.associations.len())
            .field("state", &self.system.state)
            .finish_non_exhaustive()
    }
}

/// Whether the source is a clock of this machine.
fn is_local(association: &Association) -> bool {
    matches!(association.source, Source::LocalClock(_))
}
