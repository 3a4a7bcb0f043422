//! Private messages as a stranger, a reader and an operator send them.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration as Elapsed,
};

use ntp_control::{
    Credentials, Request, Session, View,
    private::{
        Inquiry, PrivateProgress, PrivateQueryError, PrivateRequest, PrivateResponse,
        PrivateSession, Signature,
    },
};
use ntp_discipline::Now;
use ntp_engine::{Engine, Input, Output, Setup};
use ntp_keys::{KeyAlgorithm, KeyTable, SymmetricKey};
use ntp_wire::{
    AssociationId, Duration, KeyId, Monotonic, Timestamp,
    control::Opcode,
    private::{
        AddressRecord, FlagsRecord, PeerChange, PrivateHeader, RequestCode, ResponseCode,
        RestrictionChange, RestrictionRecord,
    },
};
use proptest::prelude::*;

const CONF: &str = "server 127.127.1.0 prefer minpoll 3 maxpoll 3\nserver 192.0.2.1\n\
                    peer 2001:db8::1\nenable mode7\ntrustedkey 1 2\nrequestkey 1\n\
                    restrict 198.51.100.0 mask 255.255.255.0 noquery\n\
                    restrict 198.51.101.0 mask 255.255.255.0 nomodify\n";

/// A daemon, and one who asks it.
struct Lab {
    engine: Engine,
    now: Now,
    reader: SocketAddr,
}

impl Lab {
    fn new(text: &str) -> Self {
        let parsed = ntp_conf::parse("ntp.conf", text, |_| Err("no".to_owned()));
        let setup = Setup {
            keys: KeyTable::parse("1 M secret\n2 SHA1 other\n").0,
            ..Setup::new(parsed.config)
        };
        let now = Now {
            wall: Timestamp::from_unix(1_795_393_189, 0),
            monotonic: Monotonic::START,
        };
        let mut lab = Self {
            engine: Engine::new(setup, [9; 32], now),
            now,
            reader: "203.0.113.5:40000".parse().unwrap(),
        };
        for _ in 0..10 {
            lab.now.monotonic += Elapsed::from_secs(1);
            lab.now.wall += Duration::from_seconds(1);
            lab.engine.handle_deadline(lab.now);
            while lab.engine.poll().is_some() {}
        }
        lab
    }

    /// What is sent back to who asks.
    fn datagram(&mut self, data: &[u8]) -> Vec<Vec<u8>> {
        let local: IpAddr = "192.0.2.9".parse().unwrap();
        let input = Input::Datagram {
            received: self.now.wall,
            local,
            remote: self.reader,
            data,
        };
        self.engine.handle(self.now, input);
        let mut sent = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Send { remote, data, .. } if remote == self.reader => {
                    sent.push(data.to_vec());
                }
                _ => {}
            }
        }
        sent
    }

    fn ask_with(
        &mut self,
        request: &PrivateRequest,
        signature: Option<Signature<'_>>,
    ) -> Option<Result<PrivateResponse, PrivateQueryError>> {
        let mut session = PrivateSession::default();
        let question = session.ask(request, signature, self.now.monotonic).unwrap();
        for answer in self.datagram(&question) {
            match session.handle(&answer, self.now.monotonic) {
                PrivateProgress::Waiting => {}
                PrivateProgress::Done(response) => return Some(Ok(response)),
                PrivateProgress::Failed(error) => return Some(Err(error)),
            }
        }
        None
    }

    fn ask(&mut self, request: &PrivateRequest) -> Result<PrivateResponse, ResponseCode> {
        refusal(self.ask_with(request, None).expect("an answer"))
    }

    /// With the key of requests, at a time that is `late`.
    fn change_late(
        &mut self,
        request: &PrivateRequest,
        key: &Credentials,
        late: i32,
    ) -> Result<PrivateResponse, ResponseCode> {
        let signature = Signature {
            credentials: key,
            time: self.now.wall + Duration::from_seconds(late),
        };
        let answer = self.ask_with(request, Some(signature));
        refusal(answer.expect("an answer"))
    }

    fn change(&mut self, request: &PrivateRequest) -> Result<PrivateResponse, ResponseCode> {
        self.change_late(request, &key(1, KeyAlgorithm::MD5, "secret"), 0)
    }

    /// What `saveconfig` writes.
    fn saved(&mut self) -> String {
        let request = Request {
            data: b"x.conf".to_vec(),
            ..Request::new(Opcode::SAVE_CONFIGURATION, AssociationId::SYSTEM)
        };
        let key = key(1, KeyAlgorithm::MD5, "secret");
        let asked = Session::new(1).ask(&request, Some(&key), self.now.monotonic);
        let input = Input::Datagram {
            received: self.now.wall,
            local: "192.0.2.9".parse().unwrap(),
            remote: self.reader,
            data: &asked.unwrap(),
        };
        self.engine.handle(self.now, input);
        std::iter::from_fn(|| self.engine.poll())
            .find_map(|output| match output {
                Output::SaveConfiguration(request) => Some(request.text),
                _ => None,
            })
            .expect("it is saved")
    }

    fn text(&mut self, inquiry: &Inquiry) -> String {
        let response = self.ask(&inquiry.request()).unwrap();
        inquiry.text(&response, &View::new(self.now.wall)).unwrap()
    }
}

