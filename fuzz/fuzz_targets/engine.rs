//! Any sequence of datagrams, pauses and news of what has left: the engine does not panic, steps no
//! clock and answers no port 0.
#![no_main]

use std::{net::SocketAddr, time::Duration as Elapsed};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ntp_discipline::{Adjustment, Now};
use ntp_engine::{Endpoint, Engine, Input, Output, Setup};
use ntp_keys::KeyTable;
use ntp_wire::{Duration, Monotonic, Timestamp};

const CONF: &str = "server 127.127.1.0\nserver 192.0.2.1 iburst\nserver 192.0.2.2 key 1\nserver 192.0.2.3 xleave\n\
                    trustedkey 1\ncontrolkey 1\nrequestkey 1\nenable mode7\nrestrict 198.51.100.0 mask 255.255.255.0 limited kod\n";

#[derive(Arbitrary, Debug)]
struct Step<'a> {
    pause: u16,
    source: u8,
    port: u16,
    /// How long ago, in milliseconds, what was sent is said to have left.
    left: i8,
    data: &'a [u8],
}

fuzz_target!(|steps: Vec<Step<'_>>| {
    let mut now = Now {
        wall: Timestamp::from_unix(1_795_393_189, 0),
        monotonic: Monotonic::START,
    };
    let config = ntp_conf::parse("ntp.conf", CONF, |_| Err(String::new())).config;
    let setup = Setup {
        keys: KeyTable::parse("1 MD5 sesame\n").0,
        ..Setup::new(config)
    };
    let mut engine = Engine::new(setup, [9; 32], now);
    let local = [192, 0, 2, 9].into();
    for step in &steps {
        now.monotonic += Elapsed::from_millis(step.pause.into());
        now.wall += Duration::from_millis(step.pause.into());
        engine.handle_deadline(now);
        let port = if step.port < 0x8000 { 123 } else { step.port };
        let remote = SocketAddr::new([192, 0, 2, step.source % 4].into(), port);
        let received = now.wall;
        engine.handle(
            now,
            Input::Datagram {
                received,
                local,
                remote,
                data: step.data,
            },
        );
        while let Some(output) = engine.poll() {
            match output {
                Output::Resolve {
                    association,
                    name,
                    port,
                    ..
                } => {
                    let remote = SocketAddr::new(name.parse().expect("an address"), port);
                    let endpoints = Ok(vec![Endpoint { remote, local }]);
                    engine.handle(
                        now,
                        Input::Resolved {
                            association,
                            endpoints,
                        },
                    );
                }
                Output::Send {
                    remote,
                    stamped,
                    data,
                    ..
                } => {
                    assert_ne!(remote.port(), 0);
                    if stamped {
                        let at = now.wall - Duration::from_millis(step.left.into());
                        let data = &data;
                        engine.handle(now, Input::Sent { at, remote, data });
                    }
                }
                Output::Adjust(Adjustment::Step(step)) => panic!("stepped by {step:?}"),
                Output::Exit(exit) => panic!("{exit:?}"),
                Output::Work(work) => {
                    engine.handle(now, Input::Worked(Some(Box::new(work.run()))));
                }
                _ => {}
            }
        }
    }
});
