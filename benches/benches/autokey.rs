//! What an Autokey server does for its clients: time, values that are signed once for all, and the
//! public-key work that each client asks for once.

#![allow(clippy::unwrap_used)] // A benchmark that cannot go on has failed.

use std::net::{IpAddr, SocketAddr};

use divan::{Bencher, black_box, counter::ItemsCount};
use ntp_autokey::{
    Association, AssociationOptions, Credentials, Exchange, Host, HostOptions, IdentityGroups,
    Opcode, Relation, Response, SessionKey, Stamp,
};
use ntp_discipline::Now;
use ntp_engine::{Arrival, Engine, LONGEST_REPLY, Responder, ServerView, Setup, Verdict};
use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, DigestAlgorithm, PrivateKey, SignatureScheme,
};
use ntp_restrict::{ClientTable, ClientTableLimits, RateLimit};
use ntp_wire::{
    AssociationId, Duration, Header, KeyId, Mode, Monotonic, Packet, Timestamp, WireTimestamp,
};
use rand::{SeedableRng, rngs::ChaCha20Rng};

fn main() {
    divan::main();
}

const CONF: &str = "server 127.127.1.0\nrestrict default nomodify noquery\n";
const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const SEED: [u8; 32] = [7; 32];

/// Slow enough for the limits of the work that strangers may ask for.
const PACE: std::time::Duration = std::time::Duration::from_secs(1);

fn now() -> Now {
    Now {
        wall: Timestamp::from_unix(1_795_393_189, 0),
        monotonic: Monotonic::START,
    }
}

/// A host with a key of 2048 bits, always the same for the same number.
fn host(name: &str, number: u8) -> Host {
    let mut random = ChaCha20Rng::from_seed([number; 32]);
    let key = PrivateKey::generate(2048, &mut random).unwrap();
    let made = now().wall - Duration::from_seconds(3600);
    let request = CertificateRequest {
        subject: name,
        issuer: name,
        serial: Stamp::of(made).value(),
        not_before: made,
        not_after: made + Duration::from_seconds(86_400 * 30),
        trust: CertificateTrust::Trusted,
        public_key: key.public(),
        group_key: None,
    };
    let credentials = Credentials {
        certificate: Certificate::issue(&request, &key, SignatureScheme::RsaSha256).unwrap(),
        host_key: key,
        host_key_filestamp: Stamp::of(made),
        sign_key: None,
        certificate_filestamp: Stamp::of(made),
        identity: Vec::new(),
    };
    let mut host = Host::new(credentials, HostOptions::default(), SEED).unwrap();
    host.set_synchronised(now().wall, true);
    host
}

/// The view of a synchronised Autokey server, and what makes the keys of its clients.
fn view() -> (ServerView, ntp_autokey::SessionKeys) {
    let server = host("server", 1);
    let keys = server.session_keys();
    let setup = Setup {
        autokey: Some(server),
        ..Setup::new(ntp_conf::parse("ntp.conf", CONF, |_| Err(String::new())).config)
    };
    let mut engine = Engine::new(setup, SEED, now());
    engine.handle_deadline(now());
    (ServerView::clone(engine.view()), keys)
}

fn request() -> Vec<u8> {
    let mut packet = [0; Header::LENGTH];
    Header {
        mode: Mode::Client,
        transmit_time: WireTimestamp::from_bits(0x0123_4567_89ab_cdef),
        ..Header::default()
    }
    .emit(&mut packet);
    packet.to_vec()
}

fn client(number: u32) -> IpAddr {
    (0x0a00_0000 + number).to_be_bytes().into()
}

/// Time for so many clients, each with a cookie of its own, in turn; 0 is for plain requests.
#[divan::bench(args = [0, 1, 10_000], sample_size = 1000)]
fn time(bencher: Bencher<'_, '_>, clients: u32) {
    let (view, keys) = view();
    let requests: Vec<(SocketAddr, Vec<u8>)> = (0..clients.max(1))
        .map(|number| {
            let mut request = request();
            let address = client(number);
            if clients > 0 {
                let key_id = KeyId::new(0x8000_0000 | number);
                let cookie = keys.cookie(SERVER, address);
                SessionKey::new(DigestAlgorithm::Md5, address, SERVER, key_id, cookie)
                    .seal(key_id, &mut request);
            }
            (SocketAddr::new(address, 123), request)
        })
        .collect();
    let mut responder = Responder::new(
        ClientTable::new(ClientTableLimits::default(), SEED),
        RateLimit::default(),
        [9; 32],
    );
    let mut reply = [0; LONGEST_REPLY];
    let mut turn = requests.iter().cycle();
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(move || {
            let Some((remote, request)) = turn.next() else {
                unreachable!("it goes round")
            };
            let arrival = Arrival {
                received: now().wall,
                now: now(),
                local: SERVER,
                remote: *remote,
            };
            let verdict = responder.respond(&view, &arrival, black_box(request), &mut reply);
            assert!(matches!(verdict, Verdict::Reply(_)), "{verdict:?}");
            black_box(verdict)
        });
}

