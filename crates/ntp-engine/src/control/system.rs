//! The variables of the system.

use ntp_wire::{AssociationId, Mode};

use super::{
    listing::{Items, minute},
    peer::{self, milliseconds, reference_id},
};
use crate::Engine;

/// Shown if no name is asked for.
pub(super) const DEFAULT: &[&str] = &[
    "version",
    "processor",
    "system",
    "leap",
    "stratum",
    "precision",
    "rootdelay",
    "rootdisp",
    "refid",
    "reftime",
    "clock",
    "peer",
    "tc",
    "mintc",
    "offset",
    "frequency",
    "sys_jitter",
    "clk_jitter",
    "clk_wander",
    "tai",
    "leapsec",
    "expire",
    "leapsmearinterval",
    "leapsmearoffset",
    "host",
    "ident",
    "flags",
    "digest",
    "signature",
    "update",
    "cert",
];

/// All, in the order in which those that are asked for are shown.
pub(super) const NAMES: &[&str] = &[
    "leap",
    "stratum",
    "precision",
    "rootdelay",
    "rootdisp",
    "refid",
    "reftime",
    "tc",
    "peer",
    "offset",
    "frequency",
    "sys_jitter",
    "clk_jitter",
    "clock",
    "processor",
    "system",
    "version",
    "clk_wander",
    "sys_var_list",
    "tai",
    "leapsec",
    "expire",
    "mintc",
    "mru_enabled",
    "mru_depth",
    "mru_deepest",
    "mru_mindepth",
    "mru_maxage",
    "mru_maxdepth",
    "mru_mem",
    "mru_maxmem",
    "ss_uptime",
    "ss_reset",
    "ss_received",
    "ss_thisver",
    "ss_oldver",
    "ss_badformat",
    "ss_badauth",
    "ss_declined",
    "ss_restricted",
    "ss_limited",
    "ss_kodsent",
    "ss_processed",
    "ss_lamport",
    "ss_tsrounding",
    "peeradr",
    "peermode",
    "bcastdelay",
    "authdelay",
    "authkeys",
    "authfreek",
    "authklookups",
    "authknotfound",
    "authkuncached",
    "authkexpired",
    "authencrypts",
    "authdecrypts",
    "authreset",
    "koffset",
    "kfreq",
    "kmaxerr",
    "kesterr",
    "kstflags",
    "ktimeconst",
    "kprecis",
    "kfreqtol",
    "kppsfreq",
    "kppsstab",
    "kppsjitter",
    "kppscalibdur",
    "kppscalibs",
    "kppscaliberrs",
    "kppsjitexc",
    "kppsstbexc",
    "iostats_reset",
    "total_rbuf",
    "free_rbuf",
    "used_rbuf",
    "rbuf_lowater",
    "io_dropped",
    "io_ignored",
    "io_received",
    "io_sent",
    "io_sendfailed",
    "io_wakeups",
    "io_goodwakeups",
    "timerstats_reset",
    "timer_overruns",
    "timer_xmts",
    "fuzz",
    "clk_wander_threshold",
    "leapsmearinterval",
    "leapsmearoffset",
    "flags",
    "host",
    "update",
    "cert",
    "signature",
    "until",
    "ident",
    "digest",
    // What only this daemon has.
    "state",
    "nts_client_send",
    "nts_client_recv_good",
    "nts_client_recv_bad",
    "nts_server_send",
    "nts_server_recv_good",
    "nts_server_recv_bad",
    "nts_cookie_make",
    "nts_cookie_decode",
    "nts_cookie_decode_total",
    "nts_cookie_decode_current",
    "nts_cookie_decode_old",
    "nts_cookie_decode_old2",
    "nts_cookie_decode_older",
    "nts_cookie_decode_too_old",
    "nts_cookie_decode_error",
    "nts_ke_probes_good",
    "nts_ke_probes_bad",
    "nts_ke_serves_good",
    "nts_ke_serves_bad",
];

