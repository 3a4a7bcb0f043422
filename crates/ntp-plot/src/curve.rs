//! Lines through many points.

use std::fmt::Write;

/// One value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Point {
    /// On the horizontal axis.
    pub x: f64,
    /// On the vertical axis.
    pub y: f64,
}

/// A line through points.
#[derive(Clone, PartialEq, Debug)]
pub struct Curve {
    pub(crate) name: String,
    /// In the order of x; all numbers are finite.
    points: Vec<Point>,
    gap: f64,
}

/// A part of a line that has no gap, in pixels.
type Stroke = Vec<(f64, f64)>;

impl Curve {
    /// A line through these points, which are put in order; points that are no numbers are left out.
    /// Between points that are more than `gap` apart on the horizontal axis, nothing is drawn.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = Point>, gap: f64) -> Self {
        let mut points: Vec<Point> = points
            .into_iter()
            .filter(|point| point.x.is_finite() && point.y.is_finite())
            .collect();
        points.sort_by(|one, other| one.x.total_cmp(&other.x));
        Self {
            name: name.into(),
            points,
            gap,
        }
    }

    /// The points, in the order of x.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The `d` of an SVG path. `place` gives the pixels of a point; of each column of pixels the
    /// least and the greatest value are drawn.
    pub(crate) fn path(&self, place: impl Fn(Point) -> (f64, f64)) -> String {
        let mut path = String::new();
        for stroke in self.strokes(place) {
            let mut command = 'M';
            for (x, y) in &stroke {
                // Writing to a string does not fail.
                let _ = write!(path, "{command}{x:.1} {y:.1}");
                command = 'L';
            }
            if stroke.len() == 1 {
                // A dot, with the round ends that lines have.
                path.push_str("h0");
            }
        }
        path
    }

    fn strokes(&self, place: impl Fn(Point) -> (f64, f64)) -> Vec<Stroke> {
        let mut strokes: Vec<Stroke> = Vec::new();
        let mut before: Option<f64> = None;
        let mut column: Option<Column> = None;
        for point in &self.points {
            let (x, y) = place(*point);
            let follows = before.is_some_and(|before| point.x - before <= self.gap);
            before = Some(point.x);
            match &mut column {
                Some(open) if follows && open.x == x.floor() => open.add(y),
                _ => {
                    finish(column.take(), &mut strokes);
                    if !follows {
                        strokes.push(Stroke::new());
                    }
                    column = Some(Column::new(x.floor(), y));
                }
            }
        }
        finish(column, &mut strokes);
        strokes
    }
}

/// What falls into one column of pixels.
struct Column {
    x: f64,
    least: f64,
    greatest: f64,
    last: f64,
}

impl Column {
    const fn new(x: f64, y: f64) -> Self {
        Self {
            x,
            least: y,
            greatest: y,
            last: y,
        }
    }

    fn add(&mut self, y: f64) {
        self.least = self.least.min(y);
        self.greatest = self.greatest.max(y);
        self.last = y;
    }
}

fn finish(column: Option<Column>, strokes: &mut [Stroke]) {
    let (Some(column), Some(stroke)) = (column, strokes.last_mut()) else {
        return;
    };
    let x = column.x + 0.5;
    let Column {
        least,
        greatest,
        last,
        ..
    } = column;
    if least == greatest {
        stroke.push((x, least));
    } else if last == least {
        stroke.extend([(x, greatest), (x, least)]);
    } else {
        stroke.extend([(x, least), (x, greatest)]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drawn(points: &[(f64, f64)], gap: f64) -> String {
        let points = points.iter().map(|&(x, y)| Point { x, y });
        Curve::new("", points, gap).path(|point| (point.x, point.y))
    }

    #[test]
    fn points_are_put_in_order_and_gaps_stay_open() {
        assert_eq!(
            drawn(
                &[(5.0, 2.0), (0.0, 1.0), (9.0, f64::NAN), (20.0, 3.0)],
                10.0
            ),
            "M0.5 1.0L5.5 2.0M20.5 3.0h0"
        );
        assert_eq!(drawn(&[], 1.0), "");
    }

    #[test]
    fn a_spike_in_a_column_is_seen() {
        let mut points: Vec<(f64, f64)> = (0..1000).map(|n| (f64::from(n) / 1000.0, 5.0)).collect();
        points[500].1 = -40.0;
        assert_eq!(drawn(&points, 1.0), "M0.5 -40.0L0.5 5.0");
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_that_is_not_there(
            points in prop::collection::vec((0.0..50.0, -9.0..9.0), 1..200),
            gap in 0.0..60.0,
        ) {
            let drawn = Curve::new("", points.iter().map(|&(x, y)| Point { x, y }), gap)
                .strokes(|point| (point.x, point.y));
            for (x, y) in drawn.iter().flatten() {
                prop_assert!(points.iter().any(|(at, value)| at.floor() + 0.5 == *x && value == y));
            }
            let extreme = |values: &mut dyn Iterator<Item = f64>| {
                values.fold((f64::MAX, f64::MIN), |(least, greatest), value| {
                    (least.min(value), greatest.max(value))
                })
            };
            prop_assert_eq!(
                extreme(&mut drawn.iter().flatten().map(|(_, y)| *y)),
                extreme(&mut points.iter().map(|(_, y)| *y))
            );
        }
    }
}
