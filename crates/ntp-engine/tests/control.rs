//! Control messages as a stranger, a reader and an operator send them.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

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

/// As ntpq reads it, a piece at a time, while some of them go on asking.
#[test]
fn a_hundred_thousand_clients_are_read() {
    read_clients(Lab::new(CONF), 100_000);
}

#[test]
fn clients_of_all_threads_are_read() {
    let mut lab = Lab::new(CONF);
    for number in 0..100 {
        lab.client(0x0a00_0000 | number);
    }
    lab.shards = lab.engine.share(3);
    read_clients(lab, 20_000);
}

fn read_clients(mut lab: Lab, count: u32) {
    for number in 0..count {
        lab.client(0x0a00_0000 | number);
    }
    lab.wait(Elapsed::from_secs(3));
    let mut list = ClientList::new("mincount=1");
    let nonce = lab
        .ask(&ClientList::nonce_request(), None)
        .unwrap()
        .unwrap();
    list.take_nonce(&nonce).unwrap();
    for requests in 0_u32.. {
        assert!(requests < 5000);
        match lab.ask(&list.request(), None).unwrap() {
            Ok(response) => {
                if list.take(&response).unwrap() {
                    break;
                }
            }
            Err(error) => {
                assert_eq!(refused(Some(Err(error))), ErrorCode::UNKNOWN_VARIABLE);
                list.go_back();
                let nonce = lab
                    .ask(&ClientList::nonce_request(), None)
                    .unwrap()
                    .unwrap();
                list.take_nonce(&nonce).unwrap();
            }
        }
        if requests % 100 == 0 {
            let newest = list.newest().next().unwrap().address;
            let IpAddr::V4(newest) = newest else {
                unreachable!();
            };
            lab.client(newest.to_bits());
            lab.client(0x0a00_0000 | requests);
        }
        lab.wait(Elapsed::from_millis(1));
    }
    assert_eq!(list.len(), count as usize);
    assert!(list.updates() > 0);
    let view = ntp_control::View::new(lab.now.wall);
    let table = list.table(ClientOrder::Count, true, &view);
    let first = table.lines().nth(2).unwrap();
    assert!(first.contains(" 2  4000 10."), "{first}");
}

#[test]
fn other_threads_count_with_the_rest() {
    let mut lab = Lab::new(CONF);
    lab.client(0x0a00_0001);
    lab.shards = lab.engine.share(2);
    for number in 2..8 {
        lab.client(0x0a00_0000 | number);
    }
    assert_eq!(lab.shard(1, "10.0.0.7:0".parse().unwrap(), &[0x23; 48]), {
        Verdict::Drop(ntp_engine::DropReason::BadFormat)
    });
    lab.shards[1]
        .take_turn()
        .note_not_sent("192.0.2.9".parse().unwrap());
    let system = Request::read_variables(
        AssociationId::SYSTEM,
        "ss_received,ss_processed,ss_badformat,io_received,io_sent,io_sendfailed,mru_depth",
    );
    // The question and those who asked the time, one of whom got no answer.
    assert_eq!(
        lab.text(&system),
        "mru_depth=7, ss_received=9, ss_badformat=1, ss_processed=7,\r\nio_received=9, \
         io_sent=6, io_sendfailed=1\r\n"
    );
    let answer = lab.ask(&ordered(b"ifstats"), Some(&key()));
    let text = String::from_utf8(answer.unwrap().unwrap().data).unwrap();
    assert!(text.contains("rx.0=10, tx.0=7"), "{text}");
    let answer = lab.ask(&ordered(b"addr_restrictions"), Some(&key()));
    let text = String::from_utf8(answer.unwrap().unwrap().data).unwrap();
    assert!(text.contains("hits.2=11"), "{text}");
}

