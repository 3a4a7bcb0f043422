//! What a changed configuration means for a daemon that runs.

use std::sync::Arc;

use ntp_conf::{Config, Switch};
use ntp_restrict::RateLimit;

use super::Engine;
use crate::{association::Source, setup};

impl Engine {
    /// Takes over whatever of the configuration differs from that of `before` and can be changed by
    /// now: selection, clients, keys, clocks, switches.
    pub(super) fn take_over(&mut self, before: &Config) {
        let config = &self.config;
        if config.tos != before.tos {
            self.system.set_limits(setup::limits(&config.tos));
            self.search_service.cohort = config.tos.cohort;
            self.to_many = setup::to_many(config);
            for association in &mut self.associations {
                if let Source::Searcher(searcher) = &mut association.source {
                    searcher.set_beacon(setup::elapsed(config.tos.beacon));
                }
            }
        }
        if config.mru != before.mru || config.discard != before.discard {
            self.client_limits = setup::client_limits(config);
            let limit = setup::rate_limit(config);
            self.bound_clients(limit);
        }
        let config = &self.config;
        if config.keys != before.keys {
            let trusted = config.keys.trusted.clone();
            self.keys = Arc::new(self.keys.trusting(|id| {
                let is_in = |range: &ntp_conf::KeyRange| range.contains(id);
                trusted.iter().any(is_in)
            }));
            self.control_key = self.config.keys.control;
        }
        let config = &self.config;
        for line in &config.reference_clocks {
            let name = line.address.to_string();
            let is_it = |one: &&mut crate::association::Association| one.settings.name == name;
            if let Some(association) = self.associations.iter_mut().find(is_it)
                && let Source::LocalClock(clock) = &mut association.source
            {
                let polls = clock.polls;
                *clock = setup::local_clock(line);
                clock.polls = polls;
            }
        }
        let switches = &config.switches;
        self.authentication_required = switches.is_on(Switch::Authentication);
        self.monitor = switches.is_on(Switch::Monitor);
        self.statistics = crate::statistics::Wanted::of(config);
        self.select();
        self.publish();
    }

    /// Holds the lists of clients, those of other threads as well, to the bounds that are in force
    /// now.
    fn bound_clients(&mut self, limit: RateLimit) {
        let limits = self.shards.limits_of_each(self.client_limits);
        self.responder.set_bounds(limits, limit);
        self.shards.set_bounds(limits, limit);
    }
}
