use core::time::Duration as Elapsed;

use proptest::prelude::*;

use super::*;

const PRECISION: Precision = Precision::new(-20);

fn conditions() -> FilterConditions {
    FilterConditions {
        precision: PRECISION,
        poll: PollExponent::new(6),
        allan: PollExponent::new(11),
        dispersion_rate: Ppm::new(15.0),
        maximum_distance: Duration::from_millis(1500),
        settling: false,
    }
}

fn seconds(seconds: u64) -> Monotonic {
    Monotonic::START + Elapsed::from_secs(seconds)
}

fn sample(at: u64, offset: i32, delay: i32) -> Sample {
    Sample {
        offset: Duration::from_millis(offset),
        delay: Duration::from_millis(delay),
        dispersion: Duration::ZERO,
        at: seconds(at),
    }
}

fn filter() -> ClockFilter {
    ClockFilter::new(Monotonic::START, PRECISION)
}

#[test]
fn the_sample_with_the_least_delay_wins() {
    let mut filter = filter();
    assert_eq!(
        filter.push(sample(64, 5, 30), &conditions()),
        FilterVerdict::Updated
    );
    assert_eq!(
        filter.push(sample(128, 1, 10), &conditions()),
        FilterVerdict::Updated
    );
    assert_eq!(filter.estimate().offset, Duration::from_millis(1));
    // A worse one changes the bounds, but is not used; nor is the good one used again.
    assert_eq!(
        filter.push(sample(192, 9, 40), &conditions()),
        FilterVerdict::Stale
    );
    assert_eq!(filter.estimate().offset, Duration::from_millis(1));
    assert_eq!(filter.estimate().at, Some(seconds(128)));
    assert_eq!(filter.stages()[0].offset, Duration::from_millis(9));
    assert_eq!(filter.stages()[2].offset, Duration::from_millis(5));
}

#[test]
fn while_settling_the_newest_sample_wins() {
    let settling = FilterConditions {
        settling: true,
        ..conditions()
    };
    let mut filter = filter();
    filter.push(sample(64, 1, 10), &settling);
    assert_eq!(
        filter.push(sample(128, 9, 40), &settling),
        FilterVerdict::Updated
    );
    assert_eq!(filter.estimate().offset, Duration::from_millis(9));
    // An answer that did not come is no sample at all.
    assert_eq!(filter.miss(seconds(192), &settling), FilterVerdict::Stale);
    assert_eq!(filter.estimate().offset, Duration::from_millis(9));
}

#[test]
fn dispersion_tells_how_many_stages_are_filled() {
    let mut filter = filter();
    assert_eq!(
        filter.estimate().dispersion,
        ClockFilter::MAXIMUM_DISPERSION
    );
    // With n samples about 16/2ⁿ s are left: the fourth brings it below 1.5 s.
    for (count, bound) in [(1, 8.0), (2, 4.0), (3, 2.0), (4, 1.0)] {
        filter.push(sample(2 * count, 0, 10), &conditions());
        let dispersion = filter.estimate().dispersion.to_seconds_f64();
        assert!((dispersion - bound).abs() < 0.07, "{count}: {dispersion}");
    }
}

#[test]
fn samples_age_by_fifteen_millionths() {
    let mut filter = filter();
    filter.push(sample(0, 0, 10), &conditions());
    filter.push(sample(1000, 0, 20), &conditions());
    let aged = filter.stages()[1].dispersion.to_seconds_f64();
    assert!((aged - 0.015).abs() < 1e-9, "{aged}");
    assert_eq!(filter.stages()[0].dispersion, Duration::ZERO);
    assert_eq!(filter.updated(), seconds(1000));
}

#[test]
fn beyond_the_allan_intercept_age_counts_against_a_sample() {
    let mut filter = filter();
    filter.push(sample(0, 1, 10), &conditions());
    // 1 ms more delay; the old sample has 30 ms of dispersion by then, but only past 2048 s is
    // that held against it.
    assert_eq!(
        filter.push(sample(2000, 2, 11), &conditions()),
        FilterVerdict::Stale
    );
    assert_eq!(
        filter.push(sample(2100, 3, 11), &conditions()),
        FilterVerdict::Updated
    );
    assert_eq!(filter.estimate().offset, Duration::from_millis(3));
}

