//! Hosts that run the engine, and the network between them.

use core::{net::IpAddr, time::Duration as Elapsed};
use std::{collections::BTreeMap, net::SocketAddr};

use ntp_discipline::{Adjustment, Applied, ClockError, Now, VirtualClock};
use ntp_engine::{Endpoint, Engine, Event, Exit, Input, Output};
use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};

use crate::Link;

/// A number of hosts on one network, and the time that is true for all of them.
///
/// Nothing in it waits: time jumps from one event to the next.
#[derive(Debug)]
pub struct World {
    /// The true time at the start.
    origin: Timestamp,
    now: Monotonic,
    hosts: Vec<Host>,
    /// Datagrams on their way, by the time of arrival and the order of sending.
    network: BTreeMap<(Monotonic, u64), Datagram>,
    sent: u64,
    link: Link,
    trace: Vec<(Monotonic, Datagram)>,
}

/// One host of a [`World`].
#[derive(Debug)]
pub struct Host {
    address: IpAddr,
    clock: VirtualClock,
    /// Whether its clock may be changed.
    steerable: bool,
    engine: Engine,
    events: Vec<String>,
    drift: Option<Ppm>,
    exit: Option<Exit>,
    stopped: bool,
}

/// A datagram on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Datagram {
    /// From.
    pub source: SocketAddr,
    /// To.
    pub destination: SocketAddr,
    /// All of it.
    pub data: Vec<u8>,
}

/// The UDP port that all hosts use.
pub const PORT: u16 = 123;

impl World {
    /// A world without hosts, whose network carries every datagram over `link`.
    pub fn new(origin: Timestamp, link: Link) -> Self {
        Self {
            origin,
            now: Monotonic::START,
            hosts: Vec::new(),
            network: BTreeMap::new(),
            sent: 0,
            link,
            trace: Vec::new(),
        }
    }

    /// Adds a host whose clock is ahead by `offset` and gains `frequency`; `engine` makes its
    /// daemon when told what its clocks show. The number is for [`host`](Self::host).
    pub fn add(
        &mut self,
        address: IpAddr,
        offset: Duration,
        frequency: Ppm,
        engine: impl FnOnce(Now) -> Engine,
    ) -> usize {
        let clock = VirtualClock::new(self.true_time() + offset, self.now, frequency);
        let now = Now {
            wall: clock.wall(self.now),
            monotonic: self.now,
        };
        self.hosts.push(Host {
            address,
            clock,
            steerable: true,
            engine: engine(now),
            events: Vec::new(),
            drift: None,
            exit: None,
            stopped: false,
        });
        self.hosts.len() - 1
    }

