//! `xdp`: keeps what the network driver answers from in step with the engine.

#[cfg(test)]
mod tests;

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration as Elapsed,
};

use ntp_conf::XdpInterface;
use ntp_discipline::{Clock, Now};
use ntp_engine::{Counters, Engine, Input, ServerView};
use ntp_os::{
    DriverCounts, DriverResponder, DriverSighting, Fate, Moment, SourceRule, SystemClock,
    Treatment, XdpError, XdpMode,
};
use ntp_restrict::{PastSighting, RateLimit, RestrictFlags, RestrictList, Sighting, Verdict};
use ntp_wire::{Leap, Mode, Monotonic, Ppm, Version};

use crate::{log::Log, sockets::Sockets};

/// Plain requests, answered before they reach a socket.
pub(crate) struct DriverAnswers {
    responder: DriverResponder,
    port: u16,
    limit: RateLimit,
    /// What stands in the driver.
    view: Option<Arc<ServerView>>,
    next: Monotonic,
    told: DriverCounts,
    /// Until the kernel says that it can't tell.
    knows_clients: bool,
}

/// The root dispersion grows, and who else sets the clock says nothing: so often all is new.
const INTERVAL: Elapsed = Elapsed::from_secs(1);
/// What may be forbidden to those who are answered, since it has nothing to do with plain requests
/// or is done in the driver.
const HARMLESS: RestrictFlags = RestrictFlags::NO_PEER
    .union(RestrictFlags::NO_EPHEMERAL_PEER)
    .union(RestrictFlags::LIMITED)
    .union(RestrictFlags::NO_QUERY)
    .union(RestrictFlags::NO_MODIFY)
    .union(RestrictFlags::NO_TRAP)
    .union(RestrictFlags::LOW_PRIORITY_TRAP)
    .union(RestrictFlags::KISS_OF_DEATH)
    .union(RestrictFlags::MS_SNTP)
    .union(RestrictFlags::NO_MRU_LIST);

impl DriverAnswers {
    /// Puts the program into these interfaces; `None` if it goes into none, and the log says why.
    pub(crate) fn start(
        interfaces: &[XdpInterface],
        port: u16,
        engine: &Engine,
        sockets: &Sockets,
        clock: &SystemClock,
        log: &mut Log,
    ) -> Option<Self> {
        let mut refused = |name: &str, error: XdpError| {
            log.error(&format!(
                "xdp {name}: {error}; requests are answered through sockets"
            ));
        };
        let first = interfaces.first()?;
        let mut responder = match DriverResponder::load() {
            Ok(responder) => responder,
            Err(error) => {
                refused(&first.name, error);
                return None;
            }
        };
        let mut attached = Vec::new();
        for XdpInterface { name, generic } in interfaces {
            let mode = match generic {
                true => XdpMode::Generic,
                false => XdpMode::Driver,
            };
            match responder.attach(name, mode) {
                Ok(_) => attached.push(name.as_str()),
                Err(error) => refused(name, error),
            }
        }
        if attached.is_empty() {
            return None;
        }
        log.information(&format!(
            "xdp: plain requests that come to {} are answered in the driver",
            attached.join(", ")
        ));
        let mut answers = Self::new(responder, port, engine.rate_limit(), clock.read().monotonic);
        // Now, since before Linux 5.19 it may take rights that are given up soon.
        let is_set = answers.set_addresses(sockets, log)
            && answers.set_sources(engine.view().restrictions(), log);
        is_set.then_some(answers)
    }

    fn new(responder: DriverResponder, port: u16, limit: RateLimit, now: Monotonic) -> Self {
        Self {
            responder,
            port,
            limit,
            view: None,
            next: now,
            told: DriverCounts::default(),
            knows_clients: true,
        }
    }

    /// Answers for these sockets' addresses. `false`, and the log says why, if the driver is to be
    /// left alone from now on.
    #[must_use]
    pub(crate) fn set_addresses(&mut self, sockets: &Sockets, log: &mut Log) -> bool {
        let interfaces: Vec<u32> = self.responder.interfaces().collect();
        let addresses = sockets
            .addresses()
            .filter(|(interface, _)| interfaces.contains(interface));
        let result = self.responder.set_addresses(addresses);
        if let Err(error) = &result {
            log.error(&format!(
                "xdp: our addresses can't be handed to the driver, so requests are answered \
                 through sockets: {error}"
            ));
        }
        result.is_ok()
    }

    fn set_sources(&mut self, restrictions: &RestrictList, log: &mut Log) -> bool {
        let result = self.responder.set_sources(&rules(restrictions));
        if let Err(error) = &result {
            log.error(&format!(
                "xdp: the restrictions can't be handed to the driver, so requests are answered \
                 through sockets: {error}"
            ));
        }
        result.is_ok()
    }

    /// The clock is about to be set, or was: nothing is answered until [`refresh`](Self::refresh).
    pub(crate) fn suspend(&mut self) {
        self.responder.retire();
        self.view = None;
    }

    /// The clock runs otherwise from now on.
    pub(crate) fn hurry(&mut self) {
        self.next = Monotonic::START;
    }

