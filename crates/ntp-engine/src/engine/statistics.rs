//! The lines for statistics files.

use std::time::Duration as Elapsed;

use ntp_conf::StatisticsKind;
use ntp_discipline::Exchange;
use ntp_wire::{Header, WireTimestamp};

use super::Engine;
use crate::{
    Event, Output, Record, What,
    association::{Association, Source},
    control::reference_id,
    event::Subject,
};

/// `sysstats` has a line an hour.
pub(super) const SYSTEM_INTERVAL: Elapsed = Elapsed::from_secs(3600);

impl Engine {
    /// Reports an event, and puts it into the file that it belongs to.
    pub(super) fn report(&mut self, event: Event) {
        self.file(&event);
        if event.is_wanted(self.config.log_mask) {
            self.outputs.push_back(Output::Event(event));
        }
    }

    /// Puts an event into the file that it belongs to.
    pub(super) fn file(&mut self, event: &Event) {
        let address = match &event.about {
            Subject::System => "0.0.0.0",
            Subject::Association { address, .. } => address,
        };
        match &event.what {
            What::Status { .. } => self.record(StatisticsKind::Protocol, || event.bare()),
            What::Autokey(text) => {
                self.record(StatisticsKind::Crypto, || format!("{address} {text}"));
            }
            What::Note(_) => {}
        }
    }

    /// The number of an association, as the reference adds it to the event of its beginning.
    pub(super) fn number(&self, index: usize) -> String {
        let id = self
            .associations
            .get(index)
            .map(|association| association.id);
        id.map(|id| format!("assoc {}", id.value()))
            .unwrap_or_default()
    }

    /// A source says something new.
    pub(super) fn record_peer(&mut self, index: usize) {
        let Some(association) = self.associations.get(index) else {
            return;
        };
        let text = || {
            let estimate = association.estimate();
            format!(
                "{} {:x} {:.9} {:.9} {:.9} {:.9}",
                association.address(),
                association.status().to_bits(),
                estimate.offset.to_seconds_f64(),
                estimate.delay.to_seconds_f64(),
                estimate.dispersion.to_seconds_f64(),
                estimate.jitter.to_seconds_f64(),
            )
        };
        if self.statistics.has(StatisticsKind::Peer) {
            let text = text();
            self.record(StatisticsKind::Peer, || text);
        }
    }

    /// The loop was updated.
    pub(super) fn record_loop(&mut self) {
        let status = self.system.loop_status();
        self.record(StatisticsKind::Loop, || {
            format!(
                "{:.9} {:.3} {:.9} {:.6} {}",
                status.offset.to_seconds_f64(),
                status.frequency.value(),
                status.jitter.to_seconds_f64(),
                status.wander.value(),
                status.time_constant.value(),
            )
        });
    }

    /// A packet was taken in, from which a sample was made.
    pub(super) fn record_raw(&mut self, index: usize, exchange: &Exchange) {
        if !self.statistics.has(StatisticsKind::Raw) {
            return;
        }
        let Some(text) = self
            .associations
            .get(index)
            .and_then(|one| raw(one, exchange))
        else {
            return;
        };
        self.record(StatisticsKind::Raw, || text);
    }

    /// What was served in the last hour.
    pub(super) fn record_system(&mut self) {
        if self.next_system_record > self.now.monotonic {
            return;
        }
        self.next_system_record = self.now.monotonic + SYSTEM_INTERVAL;
        let now = self.everyone().counters();
        let before = std::mem::replace(&mut self.recorded_counters, now);
        self.record(StatisticsKind::System, || {
            let counts = [
                now.received - before.received,
                now.answered - before.answered,
                now.this_version - before.this_version,
                now.older_version - before.older_version,
                now.restricted - before.restricted,
                now.bad_format - before.bad_format,
                now.bad_authentication - before.bad_authentication,
                now.declined - before.declined,
                now.limited - before.limited,
                now.kisses - before.kisses,
            ];
            let counts: Vec<String> = counts.iter().map(u64::to_string).collect();
            format!("{} {}", SYSTEM_INTERVAL.as_secs(), counts.join(" "))
        });
    }

    fn record(&mut self, kind: StatisticsKind, text: impl FnOnce() -> String) {
        if self.statistics.has(kind) {
            self.outputs.push_back(Output::Record(Record {
                kind,
                at: self.now.wall,
                text: text(),
            }));
        }
    }
}

/// Both addresses, the four times, and what the header says.
fn raw(association: &Association, exchange: &Exchange) -> Option<String> {
    let Source::Server(server) = &association.source else {
        return None;
    };
    let endpoint = server.endpoint()?;
    let Header {
        leap,
        version,
        mode,
        stratum,
        poll,
        precision,
        root_delay,
        root_dispersion,
        reference_id: identifier,
        ..
    } = association.last.header;
    let times = [
        exchange.sent,
        exchange.server_received,
        exchange.server_sent,
        exchange.received,
    ];
    let [sent, there, back, received] = times.map(|time| decimal(time.to_wire()));
    Some(format!(
        "{} {} {sent} {there} {back} {received} {} {} {} {} {} {} {:.6} {:.6} {}",
        endpoint.remote.ip(),
        endpoint.local,
        leap as u8,
        version.value(),
        mode as u8,
        stratum,
        poll.value(),
        precision.value(),
        root_delay.to_duration().to_seconds_f64(),
        root_dispersion.to_duration().to_seconds_f64(),
        reference_id(stratum, identifier),
    ))
}

/// Seconds of the era with nine digits behind the point.
fn decimal(time: WireTimestamp) -> String {
    let nanoseconds = (u64::from(time.fraction()) * 1_000_000_000) >> 32;
    format!("{}.{nanoseconds:09}", time.seconds())
}
