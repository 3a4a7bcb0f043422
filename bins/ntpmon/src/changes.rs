//! What is different from one snapshot to the next, in plain words.

use ntp_wire::control::{Selection, SystemStatus};

use crate::{
    authentication::authentication,
    snapshot::{Snapshot, Source, System},
    verdict::verdict,
};

/// The event of a step of the clock.
const CLOCK_STEP: u8 = 12;

/// One line for each change.
pub(crate) fn changes(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut lines = system_changes(&before.system, &after.system);
    if is_another_run(before, after) {
        lines.push("the daemon was started anew".to_owned());
        return lines;
    }
    for source in &after.sources {
        match before.sources.iter().find(|other| other.id == source.id) {
            None => lines.push(format!("{}: new source, {}", source.name, verdict(source))),
            Some(earlier) => lines.extend(source_changes(earlier, source)),
        }
    }
    for source in &before.sources {
        if !after.sources.iter().any(|other| other.id == source.id) {
            lines.push(format!("{}: no longer a source", source.name));
        }
    }
    let followed = (followed(before), followed(after));
    if let (Some(one), Some(other)) = followed
        && one.id != other.id
    {
        lines.push(format!("follows {} instead of {}", other.name, one.name));
    }
    lines
}

/// Whether all numbers of associations are others: each start begins them at another place.
fn is_another_run(before: &Snapshot, after: &Snapshot) -> bool {
    let is_known = |source: &Source| before.sources.iter().any(|other| other.id == source.id);
    !before.sources.is_empty() && !after.sources.is_empty() && !after.sources.iter().any(is_known)
}

fn system_changes(before: &System, after: &System) -> Vec<String> {
    let mut lines = Vec::new();
    match (before.is_synchronised(), after.is_synchronised()) {
        (false, true) => lines.push("the clock is synchronised".to_owned()),
        (true, false) => lines.push("the clock is no longer synchronised".to_owned()),
        _ => {}
    }
    if before.stratum != after.stratum {
        let word = |stratum: Option<u8>| {
            stratum.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
        };
        lines.push(format!(
            "stratum {}, was {}",
            word(after.stratum),
            word(before.stratum)
        ));
    }
    let (earlier, later) = (
        SystemStatus::from_bits(before.status),
        SystemStatus::from_bits(after.status),
    );
    let again = earlier.event_count() != later.event_count();
    if later.event() == CLOCK_STEP && (earlier.event() != CLOCK_STEP || again) {
        lines.push("the clock was stepped".to_owned());
    }
    if before.version != after.version {
        lines.push(format!("another daemon: {}", after.version));
    }
    lines
}

fn source_changes(before: &Source, after: &Source) -> Vec<String> {
    let mut lines = Vec::new();
    let name = &after.name;
    if before.status.is_reachable() != after.status.is_reachable() {
        lines.push(match after.status.is_reachable() {
            true => format!("{name}: answers"),
            false => format!("{name}: answers no more"),
        });
    }
    let (earlier, later) = (verdict(before), verdict(after));
    if earlier != later {
        lines.push(format!("{name}: {later}"));
    }
    // Cookies of NTS come and go with every packet.
    if after.nts_cookies.is_none() {
        let (earlier, later) = (authentication(before), authentication(after));
        if earlier != later {
            lines.push(format!("{name}: authentication: {later}"));
        }
    }
    lines
}

/// The source that is followed.
pub(crate) fn followed(snapshot: &Snapshot) -> Option<&Source> {
    snapshot.sources.iter().find(|source| {
        matches!(
            source.status.selection(),
            Selection::SystemPeer | Selection::PpsPeer
        )
    })
}

#[cfg(test)]
mod tests {
    use ntp_wire::{AssociationId, control::PeerStatus};

    use super::*;
    use crate::example;

    #[test]
    fn nothing_new_is_no_line() {
        assert_eq!(
            changes(&example::snapshot(0), &example::snapshot(1)),
            [""; 0]
        );
    }

    #[test]
    fn a_restart_is_one_line() {
        let before = example::snapshot(0);
        let mut after = example::snapshot(1);
        for source in &mut after.sources {
            source.id = AssociationId::new(source.id.value() + 1000);
        }
        assert_eq!(changes(&before, &after), ["the daemon was started anew"]);
        after.sources.clear();
        assert!(changes(&before, &after)[0].ends_with("no longer a source"));
    }

    #[test]
    fn each_change_is_a_line_of_its_own() {
        let before = example::snapshot(0);
        let mut after = example::snapshot(1);
        after.system.status = 0xc01c;
        after.system.stratum = Some(16);
        after.sources[0].status = PeerStatus::from_bits(0x8013);
        after.sources[0].reach = 0;
        after.sources[1].status = PeerStatus::from_bits(0x961a);
        let gone = after.sources.pop().unwrap().name;
        assert_eq!(
            changes(&before, &after),
            [
                "the clock is no longer synchronised".to_owned(),
                "stratum 16, was 2".to_owned(),
                "the clock was stepped".to_owned(),
                "192.0.2.1: answers no more".to_owned(),
                "192.0.2.1: not used: does not answer; check address, network and firewall (UDP 123)"
                    .to_owned(),
                "192.0.2.2: followed".to_owned(),
                format!("{gone}: no longer a source"),
                "follows 192.0.2.2 instead of 192.0.2.1".to_owned(),
            ]
        );
    }
}
