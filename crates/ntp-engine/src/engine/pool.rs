//! Pools: servers that come and go.

use ntp_discipline::{Estimator, Tally};
use ntp_wire::AssociationId;

use super::Engine;
use crate::{
    Endpoint, Severity,
    association::{Association, Membership, Role, Server, Source},
    schedule::Pacing,
};

/// A member that has been of no use for so many polls of its pool gives way.
const PATIENCE: u32 = 10;

impl Engine {
    /// It is time to look after a pool: who is of no use goes, and if there are too few, more come.
    pub(super) fn poll_pool(&mut self, index: usize) {
        let now = self.now.monotonic;
        let Some(association) = self.associations.get_mut(index) else {
            return;
        };
        let pool = association.id;
        association.schedule.rest(now, &mut self.rng);
        self.dismiss(pool);
        if !self.wants_more() {
            return;
        }
        let Some(index) = self.index_of(pool) else {
            return;
        };
        if !self.mobilise_one(index) {
            self.resolve(index);
        }
    }

    /// The name of a pool was looked up.
    pub(super) fn pool_resolved(&mut self, index: usize, found: Result<Vec<Endpoint>, String>) {
        let own_port = self.port;
        let Some(Source::Pool(pool)) = self
            .associations
            .get_mut(index)
            .map(|association| &mut association.source)
        else {
            return;
        };
        pool.resolving = false;
        match found {
            Ok(mut endpoints) => {
                endpoints
                    .retain(|end| end.remote.ip() != end.local || end.remote.port() != own_port);
                endpoints.reverse();
                pool.unresolved = false;
                pool.spare = endpoints;
            }
            Err(why) => {
                // Once is enough: it is looked up at every poll.
                if !std::mem::replace(&mut pool.unresolved, true) {
                    self.peer_note(index, Severity::Warning, why);
                }
            }
        }
        while self.associations.len() < self.system.limits().maximum_clocks
            && self.mobilise_one(index)
        {}
    }

    /// As in the reference: `maxclock` associations in all; and while these leave fewer than
    /// `minclock` survivors, up to twice as many.
    pub(super) fn wants_more(&self) -> bool {
        let limits = self.system.limits();
        let survivors = self
            .associations
            .iter()
            .filter(|association| survives(association))
            .count();
        let all = self.associations.len();
        all < limits.maximum_clocks
            || survivors < limits.minimum_clocks && all <= limits.maximum_clocks.saturating_mul(2)
    }

    /// Makes a server of a spare address of a pool; `false` if there is none.
    fn mobilise_one(&mut self, index: usize) -> bool {
        let now = self.now.monotonic;
        let id = self.unused_id();
        let in_use: Vec<_> = self
            .associations
            .iter()
            .filter_map(Association::remote)
            .collect();
        let Some(association) = self.associations.get_mut(index) else {
            return false;
        };
        let (pool, mut settings) = (association.id, association.settings.clone());
        let Source::Pool(source) = &mut association.source else {
            return false;
        };
        let (family, port, precise) = (source.family, source.port, source.precise);
        let endpoint = loop {
            match source.spare.pop() {
                Some(endpoint) if in_use.contains(&endpoint.remote) => {}
                Some(endpoint) => break endpoint,
                None => return false,
            }
        };
        settings.name = endpoint.remote.ip().to_string();
        let mut server = Server::new(id, Role::Client, &settings.security, family, port);
        server.locate(endpoint);
        let source = Source::Server(Box::new(server));
        let mut member = Association::new(id, settings, source, now, self.precision);
        member.membership = Some(Membership { pool, useless: 0 });
        if precise {
            member.estimator = Some(Estimator::new(None, self.precision));
            member.schedule.set_pacing(Pacing::Spread);
        }
        self.mobilise(member);
        true
    }

    /// Lets go who of a pool does not answer, and, where there are more than enough, who has not
    /// been among the survivors for longest.
    pub(super) fn dismiss(&mut self, pool: AssociationId) {
        let mut useless = Vec::new();
        for association in &mut self.associations {
            let survives = survives(association);
            let silent = association.schedule.reach() == 0;
            let Some(membership) = &mut association.membership else {
                continue;
            };
            if membership.pool != pool {
                continue;
            }
            membership.useless = match survives {
                true => 0,
                false => membership.useless.saturating_add(1),
            };
            if membership.useless >= PATIENCE {
                useless.push((silent, membership.useless, association.id));
            }
        }
        useless.sort_unstable_by_key(|(silent, time, id)| (!silent, u32::MAX - time, id.value()));
        let enough = self.system.limits().maximum_clocks;
        let mut someone_left = false;
        for (silent, _, id) in useless {
            let surplus = self.associations.len() > enough && !someone_left;
            if !(silent || surplus) {
                continue;
            }
            someone_left = true;
            if let Some(index) = self.index_of(id) {
                let why = if silent { "no answer" } else { "not needed" };
                self.demobilise(index, why);
            }
        }
        if someone_left {
            self.select();
        }
    }
}

fn survives(association: &Association) -> bool {
    matches!(
        association.tally,
        Tally::Candidate | Tally::SystemPeer | Tally::PpsPeer
    )
}
