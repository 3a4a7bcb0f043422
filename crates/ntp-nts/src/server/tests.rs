use ntp_wire::Packet;
use proptest::prelude::*;
use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;
use crate::{Session, SessionKeys};

struct Pair {
    rng: ChaCha12Rng,
    keys: CookieKeys,
    session: Session,
}

impl Pair {
    fn new(cookies: usize) -> Self {
        let mut rng = ChaCha12Rng::from_seed([9; 32]);
        let keys = CookieKeys::new(&mut rng, 0);
        let session_keys = SessionKeys::new([1; 32], [2; 32]);
        let cookies: Vec<_> = (0..cookies)
            .map(|_| keys.seal(&session_keys, &mut rng).to_vec())
            .collect();
        let session = Session::new(session_keys, cookies);
        Self { rng, keys, session }
    }

    fn request(&mut self) -> Vec<u8> {
        let mut packet = vec![0; Header::LENGTH];
        packet[0] = 0x23;
        packet[47] = 5;
        self.session
            .seal_request(&mut self.rng, &mut packet)
            .unwrap();
        packet
    }

    fn answer(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let packet = Packet::parse(request).ok()?;
        let mut room = vec![0; 1100];
        room[0] = 0x24;
        let length = match inspect(&self.keys, &packet) {
            Inspection::Authentic(asked) => asked.seal_answer(&self.keys, &mut self.rng, &mut room),
            Inspection::Refused(refused) => {
                room[12..16].copy_from_slice(b"NTSN");
                refused.complete(&mut room)
            }
            Inspection::Plain | Inspection::Malformed => None,
        }?;
        room.truncate(length);
        Some(room)
    }
}

#[test]
fn cookies_are_made_good_in_one_exchange() {
    for held in 1..=COOKIES {
        let mut pair = Pair::new(held);
        let request = pair.request();
        assert_eq!(pair.session.cookies(), held - 1);
        let answer = pair.answer(&request).unwrap();
        assert_eq!(answer.len(), request.len(), "with {held} cookies");
        pair.session
            .receive(&Packet::parse(&answer).unwrap())
            .unwrap();
        assert_eq!(pair.session.cookies(), COOKIES);
    }
}

#[test]
fn a_changed_request_is_refused() {
    let mut pair = Pair::new(3);
    let request = pair.request();
    for at in 0..request.len() {
        let mut changed = request.clone();
        changed[at] ^= 1;
        let Ok(packet) = Packet::parse(&changed) else {
            continue;
        };
        let found = inspect(&pair.keys, &packet);
        assert!(!matches!(found, Inspection::Authentic(_)), "octet {at}");
        // No answer to what is not authentic is longer than what asked for it.
        let answer = pair.answer(&changed).unwrap_or_default();
        assert!(answer.len() < changed.len());
    }
}

#[test]
fn what_is_not_complete_is_not_answered() {
    let mut pair = Pair::new(8);
    let request = pair.request();
    let (header, fields) = request.split_at(48);
    let (identifier, rest) = fields.split_at(36);
    let (cookie, authenticator) = rest.split_at(104);
    let with = |parts: &[&[u8]]| [&[header], parts].concat().concat();
    let mut found = |parts: &[&[u8]]| {
        let bytes = with(parts);
        let found = inspect(&pair.keys, &Packet::parse(&bytes).unwrap());
        let what = match found {
            Inspection::Plain => "plain",
            Inspection::Malformed => "malformed",
            Inspection::Refused(_) => "refused",
            Inspection::Authentic(_) => "authentic",
        };
        let _ = pair.answer(&bytes);
        what
    };
    assert_eq!(found(&[]), "plain");
    assert_eq!(found(&[identifier]), "plain");
    assert_eq!(found(&[identifier, cookie]), "malformed");
    assert_eq!(found(&[identifier, authenticator]), "malformed");
    assert_eq!(found(&[cookie, authenticator]), "malformed");
    assert_eq!(
        found(&[identifier, identifier, cookie, authenticator]),
        "malformed"
    );
    assert_eq!(
        found(&[identifier, cookie, cookie, authenticator]),
        "malformed"
    );
    assert_eq!(found(&[cookie, identifier, authenticator]), "refused");
    assert_eq!(found(&[identifier, cookie, authenticator]), "authentic");
    // What follows the authenticator counts for nothing.
    assert_eq!(
        found(&[identifier, cookie, authenticator, cookie]),
        "authentic"
    );
    let mut short = identifier.to_vec();
    short.truncate(32);
    short[3] = 32;
    assert_eq!(found(&[&short, cookie, authenticator]), "malformed");
}

#[test]
fn placeholders_that_make_no_room_bring_no_cookie() {
    let mut pair = Pair::new(1);
    let mut packet = pair.request();
    // Seven placeholders of one octet less, with the authenticator made for them: built by hand.
    packet.truncate(48 + 36 + 104);
    for _ in 0..7 {
        packet.extend_from_slice(&[3, 4, 0, 100]);
        packet.resize(packet.len() + 96, 0);
    }
    let at = packet.len();
    packet.resize(at + AUTHENTICATOR_LENGTH, 0);
    let sealer = Sealer::new(&[1; 32]);
    field::write_authenticator(&sealer, &[0; 16], &mut packet, at, 0).unwrap();
    let Inspection::Authentic(asked) = inspect(&pair.keys, &Packet::parse(&packet).unwrap()) else {
        panic!("it is authentic");
    };
    assert_eq!(asked.cookies(), 1);
}

#[test]
fn a_forgotten_key_is_refused_and_the_client_told() {
    let mut pair = Pair::new(8);
    pair.keys = CookieKeys::new(&mut pair.rng, 0);
    let request = pair.request();
    let answer = pair.answer(&request).unwrap();
    assert_eq!(answer.len(), 48 + 36);
    let told = pair.session.receive(&Packet::parse(&answer).unwrap());
    assert_eq!(told, Err(crate::AnswerError::Refused));
}

proptest! {
    #[test]
    fn no_request_is_too_strange(
        fields in prop::collection::vec(
            (prop::sample::select(&[0x104u16, 0x204, 0x304, 0x404, 9][..]), any::<Vec<u8>>()), 0..9
        ),
        cut in 0usize..2000,
    ) {
        let mut bytes = vec![0x23; 48];
        for (kind, mut body) in fields {
            body.resize(body.len().next_multiple_of(4), 0);
            bytes.extend_from_slice(&field::head_of(kind, 4 + body.len()).unwrap());
            bytes.extend_from_slice(&body);
        }
        bytes.truncate(cut.max(48));
        let mut pair = Pair::new(1);
        if let Some(answer) = pair.answer(&bytes) {
            prop_assert!(answer.len() <= bytes.len());
        }
        if let Ok(packet) = Packet::parse(&bytes) {
            prop_assert!(pair.session.receive(&packet).is_err());
        }
    }
}
