//! Manycast: servers that are found by asking a group, and the answers to those who search.

use std::net::IpAddr;

use ntp_restrict::RestrictFlags;
use ntp_wire::{Leap, Packet, Stratum, Trailer};

use super::{Engine, symmetric::Stranger};
use crate::{
    Arrival, Endpoint, Output, Severity,
    association::{Association, Membership, Role, Security, Sender, Server, Settings, Source},
    reference_id,
    schedule::Pacing,
};

/// Who of those who search is answered.
#[derive(Clone, Debug)]
pub(crate) struct SearchService {
    /// `manycastserver`: those who search in these groups.
    pub(crate) groups: Vec<IpAddr>,
    /// `tos cohort`: those of our own stratum, too.
    pub(crate) cohort: bool,
}

impl Engine {
    pub(super) fn is_searcher(&self, index: usize) -> bool {
        self.associations
            .get(index)
            .is_some_and(|association| matches!(association.source, Source::Searcher(_)))
    }

    /// It is time to look after a search: who is of no use goes, and if there are too few, or it is
    /// long ago, the group is asked.
    pub(super) fn poll_search(&mut self, index: usize) {
        let now = self.now.monotonic;
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let id = association.id;
        association.schedule.rest(now, &mut self.rng);
        self.dismiss(id);
        let all = self.associations.len();
        let most = self.system.limits().maximum_clocks;
        let wants_more = self.wants_more();
        let Some(index) = self.index_of(id) else {
            return;
        };
        let Some(Source::Searcher(searcher)) = self
            .associations
            .get_mut(index)
            .map(|association| &mut association.source)
        else {
            return;
        };
        searcher.close();
        let is_beacon = searcher.is_beacon_due(now);
        if is_beacon || !wants_more {
            searcher.begin_anew();
        }
        if is_beacon || wants_more {
            // Where there are enough, one more may show that he is better.
            let one_more = usize::from(wants_more || all <= most);
            searcher.wanted = most.saturating_sub(all).max(one_more);
            self.resolve(index);
        }
    }

    /// The group was looked up: it is asked.
    pub(super) fn search_resolved(&mut self, index: usize, found: Result<Vec<Endpoint>, String>) {
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let Source::Searcher(searcher) = &mut association.source else {
            return;
        };
        searcher.resolving = false;
        let found = found.and_then(|ends| {
            ends.into_iter()
                .find(|end| end.remote.ip().is_multicast())
                .ok_or_else(|| "`manycastclient` searches in multicast groups only".to_owned())
        });
        match found {
            Ok(endpoint) => {
                searcher.endpoint = Some(endpoint);
                searcher.unresolved = false;
            }
            Err(why) => {
                // Once is enough: it is looked up at every search.
                if !std::mem::replace(&mut searcher.unresolved, true) {
                    self.peer_note(index, Severity::Warning, why);
                }
                return;
            }
        }
        let mut authority =
            Self::authority(&self.keys, &mut self.autokey, &self.groups, &self.system);
        let mut sender = Sender {
            now: self.now,
            rng: &mut self.rng,
            clock: &self.view.clock,
            precision: self.precision,
        };
        match association.search(&mut sender, &mut authority) {
            Ok(Some(search)) => self.outputs.push_back(Output::SendToMany {
                local: search.endpoint.local,
                remote: search.endpoint.remote,
                hops: search.hops,
                data: search.data,
            }),
            Ok(None) => {}
            Err(error) => self.complain_once(index, &error.to_string()),
        }
    }

