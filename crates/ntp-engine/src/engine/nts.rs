//! Network Time Security: keys of cookies as a server, keys of servers as a client.

use std::{sync::Arc, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_nts::{Agreement, CookieKeys};
use ntp_wire::AssociationId;
use rand::Rng;

use super::Engine;
use crate::{
    Endpoint, KeyOrder, Output, Severity,
    association::{Association, Nts, Security},
};

/// The port of NTP, where the server of keys names no other.
const NTP_PORT: u16 = 123;

/// The keys to begin with: those that were kept, else new ones. Whether they are new.
pub(super) fn first_keys(
    kept: Option<CookieKeys>,
    rng: &mut impl Rng,
    now: Now,
) -> (Arc<CookieKeys>, bool) {
    let (unix, _) = now.wall.to_unix();
    let is_new = kept.is_none();
    let keys = kept.unwrap_or_else(|| CookieKeys::new(rng, unix));
    (Arc::new(keys), is_new)
}

impl Engine {
    /// Makes a new key of cookies once a day.
    pub(super) fn renew_cookie_keys(&mut self) {
        // Before the clock is right, nothing is known of days.
        let Some(keys) = self
            .cookie_keys
            .as_mut()
            .filter(|_| self.system.state.is_synchronised())
        else {
            return;
        };
        let (now, _) = self.now.wall.to_unix();
        if keys.is_due(now) && Arc::make_mut(keys).rotate(&mut self.rng, now) {
            self.keep_cookie_keys();
            self.publish();
        }
    }

    /// Has the keys written, so that cookies survive a restart.
    pub(super) fn keep_cookie_keys(&mut self) {
        self.outputs
            .extend(self.cookie_keys.clone().map(Output::KeepCookieKeys));
    }

    /// Whether a server can't be asked before keys are exchanged.
    pub(super) fn needs_keys(&self, index: usize) -> bool {
        self.associations
            .get(index)
            .and_then(nts_of)
            .is_some_and(Nts::needs_keys)
    }

    /// Asks a server with NTS for keys, if it may be asked again, and so for its address; `false`
    /// if it has no NTS.
    pub(super) fn exchange_keys(&mut self, index: usize) -> bool {
        let now = self.now.monotonic;
        let Some(association) = self.associations.get_mut(index) else {
            return false;
        };
        let Security::Nts(options) = association.settings.security.clone() else {
            return false;
        };
        let (association_id, name) = (association.id, association.settings.name.clone());
        let Some(server) = association.server_mut() else {
            return false;
        };
        let Some(nts) = &mut server.nts else {
            return false;
        };
        // One exchange at a time.
        if server.resolving || !nts.may_exchange(now) {
            return true;
        }
        server.resolving = true;
        nts.begin(now);
        let order = KeyOrder {
            association: association_id,
            name,
            family: server.family,
            port: server.port.unwrap_or(NTP_PORT),
            options,
            authorities: self.config.nts.authorities.clone(),
        };
        self.outputs
            .push_back(Output::ExchangeKeys(Box::new(order)));
        true
    }

    /// A request was sent to a server.
    pub(super) fn count_nts_request(&mut self, index: usize) {
        if self.associations.get(index).and_then(nts_of).is_some() {
            self.nts_client.requests += 1;
        }
    }

    /// What came from a server was looked at.
    pub(super) fn count_nts_answers(&mut self, index: usize) {
        let server = self.associations.get_mut(index);
        let server = server.and_then(Association::server_mut);
        if let Some(nts) = server.and_then(|server| server.nts.as_mut()) {
            let (good, bad) = nts.take_answers();
            self.nts_client.answers += good;
            self.nts_client.bad_answers += bad;
        }
    }

    /// A server gave keys, or did not.
    pub(super) fn keys_exchanged(
        &mut self,
        id: AssociationId,
        result: Result<(Agreement, Vec<Endpoint>), String>,
    ) {
        let Some(index) = self.index_of(id) else {
            return;
        };
        let now = self.now.monotonic;
        let agreed = result.and_then(|(agreement, endpoints)| {
            let endpoint = self.choose(index, &endpoints)?;
            Ok((agreement, endpoint))
        });
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let Some(server) = association.server_mut() else {
            return;
        };
        server.resolving = false;
        server.lookups = server.lookups.wrapping_add(1);
        let Some(nts) = &mut server.nts else {
            return;
        };
        match agreed {
            Ok((agreement, endpoint)) => {
                self.nts_client.exchanges += 1;
                nts.agree(agreement);
                let cookies = nts.cookies();
                server.problem = None;
                self.located(index, endpoint);
                if let Some(association) = self.associations.get_mut(index) {
                    association.schedule.hurry(now, Elapsed::ZERO);
                }
                let text = format!(
                    "NTS keys and {cookies} cookies from {}",
                    self.name_of(index)
                );
                self.peer_note(index, Severity::Information, text);
            }
            Err(why) => {
                self.nts_client.failed_exchanges += 1;
                let wait = nts.wait(now);
                let text = format!("no NTS keys: {why}; trying again in {} s", wait.as_secs());
                server.problem = Some(text.clone());
                if nts.needs_keys() {
                    association.schedule.postpone(now + wait);
                }
                self.peer_note(index, Severity::Warning, text);
            }
        }
    }

    fn name_of(&self, index: usize) -> &str {
        self.associations
            .get(index)
            .map_or("", |association| &association.settings.name)
    }
}

/// What was done with NTS as a client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NtsClientCounters {
    pub(crate) requests: u64,
    pub(crate) answers: u64,
    pub(crate) bad_answers: u64,
    pub(crate) exchanges: u64,
    pub(crate) failed_exchanges: u64,
}

fn nts_of(association: &Association) -> Option<&Nts> {
    association.server()?.nts.as_ref()
}
