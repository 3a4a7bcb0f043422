//! The daemon as a whole.

use ntp_conf::Switch;
use ntp_wire::{
    Duration, Leap, ShortDuration,
    private::{
        AuthenticationInformation, ControlStatistics, HostOrder, IoStatistics, KernelInformation,
        LoopInformation, MemoryStatistics, SignedShort, SystemFlags, SystemInformation,
        SystemStatistics, TimerStatistics,
    },
};

use super::{
    Items,
    source::{remote_address, whole},
};
use crate::{Engine, control};

/// The kernel's clock is not synchronised.
const STA_UNSYNC: u16 = 0x0040;
/// Its offset is in nanoseconds.
const STA_NANO: u16 = 0x2000;

impl Engine {
    pub(super) fn system_information(&self) -> Items {
        let state = &self.system.state;
        let clock = self.system.loop_status();
        let mut all = SystemInformation::default();
        if let Some(peer) = self.system_peer() {
            all.set_peer(remote_address(peer));
            all.peer_mode = control::host_mode(peer);
        }
        all.leap = state.leap as u8;
        all.stratum = state.stratum.value();
        all.precision = self.precision.value();
        all.root_delay = signed(state.root_delay);
        let dispersion = state.root_dispersion_at(self.now.monotonic);
        all.root_dispersion = ShortDuration::from_duration(dispersion);
        all.reference_id = state.reference_id.to_bytes();
        all.reference_time = state.reference_time;
        all.poll = HostOrder(u32::try_from(clock.time_constant.value()).unwrap_or_default());
        all.flags = self.system_flags();
        all.broadcast_delay = signed(self.to_many.listening.delay);
        all.jitter = signed(state.jitter);
        all.stability = SignedShort::from_f64(clock.wander.value());
        Items::of(all.to_bytes())
    }

    fn system_flags(&self) -> u8 {
        let switches = self.config.switches;
        [
            (Switch::BroadcastClient, SystemFlags::BROADCAST_CLIENT),
            (Switch::Authentication, SystemFlags::AUTHENTICATION),
            (Switch::Ntp, SystemFlags::NTP),
            (Switch::Kernel, SystemFlags::KERNEL),
            (Switch::Calibrate, SystemFlags::CALIBRATE),
            (Switch::Monitor, SystemFlags::MONITOR),
            (Switch::Statistics, SystemFlags::STATISTICS),
        ]
        .into_iter()
        .filter(|(switch, _)| switches.is_on(*switch))
        .fold(0, |flags, (_, flag)| flags | flag.0)
    }

    pub(super) fn system_statistics(&self) -> Items {
        let (since_reset, counters) = self.packets_counted();
        let all = SystemStatistics {
            uptime: self.seconds_after(self.started),
            since_reset,
            restricted: whole(counters.restricted),
            older_version: whole(counters.older_version),
            this_version: whole(counters.this_version),
            declined: whole(counters.declined),
            bad_format: whole(counters.bad_format),
            processed: whole(counters.answered),
            bad_authentication: whole(counters.bad_authentication),
            received: whole(counters.received),
            limited: whole(counters.limited),
            ..SystemStatistics::default()
        };
        Items::of(all.to_bytes())
    }

    /// There are no buffers of our own between the kernel and the one who answers.
    pub(super) fn io_statistics(&self) -> Items {
        let (since_reset, passed) = self.passed_counted();
        let all = IoStatistics {
            since_reset,
            received: whole(passed.received),
            sent: whole(passed.sent),
            not_sent: whole(passed.failed),
            wakeups: whole(passed.received),
            read: whole(passed.received),
            ..IoStatistics::default()
        };
        Items::of(all.to_bytes())
    }

    /// Sources are kept in a list, without memory in reserve.
    pub(super) fn memory_statistics(&self) -> Items {
        let all = MemoryStatistics {
            since_reset: self.seconds_after(self.resets.memory),
            total: u16::try_from(self.associations.len()).unwrap_or(u16::MAX),
            ..MemoryStatistics::default()
        };
        Items::of(all.to_bytes())
    }

    pub(super) fn loop_information(&self) -> Items {
        let clock = self.system.loop_status();
        let all = LoopInformation {
            offset: clock.offset,
            frequency: Duration::from_seconds_f64(clock.frequency.value()),
            poll_adjust: 0,
            watchdog: self.seconds_after(self.system.state.determined),
        };
        Items::of(all.to_bytes())
    }

    pub(super) fn timer_statistics(&self) -> Items {
        let (since_reset, transmits) = self.polls_counted();
        let all = TimerStatistics {
            since_reset,
            // The loop runs once a second.
            alarms: since_reset,
            overruns: 0,
            transmits: whole(transmits),
        };
        Items::of(all.to_bytes())
    }

    /// Keys are neither cached nor kept in reserve, and do not expire.
    pub(super) fn authentication_information(&self) -> Items {
        let (since_reset, counters) = self.keys_counted();
        let all = AuthenticationInformation {
            since_reset,
            keys: whole(self.keys.len() as u64),
            lookups: whole(counters.key_lookups),
            not_found: whole(counters.keys_not_found),
            made: whole(counters.macs_made),
            checked: whole(counters.macs_checked),
            ..AuthenticationInformation::default()
        };
        Items::of(all.to_bytes())
    }

    pub(super) fn control_statistics(&self) -> Items {
        let (since_reset, counted) = self.control_counted();
        let all = ControlStatistics {
            since_reset,
            ..counted.record()
        };
        Items::of(all.to_bytes())
    }

    /// The kernel's clock as we steer it: by its frequency alone, without the kernel's own loop.
    pub(super) fn kernel_information(&self) -> Items {
        let clock = self.system.loop_status();
        let state = &self.system.state;
        let unsynchronised = state.leap == Leap::Unsynchronised;
        // What the kernel would still have to correct, if the loop were its own.
        let offset = clock.residual.to_nanos();
        let all = KernelInformation {
            offset: i32::try_from(offset).unwrap_or_default(),
            frequency: SignedShort::from_f64(self.rate.unwrap_or_default().value()),
            maximum_error: microseconds(self.system.root_distance(self.now.monotonic)),
            estimated_error: microseconds(state.jitter),
            status: STA_NANO | if unsynchronised { STA_UNSYNC } else { 0 },
            constant: u32::try_from(clock.time_constant.value()).unwrap_or_default(),
            precision: 1,
            tolerance: SignedShort::from_f64(control::FREQUENCY_TOLERANCE.into()),
            ..KernelInformation::default()
        };
        Items::of(all.to_bytes())
    }

    pub(super) fn seconds_after(&self, time: ntp_wire::Monotonic) -> u32 {
        whole(self.now.monotonic.since(time).as_secs())
    }
}

fn signed(duration: Duration) -> SignedShort {
    SignedShort::from_f64(duration.to_seconds_f64())
}

fn microseconds(duration: Duration) -> u32 {
    u32::try_from(duration.to_nanos() / 1000).unwrap_or_default()
}
