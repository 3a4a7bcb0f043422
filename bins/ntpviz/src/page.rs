//! The page.

use std::fmt;

use jiff::{Timestamp, tz::TimeZone};
use ntp_plot::{Chart, Curve, Horizontal, Point, STYLE, Unit, escape};

use crate::{
    directory::Statistics,
    record::{LoopRecord, PeerRecord},
    spread::Spread,
};

/// A page of charts and tables; its `Display` is the HTML file.
pub(crate) struct Page<'a> {
    pub(crate) name: &'a str,
    pub(crate) statistics: &'a Statistics,
    /// The first and the last time, in seconds since 1970.
    pub(crate) span: (f64, f64),
}

/// Sources with charts of their own at most; the others are in the table.
const MOST_CHARTS: usize = 16;
/// Bars of a histogram.
const BARS: usize = 60;

const PAGE_STYLE: &str = "\
body{margin:0 auto;padding:1rem;max-width:64rem;font:16px/1.5 sans-serif;color:#222;background:#fff}
.chart{display:block;width:100%;height:auto;margin:1rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.2rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid #ccc}
th:first-child,td:first-child{text-align:left}.note{color:#555}
@media(max-width:30rem){.wide .chart{width:36rem}}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}th,td{border-color:#444}.note{color:#aaa}}
";

/// A number that records have.
struct Quantity<'a, R> {
    name: &'a str,
    unit: Unit,
    of: fn(&R) -> f64,
    /// What it tells.
    meaning: &'a str,
}

const CLOCK: [Quantity<'_, LoopRecord>; 4] = [
    Quantity {
        name: "Offset",
        unit: Unit::Seconds,
        of: |record| record.offset,
        meaning: "how far the clock was behind its sources",
    },
    Quantity {
        name: "Frequency",
        unit: Unit::PartsPerMillion,
        of: |record| record.frequency,
        meaning: "what is added to the clock's own rate",
    },
    Quantity {
        name: "Jitter",
        unit: Unit::Seconds,
        of: |record| record.jitter,
        meaning: "how much offsets differ from one to the next",
    },
    Quantity {
        name: "Wander",
        unit: Unit::PartsPerMillion,
        of: |record| record.wander,
        meaning: "how much frequencies differ from one to the next",
    },
];

const SOURCE: [Quantity<'_, PeerRecord>; 3] = [
    Quantity {
        name: "Offset",
        unit: Unit::Seconds,
        of: |record| record.offset,
        meaning: "how far the clock was behind this source",
    },
    Quantity {
        name: "Delay",
        unit: Unit::Seconds,
        of: |record| record.delay,
        meaning: "there and back",
    },
    Quantity {
        name: "Jitter",
        unit: Unit::Seconds,
        of: |record| record.jitter,
        meaning: "how much offsets differ from one to the next",
    },
];

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = escape(self.name);
        let (from, to) = self.span;
        writeln!(
            f,
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>Time on {name}</title>\n<style>\n{PAGE_STYLE}{STYLE}</style>\n</head>\n<body>\n\
             <h1>Time on {name}</h1>\n<p>{} to {} UTC</p>",
            date(from),
            date(to)
        )?;
        self.clock(f)?;
        self.sources(f)?;
        writeln!(f, "</body>\n</html>")
    }
}

