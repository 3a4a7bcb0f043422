//! What the packet path is told of the engine.

use std::sync::Arc;

use ntp_conf::Switch;
use ntp_restrict::{RestrictEntry, RestrictFlags, RestrictList};
use ntp_wire::Precision;

use crate::{
    Engine, Output, ServerView, leap::Served, server_view::ClockView, setup::Rest, system::System,
};

/// The first view, before there is an engine.
pub(super) fn view(rest: &Rest, system: &System, precision: Precision) -> ServerView {
    let restrictions = Arc::new(rest.rules.build());
    ServerView {
        remembers: remembers(rest.monitor, &restrictions),
        answers_private: false,
        restrictions,
        keys: Arc::clone(&rest.keys),
        sessions: rest.autokey.as_ref().map(ntp_autokey::Host::session_keys),
        cookie_keys: None,
        keys_served: Arc::default(),
        clock: ClockView::new(
            &system.state,
            precision,
            Served {
                leap: system.state.leap,
                smear: None,
            },
        ),
        port: rest.port,
        steps: system.steps,
    }
}

/// Whether clients are to be remembered. The rate limit can't do without.
fn remembers(monitor: bool, restrictions: &RestrictList) -> bool {
    monitor || has_limit(restrictions)
}

/// Whether some restriction limits how often clients may ask.
pub(crate) fn has_limit(restrictions: &RestrictList) -> bool {
    let is_limited = |entry: &RestrictEntry| entry.flags.contains(RestrictFlags::LIMITED);
    restrictions.entries().iter().any(is_limited)
}

impl Engine {
    /// Publishes what we say of our clock, if it changed.
    pub(crate) fn publish(&mut self) {
        if let Some(host) = &mut self.autokey {
            host.set_synchronised(self.now.wall, self.system.state.is_synchronised());
        }
        self.report_host();
        let served = self
            .leap
            .leaps
            .served(self.now, self.system.state.is_synchronised());
        self.view = Arc::new(ServerView {
            remembers: remembers(self.monitor, &self.restrictions),
            answers_private: self.config.switches.is_on(Switch::Mode7),
            restrictions: Arc::clone(&self.restrictions),
            keys: Arc::clone(&self.keys),
            sessions: self.autokey.as_ref().map(ntp_autokey::Host::session_keys),
            cookie_keys: self.cookie_keys.clone(),
            keys_served: Arc::clone(&self.view.keys_served),
            clock: ClockView::new(&self.system.state, self.precision, served),
            port: self.port,
            steps: self.system.steps,
        });
        self.shards.publish(&self.view);
        self.outputs
            .push_back(Output::Publish(Arc::clone(&self.view)));
    }
}
