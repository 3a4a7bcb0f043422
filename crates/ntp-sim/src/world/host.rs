//! One host: a daemon and its clock.

use core::net::IpAddr;
use std::{collections::BTreeMap, net::SocketAddr};

use ntp_discipline::{Adjustment, Applied, Now};
use ntp_engine::{Endpoint, Engine, Exit, IdentityFiles, Input, Output, Record, SaveError};
use ntp_wire::{Mode, Monotonic, Ppm};

use super::Datagram;
use crate::HostClock;

/// One host of a [`World`](crate::World).
#[derive(Debug)]
pub struct Host {
    address: IpAddr,
    clock: HostClock,
    engine: Engine,
    events: Vec<String>,
    records: Vec<Record>,
    drift: Option<Ppm>,
    leap_file: Option<String>,
    /// Files of Autokey that its daemon has not seen yet.
    identity: Option<IdentityFiles>,
    /// What its resolver knows.
    names: BTreeMap<String, Vec<IpAddr>>,
    exit: Option<Exit>,
    stopped: bool,
    /// Requests that were sent.
    requests: u64,
    steps: u32,
    /// How much later than its daemon thinks a datagram leaves.
    lag: core::time::Duration,
    /// Its system notes when that is.
    notes_departures: bool,
}

/// Why a host hears nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asleep {
    /// What arrives waits until then.
    Paused(Monotonic),
    /// What arrives is lost.
    Suspended,
}

impl Host {
    pub(super) fn new(address: IpAddr, clock: HostClock, engine: Engine) -> Self {
        Self {
            address,
            clock,
            engine,
            events: Vec::new(),
            records: Vec::new(),
            drift: None,
            leap_file: None,
            identity: None,
            names: BTreeMap::new(),
            exit: None,
            stopped: false,
            requests: 0,
            steps: 0,
            lag: core::time::Duration::ZERO,
            notes_departures: false,
        }
    }

    /// Its daemon.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its clock.
    pub fn clock(&self) -> &HostClock {
        &self.clock
    }

    pub(super) fn clock_mut(&mut self) -> &mut HostClock {
        &mut self.clock
    }

    /// The lines of its log.
    pub fn log(&self) -> &[String] {
        &self.events
    }

    /// The lines of its statistics files.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// What stands in its drift file.
    pub fn drift(&self) -> Option<Ppm> {
        self.drift
    }

    /// Puts a file of leap seconds on it, whatever its name.
    pub fn set_leap_file(&mut self, text: impl Into<String>) {
        self.leap_file = Some(text.into());
    }

    /// Puts other Autokey files on it, which its daemon will find.
    pub fn set_identity(&mut self, files: IdentityFiles) {
        self.identity = Some(files);
    }

    /// Whether its daemon has ended.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// How many requests it sent.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// How often its daemon stepped its clock.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// From now on its resolver finds these addresses for this name.
    pub fn set_name(&mut self, name: &str, addresses: Vec<IpAddr>) {
        self.names.insert(name.to_owned(), addresses);
    }

    /// From now on its clock refuses every change.
    pub fn freeze_clock(&mut self) {
        self.clock.freeze();
    }

    /// Ends its daemon in an orderly way.
    pub fn shut_down(&mut self, world_time: Monotonic) {
        let now = self.clock.read(world_time);
        self.engine.shut_down(now);
        while let Some(output) = self.engine.poll() {
            self.obey(output, world_time);
        }
        self.stopped = true;
    }

    pub(super) fn restart(
        &mut self,
        at: Monotonic,
        engine: impl FnOnce(Now, Option<Ppm>) -> Engine,
    ) {
        self.shut_down(at);
        let now = self.clock.read(at);
        self.engine = engine(now, self.drift);
        self.stopped = false;
        self.exit = None;
    }

    /// Whether it hears what `source` tells everybody.
    pub(super) fn overhears(&self, source: IpAddr) -> bool {
        !self.stopped && self.exit.is_none() && self.address != source
    }

    pub(super) fn listens(&self, address: IpAddr) -> bool {
        !self.stopped && self.exit.is_none() && self.address == address
    }

    pub(super) fn asleep(&self, at: Monotonic) -> Option<Asleep> {
        let until = self.clock.still_until();
        (at < until).then(|| {
            if self.clock.is_suspended() {
                Asleep::Suspended
            } else {
                Asleep::Paused(until)
            }
        })
    }

    /// When in true time its daemon is to be woken next, unless that has ended.
    pub(super) fn wakeup(&self, at: Monotonic) -> Option<Monotonic> {
        if self.stopped || self.exit.is_some() {
            return None;
        }
        let deadline = self.engine.next_deadline()?;
        Some(self.clock.when(deadline, at))
    }

    /// Wakes its daemon if it is time; whether it was.
    pub(super) fn wake(&mut self, at: Monotonic) -> bool {
        if self.wakeup(at).is_none_or(|wakeup| wakeup > at) {
            return false;
        }
        let now = self.clock.read(at);
        // The oscillator may have changed its mind, so that it is not quite time.
        if self
            .engine
            .next_deadline()
            .is_none_or(|deadline| deadline > now.monotonic)
        {
            return false;
        }
        self.engine.handle_deadline(now);
        true
    }

