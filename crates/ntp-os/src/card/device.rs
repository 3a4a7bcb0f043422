//! What the kernel is asked: of an interface by `SIOCETHTOOL` and `SIOCSHWTSTAMP`, of a clock by
//! the requests of its device (`linux/ptp_clock.h`).
#![allow(unsafe_code)]

use std::{fs::File, io, mem, os::fd::AsRawFd, ptr};

use socket2::{Domain, Socket, Type};

use super::{
    CardError, Step,
    line::{CardStamp, Sample},
};

/// What a card can (`ETHTOOL_GET_TS_INFO`).
pub(super) struct Ability {
    /// The number of its clock, if there is one.
    pub(super) clock: Option<u32>,
    departures: bool,
    filters: u32,
}

/// What it does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamped {
    pub(super) arrivals: bool,
}

/// `struct ethtool_ts_info`.
#[repr(C)]
#[derive(Default)]
struct TimestampInfo {
    command: u32,
    flags: u32,
    clock: i32,
    departures: u32,
    reserved: [u32; 3],
    filters: u32,
    reserved_too: [u32; 3],
}

/// `struct ethtool_cmd`, of which the speed is of interest.
#[repr(C)]
#[derive(Default)]
struct LinkSettings {
    command: u32,
    supported: u32,
    advertising: u32,
    speed_low: u16,
    others: [u8; 6],
    most: [u32; 2],
    speed_high: u16,
    more: [u8; 2],
    rest: [u32; 3],
}

/// `struct hwtstamp_config`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct StampConfig {
    flags: libc::c_int,
    departures: libc::c_int,
    filter: libc::c_int,
}

const GET_SETTINGS: u32 = 1;
const GET_TIMESTAMP_INFO: u32 = 0x41;
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const SIOCSHWTSTAMP: libc::Ioctl = 0x89b0;
const SIOCGHWTSTAMP: libc::Ioctl = 0x89b1;
const DEPARTURES_ON: libc::c_int = 1;
const NO_ARRIVALS: libc::c_int = 0;
const ALL_ARRIVALS: libc::c_int = 1;
const ARRIVALS_OF_NTP: libc::c_int = 15;

/// What the card of an interface can.
pub(super) fn ability(interface: &str) -> io::Result<Ability> {
    let mut info = TimestampInfo {
        command: GET_TIMESTAMP_INFO,
        ..TimestampInfo::default()
    };
    ask_interface(interface, SIOCETHTOOL, &mut info)?;
    Ok(Ability {
        clock: u32::try_from(info.clock).ok(),
        departures: info.departures & (1 << DEPARTURES_ON) != 0,
        filters: info.filters,
    })
}

/// Has the card stamp all that it can of NTP, unless it does so already.
pub(super) fn start_stamping(interface: &str, ability: &Ability) -> Result<Stamped, CardError> {
    let filter = [ARRIVALS_OF_NTP, ALL_ARRIVALS]
        .into_iter()
        .find(|filter| ability.filters & (1 << filter) != 0);
    if !ability.departures && filter.is_none() {
        return Err(CardError::OtherPackets);
    }
    let mut wanted = StampConfig {
        flags: 0,
        departures: ability.departures.into(),
        filter: filter.unwrap_or(NO_ARRIVALS),
    };
    let mut present = StampConfig::default();
    if ask_interface(interface, SIOCGHWTSTAMP, &mut present).is_ok()
        && present.departures == wanted.departures
        && (present.filter == wanted.filter || present.filter == ALL_ARRIVALS)
    {
        wanted = present;
    } else {
        ask_interface(interface, SIOCSHWTSTAMP, &mut wanted).map_err(CardError::of(Step::Stamp))?;
    }
    // The driver may have chosen a wider filter, and says which.
    let arrivals = [ARRIVALS_OF_NTP, ALL_ARRIVALS].contains(&wanted.filter);
    Ok(Stamped { arrivals })
}

/// Megabits a second; 0 if the interface does not say.
pub(super) fn speed(interface: &str) -> u32 {
    let mut settings = LinkSettings {
        command: GET_SETTINGS,
        ..LinkSettings::default()
    };
    if ask_interface(interface, SIOCETHTOOL, &mut settings).is_err() {
        return 0;
    }
    let speed = (u32::from(settings.speed_high) << 16) | u32::from(settings.speed_low);
    // All ones, in one half or both: unknown.
    if speed == u32::MAX || speed == u32::from(u16::MAX) {
        return 0;
    }
    speed
}

