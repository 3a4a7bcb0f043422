//! The packet path: a request to its reply, plain and authenticated.

use std::net::SocketAddr;

use divan::{Bencher, black_box, counter::ItemsCount};
use ntp_discipline::Now;
use ntp_engine::{Arrival, Engine, LONGEST_REPLY, Responder, ServerView, Setup, Verdict};
use ntp_keys::{KeyTable, MacBuffer};
use ntp_nts::{Session, SessionKeys};
use ntp_restrict::{ClientTable, ClientTableLimits, RateLimit};
use ntp_wire::{Header, KeyId, Mode, Monotonic, Timestamp, WireTimestamp};
use rand::{SeedableRng, rngs::ChaCha12Rng};

fn main() {
    divan::main();
}

const CONF: &str = "server 127.127.1.0\ntrustedkey 1 2 3\n\
                    nts cert /cert key /key enable\n\
                    restrict default kod limited nomodify noquery\nrestrict 127.0.0.1\n";
const KEYS: &str = "1 MD5 sesame\n2 SHA1 abracadabra\n3 AES128CMAC sixteen-octets-x\n";

fn now() -> Now {
    Now {
        wall: Timestamp::from_unix(1_795_393_189, 0),
        monotonic: Monotonic::START,
    }
}

/// The view of a synchronised server.
fn view() -> ServerView {
    let setup = Setup {
        keys: KeyTable::parse(KEYS).0,
        ..Setup::new(ntp_conf::parse("ntp.conf", CONF, |_| Err(String::new())).config)
    };
    let mut engine = Engine::new(setup, [7; 32], now());
    engine.handle_deadline(now());
    ServerView::clone(engine.view())
}

/// A request, with a MAC of key `key` unless that is 0.
fn request(key: u32) -> Vec<u8> {
    let mut packet = [0; Header::LENGTH];
    let nonce = WireTimestamp::from_bits(0x0123_4567_89ab_cdef);
    Header {
        mode: Mode::Client,
        transmit_time: nonce,
        ..Header::default()
    }
    .emit(&mut packet);
    let mut packet = packet.to_vec();
    let table = KeyTable::parse(KEYS).0;
    if let Some(entry) = table.lookup(KeyId::new(key)) {
        let mut buffer = MacBuffer::new();
        let mac = entry.key().mac(&packet, &mut buffer).to_vec();
        packet.extend_from_slice(&key.to_be_bytes());
        packet.extend_from_slice(&mac);
    }
    packet
}

/// 0 is plain; 1 MD5, 2 SHA-1, 3 AES-128-CMAC. Clients are many, so that none is limited.
#[divan::bench(args = [0, 1, 2, 3])]
fn respond(bencher: Bencher<'_, '_>, key: u32) {
    let view = view();
    let request = request(key);
    let mut responder = Responder::new(
        ClientTable::new(ClientTableLimits::default(), [1; 32]),
        RateLimit::default(),
        [9; 32],
    );
    let mut client = 0_u32;
    let mut reply = [0; LONGEST_REPLY];
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(move || {
            client = client.wrapping_add(0x9e37_79b9);
            let arrival = Arrival {
                received: now().wall,
                now: now(),
                local: [192, 0, 2, 1].into(),
                remote: SocketAddr::new(client.to_be_bytes().into(), 40_000),
            };
            let verdict = responder.respond(&view, &arrival, black_box(&request), &mut reply);
            assert!(
                matches!(verdict, Verdict::Reply(_) | Verdict::Drop(_)),
                "{verdict:?}"
            );
            black_box(verdict)
        });
}

/// A request with NTS: its cookie is opened, it is judged, and the answer brings new cookies, as
/// many as this.
#[divan::bench(args = [1, 8])]
fn respond_nts(bencher: Bencher<'_, '_>, cookies: usize) {
    let view = view();
    let Some(keys) = view.cookie_keys() else {
        return;
    };
    let mut rng = ChaCha12Rng::from_seed([5; 32]);
    let session_keys = SessionKeys::new([1; 32], [2; 32]);
    let held = (0..9 - cookies).map(|_| keys.seal(&session_keys, &mut rng).to_vec());
    let held: Vec<_> = held.collect();
    let mut request = request(0);
    let sealed = Session::new(session_keys, held).seal_request(&mut rng, &mut request);
    assert!(sealed.is_ok(), "there is a cookie");
    let mut responder = Responder::new(
        ClientTable::new(ClientTableLimits::default(), [1; 32]),
        RateLimit::default(),
        [9; 32],
    );
    let mut client = 0_u32;
    let mut reply = [0; LONGEST_REPLY];
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(move || {
            client = client.wrapping_add(1);
            let arrival = Arrival {
                received: now().wall,
                now: now(),
                local: [192, 0, 2, 1].into(),
                remote: SocketAddr::new(
                    (0x0a00_0000 | client & 0xf_ffff).to_be_bytes().into(),
                    40_000,
                ),
            };
            let verdict = responder.respond(&view, &arrival, black_box(&request), &mut reply);
            let expected = request.len();
            assert!(matches!(verdict, Verdict::Reply(reply) if reply.length == expected));
            black_box(verdict)
        });
}

/// Plain requests of clients that are all remembered, so many of them, in no order.
#[divan::bench(args = [20_000, 1_000_000])]
fn known_clients(bencher: Bencher<'_, '_>, clients: u32) {
    let view = view();
    let request = request(0);
    let limits = ClientTableLimits {
        most: clients as usize,
        least: clients as usize,
        ..ClientTableLimits::default()
    };
    let mut responder = Responder::new(
        ClientTable::new(limits, [1; 32]),
        RateLimit::default(),
        [9; 32],
    );
    let mut reply = [0; LONGEST_REPLY];
    let mut number = 0_u64;
    // As they come: a batch at a time.
    let mut ask = move |batch: u64| {
        let sources = (number..number + batch).map(|number| {
            let client = (number * 2_654_435_761 % u64::from(clients)) as u32;
            SocketAddr::new((0x0a00_0000 | client).to_be_bytes().into(), 40_000)
        });
        number += batch;
        responder.anticipate(sources.clone().map(|source| source.ip()));
        for remote in sources {
            let arrival = Arrival {
                received: now().wall,
                now: now(),
                local: [192, 0, 2, 1].into(),
                remote,
            };
            black_box(responder.respond(&view, &arrival, black_box(&request), &mut reply));
        }
    };
    ask(clients.into());
    bencher
        .counter(ItemsCount::new(32_u32))
        .bench_local(move || ask(32));
}
