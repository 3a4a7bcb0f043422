//! Autokey between our programs and the reference's: every scheme, over both families of addresses,
//! in every mode; trails over three hosts; other digests and longer keys.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

mod cell;
mod keys;
mod matrix;
mod renewal;
mod strength;
mod trail;
mod wire;

use std::thread;

use meridian_harness::{Host, Program, Reference, built, can_make_networks, skip};

/// Beside each other, for the programs mostly wait.
#[test]
fn trails_new_keys_and_other_strengths() {
    let Some(reference) = reference("trails of Autokey, new keys, other digests and keys") else {
        return;
    };
    let reference = &reference;
    thread::scope(|scope| {
        let parts = [
            (
                "trails",
                scope.spawn(|| trail::trails_over_three_hosts(reference)),
            ),
            (
                "new keys",
                scope.spawn(|| renewal::clients_stay_with_a_server_that_gets_new_keys(reference)),
            ),
            (
                "strengths",
                scope.spawn(|| strength::other_digests_keys_and_signatures(reference)),
            ),
        ];
        let failed: Vec<&str> = parts
            .into_iter()
            .filter_map(|(name, part)| part.join().is_err().then_some(name))
            .collect();
        assert!(failed.is_empty(), "failed: {failed:?}, see above");
    });
}

/// Whose program it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Whose {
    Ours,
    References,
}
use Whose::{Ours, References};

/// How a server proves who it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Scheme {
    TrustedCertificate,
    PrivateCertificate,
    Iff,
    Gq,
    Mv,
}

impl Scheme {
    const ALL: [Self; 5] = [
        Self::TrustedCertificate,
        Self::PrivateCertificate,
        Self::Iff,
        Self::Gq,
        Self::Mv,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::TrustedCertificate => "TC",
            Self::PrivateCertificate => "PC",
            Self::Iff => "IFF",
            Self::Gq => "GQ",
            Self::Mv => "MV",
        }
    }

    /// Its bit in the status word.
    const fn bit(self) -> u32 {
        match self {
            Self::TrustedCertificate => 0,
            Self::PrivateCertificate => 0x10,
            Self::Iff => 0x20,
            Self::Gq => 0x40,
            Self::Mv => 0x80,
        }
    }

    /// The challenge, where there is one.
    const fn opcode(self) -> Option<u16> {
        match self {
            Self::TrustedCertificate | Self::PrivateCertificate => None,
            Self::Iff => Some(0x0207),
            Self::Gq => Some(0x0208),
            Self::Mv => Some(0x0209),
        }
    }

    /// What its files are called: `ntpkey_iffpar_GROUP`.
    const fn file(self) -> Option<&'static str> {
        match self {
            Self::TrustedCertificate | Self::PrivateCertificate => None,
            Self::Iff => Some("iff"),
            Self::Gq => Some("gq"),
            Self::Mv => Some("mv"),
        }
    }
}

/// What a test of this file needs, or it is skipped, loudly.
fn reference(what: &str) -> Option<Reference> {
    if !can_make_networks() {
        skip(what, "it takes root and iproute2");
        return None;
    }
    let found = Reference::find();
    if found.is_none() {
        skip(
            what,
            "MERIDIAN_REFERENCE and MERIDIAN_NOCLOCK do not lead to the reference",
        );
    }
    found
}

/// Starts a daemon with the file `ntp.conf` of its host.
fn start(reference: &Reference, host: &Host, whose: Whose) -> Program {
    match whose {
        Ours => {
            let mut command = host.command(built("ntpd"));
            command.args(["-n", "-g", "-c", "ntp.conf", "--clock", "virtual"]);
            host.start(&mut command, "ntpd.log")
        }
        References => reference.ntpd(host, "ntp.conf".as_ref()),
    }
}

/// Runs `ntp-keygen` in the directory `keys` of a host.
fn keygen(reference: &Reference, host: &Host, whose: Whose, options: &str) {
    let program = match whose {
        Ours => built("ntp-keygen"),
        References => reference.program("ntp-keygen"),
    };
    host.shell(&format!("cd keys; {} {options}", program.display()));
}
