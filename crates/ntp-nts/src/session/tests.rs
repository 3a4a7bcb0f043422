use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;
use crate::{CookieKeys, Inspection, inspect};

const REQUEST: [u8; 48] = [0x23; 48];

fn session(cookies: impl IntoIterator<Item = Vec<u8>>) -> (Session, ChaCha12Rng) {
    let keys = SessionKeys::new([1; 32], [2; 32]);
    (Session::new(keys, cookies), ChaCha12Rng::from_seed([3; 32]))
}

#[test]
fn without_a_cookie_nothing_is_sent() {
    let (mut session, mut rng) = session([]);
    let mut packet = REQUEST.to_vec();
    assert_eq!(session.seal_request(&mut rng, &mut packet), Err(Exhausted));
    assert_eq!(packet, REQUEST);
}

#[test]
fn cookies_that_fit_in_no_request_are_not_kept() {
    let lengths = [0, 3, 100, LONGEST_COOKIE, LONGEST_COOKIE + 4];
    let (session, _) = session(lengths.map(|length| vec![1; length]));
    assert_eq!(session.cookies(), 2);
}

#[test]
fn requests_stay_short() {
    for length in (4..=LONGEST_COOKIE).step_by(4) {
        let (mut session, mut rng) = session([vec![1; length]]);
        let mut packet = REQUEST.to_vec();
        session.seal_request(&mut rng, &mut packet).unwrap();
        assert!(packet.len() <= LONGEST_REQUEST, "cookies of {length}");
        Packet::parse(&packet).unwrap();
    }
}

#[test]
fn only_the_answer_to_the_last_request_counts_and_once() {
    let mut rng = ChaCha12Rng::from_seed([5; 32]);
    let cookie_keys = CookieKeys::new(&mut rng, 0);
    let keys = SessionKeys::new([1; 32], [2; 32]);
    let cookies: Vec<_> = (0..8)
        .map(|_| cookie_keys.seal(&keys, &mut rng).to_vec())
        .collect();
    let (mut session, _) = session(cookies);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut request = REQUEST.to_vec();
        session.seal_request(&mut rng, &mut request).unwrap();
        let packet = Packet::parse(&request).unwrap();
        let Inspection::Authentic(asked) = inspect(&cookie_keys, &packet) else {
            panic!("it is authentic");
        };
        let mut answer = vec![0x24; 1100];
        let length = asked
            .seal_answer(&cookie_keys, &mut rng, &mut answer)
            .unwrap();
        answer.truncate(length);
        answers.push(answer);
    }
    let [old, new] = &answers[..] else {
        panic!("two answers");
    };
    let parsed = |bytes: &'static [u8]| Packet::parse(bytes).unwrap();
    let old = parsed(old.clone().leak());
    let good = parsed(new.clone().leak());
    assert_eq!(session.receive(&old), Err(AnswerError::Identifier));
    for at in 48 + 4..new.len() {
        let mut forged = new.clone();
        forged[at] ^= 1;
        if let Ok(packet) = Packet::parse(&forged) {
            assert!(session.receive(&packet).is_err(), "octet {at}");
        }
    }
    // A bare answer, and one that says that it is no answer.
    let bare = new[..48].to_vec();
    let bare = session.receive(&Packet::parse(&bare).unwrap());
    assert_eq!(bare, Err(AnswerError::Missing));
    assert_eq!(session.receive(&good), Ok(()));
    assert_eq!(session.cookies(), 8);
    assert_eq!(session.receive(&good), Err(AnswerError::Identifier));
}

#[test]
fn a_refusal_is_told_from_other_kisses() {
    let (mut session, mut rng) = session([vec![1; 100]]);
    let mut request = REQUEST.to_vec();
    session.seal_request(&mut rng, &mut request).unwrap();
    let mut answer = request[..48 + 36].to_vec();
    answer[0] = 0x24;
    answer[1] = 0;
    for (code, expected) in [
        (b"RATE", AnswerError::Missing),
        (b"NTSN", AnswerError::Refused),
    ] {
        answer[12..16].copy_from_slice(code);
        let told = session.receive(&Packet::parse(&answer).unwrap());
        assert_eq!(told, Err(expected));
    }
    answer[60] ^= 1;
    let told = session.receive(&Packet::parse(&answer).unwrap());
    assert_eq!(told, Err(AnswerError::Identifier));
}
