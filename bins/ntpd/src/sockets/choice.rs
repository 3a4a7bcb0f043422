//! Which of the machine's addresses are opened.

use std::net::{IpAddr, SocketAddr};

use ntp_conf::{Config, InterfaceAction, InterfaceRule};
use ntp_os::Interface;

/// Which addresses to listen on: `-I`, `-L`, `-4` and `-6`, or the `interface` lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// Names of interfaces or addresses; all if empty.
    pub(crate) wanted: Vec<String>,
    pub(crate) no_virtual: bool,
    pub(crate) ipv4_only: bool,
    pub(crate) ipv6_only: bool,
    pub(crate) rules: Vec<InterfaceRule>,
    pub(crate) hearing: Hearing,
}

/// What is sent to many and wanted here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Hearing {
    /// What is sent to broadcast addresses.
    pub(crate) broadcasts: bool,
    /// And to these groups, on every interface.
    pub(crate) groups: Vec<IpAddr>,
}

impl Hearing {
    pub(crate) fn of(config: &Config) -> Self {
        let groups = &config.groups;
        Self {
            broadcasts: config.follows_broadcasts(),
            groups: [&groups.multicast_client[..], &groups.manycast_server[..]].concat(),
        }
    }
}

impl Choice {
    fn action(&self, interface: &Interface) -> InterfaceAction {
        let address = interface.address.ip();
        let of_family = match address {
            IpAddr::V4(_) => !self.ipv6_only,
            IpAddr::V6(_) => !self.ipv4_only,
        };
        let wanted = self.wanted.is_empty()
            || self
                .wanted
                .iter()
                .any(|wanted| *wanted == interface.name || wanted.parse() == Ok(address));
        let is_usable = interface.is_up && !interface.is_tentative;
        let is_unwanted = self.no_virtual && interface.name.contains(':');
        if is_usable && of_family && wanted && !is_unwanted {
            InterfaceRule::decide(&self.rules, &interface.name, address, interface.is_loopback)
        } else {
            InterfaceAction::Ignore
        }
    }

    /// Whether it is listened on.
    pub(super) fn takes(&self, interface: &Interface) -> bool {
        self.action(interface) == InterfaceAction::Listen
    }

    /// Where to listen: address, name and number of the interface.
    pub(super) fn addresses(
        &self,
        found: &[Interface],
        port: u16,
    ) -> Vec<(SocketAddr, String, u32)> {
        let mut addresses: Vec<(SocketAddr, String, u32)> = found
            .iter()
            .filter(|interface| self.takes(interface))
            .map(|interface| {
                let mut address = interface.address;
                address.set_port(port);
                (address, interface.name.clone(), interface.index)
            })
            .collect();
        // 127.0.0.2 and its like are ours without being listed.
        for wanted in &self.wanted {
            if let Ok(address) = wanted.parse::<IpAddr>()
                && address.is_loopback()
                && !addresses.iter().any(|(known, ..)| known.ip() == address)
            {
                addresses.push((SocketAddr::new(address, port), "lo".to_owned(), 0));
            }
        }
        addresses
    }

    /// Where what comes is dropped: address and name of the interface.
    pub(super) fn dropped(&self, found: &[Interface], port: u16) -> Vec<(SocketAddr, String)> {
        found
            .iter()
            .filter(|interface| self.action(interface) == InterfaceAction::Drop)
            .map(|interface| {
                let mut address = interface.address;
                address.set_port(port);
                (address, interface.name.clone())
            })
            .collect()
    }
}
