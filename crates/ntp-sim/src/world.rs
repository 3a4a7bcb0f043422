//! Hosts that run the engine, servers that are mere clocks, and the network between them.

mod host;

use core::{net::IpAddr, time::Duration as Elapsed};
use std::{collections::BTreeMap, net::SocketAddr};

use ntp_discipline::Now;
use ntp_engine::{Engine, Output};
use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};

pub use self::host::Host;
use crate::{ClockModel, Disturbance, Drift, HostClock, Link, PlainServer, Window};

/// A number of hosts on one network, and the time that is true for all of them.
///
/// Nothing in it waits: time jumps from one event to the next.
#[derive(Debug)]
pub struct World {
    /// The true time at the start.
    origin: Timestamp,
    now: Monotonic,
    hosts: Vec<Host>,
    servers: BTreeMap<IpAddr, PlainServer>,
    /// Datagrams on their way, by the time of arrival and the order of sending.
    network: BTreeMap<(Monotonic, u64), Datagram>,
    sent: u64,
    /// Datagrams that are still within the host that sends them, by the time at which they leave;
    /// that is to be told.
    departures: BTreeMap<(Monotonic, u64), (usize, Datagram)>,
    /// The way from anywhere to anywhere.
    link: Link,
    /// Ways of their own, from one to another.
    links: BTreeMap<(IpAddr, IpAddr), Link>,
    /// `None` if nobody wants it.
    trace: Option<Vec<(Monotonic, Datagram)>>,
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
    /// A world without hosts, whose network carries every datagram over `link` if there is no
    /// other [`connect`](Self::connect)ion, and remembers them all.
    pub fn new(origin: Timestamp, link: Link) -> Self {
        Self {
            origin,
            now: Monotonic::START,
            hosts: Vec::new(),
            servers: BTreeMap::new(),
            network: BTreeMap::new(),
            sent: 0,
            departures: BTreeMap::new(),
            link,
            links: BTreeMap::new(),
            trace: Some(Vec::new()),
        }
    }

    /// This world, but it does not remember datagrams: for long runs.
    #[must_use]
    pub fn without_trace(mut self) -> Self {
        self.trace = None;
        self
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
        let model = ClockModel {
            offset,
            drifts: vec![(Window::ALWAYS, Drift::Fixed(frequency))],
            ..ClockModel::default()
        };
        let clock = HostClock::new(model, self.true_time(), self.now, [0; 32]);
        self.add_host(address, clock, engine)
    }

    /// Adds a host with this clock.
    pub fn add_host(
        &mut self,
        address: IpAddr,
        mut clock: HostClock,
        engine: impl FnOnce(Now) -> Engine,
    ) -> usize {
        let engine = engine(clock.read(self.now));
        self.hosts.push(Host::new(address, clock, engine));
        self.hosts.len() - 1
    }

    /// Adds a server that is nothing but a clock; one at the same address is replaced.
    pub fn add_server(&mut self, address: IpAddr, server: PlainServer) {
        self.servers.insert(address, server);
    }

    /// From now on datagrams from one address to the other go over this link.
    pub fn connect(&mut self, from: IpAddr, to: IpAddr, link: Link) {
        self.links.insert((from, to), link);
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

    /// A server that is nothing but a clock.
    pub fn server_mut(&mut self, address: IpAddr) -> Option<&mut PlainServer> {
        self.servers.get_mut(&address)
    }

    /// The network, to make it worse or better; it is that between all who have no link of their
    /// own.
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

    /// Every datagram that was sent, with the time of sending; nothing in a world
    /// [`without_trace`](Self::without_trace).
    pub fn trace(&self) -> &[(Monotonic, Datagram)] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Sends a datagram from outside; it arrives at once.
    pub fn inject(&mut self, datagram: Datagram) {
        self.network.insert((self.now, self.sent), datagram);
        self.sent += 1;
    }

    /// How far the clock of a host is ahead of true time.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    pub fn error(&self, number: usize) -> Duration {
        self.hosts[number].clock().wall(self.now) - self.true_time()
    }

