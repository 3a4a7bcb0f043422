//! What is known of a source, and what it takes to be followed.

use core::time::Duration as Elapsed;

use ntp_wire::{Duration, Leap, PollExponent, Precision, ReferenceId, Stratum};

/// A source as the selection sees it: the values of its association, and of its last packet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// What it is.
    pub kind: SourceKind,
    /// Whether it answered one of the last eight polls.
    pub reachable: bool,
    /// Its leap indicator.
    pub leap: Leap,
    /// Its stratum. One of [`Limits::orphan`] makes it an orphan parent.
    pub stratum: Stratum,
    /// What its followers name it by: its address, or the hash of that. Of orphan parents the one
    /// with the least is followed.
    pub reference_id: ReferenceId,
    /// What it would name us by, if it followed us: our address on the way there. We are the
    /// orphan parent ourselves if that is less.
    pub own_reference_id: ReferenceId,
    /// Its precision.
    pub precision: Precision,
    /// The filter's offset: its time minus ours.
    pub offset: Duration,
    /// The filter's delay.
    pub delay: Duration,
    /// The filter's dispersion.
    pub dispersion: Duration,
    /// The filter's jitter.
    pub jitter: Duration,
    /// How long ago the filter last took anything in
    /// ([`ClockFilter::updated`](crate::ClockFilter::updated)).
    pub age: Elapsed,
    /// How often it is asked.
    pub poll: PollExponent,
    /// The root delay it announces.
    pub root_delay: Duration,
    /// The root dispersion it announces.
    pub root_dispersion: Duration,
    /// Whether it follows us, or the same source through us.
    pub looped: bool,
    /// Configured with `prefer`.
    pub prefer: bool,
    /// Configured with `noselect`.
    pub noselect: bool,
    /// Configured with `true`: never voted off.
    pub always_true: bool,
}

/// What kind of source a candidate is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SourceKind {
    /// A server or peer on the network.
    Server,
    /// A reference clock: never too far away.
    ReferenceClock,
    /// The local clock (127.127.1.x): used when nothing else is left, unless it is preferred.
    Local,
    /// A pulse per second: takes over where another survivor numbers its seconds.
    Pps,
}

/// The limits that the `tos` directive sets; [`Default`] gives those of ntpd 4.2.8.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// `minclock`: clustering stops at this many survivors. 3.
    pub minimum_clocks: usize,
    /// `maxclock`: who is voted off while there are more than this is a backup. 10.
    pub maximum_clocks: usize,
    /// `minsane`: fewer survivors than this are not followed. 1.
    pub minimum_sane: usize,
    /// `mindist`: no root distance is taken to be less than this. 1 ms.
    pub minimum_distance: Duration,
    /// `maxdist`: no candidate is further away than this. 1.5 s.
    pub maximum_distance: Duration,
    /// `floor`: no candidate has a lower stratum. 0.
    pub floor: u8,
    /// `ceiling`: every candidate has a lower stratum than this. 15.
    pub ceiling: u8,
    /// `orphan`: the stratum of orphan parents, who stand in where no server is left. Sources of a
    /// higher one may follow such a parent, perhaps ourselves, and are not followed. `None`.
    pub orphan: Option<Stratum>,
    /// `orphanwait`: how long the local clock waits for the others, where there are any, and how
    /// long we wait before we are an orphan parent. 300 s.
    pub orphan_wait: Elapsed,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            minimum_clocks: 3,
            maximum_clocks: 10,
            minimum_sane: 1,
            minimum_distance: Duration::from_millis(1),
            maximum_distance: Duration::from_millis(1500),
            floor: 0,
            ceiling: 15,
            orphan: None,
            orphan_wait: Elapsed::from_secs(300),
        }
    }
}

/// Why a candidate cannot be followed: the last four flash bits of its association.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Unfitness {
    /// `peer_stratum`: it is not synchronised, or its stratum is outside floor and ceiling.
    pub stratum: bool,
    /// `peer_dist`: it is too far away.
    pub distance: bool,
    /// `peer_loop`: it follows us, or whom we follow.
    pub looped: bool,
    /// `peer_unreach`: it does not answer, or it may not be selected.
    pub unreachable: bool,
}

impl Unfitness {
    /// Whether there is any reason.
    pub const fn any(self) -> bool {
        self.stratum || self.distance || self.looped || self.unreachable
    }
}
