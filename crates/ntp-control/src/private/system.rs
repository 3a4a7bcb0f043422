//! `loopinfo`, `sysinfo`, `sysstats`, `memstats`, `iostats`, `timerstats`, `kerninfo`, `authinfo`
//! and `ctlstats`.

use core::fmt::Write;

use ntp_wire::private::{
    AuthenticationInformation, ControlStatistics, IoStatistics, KernelInformation, LoopInformation,
    MemoryStatistics, SystemFlags, SystemInformation, SystemStatistics, TimerStatistics,
};

use super::{
    InquiryError, PrivateResponse,
    inquiry::record,
    numbers::{general, long, short, unsigned},
    sources::{reference_id, shown},
};
use crate::{View, pretty_date, summary::mode};

/// Lines of a label and a value, which begins in column `width`.
fn lines(width: usize, lines: &[(&str, u32)]) -> String {
    let mut text = String::new();
    for (label, value) in lines {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<width$}{value}", format!("{label}:"));
    }
    text
}

pub(super) fn clock_loop(
    response: &PrivateResponse,
    one_line: bool,
) -> Result<String, InquiryError> {
    let clock = record(response, LoopInformation::LENGTH, LoopInformation::parse)?;
    let (offset, frequency) = (long(clock.offset, 6), long(clock.frequency, 3));
    let LoopInformation {
        poll_adjust,
        watchdog,
        ..
    } = clock;
    Ok(match one_line {
        true => format!(
            "offset {offset}, frequency {frequency}, time_const {poll_adjust}, watchdog {watchdog}\n"
        ),
        false => format!(
            "offset:               {offset} s\n\
             frequency:            {frequency} ppm\n\
             poll adjust:          {poll_adjust}\n\
             watchdog timer:       {watchdog} s\n"
        ),
    })
}

pub(super) fn system(response: &PrivateResponse, view: &View<'_>) -> Result<String, InquiryError> {
    let all = record(
        response,
        SystemInformation::LENGTH,
        SystemInformation::parse,
    )?;
    const WORDS: [(SystemFlags, &str); 8] = [
        (SystemFlags::BROADCAST_CLIENT, "bclient "),
        (SystemFlags::AUTHENTICATION, "auth "),
        (SystemFlags::MONITOR, "monitor "),
        (SystemFlags::NTP, "ntp "),
        (SystemFlags::KERNEL, "kernel "),
        (SystemFlags::STATISTICS, "stats "),
        (SystemFlags::CALIBRATE, "calibrate "),
        (SystemFlags::PPS, "pps "),
    ];
    let words = WORDS.iter().filter(|(flag, _)| all.flags & flag.0 != 0);
    let flags = match all.flags {
        0 => "none".to_owned(),
        _ => words.map(|(_, word)| *word).collect(),
    };
    Ok(format!(
        "system peer:          {}\n\
         system peer mode:     {}\n\
         leap indicator:       {:02b}\n\
         stratum:              {}\n\
         precision:            {}\n\
         root distance:        {} s\n\
         root dispersion:      {} s\n\
         reference ID:         [{}]\n\
         reference time:       {}\n\
         system flags:         {flags}\n\
         jitter:               {} s\n\
         stability:            {} ppm\n\
         broadcastdelay:       {} s\n\
         authdelay:            {} s\n",
        shown(all.peer(), view),
        mode(all.peer_mode),
        all.leap & 3,
        all.stratum,
        all.precision,
        short(all.root_delay, 5),
        unsigned(all.root_dispersion, 5),
        reference_id(all.reference_id, all.stratum),
        pretty_date(all.reference_time, view.now, view.zone),
        short(all.jitter, 6),
        short(all.stability, 3),
        short(all.broadcast_delay, 6),
        long(all.authentication_delay, 6),
    ))
}

pub(super) fn packets(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(response, SystemStatistics::LENGTH, SystemStatistics::parse)?;
    Ok(lines(
        24,
        &[
            ("time since restart", all.uptime),
            ("time since reset", all.since_reset),
            ("packets received", all.received),
            ("packets processed", all.processed),
            ("current version", all.this_version),
            ("previous version", all.older_version),
            ("declined", all.declined),
            ("access denied", all.restricted),
            ("bad length or format", all.bad_format),
            ("bad authentication", all.bad_authentication),
            ("rate exceeded", all.limited),
        ],
    ))
}

pub(super) fn memory(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(response, MemoryStatistics::LENGTH, MemoryStatistics::parse)?;
    let mut text = lines(
        22,
        &[
            ("time since reset", all.since_reset),
            ("total peer memory", all.total.into()),
            ("free peer memory", all.free.into()),
            ("calls to findpeer", all.searches),
            ("new peer allocations", all.allocations),
            ("peer demobilizations", all.demobilizations),
        ],
    );
    for (number, row) in all.hash_counts.chunks(8).enumerate() {
        let label = if number == 0 {
            "hash table counts:"
        } else {
            ""
        };
        let counts: String = row.iter().map(|count| format!("{count:4}")).collect();
        let _ = writeln!(text, "{label:<21}{counts}");
    }
    Ok(text)
}

