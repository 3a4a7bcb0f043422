//! Sources.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ntp_discipline::{Sample, Tally};
use ntp_wire::{
    ShortDuration,
    private::{
        HostOrder, PeerInformation, PeerListEntry, PeerStatistics, PeerSummary, PrivateMessage,
        SignedShort, SourceFlags,
    },
};

use super::Items;
use crate::{
    Engine,
    association::{Association, Security, Source},
    control,
};

impl Engine {
    /// The sources, the newest first, as ntpd 4.2.8 has them.
    fn newest_first(&self) -> impl Iterator<Item = &Association> {
        self.associations.iter().rev()
    }

    pub(super) fn peer_list(&self) -> Items {
        let entry = |association: &Association| {
            let mut entry = PeerListEntry::default();
            entry.set_remote(remote_address(association));
            entry.port = self.port_of(association);
            entry.host_mode = control::host_mode(association);
            entry.flags = self.flags_in_list(association);
            entry.to_bytes()
        };
        self.newest_first().map(entry).collect()
    }

    pub(super) fn peer_list_summary(&self) -> Items {
        let summary = |association: &Association| {
            let estimate = association.estimate();
            let schedule = &association.schedule;
            let mut summary = PeerSummary::default();
            summary.set_local(local_address(association));
            summary.set_remote(remote_address(association));
            summary.port = self.port_of(association);
            summary.stratum = association.last.header.stratum.value();
            summary.host_poll = schedule.host_poll().value();
            summary.peer_poll = schedule.peer_poll().value();
            summary.reach = schedule.reach();
            summary.flags = self.flags(association).octet();
            summary.host_mode = control::host_mode(association);
            summary.delay = SignedShort::from_f64(estimate.delay.to_seconds_f64());
            summary.offset = estimate.offset;
            summary.dispersion = root(association.dispersion());
            summary.to_bytes()
        };
        self.newest_first().map(summary).collect()
    }

    pub(super) fn peer_information(&self, message: &PrivateMessage<'_>) -> Items {
        let asked = self.asked_for(message);
        asked
            .map(|association| self.information(association).to_bytes())
            .collect()
    }

    pub(super) fn peer_statistics(&self, message: &PrivateMessage<'_>) -> Items {
        let asked = self.asked_for(message);
        asked
            .map(|association| self.statistics_of(association).to_bytes())
            .collect()
    }

