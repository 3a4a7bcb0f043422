//! Where servers are.

use std::net::SocketAddr;

use ntp_discipline::Clock;
use ntp_engine::{Endpoint, Input};
use ntp_os::Family;
use ntp_wire::AssociationId;

use super::Driver;

/// Set in the numbers of questions about hosts of `restrict` lines; the others are associations'.
const OF_RESTRICTIONS: u64 = 1 << 32;

impl Driver {
    /// Looks a name up in the resolver's thread.
    pub(super) fn ask(
        &mut self,
        association: AssociationId,
        name: &str,
        port: u16,
        family: Family,
    ) {
        let id = association.value().into();
        let asked = self
            .waker()
            .and_then(|waker| self.resolver.ask(waker, id, name, port, family));
        if let Err(error) = asked {
            let why = format!("names can't be looked up: {error}");
            self.resolved(association, Err(why));
        }
    }

    /// Looks up the host of a `restrict` line.
    pub(super) fn ask_restricted(&mut self, number: u16, name: &str, family: Family) {
        let id = OF_RESTRICTIONS | u64::from(number);
        let asked = self
            .waker()
            .and_then(|waker| self.resolver.ask(waker, id, name, 0, family));
        if let Err(error) = asked {
            let addresses = Err(format!("names can't be looked up: {error}"));
            let answer = Input::ResolvedRestricted { number, addresses };
            self.engine.handle(self.clock.read(), answer);
        }
    }

    pub(super) fn names(&mut self) {
        while let Some(answer) = self.resolver.answer() {
            if answer.id & OF_RESTRICTIONS != 0 {
                let number = u16::try_from(answer.id ^ OF_RESTRICTIONS).unwrap_or_default();
                let addresses = answer.addresses.map_err(|error| error.to_string());
                let addresses = addresses.map(|found| found.iter().map(SocketAddr::ip).collect());
                let answer = Input::ResolvedRestricted { number, addresses };
                self.engine.handle(self.clock.read(), answer);
                continue;
            }
            let id = AssociationId::new(u16::try_from(answer.id).unwrap_or_default());
            let found = match answer.addresses {
                Ok(addresses) => self.endpoints(addresses),
                Err(error) => Err(error.to_string()),
            };
            self.resolved(id, found);
        }
    }

    pub(super) fn endpoints(
        &self,
        remotes: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<Endpoint>, String> {
        let found: Vec<Endpoint> = remotes
            .into_iter()
            .filter_map(|remote| {
                Some(Endpoint {
                    remote,
                    local: self.sockets.local_for(remote)?,
                })
            })
            .collect();
        if found.is_empty() {
            Err("no interface to send from".to_owned())
        } else {
            Ok(found)
        }
    }

    pub(super) fn resolved(
        &mut self,
        association: AssociationId,
        endpoints: Result<Vec<Endpoint>, String>,
    ) {
        let now = self.clock.read();
        self.engine.handle(
            now,
            Input::Resolved {
                association,
                endpoints,
            },
        );
    }
}