#[test]
fn a_spike_is_not_used_unless_it_lasts() {
    // A burst whose best sample says something else than all others.
    let mut filter = filter();
    filter.push(sample(2, 500, 10), &conditions());
    for count in 2..=8 {
        let verdict = filter.push(sample(2 * count, 0, 20), &conditions());
        assert_eq!(verdict, FilterVerdict::Stale);
    }
    // It drops out, and the next best is suddenly far from what was used.
    assert_eq!(
        filter.push(sample(18, 0, 20), &conditions()),
        FilterVerdict::Spike
    );
    assert_eq!(filter.estimate().offset, Duration::from_millis(500));
    // Twice the poll interval after the last one that was used it is believed.
    assert_eq!(
        filter.push(sample(129, 0, 20), &conditions()),
        FilterVerdict::Spike
    );
    assert_eq!(
        filter.push(sample(130, 0, 20), &conditions()),
        FilterVerdict::Updated
    );
    assert_eq!(filter.estimate().offset, Duration::ZERO);
}

#[test]
fn jitter_is_the_mean_difference_from_the_best() {
    let jitter = |samples: &[(i32, i32)]| {
        let mut filter = filter();
        for (count, (offset, delay)) in samples.iter().enumerate() {
            filter.push(sample(count as u64, *offset, *delay), &conditions());
        }
        filter.estimate().jitter.to_seconds_f64() * 1e3
    };
    assert!((jitter(&[(0, 10), (3, 20), (4, 30)]) - 12.5f64.sqrt()).abs() < 1e-6);
    // Of samples that are too far away no more than two count.
    assert!((jitter(&[(0, 2000), (10, 2100), (50, 2200)]) - 10.0).abs() < 1e-6);
}

#[test]
fn losing_every_sample_leaves_nothing() {
    let mut filter = filter();
    filter.push(sample(64, 5, 10), &conditions());
    for count in 2..=8 {
        assert_eq!(
            filter.miss(seconds(64 * count), &conditions()),
            FilterVerdict::Stale
        );
    }
    assert_eq!(
        filter.miss(seconds(64 * 9), &conditions()),
        FilterVerdict::Empty
    );
    assert_eq!(filter.estimate().dispersion.to_seconds_f64().round(), 16.0);
    filter.clear(seconds(1000), PRECISION);
    assert_eq!(filter.estimate().at, None);
}

prop_compose! {
    fn any_sample()(offset: i64, delay: i64, dispersion: i64, at in 0u64..1 << 45) -> Sample {
        Sample {
            offset: Duration::from_bits(offset),
            delay: Duration::from_bits(delay),
            dispersion: Duration::from_bits(dispersion),
            at: Monotonic::from_nanos(at),
        }
    }
}

prop_compose! {
    fn near_sample()(offset in -1i64 << 28..1 << 28, delay in 0i64..1 << 28, later in 0u64..1 << 37) -> (Duration, Duration, Elapsed) {
        (Duration::from_bits(offset), Duration::from_bits(delay), Elapsed::from_nanos(later))
    }
}

proptest! {
    #[test]
    fn no_sample_older_than_the_last_is_used(
        samples in proptest::collection::vec(near_sample(), 1..40), settling: bool,
    ) {
        let conditions = FilterConditions { settling, ..conditions() };
        let mut filter = filter();
        let mut now = Monotonic::START;
        let mut used = None;
        for (offset, delay, later) in samples {
            now += later;
            let sample = Sample { offset, delay, dispersion: Duration::ZERO, at: now };
            let verdict = filter.push(sample, &conditions);
            let estimate = filter.estimate();
            if verdict == FilterVerdict::Updated {
                prop_assert!(estimate.at > used);
                used = estimate.at;
            } else {
                prop_assert_eq!(estimate.at, used);
            }
        }
    }

    #[test]
    fn whatever_comes_in_the_bounds_are_bounds(
        samples in proptest::collection::vec(any_sample(), 1..40), settling: bool, rate: f64,
    ) {
        let conditions = FilterConditions {
            settling,
            dispersion_rate: Ppm::new(rate),
            ..conditions()
        };
        let mut filter = filter();
        for sample in samples {
            filter.push(sample, &conditions);
            let estimate = filter.estimate();
            prop_assert!(estimate.jitter >= PRECISION.to_duration());
            prop_assert!(estimate.delay >= Duration::ZERO);
            for dispersion in filter.stages().iter().map(|stage| stage.dispersion).chain([estimate.dispersion]) {
                prop_assert!(!dispersion.is_negative());
                prop_assert!(dispersion <= ClockFilter::MAXIMUM_DISPERSION);
            }
        }
    }
}
