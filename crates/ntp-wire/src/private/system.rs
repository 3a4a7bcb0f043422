//! What is told of the daemon as a whole.

use super::record::{HostOrder, SignedShort, Unused, address, record};
use crate::{Duration, ShortDuration, WireTimestamp};

/// What is on, as bits of an octet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    /// `broadcastclient`
    pub const BROADCAST_CLIENT: Self = Self(0x01);
    /// `enable auth`
    pub const AUTHENTICATION: Self = Self(0x02);
    /// `enable ntp`
    pub const NTP: Self = Self(0x04);
    /// `enable kernel`
    pub const KERNEL: Self = Self(0x08);
    /// `enable calibrate`
    pub const CALIBRATE: Self = Self(0x10);
    /// The kernel follows a PPS signal.
    pub const PPS: Self = Self(0x20);
    /// `enable monitor`
    pub const MONITOR: Self = Self(0x40);
    /// `enable stats`
    pub const STATISTICS: Self = Self(0x80);
}

record! {
    /// The variables of the system.
    SystemInformation 80 {
        peer_ipv4: u32,
        /// The mode of our packets to it.
        pub peer_mode: u8,
        /// The leap indicator, 0 to 3.
        pub leap: u8,
        /// The stratum, 0 to 16.
        pub stratum: u8,
        /// The precision of the clock, in log2 s.
        pub precision: i8,
        /// The root delay in s.
        pub root_delay: SignedShort,
        /// The root dispersion.
        pub root_dispersion: ShortDuration,
        /// Who is followed.
        pub reference_id: [u8; 4],
        /// When the clock was last corrected.
        pub reference_time: WireTimestamp,
        /// How often sources are asked, in log2 s.
        pub poll: HostOrder<u32>,
        /// What is on: [`SystemFlags`].
        pub flags: u8,
        unused: Unused<3>,
        /// `broadcastdelay` in s.
        pub broadcast_delay: SignedShort,
        /// The jitter of the clock in s; `frequency` once.
        pub jitter: SignedShort,
        /// How long authentication takes.
        pub authentication_delay: Duration,
        /// How much the frequency wanders, in ppm.
        pub stability: SignedShort,
        is_ipv6: HostOrder<u32>,
        unused_flag: Unused<4>,
        peer_ipv6: u128,
    }
}
address! { SystemInformation
    /// The source that the clock follows.
    peer set_peer peer_ipv4 peer_ipv6
}

record! {
    /// Packets by what became of them.
    SystemStatistics 52 {
        /// Seconds since the start.
        pub uptime: u32,
        /// Seconds since these counters began.
        pub since_reset: u32,
        /// What `restrict` keeps out.
        pub restricted: u32,
        /// Packets of versions before 4.
        pub older_version: u32,
        /// Packets of version 4.
        pub this_version: u32,
        /// What is not served.
        pub declined: u32,
        /// What is no NTP packet.
        pub bad_format: u32,
        /// Packets that time was taken from.
        pub processed: u32,
        /// Packets whose authentication failed.
        pub bad_authentication: u32,
        /// All packets.
        pub received: u32,
        /// Packets of clients that ask too often.
        pub limited: u32,
        /// Packets that came before they were sent.
        pub lamport: u32,
        /// Packets whose times were too coarse.
        pub rounding: u32,
    }
}

record! {
    /// What came and went.
    IoStatistics 40 {
        /// Seconds since these counters began.
        pub since_reset: u32,
        /// Buffers for packets.
        pub buffers: u16,
        /// Those that are free.
        pub free_buffers: u16,
        /// Those that hold packets.
        pub full_buffers: u16,
        /// How often there had to be more.
        pub refills: u16,
        /// Packets for which there was no buffer.
        pub dropped: u32,
        /// Packets that came where nobody listens.
        pub ignored: u32,
        /// Packets that came.
        pub received: u32,
        /// Packets that went.
        pub sent: u32,
        /// Packets that could not.
        pub not_sent: u32,
        /// How often packets were waited for.
        pub wakeups: u32,
        /// Packets that were read then.
        pub read: u32,
    }
}

