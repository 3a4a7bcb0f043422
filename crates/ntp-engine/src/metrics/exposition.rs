//! The text format of Prometheus.

use core::fmt::{Display, Write as _};

/// Metrics as Prometheus reads them: text exposition format, version 0.0.4.
#[derive(Debug, Default)]
pub(super) struct Exposition(String);

/// What a number means to who adds it up.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, until the daemon is started again.
    Counter,
}

impl Exposition {
    /// A metric of one number.
    pub(super) fn number(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.family(kind, name, help);
        self.sample(name, &[], value);
    }

    /// Begins a metric, whose samples follow.
    pub(super) fn family(&mut self, kind: Kind, name: &str, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number of the metric that was begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            for letter in text.chars() {
                match letter {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    letter => self.0.push(letter),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// All of it.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_can_hold_anything() {
        let mut exposition = Exposition::default();
        exposition.family(Kind::Counter, "things_total", "Things.");
        exposition.sample("things_total", &[("a", "b\\\"c\n"), ("d", "é")], 3);
        exposition.number(Kind::Gauge, "other", "Others.", -1.5e-9);
        assert_eq!(
            exposition.into_text(),
            "# HELP things_total Things.\n# TYPE things_total counter\n\
             things_total{a=\"b\\\\\\\"c\\n\",d=\"é\"} 3\n\
             # HELP other Others.\n# TYPE other gauge\nother -0.0000000015\n"
        );
    }
}
