//! What the packet path needs to know of the engine.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ntp_autokey::SessionKeys;
use ntp_discipline::Now;
use ntp_nts::CookieKeys;
use ntp_restrict::RestrictList;
use ntp_wire::{
    Duration, Header, Leap, Mode, Monotonic, PollExponent, Precision, ReferenceId, ShortDuration,
    Stratum, Timestamp, Version, WireTimestamp,
};

use crate::{
    authority::TrustedKeys,
    leap::Served,
    responder::{of_arrival, of_departure},
    system::ClockState,
};

/// All that a [`Responder`](crate::Responder) answers from: immutable, so that any number of
/// threads can hold it while the engine prepares the next one.
#[derive(Clone, Debug)]
pub struct ServerView {
    pub(crate) restrictions: Arc<RestrictList>,
    pub(crate) keys: Arc<TrustedKeys>,
    /// There if `crypto` is configured.
    pub(crate) sessions: Option<SessionKeys>,
    /// There if `nts enable` is configured.
    pub(crate) cookie_keys: Option<Arc<CookieKeys>>,
    /// Filled by whoever serves the keys of NTS.
    pub(crate) keys_served: Arc<KeysServed>,
    pub(crate) clock: ClockView,
    /// Whether clients are remembered: `enable monitor`, which is the default, or some restriction
    /// with `limited`, which can't do without.
    pub(crate) remembers: bool,
    /// `enable mode7`: private messages are for the engine.
    pub(crate) answers_private: bool,
    /// The UDP port that we serve on, as do others of our kind.
    pub(crate) port: u16,
    /// How often the clock was stepped: what it showed before is void.
    pub(crate) steps: u32,
}

/// How many clients got keys of NTS, and how many did not.
#[derive(Debug, Default)]
pub(crate) struct KeysServed {
    pub(crate) good: AtomicU64,
    pub(crate) bad: AtomicU64,
}

impl ServerView {
    /// The reply to whatever plain request of version 4, but for what it takes from the request
    /// and the times of its arrival and departure; `None` if plain requests want a closer look:
    /// the clock is not synchronised, or clients get smeared time.
    pub fn plain_reply(&self, now: Now) -> Option<Header> {
        let Served { leap, smear } = self.clock.served();
        let is_plain = leap != Leap::Unsynchronised && smear.is_none();
        is_plain.then(|| self.clock.header(Version::V4, Mode::Server, now.monotonic))
    }

    /// A client got keys of NTS, or asked in a way that nobody understands.
    pub fn count_keys_served(&self, are_good: bool) {
        let count = match are_good {
            true => &self.keys_served.good,
            false => &self.keys_served.bad,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    /// The keys of NTS cookies, if there is a server of them.
    pub fn cookie_keys(&self) -> Option<&Arc<CookieKeys>> {
        self.cookie_keys.as_ref()
    }

    /// Who may ask what.
    pub fn restrictions(&self) -> &Arc<RestrictList> {
        &self.restrictions
    }
}

/// The fields of the header that are the same in every reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClockView {
    served: Served,
    stratum: Stratum,
    precision: Precision,
    root_delay: ShortDuration,
    root_dispersion: Duration,
    determined: Monotonic,
    orphan_parent: bool,
    reference_id: ReferenceId,
    reference_time: WireTimestamp,
}

impl ClockView {
    pub(crate) fn new(state: &ClockState, precision: Precision, served: Served) -> Self {
        Self {
            served,
            // The wire has no 16: "unspecified" it is (RFC 5905 section 7.3).
            stratum: if state.stratum >= Stratum::UNSYNCHRONISED {
                Stratum::UNSPECIFIED
            } else {
                state.stratum
            },
            precision,
            root_delay: ShortDuration::from_duration(state.root_delay),
            root_dispersion: state.root_dispersion,
            determined: state.determined,
            orphan_parent: state.orphan_parent,
            reference_id: state.reference_id,
            reference_time: state.reference_time,
        }
    }

    /// Whether clients get other times than the clock's.
    pub(crate) fn is_smeared(&self) -> bool {
        self.served.smear.is_some()
    }

    /// What it says of leap seconds.
    pub(crate) fn served(&self) -> Served {
        self.served
    }

    /// The reply to `request`, which was received at `received`, of a clock that shows `now`. If it
    /// is interleaved, `left` says when the reply before this one did.
    pub(crate) fn timed_reply(
        &self,
        request: &Header,
        received: Timestamp,
        now: Now,
        left: Option<Timestamp>,
    ) -> Header {
        let plain = Header {
            origin_time: match left {
                Some(_) => request.receive_time,
                None => request.transmit_time,
            },
            ..self.reply(request, now.monotonic)
        };
        let left = left.unwrap_or(now.wall);
        let smear = self.served.smear.and_then(|smear| smear.offset(now.wall));
        let Some(offset) = smear else {
            return Header {
                receive_time: of_arrival(received.to_wire()),
                transmit_time: of_departure(left.to_wire()),
                ..plain
            };
        };
        // What an interleaved reply tells of is a poll interval back.
        let then = self.served.smear.and_then(|smear| smear.offset(left));
        let reference_time = if plain.reference_time.is_zero() {
            plain.reference_time
        } else {
            (plain.reference_time.near(now.wall) + offset).to_wire()
        };
        Header {
            reference_id: ntp_discipline::Smear::reference_id(offset),
            reference_time,
            receive_time: of_arrival((received + offset).to_wire()),
            transmit_time: of_departure((left + then.unwrap_or_default()).to_wire()),
            ..plain
        }
    }

    /// The reply to `request`, but for its receive and transmit times.
    pub(crate) fn reply(&self, request: &Header, now: Monotonic) -> Header {
        let mode = match request.mode {
            Mode::SymmetricActive => Mode::SymmetricPassive,
            // A client of version 1 sends mode 0 and wants it back.
            Mode::Reserved => Mode::Reserved,
            _ => Mode::Server,
        };
        Header {
            poll: request.poll,
            origin_time: request.transmit_time,
            ..self.header(request.version, mode, now)
        }
    }

    /// What we say of our clock; the poll interval and all times but that of reference are for the
    /// caller to fill in.
    pub(crate) fn header(&self, version: Version, mode: Mode, now: Monotonic) -> Header {
        // 15 ppm: 15 ns a millisecond.
        let age = match self.orphan_parent {
            true => 0,
            false => now.since(self.determined).as_millis(),
        };
        let growth = Duration::from_nanos(i64::try_from(age * 15).unwrap_or(i64::MAX));
        Header {
            leap: self.served.leap,
            version,
            mode,
            stratum: self.stratum,
            poll: PollExponent::new(0),
            precision: self.precision,
            root_delay: self.root_delay,
            root_dispersion: ShortDuration::from_duration(self.root_dispersion + growth),
            reference_id: self.reference_id,
            reference_time: self.reference_time,
            origin_time: WireTimestamp::ZERO,
            receive_time: WireTimestamp::ZERO,
            transmit_time: WireTimestamp::ZERO,
        }
    }
}
