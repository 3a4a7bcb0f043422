//! The variables of the system.

use super::{
    listing::{Items, minute},
    peer::{milliseconds, reference_id},
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
    "autokey",
];

impl Engine {
    /// Adds the variable `name`; `false` if there is none.
    pub(super) fn system_variable(&self, name: &str, items: &mut Items<'_>) -> bool {
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
            "peer" => items.plain(name, self.system.peer.map_or(0, |peer| peer.value())),
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
            _ => {
                self.leap_variable(name, items)
                    || self.counter(name, items)
                    || self.autokey_variable(name, items)
            }
        }
    }

    /// What is not known is not shown, and no error.
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
        shown.is_none_or(|shown| items.plain(name, shown))
    }

    fn counter(&self, name: &str, items: &mut Items<'_>) -> bool {
        let counters = self.responder.counters();
        let uptime = self.now.monotonic.since(self.started).as_secs();
        let value = match name {
            "ss_uptime" | "ss_reset" => uptime,
            "ss_received" => counters.received,
            "ss_processed" => counters.answered,
            "ss_thisver" => counters.this_version,
            "ss_oldver" => counters.older_version,
            "ss_badformat" => counters.bad_format,
            "ss_badauth" => counters.bad_authentication,
            "ss_declined" => counters.declined,
            "ss_restricted" => counters.restricted,
            "ss_limited" => counters.limited,
            "ss_kodsent" => counters.kisses,
            _ => return false,
        };
        items.plain(name, value)
    }

    fn autokey_variable(&self, name: &str, items: &mut Items<'_>) -> bool {
        let Some(host) = &self.autokey else {
            return name == "autokey";
        };
        match name {
            // Not a variable but where the list of all goes on.
            "autokey" => ["host", "flags", "digest", "signature", "update", "cert"]
                .iter()
                .all(|name| self.autokey_variable(name, items)),
            "host" => items.quoted(name, host.name()),
            "ident" => items.quoted(name, ""),
            "flags" => items.plain(name, host.status()),
            "digest" => items.quoted(name, &host.digest_name().to_ascii_lowercase()),
            "signature" => items.quoted(name, host.signature_name()),
            "update" => match host.last_update() {
                Some(time) => items.plain(name, minute(time)),
                None => items.plain(name, 0),
            },
            "cert" => host.certificates().all(|certificate| {
                items.quoted(
                    name,
                    &format!(
                        "{} {} {:#x}",
                        certificate.subject, certificate.issuer, certificate.flags
                    ),
                ) && items.plain("until", minute(certificate.until))
            }),
            "until" => host
                .certificates()
                .all(|certificate| items.plain("until", minute(certificate.until))),
            _ => false,
        }
    }
}
