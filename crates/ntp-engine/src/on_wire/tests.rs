use ntp_wire::Mode;
use rand::{SeedableRng, rngs::ChaCha12Rng};

use super::*;

fn time(milliseconds: i32) -> Timestamp {
    Timestamp::from_unix(1_795_393_189, 0) + Duration::from_millis(milliseconds)
}

fn reply(origin_time: WireTimestamp) -> Header {
    Header {
        mode: Mode::Server,
        stratum: ntp_wire::Stratum::PRIMARY,
        origin_time,
        receive_time: time(60).to_wire(),
        transmit_time: time(70).to_wire(),
        ..Header::default()
    }
}

#[test]
fn a_reply_is_accepted_once() {
    let mut wire = OnWire::default();
    let mut rng = ChaCha12Rng::from_seed([1; 32]);
    let nonce = wire.request(&mut rng, time(0)).transmit;
    let header = reply(nonce);
    let exchange = wire.check(&header, time(30)).unwrap().exchange.unwrap();
    // Ours: sent 0, received 30; the server's, 50 ms ahead: received 60, sent 70.
    let close = |duration: Duration, milliseconds| {
        (duration - Duration::from_millis(milliseconds)).abs() < Duration::from_nanos(10)
    };
    assert!(close(exchange.offset(), 50), "{:?}", exchange.offset());
    assert!(close(exchange.delay(Precision::new(-20)), 20));
    wire.accept(&header, time(30), Monotonic::START, Some(AnswerKind::Basic));
    assert_eq!(wire.check(&header, time(31)), Err(Flash::DUPLICATE));
    assert_eq!(
        wire.check(&reply(WireTimestamp::ZERO), time(31)),
        Err(Flash::DUPLICATE)
    );
}

#[test]
fn a_request_left_when_the_kernel_says_so() {
    let mut wire = OnWire::default();
    let mut rng = ChaCha12Rng::from_seed([1; 32]);
    let nonce = wire.request(&mut rng, time(10)).transmit;
    let sent = |wire: &OnWire| {
        wire.check(&reply(nonce), time(30))
            .unwrap()
            .exchange
            .unwrap()
            .sent
    };
    assert_eq!(sent(&wire), time(10));
    // Another packet's, one before it was made, one that is to come.
    wire.departed(WireTimestamp::from_bits(7), time(12), time(20));
    wire.departed(nonce, time(9), time(20));
    wire.departed(nonce, time(21), time(20));
    assert_eq!(sent(&wire), time(10));
    wire.departed(nonce, time(12), time(20));
    assert_eq!(sent(&wire), time(12));
    wire.accept(
        &reply(nonce),
        time(30),
        Monotonic::START,
        Some(AnswerKind::Basic),
    );
    wire.departed(nonce, time(12), time(20));
    assert!(wire.check(&reply(nonce), time(30)).is_err());
}

#[test]
fn what_answers_no_request_is_bogus() {
    let mut wire = OnWire::default();
    assert_eq!(
        wire.check(&reply(WireTimestamp::ZERO), time(1)),
        Err(Flash::BOGUS)
    );
    let mut rng = ChaCha12Rng::from_seed([1; 32]);
    let nonce = wire.request(&mut rng, time(0)).transmit;
    for origin in [0, 1, u64::MAX, nonce.to_bits() ^ 1] {
        let forged = reply(WireTimestamp::from_bits(origin));
        assert_eq!(wire.check(&forged, time(1)), Err(Flash::BOGUS));
    }
    assert!(
        wire.check(&reply(nonce), time(1)).is_ok(),
        "forgeries left the request open"
    );
    wire.abandon();
    assert_eq!(wire.check(&reply(nonce), time(1)), Err(Flash::BOGUS));
}

#[test]
fn zero_times_are_no_times() {
    let mut wire = OnWire::default();
    let mut rng = ChaCha12Rng::from_seed([1; 32]);
    let nonce = wire.request(&mut rng, time(0)).transmit;
    let header = Header {
        receive_time: WireTimestamp::ZERO,
        ..reply(nonce)
    };
    assert_eq!(wire.check(&header, time(1)), Err(Flash::UNSYNCHRONISED));
    let header = Header {
        transmit_time: WireTimestamp::ZERO,
        ..reply(nonce)
    };
    assert_eq!(wire.check(&header, time(1)), Err(Flash::UNSYNCHRONISED));
}