    /// A server answers; `true` if it was a search that it answers.
    pub(super) fn found(&mut self, arrival: &Arrival, flags: RestrictFlags, data: &[u8]) -> bool {
        let Ok(packet) = Packet::parse(data) else {
            return false;
        };
        let header = packet.header();
        let search = self
            .associations
            .iter()
            .position(|association| match &association.source {
                Source::Searcher(searcher) => searcher.is_answered_by(header, arrival.received),
                _ => false,
            });
        let Some(index) = search else {
            return false;
        };
        let is_known = arrival.remote.ip() == arrival.local
            || self
                .associations
                .iter()
                .any(|association| association.remote() == Some(arrival.remote));
        let limits = self.system.limits();
        let is_fit = header.leap != Leap::Unsynchronised
            && header.stratum > Stratum::UNSPECIFIED
            && header.stratum.value() >= limits.floor
            && header.stratum.value() < limits.ceiling;
        if is_known {
            return true;
        }
        if !is_fit || flags.contains(RestrictFlags::NO_EPHEMERAL_PEER) {
            self.responder.note_declined();
            return true;
        }
        let must_prove = self.authentication_required
            || flags.intersects(RestrictFlags::NO_PEER | RestrictFlags::NO_TRUST);
        let Some(searched_with) = self
            .associations
            .get(index)
            .map(|association| association.settings.security.clone())
        else {
            return true;
        };
        let is_proven = match &searched_with {
            // It shows in the dance who he is.
            Security::Autokey { .. } => true,
            Security::Key(_) => {
                self.recognise(arrival, arrival.local, &packet)
                    == Stranger::Proven(searched_with.clone())
            }
            Security::Nts(_) => false,
            Security::None => {
                !must_prove && self.recognise(arrival, arrival.local, &packet) == Stranger::Unsigned
            }
        };
        if is_proven {
            self.mobilise_found(index, arrival, searched_with);
        } else {
            self.responder.note_declined();
        }
        true
    }

    fn mobilise_found(&mut self, index: usize, arrival: &Arrival, security: Security) {
        let id = self.unused_id();
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let Source::Searcher(searcher) = &mut association.source else {
            return;
        };
        if searcher.wanted == 0 {
            return;
        }
        searcher.wanted -= 1;
        let membership = Membership {
            pool: association.id,
            useless: 0,
        };
        let settings = Settings {
            name: arrival.remote.ip().to_string(),
            security,
            ..association.settings.clone()
        };
        let mut server = Server::new(id, Role::Client, &settings.security, None, None);
        server.locate(Endpoint {
            remote: arrival.remote,
            local: arrival.local,
        });
        let source = Source::Server(Box::new(server));
        let now = self.now.monotonic;
        let mut found = Association::new(id, settings, source, now, self.precision);
        found.membership = Some(membership);
        if self.precise {
            found.estimator = Some(self.new_estimator());
            found.schedule.set_pacing(Pacing::Spread);
        }
        self.mobilise(found);
    }

    /// Somebody searches in a group that we are in. He is answered if we are better than he is and
    /// he does not follow us yet. What is not authentic gets no answer at all: all servers of the
    /// group would give it.
    pub(super) fn searched(
        &mut self,
        arrival: &Arrival,
        group: IpAddr,
        flags: RestrictFlags,
        packet: &Packet<'_>,
    ) {
        let header = packet.header();
        let ours = self.system.state.stratum;
        let theirs = match header.stratum {
            Stratum::UNSPECIFIED => Stratum::UNSYNCHRONISED,
            stratum => stratum,
        };
        let is_better = ours < theirs || self.search_service.cohort && ours == theirs;
        if !self.system.state.is_synchronised()
            || !is_better
            || header.reference_id == reference_id::of(arrival.local)
        {
            self.responder.note_declined();
            return;
        }
        match self.recognise(arrival, group, packet) {
            Stranger::Provable(_) | Stranger::Failed if matches!(packet.trailer(), Trailer::Mac { key_id, .. } if key_id.is_autokey()) =>
            {
                self.autokey_search(arrival, group, flags, packet);
            }
            Stranger::Failed | Stranger::Provable(_) => self.responder.note_declined(),
            Stranger::Proven(_) | Stranger::Unsigned => {
                self.answer_statelessly(arrival, flags, packet.bytes());
            }
        }
    }
}
