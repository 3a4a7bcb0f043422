//! What goes into the files of statistics: the lines of `loopstats`, `peerstats` and so on.

use std::fmt;

use ntp_conf::{Config, StatisticsKind, Switch};
use ntp_wire::Timestamp;

/// One line of a statistics file. Its `Display` is the whole line, as ntpd 4.2.8 writes it, without
/// the end of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Which file it is for.
    pub kind: StatisticsKind,
    /// When it was made; the line begins with it.
    pub at: Timestamp,
    /// What follows the time.
    pub text: String,
}

/// 1970-01-01 as a modified Julian day.
const DAY_OF_1970: i64 = 40_587;
const DAY: i64 = 86_400;

impl Record {
    /// The day, as a modified Julian day number.
    pub fn day(&self) -> i64 {
        self.at.to_unix().0.div_euclid(DAY) + DAY_OF_1970
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanoseconds) = self.at.to_unix();
        let second = seconds.rem_euclid(DAY);
        let millisecond = nanoseconds / 1_000_000;
        write!(f, "{} {second}.{millisecond:03} {}", self.day(), self.text)
    }
}

/// Which statistics are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Wanted([bool; StatisticsKind::ALL.len()]);

impl Wanted {
    /// `statistics` and `filegen` each turn a kind on, unless `filegen … disable` or
    /// `disable stats` say otherwise.
    pub(crate) fn of(config: &Config) -> Self {
        let mut wanted = Self::default();
        if !config.switches.is_on(Switch::Statistics) {
            return wanted;
        }
        for kind in &config.statistics.kinds {
            wanted.set(*kind, true);
        }
        for file in &config.statistics.files {
            wanted.set(file.kind, file.enabled != Some(false));
        }
        wanted
    }

    fn set(&mut self, kind: StatisticsKind, on: bool) {
        if let Some(place) = StatisticsKind::ALL.iter().position(|one| *one == kind)
            && let Some(switch) = self.0.get_mut(place)
        {
            *switch = on;
        }
    }

    /// Whether lines of this kind are written.
    pub(crate) fn has(self, kind: StatisticsKind) -> bool {
        StatisticsKind::ALL
            .iter()
            .zip(self.0)
            .any(|(one, on)| *one == kind && on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_begin_with_day_and_second() {
        // As ntpd 4.2.8 did at that time.
        let at = Timestamp::from_unix(1_795_393_740, 266_999_999);
        let record = Record {
            kind: StatisticsKind::Crypto,
            at,
            text: "10.99.0.1 gq server fs 4004388520".into(),
        };
        assert_eq!(record.day(), 61_367);
        let line = record.to_string();
        assert!(
            line.ends_with(".266 10.99.0.1 gq server fs 4004388520"),
            "{line}"
        );
        assert!(line.starts_with("61367 "), "{line}");
        let before = Record {
            at: Timestamp::from_unix(-1, 0),
            ..record
        };
        assert_eq!(
            before.to_string().split(' ').take(2).collect::<Vec<_>>(),
            ["40586", "86399.000"]
        );
    }

    #[test]
    fn the_last_word_on_a_kind_counts() {
        for (text, wanted) in [
            ("", false),
            ("statistics loopstats", true),
            ("filegen loopstats file x", true),
            ("statistics loopstats\nfilegen loopstats disable", false),
            ("filegen loopstats enable\ndisable stats", false),
            ("statistics peerstats", false),
        ] {
            let parsed = ntp_conf::parse("ntp.conf", text, |_| Err(String::new()));
            let found = Wanted::of(&parsed.config).has(StatisticsKind::Loop);
            assert_eq!(found, wanted, "{text}");
        }
    }
}
