//! What came and went, by our addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ntp_wire::Monotonic;

/// An address that packets come to and go from, as the driver found it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceDescription {
    /// The name of the interface.
    pub name: String,
    /// The address and the port.
    pub address: SocketAddr,
    /// The broadcast address of its network.
    pub broadcast: Option<Ipv4Addr>,
    /// Whether what is sent there is heard.
    pub hears_broadcast: bool,
    /// Whether it leads nowhere but to this machine.
    pub is_loopback: bool,
    /// Whether it can send to many at once.
    pub is_multicast: bool,
    /// How many groups are heard on it.
    pub groups: usize,
}

/// How many datagrams came and went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Passed {
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) failed: u64,
}

impl Passed {
    /// One that was counted as sent was not.
    pub(crate) fn fail(&mut self) {
        self.sent = self.sent.saturating_sub(1);
        self.failed += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.sent += other.sent;
        self.failed += other.failed;
    }

    /// What passed since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            received: self.received.saturating_sub(earlier.received),
            sent: self.sent.saturating_sub(earlier.sent),
            failed: self.failed.saturating_sub(earlier.failed),
        }
    }
}

/// One of our addresses.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) description: InterfaceDescription,
    pub(crate) since: Monotonic,
    pub(crate) passed: Passed,
}

/// All that came and went.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) passed: Passed,
    /// How often a source was due to be asked.
    pub(crate) polls: u64,
    pub(crate) interfaces: Vec<Interface>,
}

impl Traffic {
    /// These are our addresses now; one that stays keeps what was counted.
    pub(crate) fn set_interfaces(&mut self, now: Monotonic, found: Vec<InterfaceDescription>) {
        let mut before = core::mem::take(&mut self.interfaces);
        self.interfaces = found
            .into_iter()
            .map(|description| {
                let place = before.iter().position(|interface| {
                    interface.description.address == description.address
                        && interface.description.name == description.name
                });
                match place {
                    Some(place) => Interface {
                        description,
                        ..before.swap_remove(place)
                    },
                    None => Interface {
                        description,
                        since: now,
                        passed: Passed::default(),
                    },
                }
            })
            .collect();
    }

    /// A datagram came.
    pub(crate) fn received(&mut self, local: IpAddr) {
        self.passed.received += 1;
        if let Some(interface) = self.interface(local) {
            interface.passed.received += 1;
        }
    }

    /// A datagram goes.
    pub(crate) fn sent(&mut self, local: IpAddr) {
        self.passed.sent += 1;
        if let Some(interface) = self.interface(local) {
            interface.passed.sent += 1;
        }
    }

    /// One that was to go did not.
    pub(crate) fn failed(&mut self, local: IpAddr) {
        self.passed.fail();
        if let Some(interface) = self.interface(local) {
            interface.passed.fail();
        }
    }

    fn interface(&mut self, local: IpAddr) -> Option<&mut Interface> {
        self.interfaces
            .iter_mut()
            .find(|interface| interface.description.address.ip() == local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(address: &str) -> InterfaceDescription {
        InterfaceDescription {
            name: "net0".into(),
            address: address.parse().unwrap(),
            broadcast: None,
            hears_broadcast: false,
            is_loopback: false,
            is_multicast: true,
            groups: 0,
        }
    }

    #[test]
    fn addresses_that_stay_keep_their_numbers() {
        let mut traffic = Traffic::default();
        let now = Monotonic::START;
        let later = now + core::time::Duration::from_secs(9);
        traffic.set_interfaces(
            now,
            vec![described("10.0.0.1:123"), described("10.0.0.2:123")],
        );
        let local = "10.0.0.2".parse().unwrap();
        traffic.received(local);
        traffic.sent(local);
        traffic.sent(local);
        traffic.failed(local);
        traffic.sent("10.9.9.9".parse().unwrap());
        traffic.set_interfaces(
            later,
            vec![described("10.0.0.2:123"), described("10.0.0.3:123")],
        );
        let [kept, new] = &traffic.interfaces[..] else {
            panic!("{traffic:?}");
        };
        let of = |passed: Passed| (passed.received, passed.sent, passed.failed);
        assert_eq!(of(kept.passed), (1, 1, 1));
        assert_eq!((kept.since, new.since), (now, later));
        assert_eq!(of(traffic.passed), (1, 2, 1));
    }
}