    /// Something befalls a host or its clock.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    pub fn disturb(&mut self, number: usize, what: Disturbance) {
        self.hosts[number].clock_mut().disturb(self.now, what);
    }

    /// From now on what a host sends leaves so much later than its daemon thinks, unless its system
    /// `notes` that.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    pub fn hold_up(&mut self, number: usize, lag: Elapsed, notes: bool) {
        self.hosts[number].hold_up(lag, notes);
    }

    /// The daemon of a host ends and is started anew; `engine` is told what its clocks show, and
    /// what stands in its drift file.
    ///
    /// # Panics
    ///
    /// If there is none of that number.
    pub fn restart(&mut self, number: usize, engine: impl FnOnce(Now, Option<Ppm>) -> Engine) {
        self.hosts[number].restart(self.now, engine);
    }

    /// Lets time pass, and all that is due in it happen.
    pub fn run(&mut self, time: Elapsed) {
        let end = self.now + time;
        for host in 0..self.hosts.len() {
            self.drain(host);
        }
        loop {
            let arrival = self.network.keys().next().map(|(at, _)| *at);
            let now = self.now;
            let wakeup = self.hosts.iter().filter_map(|host| host.wakeup(now)).min();
            let departure = self.departures.keys().next().map(|(at, _)| *at);
            let Some(next) = [departure, arrival, wakeup].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if departure.is_some_and(|at| at <= self.now)
                && let Some((_, (number, datagram))) = self.departures.pop_first()
            {
                self.hosts[number].departed(self.now, &datagram);
                self.drain(number);
            }
            if arrival.is_some_and(|at| at <= self.now)
                && let Some((_, datagram)) = self.network.pop_first()
            {
                self.deliver(datagram);
            }
            for number in 0..self.hosts.len() {
                if self.hosts[number].wake(self.now) {
                    self.drain(number);
                }
            }
        }
        self.now = end;
        for host in &mut self.hosts {
            host.clock_mut().advance(end);
        }
    }

    fn deliver(&mut self, datagram: Datagram) {
        let to = datagram.destination.ip();
        if is_for_many(to) {
            self.deliver_to_many(&datagram);
            return;
        }
        if let Some(server) = self.servers.get_mut(&to) {
            if let Some(data) = server.answer(self.now, &datagram.data) {
                self.send(Datagram {
                    source: datagram.destination,
                    destination: datagram.source,
                    data: data.to_vec(),
                });
            }
            return;
        }
        let Some(number) = self.hosts.iter().position(|host| host.listens(to)) else {
            return;
        };
        if let Some(later) = self.hosts[number].asleep(self.now) {
            if let host::Asleep::Paused(until) = later {
                self.network.insert((until, self.sent), datagram);
                self.sent += 1;
            }
            return;
        }
        self.hosts[number].receive(self.now, &datagram);
        self.drain(number);
    }

    /// Every host hears it, at the same time; those that sleep miss it.
    fn deliver_to_many(&mut self, datagram: &Datagram) {
        for number in 0..self.hosts.len() {
            let host = &mut self.hosts[number];
            if host.overhears(datagram.source.ip()) && host.asleep(self.now).is_none() {
                host.overhear(self.now, datagram);
                self.drain(number);
            }
        }
    }

    fn drain(&mut self, number: usize) {
        while let Some(output) = self.hosts[number].poll() {
            match output {
                Output::Send {
                    local,
                    remote,
                    stamped,
                    data,
                } => self.send_from(number, (local, remote), stamped, &data),
                Output::SendToMany {
                    local,
                    remote,
                    data,
                    ..
                } => self.send_from(number, (local, remote), false, &data),
                output => self.hosts[number].obey(output, self.now),
            }
        }
    }

    fn send_from(
        &mut self,
        number: usize,
        (local, remote): (IpAddr, SocketAddr),
        stamped: bool,
        data: &[u8],
    ) {
        self.hosts[number].count(data);
        let datagram = Datagram {
            source: SocketAddr::new(local, PORT),
            destination: remote,
            data: data.to_vec(),
        };
        let (lag, notes) = self.hosts[number].lag();
        let leaves = self.now + lag;
        if stamped && notes {
            self.departures
                .insert((leaves, self.sent), (number, datagram.clone()));
        }
        self.send_at(leaves, datagram);
    }

    fn send(&mut self, datagram: Datagram) {
        self.send_at(self.now, datagram);
    }

    fn send_at(&mut self, leaves: Monotonic, datagram: Datagram) {
        if let Some(trace) = &mut self.trace {
            trace.push((self.now, datagram.clone()));
        }
        let way = (datagram.source.ip(), datagram.destination.ip());
        let link = self.links.get_mut(&way).unwrap_or(&mut self.link);
        let arrivals = link.arrivals(leaves);
        for at in [arrivals.first, arrivals.copy].into_iter().flatten() {
            self.network.insert((at, self.sent), datagram.clone());
            self.sent += 1;
        }
    }
}

/// Groups, and what is a broadcast address in a network of 256.
fn is_for_many(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.octets()[3] == 255,
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
