//! `reslist`, `monlist`, `traps`, `clockstat`, `clkbug`, `ifstats` and `ifreload`.

use core::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use ntp_wire::private::{ClientRecord, ClockInformation, InterfaceRecord, RestrictionRecord};

use super::{
    Family, InquiryError, PrivateResponse,
    inquiry::records,
    numbers::long,
    sources::{reference_id, shown},
};
use crate::{Escaped, View};

/// To whom a restriction is, in the bits that say so.
const MATCHES: [(u16, &str); 3] = [
    (RestrictionRecord::NTP_PORT, "ntpport"),
    (RestrictionRecord::INTERFACE, "interface"),
    (RestrictionRecord::SOURCE, "source"),
];

/// What a restriction forbids, in the words of ntpdc and their order.
pub const RESTRICTIONS: [(&str, u16); 12] = [
    ("ignore", 0x0001),
    ("noserve", 0x0002),
    ("notrust", 0x0004),
    ("noquery", 0x0080),
    ("nomodify", 0x0100),
    ("nopeer", 0x0010),
    ("notrap", 0x0200),
    ("lptrap", 0x0400),
    ("limited", 0x0040),
    ("version", 0x0008),
    ("kod", 0x0800),
    ("flake", 0x2000),
];

pub(super) fn restrictions(
    response: &PrivateResponse,
    family: Option<Family>,
    view: &View<'_>,
) -> Result<String, InquiryError> {
    let entries = records(
        response,
        RestrictionRecord::LENGTH,
        RestrictionRecord::parse,
    )?;
    let mut text = "   address          mask            count        flags\n".to_owned();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:=<69}", "");
    for entry in entries {
        let (address, mask) = (entry.address(), entry.mask());
        if family.is_some_and(|family| !family.has(address)) {
            continue;
        }
        let is_host = mask == IpAddr::V4(Ipv4Addr::BROADCAST);
        let name = match is_host || address.is_ipv6() {
            true => shown(address, view),
            false => address.to_string(),
        };
        let matches = MATCHES
            .iter()
            .filter(|(bit, _)| entry.match_flags & bit != 0);
        let forbids = RESTRICTIONS
            .iter()
            .filter(|(_, bit)| entry.flags & bit != 0);
        let words = matches.map(|(_, word)| *word);
        let words: Vec<_> = words.chain(forbids.map(|(word, _)| *word)).collect();
        let flags = match words[..] {
            [] => "none".to_owned(),
            _ => words.join(", "),
        };
        let mask = mask.to_string();
        let _ = writeln!(
            text,
            "{name:<15.15} {mask:<15.15} {:9}  {flags}",
            entry.count
        );
    }
    Ok(text)
}

/// Daemons since 4.2.8 have no such list; the older ones flooded others with it.
pub(super) fn clients(response: &PrivateResponse, view: &View<'_>) -> Result<String, InquiryError> {
    let clients = records(response, ClientRecord::LENGTH, ClientRecord::parse)?;
    let mut text =
        "remote address          port local address      count m ver rstr avgint  lstint\n"
            .to_owned();
    let _ = writeln!(text, "{:=<79}", "");
    for client in clients {
        let local = client.local().to_string();
        let _ = writeln!(
            text,
            "{:<22.22} {:5} {local:<15} {:8} {} {} {:6x} {:6} {:7}",
            shown(client.remote(), view),
            client.port,
            client.count,
            client.mode,
            client.version,
            client.restrictions,
            client.interval,
            client.age,
        );
    }
    Ok(text)
}

/// How many there are: no daemon of today tells anybody of anything unasked.
pub(super) fn traps(response: &PrivateResponse) -> Result<String, InquiryError> {
    match response.items().len() {
        0 => Err(InquiryError::Nothing),
        count => Ok(format!("{count} traps\n")),
    }
}

pub(super) fn clocks(response: &PrivateResponse) -> Result<String, InquiryError> {
    let clocks = records(response, ClockInformation::LENGTH, ClockInformation::parse)?;
    let texts: Vec<_> = clocks.iter().map(clock).collect();
    Ok(texts.join("\n"))
}