/// All of them together keep no more clients than one would.
#[test]
fn the_bounds_are_for_all_threads_together() {
    let mut lab = Lab::new(&format!("{CONF}mru maxdepth 90 mindepth 90\n"));
    for number in 0..100 {
        lab.client(0x0a00_0000 | number);
    }
    lab.shards = lab.engine.share(2);
    for number in 0..1000 {
        lab.client(0x0b00_0000 | number);
    }
    let monitor = Request::read_variables(AssociationId::SYSTEM, "mru_depth,mru_maxdepth");
    assert_eq!(lab.text(&monitor), "mru_depth=90, mru_maxdepth=90\r\n");
}

/// `disable monitor` forgets who asks, unless a limit depends on it.
#[test]
fn nobody_is_remembered_where_nobody_wants_it() {
    let monitor = Request::read_variables(AssociationId::SYSTEM, "mru_enabled,mru_depth");
    for (text, expected) in [
        ("", "mru_enabled=0x1, mru_depth=2\r\n"),
        ("disable monitor\n", "mru_enabled=0x0, mru_depth=0\r\n"),
        (
            "disable monitor\nrestrict 192.0.2.77 limited\n",
            "mru_enabled=0x2, mru_depth=2\r\n",
        ),
    ] {
        let mut lab = Lab::new(&format!("{CONF}{text}"));
        lab.client(0x0a00_0001);
        lab.client(0x0a00_0002);
        assert_eq!(lab.text(&monitor), expected, "{text}");
        let nonce = lab.nonce();
        let list = lab.clients(&format!("nonce={nonce}, frags=32"));
        let list = String::from_utf8(list.unwrap().unwrap().data).unwrap();
        assert!(list.contains("now="), "{list}");
        assert_eq!(
            list.contains("addr.0="),
            !expected.contains("depth=0"),
            "{list}"
        );
    }
}

/// What the engine publishes is what the other threads answer from.
#[test]
fn other_threads_follow_the_configuration() {
    let mut lab = Lab::new(CONF);
    lab.shards = lab.engine.share(1);
    lab.client(0x0a00_0001);
    lab.signed(Opcode::CONFIGURE, "restrict 10.0.0.0 mask 255.0.0.0 ignore");
    let verdict = lab.shard(0, "10.0.0.1:4000".parse().unwrap(), &[0x23; 48]);
    assert_eq!(verdict, Verdict::Drop(ntp_engine::DropReason::Restricted));
}

/// A request that takes the engine is answered by it though another thread has seen it first.
#[test]
fn what_another_thread_leaves_to_the_engine_is_answered() {
    let mut lab = Lab::new(CONF);
    lab.shards = lab.engine.share(1);
    let question = lab
        .session
        .ask(
            &Request::read_variables(AssociationId::SYSTEM, "leap"),
            None,
            Monotonic::START,
        )
        .unwrap();
    let Verdict::Engine(flags) = lab.shard(0, lab.reader, &question) else {
        panic!("it is no plain request");
    };
    let input = Input::Screened {
        received: lab.now.wall,
        local: "192.0.2.9".parse().unwrap(),
        remote: lab.reader,
        flags,
        data: &question,
    };
    lab.engine.handle(lab.now, input);
    let sent = std::iter::from_fn(|| lab.engine.poll())
        .filter(|output| matches!(output, Output::Send { .. }))
        .count();
    assert_eq!(sent, 1);
}

impl Lab {
    fn signed(&mut self, opcode: Opcode, data: &str) -> String {
        let request = Request {
            data: data.as_bytes().to_vec(),
            ..Request::new(opcode, AssociationId::SYSTEM)
        };
        let answer = self.ask(&request, Some(&key())).unwrap().unwrap();
        String::from_utf8(answer.data).unwrap().trim().to_owned()
    }

    fn configure(&mut self, line: &str) -> String {
        self.signed(Opcode::CONFIGURE, line)
    }

    /// The number of the first source, which is the local clock.
    fn clock(&mut self) -> AssociationId {
        let answer = self.ask(&Request::list_associations(), None);
        let list = ntp_control::associations::parse(&answer.unwrap().unwrap().data).unwrap();
        list[0].id
    }

