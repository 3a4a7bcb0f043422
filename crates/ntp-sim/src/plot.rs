//! A picture of a run.

use core::fmt;

use ntp_wire::Duration;

use crate::{Run, Scenario, report::span};

/// The error of the client's clock over the time of a run, as an SVG image; its `Display` is the
/// file.
///
/// Both axes are linear. The vertical one is made for what comes after the warm-up, which is
/// shaded; what was worse before is cut off.
#[derive(Clone, PartialEq, Debug)]
pub struct Plot<'a> {
    scenario: &'a Scenario,
    run: &'a Run,
}

const WIDTH: usize = 900;
const HEIGHT: usize = 380;
/// Where the axes are.
const LEFT: usize = 80;
const RIGHT: usize = 880;
const TOP: usize = 60;
const BOTTOM: usize = 330;
/// Colours for a light background and for a dark one.
const STYLE: &str = "\
<style>\n\
.paper{fill:#fff}.ink{fill:#222}.grid{stroke:#ccc}.warm{fill:#000;opacity:.06}\n\
.line{fill:none;stroke:#06c;stroke-linejoin:round}text{font:13px sans-serif}.title{font-size:16px}\n\
@media(prefers-color-scheme:dark){.paper{fill:#1b1b1b}.ink{fill:#ddd}.grid{stroke:#444}\
.warm{fill:#fff}.line{stroke:#6bf}}\n\
</style>\n";

impl<'a> Plot<'a> {
    /// The plot of a run of `scenario`.
    pub fn new(scenario: &'a Scenario, run: &'a Run) -> Self {
        Self { scenario, run }
    }

    /// The greatest error that is drawn, in seconds.
    fn scale(&self) -> f64 {
        (self.run.summary.maximum.to_seconds_f64() * 1.1).max(1e-9)
    }

    fn x(&self, seconds: f64) -> f64 {
        let share = seconds / self.run.errors.len().max(1) as f64;
        LEFT as f64 + share * (RIGHT - LEFT) as f64
    }

    fn y(&self, error: f64) -> f64 {
        let middle = (TOP + BOTTOM) as f64 / 2.0;
        // Far outside is as good as just outside, and keeps the numbers short.
        let share = (error / self.scale()).clamp(-2.0, 2.0);
        middle - share * (BOTTOM - TOP) as f64 / 2.0
    }

    /// The line: for each of its columns the least and the greatest error.
    fn line(&self) -> String {
        let columns = RIGHT - LEFT;
        let count = self.run.errors.len();
        let mut path = String::new();
        let mut pen_down = false;
        for column in 0..columns {
            let from = column * count / columns;
            let to = ((column + 1) * count / columns).max(from + 1);
            let errors = self.run.errors.get(from..to).unwrap_or_default();
            let awake = errors.iter().flatten();
            let (Some(least), Some(greatest)) = (awake.clone().min(), awake.max()) else {
                pen_down = pen_down && count < columns;
                continue;
            };
            let x = self.x((from + to) as f64 / 2.0);
            let y = |error: &Duration| self.y(error.to_seconds_f64());
            let command = if pen_down { 'L' } else { 'M' };
            path.push_str(&format!("{command}{x:.1} {:.1}", y(least)));
            if least != greatest {
                path.push_str(&format!("L{x:.1} {:.1}", y(greatest)));
            }
            pen_down = true;
        }
        path
    }

    fn horizontal_grid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale();
        let (factor, unit) = unit(scale);
        let step = step(scale / 3.0);
        let lines = (scale / step).floor() as i32;
        for line in -lines..=lines {
            let error = f64::from(line) * step;
            let y = self.y(error);
            writeln!(
                f,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"ink\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{} {unit}</text>",
                LEFT - 8,
                y + 4.0,
                plain(error * factor),
            )?;
        }
        Ok(())
    }

    fn vertical_grid(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.run.errors.len() as f64;
        let (length, unit) = match total {
            total if total > 4.0 * 86_400.0 => (86_400.0, "d"),
            total if total > 4.0 * 3600.0 => (3600.0, "h"),
            _ => (1.0, "s"),
        };
        let step = step(total / length / 8.0) * length;
        let lines = (total / step).floor() as i32;
        for line in 0..=lines {
            let seconds = f64::from(line) * step;
            let x = self.x(seconds);
            writeln!(
                f,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
                 <text class=\"ink\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{} {unit}</text>",
                BOTTOM + 20,
                plain(seconds / length),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Plot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = escape(&self.scenario.title);
        let summary = &self.run.summary;
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n<title>{title}</title>\n{STYLE}\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>"
        )?;
        let warm = self.x(self.scenario.warm_up.as_secs_f64());
        writeln!(
            f,
            "<rect class=\"warm\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"/>",
            warm - LEFT as f64,
            BOTTOM - TOP,
        )?;
        self.horizontal_grid(f)?;
        self.vertical_grid(f)?;
        writeln!(
            f,
            "<clipPath id=\"area\"><rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{}\" height=\"{}\"/>\
             </clipPath>\n<path class=\"line\" clip-path=\"url(#area)\" d=\"{}\"/>",
            RIGHT - LEFT,
            BOTTOM - TOP,
            self.line(),
        )?;
        writeln!(
            f,
            "<text class=\"ink title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n\
             <text class=\"ink\" x=\"{LEFT}\" y=\"46\">the clock ahead of true time, seed {}: rms {}, \
             95 % within {}, at most {}</text>\n\
             <text class=\"ink\" x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">time since the start; \
             the warm-up is shaded</text>\n</svg>",
            summary.seed,
            span(summary.rms),
            span(summary.percentile_95),
            span(summary.maximum),
            BOTTOM + 42,
        )
    }
}

/// The factor and the name of the unit that suits so many seconds.
fn unit(seconds: f64) -> (f64, &'static str) {
    match seconds {
        size if size >= 1.0 => (1.0, "s"),
        size if size >= 1e-3 => (1e3, "ms"),
        size if size >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    }
}

/// 1, 2 or 5 times a power of ten, not far above `rough`.
fn step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    match rough / power {
        lead if lead <= 1.0 => power,
        lead if lead <= 2.0 => 2.0 * power,
        lead if lead <= 5.0 => 5.0 * power,
        _ => 10.0 * power,
    }
}

/// A number on an axis, without the zeroes that tell nothing.
fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" => "0".to_owned(),
        text => text.replace('-', "−"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
