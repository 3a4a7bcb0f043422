//! `listpeers`, `peers`, `dmpeers`, `showpeer` and `pstats`.

use core::fmt::Write;
use std::net::Ipv4Addr;

use ntp_wire::{
    Mode, WireTimestamp,
    private::{PeerInformation, PeerListEntry, PeerStatistics, PeerSummary, SourceFlags},
};

use super::{
    Family, InquiryError, PrivateResponse,
    inquiry::records,
    numbers::{long, short, unsigned},
};
use crate::{Escaped, View, address::host, pretty_date, summary::mode};

/// How often sources are asked at least and at most, in log2 s.
const POLLS: core::ops::RangeInclusive<i8> = 3..=17;
/// The mode of one who listens to broadcasts. It is none of packets.
const LISTENS: u8 = 6;

pub(super) fn list(
    response: &PrivateResponse,
    family: Option<Family>,
    view: &View<'_>,
) -> Result<String, InquiryError> {
    let mut text = String::new();
    for entry in records(response, PeerListEntry::LENGTH, PeerListEntry::parse)? {
        let address = entry.remote();
        if family.is_some_and(|family| !family.has(address)) {
            continue;
        }
        let name = shown(address, view);
        let _ = write!(text, "{:<12} {name}", mode(entry.host_mode));
        if name != address.to_string() {
            let _ = write!(text, " ({address})");
        }
        text.push('\n');
    }
    Ok(text)
}

pub(super) fn table(
    response: &PrivateResponse,
    family: Option<Family>,
    by_merit: bool,
    view: &View<'_>,
) -> Result<String, InquiryError> {
    let summaries = records(response, PeerSummary::LENGTH, PeerSummary::parse)?;
    let mut text =
        "     remote           local      st poll reach  delay   offset    disp\n".to_owned();
    let _ = writeln!(text, "{:=<71}", "");
    for peer in summaries {
        if family.is_some_and(|family| !family.has(peer.remote())) {
            continue;
        }
        let flags = SourceFlags(peer.flags.into());
        let mark = match by_merit {
            true => mark_by_merit(flags),
            false => mark_by_mode(flags, peer.host_mode),
        };
        let poll = peer.peer_poll.min(peer.host_poll);
        let poll = poll.clamp(*POLLS.start(), *POLLS.end());
        let _ = writeln!(
            text,
            "{mark}{:<15.15} {:<15.15} {:2} {:4}  {:3o} {:>7.7} {:>9.9} {:>7.7}",
            shown(peer.remote(), view),
            peer.local().to_string(),
            peer.stratum,
            1_u32 << poll,
            peer.reach,
            short(peer.delay, 5),
            long(peer.offset, 6),
            unsigned(peer.dispersion, 5),
        );
    }
    Ok(text)
}

fn mark_by_mode(flags: SourceFlags, host_mode: u8) -> char {
    if flags.contains(SourceFlags::SYSTEM_PEER) {
        return '*';
    }
    match host_mode {
        LISTENS => '~',
        host_mode => match Mode::from_bits(host_mode) {
            _ if host_mode > 7 => ' ',
            Mode::SymmetricActive => '+',
            Mode::SymmetricPassive => '-',
            Mode::Client => '=',
            Mode::Broadcast => '^',
            _ => ' ',
        },
    }
}

fn mark_by_merit(flags: SourceFlags) -> char {
    let marks = [
        (SourceFlags::SYSTEM_PEER, '*'),
        (SourceFlags::SHORT_LIST, '+'),
        (SourceFlags::CANDIDATE, '.'),
    ];
    let found = marks.into_iter().find(|(flag, _)| flags.contains(*flag));
    found.map_or(' ', |(_, mark)| mark)
}

pub(super) fn all_of_each(
    response: &PrivateResponse,
    view: &View<'_>,
) -> Result<String, InquiryError> {
    let peers = records(response, PeerInformation::LENGTH, PeerInformation::parse)?;
    let texts: Vec<_> = peers.iter().map(|peer| all(peer, view)).collect();
    Ok(texts.join("\n"))
}

