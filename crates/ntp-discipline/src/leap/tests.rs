//! Tests of the schedule.

use proptest::prelude::*;

use super::*;

/// 1 January 2017, after the last leap second that there was.
const NEW_YEAR: i64 = 3_692_217_600;
const HOUR: i64 = 3600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(seconds, 0)
}

/// A list of two leap seconds: one inserted in 2015, one inserted or left out at `NEW_YEAR`.
fn table(offset: i32, expires: i64) -> LeapTable {
    let text = format!("#@ {expires}\n3644697600 36\n{NEW_YEAR} {offset}\n");
    LeapTable::parse(text.as_bytes(), HashCheck::Ignored).unwrap()
}

fn with_table(offset: i32, expires: i64) -> LeapSchedule {
    let mut schedule = LeapSchedule::default();
    schedule.set_table(table(offset, expires));
    schedule
}

#[test]
fn a_leap_second_comes_nearer() {
    let schedule = with_table(37, NEW_YEAR + 100 * DAY);
    for (before, proximity, announced) in [
        (40 * DAY, LeapProximity::None, Leap::None),
        (31 * DAY + 1, LeapProximity::None, Leap::None),
        (31 * DAY, LeapProximity::Scheduled, Leap::None),
        (DAY + 1, LeapProximity::Scheduled, Leap::None),
        (DAY, LeapProximity::Announced, Leap::Insert),
        (11, LeapProximity::Announced, Leap::Insert),
        (10, LeapProximity::Imminent, Leap::Insert),
        (1, LeapProximity::Imminent, Leap::Insert),
        (0, LeapProximity::None, Leap::None),
        (-DAY, LeapProximity::None, Leap::None),
    ] {
        let outlook = schedule.outlook(at(NEW_YEAR - before));
        assert_eq!(outlook.proximity, proximity, "{before} s before");
        assert_eq!(outlook.announced(), announced, "{before} s before");
        assert_eq!(outlook.tai_offset, Some(if before > 0 { 36 } else { 37 }));
        assert!(!outlook.from_sources);
    }
}

#[test]
fn a_second_may_be_left_out() {
    let outlook = with_table(35, NEW_YEAR + DAY).outlook(at(NEW_YEAR - HOUR));
    assert_eq!(outlook.announced(), Leap::Delete);
    assert_eq!(outlook.next.map(LeapSecond::change), Some(-1));
}

#[test]
fn the_file_goes_before_the_sources() {
    let now = at(NEW_YEAR + 5 * DAY);
    let mut schedule = with_table(37, NEW_YEAR + 100 * DAY);
    schedule.vote(Leap::Insert, now);
    assert_eq!(schedule.outlook(now).next, None);
    // It has expired: now they are asked.
    let mut schedule = with_table(37, NEW_YEAR + 4 * DAY);
    schedule.vote(Leap::Insert, now);
    let outlook = schedule.outlook(now);
    assert!(outlook.from_sources);
    assert_eq!(outlook.proximity, LeapProximity::Scheduled);
    let next = outlook.next.unwrap();
    assert_eq!(next.at, at(NEW_YEAR + 31 * DAY));
    // After it TAI − UTC is one more than the file knows.
    assert_eq!(schedule.outlook(next.at).tai_offset, Some(38));
    schedule.vote(Leap::None, at(NEW_YEAR + 32 * DAY));
    assert_eq!(
        schedule.outlook(at(NEW_YEAR + 32 * DAY)).tai_offset,
        Some(38)
    );
    // A new file knows better.
    schedule.set_table(table(37, NEW_YEAR + 200 * DAY));
    assert_eq!(
        schedule.outlook(at(NEW_YEAR + 33 * DAY)).tai_offset,
        Some(37)
    );
}

#[test]
fn what_the_file_knows_already_is_not_counted_twice() {
    let mut schedule = with_table(37, NEW_YEAR - 10 * DAY);
    let eve = at(NEW_YEAR - HOUR);
    schedule.vote(Leap::Insert, eve);
    assert!(!schedule.outlook(eve).from_sources);
    assert_eq!(schedule.outlook(at(NEW_YEAR)).tai_offset, Some(37));
}

#[test]
fn what_the_sources_no_longer_say_is_withdrawn() {
    let now = at(NEW_YEAR - HOUR);
    let mut schedule = LeapSchedule::default();
    schedule.vote(Leap::Insert, now);
    for _ in 0..DOUBTS - 1 {
        schedule.vote(Leap::None, now);
        assert_eq!(schedule.outlook(now).announced(), Leap::Insert);
    }
    // One that says it again settles all doubts.
    schedule.vote(Leap::Insert, now);
    for _ in 0..DOUBTS {
        assert_eq!(schedule.outlook(now).announced(), Leap::Insert);
        schedule.vote(Leap::None, now);
    }
    assert_eq!(schedule.outlook(now).next, None);
    // In the last seconds nothing changes any more.
    schedule.vote(Leap::Insert, at(NEW_YEAR - 5));
    assert_eq!(schedule.outlook(at(NEW_YEAR - 5)).next, None);
}

#[test]
fn a_late_announcement_is_not_for_the_next_month() {
    let mut schedule = LeapSchedule::default();
    schedule.vote(Leap::Insert, at(NEW_YEAR - HOUR));
    for after in [0, 1, HOUR - 1] {
        schedule.vote(Leap::Insert, at(NEW_YEAR + after));
        assert_eq!(schedule.outlook(at(NEW_YEAR + after)).next, None);
    }
    schedule.vote(Leap::Insert, at(NEW_YEAR + HOUR));
    assert!(schedule.outlook(at(NEW_YEAR + HOUR)).next.is_some());
}

proptest! {
    #[test]
    fn nothing_said_makes_a_leap_within_a_month(
        start in -1i64 << 40..1i64 << 40, said in proptest::collection::vec((0u8..4, 0i64..100_000), 0..40),
    ) {
        let mut schedule = LeapSchedule::default();
        let mut now = start;
        for (leap, later) in said {
            now += later;
            schedule.vote(Leap::from_bits(leap), at(now));
            if let Some(next) = schedule.outlook(at(now)).next {
                prop_assert!(next.at > at(now));
                prop_assert_eq!(month_start(next.at), next.at);
                prop_assert_eq!(next.at, next_month_start(at(now)));
            }
        }
    }
}