fn refusal<T>(answer: Result<T, PrivateQueryError>) -> Result<T, ResponseCode> {
    answer.map_err(|error| match error {
        PrivateQueryError::Refused(code) => code,
        error => panic!("{error}"),
    })
}

fn key(id: u32, algorithm: KeyAlgorithm, secret: &str) -> Credentials {
    Credentials {
        id: KeyId::new(id),
        key: SymmetricKey::new(algorithm, secret.as_bytes()).unwrap(),
    }
}

fn address(address: &str) -> [u8; 24] {
    let mut record = AddressRecord::default();
    record.set_remote(address.parse().unwrap());
    record.to_bytes()
}

#[test]
fn nothing_is_answered_unless_it_is_enabled_and_allowed() {
    let request = Inquiry::System.request();
    let mut lab = Lab::new(&CONF.replace("enable mode7\n", ""));
    assert_eq!(lab.ask_with(&request, None), None);
    let mut lab = Lab::new(CONF);
    assert!(lab.ask(&request).is_ok());
    lab.reader = "198.51.100.1:40000".parse().unwrap();
    assert_eq!(lab.ask_with(&request, None), None);
}

#[test]
fn sources_are_told_the_newest_first() {
    let mut lab = Lab::new(CONF);
    assert_eq!(
        lab.text(&Inquiry::Sources(None)),
        "sym_active   2001:db8::1\nclient       192.0.2.1\nclient       127.127.1.0\n"
    );
    let peers = lab.text(&Inquiry::Peers(None));
    assert!(
        peers.contains("\n*127.127.1.0     127.0.0.1        5    8    3 0.00000 +0.000000 "),
        "{peers}"
    );
    let asked = vec!["192.0.2.1".parse().unwrap(), "127.127.1.0".parse().unwrap()];
    let all = lab.text(&Inquiry::Peer(asked, 123));
    assert!(all.starts_with("remote 192.0.2.1, local "), "{all}");
    assert!(
        all.contains("flags system_peer, config, refclock, prefer, shortlist\n"),
        "{all}"
    );
    let nobody = Inquiry::Peer(vec!["192.0.2.77".parse().unwrap()], 123);
    assert_eq!(lab.ask(&nobody.request()), Err(ResponseCode::NO_DATA));
}

#[test]
fn lists_of_clients_are_never_told() {
    let mut lab = Lab::new(CONF);
    for code in [RequestCode::MONITOR_LIST, RequestCode::OLD_MONITOR_LIST] {
        let answer = lab.ask(&PrivateRequest::new(code));
        assert_eq!(answer, Err(ResponseCode::NO_DATA));
    }
}

#[test]
fn strange_requests_are_refused_as_the_reference_does() {
    let mut lab = Lab::new(CONF);
    let mut code = |request: u8, implementation: u8, length: usize| {
        let header = PrivateHeader {
            implementation,
            ..PrivateHeader::request(RequestCode(request))
        };
        let mut question = header.to_bytes().to_vec();
        question.resize(length, 0);
        let answers = lab.datagram(&question);
        assert!(answers.len() == 1 && answers[0].len() <= length.max(8));
        PrivateHeader::parse(&answers[0]).unwrap().error
    };
    assert_eq!(code(1, 9, 192), ResponseCode::IMPLEMENTATION);
    assert_eq!(code(1, 0, 192), ResponseCode::REQUEST);
    assert_eq!(code(77, 3, 192), ResponseCode::REQUEST);
    // There is an item to be named.
    assert_eq!(code(2, 3, 192), ResponseCode::FORMAT);
    // A short question does not get a long answer.
    assert_eq!(code(1, 3, 183), ResponseCode::FORMAT);
    // So long are collectd's.
    assert_eq!(code(38, 3, 184), ResponseCode::OKAY);
    assert_eq!(code(1, 3, 8), ResponseCode::FORMAT);
}

