//! The table of a scenario.

use core::{fmt, time::Duration as Elapsed};

use ntp_wire::Duration;

use crate::{Scenario, Summary};

/// What a scenario came to with several seeds; its `Display` is a table in Markdown.
///
/// Figures are rounded to three digits, so that a table changes when the discipline does and not
/// with the last bit of a logarithm.
#[derive(Clone, PartialEq, Debug)]
pub struct Report {
    title: String,
    summaries: Vec<Summary>,
}

/// The columns after the first one.
const COLUMNS: [&str; 10] = [
    "rms",
    "95 %",
    "max",
    "frequency",
    "< 1 ms",
    "< 100 µs",
    "< 10 µs",
    "requests",
    "interval",
    "steps",
];

impl Report {
    /// The report of these runs of `scenario`.
    pub fn new(scenario: &Scenario, summaries: Vec<Summary>) -> Self {
        Self {
            // A bar would end the cell of a table.
            title: scenario.title.replace('|', "\\|"),
            summaries,
        }
    }

    /// The head of a table with a row for each scenario.
    pub fn head() -> String {
        format!(
            "| scenario | {} | worst rms |\n|---|{}---|\n",
            COLUMNS.join(" | "),
            "---|".repeat(COLUMNS.len())
        )
    }

    /// The row of this scenario: medians over the seeds, and the worst root mean square.
    pub fn row(&self) -> String {
        format!(
            "| {} | {} | {} |\n",
            self.title,
            self.cells(Choice::Median).join(" | "),
            span(Choice::Worst.among(self.column(|summary| summary.rms))),
        )
    }

    fn column<T>(&self, of: impl Fn(&Summary) -> T) -> Vec<T> {
        self.summaries.iter().map(of).collect()
    }

    /// One figure of each column, chosen among the seeds.
    fn cells(&self, choose: Choice) -> [String; COLUMNS.len()] {
        let settled = |index: usize| {
            // What never happens is later than all that does.
            let times = self.column(|summary| summary.settled[index].unwrap_or(Elapsed::MAX));
            let time = choose.among(times);
            if time == Elapsed::MAX {
                "never".to_owned()
            } else {
                format!("{} s", three_digits(time.as_secs()))
            }
        };
        let millionths = |summary: &Summary| (summary.frequency.value() * 1e6).round() as u64;
        let ended = self.summaries.iter().any(|summary| summary.exit.is_some());
        [
            span(choose.among(self.column(|summary| summary.rms))),
            span(choose.among(self.column(|summary| summary.percentile_95))),
            span(choose.among(self.column(|summary| summary.maximum))),
            format!(
                "{} ppm",
                digits(choose.among(self.column(millionths)) as f64 * 1e-6)
            ),
            settled(0),
            settled(1),
            settled(2),
            choose
                .among(self.column(|summary| summary.requests))
                .to_string(),
            match choose.shortest(self.column(|summary| summary.interval)) {
                None => "-".to_owned(),
                Some(interval) => format!("{} s", digits(interval.as_secs_f64())),
            },
            format!(
                "{}{}",
                choose.among(self.column(|summary| summary.steps)),
                if ended { ", ended" } else { "" }
            ),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.title)?;
        writeln!(f, "| seed | {} |", COLUMNS.join(" | "))?;
        writeln!(f, "|---|{}", "---|".repeat(COLUMNS.len()))?;
        for summary in &self.summaries {
            let alone = Self {
                title: String::new(),
                summaries: vec![summary.clone()],
            };
            let cells = alone.cells(Choice::Median);
            writeln!(f, "| {} | {} |", summary.seed, cells.join(" | "))?;
        }
        if self.summaries.len() > 1 {
            writeln!(f, "| median | {} |", self.cells(Choice::Median).join(" | "))?;
            writeln!(f, "| worst | {} |", self.cells(Choice::Worst).join(" | "))?;
        }
        Ok(())
    }
}

/// Which of the seeds' figures is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    Median,
    Worst,
}

impl Choice {
    /// The middle one, or the greatest; of an even number the lower one of the two in the middle.
    fn among<T: Ord + Default>(self, mut figures: Vec<T>) -> T {
        figures.sort_unstable();
        let rank = match self {
            Self::Median => figures.len().saturating_sub(1) / 2,
            Self::Worst => figures.len().saturating_sub(1),
        };
        figures.into_iter().nth(rank).unwrap_or_default()
    }

    /// As [`among`](Self::among), where the least is the worst.
    fn shortest<T: Ord + Default>(self, figures: Vec<T>) -> T {
        let figures = figures.into_iter().map(core::cmp::Reverse).collect();
        let core::cmp::Reverse(figure): core::cmp::Reverse<T> = self.among(figures);
        figure
    }
}

/// A span with a unit that suits it.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.to_seconds_f64();
    let (factor, unit) = match seconds.abs() {
        size if size >= 1.0 => (1.0, "s"),
        size if size >= 1e-3 => (1e3, "ms"),
        size if size >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    };
    format!("{} {unit}", digits(seconds * factor))
}

/// A whole number, from the fourth digit on rounded up to zeroes.
fn three_digits(number: u64) -> u64 {
    let digits = number.checked_ilog10().unwrap_or(0);
    let unit = 10u64.pow(digits.saturating_sub(2));
    number.div_ceil(unit).saturating_mul(unit)
}

/// Three significant digits.
fn digits(number: f64) -> String {
    match number.abs() {
        size if size >= 99.95 => format!("{number:.0}"),
        size if size >= 9.995 => format!("{number:.1}"),
        size if size >= 0.9995 => format!("{number:.2}"),
        size if size >= 0.09995 => format!("{number:.3}"),
        _ => format!("{number:.4}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit() {
        let told = |seconds| span(Duration::from_seconds_f64(seconds));
        assert_eq!(told(1.2345e-9), "1.16 ns"); // the nearest that a span can be
        assert_eq!(told(1.2345e-5), "12.3 µs");
        assert_eq!(told(9.996e-2), "100 ms");
        assert_eq!(told(-3600.0), "-3600 s");
        assert_eq!(told(0.0), "0.0000 ns");
        let rounded = [0, 7, 999, 1000, 1001, 98_765].map(three_digits);
        assert_eq!(rounded, [0, 7, 999, 1000, 1010, 98_800]);
    }

    #[test]
    fn the_median_and_the_worst_are_chosen() {
        let figures = vec![3, 1, 2, 9];
        assert_eq!(Choice::Median.among(figures.clone()), 2);
        assert_eq!(Choice::Worst.among(figures.clone()), 9);
        assert_eq!(Choice::Worst.shortest(figures), 1);
        assert_eq!(Choice::Median.among(Vec::<u8>::new()), 0);
    }
}
