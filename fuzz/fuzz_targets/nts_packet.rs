//! Fields of NTS in any order, true ones among them: no panic, no answer that is longer than its
//! request, and nothing is believed that was changed.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ntp_nts::{CookieKeys, Inspection, Session, SessionKeys, inspect};
use ntp_wire::{Header, Packet};
use rand::{SeedableRng, rngs::ChaCha12Rng};

#[derive(Arbitrary, Debug)]
enum Piece {
    /// A part of the true packet, in words.
    True { from: u8, count: u8 },
    /// A field of this kind.
    Field { kind: u8, body: Vec<u8> },
    /// Anything.
    Raw(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
struct Packets {
    cookies: u8,
    request: Vec<Piece>,
    answer: Vec<Piece>,
}

fn build(pieces: &[Piece], whole: &[u8]) -> Vec<u8> {
    let mut bytes = whole[..Header::LENGTH].to_vec();
    for piece in pieces.iter().take(16) {
        match piece {
            Piece::True { from, count } => {
                let words = whole[Header::LENGTH..].chunks(4);
                let words = words.skip((*from).into()).take((*count).into());
                bytes.extend(words.flatten());
            }
            Piece::Field { kind, body } => {
                let kinds = [0x0104u16, 0x0204, 0x0304, 0x0404, 0x0002];
                let kind = kinds[usize::from(*kind) % kinds.len()];
                let length = (4 + body.len()).next_multiple_of(4).min(65532);
                bytes.extend_from_slice(&kind.to_be_bytes());
                bytes.extend_from_slice(&(length as u16).to_be_bytes());
                bytes.extend(body.iter().take(length - 4));
                bytes.resize(bytes.len().next_multiple_of(4), 0);
            }
            Piece::Raw(raw) => bytes.extend_from_slice(raw),
        }
    }
    bytes
}

fuzz_target!(|packets: Packets| {
    let mut rng = ChaCha12Rng::from_seed([0; 32]);
    let keys = CookieKeys::new(&mut rng, 0);
    let session_keys = SessionKeys::new([1; 32], [2; 32]);
    let cookies: Vec<_> = (0..packets.cookies % 8 + 1)
        .map(|_| keys.seal(&session_keys, &mut rng).to_vec())
        .collect();
    let mut session = Session::new(session_keys, cookies);
    let mut whole = vec![0x23; Header::LENGTH];
    session.seal_request(&mut rng, &mut whole).unwrap();

    let bytes = build(&packets.request, &whole);
    if let Ok(packet) = Packet::parse(&bytes) {
        let mut reply = [0x24; 1100];
        let length = match inspect(&keys, &packet) {
            Inspection::Authentic(asked) => {
                // The authenticator ends the true packet, and may be padded.
                let before = &whole[..whole.len() - 40];
                assert!(bytes.starts_with(before), "it was changed");
                asked.seal_answer(&keys, &mut rng, &mut reply)
            }
            Inspection::Refused(refused) => refused.complete(&mut reply),
            Inspection::Plain | Inspection::Malformed => None,
        };
        assert!(length.is_none_or(|length| length <= bytes.len()));
    }

    let packet = Packet::parse(&whole).unwrap();
    let Inspection::Authentic(asked) = inspect(&keys, &packet) else {
        panic!("it is authentic");
    };
    let mut reply = [0x24; 1100];
    let length = asked.seal_answer(&keys, &mut rng, &mut reply).unwrap();
    let bytes = build(&packets.answer, &reply[..length]);
    if let Ok(packet) = Packet::parse(&bytes) {
        let believed = session.receive(&packet).is_ok();
        let before = &reply[..Header::LENGTH + 36];
        assert!(!believed || bytes.starts_with(before), "it was changed");
    }
});