    /// The addresses of all sources.
    fn sources(&mut self) -> Vec<String> {
        let answer = self.ask(&Request::list_associations(), None);
        let list = ntp_control::associations::parse(&answer.unwrap().unwrap().data).unwrap();
        let ids = list.iter().map(|one| one.id);
        ids.map(|id| self.text(&Request::read_variables(id, "srcadr")))
            .map(|text| text.trim().trim_start_matches("srcadr=").to_owned())
            .collect()
    }
}

#[test]
fn sources_come_and_go_by_configuration() {
    let mut lab = Lab::new(CONF);
    assert_eq!(lab.configure("server 192.0.2.7 iburst"), "Config Succeeded");
    assert_eq!(lab.configure("server 192.0.2.7"), "Config Succeeded");
    let all = ["127.127.1.0", "192.0.2.1", "192.0.2.7"];
    assert_eq!(lab.sources(), all);
    assert_eq!(lab.configure("unpeer 192.0.2.1"), "Config Succeeded");
    assert_eq!(lab.configure("unpeer 127.127.1.0"), "Config Succeeded");
    assert_eq!(lab.configure("unpeer 192.0.2.99"), "Config Succeeded");
    assert_eq!(lab.sources(), ["192.0.2.7"]);
    assert_eq!(lab.configure("server 127.127.1.0"), "Config Succeeded");
    assert_eq!(lab.sources(), ["192.0.2.7", "127.127.1.0"]);
    // Without the key nothing happens.
    let request = Request {
        data: b"server 192.0.2.8".to_vec(),
        ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
    };
    assert_eq!(refused(lab.ask(&request, None)), ErrorCode::PERMISSION);
    assert_eq!(lab.sources().len(), 2);
}

#[test]
fn what_cannot_be_changed_is_said_with_its_column() {
    let mut lab = Lab::new(CONF);
    for (line, answer) in [
        ("bogus", "column 0 syntax error, "),
        (
            "restrict 10.9.9.9 bogus",
            "column 18 syntax error, `bogus` is no flag",
        ),
        ("logfile x", "column 8 logfile remote config ignored"),
        ("includefile x", "column 12 syntax error, "),
        ("restrict a.example noquery", "column 9 names are looked up"),
        ("disable kernel", "column 0 kernel remote config ignored"),
        ("server \u{1b}[2J", "runtime configuration failed: "),
    ] {
        let said = lab.configure(line);
        assert!(said.starts_with(answer), "{line}: {said}");
    }
    assert_eq!(lab.sources().len(), 2);
}

#[test]
fn bounds_keys_and_clocks_change_by_configuration() {
    let mut lab = Lab::new(CONF);
    lab.shards = lab.engine.share(1);
    let limits = Request::read_variables(AssociationId::SYSTEM, "mru_enabled,mru_maxdepth");
    assert_eq!(lab.configure("mru maxdepth 100"), "Config Succeeded");
    assert_eq!(lab.configure("disable monitor"), "Config Succeeded");
    assert_eq!(lab.text(&limits), "mru_enabled=0x0, mru_maxdepth=100\r\n");

    // Where requests may follow each other at once, none is too fast.
    let line = "restrict 10.0.0.0 mask 255.0.0.0 limited";
    assert_eq!(lab.configure(line), "Config Succeeded");
    let client = "10.0.0.1:4000".parse().unwrap();
    let packet = [[0x23].as_slice(), &[0; 47]].concat();
    let ask = |lab: &mut Lab| {
        let one = lab.shard(0, client, &packet);
        let (verdict, sent) = (one, lab.datagram(client, &packet).len());
        (matches!(verdict, Verdict::Reply { .. }), sent)
    };
    assert_eq!(ask(&mut lab), (true, 1));
    assert_eq!(ask(&mut lab), (false, 0));
    let line = "discard average 1 minimum 0";
    assert_eq!(lab.configure(line), "Config Succeeded");
    lab.wait(Elapsed::from_secs(100));
    assert_eq!(ask(&mut lab), (true, 1));
    assert_eq!(ask(&mut lab), (true, 1));

    let clock = lab.clock();
    let line = "fudge 127.127.1.0 time1 0.5 refid GPS";
    assert_eq!(lab.configure(line), "Config Succeeded");
    let shown = Request {
        data: b"fudgetime1,refid".to_vec(),
        ..Request::new(Opcode::READ_CLOCK_VARIABLES, clock)
    };
    assert_eq!(lab.text(&shown), "fudgetime1=500.000, refid=GPS\r\n");

    assert_eq!(lab.configure("tos minclock 5"), "Config Succeeded");
    // The last thing that it does with this key.
    assert_eq!(lab.configure("controlkey 2"), "Config Succeeded");
    let request = Request {
        data: b"controlkey 1".to_vec(),
        ..Request::new(Opcode::CONFIGURE, AssociationId::SYSTEM)
    };
    let code = refused(lab.ask(&request, Some(&key())));
    assert_eq!(code, ErrorCode::PERMISSION);
}