#[test]
fn a_clock_that_was_never_set_learns_its_whole_offset() {
    let years = Duration::from_seconds(1_790_000_000);
    let exchange = Exchange {
        sent: time(0) - years,
        received: time(20) - years,
        server_received: time(10),
        server_sent: time(10),
    };
    assert!((exchange.offset() - years).abs() < Duration::from_millis(1));
}

#[test]
fn delay_is_never_below_precision() {
    let exchange = Exchange {
        sent: time(0),
        received: time(1),
        server_received: time(0),
        server_sent: time(5),
    };
    assert_eq!(
        exchange.delay(Precision::new(-10)),
        Precision::new(-10).to_duration()
    );
}

#[test]
fn replies_are_understood_across_the_end_of_era_zero() {
    let rollover = Timestamp::from_parts(1 << 32, 0);
    let mut wire = OnWire::default();
    let mut rng = ChaCha12Rng::from_seed([1; 32]);
    let nonce = wire
        .request(&mut rng, rollover - Duration::from_millis(10))
        .transmit;
    let header = Header {
        receive_time: (rollover + Duration::from_millis(1)).to_wire(),
        transmit_time: (rollover + Duration::from_millis(1)).to_wire(),
        ..reply(nonce)
    };
    let exchange = wire
        .check(&header, rollover + Duration::from_millis(10))
        .unwrap()
        .exchange
        .unwrap();
    assert!((exchange.offset() - Duration::from_millis(1)).abs() < Duration::from_nanos(10));
}

/// A client that asks, and the server that it asks, 50 ms ahead.
struct Pair {
    wire: OnWire,
    rng: ChaCha12Rng,
    now: i32,
}

impl Pair {
    fn new() -> Self {
        Self {
            wire: OnWire::interleaved(),
            rng: ChaCha12Rng::from_seed([1; 32]),
            now: 0,
        }
    }

    /// The next request, a second after the last, which leaves 1 ms later.
    fn ask(&mut self) -> Stamps {
        self.now += 1000;
        let stamps = self.wire.request(&mut self.rng, time(self.now));
        let (left, now) = (time(self.now + 1), time(self.now + 2));
        self.wire.departed(stamps.transmit, left, now);
        stamps
    }

    /// The reply to that, which is there 21 ms after the request and says that it, or the one
    /// before, left 3 ms later than it truly left: after 10 ms on the way and 2 ms at the server.
    fn reply(&self, origin: WireTimestamp, left: i32) -> Header {
        Header {
            receive_time: time(self.now + 61).to_wire(),
            transmit_time: time(left + 50).to_wire(),
            ..reply(origin)
        }
    }

    fn hear(&mut self, header: &Header) -> Result<Answer, Flash> {
        let received = time(self.now + 23);
        let answer = self.wire.check(header, received)?;
        let at = Monotonic::from_nanos(u64::try_from(self.now).unwrap());
        self.wire.accept(header, received, at, Some(answer.kind));
        Ok(answer)
    }

    /// Basic, then two that are interleaved.
    fn settle(&mut self) -> Answer {
        let stamps = self.ask();
        self.hear(&self.reply(stamps.transmit, self.now + 10))
            .unwrap();
        let stamps = self.ask();
        let second = self
            .hear(&self.reply(stamps.receive, self.now - 1000 + 13))
            .unwrap();
        assert_eq!(second.exchange, None, "it was measured before");
        let stamps = self.ask();
        self.hear(&self.reply(stamps.receive, self.now - 1000 + 13))
            .unwrap()
    }
}

#[test]
fn interleaved_replies_complete_the_exchange_before() {
    let mut pair = Pair::new();
    let first = pair.ask();
    assert_eq!((first.origin, first.receive), Default::default());
    let header = pair.reply(first.transmit, pair.now + 10);
    let basic = pair.hear(&header).unwrap();
    assert_eq!((basic.kind, basic.ended), (AnswerKind::Basic, None));
    let second = pair.ask();
    assert_eq!(second.origin, header.receive_time);
    assert!(!second.receive.is_zero() && second.receive != second.transmit);

    let third = Pair::new().settle();
    assert_eq!(third.kind, AnswerKind::Interleaved);
    let exchange = third.exchange.unwrap();
    // What truly happened a second before: left at 1, 10 ms there, 2 ms at the server, 10 ms back.
    assert_eq!(exchange.sent, time(2001));
    assert_eq!(exchange.received, time(2023));
    let error = exchange.offset() - Duration::from_millis(50);
    assert!(error.abs() < Duration::from_nanos(10), "{error:?}");
    assert_eq!(third.ended, Some(Monotonic::from_nanos(2000)));
}

