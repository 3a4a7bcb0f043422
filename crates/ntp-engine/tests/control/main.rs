//! Control messages as a stranger, a reader and an operator send them.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

mod clients;
mod configuration;

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration as Elapsed,
};

use ntp_control::{
    ClientList, ClientOrder, Credentials, Progress, QueryError, Request, Response, Session,
};
use ntp_discipline::Now;
use ntp_engine::{
    Arrival, Endpoint, Engine, Input, InterfaceDescription, LONGEST_REPLY, Output, Setup, Shard,
    Verdict,
};
use ntp_keys::{KeyAlgorithm, KeyTable, SymmetricKey};
use ntp_wire::{
    AssociationId, KeyId, Monotonic, Timestamp,
    control::{ErrorCode, Opcode},
};

const CONF: &str = "server 127.127.1.0\nserver 192.0.2.1\ntrustedkey 1\ncontrolkey 1\n\
                    mru maxdepth 200000\n\
                    restrict 198.51.100.0 mask 255.255.255.0 nomrulist noquery\n\
                    restrict 198.51.101.0 mask 255.255.255.0 nomrulist nomodify\n";

/// A daemon, and one who asks it.
struct Lab {
    engine: Engine,
    now: Now,
    session: Session,
    reader: SocketAddr,
    /// Other threads' parts of the packet path.
    shards: Vec<Shard>,
}

impl Lab {
    fn new(text: &str) -> Self {
        let parsed = ntp_conf::parse("ntp.conf", text, |_| Err("no".to_owned()));
        let setup = Setup {
            keys: KeyTable::parse("1 M secret\n").0,
            ..Setup::new(parsed.config)
        };
        let now = Now {
            wall: Timestamp::from_unix(1_795_393_189, 0),
            monotonic: Monotonic::START,
        };
        let mut engine = Engine::new(setup, [9; 32], now);
        let interfaces = vec![InterfaceDescription {
            name: "net0".into(),
            address: "192.0.2.9:123".parse().unwrap(),
            broadcast: Some("192.0.2.255".parse().unwrap()),
            hears_broadcast: false,
            is_loopback: false,
            is_multicast: true,
            groups: 0,
        }];
        engine.handle(now, Input::Interfaces(interfaces));
        Self {
            engine,
            now,
            session: Session::new(1),
            reader: "203.0.113.5:40000".parse().unwrap(),
            shards: Vec::new(),
        }
    }

    fn wait(&mut self, elapsed: Elapsed) {
        self.now.monotonic += elapsed;
        self.now.wall += ntp_wire::Duration::from_seconds_f64(elapsed.as_secs_f64());
    }

    /// What is sent back to `remote`.
    fn datagram(&mut self, remote: SocketAddr, data: &[u8]) -> Vec<Vec<u8>> {
        let local: IpAddr = "192.0.2.9".parse().unwrap();
        let input = Input::Datagram {
            received: self.now.wall,
            local,
            remote,
            data,
        };
        self.engine.handle(self.now, input);
        let mut sent = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Send {
                    remote: to, data, ..
                } if to == remote => sent.push(data.to_vec()),
                // There are no names here but addresses.
                Output::Resolve {
                    association,
                    name,
                    port,
                    ..
                } => {
                    let found = |ip| Endpoint {
                        remote: SocketAddr::new(ip, port),
                        local,
                    };
                    let endpoints = name.parse().map(|ip| vec![found(ip)]);
                    let endpoints = endpoints.map_err(|_| format!("no host {name}"));
                    let input = Input::Resolved {
                        association,
                        endpoints,
                    };
                    self.engine.handle(self.now, input);
                }
                _ => {}
            }
        }
        sent
    }

    /// `None` if there is no answer.
    fn ask(
        &mut self,
        request: &Request,
        key: Option<&Credentials>,
    ) -> Option<Result<Response, QueryError>> {
        let datagram = self.session.ask(request, key, Monotonic::START).unwrap();
        let remote = self.reader;
        for answer in self.datagram(remote, &datagram) {
            match self.session.handle(&answer, Monotonic::START) {
                Progress::Waiting(_) => {}
                Progress::Done(response) => return Some(Ok(response)),
                Progress::Failed(error) => return Some(Err(error)),
            }
        }
        None
    }

    fn text(&mut self, request: &Request) -> String {
        let response = self.ask(request, None).unwrap().unwrap();
        String::from_utf8(response.data).unwrap()
    }

    fn client(&mut self, address: u32) {
        let remote = SocketAddr::new(std::net::Ipv4Addr::from_bits(address).into(), 4000);
        let mut packet = [0; 48];
        packet[0] = 0x23;
        if self.shards.is_empty() {
            assert_eq!(self.datagram(remote, &packet).len(), 1);
            return;
        }
        let place = address as usize % self.shards.len();
        let verdict = self.shard(place, remote, &packet);
        assert!(matches!(verdict, Verdict::Reply(reply) if reply.length == 48));
    }

    /// What one of the other threads says to a packet.
    fn shard(&self, place: usize, remote: SocketAddr, packet: &[u8]) -> Verdict {
        let arrival = Arrival {
            received: self.now.wall,
            now: self.now,
            local: "192.0.2.9".parse().unwrap(),
            remote,
        };
        let mut reply = [0; LONGEST_REPLY];
        self.shards[place]
            .take_turn()
            .respond(&arrival, packet, &mut reply)
    }

    fn nonce(&mut self) -> String {
        let text = self.text(&ClientList::nonce_request());
        text.trim().strip_prefix("nonce=").unwrap().to_owned()
    }

    fn clients(&mut self, wanted: &str) -> Option<Result<Response, QueryError>> {
        let request = Request {
            data: wanted.as_bytes().to_vec(),
            ..Request::new(Opcode::READ_MRU, AssociationId::SYSTEM)
        };
        self.ask(&request, None)
    }
}

