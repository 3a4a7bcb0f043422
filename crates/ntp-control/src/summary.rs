//! Some variables under labels of their own: `sysinfo`, `sysstats` and their kin.

use core::fmt::Write;
use std::net::IpAddr;

use ntp_wire::AssociationId;

use crate::{
    Escaped, Kind, Request, Variable, Variables, View,
    address::{address, host, is_reference_clock},
    cooked, status_line,
};

/// One of ntpq's labelled lists.
///
/// ```
/// use ntp_control::{Summary, View};
/// use ntp_wire::{AssociationId, Timestamp};
///
/// let request = Summary::Timers.request(AssociationId::SYSTEM);
/// assert_eq!(request.data, b"timerstats_reset,timer_overruns,timer_xmts");
/// let view = View::new(Timestamp::default());
/// assert_eq!(
///     Summary::Timers.text(AssociationId::SYSTEM, 0, b"timer_overruns=0", &view),
///     "timer overruns:      0\n"
/// );
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Summary {
    /// `sysinfo`: the system at a glance.
    System,
    /// `kerninfo`: the kernel's clock discipline and PPS.
    Kernel,
    /// `sysstats`: packets by their fate.
    Packets,
    /// `monstats`: the list of clients.
    Monitor,
    /// `authinfo`: symmetric keys.
    Authentication,
    /// `ntsinfo`: Network Time Security, of servers that know it; NTPsec's words.
    NetworkTimeSecurity,
    /// `iostats`: input and output.
    InputOutput,
    /// `timerstats`: the timer.
    Timers,
    /// `pstats`: an association.
    Peer,
}

/// How a value is shown.
#[derive(Clone, Copy)]
enum Show {
    Text,
    Leap,
    Mode,
    /// A host and its port.
    Host,
    /// A host whose port is in another variable.
    HostWithPort(&'static str),
    Time,
}

type Row = (&'static str, &'static str, Show);

impl Summary {
    /// The request whose response [`Summary::text`] shows; all but [`Summary::Peer`] are about the
    /// system, and ignore `association`.
    pub fn request(self, association: AssociationId) -> Request {
        let mut names = Vec::new();
        for (name, _, show) in self.rows() {
            names.push(*name);
            if let Show::HostWithPort(port) = show {
                names.push(port);
            }
        }
        let association = match self {
            Self::Peer => association,
            _ => AssociationId::SYSTEM,
        };
        Request::read_variables(association, &names.join(","))
    }

    /// The list, without the variables that the server did not send.
    pub fn text(
        self,
        association: AssociationId,
        status: u16,
        data: &[u8],
        view: &View<'_>,
    ) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if matches!(self, Self::System | Self::Kernel | Self::Peer) {
            let kind = Kind::of(association);
            let words = status_line(kind, status);
            let _ = writeln!(text, "associd={association} status={status:04x} {words},");
        }
        let rows = self.rows();
        let width = rows.iter().map(|(_, label, _)| label.len()).max();
        let width = width.unwrap_or_default();
        let variables = Variables::new(data);
        for (name, label, show) in rows {
            if let Some(variable) = variables.named(name) {
                let value = show.value(&variable, &variables, view);
                let _ = writeln!(text, "{label:width$}  {value}");
            }
        }
        text
    }

    const fn rows(self) -> &'static [Row] {
        match self {
            Self::System => SYSTEM,
            Self::Kernel => KERNEL,
            Self::Packets => PACKETS,
            Self::Monitor => MONITOR,
            Self::Authentication => AUTHENTICATION,
            Self::NetworkTimeSecurity => NETWORK_TIME_SECURITY,
            Self::InputOutput => INPUT_OUTPUT,
            Self::Timers => TIMERS,
            Self::Peer => PEER,
        }
    }
}

impl Show {
    fn value(self, variable: &Variable<'_>, all: &Variables<'_>, view: &View<'_>) -> String {
        let plain = Escaped(variable.unquoted()).to_string();
        let Some(text) = variable.text() else {
            return plain;
        };
        let shown = match self {
            Self::Text => None,
            Self::Leap => cooked::leap(text),
            Self::Mode => text.parse().ok().map(mode),
            Self::Host => address(text).map(|(address, port)| {
                let port = port.map(|port| port.to_string());
                host_and_port(address, port.as_deref(), view)
            }),
            Self::HostWithPort(port) => address(text).map(|(address, _)| {
                let port = all.named(port);
                let port = port.map(|port| Escaped(port.unquoted()).to_string());
                host_and_port(address, port.as_deref(), view)
            }),
            Self::Time => cooked::time(text, view),
        };
        shown.unwrap_or(plain)
    }
}

/// A host and its port; a reference clock with a name has none.
fn host_and_port(address: IpAddr, port: Option<&str>, view: &View<'_>) -> String {
    let host = Escaped(host(address, view).as_bytes()).to_string();
    match port {
        None => host,
        Some(_) if view.names.is_some() && is_reference_clock(address) => host,
        // IPv6 addresses have colons of their own, so they stand in brackets.
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
    }
}

