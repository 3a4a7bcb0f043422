//! The variables of an association.

use ntp_wire::control::Flash;
use ntp_wire::{Duration, Mode, ReferenceId, Stratum, WireTimestamp};

use super::listing::{Items, minute};
use crate::{
    Engine,
    association::{Association, Security, Server, Source},
};

/// Shown if no name is asked for, where there is a value.
const DEFAULT: &[&str] = &[
    "srcadr",
    "srcport",
    "srchost",
    "dstadr",
    "dstport",
    "leap",
    "stratum",
    "precision",
    "rootdelay",
    "rootdisp",
    "refid",
    "reftime",
    "rec",
    "reach",
    "unreach",
    "hmode",
    "pmode",
    "hpoll",
    "ppoll",
    "headway",
    "flash",
    "keyid",
    "ttl",
    "offset",
    "delay",
    "dispersion",
    "jitter",
    "filtdelay",
    "filtoffset",
    "filtdisp",
    "host",
    "flags",
    "signature",
    "initsequence",
    "initkey",
    "timestamp",
    "ident",
];

/// All, in the order in which those that are asked for are shown; the last three only this daemon
/// has.
pub(super) const NAMES: &[&str] = &[
    "config",
    "authenable",
    "authentic",
    "srcadr",
    "srcport",
    "dstadr",
    "dstport",
    "leap",
    "hmode",
    "stratum",
    "ppoll",
    "hpoll",
    "precision",
    "rootdelay",
    "rootdisp",
    "refid",
    "reftime",
    "org",
    "rec",
    "xleave",
    "reach",
    "unreach",
    "timer",
    "delay",
    "offset",
    "jitter",
    "dispersion",
    "keyid",
    "filtdelay",
    "filtoffset",
    "pmode",
    "received",
    "sent",
    "filtdisp",
    "flash",
    "ttl",
    "peer_var_list",
    "in",
    "out",
    "headway",
    "bias",
    "srchost",
    "timerec",
    "timereach",
    "badauth",
    "bogusorg",
    "oldpkt",
    "seldisp",
    "selbroken",
    "candidate",
    "flags",
    "host",
    "valid",
    "initsequence",
    "initkey",
    "timestamp",
    "signature",
    "ident",
    "reject",
    "flasher",
    "autherror",
    "ntscookies",
];

/// What is shown of `association` if no name is asked for.
pub(super) fn default_names(association: &Association) -> Vec<&'static str> {
    let has_hops = matches!(
        association.source,
        Source::Announcer(_) | Source::Searcher(_)
    );
    let shown = |name: &&&str| **name != "ttl" || has_hops;
    let has_nts = association
        .server()
        .is_some_and(|server| server.nts.is_some());
    let cookies = has_nts.then_some("ntscookies");
    let names = DEFAULT.iter().filter(shown).copied();
    names.chain(cookies).collect()
}

