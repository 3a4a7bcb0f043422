//! Whatever comes in, the engine does not panic, stays within bounds, and believes nothing of it.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::SocketAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Endpoint, Engine, Input, Output, Setup};
use ntp_keys::KeyTable;
use ntp_wire::{AssociationId, Monotonic, Timestamp};
use proptest::prelude::*;

const CONF: &str = "server 127.127.1.0\nserver 192.0.2.1 iburst\nserver 192.0.2.2 key 1\n\
                    trustedkey 1\ncontrolkey 1\nrestrict 198.51.100.0 mask 255.255.255.0 limited kod\n";

fn engine(now: Now) -> Engine {
    let parsed = ntp_conf::parse("ntp.conf", CONF, |_| Err("no".to_owned()));
    let setup = Setup {
        keys: KeyTable::parse("1 SHA1 0123456789abcdef0123456789abcdef01234567\n").0,
        ..Setup::new(parsed.config)
    };
    Engine::new(setup, [9; 32], now)
}

/// Packets that look like something, and some that do not.
fn packet() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(0x23u8),
        Just(0x24),
        Just(0x1b),
        Just(0x0b),
        Just(0x16),
        Just(0x26),
        Just(0x17),
        Just(0x21),
        Just(0x25),
        Just(0x08),
        any::<u8>()
    ];
    let length = prop_oneof![
        Just(48usize),
        Just(12),
        Just(68),
        Just(72),
        Just(52),
        0usize..600
    ];
    (first, length, proptest::collection::vec(any::<u8>(), 600)).prop_map(
        |(first, length, octets)| {
            let mut packet = octets[..length].to_vec();
            if let Some(octet) = packet.first_mut() {
                *octet = first;
            }
            packet
        },
    )
}

/// Where packets come from: our servers, limited clients, anybody.
fn source() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        Just("192.0.2.1:123"),
        Just("192.0.2.2:123"),
        Just("198.51.100.7:123"),
        Just("[2001:db8::1]:5000"),
        Just("203.0.113.5:0"),
        Just("127.0.0.1:40000")
    ]
    .prop_map(|text| text.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_from_outside_moves_the_clock(
        packets in proptest::collection::vec((packet(), source(), 0u64..5000), 1..60),
    ) {
        let mut wall = Timestamp::from_unix(1_795_393_189, 0);
        let mut monotonic = Monotonic::START;
        let mut engine = engine(Now { wall, monotonic });
        let mut answers = 0usize;
        for (data, remote, wait) in &packets {
            let elapsed = Elapsed::from_millis(*wait);
            monotonic += elapsed;
            wall += ntp_wire::Duration::from_millis(*wait as i32);
            let now = Now { wall, monotonic };
            if engine.next_deadline().is_some_and(|deadline| deadline <= monotonic) {
                engine.handle_deadline(now);
            }
            let local = if remote.is_ipv4() { "192.0.2.9" } else { "2001:db8::9" };
            let local = local.parse().unwrap();
            engine.handle(now, Input::Datagram { received: wall, local, remote: *remote, data });
            while let Some(output) = engine.poll() {
                match output {
                    Output::Resolve { association, name, port, .. } => {
                        let remote = SocketAddr::new(name.parse().unwrap(), port);
                        let endpoints = Ok(vec![Endpoint { remote, local }]);
                        engine.handle(now, Input::Resolved { association, endpoints });
                    }
                    Output::Send { remote: to, data: sent, .. } => {
                        prop_assert_ne!(to.port(), 0);
                        if to == *remote && to.port() != 123 {
                            answers += 1;
                            prop_assert!(sent.len() <= 480);
                        }
                    }
                    Output::Adjust(ntp_discipline::Adjustment::Step(step)) => {
                        prop_assert!(false, "stepped by {step:?}");
                    }
                    Output::Exit(exit) => prop_assert!(false, "{exit:?}"),
                    Output::Work(work) => {
                        engine.handle(now, Input::Worked(Some(Box::new(work.run()))));
                    }
                    _ => {}
                }
            }
        }
        // A request has one answer; only control messages have a few more.
        prop_assert!(answers <= packets.len() * 8, "{answers}");
    }

    #[test]
    fn names_that_resolve_strangely_do_no_harm(id: u16, count in 0usize..4) {
        let now = Now { wall: Timestamp::from_unix(1_795_393_189, 0), monotonic: Monotonic::START };
        let mut engine = engine(now);
        let remote: SocketAddr = "192.0.2.77:123".parse().unwrap();
        let endpoint = Endpoint { remote, local: "192.0.2.9".parse().unwrap() };
        let endpoints = Ok(vec![endpoint; count]);
        let association = AssociationId::new(id);
        engine.handle(now, Input::Resolved { association, endpoints });
        engine.handle(now, Input::Resolved { association, endpoints: Err("gone".into()) });
        engine.handle_deadline(now);
        while engine.poll().is_some() {}
    }
}