fn key() -> Credentials {
    Credentials {
        id: KeyId::new(1),
        key: SymmetricKey::new(KeyAlgorithm::MD5, b"secret").unwrap(),
    }
}

fn refused(answer: Option<Result<Response, QueryError>>) -> ErrorCode {
    match answer {
        Some(Err(QueryError::Refused { code, .. })) => code,
        other => panic!("{other:?}"),
    }
}

fn ordered(name: &[u8]) -> Request {
    Request {
        data: name.to_vec(),
        ..Request::new(Opcode::READ_ORDERED_LIST, AssociationId::SYSTEM)
    }
}

/// Nothing long goes to an address that nobody has proven to be there.
#[test]
fn clients_are_told_to_who_can_be_reached() {
    let mut lab = Lab::new(CONF);
    lab.client(0x0a00_0001);
    assert_eq!(lab.clients("frags=32"), None);
    assert_eq!(
        lab.clients("nonce=00000000000000000000abcd, frags=32"),
        None
    );
    let nonce = lab.nonce();
    let good = format!("nonce={nonce}, frags=32");
    assert!(lab.clients(&good).unwrap().is_ok());
    // It is somebody else's.
    let reader = lab.reader;
    lab.reader = "203.0.113.6:40000".parse().unwrap();
    assert_eq!(lab.clients(&good), None);
    lab.reader = reader;
    lab.wait(Elapsed::from_secs(17));
    assert_eq!(lab.clients(&good), None);
    let nonce = lab.nonce();
    let code = refused(lab.clients(&format!("nonce={nonce}, frags=129")));
    assert_eq!(code, ErrorCode::BAD_VALUE);
}

#[test]
fn restrictions_hold() {
    let mut lab = Lab::new(CONF);
    lab.reader = "198.51.100.1:5000".parse().unwrap();
    let request = Request::read_variables(AssociationId::SYSTEM, "leap");
    assert_eq!(lab.ask(&request, None), None);
    lab.reader = "198.51.101.1:5000".parse().unwrap();
    assert!(lab.ask(&request, None).unwrap().is_ok());
    assert_eq!(refused(lab.clients("frags=1")), ErrorCode::PERMISSION);
    let answer = lab.ask(&ordered(b"ifstats"), Some(&key()));
    assert_eq!(refused(answer), ErrorCode::PERMISSION);
}

#[test]
fn lists_take_a_key() {
    let mut lab = Lab::new(CONF);
    let code = refused(lab.ask(&ordered(b"ifstats"), None));
    assert_eq!(code, ErrorCode::PERMISSION);
    let mut wrong = key();
    wrong.key = SymmetricKey::new(KeyAlgorithm::MD5, b"secrets").unwrap();
    let code = refused(lab.ask(&ordered(b"ifstats"), Some(&wrong)));
    assert_eq!(code, ErrorCode::PERMISSION);
    let code = refused(lab.ask(&ordered(b"other"), Some(&key())));
    assert_eq!(code, ErrorCode::UNKNOWN_VARIABLE);

    let answer = lab
        .ask(&ordered(b"ifstats"), Some(&key()))
        .unwrap()
        .unwrap();
    let text = String::from_utf8(answer.data).unwrap();
    assert!(text.contains("addr.0=192.0.2.9:123"), "{text}");
    // Three requests were refused, and this is the fourth.
    assert!(text.contains("rx.0=4, tx.0=3"), "{text}");

    let answer = lab.ask(&ordered(b"addr_restrictions"), Some(&key()));
    let text = String::from_utf8(answer.unwrap().unwrap().data).unwrap();
    let line = "flags.1=serve trust peer epeer noquery trap nomrulist";
    assert!(text.contains(line), "{text}");
    // The default, which has let all of these in.
    assert!(text.contains("hits.2=5"), "{text}");
}

