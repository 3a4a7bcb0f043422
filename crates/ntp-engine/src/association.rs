//! One source of time: what is known of it and what it last said.

mod announcer;
mod authenticity;
mod listening;
mod local_clock;
mod nts;
mod pool;
mod receive;
mod request;
mod searcher;
mod server;
mod smear_watch;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ntp_conf::NtsServer;
use ntp_discipline::{
    Candidate, ClockFilter, Estimate, Estimator, FilterConditions, FilterVerdict, Forecast,
    Oscillator, Sample, SourceKind, Tally,
};
use ntp_restrict::RestrictTarget;
use ntp_wire::control::Flash;
use ntp_wire::{
    AssociationId, Duration, Header, KeyId, Leap, Mode, Monotonic, PollExponent, Precision,
    ReferenceId, Stratum, Timestamp, Version, WireTimestamp, control::PeerStatus,
};

pub use self::server::Endpoint;
pub(crate) use self::{
    announcer::{Announcement, Announcer},
    listening::{Listening, ListeningOptions},
    local_clock::LocalClock,
    nts::Nts,
    pool::{Membership, Pool},
    receive::Reception,
    request::Sender,
    searcher::Searcher,
    server::{Role, Server},
    smear_watch::SmearWatch,
};
use crate::{engine::Told, event_count::EventCount, reference_id, schedule::Schedule};

/// How a source was configured; the words are those of the `server` line.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Settings {
    /// The name or address as it was written.
    pub(crate) name: String,
    pub(crate) minimum_poll: PollExponent,
    pub(crate) maximum_poll: PollExponent,
    pub(crate) initial_burst: bool,
    pub(crate) burst: bool,
    pub(crate) prefer: bool,
    pub(crate) noselect: bool,
    pub(crate) always_true: bool,
    /// `xleave`: servers are asked interleaved.
    pub(crate) interleave: bool,
    pub(crate) version: Version,
    pub(crate) security: Security,
}

impl Settings {
    /// Those of a line that has nothing but a name and, maybe, a key.
    pub(crate) fn plain(name: String, security: Security) -> Self {
        Self {
            name,
            minimum_poll: PollExponent::DEFAULT_MINIMUM,
            maximum_poll: PollExponent::DEFAULT_MAXIMUM,
            initial_burst: false,
            burst: false,
            prefer: false,
            noselect: false,
            always_true: false,
            interleave: false,
            version: Version::V4,
            security,
        }
    }
}

/// How packets from and to a server are authenticated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Security {
    /// Not at all.
    None,
    /// With the symmetric key of this number.
    Key(KeyId),
    /// With Autokey, and the `ident` of the line.
    Autokey { ident: Option<String> },
    /// With NTS, and how its keys are asked for.
    Nts(NtsServer),
}

/// A source of time.
#[derive(Debug)]
pub(crate) struct Association {
    pub(crate) id: AssociationId,
    pub(crate) settings: Settings,
    pub(crate) source: Source,
    pub(crate) schedule: Schedule,
    pub(crate) filter: ClockFilter,
    /// What the precise discipline makes of its exchanges.
    pub(crate) estimator: Option<Estimator>,
    pub(crate) tally: Tally,
    pub(crate) flash: Flash,
    pub(crate) events: EventCount,
    /// The last header that was believed; its defaults before the first.
    pub(crate) last: Last,
    pub(crate) smear: SmearWatch,
    /// Nobody wrote a line for it: it came by itself, and goes when it is of no use.
    pub(crate) ephemeral: bool,
    /// Of a server that came from a pool or a search.
    pub(crate) membership: Option<Membership>,
    /// What `restrict source` made for it.
    pub(crate) restriction: Option<RestrictTarget>,
    /// When it was last found to be reachable, or not to be any more.
    pub(crate) reach_changed: Option<Monotonic>,
    pub(crate) told: Told,
}

/// Where the time comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Server(Box<Server>),
    LocalClock(LocalClock),
    Pool(Pool),
    Announcer(Announcer),
    Searcher(Searcher),
}

/// What a source said last, in its own words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Last {
    pub(crate) header: Header,
    /// When it arrived.
    pub(crate) received: Option<Timestamp>,
}

impl Default for Last {
    fn default() -> Self {
        Self {
            header: Header {
                leap: Leap::Unsynchronised,
                stratum: Stratum::UNSYNCHRONISED,
                reference_id: ReferenceId::INIT,
                ..Header::default()
            },
            received: None,
        }
    }
}

