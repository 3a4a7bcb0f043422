//! What was counted, in the variables of the system: `sysstats`, `monstats`, `authinfo`,
//! `iostats`, `timerstats` and `kerninfo` of ntpq.

use std::sync::atomic::Ordering::Relaxed;

use ntp_restrict::{ClientTable, ClientTableLimits};
use ntp_wire::{Leap, Monotonic};

use super::{listing::Items, peer::milliseconds};
use crate::{Counters, Engine, Responder, engine::has_limit};

/// Parts per million that the frequency can be corrected by.
pub(crate) const FREQUENCY_TOLERANCE: u16 = 500;

impl Engine {
    /// Adds the variable `name`; `false` if it is no counter.
    pub(super) fn counter(&self, name: &str, items: &mut Items<'_>) -> bool {
        let Some(value) = self
            .packet_counter(name)
            .or_else(|| self.key_counter(name))
            .or_else(|| self.traffic_counter(name))
            .or_else(|| self.client_counter(name))
            .or_else(|| self.nts_counter(name))
        else {
            return self.kernel_variable(name, items);
        };
        if name == "mru_enabled" {
            items.plain(name, format_args!("{value:#x}"));
        } else {
            items.plain(name, value);
        }
        true
    }

    fn seconds_since(&self, moment: Monotonic) -> u64 {
        self.now.monotonic.since(moment).as_secs()
    }

    fn packet_counter(&self, name: &str) -> Option<u64> {
        let (reset, before) = &self.resets.system;
        match name {
            "ss_uptime" => Some(self.seconds_since(self.started)),
            "ss_reset" => Some(self.seconds_since(*reset)),
            _ => {
                let now = packet_counter(&self.everyone().counters(), name)?;
                Some(now.saturating_sub(packet_counter(before, name).unwrap_or_default()))
            }
        }
    }

    /// What was done with NTS, by the names that NTPsec has for it.
    fn nts_counter(&self, name: &str) -> Option<u64> {
        let name = name.strip_prefix("nts_")?;
        let counters = self.everyone().counters().nts;
        let client = &self.nts_client;
        let served = &self.view.keys_served;
        let [current, old, old2, older] = counters.cookies;
        Some(match name {
            "client_send" => client.requests,
            "client_recv_good" => client.answers,
            "client_recv_bad" => client.bad_answers,
            "ke_probes_good" => client.exchanges,
            "ke_probes_bad" => client.failed_exchanges,
            "ke_serves_good" => served.good.load(Relaxed),
            "ke_serves_bad" => served.bad.load(Relaxed),
            "server_send" => counters.answers,
            "server_recv_good" => counters.requests,
            "server_recv_bad" => counters.bad_requests,
            "cookie_make" => counters.cookies_made,
            // The one is NTPsec's older name, the other the newer.
            "cookie_decode" | "cookie_decode_total" => counters.cookies.iter().sum(),
            "cookie_decode_current" => current,
            "cookie_decode_old" => old,
            "cookie_decode_old2" => old2,
            "cookie_decode_older" => older,
            "cookie_decode_too_old" => counters.cookies_too_old,
            "cookie_decode_error" => counters.cookies_bad,
            _ => return None,
        })
    }

    fn key_counter(&self, name: &str) -> Option<u64> {
        let (reset, before) = &self.resets.authentication;
        match name {
            "authreset" => Some(self.seconds_since(*reset)),
            "authkeys" => Some(self.keys.len() as u64),
            _ => {
                let now = key_counter(&self.everyone().counters(), name)?;
                Some(now.saturating_sub(key_counter(before, name).unwrap_or_default()))
            }
        }
    }