#[test]
fn a_server_that_does_not_interleave_is_asked_as_ever() {
    let mut pair = Pair::new();
    for _ in 0..5 {
        let stamps = pair.ask();
        let answer = pair
            .hear(&pair.reply(stamps.transmit, pair.now + 13))
            .unwrap();
        assert_eq!(answer.kind, AnswerKind::Basic);
        assert_eq!(answer.exchange.unwrap().sent, time(pair.now + 1));
    }
}

/// CVE-2016-1548: who has not seen the request can't make its reply an interleaved one.
#[test]
fn nobody_else_can_interleave() {
    let mut pair = Pair::new();
    pair.settle();
    let stamps = pair.ask();
    let bits = stamps.receive.to_bits();
    let guesses = [
        WireTimestamp::ZERO,
        stamps.origin,
        time(pair.now).to_wire(),
        WireTimestamp::from_bits(bits ^ 1),
        WireTimestamp::from_bits(u64::MAX),
    ];
    for origin in guesses {
        let forged = pair.reply(origin, pair.now);
        assert_eq!(pair.hear(&forged), Err(Flash::BOGUS));
    }
    let header = pair.reply(stamps.receive, pair.now - 1000 + 13);
    assert!(pair.hear(&header).is_ok());
    assert_eq!(pair.hear(&header), Err(Flash::DUPLICATE));

    // And one that did not ask for it takes none.
    let mut plain = OnWire::default();
    let stamps = plain.request(&mut pair.rng, time(0));
    assert_eq!((stamps.origin, stamps.receive), Default::default());
    assert_eq!(
        plain.check(&reply(WireTimestamp::ZERO), time(1)),
        Err(Flash::BOGUS)
    );
}

#[test]
fn times_that_can_not_be_make_the_next_request_a_plain_one() {
    // Sent before it came, five seconds after, later than it arrived here.
    for left in [-100, 5013, 40] {
        let mut pair = Pair::new();
        pair.settle();
        let stamps = pair.ask();
        let header = pair.reply(stamps.receive, pair.now - 1000 + left);
        let answer = pair.hear(&header).unwrap();
        assert_eq!(answer.kind, AnswerKind::InterleaveError, "{left}");
        assert_eq!(answer.exchange, None);
        assert!(pair.ask().origin.is_zero());
    }
}

#[test]
fn lost_replies_lead_back_to_plain_requests() {
    let mut pair = Pair::new();
    pair.settle();
    let named: Vec<bool> = (0..6).map(|_| !pair.ask().origin.is_zero()).collect();
    assert_eq!(named, [true, true, true, true, false, false]);
    let stamps = pair.ask();
    assert!(
        pair.hear(&pair.reply(stamps.transmit, pair.now + 13))
            .is_ok()
    );
    assert!(!pair.ask().origin.is_zero());
}

/// A reply that was lost: the next tells of the one before that, which was heard.
#[test]
fn a_lost_reply_loses_one_exchange() {
    let mut pair = Pair::new();
    pair.settle();
    let before = pair.now;
    pair.ask();
    let stamps = pair.ask();
    let answer = pair.hear(&pair.reply(stamps.receive, before + 13)).unwrap();
    assert_eq!(answer.exchange.unwrap().received, time(before + 23));
}

#[test]
fn a_step_and_a_refusal_lead_back_to_plain_requests() {
    let mut pair = Pair::new();
    pair.settle();
    pair.wire.abandon();
    assert!(pair.ask().origin.is_zero());

    let mut pair = Pair::new();
    pair.settle();
    let stamps = pair.ask();
    let kiss = Header {
        stratum: ntp_wire::Stratum::UNSPECIFIED,
        reference_id: ntp_wire::KissCode::Rate.to_reference_id(),
        ..pair.reply(stamps.transmit, pair.now)
    };
    pair.hear(&kiss).unwrap();
    assert!(pair.ask().origin.is_zero());
}

#[test]
fn news_of_a_departure_may_come_after_the_reply() {
    let mut pair = Pair::new();
    pair.settle();
    pair.now += 1000;
    let stamps = pair.wire.request(&mut pair.rng, time(pair.now));
    let sent = pair.now;
    pair.hear(&pair.reply(stamps.receive, sent - 1000 + 13))
        .unwrap();
    pair.wire
        .departed(stamps.transmit, time(sent + 4), time(sent + 900));
    let stamps = pair.ask();
    let answer = pair.hear(&pair.reply(stamps.receive, sent + 14)).unwrap();
    assert_eq!(answer.exchange.unwrap().sent, time(sent + 4));
}
