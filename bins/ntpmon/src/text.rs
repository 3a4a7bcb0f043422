//! All of a snapshot as plain text, for scripts and for terminals without a screen.

use core::fmt::Write;

use crate::{
    authentication::{authentication, schemes},
    figures::{client_lines, clock, interval, polls, quality, signed, time_of_day},
    snapshot::Snapshot,
    verdict::verdict,
};

/// What `--once` prints.
pub(crate) fn text(host: &str, snapshot: &Snapshot) -> String {
    let system = &snapshot.system;
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{host} at {} UTC: {}",
        time_of_day(snapshot.taken),
        system.version
    );
    let _ = writeln!(text, "Clock: {}", clock(snapshot));
    let _ = writeln!(text, "  {}", quality(system).join("; "));
    if let Some(flags) = system.autokey {
        let _ = writeln!(text, "  offers Autokey: {}", schemes(flags));
    }
    let _ = writeln!(text, "Sources: {}", snapshot.sources.len());
    for source in &snapshot.sources {
        let _ = writeln!(
            text,
            "{} {}: {}",
            source.status.selection().tally(),
            source.name,
            verdict(source)
        );
        let _ = writeln!(
            text,
            "    offset {}, delay {}, jitter {}; polls {}; authentication: {}",
            signed(source.offset),
            interval(source.delay),
            interval(source.jitter),
            polls(source.reach),
            authentication(source)
        );
    }
    if snapshot.more_sources > 0 {
        let _ = writeln!(text, "  and {} more", snapshot.more_sources);
    }
    let (heading, lines) = client_lines(&snapshot.clients);
    let _ = writeln!(text, "{heading}");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::example;

    #[test]
    fn everything_is_told() {
        insta::assert_snapshot!(text("ntp.example", &example::snapshot(0)));
    }
}
