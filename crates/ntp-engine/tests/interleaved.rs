//! Clients that ask interleaved (RFC 9769), and those who would like to be taken for them.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use ntp_discipline::Now;
use ntp_engine::{Arrival, Engine, Input, LONGEST_REPLY, Reply, Setup, Verdict};
use ntp_wire::{Duration, Header, Mode, Monotonic, Timestamp, WireTimestamp};

const CLIENT: &str = "192.0.2.2:40000";

/// A server, and a clock that runs by itself.
struct Server {
    engine: Engine,
    now: Now,
}

impl Server {
    fn new(config: &str) -> Self {
        let parsed = ntp_conf::parse("ntp.conf", config, |_| Err(String::new()));
        let now = Now {
            wall: Timestamp::from_unix(1_795_393_189, 0),
            monotonic: Monotonic::START,
        };
        Self {
            engine: Engine::new(Setup::new(parsed.config), [7; 32], now),
            now,
        }
    }

    fn wait(&mut self, milliseconds: u32) {
        let wait = std::time::Duration::from_millis(milliseconds.into());
        self.now.monotonic += wait;
        self.now.wall += Duration::from_millis(milliseconds.try_into().unwrap());
    }

    /// A request arrives, and is looked at 2 ms later.
    fn ask(&mut self, from: &str, request: &Header) -> (Header, Reply, Vec<u8>) {
        let received = self.now.wall;
        self.wait(2);
        let arrival = Arrival {
            received,
            now: self.now,
            local: [192, 0, 2, 1].into(),
            remote: from.parse().unwrap(),
        };
        let mut octets = [0; Header::LENGTH];
        request.emit(&mut octets);
        let mut room = [0; LONGEST_REPLY];
        let reply = self.engine.respond(&arrival, &octets, &mut room).unwrap();
        let data = room[..reply.length].to_vec();
        (Header::parse(&data).unwrap(), reply, data)
    }

    /// The datagram left so many milliseconds ago.
    fn departed(&mut self, to: &str, data: &[u8], ago: i32) -> Timestamp {
        let at = self.now.wall - Duration::from_millis(ago);
        let remote = to.parse().unwrap();
        self.engine
            .handle(self.now, Input::Sent { at, remote, data });
        at
    }
}

fn request(number: u64, origin: WireTimestamp) -> Header {
    Header {
        mode: Mode::Client,
        origin_time: origin,
        receive_time: WireTimestamp::from_bits(number << 8 | 1),
        transmit_time: WireTimestamp::from_bits(number << 8 | 2),
        ..Header::default()
    }
}

fn is_near(one: WireTimestamp, other: Timestamp) -> bool {
    (one.near(other) - other).abs() <= Duration::from_nanos(1)
}

#[test]
fn the_third_request_is_the_first_to_be_answered_interleaved() {
    let mut server = Server::new("");
    let first = request(1, WireTimestamp::ZERO);
    let (reply, told, _) = server.ask(CLIENT, &first);
    assert_eq!(reply.origin_time, first.transmit_time);
    assert!(!told.stamped, "who does not ask for it costs nothing");

    server.wait(1000);
    let second = request(2, reply.receive_time);
    let (reply, told, data) = server.ask(CLIENT, &second);
    assert_eq!(reply.origin_time, second.transmit_time, "still basic");
    assert!(told.stamped);
    server.wait(3);
    let left = server.departed(CLIENT, &data, 1);

    // From another port, as careful clients do.
    server.wait(1000);
    let third = request(3, reply.receive_time);
    let arrived = server.now.wall;
    let (reply, told, _) = server.ask("192.0.2.2:40001", &third);
    assert_eq!(reply.origin_time, third.receive_time);
    assert!(is_near(reply.transmit_time, left));
    assert!(is_near(reply.receive_time, arrived));
    assert!(told.stamped);
}

#[test]
fn without_a_stamp_the_reading_of_the_plain_reply_is_told() {
    let mut server = Server::new("");
    let (reply, ..) = server.ask(CLIENT, &request(1, WireTimestamp::ZERO));
    let (second, ..) = server.ask(CLIENT, &request(2, reply.receive_time));
    let (third, ..) = server.ask(CLIENT, &request(3, second.receive_time));
    assert_eq!(
        third.origin_time,
        request(3, WireTimestamp::ZERO).receive_time
    );
    assert_eq!(third.transmit_time, second.transmit_time);
}