impl Page<'_> {
    fn clock(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records = &self.statistics.clock;
        writeln!(f, "<h2>The clock</h2>")?;
        if records.is_empty() {
            return writeln!(
                f,
                "<p class=\"note\">There are no loopstats of that time.</p>"
            );
        }
        writeln!(f, "{TABLE}<tr><th></th>{HEADINGS}</tr>")?;
        for quantity in &CLOCK {
            if let Some(spread) = Spread::of(records.iter().map(quantity.of)) {
                row(quantity.name, quantity.unit, &spread, f)?;
            }
        }
        writeln!(f, "</table></div>")?;
        for quantity in &CLOCK {
            let title = format!("{} of the clock", quantity.name);
            self.over_time(&title, quantity, records, |record| record.at, f)?;
        }
        let offsets = Spread::of(records.iter().map(|record| record.offset));
        offsets.map_or(Ok(()), |offsets| {
            histogram("Offsets of the clock", &offsets, f)
        })
    }

    fn sources(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources = &self.statistics.sources;
        if sources.is_empty() {
            return writeln!(
                f,
                "<p class=\"note\">There are no peerstats of that time.</p>"
            );
        }
        writeln!(f, "<h2>Sources</h2>")?;
        for quantity in &SOURCE {
            writeln!(
                f,
                "{TABLE}<tr><th>{}</th>{HEADINGS}</tr>",
                escape(quantity.name)
            )?;
            for (address, records) in sources {
                if let Some(spread) = Spread::of(records.iter().map(quantity.of)) {
                    row(address, quantity.unit, &spread, f)?;
                }
            }
            writeln!(f, "</table></div>")?;
        }
        // Those that there is most of; in the order of the table.
        let mut counts: Vec<usize> = sources.values().map(Vec::len).collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let least = counts.get(MOST_CHARTS - 1).copied().unwrap_or_default();
        let shown = sources.iter().filter(|(_, records)| records.len() >= least);
        for (address, records) in shown.take(MOST_CHARTS) {
            writeln!(f, "<h3>{}</h3>", escape(address))?;
            for quantity in &SOURCE {
                let title = format!("{} of {address}", quantity.name);
                self.over_time(&title, quantity, records, |record| record.at, f)?;
            }
        }
        if sources.len() > MOST_CHARTS {
            let left_out = sources.len() - MOST_CHARTS;
            writeln!(
                f,
                "<p class=\"note\">Charts of {left_out} more sources, which have fewer records, \
                 are left out.</p>"
            )?;
        }
        Ok(())
    }

    /// The chart of a quantity, over the time of the page.
    fn over_time<R>(
        &self,
        title: &str,
        quantity: &Quantity<'_, R>,
        records: &[R],
        at: fn(&R) -> f64,
        f: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        let Some(spread) = Spread::of(records.iter().map(quantity.of)) else {
            return Ok(());
        };
        let range = spread.frame();
        let points = records.iter().map(|record| Point {
            x: at(record),
            y: (quantity.of)(record),
        });
        let (from, to) = self.span;
        let (least, greatest) = range;
        let edge = (greatest - least) * 0.05;
        let chart = Chart::new(title, Horizontal::Utc, quantity.unit)
            .caption(quantity.meaning)
            .footnote(beyond(&spread, range))
            .span(from, to)
            .range(least - edge, greatest + edge)
            .curve(Curve::new(title, points, gap(records, at)));
        writeln!(f, "<div class=\"wide\">{}</div>", chart.inline())
    }
}

const TABLE: &str = "<div class=\"wide\"><table>";
const HEADINGS: &str = "<th>least</th><th>1 %</th><th>5 %</th><th>50 %</th><th>95 %</th>\
                        <th>99 %</th><th>greatest</th><th>mean</th><th>std. dev.</th><th>records</th>";

fn row(name: &str, unit: Unit, spread: &Spread, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "<tr><td>{}</td>", escape(name))?;
    for share in [0.0, 0.01, 0.05, 0.5, 0.95, 0.99, 1.0] {
        write!(f, "<td>{}</td>", unit.tell(spread.quantile(share)))?;
    }
    writeln!(
        f,
        "<td>{}</td><td>{}</td><td>{}</td></tr>",
        unit.tell(spread.mean()),
        unit.tell(spread.standard_deviation()),
        spread.count()
    )
}

fn histogram(title: &str, spread: &Spread, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let range = spread.frame();
    if range.0 >= range.1 {
        return Ok(());
    }
    let chart = Chart::new(title, Horizontal::Of(Unit::Seconds), Unit::Count)
        .caption(format!(
            "how many of {} records; standard deviation {}",
            spread.count(),
            Unit::Seconds.tell(spread.standard_deviation())
        ))
        .footnote(beyond(spread, range));
    let chart = spread
        .histogram(range, BARS)
        .into_iter()
        .fold(chart, |chart, bin| {
            chart.bar(bin.from, bin.to, bin.count as f64)
        });
    writeln!(f, "<div class=\"wide\">{}</div>", chart.inline())
}

/// What a chart does not show.
fn beyond(spread: &Spread, range: (f64, f64)) -> String {
    match spread.outside(range) {
        0 => String::new(),
        count => format!("{count} of {} records are beyond the frame", spread.count()),
    }
}

/// Between records further apart than this there was nothing: some times what is usual.
fn gap<R>(records: &[R], at: fn(&R) -> f64) -> f64 {
    let pairs = records.iter().zip(records.iter().skip(1));
    let usual = Spread::of(pairs.map(|(one, next)| at(next) - at(one)));
    usual.map_or(f64::INFINITY, |usual| usual.quantile(0.9) * 4.0)
}

/// A minute of the calendar.
fn date(at: f64) -> String {
    Timestamp::from_second(at as i64).map_or_else(
        |_| "an unknown time".to_owned(),
        |at| {
            let at = at.to_zoned(TimeZone::UTC);
            at.strftime("%Y-%m-%d %H:%M").to_string()
        },
    )
}
