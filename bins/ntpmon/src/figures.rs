//! Figures as words: times, intervals and small charts.

use ntp_wire::Timestamp;

use crate::{
    changes::followed,
    snapshot::{Clients, Snapshot, System},
};

/// The time of day, in UTC.
pub(crate) fn time_of_day(at: Timestamp) -> String {
    let second = at.to_unix().0.rem_euclid(86_400);
    format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Milliseconds, with the unit that leaves few digits.
pub(crate) fn interval(milliseconds: Option<f64>) -> String {
    signed(milliseconds).trim_start_matches('+').to_owned()
}

/// Milliseconds with their sign, with the unit that leaves few digits.
pub(crate) fn signed(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => "-".to_owned(),
        Some(value) if value.abs() < 1.0 => format!("{:+.1} us", value * 1e3),
        Some(value) if value.abs() < 1e3 => format!("{value:+.3} ms"),
        Some(value) => format!("{:+.3} s", value / 1e3),
    }
}

/// The last eight polls, the newest at the right: what was answered, and what was not.
pub(crate) fn polls(reach: u8) -> String {
    (0..8)
        .rev()
        .map(|bit| if reach >> bit & 1 == 1 { '|' } else { '.' })
        .collect()
}

/// The last values as bars between the least and the greatest of them.
pub(crate) fn bars<'a>(
    values: impl DoubleEndedIterator<Item = &'a f64> + Clone,
    width: usize,
) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let mut shown: Vec<f64> = values.rev().take(width).copied().collect();
    shown.reverse();
    let least = shown.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = shown.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = greatest - least;
    shown
        .iter()
        .map(|value| {
            let height = if range > 0.0 {
                (value - least) / range
            } else {
                0.5
            };
            // A height is between 0 and 1.
            let index = (height * 7.0).round() as usize;
            *BARS.get(index).unwrap_or(&'█')
        })
        .collect()
}

/// Whether the clock is right, and by whom.
pub(crate) fn clock(snapshot: &Snapshot) -> String {
    let system = &snapshot.system;
    if !system.is_synchronised() {
        return "NOT SYNCHRONISED".to_owned();
    }
    let source = followed(snapshot).map_or(&system.reference_id, |source| &source.name);
    let stratum = system
        .stratum
        .map_or_else(|| "?".to_owned(), |stratum| stratum.to_string());
    format!("synchronised to {source}, stratum {stratum}")
}

/// How well the clock goes.
pub(crate) fn quality(system: &System) -> [String; 4] {
    // Who is not synchronised adds up the errors of nobody.
    let bound = match system.error_bound().filter(|_| system.is_synchronised()) {
        Some(bound) => format!("right to within {}", interval(Some(bound))),
        None => "error unknown".to_owned(),
    };
    let offset = format!(
        "offset {}, jitter {}",
        signed(system.offset),
        interval(system.jitter)
    );
    let frequency = match system.frequency {
        Some(frequency) => format!("frequency {frequency:+.3} ppm"),
        None => "frequency unknown".to_owned(),
    };
    let wander = match system.wander {
        Some(wander) => format!("wander {wander:.3} ppm"),
        None => "wander unknown".to_owned(),
    };
    [bound, offset, frequency, wander]
}

/// A line for each client, after a heading.
pub(crate) fn client_lines(clients: &Clients) -> (String, Vec<String>) {
    match clients {
        Clients::Unknown(reason) => (
            "Clients: the daemon does not tell".to_owned(),
            vec![reason.clone()],
        ),
        Clients::Known {
            top,
            read,
            complete,
        } => {
            let heading = match complete {
                true => format!("Clients: {read}, busiest first"),
                false => format!("Clients: the busiest of {read}; there are more"),
            };
            let lines = top.iter().map(|client| {
                let limited = match client.restriction & 0x0840 {
                    0 => "",
                    _ => ", rate limited",
                };
                format!(
                    "{:>9} packets, version {}, {}{limited}",
                    client.count, client.version, client.address
                )
            });
            (heading, lines.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_keep_figures_short() {
        assert_eq!(signed(Some(0.0123)), "+12.3 us");
        assert_eq!(signed(Some(-12.3)), "-12.300 ms");
        assert_eq!(interval(Some(2500.0)), "2.500 s");
        assert_eq!(interval(None), "-");
    }

    #[test]
    fn a_clock_that_nobody_set_has_no_bound() {
        let data = b"rootdelay=0.0, rootdisp=0.165";
        assert_eq!(quality(&System::new(0xc016, data))[0], "error unknown");
        assert_eq!(
            quality(&System::new(0x0615, data))[0],
            "right to within 165.0 us"
        );
    }

    #[test]
    fn bars_show_the_newest_and_their_range() {
        assert_eq!(bars([9.0, 1.0, 2.0, 8.0].iter(), 3), "▁▂█");
        assert_eq!(bars([3.0, 3.0].iter(), 9), "▅▅");
        assert_eq!(bars([].iter(), 9), "");
    }

    #[test]
    fn polls_are_read_from_the_left() {
        assert_eq!(polls(0b1111_1110), "|||||||.");
    }

    #[test]
    fn the_day_begins_at_midnight() {
        assert_eq!(
            time_of_day(Timestamp::from_unix(86_400 + 3_661, 0)),
            "01:01:01"
        );
        assert_eq!(time_of_day(Timestamp::from_unix(-1, 0)), "23:59:59");
    }
}
