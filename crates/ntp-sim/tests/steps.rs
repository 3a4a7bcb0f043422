//! When a clock is stepped, slewed, or given up: the options of the command line, and `tinker`.

#![allow(clippy::unwrap_used)] // A test that can't go on has failed.

use std::{net::IpAddr, time::Duration as Elapsed};

use ntp_discipline::Now;
use ntp_engine::{Engine, Exit, Setup};
use ntp_sim::{Delay, Disturbance, Link, Loss, World};
use ntp_wire::{Duration, Ppm, Timestamp};

const SERVER: &str = "10.0.0.1";
const CLIENT: &str = "10.0.0.2";

/// A world with a server that has been up for a minute, and a client whose clock is `ahead` by so
/// many seconds.
struct Scene {
    world: World,
    client: usize,
}

impl Scene {
    fn new(tinker: &str, ahead: f64, options: impl FnOnce(&mut Setup)) -> Self {
        let delay = Delay::Exponential {
            least: Elapsed::from_micros(200),
            mean_excess: Elapsed::from_micros(50),
        };
        let origin = Timestamp::from_unix(1_795_393_189, 0);
        let mut world = World::new(origin, Link::new(delay, Loss::NONE, [3; 32]));
        let served = setup("server 127.127.1.0\nfudge 127.127.1.0 stratum 1\n");
        let server = move |now: Now| Engine::new(served, [1; 32], now);
        world.add(address(SERVER), Duration::ZERO, Ppm::ZERO, server);
        world.run(Elapsed::from_secs(60));
        let mut setup = setup(&format!("server {SERVER} iburst maxpoll 6\n{tinker}\n"));
        setup.frequency = Some(Ppm::ZERO);
        options(&mut setup);
        let ahead = Duration::from_seconds_f64(ahead);
        let client = move |now: Now| Engine::new(setup, [2; 32], now);
        let client = world.add(address(CLIENT), ahead, Ppm::ZERO, client);
        Self { world, client }
    }

    fn run(&mut self, seconds: u64) -> &mut Self {
        self.world.run(Elapsed::from_secs(seconds));
        self
    }

    /// The server is set, and the client is not.
    fn server_steps(&mut self, seconds: f64) -> &mut Self {
        let step = Disturbance::Step(Duration::from_seconds_f64(seconds));
        self.world.disturb(0, step);
        self
    }

    fn steps(&self) -> u32 {
        self.world.host(self.client).steps()
    }

    fn exit(&self) -> Option<Exit> {
        self.world.host(self.client).exit()
    }