#[test]
fn an_answer_to_a_stranger_has_sixteen_packets_at_most() {
    let servers: String = (1..=200)
        .map(|number| format!("server 192.0.2.{number}\n"))
        .collect();
    let mut lab = Lab::new(&format!("enable mode7\n{servers}"));
    let question = PrivateSession::default()
        .ask(&Inquiry::Peers(None).request(), None, lab.now.monotonic)
        .unwrap();
    let answers = lab.datagram(&question);
    assert_eq!(answers.len(), 16);
    let headers: Vec<_> = answers
        .iter()
        .map(|answer| PrivateHeader::parse(answer).unwrap())
        .collect();
    assert!(headers.iter().zip(0..).all(|(header, number)| {
        header.sequence == number && header.more == (number < 15) && header.items == 6
    }));
}

/// His address may be forged, and what is sent there unwanted.
#[test]
fn nobody_is_flooded_with_answers() {
    let servers: String = (1..=100)
        .map(|number| format!("server 192.0.2.{number}\n"))
        .collect();
    let mut lab = Lab::new(&format!("enable mode7\n{servers}"));
    let question = PrivateSession::default()
        .ask(&Inquiry::Peers(None).request(), None, lab.now.monotonic)
        .unwrap();
    let flood = |lab: &mut Lab, from: &str| -> usize {
        lab.reader = from.parse().unwrap();
        (0..1000).map(|_| lab.datagram(&question).len()).sum()
    };
    assert!((4000..4016).contains(&flood(&mut lab, "203.0.113.5:1000")));
    assert_eq!(flood(&mut lab, "203.0.113.5:2000"), 0);
    assert!(flood(&mut lab, "203.0.113.6:1000") >= 4000);
    assert_eq!(flood(&mut lab, "127.0.0.1:1000"), 16_000);
}

#[test]
fn only_a_fresh_request_with_the_right_key_changes_anything() {
    let mut lab = Lab::new(CONF);
    let request = PrivateRequest::with_items(RequestCode::UNCONFIGURE, [address("192.0.2.1")]);
    let refused = Err(ResponseCode::AUTHENTICATION);
    assert_eq!(
        lab.ask(&request).map(drop),
        Err(ResponseCode::AUTHENTICATION)
    );
    let right = key(1, KeyAlgorithm::MD5, "secret");
    let wrong = key(1, KeyAlgorithm::MD5, "guess");
    let other = key(2, KeyAlgorithm::SHA1, "other");
    assert_eq!(lab.change_late(&request, &wrong, 0), refused);
    assert_eq!(lab.change_late(&request, &other, 0), refused);
    assert_eq!(lab.change_late(&request, &right, -11), refused);
    assert_eq!(lab.change_late(&request, &right, 11), refused);
    lab.reader = "198.51.101.1:40000".parse().unwrap();
    assert_eq!(lab.change_late(&request, &right, 0), refused);
    lab.reader = "203.0.113.5:40000".parse().unwrap();
    assert!(lab.text(&Inquiry::Sources(None)).contains("192.0.2.1"));
    assert!(lab.change_late(&request, &right, -9).is_ok());
    assert!(!lab.text(&Inquiry::Sources(None)).contains("192.0.2.1"));
    // It is gone, so nothing of this is carried out.
    let more = [address("2001:db8::1"), address("192.0.2.1")];
    let request = PrivateRequest::with_items(RequestCode::UNCONFIGURE, more);
    assert_eq!(lab.change(&request), Err(ResponseCode::NO_DATA));
    assert!(lab.text(&Inquiry::Sources(None)).contains("2001:db8::1"));
}

#[test]
fn a_copy_of_a_request_is_refused() {
    let mut lab = Lab::new(CONF);
    let record = FlagsRecord { flags: 0x04 };
    let request = PrivateRequest::with_items(RequestCode::RESET_STATISTICS, [record.to_bytes()]);
    assert!(lab.change(&request).is_ok());
    // At the same moment it is the same request.
    assert_eq!(lab.change(&request), Err(ResponseCode::AUTHENTICATION));
    lab.now.monotonic += Elapsed::from_secs(1);
    lab.now.wall += Duration::from_seconds(1);
    assert!(lab.change(&request).is_ok());
}