/// Asks the kernel about an interface; `T` is the structure that the request takes and fills in.
fn ask_interface<T>(interface: &str, request: libc::Ioctl, data: &mut T) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // SAFETY: ifreq is a C structure of integers and pointers, for which all zero is a value.
    let mut asked: libc::ifreq = unsafe { mem::zeroed() };
    let name = interface.as_bytes();
    if name.len() >= asked.ifr_name.len() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in asked.ifr_name.iter_mut().zip(name) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    asked.ifr_ifru.ifru_data = ptr::from_mut(data).cast();
    // SAFETY: these requests take an ifreq whose name ends with a zero and whose data points to the
    // structure of the request, which the callers of this module hand in; both live longer than
    // the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), request, &mut asked) };
    match result {
        ..0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// The clock of a card.
#[derive(Debug)]
pub(super) struct CardClock {
    number: u32,
    device: File,
}

/// How a clock is compared with the kernel's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sampling {
    /// The hardware notes both at once.
    Together,
    /// The driver reads the kernel's right before and after.
    Bracketed,
    /// The kernel does, around the driver.
    Around,
}

impl Sampling {
    /// The best first.
    const ALL: [Self; 3] = [Self::Together, Self::Bracketed, Self::Around];
}

/// `struct ptp_clock_time`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct ClockTime {
    seconds: i64,
    nanoseconds: u32,
    reserved: u32,
}

/// The most readings that a request can have.
const MOST: usize = 25;
/// How many are made: the closest counts.
const READINGS: usize = 10;

/// `struct ptp_sys_offset_precise`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct TogetherRequest {
    card: ClockTime,
    kernel: ClockTime,
    raw: ClockTime,
    reserved: [u32; 4],
}

/// `struct ptp_sys_offset_extended`: kernel, card, kernel.
#[repr(C)]
#[derive(Clone, Copy)]
struct BracketedRequest {
    count: u32,
    reserved: [u32; 3],
    times: [[ClockTime; 3]; MOST],
}

/// `struct ptp_sys_offset`: kernel, card, kernel, card, …, kernel.
#[repr(C)]
#[derive(Clone, Copy)]
struct AroundRequest {
    count: u32,
    reserved: [u32; 3],
    times: [ClockTime; 2 * MOST + 1],
}

const MAGIC: u32 = b'=' as u32;
const AROUND: libc::Ioctl = libc::_IOW::<AroundRequest>(MAGIC, 5);
const TOGETHER: libc::Ioctl = libc::_IOWR::<TogetherRequest>(MAGIC, 8);
const BRACKETED: libc::Ioctl = libc::_IOWR::<BracketedRequest>(MAGIC, 9);

impl ClockTime {
    /// In nanoseconds; `None` beyond the years that 63 bits of them can hold.
    fn nanoseconds(self) -> Option<i64> {
        let whole = self.seconds.checked_mul(1_000_000_000)?;
        whole.checked_add(self.nanoseconds.into())
    }

    fn stamp(self) -> Option<CardStamp> {
        CardStamp::new(self.seconds, self.nanoseconds.into())
    }
}

impl CardClock {
    pub(super) fn open(number: u32) -> io::Result<Self> {
        let device = File::open(format!("/dev/ptp{number}"))?;
        Ok(Self { number, device })
    }

    pub(super) fn name(&self) -> String {
        format!("ptp{}", self.number)
    }

