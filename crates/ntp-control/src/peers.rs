//! ntpq's tables of peers.

use core::fmt::Write;
use std::net::IpAddr;

use ntp_wire::{Mode, WireTimestamp};

use crate::{
    Association, Escaped, Variables, View,
    address::{self, is_reference_clock, reference_clock},
    cooked::timestamp,
    decimal::{decimal, fixed, signed, unsigned},
};

/// What stands in the columns after the name of the peer, and in the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Columns {
    /// `peers`: whom the peer follows.
    ReferenceId,
    /// `apeers`: that, as the number it is, and the number of the association.
    AssociationId,
    /// `opeers`: our address, and the dispersion instead of the jitter.
    Local,
    /// `rpeers`, of NTPsec: as `peers`, with the name at the end, where it may be long.
    NameLast,
}

/// The column in front of all others where several servers are asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServerColumn<'a> {
    /// The server, as it was given.
    pub name: &'a str,
    /// How wide the column is: as the longest name.
    pub width: usize,
}

/// The two lines above the rows.
pub fn heading(columns: Columns, server: Option<ServerColumn<'_>>) -> String {
    let words = match columns {
        Columns::ReferenceId => {
            "     remote           refid      st t when poll reach   delay   offset  jitter"
        }
        Columns::AssociationId => {
            "     remote       refid   assid  st t when poll reach   delay   offset  jitter"
        }
        Columns::Local => {
            "     remote           local      st t when poll reach   delay   offset    disp"
        }
        Columns::NameLast => {
            " st t when poll reach   delay   offset  jitter refid           T remote"
        }
    };
    match server {
        Some(ServerColumn { width, .. }) => {
            let rule = width + 1 + 78;
            let title = match columns {
                Columns::Local => "server",
                _ => "server (local)",
            };
            format!("{title:width$.width$} {words}\n{:=<rule$}\n", "")
        }
        None => format!("{words}\n{:=<78}\n", ""),
    }
}

/// The row of one association, from the variables that "read variables" gave of it.
///
/// `only` is the address family to show: `Some(true)` for IPv6.
///
/// ```
/// use ntp_control::{Association, View, peers::{self, Columns}};
/// use ntp_wire::{AssociationId, Timestamp, control::PeerStatus};
///
/// let association = Association {
///     id: AssociationId::new(28203),
///     status: PeerStatus::from_bits(0x961a),
/// };
/// let data = b"srcadr=192.0.2.1, stratum=2, refid=203.0.113.1, rec=0xeeae14b5.67670cf4, \
///     reach=0xff, hmode=3, hpoll=6, ppoll=6, offset=-0.25, delay=1.5, jitter=0.125";
/// let view = View::new(Timestamp::from_unix(1_795_397_175, 0));
/// let columns = Columns::ReferenceId;
/// assert_eq!(
///     peers::row(&association, data, columns, None, None, &view).unwrap(),
///     "*192.0.2.1       203.0.113.1      2 u    2   64  377    1.500   -0.250   0.125\n"
/// );
/// ```
pub fn row(
    association: &Association,
    data: &[u8],
    columns: Columns,
    server: Option<ServerColumn<'_>>,
    only: Option<bool>,
    view: &View<'_>,
) -> Option<String> {
    let peer = Peer::read(data);
    if only.is_some_and(|ipv6| peer.source.is_ipv6() != ipv6) {
        return None;
    }
    let mut text = String::new();
    if let Some(ServerColumn { name, width }) = server {
        // Where our address has a column of its own, the server's name is not hidden by it.
        let name = match peer.local.filter(|_| columns != Columns::Local) {
            Some(local) => {
                let local = address::host(local, view);
                cut_left(Escaped(local.as_bytes()).to_string(), width)
            }
            None => name.to_owned(),
        };
        text = format!("{name:width$} ");
    }
    let name = peer
        .name
        .clone()
        .filter(|_| columns != Columns::Local)
        .unwrap_or_else(|| Escaped(address::host(peer.source, view).as_bytes()).to_string());
    let tally = association.status.selection().tally();
    let second = peer.second_column(columns);
    // Writing to a String cannot fail.
    let _ = match columns {
        Columns::NameLast => Ok(()),
        _ if view.wide && name.len() > 15 => write!(text, "{tally}{name}\n{:17}", ""),
        _ => write!(text, "{tally}{name:15.15} "),
    };
    let _ = match columns {
        Columns::NameLast => Ok(()),
        Columns::AssociationId => write!(text, "{second:9}{:<6}", association.id.value()),
        Columns::ReferenceId | Columns::Local => write!(text, "{second:15}"),
    };
    let last = match (columns, peer.jitter) {
        (Columns::Local, _) | (_, None) => peer.dispersion,
        (_, Some(jitter)) => jitter,
    };
    let _ = write!(
        text,
        " {:2} {} {:>4.4} {:>4.4}  {:3o}  {:>7.7} {:>8.7} {:>7.7}",
        peer.stratum,
        peer.kind(),
        interval(peer.since(view)),
        interval(peer.poll_interval()),
        peer.reach,
        fixed(peer.delay, 3),
        signed(peer.offset, 3),
        fixed(last, 3),
    );
    if columns == Columns::NameLast {
        let _ = write!(text, " {second:15} {tally} {name}");
    }
    text.push('\n');
    Some(text)
}

