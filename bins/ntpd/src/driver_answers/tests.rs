//! Whatever the driver answers, the sockets' path would have answered the same.

use std::net::SocketAddr;

use ntp_discipline::{Adjustment, Applied};
use ntp_engine::{Output, Setup};
use ntp_wire::{Duration, Header, Timestamp};
use proptest::prelude::*;

use self::frame::Datagram;
use super::*;

/// The same frames as in the tests of the program itself.
#[path = "../../../../crates/ntp-os/src/xdp/tests/frame.rs"]
mod frame;

/// The loopback interface, where frames that are tried out seem to come in.
const LOOPBACK: u32 = 1;
const OURS: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// An engine that is synchronised, and a driver that answers from its view.
struct Both {
    engine: Engine,
    answers: DriverAnswers,
    log: Log,
}

/// The clock that both are asked by: it has no other time than the monotonic one.
fn wall(at: Monotonic) -> Timestamp {
    Timestamp::from_unix(1_700_000_000, 0) + Duration::from_nanos(at.as_nanos() as i64)
}

fn monotonic() -> Monotonic {
    SystemClock::open(&ntp_os::ClockSpec::None)
        .unwrap()
        .read()
        .monotonic
}

fn at(monotonic: Monotonic) -> Now {
    Now {
        wall: wall(monotonic),
        monotonic,
    }
}

