//! What became of a candidate, in ntpq's words, numbers and symbols.

/// What became of a candidate: the selection field of its status word, and ntpq's first column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(u8)]
pub enum Tally {
    /// 0: not fit to be followed.
    #[default]
    Reject = 0,
    /// 1: disagrees with the majority.
    Falsetick = 1,
    /// 2: known to ntpq, never given by this selection, nor by that of ntpd 4.2.8.
    Excess = 2,
    /// 3: voted off by clustering.
    Outlier = 3,
    /// 4: survived.
    Candidate = 4,
    /// 5: voted off while there were more than
    /// [`Limits::maximum_clocks`](crate::Limits::maximum_clocks).
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
