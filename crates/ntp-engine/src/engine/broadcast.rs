//! Packets for many: those we send, and those we hear.

use std::net::{IpAddr, SocketAddr};

use ntp_restrict::RestrictFlags;
use ntp_wire::{Leap, Mode, Packet, PollExponent, Stratum, Timestamp};

use super::{Engine, symmetric::Stranger};
use crate::{
    Arrival, Endpoint, Output, Severity,
    association::{
        Association, Listening, ListeningOptions, Role, Security, Sender, Server, Settings, Source,
    },
};

/// What is done with packets that come to many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToMany {
    /// Servers that announce themselves are followed.
    pub(crate) follow: bool,
    pub(crate) listening: ListeningOptions,
}

impl Engine {
    /// It is time to tell a network the time.
    pub(super) fn announce(&mut self, index: usize) {
        let now = self.now.monotonic;
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        association.schedule.rest(now, &mut self.rng);
        let Source::Announcer(announcer) = &association.source else {
            return;
        };
        if announcer.endpoint.is_none() {
            self.resolve(index);
            return;
        }
        // Who does not know the time is silent.
        if !self.system.state.is_synchronised() {
            return;
        }
        let mut authority =
            Self::authority(&self.keys, &mut self.autokey, &self.groups, &self.system);
        let mut sender = Sender {
            now: self.now,
            rng: &mut self.rng,
            clock: &self.view.clock,
            precision: self.precision,
        };
        match association.announce(&mut sender, &mut authority) {
            Ok(Some(announcement)) => self.outputs.push_back(Output::SendToMany {
                local: announcement.endpoint.local,
                remote: announcement.endpoint.remote,
                hops: announcement.hops,
                data: announcement.data,
            }),
            Ok(None) => {}
            Err(error) => self.complain_once(index, &error.to_string()),
        }
    }

    /// Nothing can be sent to many, and nothing changes that until the next start.
    pub(super) fn complain_once(&mut self, index: usize, why: &str) {
        let failed = ntp_wire::control::Flash::AUTHENTICATION;
        if let Some(association) = self.associations.get_mut(index)
            && !association.flash.intersects(failed)
        {
            association.flash |= failed;
            self.peer_note(index, Severity::Error, why);
        }
    }

    /// Our address on the network that is told the time was looked up.
    pub(super) fn announcer_resolved(
        &mut self,
        index: usize,
        found: Result<Vec<Endpoint>, String>,
    ) {
        let Some(Source::Announcer(announcer)) = self
            .associations
            .get_mut(index)
            .map(|association| &mut association.source)
        else {
            return;
        };
        announcer.resolving = false;
        let found =
            found.and_then(|ends| ends.first().copied().ok_or_else(|| "no address".to_owned()));
        match found {
            Ok(endpoint) => announcer.endpoint = Some(endpoint),
            Err(why) => self.peer_note(index, Severity::Warning, why),
        }
    }

    /// A packet that was sent to a broadcast address, or to a group that we are in.
    pub(super) fn datagram_to_many(
        &mut self,
        received: Timestamp,
        local: IpAddr,
        remote: SocketAddr,
        to: IpAddr,
        data: &[u8],
    ) {
        let arrival = Arrival {
            received,
            now: self.now,
            local,
            remote,
        };
        let is_own = remote.ip() == local;
        let Some(flags) = self.responder.screen(&self.view, &arrival, data) else {
            return;
        };
        let Ok(packet) = Packet::parse(data) else {
            return;
        };
        let mode = packet.header().mode;
        if is_own {
            return;
        }
        if mode == Mode::Client && self.search_service.groups.contains(&to) {
            self.searched(&arrival, to, flags, &packet);
            return;
        }
        let is_broadcast = mode == Mode::Broadcast;
        if !is_broadcast || !self.to_many.follow || self.leap.leaps.is_delicate(self.now) {
            return;
        }
        let known = self
            .associations
            .iter()
            .position(|association| association.remote() == Some(remote));
        match known {
            Some(index) => self.hear(index, (&arrival, to), flags, &packet),
            None => self.discover((&arrival, to), flags, &packet),
        }
    }

    /// A server that we know announces itself; if we ask it anyway, nothing comes of that.
    fn hear(
        &mut self,
        index: usize,
        (arrival, many): (&Arrival, IpAddr),
        flags: RestrictFlags,
        packet: &Packet<'_>,
    ) {
        let conditions = self.conditions_of(index);
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let listens = association
            .server()
            .is_some_and(|server| server.listening.is_some());
        let is_denied = flags.contains(RestrictFlags::NO_TRUST)
            && association.settings.security == Security::None;
        if !listens || is_denied {
            return;
        }
        let mut authority =
            Self::authority(&self.keys, &mut self.autokey, &self.groups, &self.system);
        let reception = association.hear(
            packet,
            (many, arrival.received),
            self.now,
            &mut authority,
            &conditions,
            self.system.limits(),
        );
        self.received(index, &reception);
    }

    /// A server that we do not know announces itself.
    fn discover(
        &mut self,
        (arrival, many): (&Arrival, IpAddr),
        flags: RestrictFlags,
        packet: &Packet<'_>,
    ) {
        let header = packet.header();
        let must_prove = self.authentication_required
            || flags.intersects(RestrictFlags::NO_PEER | RestrictFlags::NO_TRUST);
        let security = match self.recognise(arrival, many, packet) {
            Stranger::Proven(security) => security,
            Stranger::Provable(security) if self.has_room_for_unproven() => security,
            Stranger::Unsigned if !must_prove => Security::None,
            Stranger::Unsigned | Stranger::Failed | Stranger::Provable(_) => {
                self.responder.note_declined();
                return;
            }
        };
        let is_fit = header.leap != Leap::Unsynchronised
            && header.stratum > Stratum::UNSPECIFIED
            && header.stratum < Stratum::UNSYNCHRONISED;
        if !is_fit
            || flags.contains(RestrictFlags::NO_EPHEMERAL_PEER)
            || !self.has_room_for_ephemeral()
        {
            self.responder.note_declined();
            return;
        }
        let id = self.unused_id();
        let poll = header
            .poll
            .clamp(PollExponent::FASTEST, PollExponent::SLOWEST);
        let settings = Settings {
            minimum_poll: poll,
            maximum_poll: poll,
            initial_burst: self.to_many.listening.volley,
            version: header.version,
            ..Settings::plain(arrival.remote.ip().to_string(), security)
        };
        let mut server = Server::new(id, Role::BroadcastClient, &settings.security, None, None);
        server.listening = Some(Listening::new(self.to_many.listening));
        server.locate(Endpoint {
            remote: arrival.remote,
            local: arrival.local,
        });
        let source = Source::Server(Box::new(server));
        let now = self.now.monotonic;
        let mut association = Association::new(id, settings, source, now, self.precision);
        association.estimator = self.precise.then(|| self.new_estimator());
        if !self.to_many.listening.volley {
            association.schedule.follow(poll, now);
        }
        let index = self.mobilise(association);
        self.hear(index, (arrival, many), flags, packet);
    }
}