#[test]
fn what_is_asked_for_by_name_comes_in_the_order_of_the_table() {
    let mut lab = Lab::new(CONF);
    let system = |names: &str| Request::read_variables(AssociationId::SYSTEM, names);
    assert_eq!(
        lab.text(&system("kppsstbexc,ss_received,leap,leap,host")),
        "leap=3, ss_received=1, kppsstbexc=0\r\n"
    );
    for name in ["nosuch", "leap,", "LEAP"] {
        let code = refused(lab.ask(&system(name), None));
        assert_eq!(code, ErrorCode::UNKNOWN_VARIABLE, "{name}");
    }
    // Every name on the lists is known.
    let list = lab.text(&system("sys_var_list"));
    let names = list
        .trim()
        .trim_start_matches("sys_var_list=")
        .trim_matches('"')
        .to_owned();
    assert!(names.split(',').count() > 100);
    for name in names.split(',') {
        lab.text(&system(name));
    }
    let associations = lab
        .ask(&Request::list_associations(), None)
        .unwrap()
        .unwrap();
    for association in ntp_control::associations::parse(&associations.data).unwrap() {
        let of = |names: &str| Request::read_variables(association.id, names);
        let list = lab.text(&of("peer_var_list"));
        let names = list
            .trim()
            .trim_start_matches("peer_var_list=")
            .trim_matches('"')
            .to_owned();
        assert!(names.split(',').count() > 50);
        for name in names.split(',') {
            lab.text(&of(name));
        }
    }
}

/// Whoever has not proven his address gets no more than a budget of datagrams; the list of clients
/// and this host itself are not bound by it.
#[test]
fn nobody_is_flooded_with_answers() {
    let mut lab = Lab::new(CONF);
    let nonce = lab.nonce();
    let request = Request::read_variables(AssociationId::SYSTEM, "");
    let asked = lab.session.ask(&request, None, Monotonic::START).unwrap();
    let flood = |lab: &mut Lab, from: &str| -> usize {
        let from: SocketAddr = from.parse().unwrap();
        (0..10_000).map(|_| lab.datagram(from, &asked).len()).sum()
    };
    // The last answer may have several, and the nonce was one.
    let most = 3990..4010;
    assert!(most.contains(&flood(&mut lab, "203.0.113.5:1000")));
    assert_eq!(flood(&mut lab, "203.0.113.5:2000"), 0);
    let wanted = format!("nonce={nonce}, frags=32");
    assert!(lab.clients(&wanted).unwrap().is_ok());
    assert!(most.contains(&flood(&mut lab, "203.0.113.6:1000")));
    assert!(flood(&mut lab, "127.0.0.1:1000") >= 10_000);
    lab.wait(Elapsed::from_secs(1));
    assert!((195..210).contains(&flood(&mut lab, "203.0.113.5:1000")));
}

/// A filter that hardly anybody passes makes the daemon look at everybody for each request.
#[test]
fn the_list_of_clients_is_not_searched_without_end() {
    const CLIENTS: u32 = 8192;
    let mut lab = Lab::new(CONF);
    for address in 0..CLIENTS {
        lab.client(0x0a00_0000 + address);
    }
    let searches = |lab: &mut Lab, wanted: &str| {
        let nonce = lab.nonce();
        let wanted = format!("nonce={nonce}, frags=1, {wanted}");
        (0..600).filter(|_| lab.clients(&wanted).is_some()).count()
    };
    assert_eq!(searches(&mut lab, "mincount=1"), 600);
    // Eight times 1024 clients each, for each of which there is a 4000th of the budget.
    assert_eq!(searches(&mut lab, "mincount=2"), 500);
    assert_eq!(searches(&mut lab, "mincount=1"), 0);
    lab.reader = "127.0.0.1:40000".parse().unwrap();
    assert_eq!(searches(&mut lab, "mincount=2"), 600);
}

/// Answers to a right MAC carry one of the same key; without it nobody is signed for.
#[test]
fn signed_requests_have_signed_answers() {
    let mut lab = Lab::new(CONF);
    let all = Request::read_variables(AssociationId::SYSTEM, "");
    let unknown = Request::read_variables(AssociationId::SYSTEM, "nosuch");
    let answer = lab.ask(&all, Some(&key())).unwrap().unwrap();
    assert!(answer.authentic);
    assert!(
        lab.ask(&ordered(b"ifstats"), Some(&key()))
            .unwrap()
            .unwrap()
            .authentic
    );
    assert!(!lab.ask(&all, None).unwrap().unwrap().authentic);
    let remote = lab.reader;
    let mut lengths = |key: Option<&Credentials>| {
        let asked = lab.session.ask(&unknown, key, Monotonic::START).unwrap();
        let sent = lab.datagram(remote, &asked);
        sent.iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(lengths(Some(&key())), [36]);
    assert_eq!(lengths(None), [12]);
    let mut wrong = key();
    wrong.key = SymmetricKey::new(KeyAlgorithm::MD5, b"secrets").unwrap();
    assert_eq!(lengths(Some(&wrong)), [12]);
}

/// Nobody is told of events by himself, whoever he is.
#[test]
fn traps_are_refused() {
    let mut lab = Lab::new(CONF);
    for opcode in [Opcode::SET_TRAP, Opcode::UNSET_TRAP] {
        let request = Request::new(opcode, AssociationId::SYSTEM);
        for key in [None, Some(&key())] {
            assert_eq!(refused(lab.ask(&request, key)), ErrorCode::PERMISSION);
        }
    }
}