    /// When it wants to be [refreshed](Self::refresh).
    pub(crate) fn deadline(&self) -> Monotonic {
        self.next
    }

    /// Brings what stands in the driver up to date, if it is time to, and tells the engine what
    /// was done there. `false`, and the log says why, if the driver is to be left alone from now
    /// on, since what it does can't be kept up to date.
    #[must_use]
    pub(crate) fn refresh(
        &mut self,
        engine: &mut Engine,
        clock: &SystemClock,
        log: &mut Log,
    ) -> bool {
        let now = clock.read();
        let is_same = self
            .view
            .as_ref()
            .is_some_and(|view| Arc::ptr_eq(view, engine.view()));
        if is_same && now.monotonic < self.next {
            return true;
        }
        let view = Arc::clone(engine.view());
        self.limit = engine.rate_limit();
        if now.monotonic >= self.next {
            self.next = now.monotonic + INTERVAL;
            self.tell(engine, now, log);
        }
        self.hand_over(view, now, clock.gain(), log)
    }

    /// Replies are made of `view` from now on.
    fn hand_over(&mut self, view: Arc<ServerView>, now: Now, gain: Ppm, log: &mut Log) -> bool {
        let has_rules = match &self.view {
            Some(standing) => Arc::ptr_eq(standing.restrictions(), view.restrictions()),
            None => false,
        };
        if !has_rules && !self.set_sources(view.restrictions(), log) {
            return false;
        }
        match view.plain_reply(now) {
            Some(header) if !is_near_leap(header.leap, now) => self.responder.publish(&Moment {
                now,
                gain,
                port: self.port,
                header,
                headway: 1 << self.limit.average_exponent.min(20),
                minimum: self.limit.minimum_seconds.into(),
            }),
            _ => self.responder.retire(),
        }
        self.view = Some(view);
        true
    }

    fn tell(&mut self, engine: &mut Engine, now: Now, log: &mut Log) {
        let counts = self.responder.counts();
        if counts == self.told {
            return;
        }
        let clients = if self.knows_clients {
            self.responder.sightings()
        } else {
            Ok(Vec::new())
        };
        let clients = clients.unwrap_or_else(|error| {
            log.warning(&format!(
                "xdp: who was answered in the driver can't be told: {error}"
            ));
            self.knows_clients = false;
            Vec::new()
        });
        let answered = Input::Answered {
            counters: since(&self.told, &counts),
            clients: clients.iter().map(past).collect(),
        };
        engine.handle(now, answered);
        self.told = counts;
    }

    /// The end: tells the engine, and the log, what was done.
    pub(crate) fn finish(&mut self, engine: &mut Engine, clock: &SystemClock, log: &mut Log) {
        self.responder.retire();
        self.tell(engine, clock.read(), log);
        log.information(&format!(
            "xdp: {} requests were answered in the driver, {} dropped",
            self.told.answered, self.told.limited
        ));
    }
}

/// Whether a leap second may come before the driver hears of it, or it may not have heard yet.
/// They come at the end of a day.
fn is_near_leap(leap: Leap, now: Now) -> bool {
    const DAY: i64 = 86_400;
    const MARGIN: i64 = DriverResponder::VALID_FOR.as_secs() as i64 + 1;
    let second = now.wall.seconds().rem_euclid(DAY);
    leap != Leap::None && (second + MARGIN >= DAY || second < MARGIN)
}

fn past(seen: &DriverSighting) -> (IpAddr, PastSighting) {
    let past = PastSighting {
        sighting: Sighting {
            source: SocketAddr::new(seen.client, seen.port),
            endpoint: 0,
            mode: Mode::Client,
            version: Version::from_bits(seen.version),
        },
        first_seen: seen.first,
        last_seen: seen.last,
        count: seen.count,
        verdict: match seen.fate {
            Fate::Dropped => Verdict::Drop,
            Fate::Kissed => Verdict::KissOfDeath,
            Fate::Answered | Fate::Passed => Verdict::Serve,
        },
    };
    (seen.asked, past)
}

fn since(before: &DriverCounts, now: &DriverCounts) -> Counters {
    let answered = now.answered - before.answered;
    let limited = now.limited - before.limited;
    Counters {
        received: answered + limited,
        answered,
        this_version: now.this_version - before.this_version,
        older_version: now.older_version - before.older_version,
        limited,
        kisses: now.kisses - before.kisses,
        ..Counters::default()
    }
}

/// What the driver does by this list. What it can't tell goes to the sockets.
fn rules(list: &RestrictList) -> Vec<SourceRule> {
    [false, true]
        .into_iter()
        .filter_map(|ipv6| list.prefixes(ipv6))
        .flatten()
        .map(|prefix| SourceRule {
            address: prefix.address,
            length: prefix.length,
            any_port: treatment(prefix.any_port),
            ntp_port: treatment(prefix.ntp_port),
        })
        .collect()
}

fn treatment(flags: RestrictFlags) -> Treatment {
    if !HARMLESS.contains(flags) {
        Treatment::Up
    } else if flags.contains(RestrictFlags::LIMITED) {
        Treatment::Limited {
            kissed: flags.contains(RestrictFlags::KISS_OF_DEATH),
        }
    } else {
        Treatment::Answered
    }
}