impl Both {
    /// `None` if this kernel loads no programs, which is said.
    fn new(configuration: &str) -> Option<Self> {
        let responder = match DriverResponder::load() {
            Ok(responder) => responder,
            Err(
                error @ (XdpError::NotPermitted
                | XdpError::Refused {
                    step: "maps" | "shared memory",
                    ..
                }),
            ) => {
                // Not by `eprintln!`, which cargo holds back from tests that pass.
                use std::io::Write;
                let line = format!("SKIPPED: answers of driver and sockets compared: {error}");
                let _ = writeln!(std::io::stderr(), "\n{line}\n");
                let is_root = nix::unistd::Uid::effective().is_root();
                assert!(is_root || std::env::var_os("CI").is_none(), "{line}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let text = format!("server 127.127.1.0\nfudge 127.127.1.0 stratum 4\n{configuration}");
        let parsed = ntp_conf::parse("ntp.conf", text, |_| Err(String::new()));
        assert!(!parsed.has_errors(), "{}", parsed.render());
        let now = monotonic();
        // It began long ago, as far as it knows.
        let start = now.as_nanos().saturating_sub(600_000_000_000);
        let start = Monotonic::from_nanos(start);
        let mut engine = Engine::new(Setup::new(parsed.config), [7; 32], at(start));
        let drain = |engine: &mut Engine, when| {
            while let Some(output) = engine.poll() {
                if let Output::Adjust(asked) = output {
                    assert!(!matches!(asked, Adjustment::Step(_)));
                    let result = Ok(Applied::Ignored);
                    engine.handle(at(when), Input::ClockChanged { asked, result });
                }
            }
        };
        drain(&mut engine, start);
        while let Some(deadline) = engine.next_deadline().filter(|deadline| *deadline <= now) {
            engine.handle_deadline(at(deadline));
            drain(&mut engine, deadline);
        }
        let mut answers = DriverAnswers::new(responder, 123, engine.rate_limit(), now);
        let ours = OURS.map(|address| (LOOPBACK, address.parse().unwrap()));
        answers.responder.set_addresses(ours).unwrap();
        let log = Log::open(None, true).0;
        Some(Self {
            engine,
            answers,
            log,
        })
    }

    /// What becomes of a request in the driver, when it came, and the reply.
    fn driver(&mut self, request: &Datagram) -> (Option<DriverSighting>, Option<Datagram>) {
        let frame = request.to_frame();
        for _ in 0..10 {
            let now = at(monotonic());
            let view = Arc::clone(self.engine.view());
            assert!(self.answers.hand_over(view, now, Ppm::ZERO, &mut self.log));
            let (fate, after) = self.answers.responder.try_out(&frame).unwrap();
            let mut seen = self.answers.responder.sightings().unwrap();
            match fate {
                Fate::Passed => {
                    assert_eq!((&after, seen.len()), (&frame, 0), "{request:?}");
                    // A machine that stands still for seconds is given another chance.
                    if monotonic().since(now.monotonic) < DriverResponder::VALID_FOR {
                        return (None, None);
                    }
                }
                Fate::Dropped => {
                    assert_eq!(seen.len(), 1);
                    return (seen.pop(), None);
                }
                Fate::Answered | Fate::Kissed => {
                    assert_eq!(seen.len(), 1);
                    let reply = Datagram::of_reply(&after).expect("a whole reply");
                    return (seen.pop(), Some(reply));
                }
            }
        }
        panic!("the machine stands still");
    }

    fn sockets(&mut self, request: &Datagram, now: Now) -> Option<Datagram> {
        let input = Input::Datagram {
            received: now.wall,
            local: request.to.ip(),
            remote: request.from,
            data: &request.data,
        };
        self.engine.handle(now, input);
        let mut reply = None;
        while let Some(output) = self.engine.poll() {
            if let Output::Send {
                local,
                remote,
                data,
                ..
            } = output
            {
                assert!(reply.is_none());
                reply = Some(Datagram {
                    from: SocketAddr::new(local, 123),
                    to: remote,
                    data: data.to_vec(),
                });
            }
        }
        reply
    }

    /// Asks the driver, and the sockets' path what it would have done at that time. Whether the
    /// driver let it pass.
    fn compare(&mut self, request: &Datagram) -> bool {
        let (seen, from_driver) = self.driver(request);
        let Some(seen) = seen else {
            return true;
        };
        let from_sockets = self.sockets(request, at(seen.last));
        let (Some(mut driver), Some(sockets)) = (from_driver.clone(), from_sockets.clone()) else {
            assert_eq!(from_driver, from_sockets, "{request:?}");
            return false;
        };
        let header = |datagram: &Datagram| Header::parse(&datagram.data).unwrap();
        let mut reply = header(&driver);
        let expected = header(&sockets);
        // It grows meanwhile, by 15 ppm.
        let [now, then] = [&expected, &reply].map(|header| header.root_dispersion.to_bits());
        assert!(now - then < 5, "{reply:?} {expected:?}");
        reply.root_dispersion = expected.root_dispersion;
        // And time is rounded in another way.
        for (time, expected) in [
            (&mut reply.receive_time, expected.receive_time),
            (&mut reply.transmit_time, expected.transmit_time),
        ] {
            let error = time.to_bits().wrapping_sub(expected.to_bits()) as i64;
            assert!(error.abs() < 16, "{error} x 2^-32 s");
            *time = expected;
        }
        assert_eq!(header(&driver).receive_time, header(&driver).transmit_time);
        driver.data.fill(0);
        reply.emit(driver.data.as_mut_slice().try_into().unwrap());
        assert_eq!(driver, sockets, "{request:?}");
        false
    }

    /// Whether the driver has no reason to let it pass.
    fn is_plain(&self, request: &Datagram) -> bool {
        let flags = self.engine.view().restrictions().lookup(request.from).flags;
        let kept_out = RestrictFlags::IGNORE
            | RestrictFlags::NO_SERVE
            | RestrictFlags::NO_TRUST
            | RestrictFlags::VERSION
            | RestrictFlags::FLAKE;
        let first = request.data.first().copied().unwrap_or(0);
        request.data.len() == 48
            && first & 7 == 3
            && (1..=4).contains(&(first >> 3 & 7))
            && request.from.port() != 0
            && !flags.intersects(kept_out)
    }
}

fn request() -> impl Strategy<Value = Datagram> {
    let source = prop_oneof![
        3 => Just("10.0.0.1"),
        1 => Just("10.0.0.2"),
        1 => Just("10.1.0.1"),
        1 => Just("10.1.2.3"),
        1 => Just("10.1.2.4"),
        1 => Just("10.2.0.1"),
        3 => Just("2001:db8:1::1"),
        1 => Just("2001:db8:1:1::1"),
        1 => Just("2001:db8:2::1"),
    ];
    let port = prop_oneof![3 => Just(40_000), 2 => Just(123), 1 => any::<u16>()];
    let first = prop_oneof![
        8 => (0_u8..4, 1_u8..5).prop_map(|(leap, version)| leap << 6 | version << 3 | 3),
        1 => any::<u8>(),
    ];
    let length = prop_oneof![8 => Just(48_usize), 1 => Just(68), 1 => 0_usize..80];
    let rest = prop::collection::vec(any::<u8>(), 80);
    (source, port, first, length, rest).prop_map(|(source, port, first, length, rest)| {
        let from: IpAddr = source.parse().unwrap();
        let mut data = rest[..length].to_vec();
        if let Some(octet) = data.first_mut() {
            *octet = first;
        }
        let ours: IpAddr = OURS[usize::from(from.is_ipv6())].parse().unwrap();
        Datagram {
            from: SocketAddr::new(from, port),
            to: SocketAddr::new(ours, 123),
            data,
        }
    })
}

/// Restrictions and limits of each kind.
const CONFIGURATIONS: [&str; 5] = [
    "",
    "restrict default limited kod\ndiscard minimum 0 average 3\n",
    "restrict default limited kod nomodify noquery\ndiscard minimum 0 average 1\n",
    "restrict default limited\nrestrict 10.0.0.0 mask 255.255.0.0 limited kod nopeer\n\
     restrict 10.1.0.0 mask 255.255.0.0 ignore\nrestrict 10.1.2.3\n\
     restrict 10.1.2.4 ntpport noserve\nrestrict 10.2.0.0 mask 255.255.0.0 version\n\
     restrict 2001:db8:1:1:: mask ffff:ffff:ffff:ffff:: notrust\n",
    "restrict default ignore\nrestrict 10.1.0.0 mask 255.255.255.0 limited kod\n\
     restrict 2001:db8:1:: mask ffff:ffff:ffff::\nrestrict 2001:db8:1::1 ntpport ignore\n\
     restrict 10.0.0.2 flake\n",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn the_driver_answers_as_the_sockets_would(
        configuration in prop::sample::select(&CONFIGURATIONS[..]),
        requests in prop::collection::vec(request(), 100),
    ) {
        if let Some(mut both) = Both::new(configuration) {
            for request in requests {
                let passed = both.compare(&request);
                prop_assert_eq!(passed, !both.is_plain(&request), "{:?}", request);
            }
        }
    }
}

/// Time between requests counts from the last one, and makes room for more.
#[test]
fn limits_follow_the_clock_as_those_of_the_sockets_do() {
    let text = "restrict default limited kod\ndiscard minimum 0 average 2\n";
    let Some(mut both) = Both::new(text) else {
        return;
    };
    let request = plain("10.9.9.9:4000");
    for _ in 0..8 {
        assert!(!both.compare(&request));
    }
    for _ in 0..4 {
        std::thread::sleep(Elapsed::from_millis(550));
        assert!(!both.compare(&request));
    }
    for _ in 0..20 {
        assert!(!both.compare(&request));
    }
}

/// Masks with gaps are no prefixes: then the whole family is for the sockets.
#[test]
fn what_the_driver_cannot_know_goes_to_the_sockets() {
    let text = "restrict 10.0.7.0 mask 255.0.255.0 ignore\n";
    let Some(mut both) = Both::new(text) else {
        return;
    };
    assert!(both.compare(&plain("10.9.9.9:4000")));
    assert!(!both.compare(&plain("[2001:db8::9]:4000")));
}

fn plain(from: &str) -> Datagram {
    let from: SocketAddr = from.parse().unwrap();
    let ours = OURS[usize::from(from.is_ipv6())].parse().unwrap();
    Datagram {
        from,
        to: SocketAddr::new(ours, 123),
        data: [&[0x23][..], &[0; 47]].concat(),
    }
}

#[test]
fn leap_seconds_come_through_the_sockets() {
    let day = Timestamp::from_unix(1_483_228_800, 0);
    let near = |leap, seconds| {
        let wall = day + Duration::from_seconds(seconds);
        is_near_leap(
            leap,
            Now {
                wall,
                monotonic: Monotonic::START,
            },
        )
    };
    for leap in [Leap::Insert, Leap::Delete] {
        assert!([-4, -1, 0, 3].iter().all(|seconds| near(leap, *seconds)));
        assert!([-5, 4, 43_200].iter().all(|seconds| !near(leap, *seconds)));
    }
    assert!(!near(Leap::None, 0));
}

#[test]
fn whoever_is_kept_out_is_not_answered_in_the_driver() {
    for bit in 0..16 {
        let flags = RestrictFlags::from_bits(1 << bit);
        let kept_out = RestrictFlags::IGNORE
            | RestrictFlags::NO_SERVE
            | RestrictFlags::NO_TRUST
            | RestrictFlags::VERSION
            | RestrictFlags::FLAKE
            | RestrictFlags::SERVER_RESPONSE_FUZZ;
        let is_up = treatment(flags) == Treatment::Up;
        assert_eq!(is_up, kept_out.contains(flags), "{flags}");
    }
    let limited = RestrictFlags::LIMITED | RestrictFlags::NO_QUERY;
    assert_eq!(treatment(limited), Treatment::Limited { kissed: false });
    let kissed = limited | RestrictFlags::KISS_OF_DEATH;
    assert_eq!(treatment(kissed), Treatment::Limited { kissed: true });
    let never = kissed | RestrictFlags::IGNORE;
    assert_eq!(treatment(never), Treatment::Up);
    assert_eq!(treatment(RestrictFlags::KISS_OF_DEATH), Treatment::Answered);
}
