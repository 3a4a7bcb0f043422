use ntp_wire::{Duration, Mode};
use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;

const PRECISION: Precision = Precision::new(-20);

fn time(milliseconds: i32) -> Timestamp {
    Timestamp::from_unix(1_795_393_189, 0) + Duration::from_millis(milliseconds)
}

fn header(stamps: Stamps) -> Header {
    Header {
        mode: Mode::SymmetricActive,
        origin_time: stamps.origin,
        receive_time: stamps.receive,
        transmit_time: stamps.transmit,
        ..Header::default()
    }
}

fn rng() -> ChaCha12Rng {
    ChaCha12Rng::from_seed([1; 32])
}

/// Two peers whose first packets crossed; ours left at 0, the other's at 1 ms.
fn met() -> (Symmetric, Symmetric) {
    let (mut ours, mut theirs) = (Symmetric::default(), Symmetric::default());
    let first = header(ours.send(&mut rng(), time(0), PRECISION, false));
    assert_eq!(theirs.check(&first, time(10)), Err(Flash::UNSYNCHRONISED));
    theirs.accept(&first, time(10), false, false);
    (ours, theirs)
}

#[test]
fn the_second_packet_brings_the_time() {
    let (mut ours, mut theirs) = met();
    let second = header(theirs.send(&mut rng(), time(100), PRECISION, false));
    let exchange = ours.check(&second, time(110)).unwrap();
    assert_eq!(exchange.sent, time(0));
    assert!((exchange.server_received - time(10)).abs() < Duration::from_nanos(10));
    assert_eq!(exchange.received, time(110));
    ours.accept(&second, time(110), true, true);
    assert_eq!(ours.check(&second, time(120)), Err(Flash::DUPLICATE));
    // And the third brings it to the other side.
    let third = header(ours.send(&mut rng(), time(200), PRECISION, false));
    assert!(theirs.check(&third, time(210)).is_ok());
}

#[test]
fn a_lost_packet_is_got_over() {
    let (mut ours, mut theirs) = met();
    // Lost.
    theirs.send(&mut rng(), time(100), PRECISION, false);
    ours.send(&mut rng(), time(200), PRECISION, false);
    let third = header(theirs.send(&mut rng(), time(300), PRECISION, false));
    assert_eq!(ours.check(&third, time(310)), Err(Flash::BOGUS));
    ours.accept(&third, time(310), false, true);
    let fourth = header(ours.send(&mut rng(), time(400), PRECISION, false));
    assert!(theirs.check(&fourth, time(410)).is_ok());
}

#[test]
fn zero_is_no_origin() {
    let fresh = Symmetric::default();
    let forged = Header {
        mode: Mode::SymmetricActive,
        receive_time: time(1).to_wire(),
        transmit_time: time(2).to_wire(),
        ..Header::default()
    };
    assert_eq!(fresh.check(&forged, time(3)), Err(Flash::UNSYNCHRONISED));
    let (mut ours, _) = met();
    assert_eq!(ours.check(&forged, time(3)), Err(Flash::UNSYNCHRONISED));
    ours.abandon();
    assert_eq!(ours.check(&forged, time(3)), Err(Flash::UNSYNCHRONISED));
}

#[test]
fn a_copy_of_an_old_packet_changes_nothing() {
    let (mut ours, mut theirs) = met();
    let old = header(theirs.send(&mut rng(), time(100), PRECISION, false));
    ours.accept(&old, time(110), true, true);
    ours.send(&mut rng(), time(150), PRECISION, false);
    let new = header(theirs.send(&mut rng(), time(200), PRECISION, false));
    ours.accept(&new, time(210), false, true);
    ours.accept(&old, time(220), false, true);
    let stamps = ours.send(&mut rng(), time(300), PRECISION, false);
    assert_eq!(stamps.origin, new.transmit_time);
    assert_eq!(stamps.receive, time(210).to_wire());
}

#[test]
fn a_peer_that_was_set_back_is_met_again() {
    let (mut ours, _) = met();
    let late = Header {
        transmit_time: time(1_000_000).to_wire(),
        ..header(Stamps {
            origin: time(0).to_wire(),
            receive: time(1).to_wire(),
            transmit: time(1).to_wire(),
        })
    };
    ours.accept(&late, time(10), false, true);
    let sent = ours.send(&mut rng(), time(20), PRECISION, false);
    let set_back = header(Stamps {
        origin: sent.transmit,
        receive: time(21).to_wire(),
        transmit: time(22).to_wire(),
    });
    assert!(ours.check(&set_back, time(30)).is_ok());
    ours.accept(&set_back, time(30), true, true);
    let next = ours.send(&mut rng(), time(40), PRECISION, false);
    assert_eq!(next.origin, set_back.transmit_time);
}

#[test]
fn only_what_is_below_precision_is_random() {
    let mut rng = rng();
    for exponent in [-32, -24, -20, -10, -6] {
        let precision = Precision::new(exponent);
        let stamps: Vec<u64> = (0..20)
            .map(|_| below_precision_random(time(7), precision, &mut rng).to_bits())
            .collect();
        let plain = time(7).to_wire().to_bits();
        let step = 1_u64 << (32 + i32::from(exponent));
        assert!(stamps.iter().all(|stamp| stamp.abs_diff(plain) < step));
        if exponent > -32 {
            assert!(stamps.iter().any(|stamp| *stamp != plain));
        }
    }
    // What no clock is like does no harm.
    for exponent in [-128, 0, 5, 127] {
        let stamp = below_precision_random(time(7), Precision::new(exponent), &mut rng);
        assert!(!stamp.is_zero());
    }
}

#[test]
fn a_question_that_anybody_can_ask_is_told_of_in_its_answer_only() {
    let (mut ours, mut theirs) = (Symmetric::default(), Symmetric::default());
    let first = header(theirs.send(&mut rng(), time(0), PRECISION, false));
    ours.accept(&first, time(10), false, false);
    let question = header(theirs.send(&mut rng(), time(100), PRECISION, false));
    ours.note_question(&question, time(110));
    let bare = ours.send(&mut rng(), time(200), PRECISION, false);
    assert_eq!(bare.origin, first.transmit_time);
    let answer = ours.send(&mut rng(), time(300), PRECISION, true);
    assert_eq!(answer.origin, question.transmit_time);
    assert_eq!(answer.receive, time(110).to_wire());
    assert!(theirs.check(&header(answer), time(310)).is_ok());
    // What is proven comes first again.
    let later = header(theirs.send(&mut rng(), time(400), PRECISION, false));
    ours.accept(&later, time(410), false, false);
    let answer = ours.send(&mut rng(), time(500), PRECISION, true);
    assert_eq!(answer.origin, later.transmit_time);
}
