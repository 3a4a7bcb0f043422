//! What happened to the system, in the words and numbers that ntpq knows.

/// A system event, with the number of the system status word (RFC 9327 section 3.1) and the word
/// that ntpd 4.2.8 writes for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum SystemEvent {
    /// 1: no frequency is known; the first updates will measure it.
    FrequencyNotSet = 1,
    /// 2: the frequency came from the drift file.
    FrequencySet = 2,
    /// 3: an offset above the step threshold; it must last before it is believed.
    SpikeDetected = 3,
    /// 4: the frequency is being measured.
    FrequencyMode = 4,
    /// 5: the clock is synchronised.
    ClockSynchronised = 5,
    /// 6: the program started.
    Restart = 6,
    /// 7: the offset is above the panic threshold.
    PanicStop = 7,
    /// 8: there is nobody left to follow.
    NoSystemPeer = 8,
    /// 9: a leap second will be inserted or deleted.
    LeapArmed = 9,
    /// 10: it will not, after all.
    LeapDisarmed = 10,
    /// 11: the leap second is happening.
    LeapEvent = 11,
    /// 12: the clock was stepped.
    ClockStep = 12,
    /// 13: the kernel's discipline changed its state.
    Kernel = 13,
    /// 14: TAI − UTC changed.
    Tai = 14,
    /// 15: the leap second values expired.
    StaleLeapValues = 15,
}

impl SystemEvent {
    /// The number in the system status word, 1 to 15.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The word that ntpq shows.
    pub const fn word(self) -> &'static str {
        match self {
            Self::FrequencyNotSet => "freq_not_set",
            Self::FrequencySet => "freq_set",
            Self::SpikeDetected => "spike_detect",
            Self::FrequencyMode => "freq_mode",
            Self::ClockSynchronised => "clock_sync",
            Self::Restart => "restart",
            Self::PanicStop => "panic_stop",
            Self::NoSystemPeer => "no_sys_peer",
            Self::LeapArmed => "leap_armed",
            Self::LeapDisarmed => "leap_disarmed",
            Self::LeapEvent => "leap_event",
            Self::ClockStep => "clock_step",
            Self::Kernel => "kern",
            Self::Tai => "TAI",
            Self::StaleLeapValues => "stale_leapsecond_values",
        }
    }
}