    /// The sources that a request names, as far as they are there.
    fn asked_for<'a>(
        &'a self,
        message: &'a PrivateMessage<'_>,
    ) -> impl Iterator<Item = &'a Association> {
        let entries = message.items().filter_map(PeerListEntry::parse);
        entries.filter_map(|entry| {
            let is_it = |association: &&Association| {
                remote_address(association) == entry.remote()
                    && self.port_of(association) == entry.port
            };
            self.newest_first().find(is_it)
        })
    }

    fn information(&self, association: &Association) -> PeerInformation {
        let header = &association.last.header;
        let estimate = association.estimate();
        let schedule = &association.schedule;
        let seconds = |sample: &Sample| SignedShort::from_f64(sample.delay.to_seconds_f64());
        let mut all = PeerInformation::default();
        all.set_local(local_address(association));
        all.set_remote(remote_address(association));
        all.port = self.port_of(association);
        all.flags = self.flags(association).octet();
        all.leap = header.leap as u8;
        all.host_mode = control::host_mode(association);
        all.peer_mode = control::peer_mode(association);
        all.stratum = header.stratum.value();
        all.peer_poll = schedule.peer_poll().value();
        all.host_poll = schedule.host_poll().value();
        let heard = association.last.received.map(|_| header.precision);
        all.precision = heard.unwrap_or(self.precision).value();
        all.version = association.settings.version.value();
        all.reach = schedule.reach();
        all.unanswered = u8::try_from(schedule.unanswered()).unwrap_or(u8::MAX);
        all.hops = match &association.source {
            Source::Announcer(announcer) => announcer.hops,
            Source::Searcher(searcher) => searcher.hops(),
            _ => 0,
        };
        all.flash = HostOrder(association.flash.bits());
        all.association = association.id.value();
        if let Security::Key(key) = association.settings.security {
            all.key_id = HostOrder(key.value());
        }
        all.reference_id = header.reference_id.to_bytes();
        all.timer = whole(schedule.next().since(self.now.monotonic).as_secs());
        all.root_delay = header.root_delay;
        all.root_dispersion = header.root_dispersion;
        if association.server().is_some() {
            all.reference_time = header.reference_time;
            all.receive_time = association.received_time();
        }
        all.transmit_time = header.transmit_time;
        let stages = association.filter.stages();
        all.filter_delay = stages.each_ref().map(seconds);
        all.filter_offset = stages.each_ref().map(|sample| sample.offset);
        all.filter_order = by_merit(stages);
        all.offset = estimate.offset;
        all.delay = SignedShort::from_f64(estimate.delay.to_seconds_f64());
        all.broadcast_delay = all.delay;
        all.dispersion = root(association.dispersion());
        all.jitter = root(estimate.jitter);
        all
    }

    fn statistics_of(&self, association: &Association) -> PeerStatistics {
        let now = self.now;
        let uptime = now.monotonic.since(self.started).as_secs();
        let counted = control::counted(association);
        let since = association.reach_changed.unwrap_or(self.started);
        let age = association.last.received.map(|time| now.wall - time);
        let mut all = PeerStatistics::default();
        all.set_local(local_address(association));
        all.set_remote(remote_address(association));
        all.port = self.port_of(association);
        all.flags = self.flags(association).0;
        if association.settings.initial_burst {
            all.flags |= SourceFlags::INITIAL_BURST.0;
        }
        all.since_reset = whole(uptime);
        all.since_received = whole(age.map_or(uptime, |age| age.to_seconds_f64() as u64));
        all.until_sent = whole(association.schedule.next().since(now.monotonic).as_secs());
        all.since_reachable = whole(now.monotonic.since(since).as_secs());
        all.sent = whole(counted.sent);
        all.processed = whole(counted.received);
        if let Some(server) = association.server() {
            all.bad_authentication = whole(server.bad_authentication);
            all.bogus_origin = whole(server.bogus);
            all.duplicates = whole(server.duplicates);
        }
        all.candidate = association.tally as u8;
        all
    }

    fn port_of(&self, association: &Association) -> u16 {
        let remote = association.remote();
        remote.map_or(self.port, |remote| remote.port())
    }

    fn flags(&self, association: &Association) -> SourceFlags {
        let mut flags = u16::from(self.flags_in_list(association));
        let settings = &association.settings;
        let is_clock = matches!(association.source, Source::LocalClock(_));
        for (is, flag) in [
            (is_clock, SourceFlags::REFERENCE_CLOCK),
            (settings.prefer, SourceFlags::PREFER),
            (settings.burst, SourceFlags::BURST),
        ] {
            flags |= if is { flag.0 } else { 0 };
        }
        SourceFlags(flags)
    }

    /// Those that the plain list has.
    fn flags_in_list(&self, association: &Association) -> u8 {
        let tally = association.tally;
        [
            (!association.ephemeral, SourceFlags::CONFIGURED),
            (
                self.system.peer == Some(association.id),
                SourceFlags::SYSTEM_PEER,
            ),
            (tally == Tally::Candidate, SourceFlags::CANDIDATE),
            (
                tally as u8 >= Tally::SystemPeer as u8,
                SourceFlags::SHORT_LIST,
            ),
        ]
        .into_iter()
        .filter(|(is, _)| *is)
        .fold(0, |flags, (_, flag)| flags | flag.octet())
    }
}

/// Where the source is, or is to be; unspecified if it has a name and no address yet.
pub(super) fn remote_address(association: &Association) -> IpAddr {
    match (&association.source, association.remote()) {
        (Source::LocalClock(clock), _) => clock.address().into(),
        (_, Some(remote)) => remote.ip(),
        (_, None) => {
            let name = &association.settings.name;
            name.parse()
                .unwrap_or_else(|_| Ipv4Addr::UNSPECIFIED.into())
        }
    }
}

/// Our address, of the same family.
fn local_address(association: &Association) -> IpAddr {
    match (association.local_address(), remote_address(association)) {
        (IpAddr::V4(local), IpAddr::V6(_)) if local.is_unspecified() => {
            Ipv6Addr::UNSPECIFIED.into()
        }
        (local, _) => local,
    }
}

/// The places of the samples in the order of their distance: a stage without a sample is last.
fn by_merit(stages: &[Sample; 8]) -> [u8; 8] {
    let mut order = [0, 1, 2, 3, 4, 5, 6, 7];
    order.sort_by_key(|place| {
        let stage = stages.get(usize::from(*place));
        stage.map(|sample| sample.delay / 2 + sample.dispersion)
    });
    order
}

/// The square root: ntpd's dispersions were squares once, and ntpdc still gets roots of them.
fn root(duration: ntp_wire::Duration) -> ShortDuration {
    let seconds = duration.to_seconds_f64().max(0.0).sqrt();
    ShortDuration::from_bits((seconds * 65_536.0) as u32)
}

/// Counters of 32 bits start again from zero.
pub(super) const fn whole(count: u64) -> u32 {
    count as u32
}