impl Engine {
    /// Adds the variable `name` of `association`, one of [`NAMES`], if it has a value.
    pub(super) fn peer_variable(
        &self,
        association: &Association,
        name: &str,
        items: &mut Items<'_>,
    ) {
        let header = &association.last.header;
        let estimate = association.estimate();
        let server = association.server();
        let schedule = &association.schedule;
        match name {
            "srcadr" => items.plain(name, source_address(association)),
            "srcport" => items.plain(name, association.remote().map_or(self.port, |to| to.port())),
            "srchost" => {
                let is_name = |name: &str| name.parse::<std::net::IpAddr>().is_err();
                let host = &association.settings.name;
                if !matches!(association.source, Source::LocalClock(_)) && is_name(host) {
                    items.quoted(name, host);
                }
            }
            "dstadr" => items.plain(name, association.local_address()),
            "dstport" => {
                let is_open = association.endpoint().is_some()
                    || matches!(association.source, Source::LocalClock(_));
                items.plain(name, if is_open { self.port } else { 0 });
            }
            "leap" => items.plain(name, header.leap as u8),
            "stratum" => items.plain(name, header.stratum),
            "precision" => {
                let heard = association.last.received.map(|_| header.precision);
                items.plain(name, heard.unwrap_or(self.precision).value());
            }
            "rootdelay" => items.plain(name, milliseconds(header.root_delay.to_duration())),
            "rootdisp" => items.plain(name, milliseconds(header.root_dispersion.to_duration())),
            "refid" => items.plain(name, peer_reference_id(association)),
            "reftime" if server.is_none() => items.time(name, WireTimestamp::ZERO),
            "reftime" => items.time(name, header.reference_time),
            // Each answer is matched with its request and then forgotten.
            "org" => items.time(name, WireTimestamp::ZERO),
            "rec" => items.time(name, association.received_time()),
            "reach" => items.plain(name, format_args!("0x{:x}", schedule.reach())),
            "unreach" => items.plain(name, schedule.unanswered()),
            "hmode" => items.plain(name, host_mode(association)),
            "pmode" => items.plain(name, peer_mode(association)),
            "hpoll" => items.plain(name, schedule.host_poll().value()),
            "ppoll" => items.plain(name, schedule.peer_poll().value()),
            "headway" => items.plain(name, 0),
            "flash" => items.plain(name, format_args!("0x{:x}", association.flash.bits())),
            "keyid" => items.plain(name, key_id(association)),
            "offset" => items.plain(name, milliseconds(estimate.offset)),
            "delay" => items.plain(name, milliseconds(estimate.delay)),
            "dispersion" => items.plain(name, milliseconds(association.dispersion())),
            "jitter" => items.plain(name, milliseconds(estimate.jitter)),
            "filtdelay" => items.plain(name, stages(association, |sample| sample.delay)),
            "filtoffset" => items.plain(name, stages(association, |sample| sample.offset)),
            "filtdisp" => items.plain(name, stages(association, |sample| sample.dispersion)),
            "config" => items.plain(name, u8::from(!association.ephemeral)),
            // This is what ntpd 4.2.8 says: 1 where no key is set.
            "authenable" => items.plain(name, u8::from(key_id(association) == "0")),
            "authentic" => {
                let authentic = server.is_some_and(Server::is_authentic);
                items.plain(name, u8::from(authentic));
            }
            "ntscookies" => {
                if let Some(nts) = server.and_then(|server| server.nts.as_ref()) {
                    items.plain(name, nts.cookies());
                }
            }
            "timer" => {
                let left = schedule.next().since(self.now.monotonic);
                items.plain(name, left.as_secs());
            }
            "timerec" => {
                let age = association.last.received.map(|time| self.now.wall - time);
                let uptime = self.now.monotonic.since(self.started).as_secs();
                let seconds = age.map(|age| age.to_seconds_f64().max(0.0) as u64);
                items.plain(name, seconds.unwrap_or(uptime));
            }
            "timereach" => {
                let since = association.reach_changed.unwrap_or(self.started);
                items.plain(name, self.now.monotonic.since(since).as_secs());
            }
            "peer_var_list" => items.quoted(name, &NAMES.join(",")),
            // A sample that is too old, or of a server without time, is not counted but shown.
            "seldisp" | "selbroken" => items.plain(name, 0),
            "candidate" => items.plain(name, association.tally as u8),
            "reject" | "flasher" => items.quoted(name, &why_not_used(association)),
            "received" => items.plain(name, received(association)),
            "sent" => items.plain(name, sent(association)),
            "ttl" => match &association.source {
                Source::Announcer(announcer) => items.plain(name, announcer.hops),
                Source::Searcher(searcher) => items.plain(name, searcher.hops()),
                _ => items.plain(name, 0),
            },
            "badauth" => items.plain(name, server.map_or(0, |server| server.bad_authentication)),
            "bogusorg" => items.plain(name, server.map_or(0, |server| server.bogus)),
            "oldpkt" => items.plain(name, server.map_or(0, |server| server.duplicates)),
            "autherror" => {
                let problem = server.and_then(|server| server.problem.as_deref());
                items.quoted(name, problem.unwrap_or_default());
            }
            _ => {
                if let Some(server) = server {
                    autokey_variable(association, server, self.now.wall, name, items);
                }
            }
        }
    }
}

/// Nothing of it is there without Autokey, or before it is known.
fn autokey_variable(
    association: &Association,
    server: &Server,
    now: ntp_wire::Timestamp,
    name: &str,
    items: &mut Items<'_>,
) {
    let Some(autokey) = &server.autokey else {
        return;
    };
    let text = match name {
        "flags" => {
            items.plain(name, autokey.status());
            None
        }
        "initsequence" | "initkey" | "timestamp" => {
            if let Some((sequence, key_id, stamp)) = autokey.autokey_values() {
                match name {
                    "initsequence" => items.plain(name, sequence),
                    "initkey" => items.plain(name, format_args!("{:#x}", key_id.value())),
                    _ => items.plain(name, minute(stamp.near(now))),
                }
            }
            None
        }
        "host" => autokey.server_name(),
        "signature" => autokey.signature_name(),
        "ident" => match &association.settings.security {
            Security::Autokey { ident } => ident.as_deref(),
            _ => None,
        },
        _ => None,
    };
    if let Some(text) = text {
        items.quoted(name, text);
    }
}