pub(crate) fn mode(mode: u8) -> String {
    match mode {
        0 => "unspec",
        1 => "sym_active",
        2 => "sym_passive",
        3 => "client",
        4 => "server",
        5 => "broadcast",
        6 => "control",
        7 => "private",
        8 => "bclient",
        mode => return format!("mode#{mode}"),
    }
    .to_owned()
}

const SYSTEM: &[Row] = &[
    ("peeradr", "system peer:", Show::Host),
    ("peermode", "system peer mode:", Show::Mode),
    ("leap", "leap indicator:", Show::Leap),
    ("stratum", "stratum:", Show::Text),
    ("precision", "log2 precision:", Show::Text),
    ("rootdelay", "root delay:", Show::Text),
    ("rootdisp", "root dispersion:", Show::Text),
    ("refid", "reference ID:", Show::Text),
    ("reftime", "reference time:", Show::Time),
    ("sys_jitter", "system jitter:", Show::Text),
    ("clk_jitter", "clock jitter:", Show::Text),
    ("clk_wander", "clock wander:", Show::Text),
    ("bcastdelay", "broadcast delay:", Show::Text),
    ("authdelay", "symm. auth. delay:", Show::Text),
];

const KERNEL: &[Row] = &[
    ("koffset", "pll offset:", Show::Text),
    ("kfreq", "pll frequency:", Show::Text),
    ("kmaxerr", "maximum error:", Show::Text),
    ("kesterr", "estimated error:", Show::Text),
    ("kstflags", "kernel status:", Show::Text),
    ("ktimeconst", "pll time constant:", Show::Text),
    ("kprecis", "precision:", Show::Text),
    ("kfreqtol", "frequency tolerance:", Show::Text),
    ("kppsfreq", "pps frequency:", Show::Text),
    ("kppsstab", "pps stability:", Show::Text),
    ("kppsjitter", "pps jitter:", Show::Text),
    // Without a colon, but as wide as if it had one.
    ("kppscalibdur", "calibration interval ", Show::Text),
    ("kppscalibs", "calibration cycles:", Show::Text),
    ("kppsjitexc", "jitter exceeded:", Show::Text),
    ("kppsstbexc", "stability exceeded:", Show::Text),
    ("kppscaliberrs", "calibration errors:", Show::Text),
];

const PACKETS: &[Row] = &[
    ("ss_uptime", "uptime:", Show::Text),
    ("ss_reset", "sysstats reset:", Show::Text),
    ("ss_received", "packets received:", Show::Text),
    ("ss_thisver", "current version:", Show::Text),
    ("ss_oldver", "older version:", Show::Text),
    ("ss_badformat", "bad length or format:", Show::Text),
    ("ss_badauth", "authentication failed:", Show::Text),
    ("ss_declined", "declined:", Show::Text),
    ("ss_restricted", "restricted:", Show::Text),
    ("ss_limited", "rate limited:", Show::Text),
    ("ss_kodsent", "KoD responses:", Show::Text),
    ("ss_processed", "processed for time:", Show::Text),
];

const MONITOR: &[Row] = &[
    ("mru_enabled", "enabled:", Show::Text),
    ("mru_depth", "addresses:", Show::Text),
    ("mru_deepest", "peak addresses:", Show::Text),
    ("mru_maxdepth", "maximum addresses:", Show::Text),
    ("mru_mindepth", "reclaim above count:", Show::Text),
    ("mru_maxage", "reclaim older than:", Show::Text),
    ("mru_mem", "kilobytes:", Show::Text),
    ("mru_maxmem", "maximum kilobytes:", Show::Text),
];

const AUTHENTICATION: &[Row] = &[
    ("authreset", "time since reset:", Show::Text),
    ("authkeys", "stored keys:", Show::Text),
    ("authfreek", "free keys:", Show::Text),
    ("authklookups", "key lookups:", Show::Text),
    ("authknotfound", "keys not found:", Show::Text),
    ("authkuncached", "uncached keys:", Show::Text),
    ("authkexpired", "expired keys:", Show::Text),
    ("authencrypts", "encryptions:", Show::Text),
    ("authdecrypts", "decryptions:", Show::Text),
];