record! {
    /// Memory for sources.
    MemoryStatistics 148 {
        /// Seconds since these counters began.
        pub since_reset: u32,
        /// Sources that there is memory for.
        pub total: u16,
        /// How many more could be without asking for memory.
        pub free: u16,
        /// How often a source was looked up.
        pub searches: u32,
        /// How often memory was asked for.
        pub allocations: u32,
        /// Sources that are gone.
        pub demobilizations: u32,
        /// Sources by the hash of their address.
        pub hash_counts: [u8; 128],
    }
}

record! {
    /// The clock loop.
    LoopInformation 24 {
        /// The last offset.
        pub offset: Duration,
        /// The frequency, in ppm where a duration has seconds.
        pub frequency: Duration,
        /// How near the loop is to another poll interval.
        pub poll_adjust: i32,
        /// Seconds since the clock was last corrected.
        pub watchdog: u32,
    }
}

record! {
    /// What the timer did.
    TimerStatistics 16 {
        /// Seconds since these counters began.
        pub since_reset: u32,
        /// How often it was due.
        pub alarms: u32,
        /// How often nobody came in time.
        pub overruns: u32,
        /// How often a source was due to be asked.
        pub transmits: u32,
    }
}

record! {
    /// What was counted of keys.
    AuthenticationInformation 36 {
        /// Seconds since these counters began.
        pub since_reset: u32,
        /// Keys.
        pub keys: u32,
        /// Keys that there is memory for beside them.
        pub free_keys: u32,
        /// How often a key was looked up.
        pub lookups: u32,
        /// Those of them that were not there.
        pub not_found: u32,
        /// MACs that were made.
        pub made: u32,
        /// MACs that were checked.
        pub checked: u32,
        /// Keys whose life has ended.
        pub expired: u32,
        /// Keys that were not at hand at once.
        pub uncached: u32,
    }
}

record! {
    /// What was counted of mode 6.
    ControlStatistics 60 {
        /// Seconds since these counters began.
        pub since_reset: u32,
        /// Requests.
        pub requests: u32,
        /// Requests that make no sense.
        pub bad: u32,
        /// Responses.
        pub responses: u32,
        /// Packets of responses.
        pub fragments: u32,
        /// Responses that tell an error.
        pub errors: u32,
        /// Requests too short to be any.
        pub too_short: u32,
        /// Responses that came as requests.
        pub responses_received: u32,
        /// Fragments that came as requests.
        pub fragments_received: u32,
        /// Errors that came as requests.
        pub errors_received: u32,
        /// Requests with an offset.
        pub bad_offset: u32,
        /// Requests of an unknown version.
        pub bad_version: u32,
        /// Requests that hold less than they say.
        pub data_too_short: u32,
        /// Requests of an unknown operation.
        pub bad_operation: u32,
        /// Messages that nobody asked for.
        pub unasked: u32,
    }
}

record! {
    /// The kernel's clock, in the words of `ntp_adjtime`.
    KernelInformation 60 {
        /// What is left to be corrected, in ns if the status has `STA_NANO`, else in us.
        pub offset: i32,
        /// The frequency, in ppm.
        pub frequency: SignedShort,
        /// The greatest error in us.
        pub maximum_error: u32,
        /// The expected error in us.
        pub estimated_error: u32,
        /// The bits `STA_…`.
        pub status: u16,
        /// The interval in which a PPS signal is calibrated, in log2 s; 0 if there is none.
        pub shift: u16,
        /// The time constant of its loop.
        pub constant: u32,
        /// The precision in us.
        pub precision: u32,
        /// By how much the frequency can be corrected, in ppm.
        pub tolerance: SignedShort,
        /// The frequency of the PPS signal, in ppm.
        pub pps_frequency: SignedShort,
        /// Its jitter, in ns or us.
        pub pps_jitter: u32,
        /// How much it wanders, in ppm.
        pub pps_stability: SignedShort,
        /// How often its jitter was too great.
        pub pps_jitter_exceeded: u32,
        /// How often it was calibrated.
        pub pps_calibrations: u32,
        /// How often that failed.
        pub pps_calibration_errors: u32,
        /// How often it wandered too much.
        pub pps_stability_exceeded: u32,
    }
}
