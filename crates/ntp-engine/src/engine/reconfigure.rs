//! What a changed configuration means for a daemon that runs.

use std::sync::Arc;

use ntp_conf::{Config, Switch};
use ntp_keys::KeyTable;
use ntp_restrict::RateLimit;
use ntp_wire::KeyId;

use super::Engine;
use crate::{Output, Severity, TrustedKeys, association::Source, setup};

impl Engine {
    /// Takes over whatever of the configuration differs from that of `before` and can be changed by
    /// now; what is the driver's of it is told to it.
    pub(crate) fn take_over(&mut self, before: &Config) {
        let config = &self.config;
        if config.tos != before.tos {
            self.system.set_limits(setup::limits(&config.tos));
            self.search_service.cohort = config.tos.cohort;
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
            self.keys = Arc::new(self.keys.trusting(|id| config.keys.is_trusted(id)));
            self.control_key = config.keys.control;
        }
        if config.tinker != before.tinker || config.switches != before.switches {
            self.tune();
        }
        let config = &self.config;
        if config.ident != before.ident {
            self.ident.clone_from(&config.ident);
            self.default_ident.clone_from(&config.ident);
        }
        self.to_many = setup::to_many(config);
        self.search_service
            .groups
            .clone_from(&config.groups.manycast_server);
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
        self.outputs
            .push_back(Output::Configured(Box::new(config.clone())));
        self.select();
        self.publish();
    }

    /// `tinker`, and the switches that the clock depends on.
    fn tune(&mut self) {
        let config = &self.config;
        let tinker = setup::tinker(&config.tinker, self.slew);
        let kernel = config.switches.is_on(Switch::Kernel);
        let steering = config.switches.is_on(Switch::Ntp);
        self.allan = tinker.allan;
        self.dispersion_rate = tinker.dispersion;
        self.system.tune(tinker, kernel, self.now.monotonic);
        let options = &mut self.leap.leaps.options;
        options.tinker = tinker;
        options.steering = steering;
        options.by_clock = kernel;
        let resting = self.system.set_steering(steering);
        self.outputs.extend(resting.map(Output::Adjust));
    }

    /// The file of keys was read anew. Those from before stay in use if it can't be used.
    pub(super) fn keys_read(&mut self, read: Result<KeyTable, String>) {
        match read {
            Ok(table) => {
                let ids = table.iter().map(|(id, _)| id);
                let trusted: Vec<KeyId> =
                    ids.filter(|id| self.config.keys.is_trusted(*id)).collect();
                let (all, trusted_count) = (table.len(), trusted.len());
                self.keys = Arc::new(TrustedKeys::new(table, trusted));
                self.note(
                    Severity::Information,
                    format!("keys file read anew: {all} keys, {trusted_count} of them trusted"),
                );
                self.publish();
            }
            Err(why) => self.note(
                Severity::Error,
                format!("keys: {why}; the keys that were read before stay in use"),
            ),
        }
    }

    /// Holds the lists of clients, those of other threads as well, to the bounds that are in force
    /// now.
    fn bound_clients(&mut self, limit: RateLimit) {
        let limits = self.shards.limits_of_each(self.client_limits);
        self.responder.set_bounds(limits, limit);
        self.shards.set_bounds(limits, limit);
    }
}
