//! What Network Time Security wants of the event loop.

use ntp_discipline::Clock;
use ntp_engine::{Endpoint, Input, KeyOrder};
use ntp_nts::Agreement;
use ntp_wire::AssociationId;

use super::Driver;
use crate::key_client::Exchanged;

impl Driver {
    /// Serves NTS keys, if that is configured.
    pub(super) fn start_nts(&mut self) {
        if self.nts.wants_to_start() {
            let addresses = self.sockets.addresses().map(|(_, address)| address);
            let addresses = addresses.collect();
            let waker = self.waker();
            self.nts
                .start(&self.engine, addresses, waker, &mut self.log);
        }
    }

    /// Has a server asked for NTS keys.
    pub(super) fn exchange_keys(&mut self, order: KeyOrder) {
        let (association, now) = (order.association, self.clock.read().wall);
        let asked = self
            .waker()
            .and_then(|waker| self.nts.ask(order, now, waker));
        if let Err(error) = asked {
            let result = Err(format!("there is no thread for it: {error}"));
            self.keys_exchanged(association, result);
        }
    }

    fn keys_exchanged(
        &mut self,
        association: AssociationId,
        result: Result<(Agreement, Vec<Endpoint>), String>,
    ) {
        let now = self.clock.read();
        self.engine.handle(
            now,
            Input::KeysExchanged {
                association,
                result,
            },
        );
    }

    /// Takes in what the threads of NTS have to tell.
    pub(super) fn hear_nts(&mut self) {
        self.nts.report(&mut self.log);
        while let Some(Exchanged {
            association,
            result,
        }) = self.nts.exchanged()
        {
            let result =
                result.and_then(|(agreed, remotes)| Ok((agreed, self.endpoints(remotes)?)));
            self.keys_exchanged(association, result);
        }
    }
}