#[test]
fn restrictions_come_by_configuration() {
    let mut lab = Lab::new(CONF);
    let request = Request::read_variables(AssociationId::SYSTEM, "leap");
    assert!(lab.ask(&request, None).is_some());
    let line = "restrict 203.0.113.0 mask 255.255.255.0 noquery";
    assert_eq!(lab.configure(line), "Config Succeeded");
    assert_eq!(lab.ask(&request, None), None);
}

#[test]
fn a_clock_that_is_there_stays_as_it_is() {
    let mut lab = Lab::new(&format!("{CONF}saveconfigdir x\n"));
    let said = lab.configure("fudge 127.127.1.0 stratum 3");
    assert_eq!(said, "Config Succeeded");
    assert_eq!(lab.configure("server 127.127.1.0"), "Config Succeeded");
    let request = Request {
        data: b"x.conf".to_vec(),
        ..Request::new(Opcode::SAVE_CONFIGURATION, AssociationId::SYSTEM)
    };
    let asked = lab.session.ask(&request, Some(&key()), Monotonic::START);
    let input = Input::Datagram {
        received: lab.now.wall,
        local: "192.0.2.9".parse().unwrap(),
        remote: lab.reader,
        data: &asked.unwrap(),
    };
    lab.engine.handle(lab.now, input);
    let saved = std::iter::from_fn(|| lab.engine.poll()).find_map(|output| match output {
        Output::SaveConfiguration(request) => Some(request.text),
        _ => None,
    });
    let saved = saved.unwrap();
    assert!(saved.contains("fudge 127.127.1.0 stratum 3"), "{saved}");
}

#[test]
fn variables_of_the_operator_are_read() {
    let mut lab = Lab::new(&format!(
        "{CONF}setvar site = roof default\nsetvar floor = 3\n"
    ));
    let all = lab.text(&Request::read_variables(AssociationId::SYSTEM, ""));
    assert!(all.ends_with("site=roof\r\n"), "{all}");
    assert!(!all.contains("floor"), "{all}");
    let floor = Request::read_variables(AssociationId::SYSTEM, "floor");
    assert_eq!(lab.text(&floor), "floor=3\r\n");
    assert_eq!(lab.configure("setvar floor = 4"), "Config Succeeded");
    assert_eq!(lab.text(&floor), "floor=4\r\n");
    let write = Request {
        data: b"floor=5".to_vec(),
        ..Request::new(Opcode::WRITE_VARIABLES, AssociationId::SYSTEM)
    };
    let code = refused(lab.ask(&write, Some(&key())));
    assert_eq!(code, ErrorCode::PERMISSION);
}

