use std::time::Duration as Elapsed;

use super::*;

const POLL: PollExponent = PollExponent::DEFAULT_MINIMUM;

fn at(seconds: u64) -> Monotonic {
    Monotonic::START + Elapsed::from_secs(seconds)
}

fn sent(seconds: u64) -> Header {
    Header {
        poll: POLL,
        transmit_time: WireTimestamp::from_bits((1_000_000 + seconds) << 32),
        ..Header::default()
    }
}

fn listening(volley: bool, step_polls: u8) -> Listening {
    Listening::new(ListeningOptions {
        volley,
        delay: Duration::from_millis(4),
        step_polls,
    })
}

fn measured() -> Listening {
    let mut listening = listening(true, 0);
    assert_eq!(listening.judge(&sent(0), at(0)), Judgement::TooEarly);
    for reply in 0..VOLLEY {
        let done = listening.answered(&sent(1), Duration::from_millis(1), true, at(1));
        assert_eq!(done, reply + 1 == VOLLEY);
    }
    listening
}

#[test]
fn each_broadcast_must_be_newer_and_in_its_time() {
    let mut listening = measured();
    assert_eq!(listening.judge(&sent(64), at(64)), Judgement::Time);
    let duplicate = Judgement::Refused(Flash::DUPLICATE);
    let bogus = Judgement::Refused(Flash::BOGUS);
    assert_eq!(listening.judge(&sent(64), at(65)), duplicate);
    assert_eq!(listening.judge(&sent(66), at(66)), bogus, "too soon");
    assert_eq!(listening.judge(&sent(63), at(66)), bogus, "older");
    assert_eq!(listening.judge(&sent(128), at(128)), Judgement::Time);
    let zero = Header {
        transmit_time: WireTimestamp::ZERO,
        ..sent(0)
    };
    assert_eq!(
        listening.judge(&zero, at(192)),
        Judgement::Refused(Flash::UNSYNCHRONISED)
    );
    // Over the end of an era.
    let mut rollover = measured();
    rollover.newest = Some(Heard {
        transmit: WireTimestamp::from_bits(u64::MAX - 5),
        at: at(0),
    });
    let next = Header {
        transmit_time: WireTimestamp::from_bits(60 << 32),
        ..sent(0)
    };
    assert_eq!(rollover.judge(&next, at(64)), Judgement::Time);
}

#[test]
fn copies_make_us_ask_and_not_believe() {
    let mut listening = measured();
    assert_eq!(listening.judge(&sent(400), at(400)), Judgement::Time);
    assert_eq!(listening.judge(&sent(64), at(464)), Judgement::Ask);
    listening.ask_again();
    for _ in 0..VOLLEY {
        listening.answered(&sent(465), Duration::from_millis(1), true, at(465));
    }
    // What is older than the answers is no time, and does not make us ask again at once.
    let bogus = Judgement::Refused(Flash::BOGUS);
    assert_eq!(listening.judge(&sent(128), at(528)), bogus);
    assert_eq!(listening.judge(&sent(192), at(592)), bogus);
    assert_eq!(listening.judge(&sent(593), at(593)), Judgement::Time);
}

#[test]
fn without_a_volley_a_step_back_takes_broadcasts_in_order() {
    for (step_polls, refused) in [(0, 1), (1, 1), (4, 4)] {
        let mut listening = listening(false, step_polls);
        assert_eq!(listening.judge(&sent(5000), at(0)), Judgement::Time);
        let judged: Vec<bool> = (1_u64..8)
            .map(|n| listening.judge(&sent(n * 64), at(n * 64)) == Judgement::Time)
            .collect();
        let accepted = judged.iter().position(|accepted| *accepted);
        assert_eq!(accepted, Some(refused), "{step_polls}: {judged:?}");
    }
    // One copy over and over is not in order.
    let mut listening = listening(false, 0);
    assert_eq!(listening.judge(&sent(5000), at(0)), Judgement::Time);
    for n in 1_u64..20 {
        assert_ne!(listening.judge(&sent(64), at(n * 64)), Judgement::Time);
    }
}

#[test]
fn who_does_not_answer_is_as_far_as_is_configured() {
    let mut listening = listening(true, 0);
    assert!(!listening.give_up(7));
    assert!(listening.give_up(8) && !listening.is_measuring());
    assert_eq!(listening.delay, Some(Duration::from_millis(4)));
}
