//! A scenario carried out, and what is measured of it.

use core::{net::IpAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Engine, Exit, Setup};
use ntp_wire::{Duration, Monotonic, Ppm, Timestamp};
use rand::{RngExt, SeedableRng, rngs::ChaCha12Rng};

use crate::{Client, ClientEvent, HostClock, Link, Loss, PlainServer, Scenario, Server, World};

/// The date of every simulation: 2026-11-23 00:19:49 UTC.
const ORIGIN: Timestamp = Timestamp::from_unix(1_795_393_189, 0);
const SECOND: Elapsed = Elapsed::from_secs(1);
/// Where the client is.
const CLIENT: IpAddr = IpAddr::V4(core::net::Ipv4Addr::new(192, 0, 2, 123));
/// The errors below which a clock should come.
pub const THRESHOLDS: [Duration; 3] = [
    Duration::from_millis(1),
    Duration::from_nanos(100_000),
    Duration::from_nanos(10_000),
];

/// What a scenario came to with one seed.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// How far the client's clock was ahead of true time, a second after the start and each second
    /// from then on; `None` while the client stood still.
    pub errors: Vec<Option<Duration>>,
    /// The figures.
    pub summary: Summary,
    /// The client's log.
    pub log: Vec<String>,
}

/// The figures of one [`Run`].
///
/// Errors are looked at once a second, from the end of the warm-up on and while the client is
/// awake.
#[derive(Clone, PartialEq, Debug)]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// The root mean square of the error in time.
    pub rms: Duration,
    /// 95 % of the errors are not greater.
    pub percentile_95: Duration,
    /// The greatest error.
    pub maximum: Duration,
    /// The root mean square of the error in frequency, what is being slewed included.
    pub frequency: Ppm,
    /// After what time the error was below each of [`THRESHOLDS`] for good; `None` if it never was.
    pub settled: [Option<Elapsed>; THRESHOLDS.len()],
    /// Requests sent in all.
    pub requests: u64,
    /// The mean time between requests, after the warm-up, to all servers together; `None` if there
    /// was none.
    pub interval: Option<Elapsed>,
    /// How often the daemon stepped the clock.
    pub steps: u32,
    /// Why the daemon ended, if it did.
    pub exit: Option<Exit>,
}

impl Scenario {
    /// Carries it out. The same seed gives the same result.
    pub fn run(&self, seed: u64) -> Run {
        let mut random = ChaCha12Rng::seed_from_u64(seed);
        let mut world = self.world(&mut random);
        let start = world.now();
        let mut events = self.client.events.iter().peekable();
        let mut steps = server_steps(&self.servers).into_iter().peekable();
        let mut meter = Meter::new(self.warm_up);
        for second in 1..=self.duration.as_secs() {
            let end = start + Elapsed::from_secs(second);
            while let Some((at, event)) = events.next_if(|(at, _)| start + *at < end) {
                world.run((start + *at).since(world.now()));
                match *event {
                    ClientEvent::Disturbance(what) => world.disturb(0, what),
                    ClientEvent::Restart => {
                        let seed = random.random();
                        world.restart(0, |now, drift| self.client.engine(drift, seed, now));
                    }
                }
            }
            while let Some((at, address, step)) = steps.next_if(|(at, ..)| start + *at < end) {
                world.run((start + at).since(world.now()));
                let now = world.now();
                if let Some(server) = world.server_mut(address) {
                    let what = crate::Disturbance::Step(step);
                    server.clock.disturb(now, what);
                }
            }
            world.run(end.since(world.now()));
            meter.look(&world, second);
        }
        meter.finish(seed, &world)
    }

    fn world(&self, random: &mut ChaCha12Rng) -> World {
        // Nothing goes where no path is described.
        let nowhere = Link::new(crate::Delay::Fixed(Elapsed::ZERO), Loss::ALL, [0; 32]);
        let mut world = World::new(ORIGIN, nowhere).without_trace();
        let clock = |model: &crate::ClockModel, random: &mut ChaCha12Rng| {
            HostClock::new(model.clone(), ORIGIN, Monotonic::START, random.random())
        };
        let client = clock(&self.client.clock, random);
        let seed = random.random();
        let drift = self.client.drift;
        world.add_host(CLIENT, client, |now| self.client.engine(drift, seed, now));
        for server in &self.servers {
            let plain = PlainServer {
                stratum: server.stratum,
                precision: server.precision,
                root_delay: server.root_delay,
                root_dispersion: server.root_dispersion,
                ..PlainServer::new(clock(&server.clock, random))
            };
            world.add_server(server.address, plain);
            let up = Link::along(server.up.clone(), random.random());
            let down = Link::along(server.down.clone(), random.random());
            world.connect(CLIENT, server.address, up);
            world.connect(server.address, CLIENT, down);
        }
        world
    }
}

