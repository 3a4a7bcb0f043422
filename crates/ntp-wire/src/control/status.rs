//! The status words: sixteen bits that tell how the system, an association or a reference clock is.

use crate::Leap;

/// How the system is (RFC 9327 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SystemStatus(u16);

impl SystemStatus {
    /// As it stands in a message.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// As it stands in a message.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// Made of its parts; `source` has six bits, `event_count` and `event` have four, a higher count
    /// becomes 15.
    pub const fn new(leap: Leap, source: u8, event_count: u8, event: u8) -> Self {
        Self((leap as u16) << 14 | (source as u16 & 0x3f) << 8 | events(event_count, event))
    }

    /// The leap indicator.
    pub const fn leap(self) -> Leap {
        Leap::from_bits((self.0 >> 14) as u8)
    }

    /// What kind of source the clock follows: 0 unspecified, 1 PPS, 2 to 4 radio, 5 local, 6 NTP,
    /// 7 other, 8 wristwatch, 9 telephone.
    pub const fn source(self) -> u8 {
        (self.0 >> 8) as u8 & 0x3f
    }

    /// Events since somebody last asked; 15 means that many or more.
    pub const fn event_count(self) -> u8 {
        count(self.0)
    }

    /// The last event.
    pub const fn event(self) -> u8 {
        event(self.0)
    }

    /// The word for the leap indicator.
    pub const fn leap_word(self) -> &'static str {
        match self.leap() {
            Leap::None => "leap_none",
            Leap::Insert => "leap_add_sec",
            Leap::Delete => "leap_del_sec",
            Leap::Unsynchronised => "leap_alarm",
        }
    }

    /// The word for the source; `None` for one without a name.
    pub const fn source_word(self) -> Option<&'static str> {
        // 0x20 once told that PPS steers the clock besides.
        Some(match self.source() & !0x20 {
            0 => "sync_unspec",
            1 => "sync_pps",
            2 => "sync_lf_radio",
            3 => "sync_hf_radio",
            4 => "sync_uhf_radio",
            5 => "sync_local",
            6 => "sync_ntp",
            7 => "sync_other",
            8 => "sync_wristwatch",
            9 => "sync_telephone",
            _ => return None,
        })
    }

    /// The word for the last event.
    pub const fn event_word(self) -> &'static str {
        Self::word_of_event(self.event())
    }

    /// The word for an event of the system, as it also stands in the daemon's log; empty above 15.
    pub const fn word_of_event(event: u8) -> &'static str {
        match event {
            0 => "unspecified",
            1 => "freq_not_set",
            2 => "freq_set",
            3 => "spike_detect",
            4 => "freq_mode",
            5 => "clock_sync",
            6 => "restart",
            7 => "panic_stop",
            8 => "no_sys_peer",
            9 => "leap_armed",
            10 => "leap_disarmed",
            11 => "leap_event",
            12 => "clock_step",
            13 => "kern",
            14 => "TAI",
            15 => "stale_leapsecond_values",
            _ => "",
        }
    }
}

/// How an association is (RFC 9327 section 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PeerStatus(u16);

impl PeerStatus {
    const CONFIGURED: u16 = 0x8000;
    const AUTHENTICATION_ENABLED: u16 = 0x4000;
    const AUTHENTIC: u16 = 0x2000;
    const REACHABLE: u16 = 0x1000;
    const BROADCAST: u16 = 0x0800;

    /// As it stands in a message.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// As it stands in a message.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// Without any of the five flags; `event_count` and `event` have four bits, a higher count
    /// becomes 15.
    pub const fn new(selection: Selection, event_count: u8, event: u8) -> Self {
        Self((selection as u16) << 8 | events(event_count, event))
    }

    /// With the flag for "in the configuration file" set or not.
    pub const fn with_configured(self, set: bool) -> Self {
        self.with(Self::CONFIGURED, set)
    }

    /// With the flag for "has a key, or Autokey" set or not.
    pub const fn with_authentication_enabled(self, set: bool) -> Self {
        self.with(Self::AUTHENTICATION_ENABLED, set)
    }

    /// With the flag for "its last packet was authentic" set or not.
    pub const fn with_authentic(self, set: bool) -> Self {
        self.with(Self::AUTHENTIC, set)
    }

    /// With the flag for "answered one of the last eight polls" set or not.
    pub const fn with_reachable(self, set: bool) -> Self {
        self.with(Self::REACHABLE, set)
    }

    /// With the flag for "broadcast association" set or not.
    pub const fn with_broadcast(self, set: bool) -> Self {
        self.with(Self::BROADCAST, set)
    }

    const fn with(self, flag: u16, set: bool) -> Self {
        Self(if set { self.0 | flag } else { self.0 & !flag })
    }

    /// Whether it stands in the configuration.
    pub const fn is_configured(self) -> bool {
        self.0 & Self::CONFIGURED != 0
    }

    /// Whether it has a key, or Autokey.
    pub const fn is_authentication_enabled(self) -> bool {
        self.0 & Self::AUTHENTICATION_ENABLED != 0
    }

    /// Whether its last packet was authentic.
    pub const fn is_authentic(self) -> bool {
        self.0 & Self::AUTHENTIC != 0
    }

