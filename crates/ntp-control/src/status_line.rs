//! Status words in words.

use ntp_wire::control::{ClockStatus, PeerStatus, SystemStatus};

use crate::Kind;

/// What ntpq prints after `status=....`, without the comma at its end.
///
/// ```
/// use ntp_control::{Kind, status_line};
///
/// assert_eq!(
///     status_line(Kind::System, 0x0615),
///     "leap_none, sync_ntp, 1 event, clock_sync"
/// );
/// assert_eq!(
///     status_line(Kind::Peer, 0x961a),
///     "conf, reach, sel_sys.peer, 1 event, sys_peer"
/// );
/// ```
pub fn status_line(kind: Kind, status: u16) -> String {
    match kind {
        Kind::System => {
            let status = SystemStatus::from_bits(status);
            let source = status.source();
            let source = status
                .source_word()
                .map_or_else(|| format!("sync_{source}"), str::to_owned);
            let events = events(status.event_count());
            format!(
                "{}, {source}, {events}, {}",
                status.leap_word(),
                status.event_word()
            )
        }
        Kind::Peer => {
            let status = PeerStatus::from_bits(status);
            let flags: Vec<_> = status.flag_words().collect();
            let mut line = format!(
                "{}, {}, {}",
                flags.join(", "),
                status.selection().word(),
                events(status.event_count())
            );
            if let Some(word) = status.event_word() {
                line.push_str(", ");
                line.push_str(word);
            }
            line
        }
        Kind::Clock => {
            let status = ClockStatus::from_bits(status);
            let event = status
                .event_word()
                .map_or_else(|| format!("clk_{}", status.event()), str::to_owned);
            format!("{}, {event}", events(status.event_count()))
        }
    }
}

fn events(count: u8) -> String {
    match count {
        0 => "no events".to_owned(),
        1 => "1 event".to_owned(),
        count => format!("{count} events"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_the_reference() {
        for (kind, status, line) in [
            (
                Kind::System,
                0x0000,
                "leap_none, sync_unspec, no events, unspecified",
            ),
            (
                Kind::System,
                0xc3c3,
                "leap_alarm, sync_hf_radio, 12 events, spike_detect",
            ),
            (
                Kind::System,
                0x0a1a,
                "leap_none, sync_10, 1 event, leap_disarmed",
            ),
            (
                Kind::System,
                0x2f1f,
                "leap_none, sync_47, 1 event, stale_leapsecond_values",
            ),
            (Kind::Peer, 0x0001, ", sel_reject, no events, mobilize"),
            (Kind::Peer, 0x1000, "reach, sel_reject, no events"),
            (
                Kind::Peer,
                0x8238,
                "conf, sel_excess, 3 events, access_denied",
            ),
            (
                Kind::Peer,
                0xffff,
                "conf, authenb, auth, reach, bcast, sel_pps.peer, 15 events, interleave_error",
            ),
            (Kind::Clock, 0x0000, "no events, clk_unspec"),
            (Kind::Clock, 0x0017, "1 event, clk_7"),
        ] {
            assert_eq!(status_line(kind, status), line);
        }
    }
}