fn all(peer: &PeerInformation, view: &View<'_>) -> String {
    let time = |time: WireTimestamp| pretty_date(time, view.now, view.zone);
    let row = |items: Vec<String>| {
        let (first, second) = items.split_at(items.len() / 2);
        let line = |half: &[String]| {
            let cells = half.iter().map(|cell| format!(" {cell:<8.8}"));
            cells.collect::<String>()
        };
        format!("{}\n              {}", line(first), line(second))
    };
    let flags = SourceFlags(peer.flags.into());
    let is_clock = flags.contains(SourceFlags::REFERENCE_CLOCK);
    let delays = peer.filter_delay.iter().map(|delay| short(*delay, 5));
    let offsets = peer.filter_offset.iter().map(|offset| long(*offset, 6));
    format!(
        "remote {}, local {}\n\
         hmode {}, pmode {}, stratum {}, precision {}\n\
         leap {:02b}, refid [{}], rootdistance {}, rootdispersion {}\n\
         ppoll {}, hpoll {}, keyid {}, version {}, association {}\n\
         reach {:03o}, unreach {}, flash 0x{:04x}, boffset {}, ttl/mode {}\n\
         timer {}s, flags{}\n\
         reference time:      {}\n\
         originate timestamp: {}\n\
         receive timestamp:   {}\n\
         transmit timestamp:  {}\n\
         filter delay: {}\n\
         filter offset:{}\n\
         filter order: {}\n\
         offset {}, delay {}, error bound {}, filter error {}\n",
        peer.remote(),
        peer.local(),
        mode(peer.host_mode),
        mode(peer.peer_mode),
        peer.stratum,
        peer.precision,
        peer.leap & 3,
        reference_id(peer.reference_id, if is_clock { 0 } else { peer.stratum }),
        unsigned(peer.root_delay, 5),
        unsigned(peer.root_dispersion, 5),
        peer.peer_poll,
        peer.host_poll,
        peer.key_id.0,
        peer.version,
        peer.association,
        peer.reach,
        peer.unanswered,
        peer.flash.0,
        short(peer.broadcast_delay, 5),
        peer.hops,
        peer.timer,
        words(flags),
        time(peer.reference_time),
        time(peer.origin_time),
        time(peer.receive_time),
        time(peer.transmit_time),
        row(delays.collect()),
        row(offsets.collect()),
        row(peer.filter_order.iter().map(u8::to_string).collect()),
        long(peer.offset, 6),
        short(peer.delay, 5),
        unsigned(peer.dispersion, 5),
        unsigned(peer.jitter, 5),
    )
}

pub(super) fn statistics(
    response: &PrivateResponse,
    view: &View<'_>,
) -> Result<String, InquiryError> {
    let peers = records(response, PeerStatistics::LENGTH, PeerStatistics::parse)?;
    let mut text = String::new();
    for (number, peer) in (1..).zip(&peers) {
        for (label, value) in [
            ("remote host:", shown(peer.remote(), view)),
            ("local interface:", peer.local().to_string()),
            ("time last received:", format!("{}s", peer.since_received)),
            ("time until next send:", format!("{}s", peer.until_sent)),
            ("reachability change:", format!("{}s", peer.since_reachable)),
            ("packets sent:", peer.sent.to_string()),
            ("packets received:", peer.processed.to_string()),
            ("bad authentication:", peer.bad_authentication.to_string()),
            ("bogus origin:", peer.bogus_origin.to_string()),
            ("duplicate:", peer.duplicates.to_string()),
            ("bad dispersion:", peer.bad_dispersion.to_string()),
            ("bad reference time:", peer.bad_reference_time.to_string()),
            ("candidate order:", peer.candidate.to_string()),
        ] {
            let _ = writeln!(text, "{label:<22}{value}");
        }
        // The reference has the line between two peers before the last of the first.
        if number < peers.len() {
            text.push('\n');
        }
        let _ = writeln!(text, "flags:\t{}", words(SourceFlags(peer.flags)));
    }
    Ok(text)
}

/// The flags, each after a blank.
fn words(flags: SourceFlags) -> String {
    const WORDS: [(SourceFlags, &str); 9] = [
        (SourceFlags::SYSTEM_PEER, " system_peer"),
        (SourceFlags::CONFIGURED, " config"),
        (SourceFlags::REFERENCE_CLOCK, " refclock"),
        (SourceFlags::AUTHENTICATION, " auth"),
        (SourceFlags::PREFER, " prefer"),
        (SourceFlags::INITIAL_BURST, " iburst"),
        (SourceFlags::BURST, " burst"),
        (SourceFlags::CANDIDATE, " candidate"),
        (SourceFlags::SHORT_LIST, " shortlist"),
    ];
    if flags == SourceFlags::default() {
        return " none".to_owned();
    }
    let has = WORDS.iter().filter(|(flag, _)| flags.contains(*flag));
    has.map(|(_, word)| *word).collect::<Vec<_>>().join(",")
}

/// Letters where the stratum says so, else an address.
pub(super) fn reference_id(id: [u8; 4], stratum: u8) -> String {
    if stratum > 1 {
        return Ipv4Addr::from(id).to_string();
    }
    let letters = id.split(|octet| *octet == 0).next().unwrap_or_default();
    Escaped(letters).to_string()
}

/// The name of an address if names are wanted, or the address.
pub(super) fn shown(address: std::net::IpAddr, view: &View<'_>) -> String {
    Escaped(host(address, view).as_bytes()).to_string()
}
