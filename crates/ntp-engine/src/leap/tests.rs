//! Tests of the second itself, on clocks that do as they are told and on others.

use ntp_discipline::LeapTable;
use ntp_wire::Timestamp;

use super::*;

/// 1 January 2017 in seconds since 1900.
const NEW_YEAR: i64 = 3_692_217_600;

fn leaps(offset: i32, change: impl FnOnce(&mut LeapOptions)) -> Leaps {
    let mut options = LeapOptions {
        file: None,
        smear_interval: None,
        steering: true,
        by_clock: true,
        tinker: Tinker::default(),
    };
    change(&mut options);
    let mut leaps = Leaps::new(options);
    let text = format!("#@ 3800000000\n3644697600 36\n{NEW_YEAR} {offset}\n");
    let table = LeapTable::parse(text.as_bytes(), HashCheck::Ignored).unwrap();
    leaps.schedule.set_table(table);
    leaps
}

/// So many milliseconds after the start, which is a minute before New Year, on a clock that was
/// changed by so many.
fn now(milliseconds: i64, changed: i64) -> Now {
    let start = Timestamp::from_parts(NEW_YEAR - 60, 0);
    Now {
        wall: start + Duration::from_nanos((milliseconds + changed) * 1_000_000),
        monotonic: Monotonic::from_nanos(milliseconds as u64 * 1_000_000),
    }
}

fn armed(leaps: &mut Leaps) -> LeapSecond {
    match leaps.watch(now(0, 0), true)[..] {
        [
            LeapNews::Armed {
                leap,
                from_sources: false,
            },
        ] => leap,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_clock_that_makes_the_leap_is_believed() {
    for (offset, due, change) in [(37, 60_000, -1000), (35, 59_000, 1000)] {
        let mut leaps = leaps(offset, |_| {});
        let leap = armed(&mut leaps);
        assert_ne!(leaps.for_clock(true), Leap::None);
        assert_eq!(leaps.watch(now(due - 900, 0), true), []);
        let (before, after) = (now(due - 900, 0), now(due + 100, change));
        let jump = Duration::from_nanos(change * 1_000_000);
        assert!(
            !leaps.explains(jump * 2, before, after),
            "two seconds are no leap"
        );
        assert!(
            !leaps.explains(-jump, before, after),
            "nor is the wrong way"
        );
        assert!(leaps.explains(jump, before, after));
        assert_eq!(leaps.watch(after, true), [LeapNews::Made(leap)]);
        assert_eq!(leaps.watch(now(due + 1100, change), true), []);
        // A second one is somebody else's.
        assert!(!leaps.explains(jump, after, now(due + 200, 2 * change)));
        assert_eq!(leaps.for_clock(true), Leap::None);
        assert_eq!(leaps.outlook().tai_offset, Some(offset));
    }
}

#[test]
fn a_clock_that_does_not_is_stepped() {
    for (offset, due) in [(37, 60_000), (35, 59_000)] {
        let mut leaps = leaps(offset, |_| {});
        let leap = armed(&mut leaps);
        assert_eq!(leaps.watch(now(due + 249, 0), true), []);
        assert_eq!(
            leaps.deadline().unwrap().as_nanos() / 1_000_000,
            due as u64 + 250
        );
        let overdue = true;
        assert_eq!(
            leaps.watch(now(due + 251, 0), true),
            [LeapNews::Step { leap, overdue }]
        );
        // Once.
        assert_eq!(leaps.watch(now(due + 300, 0), true), []);
        assert_eq!(leaps.step_done(now(due + 301, 0)), Some(leap));
        assert_eq!(leaps.step_done(now(due + 302, 0)), None);
    }
}

#[test]
fn who_slept_through_it_does_nothing() {
    let mut leaps = leaps(37, |_| {});
    armed(&mut leaps);
    assert_eq!(leaps.watch(now(70_000, 0), true), [LeapNews::Disarmed]);
}

#[test]
fn who_wakes_up_right_before_it_is_not_armed() {
    let mut leaps = leaps(37, |_| {});
    assert_eq!(leaps.watch(now(55_000, 0), true), []);
    assert_eq!(leaps.for_clock(true), Leap::None);
    assert_eq!(leaps.watch(now(61_000, 0), true), []);
    assert_eq!(leaps.outlook().tai_offset, Some(37));
}

#[test]
fn a_clock_that_is_not_set_is_told_nothing() {
    let mut leaps = leaps(37, |options| options.steering = false);
    let leap = armed(&mut leaps);
    assert_eq!(leaps.for_clock(true), Leap::None);
    assert_eq!(leaps.watch(now(60_001, 0), true), [LeapNews::NotMade(leap)]);
}

#[test]
fn who_is_not_synchronised_disarms() {
    let mut leaps = leaps(37, |_| {});
    armed(&mut leaps);
    assert_eq!(leaps.watch(now(1000, 0), false), [LeapNews::Disarmed]);
    assert_eq!(leaps.for_clock(false), Leap::Unsynchronised);
    assert_eq!(leaps.served(now(1000, 0), false).leap, Leap::Unsynchronised);
}

#[test]
fn nobody_is_told_the_time_in_the_last_seconds() {
    let interval = Some(Duration::from_seconds(7200));
    for smear in [None, interval] {
        let mut leaps = leaps(37, |options| options.smear_interval = smear);
        armed(&mut leaps);
        let usual = if smear.is_some() {
            Leap::None
        } else {
            Leap::Insert
        };
        for (time, changed, expected) in [
            (50_000, 0, usual),
            (57_000, 0, usual),
            (57_001, 0, Leap::Unsynchronised),
            (59_900, 0, Leap::Unsynchronised),
            // The second that is inserted, and the one after it.
            (60_100, -1000, Leap::Unsynchronised),
            (60_900, -1000, Leap::Unsynchronised),
            (61_000, -1000, Leap::None),
        ] {
            if changed != 0 && leaps.outlook().next.is_some() {
                let jump = Duration::from_millis(-1000);
                assert!(leaps.explains(jump, now(59_900, 0), now(time, changed)));
                leaps.watch(now(time, changed), true);
            }
            let served = leaps.served(now(time, changed), true);
            assert_eq!(served.leap, expected, "{time}");
            assert_eq!(served.smear.is_some(), smear.is_some() && changed == 0);
            let delicate = (57_001..62_100).contains(&time);
            assert_eq!(leaps.is_delicate(now(time, changed)), delicate, "{time}");
        }
        assert!(!leaps.is_delicate(now(62_100, -1000)));
    }
}
