use ntp_discipline::ClockStatus;
use ntp_wire::{Duration, Ppm};

use super::*;

fn open(spec: &str) -> SystemClock {
    SystemClock::open(&spec.parse().unwrap()).unwrap()
}

/// How far `clock` is ahead of the machine's.
fn ahead(clock: &SystemClock) -> Duration {
    clock.read().wall - stamp::real()
}

/// Two clocks cannot be read at once: the program may be held up in between.
fn is_about(duration: Duration, seconds: f64) -> bool {
    is_within(duration, seconds, Duration::from_millis(400))
}

fn is_within(duration: Duration, seconds: f64, tolerance: Duration) -> bool {
    (duration - Duration::from_seconds_f64(seconds)).abs() < tolerance
}

#[test]
fn the_clock_that_never_moves_shows_the_kernels_time() {
    let mut clock = open("none");
    let step = Adjustment::Step(Duration::from_seconds(5));
    assert_eq!(clock.adjust(&step), Ok(Applied::Ignored));
    assert!(is_about(ahead(&clock), 0.0));
}

#[test]
fn readings_go_forward() {
    for spec in ["kernel", "none", "virtual:offset=5,freq=100"] {
        let clock = open(spec);
        let mut last = clock.read();
        for _ in 0..1000 {
            let next = clock.read();
            assert!(next.wall >= last.wall && next.monotonic >= last.monotonic);
            last = next;
        }
    }
}

#[test]
fn a_virtual_clock_is_wrong_as_told_and_can_be_set() {
    let mut clock = open("virtual:offset=37.25");
    assert!(clock.check_permission().is_ok());
    assert!(is_about(ahead(&clock), 37.25));
    let step = Duration::from_millis(-37_250);
    let applied = clock.adjust(&Adjustment::Step(step));
    assert_eq!(applied, Ok(Applied::Stepped(step)));
    assert!(is_about(ahead(&clock), 0.0));
    let status = Adjustment::Status(ClockStatus::default());
    assert_eq!(clock.adjust(&status), Ok(Applied::Status));
}

#[test]
fn a_virtual_clock_gains_what_it_is_told() {
    // At 10 % fast, a tenth of a second makes 10 ms.
    let clock = open("virtual:freq=100000");
    let before = clock.read();
    std::thread::sleep(Elapsed::from_millis(100));
    let after = clock.read();
    let monotonic = (after.monotonic - before.monotonic).as_secs_f64();
    let gained = (after.wall - before.wall).to_seconds_f64() - monotonic;
    assert!((gained / monotonic - 0.1).abs() < 1e-6, "{gained}");
}

#[test]
fn stamps_are_of_the_clock_in_use() {
    for (spec, seconds) in [("none", 0.0), ("kernel", 0.0), ("virtual:offset=37", 37.0)] {
        let clock = open(spec);
        let stamp = KernelStamp::of_now();
        std::thread::sleep(Elapsed::from_millis(50));
        let arrival = clock.arrival(Some(stamp));
        let now = clock.read();
        let age = (now.monotonic - arrival.monotonic).as_secs_f64();
        assert!((0.04..30.0).contains(&age), "{spec}: {age}");
        let exact = Duration::from_nanos(100_000);
        assert!(is_within(now.wall - arrival.wall, age, exact), "{spec}");
        let kernel = stamp.kernel_time();
        assert!(is_within(arrival.wall - kernel, seconds, exact), "{spec}");
        let unstamped = clock.arrival(None);
        assert!(is_about(unstamped.wall - now.wall, 0.0), "{spec}");
    }
}

/// The rate changes each second, and datagrams wait meanwhile.
#[test]
fn a_change_of_rate_does_not_move_stamps() {
    let mut clock = open("virtual:freq=100");
    std::thread::sleep(Elapsed::from_millis(30));
    let stamp = KernelStamp::of_now();
    std::thread::sleep(Elapsed::from_millis(30));
    let before = clock.arrival(Some(stamp));
    clock.adjust(&Adjustment::Rate(Ppm::new(-100.0))).unwrap();
    let after = clock.arrival(Some(stamp));
    assert!((before.wall - after.wall).abs() < Duration::from_nanos(50_000));
}

#[test]
fn precision_is_that_of_a_fine_clock() {
    for spec in ["none", "virtual"] {
        let precision = open(spec).precision().value();
        assert!((-32..-15).contains(&precision), "{spec}: {precision}");
    }
}

#[test]
fn a_clock_with_a_state_goes_from_process_to_process() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("clock");
    let first = format!("virtual:offset=37,freq=50,state={}", state.display());
    let later = format!("virtual:state={}", state.display());

    let mut one = open(&first);
    assert!(is_about(ahead(&one), 37.0));
    one.adjust(&Adjustment::Step(Duration::from_seconds(-30)))
        .unwrap();
    one.adjust(&Adjustment::Rate(Ppm::new(-20.0))).unwrap();
    drop(one);

    // The first spec again: its offset counts only where a clock begins.
    for spec in [&later, &first] {
        let two = open(spec);
        assert!(is_about(ahead(&two), 7.0), "{spec}");
        let Kind::Virtual(clock) = &two.kind else {
            panic!("not a virtual clock");
        };
        assert!(format!("{clock:?}").contains("-20"), "{clock:?}");
    }
}

#[test]
fn a_slew_goes_on_in_the_next_process() {
    let directory = tempfile::tempdir().unwrap();
    let spec = format!("virtual:state={}", directory.path().join("clock").display());
    let slewed = open(&spec).slew(Duration::from_seconds(1));
    assert_eq!(slewed, Ok(Applied::Rate(Ppm::new(500.0))));
    let later = open(&spec);
    let before = later.read();
    std::thread::sleep(Elapsed::from_millis(200));
    let after = later.read();
    let elapsed = (after.monotonic - before.monotonic).as_secs_f64();
    let gained = (after.wall - before.wall).to_seconds_f64() - elapsed;
    let expected = elapsed * 500e-6;
    assert!(
        (gained / expected - 1.0).abs() < 1e-3,
        "{gained} {expected}"
    );
}

#[test]
fn a_clock_of_another_boot_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("clock");
    std::fs::write(
        &state,
        "virtual clock 1\nboot other\nmonotonic 1\nwall 2 3\nfrequency 4\nrate 5\n",
    )
    .unwrap();
    let clock = open(&format!("virtual:offset=3,state={}", state.display()));
    assert!(is_about(ahead(&clock), 3.0));
}

#[test]
fn bad_state_files_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("clock");
    let spec = format!("virtual:state={}", state.display());
    let error = |spec: &str| {
        SystemClock::open(&spec.parse().unwrap())
            .unwrap_err()
            .to_string()
    };
    std::fs::write(&state, "hello\n").unwrap();
    assert!(error(&spec).contains("line 1 is no state"));
    let nowhere = format!("virtual:state={}/no/clock", directory.path().display());
    assert!(error(&nowhere).contains("cannot write"));
    let folder = format!("virtual:state={}", directory.path().display());
    assert!(error(&folder).contains("cannot read"));
}

#[test]
fn a_clock_whose_state_cannot_be_kept_does_not_change() {
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let mut clock = open(&format!("virtual:state={}/clock", inner.display()));
    std::fs::remove_dir_all(&inner).unwrap();
    let step = Adjustment::Step(Duration::from_seconds(9));
    assert_eq!(clock.adjust(&step), Err(ClockError::System(libc::ENOENT)));
    assert!(is_about(ahead(&clock), 0.0));
}
