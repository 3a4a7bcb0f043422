//! What a monitoring system is told, in the text format of Prometheus.

mod exposition;

use ntp_restrict::ClientTable;
use ntp_wire::{Duration, Leap, Ppm};

use self::exposition::{Exposition, Kind};
use crate::{Engine, Responder, association::Association, control::source_address};

/// What a source is told by.
type Labels<'a> = [(&'static str, &'a str); 2];

/// A number of each source.
type OfSource = (
    Kind,
    &'static str,
    &'static str,
    fn(&Engine, &Association) -> Option<f64>,
);

impl Engine {
    /// The state of the daemon in the text exposition format of Prometheus, version 0.0.4: the
    /// clock, the sources, the requests. Units are those of the SI; frequencies are ratios.
    ///
    /// ```
    /// # use ntp_discipline::Now;
    /// # use ntp_wire::{Monotonic, Timestamp};
    /// use ntp_engine::{Engine, Setup};
    ///
    /// # let now = Now { wall: Timestamp::from_unix(1_795_393_189, 0), monotonic: Monotonic::START };
    /// let config = ntp_conf::parse("ntp.conf", "server 127.127.1.0\n", |_| Err(String::new())).config;
    /// let engine = Engine::new(Setup::new(config), [7; 32], now);
    /// assert!(engine.metrics().contains("\nntp_source_reachable{source=\"127.127.1.0\","));
    /// ```
    pub fn metrics(&self) -> String {
        let mut out = Exposition::default();
        self.clock_metrics(&mut out);
        self.source_metrics(&mut out);
        self.request_metrics(&mut out);
        out.into_text()
    }

    fn clock_metrics(&self, out: &mut Exposition) {
        let state = &self.system.state;
        let clock = self.system.loop_status();
        let uptime = self.now.monotonic.since(self.started).as_secs_f64();
        out.family(Kind::Gauge, "ntp_build_info", "Always 1; the version.");
        out.sample("ntp_build_info", &[("version", &self.program.version)], 1);
        let mut gauge = |name, help, value: f64| out.number(Kind::Gauge, name, help, value);
        gauge(
            "ntp_uptime_seconds",
            "Since the daemon was started.",
            uptime,
        );
        gauge(
            "ntp_synchronised",
            "1 if the clock follows a source, else 0.",
            f64::from(u8::from(state.leap != Leap::Unsynchronised)),
        );
        gauge(
            "ntp_leap_indicator",
            "0 none, 1 a second will be inserted, 2 deleted, 3 not synchronised.",
            f64::from(state.leap as u8),
        );
        gauge(
            "ntp_stratum",
            "How many clocks from a reference; 16 is none.",
            f64::from(state.stratum.value()),
        );
        gauge(
            "ntp_offset_seconds",
            "Of the clock from its sources; positive if it is behind.",
            clock.offset.to_seconds_f64(),
        );
        gauge(
            "ntp_frequency_correction_ratio",
            "How much faster the clock is run than its oscillator.",
            ratio(clock.frequency),
        );
        gauge(
            "ntp_frequency_wander_ratio",
            "How much that changes.",
            ratio(clock.wander),
        );
        gauge(
            "ntp_system_jitter_seconds",
            "Of the sources that are followed.",
            state.jitter.to_seconds_f64(),
        );
        gauge(
            "ntp_clock_jitter_seconds",
            "Of the clock's offset.",
            clock.jitter.to_seconds_f64(),
        );
        gauge(
            "ntp_root_delay_seconds",
            "Of the way to the reference and back.",
            state.root_delay.to_seconds_f64(),
        );
        gauge(
            "ntp_root_dispersion_seconds",
            "The error that may have come together since the reference.",
            state
                .root_dispersion_at(self.now.monotonic)
                .to_seconds_f64(),
        );
        gauge(
            "ntp_maximum_error_seconds",
            "The clock can't be more wrong than this, if its sources are right.",
            self.system
                .root_distance(self.now.monotonic)
                .to_seconds_f64(),
        );
        let tai = "ntp_tai_offset_seconds";
        out.family(Kind::Gauge, tai, "International atomic time less UTC.");
        if let Some(offset) = self.leap.leaps.outlook().tai_offset {
            out.sample(tai, &[], offset);
        }
    }

