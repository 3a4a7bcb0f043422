//! What the packet path needs to know of the engine.

use std::sync::Arc;

use ntp_autokey::SessionKeys;
use ntp_restrict::RestrictList;
use ntp_wire::{
    Duration, Header, Leap, Mode, Monotonic, Precision, ReferenceId, ShortDuration, Stratum,
    WireTimestamp,
};

use crate::{authority::TrustedKeys, system::ClockState};

/// All that a [`Responder`](crate::Responder) answers from: immutable, so that any number of
/// threads can hold it while the engine prepares the next one.
#[derive(Clone, Debug)]
pub struct ServerView {
    pub(crate) restrictions: Arc<RestrictList>,
    pub(crate) keys: Arc<TrustedKeys>,
    /// There if `crypto` is configured.
    pub(crate) sessions: Option<SessionKeys>,
    pub(crate) clock: ClockView,
    /// The UDP port that we serve on, as do others of our kind.
    pub(crate) port: u16,
}

/// The fields of the header that are the same in every reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClockView {
    leap: Leap,
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
    pub(crate) fn new(state: &ClockState, precision: Precision) -> Self {
        Self {
            leap: state.leap,
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

    /// The reply to `request`, but for its receive and transmit times.
    pub(crate) fn reply(&self, request: &Header, now: Monotonic) -> Header {
        // 15 ppm: 15 ns a millisecond.
        let age = match self.orphan_parent {
            true => 0,
            false => now.since(self.determined).as_millis(),
        };
        let growth = Duration::from_nanos(i64::try_from(age * 15).unwrap_or(i64::MAX));
        Header {
            leap: self.leap,
            version: request.version,
            mode: match request.mode {
                Mode::SymmetricActive => Mode::SymmetricPassive,
                // A client of version 1 sends mode 0 and wants it back.
                Mode::Reserved => Mode::Reserved,
                _ => Mode::Server,
            },
            stratum: self.stratum,
            poll: request.poll,
            precision: self.precision,
            root_delay: self.root_delay,
            root_dispersion: ShortDuration::from_duration(self.root_dispersion + growth),
            reference_id: self.reference_id,
            reference_time: self.reference_time,
            origin_time: request.transmit_time,
            receive_time: WireTimestamp::ZERO,
            transmit_time: WireTimestamp::ZERO,
        }
    }
}