    pub(super) fn receive(&mut self, at: Monotonic, datagram: &Datagram) {
        let now = self.clock.read(at);
        self.engine.handle(
            now,
            Input::Datagram {
                received: now.wall,
                local: self.address,
                remote: datagram.source,
                data: &datagram.data,
            },
        );
    }

    /// A datagram for many came.
    pub(super) fn overhear(&mut self, at: Monotonic, datagram: &Datagram) {
        let now = self.clock.read(at);
        self.engine.handle(
            now,
            Input::DatagramToMany {
                received: now.wall,
                local: self.address,
                remote: datagram.source,
                to: datagram.destination.ip(),
                data: &datagram.data,
            },
        );
    }

    pub(super) fn hold_up(&mut self, lag: core::time::Duration, notes: bool) {
        self.lag = lag;
        self.notes_departures = notes;
    }

    pub(super) fn lag(&self) -> (core::time::Duration, bool) {
        (self.lag, self.notes_departures)
    }

    /// A datagram of its left.
    pub(super) fn departed(&mut self, at: Monotonic, datagram: &Datagram) {
        if self.stopped || self.exit.is_some() {
            return;
        }
        let now = self.clock.read(at);
        self.engine.handle(
            now,
            Input::Sent {
                at: now.wall,
                remote: datagram.destination,
                data: &datagram.data,
            },
        );
    }

    pub(super) fn poll(&mut self) -> Option<Output> {
        self.engine.poll()
    }

    /// Counts what it sends.
    pub(super) fn count(&mut self, data: &[u8]) {
        let request = data
            .first()
            .is_some_and(|first| Mode::from_bits(*first) == Mode::Client);
        self.requests += u64::from(request);
    }

    pub(super) fn obey(&mut self, output: Output, at: Monotonic) {
        match output {
            Output::Send { .. }
            | Output::SendToMany { .. }
            | Output::Publish(_)
            | Output::Configured(_) => {}
            Output::Adjust(asked) => self.adjust(asked, at),
            Output::Resolve {
                association,
                name,
                port,
                ..
            } => {
                let addresses = match name.parse() {
                    Ok(address) => Some(vec![address]),
                    Err(_) => self.names.get(&name).cloned(),
                };
                let endpoints = addresses
                    .map(|addresses| {
                        let endpoint = |address| Endpoint {
                            remote: SocketAddr::new(address, port),
                            local: self.address,
                        };
                        addresses.into_iter().map(endpoint).collect()
                    })
                    .ok_or_else(|| format!("no host {name} in this world"));
                let now = self.clock.read(at);
                self.engine.handle(
                    now,
                    Input::Resolved {
                        association,
                        endpoints,
                    },
                );
            }
            Output::ReadLeapFile(path) => {
                let now = self.clock.read(at);
                let read = match &self.leap_file {
                    Some(text) => Ok(text.as_bytes()),
                    None => Err(format!("no file {} in this world", path.display())),
                };
                self.engine.handle(now, Input::LeapFile(read));
            }
            Output::WatchIdentity => {
                if let Some(files) = self.identity.take() {
                    let now = self.clock.read(at);
                    self.engine.handle(now, Input::Identity(Box::new(files)));
                }
            }
            Output::ReadKeys(path) => {
                let now = self.clock.read(at);
                let read = Err(format!("no file {} in this world", path.display()));
                self.engine.handle(now, Input::Keys(read));
            }
            Output::ResolveRestricted { number, name, .. } => {
                let now = self.clock.read(at);
                let addresses = Err(format!("no host {name} in this world"));
                let answer = Input::ResolvedRestricted { number, addresses };
                self.engine.handle(now, answer);
            }
            Output::SaveConfiguration(request) => {
                let now = self.clock.read(at);
                let why = "there are no files in this world".to_owned();
                let result = Err(SaveError::NotWritten(why));
                self.engine
                    .handle(now, Input::ConfigurationSaved { request, result });
            }
            // In one thread, so that the same seed gives the same world.
            Output::Work(work) => {
                let now = self.clock.read(at);
                let worked = Box::new(work.run());
                self.engine.handle(now, Input::Worked(Some(worked)));
            }
            Output::WriteDrift(frequency) => self.drift = Some(frequency),
            // A simulation has no TCP.
            Output::ExchangeKeys(order) => {
                let now = self.clock.read(at);
                let input = Input::KeysExchanged {
                    association: order.association,
                    result: Err("no keys can be exchanged here".to_owned()),
                };
                self.engine.handle(now, input);
            }
            // Nor has it files.
            Output::KeepCookieKeys(_) => {}
            Output::Event(event) => self.events.push(event.to_string()),
            Output::Record(record) => self.records.push(record),
            Output::Exit(exit) => {
                self.exit.get_or_insert(exit);
            }
        }
    }

    fn adjust(&mut self, asked: Adjustment, at: Monotonic) {
        let result = self.clock.adjust(at, &asked);
        self.steps += u32::from(matches!(result, Ok(Applied::Stepped(_))));
        let now = self.clock.read(at);
        self.engine
            .handle(now, Input::ClockChanged { asked, result });
    }
}
