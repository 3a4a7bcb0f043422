//! Why a source is used or not, in plain words.

use ntp_wire::control::{Flash, Selection};

use crate::snapshot::Source;

/// What was found wrong, and what to do; the first that applies is told.
const FINDINGS: [(Flash, &str); 12] = [
    (
        Flash::DENIED,
        "not used: the server denies access; ask its operator, or poll less often",
    ),
    (
        Flash::CRYPTO,
        "not used: Autokey has not proven it; see its Autokey state",
    ),
    (
        Flash::AUTOKEY,
        "not used: its Autokey sequence is wrong; it may have been restarted",
    ),
    (
        Flash::AUTHENTICATION,
        "not used: its packets are not authentic; compare the keys",
    ),
    (
        Flash::STRATUM,
        "not used: the server itself is not synchronised",
    ),
    (
        Flash::PEER_LOOP,
        "not used: it follows this host; there would be a loop",
    ),
    (
        Flash::PEER_STRATUM,
        "not used: its stratum is not allowed (tos floor, ceiling)",
    ),
    (
        Flash::HEADER,
        "not used: its packets are implausible, or too far from their source",
    ),
    (
        Flash::PEER_DISTANCE,
        "not used yet: its error is too great; normal with few samples, else see tos maxdist",
    ),
    (
        Flash::UNSYNCHRONISED,
        "not used: its packets lack timestamps",
    ),
    (
        Flash::BOGUS,
        "not used: its packets answer no request of this host",
    ),
    (
        Flash::PEER_UNREACHABLE,
        "not used: the configuration says noselect, or it answers no more",
    ),
];

/// Why the daemon uses a source or not, and what to do about it.
pub(crate) fn verdict(source: &Source) -> &'static str {
    match source.status.selection() {
        Selection::SystemPeer => "followed",
        Selection::PpsPeer => "followed: pulse per second",
        Selection::Candidate => "used: combined with the one that is followed",
        Selection::Backup => "spare: used if others fail",
        Selection::Excess => "spare: there are enough better ones",
        Selection::Outlier => "not used: its time scatters more than that of the others",
        Selection::Falseticker => "not used: disagrees with the majority; its time is wrong",
        Selection::Reject => rejected(source),
    }
}

fn rejected(source: &Source) -> &'static str {
    let denied = source.flash.intersects(Flash::DENIED);
    let unanswered = !source.status.is_reachable() || source.reach == 0;
    // What it says in packets counts for more than that those packets count as no answers.
    let packet_tells = source
        .flash
        .intersects(Flash::CRYPTO | Flash::AUTOKEY | Flash::AUTHENTICATION | Flash::STRATUM);
    if unanswered && !denied && !packet_tells {
        return "not used: does not answer; check address, network and firewall (UDP 123)";
    }
    FINDINGS
        .iter()
        .find(|(test, _)| source.flash.intersects(*test))
        .map_or(
            "not used: nothing wrong found; not yet chosen, or another is preferred",
            |(_, words)| words,
        )
}

#[cfg(test)]
mod tests {
    use ntp_control::Association;
    use ntp_wire::{AssociationId, control::PeerStatus};

    use super::*;

    fn of(status: u16, data: &str) -> &'static str {
        let association = Association {
            id: AssociationId::new(1),
            status: PeerStatus::from_bits(status),
        };
        verdict(&Source::new(association, status, data.as_bytes()))
    }

    #[test]
    fn a_source_that_is_used_needs_no_excuse() {
        assert_eq!(of(0x961a, "reach=377, flash=0"), "followed");
        assert!(of(0x941a, "reach=377").starts_with("used"));
        assert!(of(0x911a, "reach=377").contains("majority"));
    }

    #[test]
    fn silence_is_told_from_refusal() {
        assert!(of(0x8011, "reach=0, flash=1000").contains("does not answer"));
        assert!(of(0x8011, "reach=0, flash=1008").contains("denies access"));
        assert!(of(0x8011, "reach=0, flash=1020").contains("not synchronised"));
        assert!(of(0xc011, "reach=0, flash=1100").contains("Autokey"));
        assert!(of(0x9014, "reach=377, flash=1000").contains("noselect"));
    }

    #[test]
    fn every_test_that_can_fail_has_words() {
        for bit in 1..13 {
            let words = of(0x9014, &format!("reach=377, flash={:x}", 1 << bit));
            assert!(!words.contains("nothing wrong"), "bit {bit}: {words}");
        }
        assert!(of(0x9014, "reach=377, flash=0").contains("nothing wrong"));
    }
}