    /// The best way that card, driver and kernel know.
    pub(super) fn find_sampling(&self) -> io::Result<Sampling> {
        let mut refused = io::ErrorKind::Unsupported.into();
        for sampling in Sampling::ALL {
            match self.sample(sampling) {
                Ok(_) => return Ok(sampling),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    /// Both clocks at one time, as near as can be; `None` if the clock shows nonsense.
    pub(super) fn sample(&self, sampling: Sampling) -> io::Result<Option<Sample>> {
        match sampling {
            Sampling::Together => self.together(),
            Sampling::Bracketed => self.bracketed(),
            Sampling::Around => self.around(),
        }
    }

    fn together(&self) -> io::Result<Option<Sample>> {
        let mut request = TogetherRequest::default();
        self.ask(TOGETHER, &mut request)?;
        let sample = || {
            Some(Sample {
                card: request.card.stamp()?,
                kernel: request.kernel.nanoseconds()?,
            })
        };
        Ok(sample())
    }

    fn bracketed(&self) -> io::Result<Option<Sample>> {
        let mut request = BracketedRequest {
            count: READINGS as u32,
            reserved: [0; 3],
            times: [[ClockTime::default(); 3]; MOST],
        };
        self.ask(BRACKETED, &mut request)?;
        let readings = request.times.iter().take(READINGS);
        Ok(closest(readings.copied()))
    }

    fn around(&self) -> io::Result<Option<Sample>> {
        let mut request = AroundRequest {
            count: READINGS as u32,
            reserved: [0; 3],
            times: [ClockTime::default(); 2 * MOST + 1],
        };
        self.ask(AROUND, &mut request)?;
        let readings = request.times.windows(3).step_by(2).take(READINGS);
        Ok(closest(readings.filter_map(|times| times.try_into().ok())))
    }

    /// `T` is the structure of the request.
    fn ask<T>(&self, request: libc::Ioctl, data: &mut T) -> io::Result<()> {
        // SAFETY: each request of this module goes with the structure that its number was made of,
        // whose every pattern of bits is a value; it lives longer than the call.
        let result = unsafe { libc::ioctl(self.device.as_raw_fd(), request, ptr::from_mut(data)) };
        match result {
            ..0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

/// The reading that took least time: the kernel's clock before, the card's, the kernel's after.
fn closest(readings: impl Iterator<Item = [ClockTime; 3]>) -> Option<Sample> {
    let samples = readings.filter_map(|[before, card, after]| {
        let (before, after) = (before.nanoseconds()?, after.nanoseconds()?);
        let width = after.checked_sub(before).filter(|width| *width >= 0)?;
        let sample = Sample {
            card: card.stamp()?,
            kernel: before + width / 2,
        };
        Some((width, sample))
    });
    let closest = samples.min_by_key(|(width, _)| *width);
    closest.map(|(_, sample)| sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(nanoseconds: i64) -> ClockTime {
        ClockTime {
            seconds: nanoseconds.div_euclid(1_000_000_000),
            nanoseconds: nanoseconds.rem_euclid(1_000_000_000) as u32,
            reserved: 0,
        }
    }

    /// The kernel's own headers say so on every processor.
    #[test]
    fn requests_have_the_size_that_the_kernel_expects() {
        assert_eq!(size_of::<TimestampInfo>(), 44);
        assert_eq!(size_of::<LinkSettings>(), 44);
        assert_eq!(size_of::<StampConfig>(), 12);
        assert_eq!(size_of::<TogetherRequest>(), 64);
        assert_eq!(size_of::<BracketedRequest>(), 16 + 25 * 48);
        assert_eq!(size_of::<AroundRequest>(), 16 + 51 * 16);
    }

    #[test]
    fn the_closest_reading_counts() {
        let readings = [
            [time(1000), time(7_000), time(2000)],
            [time(3000), time(8_000), time(3100)],
            // The clock was set meanwhile.
            [time(9000), time(9_000), time(5000)],
            [time(4000), time(9_000), time(4300)],
        ];
        let expected = Sample {
            card: time(8_000).stamp().unwrap(),
            kernel: 3050,
        };
        assert_eq!(closest(readings.into_iter()), Some(expected));
        assert_eq!(closest([].into_iter()), None);
        let endless = ClockTime {
            seconds: i64::MAX,
            ..ClockTime::default()
        };
        assert_eq!(closest([[endless; 3]].into_iter()), None);
    }

    #[test]
    fn an_interface_without_a_card_has_no_clock() {
        assert!(ability("lo").is_ok_and(|ability| ability.clock.is_none()));
        assert!(ability("there-is-none").is_err());
        assert!(ability("a-name-that-is-longer-than-names-are").is_err());
        assert_eq!(speed("lo"), 0);
    }
}
