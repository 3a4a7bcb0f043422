//! How a source proves who it is, in plain words.

use crate::snapshot::Source;

const CERTIFICATE: u32 = 0x100;
const VERIFIED: u32 = 0x200;
const PROVENTIC: u32 = 0x400;
const COOKIE: u32 = 0x800;
const SIGNED: u32 = 0x2000;

/// What authenticates a source and how far that has come.
pub(crate) fn authentication(source: &Source) -> String {
    if let Some(cookies) = source.nts_cookies {
        return format!("NTS, {cookies} cookies left");
    }
    if let Some(flags) = source.autokey {
        return autokey(flags);
    }
    let works = match (
        source.status.is_authentication_enabled(),
        source.status.is_authentic(),
    ) {
        (false, _) => return "none".to_owned(),
        (true, true) => "authentic",
        (true, false) => "NOT authentic",
    };
    match source.key {
        Some(key) if key <= 0xffff => format!("key {key}, {works}"),
        _ => format!("Autokey, {works}"),
    }
}

/// The identity schemes that flags name.
pub(crate) fn schemes(flags: u32) -> String {
    let names: Vec<_> = [(0x10, "PC"), (0x20, "IFF"), (0x40, "GQ"), (0x80, "MV")]
        .into_iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| name)
        .collect();
    match names.is_empty() {
        true => "trusted certificates".to_owned(),
        false => names.join(" "),
    }
}

/// Autokey goes through its steps in this order; the first that is missing is what it waits for.
fn autokey(flags: u32) -> String {
    let steps = [
        (CERTIFICATE, "waits for a trusted certificate"),
        (VERIFIED, "identity not proven yet"),
        (PROVENTIC, "signature not verified yet"),
        (COOKIE, "waits for the cookie"),
        (SIGNED, "proven; our certificate not signed yet"),
    ];
    let state = steps
        .iter()
        .find(|(bit, _)| flags & bit == 0)
        .map_or("proven", |(_, words)| words);
    format!("Autokey {}: {state}", schemes(flags))
}

#[cfg(test)]
mod tests {
    use ntp_control::Association;
    use ntp_wire::{AssociationId, control::PeerStatus};

    use super::*;

    fn of(status: u16, data: &str) -> String {
        let association = Association {
            id: AssociationId::new(1),
            status: PeerStatus::from_bits(status),
        };
        authentication(&Source::new(association, status, data.as_bytes()))
    }

    #[test]
    fn each_kind_has_its_words() {
        assert_eq!(of(0x961a, "keyid=0"), "none");
        assert_eq!(of(0xf61a, "keyid=5"), "key 5, authentic");
        assert_eq!(of(0xd61a, "keyid=5"), "key 5, NOT authentic");
        assert_eq!(of(0xf61a, "keyid=70000"), "Autokey, authentic");
        assert_eq!(of(0x961a, "ntscookies=8"), "NTS, 8 cookies left");
    }

    #[test]
    fn autokey_tells_the_first_step_that_is_missing() {
        assert_eq!(of(0xf61a, "flags=0x87f21"), "Autokey IFF: proven");
        assert_eq!(
            of(0xc011, "flags=0x80121"),
            "Autokey IFF: identity not proven yet"
        );
        assert_eq!(
            of(0xc011, "flags=0x80001"),
            "Autokey trusted certificates: waits for a trusted certificate"
        );
    }
}
