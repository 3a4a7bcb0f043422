//! Asking all servers, each in its turn, until every one has answered or been given up.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration as Elapsed,
};

use mio::{Events, Interest, Poll, Token};
use ntp_discipline::Clock;
use ntp_os::{Batch, Family, NtpSocket, SocketOptions, SystemClock, resolve};
use ntp_wire::{KissCode, Monotonic, Version, WireTimestamp};

use crate::{
    credential::Credential,
    exchange::{Answer, Pending, Refusal, judge, request},
    failure::Failure,
    journal::Journal,
    server::{Due, Server},
};

/// The first requests to two servers lie so far apart.
const STAGGER: Elapsed = Elapsed::from_millis(200);

/// How servers are asked.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Their port.
    pub(crate) port: u16,
    /// Only their addresses of this family.
    pub(crate) family: Family,
    /// The address of this machine to send from.
    pub(crate) source: Option<IpAddr>,
    /// The port to send from; 0 for any.
    pub(crate) source_port: u16,
    /// How many samples to take of each.
    pub(crate) samples: usize,
    /// The version of the requests.
    pub(crate) version: Version,
    /// How long to wait for an answer.
    pub(crate) timeout: Elapsed,
}

/// The addresses of all servers that have any, each once; those that have none are told.
pub(crate) fn find_servers(
    names: &[String],
    terms: &Terms,
    journal: &mut Journal,
) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for name in names {
        journal.trace(|| format!("Looking for host {name} and service ntp"));
        match resolve(name, terms.port, terms.family) {
            Ok(addresses) => {
                for address in addresses {
                    if !found.contains(&address) {
                        journal.trace(|| format!("host found : {}", address.ip()));
                        found.push(address);
                    }
                }
            }
            Err(error) => journal.error(&format!("Can't find host {name}: {error}")),
        }
    }
    found
}

/// All servers, and the sockets they are asked by.
#[derive(Debug)]
pub(crate) struct Survey<'a> {
    terms: &'a Terms,
    credential: Option<Credential>,
    addresses: Vec<SocketAddr>,
    servers: Vec<Server>,
    sockets: Vec<(Family, NtpSocket)>,
    poll: Poll,
}

impl<'a> Survey<'a> {
    /// Opens a socket for each family that the servers at `addresses` have.
    pub(crate) fn open(
        terms: &'a Terms,
        credential: Option<Credential>,
        addresses: Vec<SocketAddr>,
    ) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let mut sockets = Vec::new();
        for family in [Family::V4, Family::V6] {
            let local = match terms.source {
                Some(source) => source,
                None if family == Family::V4 => [0; 4].into(),
                None => [0; 16].into(),
            };
            let is_needed = addresses.iter().any(|server| family.has(server.ip()));
            if !is_needed || !family.has(local) {
                continue;
            }
            let address = (local, terms.source_port).into();
            let mut socket = NtpSocket::bind(address, &SocketOptions::default())?;
            poll.registry()
                .register(&mut socket, Token(0), Interest::READABLE)?;
            sockets.push((family, socket));
        }
        Ok(Self {
            terms,
            credential,
            addresses,
            servers: Vec::new(),
            sockets,
            poll,
        })
    }

    /// What the servers answered.
    pub(crate) fn into_servers(self) -> Vec<Server> {
        self.servers
    }

    /// Asks until all is known.
    pub(crate) fn run(
        &mut self,
        clock: &SystemClock,
        journal: &mut Journal,
    ) -> Result<(), Failure> {
        let mut start = clock.read().monotonic;
        for address in &self.addresses {
            self.servers.push(Server::new(*address, start));
            start += STAGGER;
        }
        let mut events = Events::with_capacity(4);
        let mut batch = Batch::new();
        while let Some(deadline) = self.deadline() {
            let now = clock.read().monotonic;
            match self.poll.poll(&mut events, Some(deadline.since(now))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    return Err(error.into());
                }
                _ => {}
            }
            self.receive(clock, &mut batch, journal)?;
            self.act(clock, journal)?;
        }
        Ok(())
    }

    fn deadline(&self) -> Option<Monotonic> {
        self.servers.iter().filter_map(Server::deadline).min()
    }

    /// Does what is due.
    fn act(&mut self, clock: &SystemClock, journal: &mut Journal) -> Result<(), Failure> {
        let now = clock.read().monotonic;
        for server in &mut self.servers {
            match server.due(now) {
                Some(Due::Silence) => server.was_silent(self.terms.samples),
                Some(Due::Ask) => {
                    let nonce = WireTimestamp::from_bits(getrandom::u64()?.max(1));
                    let data = request(self.terms.version, nonce, self.credential.as_ref());
                    journal.trace(|| format!("transmit({})", server.address.ip()));
                    let ip = server.address.ip();
                    let socket = self.sockets.iter().find(|(family, _)| family.has(ip));
                    let Some((_, socket)) = socket else {
                        server.give_up();
                        continue;
                    };
                    let sent = clock.read();
                    match socket.send_to(&data, server.address, None) {
                        Ok(()) => {
                            let pending = Pending {
                                nonce,
                                sent: sent.wall,
                            };
                            server.was_asked(pending, sent.monotonic, self.terms.timeout);
                        }
                        Err(error) => {
                            journal.error(&format!("sendto({ip}): {error}"));
                            server.give_up();
                        }
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Takes what has arrived.
    fn receive(
        &mut self,
        clock: &SystemClock,
        batch: &mut Batch,
        journal: &mut Journal,
    ) -> Result<(), Failure> {
        for (_, socket) in &self.sockets {
            while socket.receive(batch)? > 0 {
                for datagram in batch.iter() {
                    let server = self
                        .servers
                        .iter_mut()
                        .find(|server| is_same(server.address, datagram.from));
                    // Nobody else was asked.
                    let Some(server) = server else { continue };
                    journal.trace(|| format!("receive({})", datagram.from.ip()));
                    let Some(pending) = server.pending() else {
                        continue;
                    };
                    let judged = judge(
                        datagram.data,
                        pending,
                        clock.arrival(datagram.stamp).wall,
                        datagram.from.ip(),
                        self.credential.as_ref(),
                    );
                    tell(server, &judged, self.credential.is_some(), journal);
                    server.take(judged, self.terms.samples);
                }
            }
        }
        Ok(())
    }
}

/// Whether a datagram from `from` is from the server at `asked`. The scope of an IPv6 address is
/// told for some addresses that were given without one.
fn is_same(asked: SocketAddr, from: SocketAddr) -> bool {
    asked.ip() == from.ip() && asked.port() == from.port()
}

fn tell(
    server: &Server,
    judged: &Result<Answer, Refusal>,
    has_credential: bool,
    journal: &mut Journal,
) {
    let ip = server.address.ip();
    match judged {
        Ok(answer) if has_credential => journal.trace(|| {
            let result = if answer.is_trusted {
                "passed"
            } else {
                "failed"
            };
            format!("receive: authentication {result}")
        }),
        Ok(_) => {}
        Err(Refusal::Kiss(KissCode::Rate)) => {
            journal.error(&format!("{ip} rate limit response from server."));
        }
        Err(Refusal::Kiss(KissCode::Deny | KissCode::Restrict)) => {
            journal.error(&format!("{ip} access denied by the server."));
        }
        Err(refusal) => journal.trace(|| format!("receive: {refusal}")),
    }
}
