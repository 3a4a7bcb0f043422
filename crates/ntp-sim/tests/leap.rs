//! Leap seconds: a server and its clients, on either side of midnight.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Engine, Setup};
use ntp_sim::{
    ClockModel, Datagram, Delay, Disturbance, HostClock, Link, Loss, PlainServer, World,
};
use ntp_wire::{
    AssociationId, Duration, Header, Leap, Mode, Ppm, Timestamp,
    control::{ControlHeader, ControlMessage, Opcode},
};

const SERVER: &str = "10.0.0.1";
const CLIENT: &str = "10.0.0.2";
/// 1 January 2017, seconds since 1970: what comes after a leap second.
const NEW_YEAR: i64 = 1_483_228_800;
const UNIX: i64 = 2_208_988_800;
const DAY: i64 = 86_400;
const HOUR: i64 = 3600;

const SERVED: &str = "server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n";
const LEAPFILE: &str = "leapfile leap-seconds.list ignorehash\n";

/// A list by which a second is inserted (`"37"`), left out (`"35"`), or nothing happens (`""`).
fn list(offset: &str, days_of_validity: i64) -> String {
    let mut text = format!(
        "#@ {}\n3550089600 35\n3644697600 36\n",
        NEW_YEAR + UNIX + days_of_validity * DAY
    );
    if !offset.is_empty() {
        text += &format!("{} {offset}\n", NEW_YEAR + UNIX);
    }
    text
}

