//! One cell of the matrix: two hosts, and what comes of them.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use meridian_harness::{Host, Listed, Network, Program, Reference, Tap, value_of, wait_for};

use crate::{Scheme, Whose, keys, start, wire::Messages};

/// The reference sends one step a poll, so that 35 s are usual; a busy machine needs more.
const PATIENCE: Duration = Duration::from_secs(100);

/// How long those have that can't.
const WATCHED: Duration = Duration::from_secs(45);

/// How the two are connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Relation {
    ClientServer,
    Symmetric,
    Broadcast,
}

impl Relation {
    pub(crate) const ALL: [Self; 3] = [Self::ClientServer, Self::Symmetric, Self::Broadcast];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClientServer => "client/server",
            Self::Symmetric => "symmetric",
            Self::Broadcast => "broadcast",
        }
    }

    /// The line of the client.
    fn of_client(self, server: IpAddr, ident: &str) -> String {
        let polls = "minpoll 3 maxpoll 3";
        match self {
            Self::ClientServer => format!("server {server} iburst {polls} autokey {ident}"),
            Self::Symmetric => format!("peer {server} {polls} autokey {ident}"),
            // The group of a server that is not written down stands in a line of its own.
            Self::Broadcast if server.is_ipv4() => format!("broadcastclient\n{ident}"),
            Self::Broadcast => format!("multicastclient ff02::101\n{ident}"),
        }
    }

    /// The line of the server.
    fn of_server(self, client: IpAddr) -> String {
        let polls = "minpoll 3 maxpoll 3";
        match self {
            Self::ClientServer => String::new(),
            Self::Symmetric => format!("peer {client} {polls} autokey"),
            Self::Broadcast if client.is_ipv4() => format!("broadcast 10.0.0.255 {polls} autokey"),
            Self::Broadcast => format!("broadcast ff02::101 {polls} autokey"),
        }
    }
}

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) scheme: Scheme,
    pub(crate) relation: Relation,
    pub(crate) server: Whose,
    pub(crate) client: Whose,
    pub(crate) ipv6: bool,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The client follows the server, and has all flags.
    Works,
    /// It does not, and the wire says why.
    Fails(String),
}

impl Cell {
    /// Tries it; `works` says what is to be expected, and so how long to wait.
    pub(crate) fn run(self, reference: &Reference, works: bool) -> Outcome {
        let trial = Trial {
            cell: self,
            network: Network::new().unwrap(),
        };
        trial.prepare(reference);
        let tap = Tap::new(&trial.network.client);
        let (server, client) = (&trial.network.server, &trial.network.client);
        let server_process = start(reference, server, self.server);
        wait_for_server(server, &server_process);
        let client_process = start(reference, client, self.client);
        let end = Instant::now() + if works { PATIENCE } else { WATCHED };
        loop {
            let messages = Messages::of(
                &tap.seen(),
                server.address(self.ipv6),
                client.address(self.ipv6),
            );
            if trial.is_complete(&messages) {
                return Outcome::Works;
            }
            if Instant::now() >= end {
                return Outcome::Fails(format!(
                    "{self:?}\n{messages:x?}\n{}{}\nclient:\n{}\nserver:\n{}",
                    client.ask("as"),
                    client.ask("rv &1"),
                    client_process.log(),
                    server_process.log()
                ));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Waits until a server follows its local clock.
pub(crate) fn wait_for_server(server: &Host, process: &Program) {
    wait_for(
        Duration::from_secs(60),
        "the server to follow its local clock",
        || {
            server
                .ask("rv 0 stratum")
                .contains("stratum=2")
                .then_some(())
        },
        || process.log(),
    );
}

struct Trial {
    cell: Cell,
    network: Network,
}

impl Trial {
    fn prepare(&self, reference: &Reference) {
        let Cell {
            scheme,
            relation,
            server: by_server,
            client: by_client,
            ipv6,
        } = self.cell;
        let (server, client) = (&self.network.server, &self.network.client);
        keys::make(reference, scheme, (server, by_server), (client, by_client));
        let ident = if scheme.file().is_some() {
            "ident server"
        } else {
            ""
        };
        let of_server = relation.of_server(client.address(ipv6));
        server.write(
            "ntp.conf",
            &format!(
                "server 127.127.1.0 prefer minpoll 3 maxpoll 3\nfudge 127.127.1.0 stratum 1\n\
                 tos maxdist 16\nrestrict default nomodify\n{of_server}\n{}",
                keys::server_lines()
            ),
        );
        let of_client = relation.of_client(server.address(ipv6), ident);
        client.write(
            "ntp.conf",
            &format!(
                "{of_client}\ntos maxdist 16\n{}",
                keys::client_lines(scheme)
            ),
        );
    }

    /// Whether the client has proven all and follows the server, by its own word and the wire's.
    fn is_complete(&self, messages: &Messages) -> bool {
        let client = &self.network.client;
        let Some(listed) = Listed::all(&client.ask("as")).into_iter().next() else {
            return false;
        };
        if !(listed.is_followed() && listed.reachable && listed.authentication == "ok") {
            return false;
        }
        let text = client.ask(&format!("rv {} flags,hmode,reach", listed.association));
        let number = |name: &str, radix| {
            let value = value_of(&text, name).unwrap_or_default();
            u32::from_str_radix(value.trim_start_matches("0x"), radix).unwrap_or_default()
        };
        let scheme = self.cell.scheme;
        // With a private certificate there is nothing to be signed and, in the reference, LEAP is
        // never asked for.
        let complete = match scheme {
            Scheme::PrivateCertificate => 0x3f01,
            _ => 0x7f01,
        };
        let wanted = complete | scheme.bit();
        let has_flags = number("flags", 16) & (complete | 0xf0) == wanted;
        let is_proven = match scheme.opcode() {
            Some(opcode) => messages.has(opcode),
            None => !(0x0207..=0x0209).any(|opcode| messages.has(opcode)),
        };
        let is_private = scheme == Scheme::PrivateCertificate;
        let has_trail = messages.has(0x0202) != is_private;
        let listens = match self.cell.relation {
            Relation::ClientServer => messages.bare > 0,
            Relation::Symmetric => messages.bare > 2,
            // Several in a row after the volley.
            Relation::Broadcast => number("hmode", 10) == 6 && number("reach", 8) & 7 == 7,
        };
        has_flags && is_proven && has_trail && listens
    }
}
