//! What is measured, and how it is told.

use std::fmt;

/// What numbers are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Seconds; told in s, ms, µs or ns.
    Seconds,
    /// Parts per million; told in ppm or ppb.
    PartsPerMillion,
    /// How many.
    Count,
}

/// A number is told as so many of these.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Scale {
    /// Of these there are so many in one of the [`Unit`].
    pub(crate) factor: f64,
    pub(crate) name: &'static str,
}

impl Unit {
    /// The scale that suits numbers up to `size`.
    pub(crate) fn scale(self, size: f64) -> Scale {
        let (factor, name) = match self {
            Self::Seconds if size >= 1.0 => (1.0, "s"),
            Self::Seconds if size >= 1e-3 => (1e3, "ms"),
            Self::Seconds if size >= 1e-6 => (1e6, "µs"),
            Self::Seconds => (1e9, "ns"),
            Self::PartsPerMillion if size >= 0.1 => (1.0, "ppm"),
            Self::PartsPerMillion => (1e3, "ppb"),
            Self::Count => (1.0, ""),
        };
        Scale { factor, name }
    }

    /// A number with three significant digits and its unit: `-12.3 µs`.
    pub fn tell(self, number: f64) -> impl fmt::Display {
        let scale = self.scale(number.abs());
        let number = number * scale.factor;
        let digits = match number.abs() {
            _ if self == Self::Count => 0,
            size if size >= 99.95 => 0,
            size if size >= 9.995 => 1,
            _ => 2,
        };
        let text = format!("{number:.digits$}");
        let text = if text.trim_matches(['-', '0', '.']).is_empty() {
            "0".to_owned()
        } else {
            text.replace('-', "−")
        };
        if scale.name.is_empty() {
            text
        } else {
            format!("{text} {}", scale.name)
        }
    }
}

/// A number on an axis, without the zeroes that tell nothing.
pub(crate) fn plain(number: f64) -> String {
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "-0" => "0".to_owned(),
        text => text.replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_the_unit_that_suits_them() {
        for (unit, number, told) in [
            (Unit::Seconds, 12.345, "12.3 s"),
            (Unit::Seconds, -0.000_123_4, "−123 µs"),
            (Unit::Seconds, 1.5e-9, "1.50 ns"),
            (Unit::Seconds, 0.0, "0 ns"),
            (Unit::Seconds, 0.099_96, "100 ms"),
            (Unit::PartsPerMillion, -17.25, "−17.2 ppm"),
            (Unit::PartsPerMillion, 0.012, "12.0 ppb"),
            (Unit::Count, 86_400.0, "86400"),
        ] {
            assert_eq!(unit.tell(number).to_string(), told);
        }
    }

    #[test]
    fn numbers_on_axes_are_short() {
        let told = [0.5, -20.0, 0.0, -0.000_1, 1.25].map(plain);
        assert_eq!(told, ["0.5", "−20", "0", "0", "1.25"]);
    }
}
