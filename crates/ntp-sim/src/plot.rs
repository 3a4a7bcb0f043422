//! A picture of a run.

use core::fmt;

use ntp_plot::{Chart, Curve, Horizontal, Point, Unit};

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

impl<'a> Plot<'a> {
    /// The plot of a run of `scenario`.
    pub fn new(scenario: &'a Scenario, run: &'a Run) -> Self {
        Self { scenario, run }
    }

    fn chart(&self) -> Chart {
        let summary = &self.run.summary;
        let scale = (summary.maximum.to_seconds_f64() * 1.1).max(1e-9);
        let errors = self.run.errors.iter().enumerate();
        let awake = errors.filter_map(|(second, error)| {
            Some(Point {
                x: second as f64,
                y: (*error)?.to_seconds_f64(),
            })
        });
        Chart::new(&self.scenario.title, Horizontal::Elapsed, Unit::Seconds)
            .caption(format!(
                "the clock ahead of true time, seed {}: rms {}, 95 % within {}, at most {}",
                summary.seed,
                span(summary.rms),
                span(summary.percentile_95),
                span(summary.maximum),
            ))
            .footnote("time since the start; the warm-up is shaded")
            .span(0.0, self.run.errors.len() as f64)
            .range(-scale, scale)
            .shade(0.0, self.scenario.warm_up.as_secs_f64())
            .curve(Curve::new("error", awake, 1.5))
    }
}

impl fmt::Display for Plot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chart().fmt(f)
    }
}