fn setup(text: &str) -> Setup {
    let parsed = ntp_conf::parse("ntp.conf", text, |_| Err("no other file".to_owned()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    Setup::new(parsed.config)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

struct Scene {
    world: World,
}

impl Scene {
    /// A world that begins so many seconds before New Year.
    fn new(before: i64) -> Self {
        let delay = Delay::Exponential {
            least: Elapsed::from_micros(200),
            mean_excess: Elapsed::from_micros(50),
        };
        let origin = Timestamp::from_unix(NEW_YEAR - before, 0);
        let link = Link::new(delay, Loss::NONE, [3; 32]);
        Self {
            world: World::new(origin, link),
        }
    }

    fn add(&mut self, name: &str, conf: &str, leap_file: Option<String>) -> usize {
        self.add_setup(name, setup(conf), leap_file)
    }

    fn add_setup(&mut self, name: &str, setup: Setup, leap_file: Option<String>) -> usize {
        let seed = [name.as_bytes().last().copied().unwrap_or_default(); 32];
        let engine = move |now: Now| Engine::new(setup, seed, now);
        // Nobody corrects a server that follows its own clock.
        let frequency = Ppm::new(if name == CLIENT { 2.0 } else { 0.0 });
        let host = self
            .world
            .add(address(name), Duration::ZERO, frequency, engine);
        if let Some(text) = leap_file {
            self.world.host_mut(host).set_leap_file(text);
        }
        self.world.run(Elapsed::ZERO);
        host
    }

    /// Lets time pass until so many seconds after New Year, on a clock that makes no leap.
    fn run_to(&mut self, after: f64) {
        let elapsed = self.world.true_time() - Timestamp::from_unix(NEW_YEAR, 0);
        let left = after - elapsed.to_seconds_f64();
        self.world.run(Elapsed::from_secs_f64(left));
    }

    /// How far a clock is ahead of one that makes no leap.
    fn ahead(&self, host: usize) -> f64 {
        self.world.error(host).to_seconds_f64()
    }

    fn log(&self, host: usize, words: &str) -> usize {
        let log = self.world.host(host).log();
        log.iter().filter(|line| line.contains(words)).count()
    }

    fn steps(&self, host: usize) -> u32 {
        self.world.host(host).steps()
    }

    /// The headers of the answers of a host, and when they were sent in seconds after New Year.
    fn answers(&self, of: &str) -> Vec<(f64, Header)> {
        let start = self.world.true_time()
            - Duration::from_seconds_f64(self.world.now().as_nanos() as f64 / 1e9)
            - Timestamp::from_unix(NEW_YEAR, 0);
        let sent_by = |datagram: &Datagram| datagram.source.ip() == address(of);
        self.world
            .trace()
            .iter()
            .filter(|(_, datagram)| sent_by(datagram))
            .filter_map(|(at, datagram)| Some((at, Header::parse(&datagram.data)?)))
            .filter(|(_, header)| header.mode == Mode::Server)
            .map(|(at, header)| (start.to_seconds_f64() + at.as_nanos() as f64 / 1e9, header))
            .collect()
    }

    fn variables(&mut self, of: &str, names: &str) -> String {
        let mut buffer = [0; 512];
        let header = ControlHeader {
            association: AssociationId::new(0),
            ..ControlHeader::request(Opcode::READ_VARIABLES, 9)
        };
        let length = header.emit_message(names.as_bytes(), &mut buffer).unwrap();
        let seen = self.world.trace().len();
        self.world.inject(Datagram {
            source: "10.0.0.9:40000".parse().unwrap(),
            destination: format!("{of}:123").parse().unwrap(),
            data: buffer[..length].to_vec(),
        });
        self.world.run(Elapsed::ZERO);
        let (_, answer) = &self.world.trace()[seen..]
            .iter()
            .find(|(_, datagram)| datagram.source.ip() == address(of))
            .unwrap();
        let message = ControlMessage::parse(&answer.data).unwrap();
        assert!(!message.header().error, "{names}");
        String::from_utf8(message.data().to_vec()).unwrap()
    }
}

#[track_caller]
fn near(left: f64, right: f64) {
    assert!((left - right).abs() < 0.002, "{left}, not {right}");
}

#[test]
fn the_clock_makes_the_leap_and_so_does_a_client_that_only_hears_of_it() {
    for (offset, word, change) in [("37", "more", -1.0), ("35", "less", 1.0)] {
        let mut scene = Scene::new(2 * HOUR);
        let server = scene.add(
            SERVER,
            &format!("{SERVED}{LEAPFILE}"),
            Some(list(offset, 180)),
        );
        let client = scene.add(CLIENT, &format!("server {SERVER} iburst\n"), None);
        // A second that is left out is the last of the day, one that is inserted follows it.
        let due = if change < 0.0 { 0.0 } else { -1.0 };
        scene.run_to(due - 0.02);
        near(scene.ahead(server), 0.0);
        near(scene.ahead(client), 0.0);
        for host in [server, client] {
            assert_eq!(scene.log(host, "leap_event"), 0);
            assert_eq!(scene.log(host, &format!("one second {word}")), 1);
            assert_eq!(scene.log(host, "at the end of 2016-12-31"), 1);
        }
        // The server by its file, the client by its server.
        assert_eq!(scene.log(server, "09 leap_armed"), 1);
        assert_eq!(scene.log(client, "89 leap_armed"), 1);
        scene.run_to(due + 0.02);
        near(scene.ahead(server), change);
        near(scene.ahead(client), change);
        scene.run_to(4.0 * HOUR as f64);
        for host in [server, client] {
            near(scene.ahead(host), change);
            assert_eq!(scene.steps(host), 0, "the clock does it by itself");
            assert_eq!(scene.log(host, "leap_event"), 1);
            assert_eq!(scene.log(host, "leap_disarmed"), 0);
            assert_eq!(scene.log(host, "spike_detect"), 0);
            assert_eq!(scene.log(host, "no_sys_peer"), 0);
        }
        assert_eq!(scene.log(server, &format!("0e TAI {offset} s")), 1);
        assert_eq!(scene.world.host(client).exit(), None);
    }
}

#[test]
fn clients_are_told_on_the_last_day_and_not_in_the_second_itself() {
    let mut scene = Scene::new(DAY + 2 * HOUR);
    scene.add(
        SERVER,
        &format!("{SERVED}{LEAPFILE}"),
        Some(list("37", 180)),
    );
    let client = format!("server {SERVER} iburst minpoll 3 maxpoll 3\n");
    scene.add(CLIENT, &client, None);
    scene.run_to(HOUR as f64);
    let mut unsynchronised = 0;
    for (at, header) in scene.answers(SERVER) {
        if at < 60.0 - (DAY + 2 * HOUR) as f64 {
            continue;
        }
        // The daemon looks once a second.
        let expected = if (at + DAY as f64).abs() < 1.1 {
            continue;
        } else if (-4.0..1.1).contains(&at) {
            unsynchronised += u32::from(header.leap == Leap::Unsynchronised);
            continue;
        } else if (-DAY as f64..0.0).contains(&at) {
            Leap::Insert
        } else {
            Leap::None
        };
        assert_eq!(header.leap, expected, "{at} s");
    }
    // Within 8 s there may be no request in that time; see below.
    assert!(unsynchronised <= 2);
}

#[test]
fn a_clock_that_is_left_alone_is_stepped() {
    for (offset, change) in [("37", -1.0), ("35", 1.0)] {
        let mut scene = Scene::new(HOUR);
        let conf = format!("{SERVED}{LEAPFILE}disable kernel\n");
        let server = scene.add(SERVER, &conf, Some(list(offset, 180)));
        let client = scene.add(
            CLIENT,
            &format!("server {SERVER} iburst\ndisable kernel\n"),
            None,
        );
        let due = if change < 0.0 { 0.0 } else { -1.0 };
        scene.run_to(due - 0.02);
        near(scene.ahead(server), 0.0);
        scene.run_to(due + 0.02);
        near(scene.ahead(server), change);
        near(scene.ahead(client), change);
        scene.run_to(HOUR as f64);
        for host in [server, client] {
            near(scene.ahead(host), change);
            assert_eq!(scene.steps(host), 1);
            assert_eq!(scene.log(host, "leap_event"), 1);
            // It is no step like others: nothing is forgotten.
            assert_eq!(scene.log(host, "clock_step"), 0);
            assert_eq!(scene.log(host, "no_sys_peer"), 0);
        }
    }
}

#[test]
fn where_steps_are_not_allowed_the_second_is_slewed_away() {
    let mut scene = Scene::new(2 * HOUR);
    scene.add(
        SERVER,
        &format!("{SERVED}{LEAPFILE}"),
        Some(list("37", 180)),
    );
    let slewing = Setup {
        slew: true,
        ..setup(&format!("server {SERVER} iburst\n{LEAPFILE}"))
    };
    let client = scene.add_setup(CLIENT, slewing, Some(list("37", 180)));
    scene.run_to(5.0);
    assert_eq!(scene.log(client, "was not stepped for the leap second"), 1);
    near(scene.ahead(client), 0.0);
    scene.run_to(6.0 * HOUR as f64);
    assert_eq!(scene.steps(client), 0);
    assert!(
        (scene.ahead(client) + 1.0).abs() < 0.05,
        "{}",
        scene.ahead(client)
    );
}

#[test]
fn a_clock_that_refuses_is_told_of() {
    let mut scene = Scene::new(DAY + HOUR);
    let conf = format!("{SERVED}{LEAPFILE}");
    let server = scene.add(SERVER, &conf, Some(list("37", 180)));
    scene.world.host_mut(server).freeze_clock();
    scene.run_to(60.0);
    near(scene.ahead(server), 0.0);
    assert_eq!(
        scene.log(server, "did not make the leap second by itself"),
        1
    );
    assert_eq!(
        scene.log(server, "stepped for the leap second, but: not allowed"),
        1
    );
    assert_eq!(scene.log(server, "leap_event"), 1);
}

#[test]
fn a_request_under_way_at_the_leap_does_no_harm() {
    // A server that answers through its leap second, 0.8 s away: one of these has a request under
    // way.
    for start in 0..16 {
        let mut scene = Scene::new(HOUR + start);
        *scene.world.link_mut() =
            Link::new(Delay::Fixed(Elapsed::from_millis(800)), Loss::NONE, [3; 32]);
        let now = (scene.world.true_time(), scene.world.now());
        let clock = HostClock::new(ClockModel::default(), now.0, now.1, [0; 32]);
        scene
            .world
            .add_server(address(SERVER), PlainServer::new(clock));
        let discipline = if start % 2 == 0 { "classic" } else { "precise" };
        let conf = format!(
            "server {SERVER} iburst minpoll 3 maxpoll 3\n{LEAPFILE}discipline {discipline}\n"
        );
        let client = scene.add(CLIENT, &conf, Some(list("37", 180)));
        scene.run_to(0.0);
        let now = scene.world.now();
        let server = scene.world.server_mut(address(SERVER)).unwrap();
        let second = Duration::from_seconds(-1);
        server.clock.disturb(now, Disturbance::Step(second));
        for after in 1..120 {
            scene.run_to(f64::from(after));
            near(scene.ahead(client), -1.0);
        }
        assert_eq!(scene.log(client, "spike_detect"), 0);
    }
}

#[test]
fn the_file_goes_before_the_servers() {
    let mut scene = Scene::new(2 * HOUR);
    let server = scene.add(
        SERVER,
        &format!("{SERVED}{LEAPFILE}"),
        Some(list("37", 180)),
    );
    let conf = format!("server {SERVER} iburst\n{LEAPFILE}");
    let client = scene.add(CLIENT, &conf, Some(list("", 180)));
    scene.run_to(10.0);
    near(scene.ahead(server), -1.0);
    near(scene.ahead(client), 0.0);
    assert_eq!(scene.log(client, "leap_armed"), 0);
}

#[test]
fn a_file_that_has_expired_says_so_and_the_servers_are_asked() {
    let mut scene = Scene::new(2 * HOUR);
    scene.add(SERVER, &format!("{SERVED}{LEAPFILE}"), Some(list("37", 20)));
    assert_eq!(
        scene.log(0, "will expire in less than 21 days: get a newer one"),
        1
    );
    let conf = format!("server {SERVER} iburst\n{LEAPFILE}");
    let client = scene.add(CLIENT, &conf, Some(list("", -10)));
    assert_eq!(scene.log(client, "expired 10 days ago"), 1);
    assert_eq!(scene.log(client, "0f stale_leapsecond_values"), 1);
    scene.run_to(10.0);
    near(scene.ahead(client), -1.0);
    scene.run_to(2.0 * HOUR as f64);
    assert_eq!(scene.log(client, "expired 10 days ago"), 1);
    assert_eq!(scene.log(client, "expired 11 days ago"), 1, "a new day");
}

#[test]
fn a_wrong_file_is_refused_and_a_new_one_is_noticed() {
    let mut scene = Scene::new(30 * HOUR);
    let server = scene.add(SERVER, &format!("{SERVED}leapfile leap.list\n"), None);
    assert_eq!(scene.log(server, "no file leap.list in this world"), 1);
    assert_eq!(scene.log(server, "learnt from the servers only"), 1);
    let wrong = list("37", 180) + "#h 1 2 3 4 5\n";
    scene.world.host_mut(server).set_leap_file(wrong);
    scene.world.run(Elapsed::from_secs(2 * 3600));
    let refused = "leapfile leap.list is refused: its hash is wrong";
    assert_eq!(scene.log(server, refused), 1, "once a day is enough");
    assert_eq!(scene.log(server, "`leapfile leap.list ignorehash`"), 1);
    assert_eq!(scene.variables(SERVER, "tai,leapsec,expire"), "");
    // The SHA-1 of the digits above it.
    let right = list("37", 180) + "#h 3be27f6e 752b1981 e3fb524d ffb92dc4 5594456d\n";
    scene.world.host_mut(server).set_leap_file(right);
    scene.world.run(Elapsed::from_secs(2 * 3600));
    assert_eq!(scene.log(server, "valid until 2017-06-30"), 1);
    assert_eq!(
        scene.variables(SERVER, "tai,leapsec,expire"),
        "tai=36, leapsec=201701010000, expire=201706300000\r\n"
    );
    scene.run_to(60.0);
    near(scene.ahead(server), -1.0);
    assert_eq!(scene.variables(SERVER, "tai"), "tai=37\r\n");
}

#[test]
fn smeared_time_takes_a_client_through_without_a_step() {
    for (offset, change) in [("37", -1.0), ("35", 1.0)] {
        let mut scene = Scene::new(DAY + 2 * HOUR);
        let conf = format!("{SERVED}{LEAPFILE}leapsmearinterval 86400\n");
        let server = scene.add(SERVER, &conf, Some(list(offset, 180)));
        // One that knows of the leap second as well, which it must not make.
        let client = format!("server {SERVER} iburst maxpoll 6\n{LEAPFILE}");
        let client = scene.add(CLIENT, &client, Some(list(offset, 180)));
        scene.run_to(-12.0 * HOUR as f64);
        near(scene.ahead(server), 0.0);
        assert!(
            (scene.ahead(client) - change / 2.0).abs() < 0.02,
            "{}",
            scene.ahead(client)
        );
        assert_eq!(
            scene.variables(SERVER, "leapsmearinterval,leapsmearoffset"),
            format!(
                "leapsmearinterval=86400, leapsmearoffset={:.3}\r\n",
                change * 500.0
            )
        );
        scene.run_to(2.0 * HOUR as f64);
        near(scene.ahead(server), change);
        assert!((scene.ahead(client) - change).abs() < 0.01);
        assert_eq!(scene.steps(client), 0);
        assert_eq!(scene.log(client, "leap_event"), 0);
        assert_eq!(scene.log(client, "spike_detect"), 0);
        for (at, header) in scene.answers(SERVER) {
            let smeared = (-24.0 * HOUR as f64 + 1.0..-5.0).contains(&at);
            let shown = header.reference_id.to_bytes();
            if smeared {
                assert_eq!(shown[0], 254, "{at}: {shown:?}");
                assert_eq!(header.leap, Leap::None, "{at}");
            } else if at > 2.0 {
                assert_ne!(shown[0], 254, "{at}: {shown:?}");
            }
        }
    }
}

#[test]
fn smeared_and_plain_time_are_not_mixed() {
    let mut scene = Scene::new(DAY + 2 * HOUR);
    let smeared = format!("{SERVED}{LEAPFILE}leapsmearinterval 86400\n");
    scene.add(SERVER, &smeared, Some(list("37", 180)));
    scene.add("10.0.0.3", &smeared, Some(list("37", 180)));
    scene.add(
        "10.0.0.4",
        &format!("{SERVED}{LEAPFILE}"),
        Some(list("37", 180)),
    );
    let conf = format!("server {SERVER} iburst\nserver 10.0.0.3 iburst\nserver 10.0.0.4 iburst\n");
    let client = scene.add(CLIENT, &conf, None);
    scene.run_to(-12.0 * HOUR as f64);
    near(scene.ahead(client), 0.0);
    assert_eq!(scene.log(client, "is smeared around a leap second"), 2);
    scene.run_to(6.0 * HOUR as f64);
    near(scene.ahead(client), -1.0);
    assert_eq!(scene.steps(client), 0);
    assert_eq!(scene.log(client, "is smeared around a leap second"), 2);
    assert_eq!(scene.log(client, "no_sys_peer"), 0);
}