pub(super) fn input_output(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(response, IoStatistics::LENGTH, IoStatistics::parse)?;
    Ok(lines(
        22,
        &[
            ("time since reset", all.since_reset),
            ("receive buffers", all.buffers.into()),
            ("free receive buffers", all.free_buffers.into()),
            ("used receive buffers", all.full_buffers.into()),
            ("low water refills", all.refills.into()),
            ("dropped packets", all.dropped),
            ("ignored packets", all.ignored),
            ("received packets", all.received),
            ("packets sent", all.sent),
            ("packets not sent", all.not_sent),
            ("interrupts handled", all.wakeups),
            ("received by int", all.read),
        ],
    ))
}

pub(super) fn timer(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(response, TimerStatistics::LENGTH, TimerStatistics::parse)?;
    Ok(lines(
        19,
        &[
            ("time since reset", all.since_reset),
            ("alarms handled", all.alarms),
            ("alarm overruns", all.overruns),
            ("calls to transmit", all.transmits),
        ],
    ))
}

pub(super) fn authentication(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(
        response,
        AuthenticationInformation::LENGTH,
        AuthenticationInformation::parse,
    )?;
    Ok(lines(
        22,
        &[
            ("time since reset", all.since_reset),
            ("stored keys", all.keys),
            ("free keys", all.free_keys),
            ("key lookups", all.lookups),
            ("keys not found", all.not_found),
            ("uncached keys", all.uncached),
            ("encryptions", all.made),
            ("decryptions", all.checked),
            ("expired keys", all.expired),
        ],
    ))
}

pub(super) fn control(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(
        response,
        ControlStatistics::LENGTH,
        ControlStatistics::parse,
    )?;
    Ok(lines(
        24,
        &[
            ("time since reset", all.since_reset),
            ("requests received", all.requests),
            ("responses sent", all.responses),
            ("fragments sent", all.fragments),
            ("async messages sent", all.unasked),
            ("error msgs sent", all.errors),
            ("total bad pkts", all.bad),
            ("packet too short", all.too_short),
            ("response on input", all.responses_received),
            ("fragment on input", all.fragments_received),
            ("error set on input", all.errors_received),
            ("bad offset on input", all.bad_offset),
            ("bad version packets", all.bad_version),
            ("data in pkt too short", all.data_too_short),
            ("unknown op codes", all.bad_operation),
        ],
    ))
}

/// The bits of the status of the kernel's clock, in the order in which they are shown.
const STATUS: [(u16, &str); 16] = [
    (0x0001, " pll"),
    (0x0002, " ppsfreq"),
    (0x0004, " ppstime"),
    (0x0008, " fll"),
    (0x0010, " ins"),
    (0x0020, " del"),
    (0x0040, " unsync"),
    (0x0080, " freqhold"),
    (0x0100, " ppssignal"),
    (0x0200, " ppsjitter"),
    (0x0400, " ppswander"),
    (0x0800, " ppserror"),
    (0x1000, " clockerr"),
    (NANO, " nano"),
    (0x4000, " mode=fll"),
    (0x8000, " src=B"),
];
const NANO: u16 = 0x2000;

pub(super) fn kernel(response: &PrivateResponse) -> Result<String, InquiryError> {
    let all = record(
        response,
        KernelInformation::LENGTH,
        KernelInformation::parse,
    )?;
    let unit = if all.status & NANO != 0 { 1e-9 } else { 1e-6 };
    let micro = |count: u32| general(f64::from(count) * 1e-6);
    let status = STATUS.iter().filter(|(bit, _)| all.status & bit != 0);
    let status: String = status.map(|(_, word)| *word).collect();
    let mut text = format!(
        "pll offset:           {} s\n\
         pll frequency:        {} ppm\n\
         maximum error:        {} s\n\
         estimated error:      {} s\n\
         status:               {:04x} {status}\n\
         pll time constant:    {}\n\
         precision:            {} s\n\
         frequency tolerance:  {} ppm\n",
        general(f64::from(all.offset) * unit),
        short(all.frequency, 3),
        micro(all.maximum_error),
        micro(all.estimated_error),
        all.status,
        all.constant,
        micro(all.precision),
        short(all.tolerance, 0),
    );
    if all.shift != 0 {
        let _ = write!(
            text,
            "pps frequency:        {} ppm\n\
             pps stability:        {} ppm\n\
             pps jitter:           {} s\n\
             calibration interval: {} s\n\
             calibration cycles:   {}\n\
             jitter exceeded:      {}\n\
             stability exceeded:   {}\n\
             calibration errors:   {}\n",
            short(all.pps_frequency, 3),
            short(all.pps_stability, 3),
            general(f64::from(all.pps_jitter) * unit),
            1_u64.checked_shl(all.shift.into()).unwrap_or_default(),
            all.pps_calibrations,
            all.pps_jitter_exceeded,
            all.pps_stability_exceeded,
            all.pps_calibration_errors,
        );
    }
    Ok(text)
}
