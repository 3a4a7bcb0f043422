//! The client's side: asking servers and taking their answers.

use std::sync::Arc;

use ntp_discipline::{Exchange, FilterVerdict, Now};
use ntp_restrict::RestrictFlags;
use ntp_wire::control::Flash;
use ntp_wire::{AssociationId, KissCode, Monotonic, Packet, PollExponent, ReferenceId};

use super::Engine;
use crate::{
    Arrival, Endpoint, Event, Output, Severity, What,
    association::{Association, Reception, Sender, Source},
    event::Subject,
    on_wire::AnswerKind,
};

/// A name that is not found is looked up again after this many seconds, doubled each time.
const RESOLVE_AGAIN: u64 = 2;
/// But not less often than this.
const RESOLVE_SLOWEST: u64 = 1024;
/// After so many polls without an answer the name is looked up again.
const LOOK_UP_AGAIN: u32 = 16;

impl Engine {
    /// Asks for the address of a server.
    pub(super) fn resolve(&mut self, index: usize) {
        let default_port = self.port;
        if self.exchange_keys(index) {
            return;
        }
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let (id, name) = (association.id, association.settings.name.clone());
        let (resolving, port, family) = match &mut association.source {
            Source::LocalClock(_) => return,
            Source::Server(server) => (&mut server.resolving, server.port, server.family),
            Source::Pool(pool) => (&mut pool.resolving, pool.port, pool.family),
            Source::Announcer(to) => (&mut to.resolving, to.port, to.family),
            Source::Searcher(group) => (&mut group.resolving, group.port, group.family),
        };
        // One question at a time: a resolver that waits must not be given more to wait for.
        if std::mem::replace(resolving, true) {
            return;
        }
        self.outputs.push_back(Output::Resolve {
            association: id,
            name,
            port: port.unwrap_or(default_port),
            family,
        });
    }