/// The variables of a row.
struct Peer {
    source: IpAddr,
    local: Option<IpAddr>,
    name: Option<String>,
    reference_id: String,
    stratum: u32,
    mode: u32,
    host_poll: i32,
    peer_poll: i32,
    reach: u32,
    flash: u32,
    reference_time: WireTimestamp,
    receive_time: WireTimestamp,
    delay: f64,
    offset: f64,
    jitter: Option<f64>,
    dispersion: f64,
}

/// The bit of `flash` that tells of a synchronisation loop.
const LOOP: u32 = 0x800;

impl Peer {
    fn read(data: &[u8]) -> Self {
        let mut peer = Self {
            source: IpAddr::from([0; 4]),
            local: None,
            name: None,
            reference_id: String::new(),
            stratum: 0,
            mode: Mode::Client as u32,
            host_poll: 0,
            peer_poll: 0,
            reach: 0,
            flash: 0,
            reference_time: WireTimestamp::ZERO,
            receive_time: WireTimestamp::ZERO,
            delay: 0.0,
            offset: 0.0,
            jitter: None,
            dispersion: 0.0,
        };
        for variable in Variables::new(data) {
            let text = variable.text().unwrap_or_default();
            let number = || unsigned(text).unwrap_or_default();
            let exponent = || {
                // Minus one is how a daemon says "not known": taken for the shortest interval.
                text.parse()
                    .map_or(0, |poll| if poll < 0 { 3 } else { poll })
            };
            let milliseconds = || decimal(text).unwrap_or_default();
            let time = || timestamp(text).unwrap_or_default();
            match variable.name {
                b"srcadr" | b"peeradr" => {
                    if let Some((source, _)) = address::address(text) {
                        peer.source = source;
                    }
                }
                b"dstadr" => peer.local = address::address(text).map(|(local, _)| local),
                b"srchost" => {
                    let name = variable.unquoted();
                    peer.name = (!name.is_empty()).then(|| Escaped(name).to_string());
                }
                b"refid" => peer.reference_id = text.to_owned(),
                b"stratum" => peer.stratum = number(),
                b"hmode" => peer.mode = number(),
                b"hpoll" => peer.host_poll = exponent(),
                b"ppoll" => peer.peer_poll = exponent(),
                b"reach" => peer.reach = number(),
                b"flash" => peer.flash = number(),
                b"reftime" => peer.reference_time = time(),
                b"rec" => peer.receive_time = time(),
                b"delay" => peer.delay = milliseconds(),
                b"offset" => peer.offset = milliseconds(),
                b"jitter" => peer.jitter = Some(milliseconds()),
                b"dispersion" => peer.dispersion = milliseconds(),
                _ => {}
            }
        }
        peer
    }

    fn second_column(&self, columns: Columns) -> String {
        if columns == Columns::Local {
            let local = self.local.map(|local| local.to_string());
            return cut_left(local.unwrap_or_default(), 15);
        }
        if self.flash & LOOP != 0 {
            return "(loop)".to_owned();
        }
        let id = &self.reference_id;
        if id.len() <= 4 {
            return match id.as_str() {
                "" => String::new(),
                id => format!(".{}.", Escaped(id.as_bytes())),
            };
        }
        match address::address(id) {
            Some((address, _)) if is_reference_clock(address) => {
                reference_clock(address).unwrap_or_default()
            }
            Some((IpAddr::V4(address), _))
                if columns == Columns::AssociationId && !address.is_unspecified() =>
            {
                format!("{:x}", address.to_bits())
            }
            Some((address, _)) => address.to_string(),
            None => String::new(),
        }
    }

    /// The letter of column `t`.
    fn kind(&self) -> char {
        match self.mode {
            1 => 's',
            2 => 'S',
            5 if self.source.is_multicast() => 'M',
            5 => 'B',
            6 => 'b',
            _ if is_reference_clock(self.source) => 'l',
            _ if self.source.is_unspecified() => 'p',
            _ if self.source.is_multicast() => 'a',
            _ => 'u',
        }
    }

    /// Seconds since the last packet came, or if none came since the peer's clock was set.
    fn since(&self, view: &View<'_>) -> i64 {
        let last = if self.receive_time.is_zero() {
            self.reference_time
        } else {
            self.receive_time
        };
        if last.is_zero() {
            return 0;
        }
        view.now.seconds() - last.near(view.now).seconds()
    }

    fn poll_interval(&self) -> i64 {
        1 << self.host_poll.min(self.peer_poll).clamp(0, 17)
    }
}

/// Seconds in four columns: `-`, `2048`, `35m`, `36h`, `5d`.
fn interval(seconds: i64) -> String {
    if seconds <= 0 {
        return "-".to_owned();
    }
    if seconds <= 2048 {
        return seconds.to_string();
    }
    let minutes = (seconds + 29) / 60;
    if minutes <= 300 {
        return format!("{minutes}m");
    }
    let hours = (minutes + 29) / 60;
    if hours <= 96 {
        return format!("{hours}h");
    }
    let days = (hours + 11) / 24;
    if days <= 999 {
        return format!("{days}d");
    }
    format!("{}y", (days + 182) / 365)
}

/// The end of `text`, an underscore in front if something was cut.
fn cut_left(text: String, width: usize) -> String {
    let cut = (text.len() + 1).saturating_sub(width);
    match text.get(cut..) {
        Some(end) if text.len() > width => format!("_{end}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
