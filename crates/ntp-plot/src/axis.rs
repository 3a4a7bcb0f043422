//! Where the lines of the grid are, and what stands beside them.

use jiff::{Timestamp, tz::TimeZone};

use crate::unit::{Unit, plain};

/// What the horizontal axis shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Horizontal {
    /// Seconds since a start.
    Elapsed,
    /// The time of day: seconds since 1970, UTC.
    Utc,
    /// A quantity.
    Of(Unit),
}

/// A line of the grid.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Tick {
    pub(crate) at: f64,
    pub(crate) label: String,
}

/// More lines than this tell nothing.
const MOST: usize = 40;

impl Horizontal {
    /// About eight lines from `from` to `to`.
    pub(crate) fn ticks(self, (from, to): (f64, f64)) -> Vec<Tick> {
        match self {
            Self::Elapsed => {
                let (length, unit) = match to - from {
                    total if total > 4.0 * 86_400.0 => (86_400.0, "d"),
                    total if total > 4.0 * 3600.0 => (3600.0, "h"),
                    _ => (1.0, "s"),
                };
                let label = |at: f64| format!("{} {unit}", plain(at / length));
                every(
                    round_up((to - from) / length / 8.0) * length,
                    (from, to),
                    label,
                )
            }
            Self::Utc => {
                let step = calendar_step((to - from) / 8.0);
                let has_year = to - from > 300.0 * DAY;
                every(step, (from, to), |at| date(at, step, has_year))
            }
            Self::Of(unit) => ticks_of(unit, (from, to), 8.0),
        }
    }
}

/// About `count` lines from `from` to `to`.
pub(crate) fn ticks_of(unit: Unit, (from, to): (f64, f64), count: f64) -> Vec<Tick> {
    let scale = unit.scale(from.abs().max(to.abs()));
    let step = match unit {
        // There are no halves of them.
        Unit::Count => round_up((to - from) / count).max(1.0),
        _ => round_up((to - from) / count),
    };
    every(step, (from, to), |at| {
        let number = plain(at * scale.factor);
        if scale.name.is_empty() {
            number
        } else {
            format!("{number} {}", scale.name)
        }
    })
}

/// The multiples of `step` in a range.
fn every(step: f64, (from, to): (f64, f64), label: impl Fn(f64) -> String) -> Vec<Tick> {
    if !(step > 0.0 && step.is_finite()) {
        return Vec::new();
    }
    let first = (from / step - 1e-6).ceil();
    (0..MOST)
        .map(|index| (first + index as f64) * step)
        .take_while(|at| *at <= to + step * 1e-6)
        .map(|at| Tick {
            at,
            label: label(at),
        })
        .collect()
}

/// 1, 2 or 5 times a power of ten, not far above `rough`.
fn round_up(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    match rough / power {
        lead if lead <= 1.0 => power,
        lead if lead <= 2.0 => 2.0 * power,
        lead if lead <= 5.0 => 5.0 * power,
        _ => 10.0 * power,
    }
}

const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;

/// Steps that clocks and calendars have.
const STEPS: [f64; 20] = [
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    MINUTE,
    2.0 * MINUTE,
    5.0 * MINUTE,
    10.0 * MINUTE,
    30.0 * MINUTE,
    HOUR,
    2.0 * HOUR,
    3.0 * HOUR,
    6.0 * HOUR,
    12.0 * HOUR,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
    14.0 * DAY,
    30.0 * DAY,
];

fn calendar_step(rough: f64) -> f64 {
    STEPS
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or_else(|| round_up(rough / DAY) * DAY)
}

/// A point in time, as exact as the step makes sense; midnight is a date.
fn date(at: f64, step: f64, has_year: bool) -> String {
    // Beyond what a calendar knows there is nothing to write.
    let Ok(at) = Timestamp::from_second(at.round() as i64) else {
        return String::new();
    };
    let at = at.to_zoned(TimeZone::UTC);
    let format = if has_year {
        "%Y-%m-%d"
    } else if step >= DAY || at.time() == jiff::civil::Time::midnight() {
        "%d %b"
    } else if step >= MINUTE {
        "%H:%M"
    } else {
        "%H:%M:%S"
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn quantities_have_round_numbers() {
        assert_eq!(
            labels(ticks_of(Unit::Seconds, (-2.2e-6, 2.2e-6), 5.0)),
            ["−2 µs", "−1 µs", "0 µs", "1 µs", "2 µs"]
        );
        assert_eq!(
            labels(ticks_of(Unit::Count, (0.0, 2.0), 5.0)),
            ["0", "1", "2"]
        );
    }

    #[test]
    fn times_of_day_have_round_numbers_and_midnight_is_a_date() {
        let from = 1_795_392_000.0 - 3.0 * HOUR;
        assert_eq!(
            labels(Horizontal::Utc.ticks((from, from + 20.0 * HOUR))),
            [
                "21:00", "23 Nov", "03:00", "06:00", "09:00", "12:00", "15:00"
            ]
        );
        assert_eq!(
            labels(Horizontal::Utc.ticks((from, from + 500.0 * DAY)))[0],
            "2026-12-13"
        );
        assert_eq!(
            labels(Horizontal::Utc.ticks((from, from + 5.0)))[..2],
            ["21:00:00", "21:00:01"]
        );
    }

    #[test]
    fn a_range_that_is_none_has_no_endless_grid() {
        for range in [
            (0.0, 0.0),
            (1.0, -1.0),
            (f64::NAN, 1.0),
            (0.0, f64::INFINITY),
            (1e300, 1.000_000_1e300),
        ] {
            for axis in [
                Horizontal::Elapsed,
                Horizontal::Utc,
                Horizontal::Of(Unit::Seconds),
            ] {
                assert!(axis.ticks(range).len() <= MOST);
            }
        }
    }
}