    pub(super) fn resolved(&mut self, id: AssociationId, found: Result<Vec<Endpoint>, String>) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        if self.is_pool(index) {
            self.pool_resolved(index, found);
            return;
        }
        if self.is_announcer(index) {
            self.announcer_resolved(index, found);
            return;
        }
        if self.is_searcher(index) {
            self.search_resolved(index, found);
            return;
        }
        let now = self.now.monotonic;
        let endpoint = found.and_then(|endpoints| self.choose(index, &endpoints));
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let known = association.remote().is_some();
        let Some(server) = association.server_mut() else {
            return;
        };
        server.resolving = false;
        server.lookups = server.lookups.wrapping_add(1);
        match endpoint {
            Ok(endpoint) => {
                server.unresolved = 0;
                self.located(index, endpoint);
            }
            Err(why) => {
                let exponent = server.unresolved.min(16);
                server.unresolved = server.unresolved.saturating_add(1);
                let wait = (RESOLVE_AGAIN << exponent).min(RESOLVE_SLOWEST);
                // An address that once worked is used until a new one is found.
                if !known {
                    association
                        .schedule
                        .postpone(now + std::time::Duration::from_secs(wait));
                    self.peer_note(
                        index,
                        Severity::Warning,
                        format!("{why}; trying again in {wait} s"),
                    );
                }
            }
        }
    }

    /// A server is at this address.
    pub(super) fn located(&mut self, index: usize, endpoint: Endpoint) {
        let (now, precision) = (self.now.monotonic, self.precision);
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let moved = association
            .server_mut()
            .is_some_and(|server| server.locate(endpoint));
        if moved {
            association.clear(now, precision, ReferenceId::INIT);
            self.renew_estimator(index);
            self.admit(index);
        }
    }

    /// `restrict source` is for the address of a server, once that is known.
    pub(super) fn admit(&mut self, index: usize) {
        self.forget_restriction(index);
        if let Some(association) = self.associations.get_mut(index)
            && let Some(remote) = association.remote()
        {
            association.restriction = self.rules.add_source(remote.ip());
            if association.restriction.is_some() {
                self.restrictions = Arc::new(self.rules.build());
                self.publish();
            }
        }
    }

    /// The address of a server is no longer its address.
    pub(super) fn forget_restriction(&mut self, index: usize) {
        if let Some(association) = self.associations.get_mut(index)
            && let Some(target) = association.restriction.take()
        {
            self.rules.remove(&target);
            self.restrictions = Arc::new(self.rules.build());
            self.publish();
        }
    }

    /// The address to ask of those that a name has: the one that answers, else each in turn.
    pub(super) fn choose(&self, index: usize, endpoints: &[Endpoint]) -> Result<Endpoint, String> {
        let is_ours =
            |end: &&Endpoint| end.remote.ip() == end.local && end.remote.port() == self.port;
        let is_taken = |end: &&Endpoint| {
            self.associations
                .iter()
                .enumerate()
                .any(|(other, association)| {
                    other != index && association.remote() == Some(end.remote)
                })
        };
        let fit: Vec<&Endpoint> = endpoints
            .iter()
            .filter(|end| !is_ours(end) && !is_taken(end))
            .collect();
        let association = self.associations.get(index);
        let answering = association
            .filter(|association| association.schedule.reach() != 0)
            .and_then(|association| association.server()?.endpoint());
        if let Some(answering) = answering.filter(|answering| fit.contains(&answering)) {
            return Ok(answering);
        }
        let turn = association
            .and_then(|association| association.server())
            .map_or(0, |server| server.lookups);
        match fit.get(turn.checked_rem(fit.len()).unwrap_or(0)) {
            Some(endpoint) => Ok(**endpoint),
            None if endpoints.iter().any(|end| is_ours(&end)) => {
                Err("this is our own address: nobody can follow himself".to_owned())
            }
            None if endpoints.is_empty() => Err("no address".to_owned()),
            None => Err("another line names this server already".to_owned()),
        }
    }

    /// It is time to ask a source.
    pub(super) fn poll_association(&mut self, index: usize) {
        if self.is_pool(index) {
            self.poll_pool(index);
            return;
        }
        if self.is_announcer(index) {
            self.announce(index);
            return;
        }
        if self.is_searcher(index) {
            self.poll_search(index);
            return;
        }
        let now = self.now;
        let conditions = self.conditions_of(index);
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        if let Source::LocalClock(clock) = &mut association.source {
            let header = clock.read(now.wall, self.precision);
            let samples: Vec<_> = clock.samples(now.monotonic, self.precision).collect();
            association.schedule.poll(now.monotonic, &mut self.rng);
            let first = association
                .schedule
                .answered(association.settings.minimum_poll);
            association.last.header = header;
            association.last.received = Some(now.wall);
            association.flash = Flash::NONE;
            for sample in samples {
                association.push(sample, &conditions);
            }
            self.record_peer(index);
            if first {
                self.peer_event(index, 4, "reachable", "");
            }
            self.select();
            return;
        }
        if association.remote().is_none() {
            association.schedule.poll(now.monotonic, &mut self.rng);
            self.resolve(index);
            return;
        }
        let polled = association.schedule.poll(now.monotonic, &mut self.rng);
        if polled.silent && association.filter.estimate().at.is_some() {
            association.filter.miss(now.monotonic, &conditions);
        }
        let look_up = association
            .schedule
            .unanswered()
            .is_multiple_of(LOOK_UP_AGAIN)
            && association.schedule.unanswered() > 0;
        if self.demobilise_if_silent(index) {
            return;
        }
        if polled.lost {
            if let Some(association) = self.associations.get_mut(index) {
                association.told.authentic = false;
            }
            self.peer_event(index, 3, "unreachable", "");
            self.select();
        }
        if look_up || self.needs_keys(index) {
            self.resolve(index);
        }
        if self.is_to_be_asked(index) {
            self.send_request(index);
        }
    }

    /// Whether it is, rather than listened to.
    fn is_to_be_asked(&mut self, index: usize) -> bool {
        let now = self.now.monotonic;
        let Some(association) = self.associations.get_mut(index) else {
            return false;
        };
        let unanswered = association.schedule.unanswered();
        let Some(server) = association.server_mut() else {
            return true;
        };
        let Some(listening) = &mut server.listening else {
            return true;
        };
        if let Some(autokey) = &server.autokey
            && autokey.wants_to_ask()
        {
            return true;
        }
        if listening.give_up(unanswered) {
            association.schedule.end_bursts(now);
            let what = "it does not answer: its distance is taken from `broadcastdelay`";
            self.peer_note(index, Severity::Information, what);
            return false;
        }
        listening.is_measuring()
    }

    fn send_request(&mut self, index: usize) {
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let mut authority =
            Self::authority(&self.keys, &mut self.autokey, &self.groups, &self.system);
        let mut sender = Sender {
            now: self.now,
            rng: &mut self.rng,
            clock: &self.view.clock,
            precision: self.precision,
        };
        match association.request(&mut sender, &mut authority) {
            Ok(Some((endpoint, data))) => {
                self.count_nts_request(index);
                self.outputs.push_back(Output::Send {
                    local: endpoint.local,
                    remote: endpoint.remote,
                    stamped: true,
                    data,
                });
            }
            Ok(None) => {}
            Err(error) => {
                association.flash |= Flash::AUTHENTICATION;
                if let Some(server) = association.server_mut() {
                    server.problem = Some(error.to_string());
                }
                // Said at the first poll, then once in a while.
                let polls = association.schedule.unanswered();
                if polls <= 1 || polls.is_multiple_of(64) {
                    self.peer_note(index, Severity::Error, error.to_string());
                }
            }
        }
        if let Some(association) = self.associations.get_mut(index) {
            let now = self.now.monotonic;
            hurry(association, now);
        }
        self.report_dance(index);
    }

    /// A packet from somebody who says he is a server, or a peer that we know.
    pub(super) fn reply(&mut self, arrival: &Arrival, flags: RestrictFlags, data: &[u8]) {
        let Ok(packet) = Packet::parse(data) else {
            return;
        };
        let mode = packet.header().mode;
        // Where two associations name one server, the origin timestamp tells which was asked.
        let candidates: Vec<usize> = self
            .associations
            .iter()
            .enumerate()
            .filter(|(_, association)| association.takes(mode, arrival.remote))
            .map(|(index, _)| index)
            .collect();
        for index in candidates {
            let conditions = self.conditions_of(index);
            let Some(association) = self.associations.get_mut(index) else {
                continue;
            };
            if flags.contains(RestrictFlags::NO_TRUST)
                && association.settings.security == crate::association::Security::None
            {
                association.flash |= Flash::DENIED;
                continue;
            }
            let now = Now {
                wall: self.now.wall,
                monotonic: self.now.monotonic,
            };
            let mut authority =
                Self::authority(&self.keys, &mut self.autokey, &self.groups, &self.system);
            let reception = association.receive(
                &packet,
                arrival.received,
                now,
                &mut authority,
                &conditions,
                self.system.limits(),
            );
            self.count_nts_answers(index);
            self.received(index, &reception);
        }
    }

    pub(super) fn received(&mut self, index: usize, reception: &Reception) {
        let now = self.now.monotonic;
        self.report_host();
        self.report_dance(index);
        self.have_peers_work_done(index);
        if let Some(why) = &reception.not_authentic {
            self.peer_event(index, 12, "bad_auth", why);
        }
        if reception.now_reachable {
            self.peer_event(index, 4, "reachable", "");
            if let Some(association) = self.associations.get_mut(index) {
                association.schedule.met_again(now);
            }
        }
        self.tell_authentic(index);
        match reception.interleaving {
            Some(AnswerKind::Interleaved) => {
                self.peer_event(index, 14, "interleave_mode", "");
            }
            Some(AnswerKind::InterleaveError) => {
                self.peer_event(index, 15, "interleave_error", "");
            }
            Some(AnswerKind::Basic) | None => {}
        }
        match reception.kiss {
            Some((KissCode::Rate, wish)) => {
                if let Some(association) = self.associations.get_mut(index) {
                    association.schedule.slow_down(wish, now, &mut self.rng);
                }
                self.peer_event(index, 7, "rate_exceeded", "");
            }
            Some((KissCode::Deny | KissCode::Restrict, _)) => {
                if let Some(association) = self.associations.get_mut(index) {
                    association
                        .schedule
                        .slow_down(PollExponent::SLOWEST, now, &mut self.rng);
                }
                self.peer_event(index, 8, "access_denied", "");
            }
            Some(_) | None => {}
        }
        if let Some(association) = self.associations.get_mut(index) {
            if reception.newly_usable && association.server().is_some_and(|s| s.autokey.is_some()) {
                association.schedule.start_burst(now);
            }
            hurry(association, now);
        }
        if let Some(exchange) = &reception.exchange {
            self.record_raw(index, exchange);
            self.measure(index, exchange);
        }
        if reception.sampled == Some(FilterVerdict::Updated) {
            self.record_peer(index);
        }
        // A sample that is not the best of the filter says nothing new of the time. But it narrows
        // what may be wrong with the best one, so that where nobody is followed somebody now may
        // be.
        let is_news = match reception.sampled {
            Some(verdict) => {
                let estimated = self
                    .associations
                    .get(index)
                    .is_some_and(|one| one.estimator.is_some());
                estimated || verdict == FilterVerdict::Updated || self.system.peer.is_none()
            }
            None => false,
        };
        if is_news {
            self.select();
        }
    }

    /// The precise discipline takes an exchange in, and says when it wants the next.
    fn measure(&mut self, index: usize, exchange: &Exchange) {
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let settings = &association.settings;
        if let Some(estimator) = &mut association.estimator {
            estimator.update(self.system.oscillator(), exchange);
            let wish = estimator.pace(settings.minimum_poll, settings.maximum_poll);
            association
                .schedule
                .set_host_poll(wish, self.now.monotonic, &mut self.rng);
        }
    }

    /// What Autokey has to say of an association.
    fn report_dance(&mut self, index: usize) {
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let (id, address) = (association.id, association.address());
        let Some(autokey) = association
            .server_mut()
            .and_then(|server| server.autokey.as_mut())
        else {
            return;
        };
        let events: Vec<_> = std::iter::from_fn(|| autokey.poll_event()).collect();
        for event in events {
            self.report(Event {
                severity: Severity::Information,
                about: Subject::Association {
                    id,
                    address: address.clone(),
                },
                what: What::Autokey(event.to_string()),
            });
        }
    }

    fn is_announcer(&self, index: usize) -> bool {
        self.associations
            .get(index)
            .is_some_and(|association| matches!(association.source, Source::Announcer(_)))
    }

    fn is_pool(&self, index: usize) -> bool {
        self.associations
            .get(index)
            .is_some_and(|association| matches!(association.source, Source::Pool(_)))
    }

    pub(super) fn conditions_of(&self, index: usize) -> ntp_discipline::FilterConditions {
        let poll = self
            .associations
            .get(index)
            .map_or(PollExponent::DEFAULT_MINIMUM, |association| {
                association.schedule.interval()
            });
        self.filter_conditions(poll)
    }
}

/// Autokey's next step is sooner than the next poll.
fn hurry(association: &mut Association, now: Monotonic) {
    let soon = association.server_mut().and_then(|server| {
        let nts = server.nts.as_mut().and_then(|nts| nts.take_soon(now));
        nts.or_else(|| server.autokey.as_mut()?.take_soon())
    });
    if let Some(wait) = soon {
        association.schedule.hurry(now, wait);
    }
}