    fn source_metrics(&self, out: &mut Exposition) {
        for (kind, name, help, value) in OF_SOURCES {
            out.family(*kind, name, help);
            for association in &self.associations {
                let Some(value) = value(self, association) else {
                    continue;
                };
                let address = source_address(association);
                let labels: Labels<'_> = [
                    ("source", &association.settings.name),
                    ("address", &address),
                ];
                out.sample(name, &labels, value);
            }
        }
    }

    fn request_metrics(&self, out: &mut Exposition) {
        let everyone = self.everyone();
        let counters = everyone.counters();
        let mut passed = self.traffic.passed;
        passed.add(&everyone.passed(None));
        let clients = || everyone.responders().map(Responder::clients);
        let mut counter = |name, help, value: u64| out.number(Kind::Counter, name, help, value);
        counter(
            "ntp_datagrams_received_total",
            "All that came to the daemon's sockets.",
            passed.received,
        );
        counter("ntp_datagrams_sent_total", "All that went.", passed.sent);
        counter(
            "ntp_datagrams_not_sent_total",
            "What the system refused to send.",
            passed.failed,
        );
        counter(
            "ntp_requests_answered_total",
            "Requests for time that were answered.",
            counters.answered,
        );
        counter(
            "ntp_kisses_sent_total",
            "Answers that only say: ask less often.",
            counters.kisses,
        );
        counter(
            "ntp_macs_checked_total",
            "Message authentication codes of requests, checked with symmetric keys.",
            counters.macs_checked,
        );
        let dropped = "ntp_packets_dropped_total";
        out.family(
            Kind::Counter,
            dropped,
            "Packets that got no time, by reason.",
        );
        for (reason, count) in [
            ("bad_authentication", counters.bad_authentication),
            ("bad_format", counters.bad_format),
            ("declined", counters.declined),
            ("limited", counters.limited),
            ("restricted", counters.restricted),
            ("too_much_work", counters.too_much_work),
        ] {
            out.sample(dropped, &[("reason", reason)], count);
        }
        let versions = "ntp_packets_total";
        out.family(Kind::Counter, versions, "Packets of NTP, by version.");
        out.sample(versions, &[("version", "4")], counters.this_version);
        out.sample(versions, &[("version", "1 to 3")], counters.older_version);
        let known = clients().map(ClientTable::len).sum::<usize>();
        out.number(
            Kind::Gauge,
            "ntp_clients",
            "Clients that are remembered (`mru`).",
            known,
        );
        out.number(
            Kind::Gauge,
            "ntp_clients_limit",
            "Clients that are remembered at most.",
            self.client_limits.most,
        );
    }
}

const OF_SOURCES: &[OfSource] = &[
    (
        Kind::Gauge,
        "ntp_source_reachable",
        "1 if one of the last eight requests was answered, else 0.",
        |_, source| Some(f64::from(u8::from(source.schedule.reach() != 0))),
    ),
    (
        Kind::Gauge,
        "ntp_source_reach_ratio",
        "How many of the last eight requests were answered, as a part of eight.",
        |_, source| Some(f64::from(source.schedule.reach().count_ones()) / 8.0),
    ),
    (
        Kind::Gauge,
        "ntp_source_selection",
        "0 rejected, 1 false, 2 too many, 3 outlier, 4 candidate, 5 backup, 6 followed, 7 PPS.",
        |_, source| Some(f64::from(source.tally as u8)),
    ),
    (
        Kind::Gauge,
        "ntp_source_stratum",
        "What it says of itself; 16 is no time.",
        |_, source| heard(source, f64::from(source.last.header.stratum.value())),
    ),
    (
        Kind::Gauge,
        "ntp_source_offset_seconds",
        "Its clock less ours.",
        |_, source| heard(source, source.estimate().offset.to_seconds_f64()),
    ),
    (
        Kind::Gauge,
        "ntp_source_delay_seconds",
        "There and back.",
        |_, source| heard(source, source.estimate().delay.to_seconds_f64()),
    ),
    (
        Kind::Gauge,
        "ntp_source_jitter_seconds",
        "Of its offsets.",
        |_, source| heard(source, source.estimate().jitter.to_seconds_f64()),
    ),
    (
        Kind::Gauge,
        "ntp_source_dispersion_seconds",
        "The error that the offset may have by age and by rare answers.",
        |_, source| heard(source, source.dispersion().to_seconds_f64()),
    ),
    (
        Kind::Gauge,
        "ntp_source_root_delay_seconds",
        "Its own delay to the reference.",
        |_, source| heard(source, seconds(source.last.header.root_delay.to_duration())),
    ),
    (
        Kind::Gauge,
        "ntp_source_poll_interval_seconds",
        "How often it is asked.",
        |_, source| Some(f64::from(source.schedule.host_poll().value()).exp2()),
    ),
    (
        Kind::Gauge,
        "ntp_source_authenticated",
        "1 if its last answer was proven with a key, else 0.",
        |_, source| {
            let server = source.server()?;
            Some(f64::from(u8::from(server.is_authentic())))
        },
    ),
    (
        Kind::Counter,
        "ntp_source_requests_total",
        "Packets that went to it.",
        |_, source| Some(source.server()?.sent as f64),
    ),
    (
        Kind::Counter,
        "ntp_source_answers_total",
        "Packets that came from it.",
        |_, source| Some(source.server()?.received as f64),
    ),
    (
        Kind::Counter,
        "ntp_source_bad_authentication_total",
        "Packets in its name that were not proven.",
        |_, source| Some(source.server()?.bad_authentication as f64),
    ),
    (
        Kind::Counter,
        "ntp_source_bogus_total",
        "Packets in its name that answer nothing that was asked.",
        |_, source| Some(source.server()?.bogus as f64),
    ),
    (
        Kind::Gauge,
        "ntp_source_silence_seconds",
        "Since its last packet that was believed.",
        |engine, source| Some(seconds(engine.now.wall - source.last.received?)),
    ),
];

/// What means something once there was an answer.
fn heard(source: &Association, value: f64) -> Option<f64> {
    source.last.received.map(|_| value)
}

fn seconds(duration: Duration) -> f64 {
    duration.to_seconds_f64()
}

fn ratio(frequency: Ppm) -> f64 {
    frequency.value() * 1e-6
}