fn clock(clock: &ClockInformation) -> String {
    let kind = match kind(clock.kind) {
        Some(kind) => format!("{kind} ({})", clock.kind),
        None => format!("unknown type ({})", clock.kind),
    };
    format!(
        "clock address:        {}\n\
         clock type:           {kind}\n\
         last event:           {}\n\
         current status:       {}\n\
         number of polls:      {}\n\
         no response to poll:  {}\n\
         bad format responses: {}\n\
         bad data responses:   {}\n\
         running time:         {}\n\
         fudge time 1:         {}\n\
         fudge time 2:         {}\n\
         stratum:              {}\n\
         reference ID:         {}\n\
         fudge flags:          0x{:x}\n",
        Ipv4Addr::from_bits(clock.address),
        clock.last_event,
        clock.status,
        clock.polls,
        clock.no_response,
        clock.bad_format,
        clock.bad_data,
        clock.running,
        long(clock.time1, 6),
        long(clock.time2, 6),
        clock.stratum,
        reference_id(clock.reference_id, 0),
        clock.flags,
    )
}

/// What the kinds of reference clocks that are met today are called.
fn kind(kind: u8) -> Option<&'static str> {
    Some(match kind {
        1 => "Undisciplined local clock",
        8 => "Generic reference clock driver",
        18 => "Automated Computer Time Service",
        20 => "Generic NMEA GPS Receiver",
        22 => "PPS Clock Discipline",
        28 => "Clock attached thru shared Memory",
        46 => "GPSD JSON socket",
        _ => return None,
    })
}

/// Values that mean something to who wrote the driver.
pub(super) fn clock_debugging(response: &PrivateResponse) -> Result<String, InquiryError> {
    const LENGTH: usize = 332;
    let clocks = records(response, LENGTH, |octets| Some(octets.to_vec()))?;
    let texts = clocks.iter().filter_map(|octets| debugging(octets));
    Ok(texts.collect::<Vec<_>>().join("\n"))
}

fn debugging(octets: &[u8]) -> Option<String> {
    const HEADER: usize = 12;
    let (header, rest) = octets.split_at_checked(HEADER)?;
    let [a, b, c, d, values, times, ..] = header.first_chunk::<8>()?;
    let address = Ipv4Addr::new(*a, *b, *c, *d);
    let mut text = format!("clock address:        {address}\nvalues: {values}");
    for (number, value) in rest
        .chunks_exact(4)
        .take((*values).min(16).into())
        .enumerate()
    {
        if number % 4 == 0 {
            text.push('\n');
        }
        let value = value
            .first_chunk()
            .map_or(0, |value| u32::from_be_bytes(*value));
        let _ = write!(text, "{value:12}");
    }
    let _ = writeln!(text, "\ntimes: {times}");
    Some(text)
}

pub(super) fn interfaces(response: &PrivateResponse) -> Result<String, InquiryError> {
    /// Broadcasts of that address are heard.
    const HEARS_BROADCAST: u32 = 0x20;
    let interfaces = records(response, InterfaceRecord::LENGTH, InterfaceRecord::parse)?;
    let mut text = format!(
        " # A {:>48} T E {:>12} Flg  TL #M  recv  sent  drop  S  PC  uptime\n{:=<114}\n",
        "Address/Mask/Broadcast", "IF name", ""
    );
    for one in interfaces {
        let action = match one.action {
            1 => '.',
            2 => '+',
            3 => '-',
            _ => '?',
        };
        let drops = if one.dropping == 0 { 'E' } else { 'D' };
        let name = one.name.split(|octet| *octet == 0).next();
        let name = Escaped(name.unwrap_or_default()).to_string();
        let _ = writeln!(
            text,
            "{:2} {action} {:>48} A {drops} {name:>12.12} {:03x} {:3} {:2} {:5} {:5} {:5} {:2} \
             {:3} {:7}",
            one.number,
            one.address().to_string(),
            one.flags,
            one.hops,
            one.groups,
            one.received,
            one.sent,
            one.not_sent,
            one.scope,
            one.sources,
            one.uptime,
        );
        let _ = writeln!(text, "     {:>48} M", one.mask().to_string());
        if one.address().is_ipv4() && one.flags & HEARS_BROADCAST != 0 {
            let _ = writeln!(text, "     {:>48} B", one.broadcast().to_string());
        }
    }
    Ok(text)
}