/// What both Meridian's and NTPsec's daemon count: who asks for more learns nothing at all.
const NETWORK_TIME_SECURITY: &[Row] = &[
    ("nts_client_send", "NTS client sends:", Show::Text),
    ("nts_client_recv_good", "NTS client recvs good:", Show::Text),
    (
        "nts_client_recv_bad",
        "NTS client recvs w error:",
        Show::Text,
    ),
    ("nts_server_recv_good", "NTS server recvs good:", Show::Text),
    (
        "nts_server_recv_bad",
        "NTS server recvs w error:",
        Show::Text,
    ),
    ("nts_server_send", "NTS server sends:", Show::Text),
    ("nts_cookie_make", "NTS make cookies:", Show::Text),
    ("nts_cookie_decode", "NTS decode cookies:", Show::Text),
    (
        "nts_cookie_decode_old",
        "NTS decode cookies old:",
        Show::Text,
    ),
    (
        "nts_cookie_decode_old2",
        "NTS decode cookies old2:",
        Show::Text,
    ),
    (
        "nts_cookie_decode_older",
        "NTS decode cookies older:",
        Show::Text,
    ),
    (
        "nts_cookie_decode_too_old",
        "NTS decode cookies too old:",
        Show::Text,
    ),
    (
        "nts_cookie_decode_error",
        "NTS decode cookies error:",
        Show::Text,
    ),
    (
        "nts_ke_probes_good",
        "NTS KE client probes good:",
        Show::Text,
    ),
    ("nts_ke_probes_bad", "NTS KE client probes bad:", Show::Text),
    ("nts_ke_serves_good", "NTS KE serves good:", Show::Text),
    ("nts_ke_serves_bad", "NTS KE serves bad:", Show::Text),
];

const INPUT_OUTPUT: &[Row] = &[
    ("iostats_reset", "time since reset:", Show::Text),
    ("total_rbuf", "receive buffers:", Show::Text),
    ("free_rbuf", "free receive buffers:", Show::Text),
    ("used_rbuf", "used receive buffers:", Show::Text),
    ("rbuf_lowater", "low water refills:", Show::Text),
    ("io_dropped", "dropped packets:", Show::Text),
    ("io_ignored", "ignored packets:", Show::Text),
    ("io_received", "received packets:", Show::Text),
    ("io_sent", "packets sent:", Show::Text),
    ("io_sendfailed", "packet send failures:", Show::Text),
    ("io_wakeups", "input wakeups:", Show::Text),
    // As wide as the reference's column, which is one wider than its labels.
    ("io_goodwakeups", "useful input wakeups: ", Show::Text),
];

const TIMERS: &[Row] = &[
    ("timerstats_reset", "time since reset:", Show::Text),
    ("timer_overruns", "timer overruns:", Show::Text),
    ("timer_xmts", "calls to transmit: ", Show::Text),
];

const PEER: &[Row] = &[
    ("srcadr", "remote host:", Show::HostWithPort("srcport")),
    ("dstadr", "local address:", Show::HostWithPort("dstport")),
    ("timerec", "time last received:", Show::Text),
    ("timer", "time until next send:", Show::Text),
    ("timereach", "reachability change:", Show::Text),
    ("sent", "packets sent:", Show::Text),
    ("received", "packets received:", Show::Text),
    ("badauth", "bad authentication:", Show::Text),
    ("bogusorg", "bogus origin:", Show::Text),
    ("oldpkt", "duplicate:", Show::Text),
    ("seldisp", "bad dispersion:", Show::Text),
    ("selbroken", "bad reference time:", Show::Text),
    ("candidate", "candidate order:", Show::Text),
];

#[cfg(test)]
mod tests {
    use ntp_wire::Timestamp;

    use super::*;

    const VIEW: View<'_> = View::new(Timestamp::from_unix(1_795_397_175, 0));

    #[test]
    fn an_association_in_numbers() {
        let id = AssociationId::new(5);
        assert!(
            Summary::Peer
                .request(id)
                .data
                .starts_with(b"srcadr,srcport,dstadr,dstport,timerec")
        );
        assert_eq!(Summary::Peer.request(id).association, id);
        let data = b"srcadr=10.1.2.3, srcport=9, dstadr=::1, dstport=44, timer=2, nonsense=1";
        assert_eq!(
            Summary::Peer.text(id, 0x9014, data, &VIEW),
            "associd=5 status=9014 conf, reach, sel_reject, 1 event, reachable,\n\
             remote host:           10.1.2.3:9\n\
             local address:         [::1]:44\n\
             time until next send:  2\n"
        );
    }

    #[test]
    fn reference_clocks_have_no_port_where_they_have_a_name() {
        let names = |_: IpAddr| None;
        let view = View {
            names: Some(&names),
            ..VIEW
        };
        let line = |data: &[u8], view: &View<'_>| {
            let text = Summary::System.text(AssociationId::SYSTEM, 0, data, view);
            text.lines().nth(1).unwrap().to_owned()
        };
        let data = b"peeradr=127.127.1.0:123";
        assert_eq!(line(data, &VIEW), "system peer:        127.127.1.0:123");
        assert_eq!(line(data, &view), "system peer:        LOCAL(0)");
        assert_eq!(line(b"peermode=9", &VIEW), "system peer mode:   mode#9");
        assert_eq!(line(b"peermode=\x1b", &VIEW), "system peer mode:   ^[");
    }
}