    /// Whether it answered one of the last eight polls.
    pub const fn is_reachable(self) -> bool {
        self.0 & Self::REACHABLE != 0
    }

    /// Whether it is a broadcast association.
    pub const fn is_broadcast(self) -> bool {
        self.0 & Self::BROADCAST != 0
    }

    /// What the selection made of it.
    pub const fn selection(self) -> Selection {
        Selection::from_bits((self.0 >> 8) as u8)
    }

    /// Events since somebody last asked; 15 means that many or more.
    pub const fn event_count(self) -> u8 {
        count(self.0)
    }

    /// The last event.
    pub const fn event(self) -> u8 {
        event(self.0)
    }

    /// The words for the flags that are set, in the order in which ntpq prints them.
    pub fn flag_words(self) -> impl Iterator<Item = &'static str> {
        [
            (Self::CONFIGURED, "conf"),
            (Self::AUTHENTICATION_ENABLED, "authenb"),
            (Self::AUTHENTIC, "auth"),
            (Self::REACHABLE, "reach"),
            (Self::BROADCAST, "bcast"),
        ]
        .into_iter()
        .filter(move |(flag, _)| self.0 & flag != 0)
        .map(|(_, word)| word)
    }

    /// The word for the last event; `None` for 0, no event.
    pub const fn event_word(self) -> Option<&'static str> {
        match self.event() {
            0 => None,
            event => Some(Self::word_of_event(event)),
        }
    }

    /// The word for an event of an association, as it also stands in the daemon's log; empty for 0
    /// and above 15.
    pub const fn word_of_event(event: u8) -> &'static str {
        match event {
            1 => "mobilize",
            2 => "demobilize",
            3 => "unreachable",
            4 => "reachable",
            5 => "restart",
            6 => "no_reply",
            7 => "rate_exceeded",
            8 => "access_denied",
            9 => "leap_armed",
            10 => "sys_peer",
            11 => "clock_event",
            12 => "bad_auth",
            13 => "popcorn",
            14 => "interleave_mode",
            15 => "interleave_error",
            _ => "",
        }
    }
}

/// What the selection made of an association, three bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum Selection {
    /// 0: not usable, or not asked yet.
    #[default]
    Reject = 0,
    /// 1: outside the intersection: a falseticker.
    Falseticker = 1,
    /// 2: more survivors than are wanted.
    Excess = 2,
    /// 3: thrown out by the clustering.
    Outlier = 3,
    /// 4: a survivor that is combined.
    Candidate = 4,
    /// 5: would be one if others failed.
    Backup = 5,
    /// 6: the system peer.
    SystemPeer = 6,
    /// 7: the system peer, with PPS.
    PpsPeer = 7,
}

impl Selection {
    /// From the three low bits.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Reject,
            1 => Self::Falseticker,
            2 => Self::Excess,
            3 => Self::Outlier,
            4 => Self::Candidate,
            5 => Self::Backup,
            6 => Self::SystemPeer,
            _ => Self::PpsPeer,
        }
    }

    /// The character in front of a line of `peers`.
    pub const fn tally(self) -> char {
        match self {
            Self::Reject => ' ',
            Self::Falseticker => 'x',
            Self::Excess => '.',
            Self::Outlier => '-',
            Self::Candidate => '+',
            Self::Backup => '#',
            Self::SystemPeer => '*',
            Self::PpsPeer => 'o',
        }
    }

    /// The word in the status line; without its first four characters, the one in `associations`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reject => "sel_reject",
            Self::Falseticker => "sel_falsetick",
            Self::Excess => "sel_excess",
            Self::Outlier => "sel_outlier",
            Self::Candidate => "sel_candidate",
            Self::Backup => "sel_backup",
            Self::SystemPeer => "sel_sys.peer",
            Self::PpsPeer => "sel_pps.peer",
        }
    }
}

/// How a reference clock is (RFC 9327 section 3.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ClockStatus(u16);

impl ClockStatus {
    /// As it stands in a message.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// As it stands in a message.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// Made of its parts; both have four bits, a higher count becomes 15.
    pub const fn new(event_count: u8, event: u8) -> Self {
        Self(events(event_count, event))
    }

    /// Events since somebody last asked; 15 means that many or more.
    pub const fn event_count(self) -> u8 {
        count(self.0)
    }

    /// The last event.
    pub const fn event(self) -> u8 {
        event(self.0)
    }

    /// The word for the last event; `None` for one without a name.
    pub const fn event_word(self) -> Option<&'static str> {
        Some(match self.event() {
            0 => "clk_unspec",
            1 => "clk_no_reply",
            2 => "clk_bad_format",
            3 => "clk_fault",
            4 => "clk_bad_signal",
            5 => "clk_bad_date",
            6 => "clk_bad_time",
            _ => return None,
        })
    }
}

/// The low octet that all three share: how many events, and which was the last.
const fn events(count: u8, event: u8) -> u16 {
    let count = if count > 15 { 15 } else { count as u16 };
    count << 4 | (event as u16 & 0xf)
}

const fn count(bits: u16) -> u8 {
    (bits >> 4) as u8 & 0xf
}

const fn event(bits: u16) -> u8 {
    bits as u8 & 0xf
}