impl Client {
    fn engine(&self, drift: Option<Ppm>, seed: [u8; 32], now: Now) -> Engine {
        let setup = Setup {
            frequency: drift,
            precision: self.precision,
            panic_once: self.options.panic_once,
            step_once: self.options.step_once,
            slew: self.options.slew,
            ..Setup::new(self.configuration.clone())
        };
        Engine::new(setup, seed, now)
    }
}

/// The steps of all servers' clocks, in order of time.
fn server_steps(servers: &[Server]) -> Vec<(Elapsed, IpAddr, Duration)> {
    let mut steps: Vec<_> = servers
        .iter()
        .flat_map(|server| {
            let step = |(at, step): &(Elapsed, Duration)| (*at, server.address, *step);
            server.steps.iter().map(step)
        })
        .collect();
    steps.sort_by_key(|(at, ..)| *at);
    steps
}

/// Looks at the client's clock once a second.
struct Meter {
    warm_up: Elapsed,
    errors: Vec<Option<Duration>>,
    /// The sum of the squared frequency errors, in ppm².
    frequency: f64,
    measured: u32,
    /// The last second at which the error was not below each threshold.
    above: [Option<u64>; THRESHOLDS.len()],
    /// Requests that were sent until the end of the warm-up.
    early_requests: u64,
}

impl Meter {
    fn new(warm_up: Elapsed) -> Self {
        Self {
            warm_up,
            errors: Vec::new(),
            frequency: 0.0,
            measured: 0,
            above: [None; THRESHOLDS.len()],
            early_requests: 0,
        }
    }

    fn look(&mut self, world: &World, second: u64) {
        let host = world.host(0);
        if second <= self.warm_up.as_secs() {
            self.early_requests = host.requests();
        }
        if world.now() < host.clock().still_until() {
            self.errors.push(None);
            return;
        }
        let error = world.error(0);
        self.errors.push(Some(error));
        for (above, threshold) in self.above.iter_mut().zip(THRESHOLDS) {
            if error.abs() >= threshold {
                *above = Some(second);
            }
        }
        if second > self.warm_up.as_secs() {
            self.measured += 1;
            self.frequency += host.clock().frequency_error().value().powi(2);
        }
    }

    fn finish(self, seed: u64, world: &World) -> Run {
        let host = world.host(0);
        let warm_up = usize::try_from(self.warm_up.as_secs()).unwrap_or(usize::MAX);
        let mut measured: Vec<Duration> = self
            .errors
            .iter()
            .skip(warm_up)
            .flatten()
            .map(|error| error.abs())
            .collect();
        measured.sort_unstable();
        let count = measured.len().max(1) as f64;
        let squares: f64 = measured
            .iter()
            .map(|error| error.to_seconds_f64().powi(2))
            .sum();
        let rank = (measured.len() * 95).div_ceil(100).saturating_sub(1);
        let last = self.errors.len() as u64;
        let settled = self.above.map(|above| match above {
            None => Some(Elapsed::ZERO),
            Some(second) => (second < last).then(|| Elapsed::from_secs(second + 1)),
        });
        let late_requests = host.requests() - self.early_requests;
        let span = SECOND * u32::try_from(last).unwrap_or(u32::MAX) - self.warm_up;
        Run {
            summary: Summary {
                seed,
                rms: Duration::from_seconds_f64((squares / count).sqrt()),
                percentile_95: measured.get(rank).copied().unwrap_or_default(),
                maximum: measured.last().copied().unwrap_or_default(),
                frequency: Ppm::new((self.frequency / f64::from(self.measured.max(1))).sqrt()),
                settled,
                requests: host.requests(),
                interval: u32::try_from(late_requests)
                    .ok()
                    .and_then(|requests| span.checked_div(requests)),
                steps: host.steps(),
                exit: host.exit(),
            },
            errors: self.errors,
            log: host.log().to_vec(),
        }
    }
}