#[test]
fn configurations_are_saved_where_the_operator_wants_them() {
    let mut lab = Lab::new(CONF);
    assert_eq!(
        lab.signed(Opcode::SAVE_CONFIGURATION, "x.conf"),
        "saveconfig prohibited, no saveconfigdir configured"
    );
    let mut lab = Lab::new(&format!("{CONF}saveconfigdir /var/saved\n"));
    for name in ["../x", "a/b", "", ".hidden", "a b"] {
        let said = lab.signed(Opcode::SAVE_CONFIGURATION, name);
        assert_eq!(
            said,
            format!("saveconfig rejects unsafe file name '{name}'")
        );
    }
    lab.configure("server 192.0.2.7");
    lab.configure("unpeer 192.0.2.1");
    let request = Request {
        data: b"x.conf".to_vec(),
        ..Request::new(Opcode::SAVE_CONFIGURATION, AssociationId::SYSTEM)
    };
    for (result, told) in [
        (Ok(()), "Configuration saved to 'x.conf'"),
        (Err("full".to_owned()), "'x.conf': full"),
    ] {
        let asked = lab.session.ask(&request, Some(&key()), Monotonic::START);
        let bytes = asked.unwrap();
        let reader = lab.reader;
        lab.engine.handle(
            lab.now,
            Input::Datagram {
                received: lab.now.wall,
                local: "192.0.2.9".parse().unwrap(),
                remote: reader,
                data: &bytes,
            },
        );
        let mut saves = Vec::new();
        while let Some(output) = lab.engine.poll() {
            if let Output::SaveConfiguration(request) = output {
                saves.push(request);
            }
        }
        let request = saves.pop().unwrap();
        assert_eq!(request.path.to_str(), Some("/var/saved/x.conf"));
        // It reads back as what is in force.
        let parsed = ntp_conf::parse("saved", &request.text, |_| Err("no".to_owned()));
        assert!(!parsed.has_errors(), "{}", parsed.render());
        let servers: Vec<String> = parsed
            .config
            .associations
            .iter()
            .map(|one| one.address.to_string())
            .collect();
        assert_eq!(servers, ["192.0.2.7"]);
        lab.engine
            .handle(lab.now, Input::ConfigurationSaved { request, result });
        let sent = std::iter::from_fn(|| lab.engine.poll()).find_map(|output| match output {
            Output::Send { remote, data, .. } if remote == reader => Some(data),
            _ => None,
        });
        let text = String::from_utf8_lossy(&sent.unwrap()[12..]).into_owned();
        assert!(text.contains(told), "{text}");
    }
}

/// Words that lines are made of, right and wrong.
const WORDS: [&str; 24] = [
    "server",
    "peer",
    "pool",
    "unpeer",
    "restrict",
    "enable",
    "disable",
    "setvar",
    "tos",
    "127.127.1.0",
    "192.0.2.1",
    "192.0.2.2",
    "fd00::1",
    "default",
    "source",
    "mask",
    "255.255.255.0",
    "key",
    "1",
    "autokey",
    "iburst",
    "auth",
    "a=b",
    "\"",
];

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(150))]

    /// Whatever the operator says, the daemon goes on, and what it saves reads back.
    #[test]
    fn no_lines_of_configuration_end_the_daemon(
        lines in proptest::collection::vec(proptest::collection::vec(0..WORDS.len(), 1..6), 1..12),
    ) {
        let mut lab = Lab::new(&format!("{CONF}saveconfigdir x\n"));
        for line in lines {
            let words: Vec<&str> = line.iter().map(|word| WORDS[*word]).collect();
            let line = words.join(" ");
            let said = lab.configure(&line);
            let known = ["Config Succeeded", "column "];
            assert!(known.iter().any(|known| said.starts_with(known)), "{line}: {said}");
            lab.wait(Elapsed::from_secs(3));
            lab.engine.handle_deadline(lab.now);
        }
        let ids = lab.sources();
        assert!(ids.len() < 20);
    }
}
