//! The variables of an association.

use ntp_wire::control::Flash;
use ntp_wire::{Duration, Mode, ReferenceId, Stratum};

use super::listing::Items;
use crate::{
    Engine,
    association::{Association, Security, Server, Source},
};

/// Shown of every association, if no name is asked for.
const DEFAULT: &[&str] = &[
    "srcadr",
    "srcport",
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
    "offset",
    "delay",
    "dispersion",
    "jitter",
    "filtdelay",
    "filtoffset",
    "filtdisp",
];

/// Shown besides of one with Autokey.
const AUTOKEY: &[&str] = &["host", "flags", "signature", "ident"];

/// What is shown of `association` if no name is asked for.
pub(super) fn default_names(association: &Association) -> Vec<&'static str> {
    let mut names = DEFAULT.to_vec();
    let Some(server) = association.server() else {
        return names;
    };
    if let Some(autokey) = &server.autokey {
        let known = |name: &&&str| match **name {
            "host" => autokey.server_name().is_some(),
            "signature" => autokey.signature_name().is_some(),
            "ident" => {
                matches!(
                    &association.settings.security,
                    Security::Autokey { ident: Some(_) }
                )
            }
            _ => true,
        };
        names.extend(AUTOKEY.iter().filter(known));
    }
    names
}

impl Engine {
    /// Adds the variable `name` of `association`; `false` if there is none.
    pub(super) fn peer_variable(
        &self,
        association: &Association,
        name: &str,
        items: &mut Items<'_>,
    ) -> bool {
        let header = &association.last.header;
        let estimate = association.estimate();
        let server = association.server();
        match name {
            "srcadr" => items.plain(name, source_address(association)),
            "srcport" => items.plain(name, association.remote().map_or(self.port, |to| to.port())),
            "srchost" => items.quoted(name, &association.settings.name),
            "dstadr" => items.plain(name, local_address(association)),
            "dstport" => items.plain(name, self.port),
            "leap" => items.plain(name, header.leap as u8),
            "stratum" => items.plain(name, header.stratum),
            "precision" => items.plain(name, header.precision.value()),
            "rootdelay" => items.plain(name, milliseconds(header.root_delay.to_duration())),
            "rootdisp" => items.plain(name, milliseconds(header.root_dispersion.to_duration())),
            "refid" => items.plain(name, reference_id(header.stratum, header.reference_id)),
            "reftime" if server.is_none() => items.time(name, ntp_wire::WireTimestamp::ZERO),
            "reftime" => items.time(name, header.reference_time),
            "rec" => items.time(name, association.received_time()),
            "reach" => items.plain(name, format_args!("0x{:x}", association.schedule.reach())),
            "unreach" => items.plain(name, association.schedule.unanswered()),
            "hmode" => items.plain(name, host_mode(association)),
            "pmode" => items.plain(name, peer_mode(association)),
            "hpoll" => items.plain(name, association.schedule.host_poll().value()),
            "ppoll" => items.plain(name, association.schedule.peer_poll().value()),
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
            "reject" | "flasher" => items.quoted(name, &why_not_used(association)),
            "received" => items.plain(name, server.map_or(0, |server| server.received)),
            "sent" => items.plain(name, sent(association)),
            "ttl" => match &association.source {
                Source::Announcer(announcer) => items.plain(name, announcer.hops),
                Source::Searcher(searcher) => items.plain(name, searcher.hops()),
                _ => items.plain(name, 0),
            },
            "badauth" => items.plain(name, server.map_or(0, |server| server.bad_authentication)),
            "bogusorg" => items.plain(name, server.map_or(0, |server| server.bogus)),
            "autherror" => {
                let problem = server.and_then(|server| server.problem.as_deref());
                items.quoted(name, problem.unwrap_or_default())
            }
            "oldpkt" => items.plain(name, server.map_or(0, |server| server.duplicates)),
            _ => server.is_some_and(|server| autokey_variable(association, server, name, items)),
        }
    }
}

fn autokey_variable(
    association: &Association,
    server: &Server,
    name: &str,
    items: &mut Items<'_>,
) -> bool {
    let Some(autokey) = &server.autokey else {
        return false;
    };
    match name {
        "host" => items.quoted(name, autokey.server_name().unwrap_or("")),
        "flags" => items.plain(name, autokey.status()),
        "signature" => items.quoted(name, autokey.signature_name().unwrap_or("")),
        "ident" => match &association.settings.security {
            Security::Autokey { ident } => items.quoted(name, ident.as_deref().unwrap_or("")),
            _ => false,
        },
        _ => false,
    }
}

fn source_address(association: &Association) -> String {
    match (&association.source, association.endpoint()) {
        (Source::LocalClock(clock), _) => clock.address().to_string(),
        (_, Some(endpoint)) => endpoint.remote.ip().to_string(),
        (_, None) => "0.0.0.0".into(),
    }
}

fn local_address(association: &Association) -> String {
    match (&association.source, association.endpoint()) {
        (Source::LocalClock(_), _) => "127.0.0.1".into(),
        (_, Some(endpoint)) => endpoint.local.to_string(),
        (_, None) => "0.0.0.0".into(),
    }
}

/// The mode of our packets; a reference clock is read as a server is. 6, of which there are no
/// packets, is for one that is listened to.
fn host_mode(association: &Association) -> u8 {
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
fn peer_mode(association: &Association) -> u8 {
    match association.last.received {
        None => 0,
        Some(_) if association.server().is_none() => Mode::Server as u8,
        Some(_) => association.last.header.mode as u8,
    }
}

fn sent(association: &Association) -> u64 {
    match &association.source {
        Source::Announcer(announcer) => announcer.sent,
        Source::Searcher(searcher) => searcher.sent,
        Source::Server(server) => server.sent,
        Source::LocalClock(_) | Source::Pool(_) => 0,
    }
}

fn key_id(association: &Association) -> String {
    match &association.settings.security {
        Security::Key(id) => id.to_string(),
        Security::None | Security::Autokey { .. } => "0".into(),
    }
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