#[test]
fn a_longer_mac_follows_the_data_at_once() {
    let mut lab = Lab::new(&CONF.replace("requestkey 1", "requestkey 2"));
    let request = PrivateRequest::with_items(RequestCode::UNCONFIGURE, [address("192.0.2.1")]);
    let other = key(2, KeyAlgorithm::SHA1, "other");
    assert!(lab.change_late(&request, &other, 0).is_ok());
}

#[test]
fn sources_come_with_what_the_request_says() {
    let mut lab = Lab::new(CONF);
    let mut change = PeerChange::default();
    change.set_remote("192.0.2.8".parse().unwrap());
    change.host_mode = 3;
    change.version = 3;
    (change.minimum_poll, change.maximum_poll) = (4, 6);
    change.flags = PeerChange::PREFER | PeerChange::INITIAL_BURST;
    let request = PrivateRequest::with_items(RequestCode::CONFIGURE, [change.to_bytes()]);
    assert!(lab.change(&request).is_ok());
    let asked = vec!["192.0.2.8".parse().unwrap()];
    let all = lab.text(&Inquiry::Peer(asked, 123));
    assert!(all.contains("hpoll 4, keyid 0, version 3"), "{all}");
    assert!(all.contains("flags config, prefer\n"), "{all}");
    change.host_mode = 6;
    let request = PrivateRequest::with_items(RequestCode::CONFIGURE, [change.to_bytes()]);
    assert_eq!(lab.change(&request), Err(ResponseCode::FORMAT));
}

#[test]
fn restrictions_are_added_taken_back_and_removed() {
    let mut lab = Lab::new(CONF);
    let mut change = RestrictionChange::default();
    change.set_address("10.1.0.0".parse().unwrap());
    change.set_mask("255.255.0.0".parse().unwrap());
    change.flags = 0x0902;
    let send = |lab: &mut Lab, code, change: &RestrictionChange| {
        lab.change(&PrivateRequest::with_items(code, [change.to_bytes()]))
            .unwrap();
        lab.text(&Inquiry::Restrictions(None))
    };
    let row = |flags: &str| format!("10.1.0.0        255.255.0.0             0  {flags}\n");
    let text = send(&mut lab, RequestCode::RESTRICT, &change);
    assert!(text.contains(&row("noserve, nomodify, kod")), "{text}");
    change.match_flags = RestrictionRecord::NTP_PORT;
    let text = send(&mut lab, RequestCode::RESTRICT, &change);
    assert!(
        text.contains(&row("ntpport, noserve, nomodify, kod")),
        "{text}"
    );
    change.match_flags = 0;
    change.flags = 0x0002;
    let text = send(&mut lab, RequestCode::UNRESTRICT, &change);
    assert!(text.contains(&row("nomodify, kod")), "{text}");
    let text = send(&mut lab, RequestCode::REMOVE_RESTRICTION, &change);
    assert!(!text.contains(&row("nomodify, kod")), "{text}");
    assert!(text.contains("ntpport, noserve"), "{text}");
}

/// What is saved is what is in force.
#[test]
fn default_restrictions_stay_and_are_saved_as_they_are() {
    let more = "controlkey 1\nsaveconfigdir /c\nrestrict default noquery nomodify kod\n\
                restrict 203.0.113.0 mask 255.255.255.0\n";
    let mut lab = Lab::new(&format!("{CONF}{more}"));
    let mut change = RestrictionChange::default();
    change.set_address("0.0.0.0".parse().unwrap());
    change.set_mask("0.0.0.0".parse().unwrap());
    let request = PrivateRequest::with_items(RequestCode::REMOVE_RESTRICTION, [change.to_bytes()]);
    lab.change(&request).unwrap();
    let saved = lab.saved();
    let line = "restrict default noquery nomodify kod\n";
    assert!(saved.contains(line), "{saved}");
    change.flags = 0x0080;
    let request = PrivateRequest::with_items(RequestCode::UNRESTRICT, [change.to_bytes()]);
    lab.change(&request).unwrap();
    let text = lab.text(&Inquiry::Restrictions(None));
    let row = "0.0.0.0         0.0.0.0                 0  nomodify, kod\n";
    assert!(text.contains(row), "{text}");
    let saved = lab.saved();
    for line in [
        "restrict -4 default nomodify kod\n",
        "restrict -6 default noquery nomodify kod\n",
    ] {
        assert!(saved.contains(line), "{saved}");
    }
}

