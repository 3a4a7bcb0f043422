//! Charts of clocks, as SVG images that need no script, no font and no network.
//!
//! A [`Chart`] has a frame, two axes in the [`Unit`]s of clocks, [`Curve`]s and bars. Its `Display`
//! is an image file; [`Chart::inline`] is the same as part of a page that has [`STYLE`] in its head.
//! Both suit a light and a dark background.
//!
//! A curve is drawn as what the eye can tell apart: of the points of one column of the image the
//! least and the greatest count, so that a million points make a file of some tens of kilobytes,
//! and no spike is lost.
//!
//! ```
//! use ntp_plot::{Chart, Curve, Horizontal, Point, Unit};
//!
//! let wave = (0..100_000).map(|second| Point {
//!     x: f64::from(second),
//!     y: 2e-6 * (f64::from(second) / 5000.0).sin(),
//! });
//! let image = Chart::new("The clock ahead of true time", Horizontal::Elapsed, Unit::Seconds)
//!     .curve(Curve::new("offset", wave, f64::INFINITY))
//!     .to_string();
//! assert!(image.starts_with("<svg") && image.contains("2 µs"));
//! assert!(image.len() < 40_000);
//! ```

mod axis;
mod chart;
mod curve;
mod unit;

pub use self::{
    axis::Horizontal,
    chart::{Chart, STYLE, escape},
    curve::{Curve, Point},
    unit::Unit,
};
