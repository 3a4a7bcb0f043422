//! The addresses of this machine come and go.

use std::time::Duration as Elapsed;

use mio::{Interest, Poll};
use ntp_discipline::Clock;
use ntp_engine::Input;
use ntp_os::AddressWatch;
use ntp_wire::Monotonic;

use super::Driver;
use crate::token;

/// After a change of the machine's addresses, for so long more may change.
pub(super) const SETTLING: Elapsed = Elapsed::from_secs(2);

impl Driver {
    pub(super) fn scan(&mut self, now: Monotonic) {
        let Some(interval) = self.scan_interval else {
            return;
        };
        if self.next_scan <= now {
            self.scan_now();
            let wait = match self.sockets.is_waiting() && self.addresses.is_none() {
                true => SETTLING,
                false => interval,
            };
            self.next_scan = now + wait;
        }
    }

    /// Opens and closes sockets as the interfaces and the configuration want it.
    pub(super) fn scan_now(&mut self) {
        self.failing.clear();
        // Whatever is wrong was logged, and the sockets that stand go on.
        let _ = self.sockets.scan(self.poll.registry(), &mut self.log);
        if let Some(team) = &self.team {
            self.sockets.share(team, &mut self.log);
        }
        self.tell_interfaces();
        let addresses = self.sockets.addresses().map(|(_, address)| address);
        self.nts.set_addresses(addresses);
        if let Some(answers) = &mut self.answers
            && !answers.set_addresses(&self.sockets, &mut self.log)
        {
            self.answers = None;
        }
    }

    /// Addresses that come or go are looked at in a moment: seldom does one come alone.
    pub(super) fn addresses_changed(&mut self) {
        let Some(addresses) = &mut self.addresses else {
            return;
        };
        if addresses.take_changed() {
            let soon = self.clock.read().monotonic + SETTLING;
            self.next_scan = self.next_scan.min(soon);
        }
        // As with the sockets.
        if cfg!(mio_unsupported_force_poll_poll) {
            let _ =
                self.poll
                    .registry()
                    .reregister(addresses, token::ADDRESSES, Interest::READABLE);
        }
    }

    pub(super) fn tell_interfaces(&mut self) {
        let interfaces = Input::Interfaces(self.sockets.describe());
        self.engine.handle(self.clock.read(), interfaces);
    }
}

/// Wants to be told when the machine's addresses change. Without that they are looked at now and
/// then.
pub(super) fn watch_addresses(poll: &Poll) -> Option<AddressWatch> {
    let mut watch = AddressWatch::open().ok()?;
    poll.registry()
        .register(&mut watch, token::ADDRESSES, Interest::READABLE)
        .ok()?;
    Some(watch)
}
