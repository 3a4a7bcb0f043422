//! Any octets as challenge and response of every identity scheme: no panic, an answer of the server
//! is taken by every client for its own challenge only, and nothing else is taken.
#![no_main]

use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ntp_autokey::{GqKey, IdentityKey, IffKey, MvClientKey, MvServerKey, Stamp};
use ntp_keys::KeyFile;
use rand::{SeedableRng, rngs::ChaCha20Rng};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    scheme: u8,
    /// Whether the challenge is one that a client makes.
    fair: bool,
    seed: u64,
    challenge: &'a [u8],
    /// What becomes of the server's answer: these octets instead, or at the place, changed.
    change: Change<'a>,
}

#[derive(Arbitrary, Debug)]
enum Change<'a> {
    Nothing,
    Octet(u16, u8),
    Length(u16),
    Other(&'a [u8]),
}

/// The two halves of a group, and the key in the server's certificate.
struct Group {
    server: IdentityKey,
    client: IdentityKey,
    certified: Option<Vec<u8>>,
}

static GROUPS: LazyLock<[Group; 3]> = LazyLock::new(|| {
    macro_rules! file {
        ($name:literal) => {
            KeyFile::parse(include_str!(concat!(
                "../../crates/ntp-keys/tests/vectors/",
                $name
            )))
            .expect("a key file")
        };
    }
    let stamp = Stamp::new(4_004_388_399);
    let iff = file!("reference-iffkey").iff_group("redhat");
    let iff = iff.expect("an IFF group");
    let gq = file!("gqkey-for-reference").gq_group("");
    let gq = gq.expect("a GQ group");
    let certified = gq.v().map(|v| v.to_bytes_be());
    let mv_server = file!("mvkey-traditional").mv_server("");
    let mv_client = file!("mvpar-traditional").mv_client("", 1);
    [
        Group {
            client: IffKey::new(iff.without_secret(), stamp).into(),
            server: IffKey::new(iff, stamp).into(),
            certified: None,
        },
        Group {
            client: GqKey::new(gq.without_secret(), stamp).into(),
            server: GqKey::new(gq, stamp).into(),
            certified,
        },
        Group {
            client: MvClientKey::new(mv_client.expect("MV keys"), stamp).into(),
            server: MvServerKey::new(mv_server.expect("MV keys"), stamp).into(),
            certified: None,
        },
    ]
});

fuzz_target!(|input: Input<'_>| {
    let Group {
        server,
        client,
        certified,
    } = &GROUPS[usize::from(input.scheme) % GROUPS.len()];
    let certified = certified.as_deref();
    let mut random = ChaCha20Rng::seed_from_u64(input.seed);
    assert!(client.respond(input.challenge, &mut random).is_err());
    let fair = input.fair;
    let challenge = match fair {
        true => client.challenge(&mut random).expect("clients ask"),
        false => input.challenge.to_vec(),
    };
    let answer = server.respond(&challenge, &mut random);
    assert!(answer.is_ok() || !fair);
    let Ok(answer) = answer else {
        return;
    };
    let mut other = answer.clone();
    match input.change {
        Change::Nothing => {}
        Change::Octet(at, change) => {
            let at = usize::from(at) % other.len();
            other[at] ^= change;
        }
        Change::Length(length) => other.truncate(usize::from(length)),
        Change::Other(octets) => other = octets.to_vec(),
    }
    let verdict = client.verify(&challenge, &other, certified);
    assert_eq!(verdict.is_ok(), other == answer, "{verdict:?}");
    // To another challenge it is no answer.
    let asked = client.challenge(&mut random).expect("clients ask");
    assert!(client.verify(&asked, &answer, certified).is_err());
    // Nor is it without the key of the certificate, or with another.
    if let Some(certified) = certified {
        assert!(client.verify(&challenge, &answer, None).is_err());
        let other = client.verify(&challenge, &answer, Some(&certified[1..]));
        assert!(other.is_err());
    }
    let _ = client.verify(input.challenge, &other, Some(input.challenge));
});