    /// A host.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number]
    }

    /// A host.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    pub fn host_mut(&mut self, number: usize) -> &mut Host {
        &mut self.hosts[number]
    }

    /// The network, to make it worse or better.
    pub fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }

    /// How long this world has been.
    pub fn now(&self) -> Monotonic {
        self.now
    }

    /// What the time truly is.
    pub fn true_time(&self) -> Timestamp {
        self.origin + Duration::from_nanos(i64::try_from(self.now.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Every datagram that was sent, with the time of sending.
    pub fn trace(&self) -> &[(Monotonic, Datagram)] {
        &self.trace
    }

    /// Sends a datagram from outside; it arrives at once.
    pub fn inject(&mut self, datagram: Datagram) {
        self.network.insert((self.now, self.sent), datagram);
        self.sent += 1;
    }

    /// How far the clock of a host is ahead of true time.
    pub fn error(&self, number: usize) -> Duration {
        self.hosts[number].clock.wall(self.now) - self.true_time()
    }

    /// Lets time pass, and all that is due in it happen.
    pub fn run(&mut self, time: Elapsed) {
        let end = self.now + time;
        for host in 0..self.hosts.len() {
            self.drain(host);
        }
        loop {
            let arrival = self.network.keys().next().map(|(at, _)| *at);
            let deadline = self.hosts.iter().filter_map(Host::deadline).min();
            let Some(next) = [arrival, deadline].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now)
                && let Some((_, datagram)) = self.network.pop_first()
            {
                self.deliver(&datagram);
            }
            for number in 0..self.hosts.len() {
                if self.hosts[number]
                    .deadline()
                    .is_some_and(|deadline| deadline <= self.now)
                {
                    let now = self.hosts[number].read(self.now);
                    self.hosts[number].engine.handle_deadline(now);
                    self.drain(number);
                }
            }
        }
        self.now = end;
    }

    fn deliver(&mut self, datagram: &Datagram) {
        let Some(number) = self
            .hosts
            .iter()
            .position(|host| !host.stopped && host.address == datagram.destination.ip())
        else {
            return;
        };
        let host = &mut self.hosts[number];
        let now = host.read(self.now);
        host.engine.handle(
            now,
            Input::Datagram {
                received: now.wall,
                local: host.address,
                remote: datagram.source,
                data: &datagram.data,
            },
        );
        self.drain(number);
    }

    fn drain(&mut self, number: usize) {
        while let Some(output) = self.hosts[number].engine.poll() {
            match output {
                Output::Send {
                    local,
                    remote,
                    data,
                } => {
                    let datagram = Datagram {
                        source: SocketAddr::new(local, PORT),
                        destination: remote,
                        data: data.to_vec(),
                    };
                    self.trace.push((self.now, datagram.clone()));
                    if let Some(arrival) = self.link.carry(self.now) {
                        self.network.insert((arrival, self.sent), datagram);
                        self.sent += 1;
                    }
                }
                output => self.hosts[number].obey(output, self.now),
            }
        }
    }
}

impl Host {
    /// Its daemon.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The lines of its log.
    pub fn log(&self) -> &[String] {
        &self.events
    }

    /// What stands in its drift file.
    pub fn drift(&self) -> Option<Ppm> {
        self.drift
    }

    /// Whether its daemon has ended.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// From now on its clock refuses every change.
    pub fn freeze_clock(&mut self) {
        self.steerable = false;
    }

    /// Ends its daemon in an orderly way.
    pub fn shut_down(&mut self, world_time: Monotonic) {
        let now = self.read(world_time);
        self.engine.shut_down(now);
        while let Some(output) = self.engine.poll() {
            self.obey(output, world_time);
        }
        self.stopped = true;
    }

    fn read(&self, at: Monotonic) -> Now {
        Now {
            wall: self.clock.wall(at),
            monotonic: at,
        }
    }

    /// When its daemon wants to be woken, unless that has ended.
    fn deadline(&self) -> Option<Monotonic> {
        if self.stopped || self.exit.is_some() {
            None
        } else {
            self.engine.next_deadline()
        }
    }

    fn obey(&mut self, output: Output, at: Monotonic) {
        match output {
            Output::Send { .. } | Output::Publish(_) => {}
            Output::Adjust(asked) => {
                let result = self.adjust(at, &asked);
                let now = self.read(at);
                self.engine
                    .handle(now, Input::ClockChanged { asked, result });
            }
            Output::Resolve {
                association,
                name,
                port,
                ..
            } => {
                let endpoints = match name.parse() {
                    Ok(address) => Ok(vec![Endpoint {
                        remote: SocketAddr::new(address, port),
                        local: self.address,
                    }]),
                    Err(_) => Err(format!("no host {name} in this world")),
                };
                let now = self.read(at);
                self.engine.handle(
                    now,
                    Input::Resolved {
                        association,
                        endpoints,
                    },
                );
            }
            Output::WriteDrift(frequency) => self.drift = Some(frequency),
            Output::Event(event) => self.note(&event),
            Output::Exit(exit) => {
                self.exit.get_or_insert(exit);
            }
        }
    }

    fn adjust(&mut self, at: Monotonic, change: &Adjustment) -> Result<Applied, ClockError> {
        if self.steerable {
            Ok(self.clock.adjust(at, change))
        } else {
            Err(ClockError::NotPermitted)
        }
    }

    fn note(&mut self, event: &Event) {
        self.events.push(event.to_string());
    }
}