/// The questions of a dance, as a client asks them, and the host that answers.
fn questions() -> (Host, Exchange, Vec<(Opcode, Vec<u8>)>) {
    let (mut server, mut client_host) = (host("server", 1), host("client", 2));
    let mut association = Association::new(AssociationOptions {
        association: AssociationId::new(1),
        relation: Relation::Client,
        ident: None,
    });
    let at_client = Exchange {
        local: client(0),
        remote: SERVER,
        now: now().wall,
        monotonic: now().monotonic,
        synchronised: true,
    };
    let at_server = Exchange {
        local: SERVER,
        remote: client(0),
        ..at_client
    };
    let groups = IdentityGroups::new();
    let mut questions = Vec::new();
    while !association.is_complete(true) {
        let mut asked = request();
        association.seal_request(&mut client_host, &at_client, &groups, &mut asked);
        let packet = Packet::parse(&asked).unwrap();
        if let Some(field) = packet.extensions().next() {
            let message = ntp_autokey::Message::parse(&field).unwrap();
            questions.push((message.opcode, asked.clone()));
        }
        let mut reply = vec![0; Header::LENGTH];
        reply[0] = 0x24;
        server
            .respond_at_once(&at_server, &packet, &mut reply)
            .unwrap();
        let reply = Packet::parse(&reply).unwrap();
        association
            .receive(&mut client_host, &at_client, &groups, &reply)
            .unwrap();
    }
    (server, at_server, questions)
}

/// What is the same for all clients.
#[divan::bench(args = [Opcode::Association, Opcode::Certificate, Opcode::Leap])]
fn answer_kept(bencher: Bencher<'_, '_>, opcode: Opcode) {
    let (mut server, mut exchange, questions) = questions();
    let (_, asked) = questions
        .iter()
        .find(|(asked, _)| *asked == opcode)
        .unwrap();
    let mut reply = Vec::with_capacity(1500);
    bencher.bench_local(|| {
        exchange.monotonic += PACE;
        reply.clear();
        reply.resize(Header::LENGTH, 0);
        let packet = Packet::parse(black_box(asked)).unwrap();
        let response = server.respond(&exchange, &packet, &mut reply).unwrap();
        assert!(matches!(response, Response::Reply(_)), "{response:?}");
    });
}

/// What each client asks for once: the computing time of the thread that does it.
#[divan::bench(args = [Opcode::Cookie, Opcode::Sign], sample_count = 20)]
fn work(bencher: Bencher<'_, '_>, opcode: Opcode) {
    let (mut server, mut exchange, questions) = questions();
    let (_, asked) = questions
        .iter()
        .find(|(asked, _)| *asked == opcode)
        .unwrap();
    // Another address each time, or the answer would be there already.
    let packet = Packet::parse(asked).unwrap();
    let ntp_wire::Trailer::Mac { key_id, .. } = packet.trailer() else {
        unreachable!("it is sealed")
    };
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        exchange.monotonic += PACE;
        exchange.remote = client(number);
        let mut again = packet.authenticated().to_vec();
        let public = ntp_autokey::Cookie::new(0);
        SessionKey::new(
            DigestAlgorithm::Md5,
            exchange.remote,
            SERVER,
            key_id,
            public,
        )
        .seal(key_id, &mut again);
        let mut reply = vec![0; Header::LENGTH];
        let packet = Packet::parse(&again).unwrap();
        match server.respond(&exchange, &packet, &mut reply).unwrap() {
            Response::Work(job) => {
                let finished = job.run();
                server.finish(finished, &mut reply).unwrap();
            }
            Response::Reply(reply) => unreachable!("{reply:?} was there already"),
        }
    });
}