#[test]
fn switches_and_keys_are_changed() {
    let mut lab = Lab::new(CONF);
    let flags = |code, flags| PrivateRequest::with_items(code, [FlagsRecord { flags }.to_bytes()]);
    assert!(lab.change(&flags(RequestCode::CLEAR_FLAGS, 0x30)).is_ok());
    let system = lab.text(&Inquiry::System);
    assert!(
        system.contains("system flags:         auth ntp kernel \n"),
        "{system}"
    );
    let strange = flags(RequestCode::SET_FLAGS, 0x100);
    assert_eq!(lab.change(&strange), Err(ResponseCode::FORMAT));
    // Nobody knows key 9.
    let key_of = |code, id: u32| PrivateRequest::with_items(code, [id.to_be_bytes()]);
    let request = key_of(RequestCode::REQUEST_KEY, 9);
    assert_eq!(lab.change(&request), Err(ResponseCode::NO_DATA));
    // Who takes away the trust in the key of requests can change nothing more.
    let untrust = PrivateRequest::with_items(RequestCode::UNTRUST_KEY, [1_u64.to_le_bytes()]);
    assert!(lab.change(&untrust).is_ok());
    assert_eq!(lab.change(&untrust), Err(ResponseCode::AUTHENTICATION));
}

#[test]
fn counters_begin_anew() {
    let mut lab = Lab::new(CONF);
    let received = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with("packets received:"));
        line.unwrap().split_whitespace().last().unwrap().to_owned()
    };
    for _ in 0..5 {
        lab.text(&Inquiry::Packets);
    }
    assert_eq!(received(&lab.text(&Inquiry::Packets)), "6");
    let record = FlagsRecord { flags: 0x04 };
    let request = PrivateRequest::with_items(RequestCode::RESET_STATISTICS, [record.to_bytes()]);
    assert!(lab.change(&request).is_ok());
    let text = lab.text(&Inquiry::Packets);
    assert_eq!(received(&text), "1");
    assert!(
        text.contains("time since restart:     10\ntime since reset:       0\n"),
        "{text}"
    );
}

proptest! {
    /// Whatever comes, an answer is no answer to an answer, and not out of proportion.
    /// Several items are carried out together, or none of them is.
    #[test]
    fn nothing_is_half_done(changes: [(u32, u8, u16, bool, bool); 2]) {
        let mut lab = Lab::new(CONF);
        let rules = |lab: &mut Lab| lab.text(&Inquiry::Restrictions(None)).lines().count();
        let before = rules(&mut lab);
        let mut added = std::collections::BTreeSet::new();
        let changes = changes.map(|(address, length, flags, ntp_port, is_strange)| {
            let mask = u32::MAX << (length % 24);
            let mut change = RestrictionChange::default();
            change.set_address(Ipv4Addr::from_bits(address & mask).into());
            change.set_mask(Ipv4Addr::from_bits(mask ^ u32::from(is_strange) << 28).into());
            change.flags = flags;
            change.match_flags = if ntp_port { RestrictionRecord::NTP_PORT } else { 0 };
            added.insert((address & mask, mask, ntp_port));
            change.to_bytes()
        });
        let request = PrivateRequest::with_items(RequestCode::RESTRICT, changes);
        let expected = match lab.change(&request) {
            Ok(_) => before + added.len(),
            Err(_) => before,
        };
        prop_assert_eq!(rules(&mut lab), expected);
    }

    #[test]
    fn any_octets_are_answered_in_proportion(
        first in any::<u8>(),
        code in 0_u8..50,
        items in 0_u16..10,
        size in prop::sample::select(vec![0_u16, 4, 8, 20, 24, 32, 48, 60, 168, 4095]),
        rest in prop::collection::vec(any::<u8>(), 0..220),
    ) {
        let mut lab = Lab::new(CONF);
        let [items_high, items_low] = items.to_be_bytes();
        let [size_high, size_low] = size.to_be_bytes();
        let mut question = vec![first & 0xf8 | 7, 0, 3, code, items_high, items_low, size_high, size_low];
        question.extend(rest);
        let answers = lab.datagram(&question);
        let octets: usize = answers.iter().map(Vec::len).sum();
        prop_assert!(first & 0xc0 == 0 || answers.is_empty());
        prop_assert!(octets <= question.len() || question.len() >= 184);
        prop_assert!(octets <= 16 * 508);
    }
}