/// CVE-2016-1548 and its kind: nobody is made to be interleaved, and nobody learns of others.
#[test]
fn nobody_gets_the_times_of_another() {
    let mut server = Server::new("");
    let (reply, ..) = server.ask(CLIENT, &request(1, WireTimestamp::ZERO));
    let (reply, ..) = server.ask(CLIENT, &request(2, reply.receive_time));
    // Another host that has seen the reply.
    let thief = request(3, reply.receive_time);
    let (answer, ..) = server.ask("192.0.2.3:40000", &thief);
    assert_eq!(answer.origin_time, thief.transmit_time);
    // Neighbouring stamps, guessed in the client's name.
    for near in [-2_i64, 2, 4, 1 << 20] {
        let bits = reply.receive_time.to_bits().wrapping_add_signed(near);
        let guess = request(4, WireTimestamp::from_bits(bits));
        let (answer, ..) = server.ask(CLIENT, &guess);
        assert_eq!(answer.origin_time, guess.transmit_time);
    }
    // None of it has cost the client his own.
    let own = request(5, reply.receive_time);
    let (answer, ..) = server.ask(CLIENT, &own);
    assert_eq!(answer.origin_time, own.receive_time);
    // A copy of his request is answered plainly.
    let (answer, ..) = server.ask(CLIENT, &own);
    assert_eq!(answer.origin_time, own.transmit_time);
}

#[test]
fn receive_and_transmit_timestamps_are_never_the_same() {
    let mut server = Server::new("");
    for number in 1..100 {
        let asked = request(number, WireTimestamp::ZERO);
        let (reply, ..) = server.ask(CLIENT, &asked);
        assert_ne!(reply.receive_time.to_bits() & 1, 0);
        assert_eq!(reply.transmit_time.to_bits() & 1, 0);
    }
}

/// A request that does not prove what it should gets no more than a crypto-NAK.
#[test]
fn a_wrong_mac_is_not_answered_interleaved() {
    let mut server = Server::new("");
    let (reply, ..) = server.ask(CLIENT, &request(1, WireTimestamp::ZERO));
    let (reply, ..) = server.ask(CLIENT, &request(2, reply.receive_time));
    let asked = request(3, reply.receive_time);
    let mut octets = [0; Header::LENGTH];
    asked.emit(&mut octets);
    let mut octets = octets.to_vec();
    octets.extend_from_slice(&[0, 0, 0, 9]);
    octets.extend_from_slice(&[5; 16]);
    let arrival = Arrival {
        received: server.now.wall,
        now: server.now,
        local: [192, 0, 2, 1].into(),
        remote: CLIENT.parse().unwrap(),
    };
    let mut room = [0; LONGEST_REPLY];
    let answer = server.engine.respond(&arrival, &octets, &mut room).unwrap();
    assert!(!answer.stamped);
    assert_eq!(answer.length, 52);
    let header = Header::parse(&room[..48]).unwrap();
    assert_eq!(header.origin_time, asked.transmit_time);
}

/// What a reply says of its own departure may be said later; what another depends on may not.
#[test]
fn a_plain_reply_may_be_renewed_and_nothing_else() {
    let mut server = Server::new("");
    let (before, told, mut data) = server.ask(CLIENT, &request(1, WireTimestamp::ZERO));
    let later = server.now.wall + Duration::from_millis(3);
    told.renew(&mut data, later);
    let after = Header::parse(&data).unwrap();
    assert!(is_near(after.transmit_time, later));
    let restored = Header {
        transmit_time: before.transmit_time,
        ..after
    };
    assert_eq!(restored, before);
    assert_eq!(after.transmit_time.to_bits() & 1, 0);

    let (second, ..) = server.ask(CLIENT, &request(2, before.receive_time));
    let (third, told, mut data) = server.ask(CLIENT, &request(3, second.receive_time));
    assert_eq!(third.transmit_time, second.transmit_time, "interleaved");
    told.renew(&mut data, later);
    assert_eq!(Header::parse(&data).unwrap(), third);
    told.renew(&mut [], later);
}

/// A thread remembers its own clients.
#[test]
fn other_threads_answer_interleaved_too() {
    let mut server = Server::new("");
    let shards = server.engine.share(1);
    let now = server.now;
    let ask = |asked: &Header| {
        let arrival = Arrival {
            received: now.wall,
            now,
            local: [192, 0, 2, 1].into(),
            remote: CLIENT.parse().unwrap(),
        };
        let mut octets = [0; Header::LENGTH];
        asked.emit(&mut octets);
        let mut room = [0; LONGEST_REPLY];
        let verdict = shards[0].take_turn().respond(&arrival, &octets, &mut room);
        let Verdict::Reply(reply) = verdict else {
            panic!("{verdict:?}");
        };
        (Header::parse(&room).unwrap(), reply, room)
    };
    let (first, ..) = ask(&request(1, WireTimestamp::ZERO));
    let (second, told, data) = ask(&request(2, first.receive_time));
    assert!(told.stamped && !told.interleaved);
    let left = now.wall + Duration::from_millis(2);
    let after = now.wall + Duration::from_millis(3);
    let remote = CLIENT.parse().unwrap();
    shards[0].take_turn().departed(remote, &data, left, after);
    let (third, told, _) = ask(&request(3, second.receive_time));
    assert!(told.stamped && told.interleaved);
    assert!(is_near(third.transmit_time, left));
}
