//! Which sources to believe, which to follow, and what they say together (RFC 5905 section 11.2).

use core::time::Duration as Elapsed;

use ntp_wire::{Duration, Leap, PollExponent, Ppm, Precision, Stratum};

/// A source as the selection sees it: the values of its association, and of its last packet.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// What it is.
    pub kind: SourceKind,
    /// Whether it answered one of the last eight polls.
    pub reachable: bool,
    /// Its leap indicator.
    pub leap: Leap,
    /// Its stratum.
    pub stratum: Stratum,
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
    /// How long ago the filter last took anything in.
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
    /// A server or peer on the network, or a reference clock.
    Clock,
    /// The local clock (127.127.1.x): used when nothing else is left.
    Local,
    /// An orphan parent: used when not even a local clock is left.
    Orphan,
    /// A pulse per second: takes over where another survivor numbers its seconds.
    Pps,
}

/// The limits that the `tos` directive sets; [`Default`] gives those of ntpd 4.2.8.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Limits {
    /// `minclock`: clustering stops at this many survivors. 3.
    pub minimum_clocks: usize,
    /// `maxclock`: no more candidates than this are clustered. 10.
    pub maximum_clocks: usize,
    /// `minsane`: fewer survivors than this are not followed. 1.
    pub minimum_sane: usize,
    /// `mindist`: no root distance is taken to be less than this. 1 ms.
    pub minimum_distance: Duration,
    /// `maxdist`: no candidate is further away than this. 1.5 s.
    pub maximum_distance: Duration,
    /// `floor`: no candidate has a lower stratum. 0.
    pub floor: u8,
    /// `ceiling`: every candidate has a lower stratum than this. 16.
    pub ceiling: u8,
    /// `cohort`: whether sources of our own stratum or above may be followed. On unless 0 is set.
    pub cohort: bool,
    /// `orphanwait`: how long the local clock waits for the others. 300 s.
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
            ceiling: 16,
            cohort: true,
            orphan_wait: Elapsed::from_secs(300),
        }
    }
}

/// What the selection needs to know besides the candidates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SelectionConditions {
    /// The precision of our clock.
    pub precision: Precision,
    /// [`Tinker::dispersion`](crate::Tinker::dispersion).
    pub dispersion_rate: Ppm,
    /// How long the program has been running.
    pub uptime: Elapsed,
    /// Which candidate is the system peer so far.
    pub system_peer: Option<usize>,
}

/// What became of a candidate: the selection field of its status word, and ntpq's first column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Tally {
    /// 0: not fit to be followed.
    #[default]
    Reject = 0,
    /// 1: disagrees with the majority.
    Falsetick = 1,
    /// 2: there are enough better ones.
    Excess = 2,
    /// 3: voted off by clustering.
    Outlier = 3,
    /// 4: survived.
    Candidate = 4,
    /// 5: would be used if there were fewer.
    Backup = 5,
    /// 6: the system peer.
    SystemPeer = 6,
    /// 7: the system peer is this pulse per second.
    PpsPeer = 7,
}

impl Tally {
    /// The selection field of the status word, 0 to 7.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word of ntpq's `associations`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Falsetick => "falsetick",
            Self::Excess => "excess",
            Self::Outlier => "outlier",
            Self::Candidate => "candidate",
            Self::Backup => "backup",
            Self::SystemPeer => "sys.peer",
            Self::PpsPeer => "pps.peer",
        }
    }

    /// The first column of ntpq's `peers`.
    pub const fn symbol(self) -> char {
        match self {
            Self::Reject => ' ',
            Self::Falsetick => 'x',
            Self::Excess => '.',
            Self::Outlier => '-',
            Self::Candidate => '+',
            Self::Backup => '#',
            Self::SystemPeer => '*',
            Self::PpsPeer => 'o',
        }
    }
}

/// What the selection found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Selection {
    /// One for each candidate, in their order.
    pub tallies: Vec<Tally>,
    /// The candidates that survived, the best first.
    pub survivors: Vec<usize>,
    /// Whom to follow, and what they say together; `None` if nobody can be followed.
    pub combined: Option<Combined>,
}

/// What the survivors say together (RFC 5905 section 11.2.3), and what we announce on it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Combined {
    /// The candidate to follow.
    pub system_peer: usize,
    /// True time minus ours.
    pub offset: Duration,
    /// How much the survivors and their samples differ.
    pub jitter: Duration,
    /// What we announce as our stratum.
    pub stratum: Stratum,
    /// What most survivors say of the coming leap second.
    pub leap: Leap,
    /// What we announce as our root delay.
    pub root_delay: Duration,
    /// What we announce as our root dispersion.
    pub root_dispersion: Duration,
}

/// Selects again and again, remembering what keeps it from hopping between equals.
#[derive(Clone, Debug)]
pub struct Selector {
    limits: Limits,
}

impl Selector {
    /// A selection within `limits`.
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }

    /// Its limits.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Judges every candidate and combines the survivors.
    pub fn select(
        &mut self,
        candidates: &[Candidate],
        conditions: &SelectionConditions,
    ) -> Selection {
        let _ = conditions;
        Selection {
            tallies: vec![Tally::Reject; candidates.len()],
            ..Selection::default()
        }
    }

    /// How far `candidate` may be from true time (RFC 5905 section 11.2, `root_dist`).
    pub fn root_distance(
        &self,
        candidate: &Candidate,
        conditions: &SelectionConditions,
    ) -> Duration {
        let _ = (candidate, conditions);
        Duration::ZERO
    }
}
