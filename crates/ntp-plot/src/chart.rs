//! The image.

use std::fmt;

use crate::{Curve, Horizontal, Point, Unit, axis::ticks_of};

/// A chart with a frame, a grid, curves and bars; its `Display` is an SVG file.
#[derive(Clone, PartialEq, Debug)]
pub struct Chart {
    title: String,
    caption: String,
    footnote: String,
    horizontal: Horizontal,
    vertical: Unit,
    range: Option<(f64, f64)>,
    span: Option<(f64, f64)>,
    shaded: Option<(f64, f64)>,
    curves: Vec<Curve>,
    bars: Vec<Bar>,
}

/// A bar of a histogram, from zero.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Bar {
    from: f64,
    to: f64,
    height: f64,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 380.0;
/// Where the frame is.
const LEFT: f64 = 105.0;
const RIGHT: f64 = 880.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 330.0;

/// The style sheet of the images, for pages that have [`Chart::inline`] ones: colours for a light
/// background and for a dark one.
pub const STYLE: &str = "\
.paper{fill:#fff}.ink{fill:#222}.grid{stroke:#ccc}.shade{fill:#000;opacity:.06}
.curve{fill:none;stroke-linejoin:round;stroke-linecap:round;stroke-width:1.5}
.c0{stroke:#06c}.c1{stroke:#c50}.c2{stroke:#083}.c3{stroke:#a0a}.f0{fill:#06c}.f1{fill:#c50}.f2{fill:#083}.f3{fill:#a0a}
.chart text{font:13px sans-serif}.chart .title{font-size:16px}
@media(max-width:40rem){.chart text{font-size:20px}.chart .title{font-size:23px}}
@media(prefers-color-scheme:dark){.paper{fill:#1b1b1b}.ink{fill:#ddd}.grid{stroke:#444}.shade{fill:#fff}
.c0{stroke:#6bf}.c1{stroke:#fa6}.c2{stroke:#6d8}.c3{stroke:#e8e}.f0{fill:#6bf}.f1{fill:#fa6}.f2{fill:#6d8}.f3{fill:#e8e}}
";

/// Curves have one of so many colours.
const COLOURS: usize = 4;

impl Chart {
    /// An empty chart.
    pub fn new(title: impl Into<String>, horizontal: Horizontal, vertical: Unit) -> Self {
        Self {
            title: title.into(),
            caption: String::new(),
            footnote: String::new(),
            horizontal,
            vertical,
            range: None,
            span: None,
            shaded: None,
            curves: Vec::new(),
            bars: Vec::new(),
        }
    }

    /// What stands below the title.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// What stands below the horizontal axis.
    #[must_use]
    pub fn footnote(mut self, footnote: impl Into<String>) -> Self {
        self.footnote = footnote.into();
        self
    }

    /// What the vertical axis shows, in place of all that there is.
    #[must_use]
    pub const fn range(mut self, least: f64, greatest: f64) -> Self {
        self.range = Some((least, greatest));
        self
    }

    /// What the horizontal axis shows, in place of all that there is.
    #[must_use]
    pub const fn span(mut self, from: f64, to: f64) -> Self {
        self.span = Some((from, to));
        self
    }

    /// Shades a part of the frame.
    #[must_use]
    pub const fn shade(mut self, from: f64, to: f64) -> Self {
        self.shaded = Some((from, to));
        self
    }

    /// Adds a curve. With more than one of them their names are told.
    #[must_use]
    pub fn curve(mut self, curve: Curve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Adds a bar from zero up to `height`.
    #[must_use]
    pub fn bar(mut self, from: f64, to: f64, height: f64) -> Self {
        if [from, to, height].iter().all(|number| number.is_finite()) {
            self.bars.push(Bar { from, to, height });
        }
        self
    }

    /// The image as part of a page whose head has [`STYLE`].
    pub fn inline(&self) -> impl fmt::Display {
        Image {
            chart: self,
            inline: true,
        }
    }

    fn points(&self) -> impl Iterator<Item = Point> {
        self.curves
            .iter()
            .flat_map(Curve::points)
            .copied()
            .chain(self.bars.iter().flat_map(|bar| {
                [
                    Point {
                        x: bar.from,
                        y: 0.0,
                    },
                    Point {
                        x: bar.to,
                        y: bar.height,
                    },
                ]
            }))
    }

    fn frame(&self) -> Frame {
        let x = self
            .span
            .or_else(|| extremes(self.points().map(|point| point.x)));
        let y = self.range.or_else(|| {
            let (least, greatest) = extremes(self.points().map(|point| point.y))?;
            let edge = (greatest - least) * 0.05;
            // Bars stand on the axis.
            let below = if self.bars.is_empty() { edge } else { 0.0 };
            Some((least - below, greatest + edge))
        });
        Frame {
            x: widened(x.unwrap_or((0.0, 1.0))),
            y: widened(y.unwrap_or((0.0, 1.0))),
        }
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let image = Image {
            chart: self,
            inline: false,
        };
        image.fmt(f)
    }
}

/// The least and the greatest of some numbers.
fn extremes(numbers: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    numbers.fold(None, |range, number| match range {
        None => Some((number, number)),
        Some((least, greatest)) => Some((number.min(least), number.max(greatest))),
    })
}

/// A range that is not empty.
fn widened((from, to): (f64, f64)) -> (f64, f64) {
    if to - from > 0.0 && (to - from).is_finite() {
        return (from, to);
    }
    let from = if from.is_finite() { from } else { 0.0 };
    let edge = (from.abs() * 1e-3).max(1e-9);
    (from - edge, from + edge)
}

/// What the axes show.
struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn x(&self, x: f64) -> f64 {
        let (from, to) = self.x;
        // Far outside is as good as just outside, and keeps the numbers short.
        LEFT + ((x - from) / (to - from)).clamp(-0.5, 1.5) * (RIGHT - LEFT)
    }

    fn y(&self, y: f64) -> f64 {
        let (from, to) = self.y;
        BOTTOM - ((y - from) / (to - from)).clamp(-0.5, 1.5) * (BOTTOM - TOP)
    }
}

struct Image<'a> {
    chart: &'a Chart,
    inline: bool,
}

impl fmt::Display for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chart = self.chart;
        let frame = chart.frame();
        let title = escape(&chart.title);
        let (width, height) = (RIGHT - LEFT, BOTTOM - TOP);
        write!(
            f,
            "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\""
        )?;
        if !self.inline {
            write!(
                f,
                " xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\""
            )?;
        }
        writeln!(f, ">\n<title>{title}</title>")?;
        if !self.inline {
            writeln!(f, "<style>\n{STYLE}</style>")?;
        }
        writeln!(
            f,
            "<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>"
        )?;
        if let Some((from, to)) = chart.shaded {
            let (from, to) = (frame.x(from).max(LEFT), frame.x(to).min(RIGHT));
            writeln!(
                f,
                "<rect class=\"shade\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{:.1}\" \
                 height=\"{height}\"/>",
                (to - from).max(0.0)
            )?;
        }
        grid(chart, &frame, f)?;
        // A nested image cuts off what is outside, and needs no name that others could have too.
        writeln!(
            f,
            "<svg x=\"{LEFT}\" y=\"{TOP}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"{LEFT} {TOP} {width} {height}\">"
        )?;
        for bar in &chart.bars {
            let (left, right) = (frame.x(bar.from), frame.x(bar.to));
            let (top, foot) = (frame.y(bar.height), frame.y(0.0));
            writeln!(
                f,
                "<rect class=\"f0\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" \
                 height=\"{:.1}\"/>",
                (right - left).max(0.5),
                foot - top
            )?;
        }
        for (index, curve) in chart.curves.iter().enumerate() {
            let path = curve.path(|point| (frame.x(point.x), frame.y(point.y)));
            let colour = index % COLOURS;
            writeln!(f, "<path class=\"curve c{colour}\" d=\"{path}\"/>")?;
        }
        writeln!(f, "</svg>")?;
        words(chart, &title, f)?;
        writeln!(f, "</svg>")
    }
}

/// The lines of the grid, and what they stand for.
fn grid(chart: &Chart, frame: &Frame, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for tick in ticks_of(chart.vertical, frame.y, 6.0) {
        let y = frame.y(tick.at);
        writeln!(
            f,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"ink\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            tick.label,
        )?;
    }
    for tick in chart.horizontal.ticks(frame.x) {
        let x = frame.x(tick.at);
        writeln!(
            f,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
             <text class=\"ink\" x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            BOTTOM + 20.0,
            tick.label,
        )?;
    }
    Ok(())
}

/// Title, caption, footnote and legend.
fn words(chart: &Chart, title: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(
        f,
        "<text class=\"ink title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n\
         <text class=\"ink\" x=\"{LEFT}\" y=\"46\">{}</text>\n\
         <text class=\"ink\" x=\"{RIGHT}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        escape(&chart.caption),
        BOTTOM + 42.0,
        escape(&chart.footnote),
    )?;
    if chart.curves.len() < 2 {
        return Ok(());
    }
    write!(
        f,
        "<text class=\"ink\" x=\"{LEFT}\" y=\"{}\">",
        BOTTOM + 42.0
    )?;
    for (index, curve) in chart.curves.iter().enumerate() {
        let colour = index % COLOURS;
        let name = escape(&curve.name);
        write!(f, "<tspan class=\"f{colour}\">&#9632; {name}</tspan>  ")?;
    }
    writeln!(f, "</text>")
}

/// Text for SVG or HTML, in an element or in a quoted attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_of_nothing_is_an_image_too() {
        let image = Chart::new("none", Horizontal::Utc, Unit::Seconds).to_string();
        assert!(image.ends_with("</svg>\n") && !image.contains("NaN") && !image.contains("inf"));
    }

    #[test]
    fn what_others_wrote_is_no_markup() {
        let chart = Chart::new("<b>&", Horizontal::Elapsed, Unit::Count)
            .caption("\"a\"")
            .curve(Curve::new("<i>", [], 1.0))
            .curve(Curve::new("2", [], 1.0));
        let image = chart.inline().to_string();
        assert!(image.contains("&lt;b&gt;&amp;") && image.contains("&lt;i&gt;"));
        assert!(image.contains("&quot;a&quot;") && !image.contains("<b>"));
    }

    #[test]
    fn what_is_out_of_range_is_just_outside_the_frame() {
        let curve = Curve::new(
            "",
            [(0.0, 0.0), (1.0, 1e30)].map(|(x, y)| Point { x, y }),
            9.0,
        );
        let chart = Chart::new("", Horizontal::Elapsed, Unit::Seconds)
            .range(-1.0, 1.0)
            .curve(curve);
        let image = chart.to_string();
        assert!(image.contains("d=\"M105.5 195.0L880.5 -75.0\""), "{image}");
    }

    #[test]
    fn bars_stand_on_the_axis() {
        let chart = Chart::new("", Horizontal::Of(Unit::Seconds), Unit::Count)
            .bar(0.0, 1.0, 20.0)
            .bar(1.0, 2.0, 10.0);
        let image = chart.to_string();
        let feet: Vec<f64> = image
            .lines()
            .filter(|line| line.starts_with("<rect class=\"f0\""))
            .map(|line| {
                let number = |name: &str| -> f64 {
                    let rest = line.split_once(&format!(" {name}=\"")).unwrap().1;
                    rest.split_once('"').unwrap().0.parse().unwrap()
                };
                number("y") + number("height")
            })
            .collect();
        assert_eq!(feet, [BOTTOM, BOTTOM]);
    }
}