/// Address and port, an IPv6 address in brackets.
pub(super) fn source_endpoint(association: &Association, port: u16) -> String {
    match association.endpoint() {
        Some(endpoint) => endpoint.remote.to_string(),
        None => format!("{}:{port}", source_address(association)),
    }
}

pub(crate) fn source_address(association: &Association) -> String {
    match (&association.source, association.endpoint()) {
        (Source::LocalClock(clock), _) => clock.address().to_string(),
        (_, Some(endpoint)) => endpoint.remote.ip().to_string(),
        (_, None) => "0.0.0.0".into(),
    }
}

/// The mode of our packets; a reference clock is read as a server is. 6, of which there are no
/// packets, is for one that is listened to.
pub(crate) fn host_mode(association: &Association) -> u8 {
    if let Source::Announcer(_) = association.source {
        return Mode::Broadcast as u8;
    }
    association.server().map_or(Mode::Client as u8, |server| {
        let listening = server.listening.as_ref();
        match listening.is_some_and(|listening| !listening.is_measuring()) {
            true => 6,
            false => server.role.mode() as u8,
        }
    })
}

/// The mode of the last packet that was believed; 0 before the first.
pub(crate) fn peer_mode(association: &Association) -> u8 {
    match association.last.received {
        None => 0,
        Some(_) if association.server().is_none() => Mode::Server as u8,
        Some(_) => association.last.header.mode as u8,
    }
}

/// Packets of a source.
pub(crate) struct Counted {
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

pub(crate) fn counted(association: &Association) -> Counted {
    Counted {
        received: received(association),
        sent: sent(association),
    }
}

/// A reference clock is asked and answers at once.
fn received(association: &Association) -> u64 {
    match &association.source {
        Source::Server(server) => server.received,
        Source::LocalClock(clock) => clock.polls.into(),
        Source::Pool(_) | Source::Announcer(_) | Source::Searcher(_) => 0,
    }
}

fn sent(association: &Association) -> u64 {
    match &association.source {
        Source::Announcer(announcer) => announcer.sent,
        Source::Searcher(searcher) => searcher.sent,
        Source::Server(server) => server.sent,
        Source::LocalClock(clock) => clock.polls.into(),
        Source::Pool(_) => 0,
    }
}

fn key_id(association: &Association) -> String {
    let id = match &association.settings.security {
        Security::Key(id) => Some(*id),
        Security::Autokey { .. } => association
            .server()
            .and_then(|server| server.autokey.as_ref()?.session_key_id()),
        Security::None | Security::Nts(_) => None,
    };
    id.map_or_else(|| "0".into(), |id| id.to_string())
}

/// That of a clock of this machine is its name, whatever stratum it was given.
fn peer_reference_id(association: &Association) -> String {
    let header = &association.last.header;
    let stratum = match association.source {
        Source::LocalClock(_) => Stratum::PRIMARY,
        _ => header.stratum,
    };
    reference_id(stratum, header.reference_id)
}

/// Letters at stratum 0, 1 and 16, an address between.
pub(crate) fn reference_id(stratum: Stratum, id: ReferenceId) -> String {
    let is_address = stratum > Stratum::PRIMARY && stratum < Stratum::UNSYNCHRONISED;
    match id.as_text() {
        Some(text) if !is_address => text.to_owned(),
        _ => std::net::Ipv4Addr::from(id.to_bytes()).to_string(),
    }
}

/// Three decimals, in milliseconds.
pub(super) fn milliseconds(duration: Duration) -> String {
    format!("{:.3}", duration.to_seconds_f64() * 1e3)
}

/// All eight stages, the newest first, in milliseconds with two decimals.
fn stages(association: &Association, of: impl Fn(&ntp_discipline::Sample) -> Duration) -> String {
    association
        .filter
        .stages()
        .iter()
        .map(|sample| format!(" {:.2}", of(sample).to_seconds_f64() * 1e3))
        .collect()
}

/// Why the selection passed it over, in words.
fn why_not_used(association: &Association) -> String {
    let flash: Flash = association.flash;
    if flash.is_empty() {
        association
            .tally
            .word()
            .trim_start_matches("sel_")
            .to_owned()
    } else {
        flash.to_string()
    }
}
