//! Network Time Security between two engines, without TLS: what its key exchange ends with is made
//! by hand.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Endpoint, Engine, Input, Output, Setup};
use ntp_nts::{Agreement, CookieKeys, SessionKeys};
use ntp_wire::{AssociationId, Duration, Header, Monotonic, Packet, Timestamp};
use rand::{SeedableRng, rngs::ChaCha12Rng};

const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn start() -> Now {
    Now {
        wall: Timestamp::from_unix(1_795_393_189, 0),
        monotonic: Monotonic::START,
    }
}

fn after(now: Now, time: Elapsed) -> Now {
    Now {
        wall: now.wall + Duration::from_nanos(time.as_nanos() as i64),
        monotonic: now.monotonic + time,
    }
}

fn engine(text: &str, seed: u8, kept: Option<CookieKeys>) -> Engine {
    let parsed = ntp_conf::parse("ntp.conf", text, |_| Err(String::new()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    let setup = Setup {
        cookie_keys: kept,
        ..Setup::new(parsed.config)
    };
    Engine::new(setup, [seed; 32], start())
}

struct Pair {
    server: Engine,
    client: Engine,
    now: Now,
    rng: ChaCha12Rng,
    /// Requests and answers, in their order.
    requests: Vec<Vec<u8>>,
    answers: Vec<Vec<u8>>,
    exchanges: Vec<Elapsed>,
    kept: Vec<CookieKeys>,
    /// What is done to each answer on its way.
    spoil: fn(&mut Vec<u8>),
    /// Whether somebody forges a refusal of each request.
    forges: bool,
    /// Whether the server of keys gives any.
    gives_keys: bool,
}

const SERVES: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n\
    nts cert /c key /k enable\n";

impl Pair {
    fn new(options: &str) -> Self {
        Self {
            server: engine(SERVES, 1, None),
            client: engine(
                &format!("server ntp.example nts minpoll 4 maxpoll 4 {options}\n"),
                2,
                None,
            ),
            now: start(),
            rng: ChaCha12Rng::from_seed([3; 32]),
            requests: Vec::new(),
            answers: Vec::new(),
            exchanges: Vec::new(),
            kept: Vec::new(),
            spoil: |_| {},
            forges: false,
            gives_keys: true,
        }
    }

    fn run(&mut self, time: Elapsed) {
        let end = self.now.monotonic + time;
        while self.now.monotonic < end {
            self.settle();
            let next = [&self.server, &self.client].map(Engine::next_deadline);
            let next = next.into_iter().flatten().min().unwrap();
            let wait = next.since(self.now.monotonic) + Elapsed::from_millis(1);
            self.now = after(self.now, wait);
            self.server.handle_deadline(self.now);
            self.client.handle_deadline(self.now);
        }
    }

    fn settle(&mut self) {
        while let Some(output) = self.client.poll() {
            match output {
                Output::ExchangeKeys(order) => {
                    assert_eq!(order.name, "ntp.example");
                    let elapsed = self.now.monotonic - Monotonic::START;
                    self.exchanges.push(elapsed);
                    self.exchange(order.association);
                }
                Output::Resolve { name, .. } => panic!("{name} is looked up without keys"),
                Output::Send { data, .. } => self.ask(&data),
                _ => {}
            }
        }
        while let Some(output) = self.server.poll() {
            if let Output::KeepCookieKeys(keys) = output {
                self.kept.push((*keys).clone());
            }
        }
    }

    fn exchange(&mut self, association: AssociationId) {
        let keys = SessionKeys::new([4; 32], [5; 32]);
        let cookies = self.server.view().cookie_keys().unwrap();
        let agreement = Agreement {
            cookies: (0..8)
                .map(|_| cookies.seal(&keys, &mut self.rng).to_vec())
                .collect(),
            keys,
            server: None,
            port: None,
        };
        let endpoint = Endpoint {
            remote: (SERVER, 123).into(),
            local: CLIENT,
        };
        let result = match self.gives_keys {
            true => Ok((agreement, vec![endpoint])),
            false => Err("nothing there".to_owned()),
        };
        let input = Input::KeysExchanged {
            association,
            result,
        };
        self.client.handle(self.now, input);
    }

    fn ask(&mut self, data: &[u8]) {
        self.requests.push(data.to_vec());
        self.server
            .handle(self.now, arrive(self.now, SERVER, CLIENT, data));
        while let Some(output) = self.server.poll() {
            match output {
                Output::Send { data: answer, .. } => {
                    assert!(answer.len() <= data.len(), "no amplification");
                    let mut answer = answer.to_vec();
                    if self.forges {
                        let mut forged = answer[..Header::LENGTH + 36].to_vec();
                        forged[0] |= 0xc0;
                        forged[1] = 0;
                        forged[12..16].copy_from_slice(b"NTSN");
                        self.client
                            .handle(self.now, arrive(self.now, CLIENT, SERVER, &forged));
                    }
                    (self.spoil)(&mut answer);
                    self.client
                        .handle(self.now, arrive(self.now, CLIENT, SERVER, &answer));
                    self.answers.push(answer);
                }
                Output::KeepCookieKeys(keys) => self.kept.push((*keys).clone()),
                _ => {}
            }
        }
    }

    fn is_followed(&self) -> bool {
        let reply = self.client.view().plain_reply(self.now);
        reply.is_some_and(|header| header.stratum.value() == 3)
    }
}

fn arrive(now: Now, local: IpAddr, remote: IpAddr, data: &[u8]) -> Input<'_> {
    Input::Datagram {
        received: now.wall,
        local,
        remote: (remote, 123).into(),
        data,
    }
}

fn is_refusal(answer: &[u8]) -> bool {
    answer.get(12..16) == Some(b"NTSN")
}

#[test]
fn a_client_follows_a_server_that_proves_itself() {
    let mut pair = Pair::new("iburst");
    pair.run(Elapsed::from_secs(600));
    assert!(pair.is_followed());
    assert_eq!(pair.exchanges, [Elapsed::ZERO]);
    // Every request has another cookie, and nothing in it tells who asks.
    for (index, request) in pair.requests.iter().enumerate() {
        let packet = Packet::parse(request).unwrap();
        let kinds: Vec<_> = packet.extensions().map(|field| field.kind).collect();
        assert_eq!(kinds, [0x0104, 0x0204, 0x0404], "none is missing");
        let cookie = &request[48 + 36 + 4 + 4..][..96];
        assert!(
            !pair.requests[..index]
                .iter()
                .any(|other| other.windows(16).any(|part| part == &cookie[..16])),
            "a cookie was sent twice"
        );
    }
}

#[test]
fn what_is_not_authentic_is_not_believed() {
    let spoilers: [fn(&mut Vec<u8>); 4] = [
        |answer| answer.truncate(Header::LENGTH),
        |answer| answer[47] ^= 1,
        |answer| *answer.last_mut().unwrap() ^= 1,
        |answer| answer.truncate(Header::LENGTH + 36),
    ];
    for (number, spoil) in spoilers.into_iter().enumerate() {
        let mut pair = Pair::new("iburst");
        pair.spoil = spoil;
        pair.run(Elapsed::from_secs(300));
        assert!(!pair.answers.is_empty());
        assert!(!pair.is_followed(), "spoiler {number}");
        // It begins with eight cookies, gets none, and asks for more by and by.
        let expected = 1 + pair.requests.len().saturating_sub(1) / 8;
        assert_eq!(pair.exchanges.len(), expected, "spoiler {number}");
    }
}

#[test]
fn a_refused_client_exchanges_keys_again() {
    let mut pair = Pair::new("iburst");
    pair.run(Elapsed::from_secs(120));
    assert!(pair.is_followed());
    // The server has forgotten its keys.
    pair.server = engine(SERVES, 9, None);
    pair.server.handle_deadline(pair.now);
    let before = pair.now.monotonic;
    pair.run(Elapsed::from_secs(60));
    assert!(pair.answers.iter().any(|answer| is_refusal(answer)));
    assert_eq!(pair.exchanges.len(), 2);
    let refusals = pair.answers.iter().filter(|answer| is_refusal(answer));
    assert_eq!(refusals.count(), 1, "one was enough");
    assert!(pair.exchanges[1] < (before - Monotonic::START) + Elapsed::from_secs(20));
    assert!(pair.is_followed());
}

#[test]
fn a_forged_refusal_takes_nothing_away() {
    let mut pair = Pair::new("iburst");
    pair.run(Elapsed::from_secs(120));
    let before = (pair.exchanges.len(), pair.requests.len());
    // Who sees the request is faster than the server.
    pair.forges = true;
    pair.run(Elapsed::from_secs(900));
    assert!(pair.is_followed());
    assert_eq!(pair.exchanges.len(), before.0);
    let asked = pair.requests.len() - before.1;
    assert!((30..=70).contains(&asked), "{asked} requests in 15 minutes");
}

#[test]
fn without_keys_nothing_is_sent_and_the_server_not_pestered() {
    let mut pair = Pair::new("iburst");
    pair.gives_keys = false;
    // The first exchange happened with the start, before it could be refused: forget it.
    pair.run(Elapsed::from_secs(3600));
    assert!(pair.requests.is_empty());
    let count = pair.exchanges.len();
    assert!((8..=16).contains(&count), "{:?}", pair.exchanges);
    let gaps = pair.exchanges.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(gaps.min().unwrap() >= Elapsed::from_secs(10));
    pair.gives_keys = true;
    pair.run(Elapsed::from_secs(4096));
    assert!(pair.is_followed());
}

#[test]
fn cookies_outlive_the_server() {
    let mut pair = Pair::new("iburst");
    pair.run(Elapsed::from_secs(120));
    let kept = pair.kept.last().unwrap().clone();
    pair.server = engine(SERVES, 9, Some(kept));
    pair.server.handle_deadline(pair.now);
    pair.run(Elapsed::from_secs(120));
    assert_eq!(pair.exchanges.len(), 1);
    assert!(!pair.answers.iter().any(|answer| is_refusal(answer)));
    // A day later there is a new key, kept before anything is sealed with it.
    pair.run(Elapsed::from_secs(86_400));
    assert_eq!(pair.kept.len(), 2);
    assert_eq!(pair.exchanges.len(), 1);
    assert!(pair.is_followed());
}