impl Association {
    pub(crate) fn new(
        id: AssociationId,
        settings: Settings,
        mut source: Source,
        now: Monotonic,
        precision: Precision,
    ) -> Self {
        if let Source::Server(server) = &mut source
            && settings.interleave
        {
            server.interleave();
        }
        let schedule = Schedule::new(
            settings.minimum_poll,
            settings.maximum_poll,
            settings.initial_burst,
            settings.burst,
            now,
        );
        let mut last = Last::default();
        if let Source::Pool(_) = source {
            last.header.reference_id = ReferenceId::POOL;
        }
        if let Source::Announcer(_) = source {
            last.header.reference_id = ReferenceId::from_bytes(*b"BCST");
        }
        if let Source::Searcher(_) = source {
            last.header.reference_id = ReferenceId::from_bytes(*b"ACST");
        }
        Self {
            id,
            settings,
            source,
            schedule,
            filter: ClockFilter::new(now, precision),
            estimator: None,
            tally: Tally::Reject,
            flash: Flash::PEER_UNREACHABLE,
            events: EventCount::default(),
            last,
            smear: SmearWatch::default(),
            ephemeral: false,
            membership: None,
            restriction: None,
            reach_changed: None,
            told: Told::default(),
        }
    }

    /// The server behind it, unless it is a reference clock.
    pub(crate) fn server(&self) -> Option<&Server> {
        match &self.source {
            Source::Server(server) => Some(server),
            Source::LocalClock(_)
            | Source::Pool(_)
            | Source::Announcer(_)
            | Source::Searcher(_) => None,
        }
    }

    /// The server behind it, unless it is a reference clock.
    pub(crate) fn server_mut(&mut self) -> Option<&mut Server> {
        match &mut self.source {
            Source::Server(server) => Some(server),
            Source::LocalClock(_)
            | Source::Pool(_)
            | Source::Announcer(_)
            | Source::Searcher(_) => None,
        }
    }

    /// The address as the log writes it, or the name while there is no address.
    pub(crate) fn address(&self) -> String {
        match &self.source {
            Source::LocalClock(clock) => clock.address().to_string(),
            Source::Pool(_) | Source::Announcer(_) | Source::Searcher(_) => {
                self.settings.name.clone()
            }
            Source::Server(server) => match server.endpoint() {
                Some(endpoint) => endpoint.remote.ip().to_string(),
                None => self.settings.name.clone(),
            },
        }
    }

    /// Whether a packet of this mode from `remote` is for it.
    pub(crate) fn takes(&self, mode: Mode, remote: SocketAddr) -> bool {
        self.remote() == Some(remote) && self.server().is_some_and(|server| server.role.takes(mode))
    }

