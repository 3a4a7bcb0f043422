//! Whether a source's time is smeared.

use ntp_discipline::Smear;
use ntp_wire::{ReferenceId, Stratum};

/// Looks at the reference identifiers of a source, packet by packet.
///
/// A server that smears a leap second says by how much, in a form that is also that of one digest
/// of an IPv6 address in 500. That does not change from packet to packet, and a smear does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SmearWatch {
    last: Option<ReferenceId>,
    smeared: bool,
    /// It is left out, and the log was told.
    pub(crate) apart: bool,
}

impl SmearWatch {
    pub(crate) fn is_smeared(self) -> bool {
        self.smeared
    }

    pub(crate) fn observe(&mut self, stratum: Stratum, reference_id: ReferenceId) {
        if Smear::is_certain(reference_id) {
            self.smeared = true;
        } else if Smear::is_possible(reference_id) {
            let changed = self
                .last
                .is_some_and(|last| last != reference_id && Smear::is_possible(last));
            // At stratum 1 it would be the name of a clock, in letters.
            self.smeared |= changed || stratum == Stratum::PRIMARY;
        } else {
            self.smeared = false;
        }
        self.last = Some(reference_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(identifiers: &[u32], stratum: u8) -> bool {
        let mut watch = SmearWatch::default();
        for identifier in identifiers {
            watch.observe(
                Stratum::new(stratum),
                ReferenceId::from_bytes(identifier.to_be_bytes()),
            );
        }
        watch.is_smeared()
    }

    #[test]
    fn a_smear_moves() {
        assert!(watched(&[0xfeff_fff0, 0xfeff_ffe0], 2));
        assert!(watched(&[0xfeff_fff0, 0xfeff_ffe0, 0xfeff_ffe0], 2));
        assert!(!watched(&[0xfeff_fff0, 0xfeff_ffe0, 0x0a00_0001], 2));
    }

    #[test]
    fn a_digest_does_not() {
        assert!(!watched(&[0xfeff_fff0, 0xfeff_fff0, 0xfeff_fff0], 2));
        assert!(!watched(&[0x0a00_0001, 0xfeff_fff0], 2));
    }

    #[test]
    fn some_identifiers_can_be_nothing_else() {
        assert!(watched(&[0x7f7f_01ff], 2));
        assert!(watched(&[0xfeff_fff0], 1));
        assert!(!watched(&[0x4750_5300], 1));
    }
}