impl Engine {
    /// Adds the variable `name`, one of [`NAMES`], if it has a value.
    pub(super) fn system_variable(&self, name: &str, items: &mut Items<'_>) {
        let state = &self.system.state;
        let clock = self.system.loop_status();
        match name {
            "version" => items.quoted(name, &self.program.version),
            "processor" => items.quoted(name, &self.program.processor),
            "system" => items.quoted(name, &self.program.system),
            "leap" => items.plain(name, state.leap as u8),
            "stratum" => items.plain(name, state.stratum),
            "precision" => items.plain(name, self.precision.value()),
            "rootdelay" => items.plain(name, milliseconds(state.root_delay)),
            "rootdisp" => items.plain(
                name,
                milliseconds(state.root_dispersion_at(self.now.monotonic)),
            ),
            "refid" => items.plain(name, reference_id(state.stratum, state.reference_id)),
            "reftime" => items.time(name, state.reference_time),
            "clock" => items.time(name, self.now.wall.to_wire()),
            "peer" => items.plain(name, self.system.peer.map_or(0, AssociationId::value)),
            "tc" => items.plain(name, clock.time_constant.value()),
            "mintc" => items.plain(name, clock.minimum_time_constant.value()),
            "offset" => items.plain(
                name,
                format_args!("{:.6}", clock.offset.to_seconds_f64() * 1e3),
            ),
            "frequency" => items.plain(name, format_args!("{:.3}", clock.frequency.value())),
            "sys_jitter" => items.plain(
                name,
                format_args!("{:.6}", state.jitter.to_seconds_f64() * 1e3),
            ),
            "clk_jitter" => items.plain(name, milliseconds(clock.jitter)),
            "clk_wander" => items.plain(name, format_args!("{:.3}", clock.wander.value())),
            "state" => items.plain(name, clock.state.code()),
            "sys_var_list" => items.quoted(name, &NAMES.join(",")),
            "peeradr" => match self.system_peer() {
                Some(peer) => items.plain(name, peer::source_endpoint(peer, self.port)),
                None => items.plain(name, "0.0.0.0:0"),
            },
            "peermode" => {
                let mode = self.system_peer().map_or(0, peer::host_mode);
                // The mode of our packets, of which there are none to a clock.
                let is_clock = self
                    .system_peer()
                    .is_some_and(|peer| peer.server().is_none());
                items.plain(name, if is_clock { Mode::Client as u8 } else { mode });
            }
            "fuzz" => items.plain(name, milliseconds(self.precision.to_duration())),
            "clk_wander_threshold" => items.plain(name, "0.100"),
            _ if self.leap_variable(name, items) || self.counter(name, items) => {}
            _ => self.autokey_variable(name, items),
        }
    }

    /// What is not known is not shown.
    fn leap_variable(&self, name: &str, items: &mut Items<'_>) -> bool {
        let leaps = &self.leap.leaps;
        let shown = match name {
            "tai" => leaps.outlook().tai_offset.map(|offset| offset.to_string()),
            "leapsec" => leaps.schedule.last_in_file(),
            "expire" => leaps.schedule.expires(),
            "leapsmearinterval" => leaps
                .options
                .smear_interval
                .map(|interval| interval.whole_seconds().to_string()),
            "leapsmearoffset" => leaps.options.smear_interval.map(|_| {
                let smear = self.view.clock.served().smear;
                let offset = smear.and_then(|smear| smear.offset(self.now.wall));
                milliseconds(offset.unwrap_or_default())
            }),
            _ => return false,
        };
        if let Some(shown) = shown {
            items.plain(name, shown);
        }
        true
    }

    /// Nothing of it is there without `crypto`.
    fn autokey_variable(&self, name: &str, items: &mut Items<'_>) {
        let Some(host) = &self.autokey else {
            return;
        };
        match name {
            "host" => items.quoted(name, host.name()),
            "ident" => {
                if let Some(group) = &self.default_ident {
                    items.quoted(name, group);
                }
            }
            "flags" => items.plain(name, host.status()),
            "digest" => items.quoted(name, &host.digest_name().to_ascii_lowercase()),
            "signature" => items.quoted(name, host.signature_name()),
            "update" => match host.last_update() {
                Some(time) => items.plain(name, minute(time)),
                None => items.plain(name, 0),
            },
            "cert" => {
                for certificate in host.certificates() {
                    let text = format!(
                        "{} {} {:#x}",
                        certificate.subject, certificate.issuer, certificate.flags
                    );
                    items.quoted(name, &text);
                    items.plain("until", minute(certificate.until));
                }
            }
            "until" => items.plain(name, minute(host.expires())),
            _ => {}
        }
    }
}