    fn ahead(&self) -> f64 {
        (self.world.error(self.client) - self.world.error(0)).to_seconds_f64()
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn setup(text: &str) -> Setup {
    let parsed = ntp_conf::parse("ntp.conf", text, |_| Err("no other file".to_owned()));
    assert!(!parsed.has_errors(), "{}", parsed.render());
    Setup::new(parsed.config)
}

fn plain(_: &mut Setup) {}

#[track_caller]
fn near(left: f64, right: f64, within: f64) {
    assert!((left - right).abs() < within, "{left}, not {right}");
}

#[test]
fn the_gate_of_g_closes_behind_the_first_correction() {
    let mut scene = Scene::new("", 3600.0, |setup| setup.panic_once = true);
    scene.run(60);
    assert_eq!((scene.steps(), scene.exit()), (1, None));
    near(scene.ahead(), 0.0, 0.005);
    scene.server_steps(3600.0).run(1200);
    assert!(
        matches!(scene.exit(), Some(Exit::Panic(_))),
        "{:?}",
        scene.exit()
    );
    near(scene.ahead(), -3600.0, 0.1);
    // It closes behind a small one just so.
    let mut scene = Scene::new("", 0.05, |setup| setup.panic_once = true);
    scene.run(600).server_steps(-3600.0).run(1200);
    assert!(
        matches!(scene.exit(), Some(Exit::Panic(_))),
        "{:?}",
        scene.exit()
    );
}

#[test]
fn without_panic_every_offset_is_corrected() {
    let mut scene = Scene::new("tinker panic 0", 86_400.0, plain);
    scene.run(60);
    assert_eq!((scene.steps(), scene.exit()), (1, None));
    let mut scene = Scene::new("tinker panic 10", 11.0, plain);
    scene.run(60);
    assert!(matches!(scene.exit(), Some(Exit::Panic(_))));
    let mut scene = Scene::new("tinker panic 10", 9.0, plain);
    scene.run(60);
    assert_eq!((scene.steps(), scene.exit()), (1, None));
}

#[test]
fn g_in_capitals_steps_the_first_offset_and_no_other() {
    let mut scene = Scene::new("", 0.02, |setup| setup.step_once = true);
    scene.run(60);
    assert_eq!(scene.steps(), 1);
    near(scene.ahead(), 0.0, 0.001);
    scene.run(600).server_steps(-0.02).run(3600);
    assert_eq!(scene.steps(), 1);
    let mut scene = Scene::new("", 0.02, plain);
    scene.run(60);
    assert_eq!(scene.steps(), 0);
}

#[test]
fn x_slews_up_to_600_s() {
    let slewing = |setup: &mut Setup| setup.slew = true;
    let mut scene = Scene::new("", 5.0, slewing);
    scene.run(4000);
    assert_eq!(scene.steps(), 0);
    // 500 ppm are 1.8 s an hour.
    near(scene.ahead(), 3.0, 0.2);
    scene.run(12_000);
    assert_eq!(scene.steps(), 0);
    near(scene.ahead(), 0.0, 0.1);
    let mut scene = Scene::new("", 601.0, slewing);
    scene.run(60);
    assert_eq!(scene.steps(), 1);
    // It counts more than what is in the file.
    let mut scene = Scene::new("tinker step 0.128", 5.0, slewing);
    scene.run(1000);
    assert_eq!(scene.steps(), 0);
}

#[test]
fn thresholds_of_either_direction_count() {
    for (tinker, ahead, steps) in [
        ("tinker step 0", 5.0, 0),
        ("tinker step 0", -5.0, 0),
        ("tinker step 0.01", 0.02, 1),
        ("tinker step 10", 5.0, 0),
        ("tinker stepback 0", 5.0, 0),
        ("tinker stepback 0", -5.0, 1),
        ("tinker stepfwd 0", 5.0, 1),
        ("tinker stepfwd 10 stepback 1", -5.0, 0),
        ("tinker stepfwd 10 stepback 1", 5.0, 1),
    ] {
        let mut scene = Scene::new(tinker, ahead, plain);
        scene.run(60);
        assert_eq!(scene.steps(), steps, "{tinker}, {ahead} s ahead");
    }
}

#[test]
fn an_offset_must_last_for_the_stepout() {
    for (tinker, stepout) in [("", 300), ("tinker stepout 900", 900)] {
        let mut scene = Scene::new(tinker, 0.0, plain);
        // Counted from the last offset that was believed, which may be two polls before.
        scene.run(1200).server_steps(1.0).run(stepout - 130);
        assert_eq!(scene.steps(), 0, "{stepout}");
        scene.run(800);
        assert_eq!(scene.steps(), 1, "{stepout}");
        near(scene.ahead(), 0.0, 0.01);
    }
}

#[test]
fn q_corrects_once() {
    let once = |setup: &mut Setup| setup.one_shot = true;
    let ended = |ahead: f64, options: &dyn Fn(&mut Setup)| {
        let mut scene = Scene::new("", ahead, |setup| {
            once(setup);
            options(setup);
        });
        scene.run(60);
        (scene.exit().unwrap(), scene.steps())
    };
    assert!(matches!(ended(5.0, &plain), (Exit::Stepped(_), 1)));
    assert!(matches!(ended(0.05, &plain), (Exit::Slewed(_), 0)));
    assert!(matches!(ended(2000.0, &plain), (Exit::Panic(_), 0)));
    let brave = |setup: &mut Setup| setup.panic_once = true;
    assert!(matches!(ended(2000.0, &brave), (Exit::Stepped(_), 1)));
    let slewing = |setup: &mut Setup| setup.slew = true;
    assert!(matches!(ended(5.0, &slewing), (Exit::Slewed(_), 0)));
    let forced = |setup: &mut Setup| setup.step_once = true;
    assert!(matches!(ended(0.05, &forced), (Exit::Stepped(_), 1)));
}

#[test]
fn a_frequency_in_the_file_goes_before_the_drift_file() {
    for discipline in ["classic", "precise"] {
        let conf = format!("discipline {discipline}\ntinker freq 12.5");
        let mut scene = Scene::new(&conf, 0.0, |setup| {
            setup.frequency = Some(Ppm::new(100.0));
        });
        scene.run(0);
        let now = scene.world.now();
        scene.world.host_mut(scene.client).shut_down(now);
        let drift = scene.world.host(scene.client).drift();
        near(drift.unwrap().value(), 12.5, 0.001);
    }
}