    /// The remote end, where there is one.
    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.endpoint().map(|endpoint| endpoint.remote)
    }

    /// Both ends, where there are two.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        match &self.source {
            Source::Server(server) => server.endpoint(),
            Source::Announcer(announcer) => announcer.endpoint,
            Source::Searcher(searcher) => searcher.endpoint,
            Source::LocalClock(_) | Source::Pool(_) => None,
        }
    }

    /// Our end, where there is one; a reference clock is on this machine.
    pub(crate) fn local_address(&self) -> IpAddr {
        match (&self.source, self.endpoint()) {
            (Source::LocalClock(_), _) => Ipv4Addr::LOCALHOST.into(),
            (_, Some(endpoint)) => endpoint.local,
            (_, None) => Ipv4Addr::UNSPECIFIED.into(),
        }
    }

    /// What the filter makes of the samples so far.
    pub(crate) fn estimate(&self) -> &Estimate {
        self.filter.estimate()
    }

    /// Takes in what happened to a packet of this source, as far as the filter is concerned.
    pub(crate) fn push(&mut self, sample: Sample, conditions: &FilterConditions) -> FilterVerdict {
        self.filter.push(sample, conditions)
    }

    /// Forgets all samples and what was said: the clock was stepped, or the server changed.
    pub(crate) fn clear(&mut self, now: Monotonic, precision: Precision, why: ReferenceId) {
        self.filter.clear(now, precision);
        self.tally = Tally::Reject;
        self.flash = Flash::PEER_UNREACHABLE;
        self.last = Last::default();
        self.last.header.reference_id = match self.source {
            Source::Pool(_) => ReferenceId::POOL,
            Source::Announcer(_) => ReferenceId::from_bytes(*b"BCST"),
            Source::Searcher(_) => ReferenceId::from_bytes(*b"ACST"),
            Source::Server(_) | Source::LocalClock(_) => why,
        };
        self.schedule.restart(now);
        if let Source::Server(server) = &mut self.source {
            server.abandon();
        }
    }

    /// The clock was stepped: what is known of this source is known of the clock as it is now.
    pub(crate) fn stepped(&mut self, by: Duration, now: Monotonic, precision: Precision) {
        self.filter.clear(now, precision);
        if let Some(estimator) = &mut self.estimator {
            estimator.stepped(by);
        }
        if let Source::Server(server) = &mut self.source {
            server.abandon();
        }
    }

    /// How far the source is from the one that sets the time, without what grows while it is silent.
    pub(crate) fn root_distance(&self) -> Duration {
        let header = &self.last.header;
        (self.estimate().delay + header.root_delay.to_duration()) / 2
            + header.root_dispersion.to_duration()
    }

    /// What was counted of its packets begins anew.
    pub(crate) fn reset_counters(&mut self) {
        match &mut self.source {
            Source::Server(server) => {
                server.received = 0;
                server.sent = 0;
                server.bad_authentication = 0;
                server.bogus = 0;
                server.duplicates = 0;
            }
            Source::Announcer(announcer) => announcer.sent = 0,
            Source::Searcher(searcher) => searcher.sent = 0,
            // How often a clock was read also says whether its filter is full.
            Source::LocalClock(_) | Source::Pool(_) => {}
        }
    }

    /// What its estimator says of the clock, which shows `wall`.
    pub(crate) fn forecast(&self, oscillator: &Oscillator, wall: Timestamp) -> Option<Forecast> {
        self.estimator.as_ref()?.forecast(oscillator, wall)
    }

    /// As the selection sees it. `own_reference_ids` are the identifiers that say "follows us".
    pub(crate) fn candidate(
        &self,
        now: Monotonic,
        forecast: Option<&Forecast>,
        is_own: impl Fn(ReferenceId) -> bool,
    ) -> Candidate {
        let header = &self.last.header;
        let filtered = self.estimate();
        let (estimate, age) = match (&self.estimator, forecast) {
            (None, _) => (*filtered, now.since(self.filter.updated())),
            (Some(_), Some(forecast)) => {
                let estimate = Estimate {
                    offset: forecast.offset,
                    // Two deviations: what one of twenty would be beyond.
                    dispersion: header.precision.to_duration() + forecast.offset_error * 2,
                    jitter: forecast.error_at(self.root_distance()),
                    ..*filtered
                };
                (estimate, core::time::Duration::ZERO)
            }
            (Some(_), None) => {
                let dispersion = ClockFilter::MAXIMUM_DISPERSION;
                (
                    Estimate {
                        dispersion,
                        ..*filtered
                    },
                    core::time::Duration::ZERO,
                )
            }
        };
        let (reference_id, own_reference_id) = match &self.source {
            Source::Server(server) => {
                server
                    .endpoint()
                    .map_or((ReferenceId::NONE, ReferenceId::NONE), |end| {
                        (
                            reference_id::of(end.remote.ip()),
                            reference_id::of(end.local),
                        )
                    })
            }
            Source::Pool(_) | Source::Announcer(_) | Source::Searcher(_) => {
                (ReferenceId::NONE, ReferenceId::NONE)
            }
            Source::LocalClock(clock) => (
                ReferenceId::from_ipv4(clock.address()),
                ReferenceId::from_ipv4(Ipv4Addr::LOCALHOST),
            ),
        };
        Candidate {
            kind: match self.source {
                Source::LocalClock(_) => SourceKind::Local,
                _ => SourceKind::Server,
            },
            reachable: self.schedule.reach() != 0,
            leap: header.leap,
            stratum: header.stratum,
            reference_id,
            own_reference_id,
            precision: header.precision,
            offset: estimate.offset,
            delay: estimate.delay,
            dispersion: estimate.dispersion,
            jitter: estimate.jitter,
            age,
            poll: self.schedule.interval(),
            root_delay: header.root_delay.to_duration(),
            root_dispersion: header.root_dispersion.to_duration(),
            looped: header.stratum > Stratum::PRIMARY
                && self.server().is_some()
                && is_own(header.reference_id),
            prefer: self.settings.prefer,
            // What is told the time is no source of it.
            noselect: self.settings.noselect || matches!(self.source, Source::Announcer(_)),
            always_true: self.settings.always_true,
        }
    }

    /// The status word of mode 6 (RFC 9327 section 3.2).
    pub(crate) fn status(&self) -> PeerStatus {
        PeerStatus::new(self.tally, self.events.count, self.events.last)
            .with_configured(!self.ephemeral)
            .with_authentication_enabled(self.settings.security != Security::None)
            .with_authentic(self.server().is_some_and(Server::is_authentic))
            .with_reachable(self.schedule.reach() != 0)
            .with_broadcast(match &self.source {
                Source::Server(server) => server.listening.is_some(),
                // What is sent there is for many.
                Source::Pool(_) | Source::Announcer(_) | Source::Searcher(_) => true,
                Source::LocalClock(_) => false,
            })
    }

    /// When the header that is shown was received, as 64 bits.
    pub(crate) fn received_time(&self) -> WireTimestamp {
        self.last
            .received
            .map(Timestamp::to_wire)
            .unwrap_or_default()
    }

    /// The dispersion of the estimate grown to `now`.
    pub(crate) fn dispersion(&self) -> Duration {
        self.estimate().dispersion
    }
}