    fn traffic_counter(&self, name: &str) -> Option<u64> {
        let (io_reset, before) = &self.resets.io;
        let (timer_reset, polls) = self.resets.timer;
        let passed = self.all_passed();
        Some(match name {
            "iostats_reset" => self.seconds_since(*io_reset),
            "timerstats_reset" => self.seconds_since(timer_reset),
            "io_received" | "io_goodwakeups" | "io_wakeups" => {
                passed.received.saturating_sub(before.received)
            }
            "io_sent" => passed.sent.saturating_sub(before.sent),
            "io_sendfailed" => passed.failed.saturating_sub(before.failed),
            "timer_xmts" => self.traffic.polls.saturating_sub(polls),
            // There are no buffers of our own between the kernel and the one who answers.
            "total_rbuf" | "free_rbuf" | "used_rbuf" | "rbuf_lowater" => 0,
            "io_dropped" | "io_ignored" | "timer_overruns" => 0,
            _ => return None,
        })
    }

    fn client_counter(&self, name: &str) -> Option<u64> {
        let everyone = self.everyone();
        let tables = || everyone.responders().map(Responder::clients);
        let depth = tables().map(ClientTable::len).sum::<usize>();
        let limits = self.client_limits;
        let kibibytes = |count: usize| {
            let octets = count.saturating_mul(ClientTableLimits::OCTETS_PER_CLIENT);
            (octets.saturating_add(512) / 1024) as u64
        };
        Some(match name {
            "mru_enabled" => {
                let limits = has_limit(&self.view.restrictions);
                u64::from(self.monitor) | u64::from(limits) << 1
            }
            "mru_depth" => depth as u64,
            "mru_deepest" => tables().map(ClientTable::peak).sum::<usize>() as u64,
            "mru_mindepth" => limits.least as u64,
            "mru_maxdepth" => limits.most as u64,
            "mru_maxage" => limits.age.map_or(0, |age| age.as_secs()),
            "mru_mem" => kibibytes(depth),
            "mru_maxmem" => kibibytes(limits.most),
            _ => return None,
        })
    }

    /// The kernel's clock as we steer it: by its frequency alone, without the kernel's own loop.
    fn kernel_variable(&self, name: &str, items: &mut Items<'_>) -> bool {
        let clock = self.system.loop_status();
        let state = &self.system.state;
        match name {
            "koffset" => items.plain(name, 0),
            "kfreq" => items.plain(name, self.rate.unwrap_or_default().value()),
            "kmaxerr" => {
                let error = self.system.root_distance(self.now.monotonic);
                items.plain(name, milliseconds(error));
            }
            "kesterr" => items.plain(name, milliseconds(state.jitter)),
            "kstflags" => {
                let synchronised = state.leap != Leap::Unsynchronised;
                items.quoted(name, if synchronised { "nano" } else { "unsync nano" });
            }
            "ktimeconst" => items.plain(name, clock.time_constant.value()),
            "kprecis" => items.plain(name, "1e-06"),
            "kfreqtol" => items.plain(name, FREQUENCY_TOLERANCE),
            "kppsfreq" | "kppsstab" | "kppsjitter" | "kppscalibdur" | "kppscalibs"
            | "kppscaliberrs" | "kppsjitexc" | "kppsstbexc" => items.plain(name, 0),
            "authdelay" => items.plain(name, "0.000"),
            "bcastdelay" => items.plain(name, milliseconds(self.to_many.listening.delay)),
            _ => return false,
        }
        true
    }
}

fn packet_counter(counters: &Counters, name: &str) -> Option<u64> {
    Some(match name {
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
        // Of clocks that ran backwards between a request and its answer: ours are read so that
        // they cannot.
        "ss_lamport" | "ss_tsrounding" => 0,
        _ => return None,
    })
}

fn key_counter(counters: &Counters, name: &str) -> Option<u64> {
    Some(match name {
        "authklookups" => counters.key_lookups,
        "authknotfound" => counters.keys_not_found,
        "authencrypts" => counters.macs_made,
        "authdecrypts" => counters.macs_checked,
        // Keys are neither cached nor kept in reserve, and do not expire.
        "authfreek" | "authkuncached" | "authkexpired" => 0,
        _ => return None,
    })
}
