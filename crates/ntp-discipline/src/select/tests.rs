use ntp_wire::{PollExponent, ReferenceId};
use proptest::prelude::*;

use super::*;

fn server(offset_ms: f64, distance_ms: f64) -> Candidate {
    Candidate {
        kind: SourceKind::Server,
        reachable: true,
        leap: Leap::None,
        stratum: Stratum::new(2),
        reference_id: ReferenceId::from_bytes([10, 0, 0, 2]),
        own_reference_id: ReferenceId::from_bytes([10, 0, 0, 9]),
        precision: Precision::new(-20),
        offset: Duration::from_seconds_f64(offset_ms * 1e-3),
        delay: Duration::from_seconds_f64(2e-3 * distance_ms),
        dispersion: Duration::ZERO,
        jitter: Duration::from_nanos(1000),
        age: Elapsed::ZERO,
        poll: PollExponent::new(6),
        root_delay: Duration::ZERO,
        root_dispersion: Duration::ZERO,
        looped: false,
        prefer: false,
        noselect: false,
        always_true: false,
    }
}

fn local() -> Candidate {
    Candidate {
        kind: SourceKind::Local,
        stratum: Stratum::new(5),
        ..server(0.0, 0.0)
    }
}

fn conditions(uptime: u64) -> SelectionConditions {
    SelectionConditions {
        precision: Precision::new(-20),
        dispersion_rate: Ppm::new(15.0),
        uptime: Elapsed::from_secs(uptime),
        system_peer: None,
    }
}

fn select(candidates: &[Candidate]) -> Selection {
    Selector::new(Limits::default()).select(candidates, &conditions(0))
}

#[test]
fn nobody_is_followed_where_there_is_nobody() {
    assert_eq!(select(&[]), Selection::default());
}

#[test]
fn one_server_is_followed_as_it_stands() {
    let found = select(&[server(7.0, 10.0)]);
    assert_eq!(found.tallies, [Tally::SystemPeer]);
    let combined = found.combined.unwrap();
    let error = combined.offset - server(7.0, 10.0).offset;
    assert!(error.abs() <= Duration::from_bits(1));
    assert_eq!(combined.stratum, Stratum::new(3));
    assert_eq!(combined.root_delay, server(7.0, 10.0).delay);
    // What is still to be slewed away is part of the error.
    assert!(combined.root_dispersion >= combined.offset);
}

#[test]
fn the_unfit_are_rejected_and_the_reason_told() {
    let selector = Selector::new(Limits::default());
    let reason = |candidate: &Candidate| selector.unfitness(candidate, &conditions(0));
    assert!(!reason(&server(0.0, 1.0)).any());
    assert!(
        reason(&Candidate {
            leap: Leap::Unsynchronised,
            ..server(0.0, 1.0)
        })
        .stratum
    );
    assert!(
        reason(&Candidate {
            stratum: Stratum::new(16),
            ..server(0.0, 1.0)
        })
        .stratum
    );
    assert!(
        reason(&Candidate {
            reachable: false,
            ..server(0.0, 1.0)
        })
        .unreachable
    );
    assert!(
        reason(&Candidate {
            noselect: true,
            ..server(0.0, 1.0)
        })
        .unreachable
    );
    assert!(
        reason(&Candidate {
            looped: true,
            ..server(0.0, 1.0)
        })
        .looped
    );
    // Until the next poll in 64 s the limit of 1500 ms may be passed by 0.96 ms.
    assert!(!reason(&server(0.0, 1500.9)).any());
    assert!(reason(&server(0.0, 1501.0)).distance);
    let clock = Candidate {
        kind: SourceKind::ReferenceClock,
        ..server(0.0, 1501.0)
    };
    assert!(!reason(&clock).any());
    let old = Candidate {
        age: Elapsed::from_secs(100_000),
        ..server(0.0, 10.0)
    };
    assert!(reason(&old).distance);
    assert_eq!(select(&[old]).tallies, [Tally::Reject]);
}

#[test]
fn root_distance_is_the_sum_of_all_errors() {
    let candidate = Candidate {
        delay: Duration::from_millis(10),
        root_delay: Duration::from_millis(20),
        dispersion: Duration::from_millis(3),
        age: Elapsed::from_secs(1000),
        root_dispersion: Duration::from_millis(4),
        jitter: Duration::from_millis(5),
        ..server(0.0, 0.0)
    };
    let selector = Selector::new(Limits::default());
    let distance = |candidate| {
        selector
            .root_distance(candidate, &conditions(0))
            .to_seconds_f64()
    };
    assert!((distance(&candidate) - 0.042).abs() < 1e-8);
    assert!((distance(&server(0.0, 0.0)) - 0.001).abs() < 1e-8);
}

#[test]
fn two_that_disagree_leave_nobody() {
    let found = select(&[server(0.0, 10.0), server(100.0, 10.0)]);
    assert_eq!(found.tallies, [Tally::Falseticker, Tally::Falseticker]);
    assert_eq!(found.combined, None);
    let believed = Candidate {
        always_true: true,
        ..server(100.0, 10.0)
    };
    let found = select(&[server(0.0, 10.0), believed]);
    assert_eq!(found.tallies, [Tally::Falseticker, Tally::SystemPeer]);
}

#[test]
fn the_nearer_ones_weigh_more() {
    let found = select(&[server(0.0, 10.0), server(6.0, 20.0)]);
    // Weights 100 and 50.
    let combined = found.combined.unwrap();
    assert!((combined.offset.to_seconds_f64() - 0.002).abs() < 1e-6);
    assert_eq!(found.tallies, [Tally::SystemPeer, Tally::Candidate]);
    // √(weighted square differences from the leader + its selection jitter²), √(12 + 36) ms.
    assert!((combined.jitter.to_seconds_f64() - 0.048f64.sqrt() * 0.001_f64.sqrt()).abs() < 1e-6);
}

#[test]
fn the_outlier_is_voted_off() {
    let offsets = [0.0, 0.1, 0.2, 8.0];
    let candidates = offsets.map(|offset| server(offset, 10.0));
    assert_eq!(select(&candidates).tallies[3], Tally::Outlier);
    let mut preferred = candidates;
    preferred[3].prefer = true;
    let found = select(&preferred);
    assert_eq!(found.tallies[3], Tally::SystemPeer);
    assert_eq!(found.combined.unwrap().offset, preferred[3].offset);
    // Where the sources' own jitter is larger than their spread, nobody is.
    let noisy = candidates.map(|candidate| Candidate {
        jitter: Duration::from_millis(9),
        ..candidate
    });
    assert_eq!(select(&noisy).survivors.len(), 4);
}

#[test]
fn more_than_enough_are_backups() {
    let candidates: Vec<Candidate> = (0..12).map(|n| server(f64::from(n), 50.0)).collect();
    let found = select(&candidates);
    let count = |tally| found.tallies.iter().filter(|each| **each == tally).count();
    assert_eq!(count(Tally::Backup), 2);
    assert_eq!(count(Tally::Outlier), 7);
    assert_eq!(found.survivors.len(), 3);
}

#[test]
fn fewer_than_minsane_are_not_followed() {
    let limits = Limits {
        minimum_sane: 2,
        ..Limits::default()
    };
    let mut selector = Selector::new(limits);
    let found = selector.select(&[server(0.0, 1.0)], &conditions(0));
    assert_eq!(
        (found.tallies, found.combined),
        (vec![Tally::Candidate], None)
    );
}

#[test]
fn a_wait_is_as_long_as_the_limits_say_last() {
    let limits = |wait| Limits {
        orphan: Some(Stratum::new(9)),
        orphan_wait: Elapsed::from_secs(wait),
        ..Limits::default()
    };
    let mut selector = Selector::new(limits(300));
    selector.wait_again(Elapsed::from_secs(100));
    assert_eq!(selector.orphan_stratum(Elapsed::from_secs(120)), None);
    selector.set_limits(limits(20));
    assert_eq!(selector.orphan_stratum(Elapsed::from_secs(119)), None);
    assert!(selector.orphan_stratum(Elapsed::from_secs(120)).is_some());
}

#[test]
fn a_local_clock_alone_is_used_at_once() {
    let found = select(&[local()]);
    assert_eq!(found.tallies, [Tally::SystemPeer]);
    assert_eq!(found.combined.unwrap().stratum, Stratum::new(6));
    let watched = Candidate {
        noselect: true,
        ..server(0.0, 1.0)
    };
    assert_eq!(
        select(&[local(), watched]).tallies,
        [Tally::SystemPeer, Tally::Reject]
    );
}

#[test]
fn a_local_clock_waits_for_the_others_and_gives_way() {
    let mute = Candidate {
        reachable: false,
        ..server(0.0, 1.0)
    };
    let mut selector = Selector::new(Limits::default());
    let mut at = |candidates: &[Candidate], uptime, system_peer| {
        let conditions = SelectionConditions {
            system_peer,
            ..conditions(uptime)
        };
        selector.select(candidates, &conditions).tallies
    };
    assert_eq!(
        at(&[local(), mute], 299, None),
        [Tally::Reject, Tally::Reject]
    );
    assert_eq!(
        at(&[local(), mute], 300, None),
        [Tally::SystemPeer, Tally::Reject]
    );
    assert_eq!(
        at(&[local(), server(0.0, 1.0)], 301, Some(0)),
        [Tally::Reject, Tally::SystemPeer]
    );
    let preferred = Candidate {
        prefer: true,
        ..local()
    };
    assert_eq!(
        select(&[preferred, mute]).tallies,
        [Tally::SystemPeer, Tally::Reject]
    );
}

#[test]
fn a_lost_system_peer_makes_the_local_clock_wait_again() {
    let both = [local(), server(0.0, 1.0)];
    let mute = [
        local(),
        Candidate {
            reachable: false,
            ..both[1]
        },
    ];
    let mut selector = Selector::new(Limits {
        orphan_wait: Elapsed::from_secs(100),
        ..Limits::default()
    });
    selector.select(&both, &conditions(10));
    let lost = SelectionConditions {
        system_peer: Some(1),
        ..conditions(50)
    };
    assert_eq!(selector.select(&mute, &lost).combined, None);
    assert_eq!(selector.select(&mute, &conditions(149)).combined, None);
    assert!(selector.select(&mute, &conditions(150)).combined.is_some());
}

fn orphanage() -> Limits {
    Limits {
        orphan: Some(Stratum::new(6)),
        ..Limits::default()
    }
}

/// A source of that stratum at 10.0.0.`host`.
fn of_stratum(stratum: u8, host: u8) -> Candidate {
    Candidate {
        stratum: Stratum::new(stratum),
        reference_id: ReferenceId::from_bytes([10, 0, 0, host]),
        ..server(3.0, 1.0)
    }
}

#[test]
fn an_orphan_parent_comes_last() {
    use Tally::{Reject, SystemPeer};
    let mut selector = Selector::new(orphanage());
    let parent = of_stratum(6, 2);
    let mut tallies =
        |candidates: &[Candidate]| selector.select(candidates, &conditions(400)).tallies;
    assert_eq!(tallies(&[parent]), [SystemPeer]);
    assert_eq!(tallies(&[parent, local()]), [Reject, SystemPeer]);
    assert_eq!(tallies(&[parent, of_stratum(5, 3)]), [Reject, SystemPeer]);
    // Without `tos orphan` it is a server like others.
    assert_eq!(select(&[parent]).tallies, [SystemPeer]);
}

#[test]
fn of_orphan_parents_the_least_leads_and_no_child_is_followed() {
    use Tally::{Reject, SystemPeer};
    let mut selector = Selector::new(orphanage());
    let mut tallies = |hosts: &[(u8, u8)]| {
        let candidates: Vec<Candidate> = hosts
            .iter()
            .map(|(stratum, host)| of_stratum(*stratum, *host))
            .collect();
        selector.select(&candidates, &conditions(400)).tallies
    };
    // We are 10.0.0.9.
    assert_eq!(
        tallies(&[(6, 5), (6, 3), (6, 4)]),
        [Reject, SystemPeer, Reject]
    );
    assert_eq!(tallies(&[(6, 10), (6, 8)]), [Reject, SystemPeer]);
    assert_eq!(tallies(&[(6, 10), (6, 9)]), [Reject, Reject]);
    assert_eq!(tallies(&[(7, 3), (8, 4)]), [Reject, Reject]);
}

#[test]
fn a_stand_in_waits_for_the_sources() {
    let six = Some(Stratum::new(6));
    let uptime = Elapsed::from_secs;
    let mut selector = Selector::new(orphanage());
    assert_eq!(selector.orphan_stratum(uptime(299)), None);
    assert_eq!(selector.orphan_stratum(uptime(300)), six);
    let lost = SelectionConditions {
        system_peer: Some(0),
        ..conditions(1000)
    };
    selector.select(&[], &lost);
    assert_eq!(selector.orphan_stratum(uptime(1299)), None);
    assert_eq!(selector.orphan_stratum(uptime(1300)), six);
    let never = Selector::new(Limits::default());
    assert_eq!(never.orphan_stratum(uptime(9999)), None);
}

#[test]
fn the_first_of_many_waits_for_the_others() {
    let unknown = Candidate {
        dispersion: Duration::from_seconds(4),
        ..server(0.0, 10.0)
    };
    let first = server(50.0, 10.0);
    let mut selector = Selector::new(Limits::default());
    let mut followed = |candidates: &[Candidate], uptime, system_peer| {
        let conditions = SelectionConditions {
            system_peer,
            ..conditions(uptime)
        };
        let found = selector.select(candidates, &conditions);
        found.combined.map(|combined| combined.system_peer)
    };
    assert_eq!(followed(&[first, unknown, unknown], 8, None), None);
    assert_eq!(followed(&[first, first, unknown, unknown], 9, None), None);
    assert_eq!(followed(&[first, first, unknown], 10, None), Some(0));
    // Who is followed need not wait, and some never come to be known.
    assert_eq!(followed(&[first, unknown], 11, Some(0)), Some(0));
    assert_eq!(followed(&[first, unknown], 23, None), None);
    assert_eq!(followed(&[first, unknown], 24, None), Some(0));
    // Those who vote agree as long as their filters are half full.
    let filling = |offset| Candidate {
        dispersion: Duration::from_millis(500),
        ..server(offset, 10.0)
    };
    let mut selector = Selector::new(Limits::default());
    let mut begins = |offsets: [f64; 3]| {
        let candidates = offsets.map(filling);
        selector
            .select(&candidates, &conditions(0))
            .combined
            .is_some()
    };
    assert!(!begins([50.0, 0.0, 0.0]));
    assert!(begins([19.0, 0.0, 0.0]));
    assert!(
        select(&[server(50.0, 10.0), server(0.0, 10.0), server(0.0, 10.0)])
            .combined
            .is_some()
    );
    // Who does not answer is not waited for.
    let mute = Candidate {
        reachable: false,
        ..unknown
    };
    let found = select(&[first, mute]);
    assert_eq!(found.tallies, [Tally::SystemPeer, Tally::Reject]);
}

#[test]
fn equals_do_not_take_turns() {
    let mut selector = Selector::new(Limits::default());
    let second = SelectionConditions {
        system_peer: Some(1),
        ..conditions(0)
    };
    // The first is a little nearer, the second was followed so far: it stays while the gap of
    // 0.3 ms is below 1 ms, 0.5 ms, and loses at 0.25 ms.
    let candidates = [server(0.0, 5.0), server(0.3, 6.0)];
    let mut follow = || {
        selector
            .select(&candidates, &second)
            .combined
            .unwrap()
            .system_peer
    };
    assert_eq!([follow(), follow(), follow()], [1, 1, 0]);
    let far = [server(0.0, 5.0), server(3.0, 6.0)];
    assert_eq!(
        selector.select(&far, &second).combined.unwrap().system_peer,
        0
    );
}

#[test]
fn a_pulse_takes_over_from_a_preferred_survivor() {
    let pulse = Candidate {
        kind: SourceKind::Pps,
        stratum: Stratum::new(0),
        ..server(1.0, 5.0)
    };
    let numbering = Candidate {
        prefer: true,
        ..server(2.0, 10.0)
    };
    let found = select(&[numbering, pulse]);
    assert_eq!(found.tallies, [Tally::SystemPeer, Tally::PpsPeer]);
    assert_eq!(found.combined.unwrap().offset, pulse.offset);
    assert_eq!(
        select(&[server(2.0, 10.0), pulse]).tallies,
        [Tally::SystemPeer, Tally::Falseticker]
    );
}

#[test]
fn a_pulse_may_lead_alone_where_nobody_is_needed() {
    let pulse = Candidate {
        kind: SourceKind::Pps,
        stratum: Stratum::new(0),
        ..server(1.0, 5.0)
    };
    assert_eq!(select(&[pulse]).combined, None);
    let mut selector = Selector::new(Limits {
        minimum_sane: 0,
        ..Limits::default()
    });
    let found = selector.select(&[pulse], &conditions(0));
    assert_eq!(found.tallies, [Tally::PpsPeer]);
    let combined = found.combined.unwrap();
    assert!((combined.offset - pulse.offset).abs() <= Duration::from_bits(1));
    assert_eq!(combined.stratum, Stratum::PRIMARY);
}

#[test]
fn a_preferred_falseticker_leads_nobody() {
    let liar = Candidate {
        prefer: true,
        ..server(100.0, 10.0)
    };
    let found = select(&[server(0.0, 10.0), liar, server(1.0, 10.0)]);
    assert_eq!(
        found.tallies,
        [Tally::SystemPeer, Tally::Falseticker, Tally::Candidate]
    );
    assert!(found.combined.unwrap().offset < Duration::from_millis(2));
}

#[test]
fn floor_ceiling_and_mindist_hold() {
    let limits = Limits {
        floor: 2,
        ceiling: 4,
        minimum_distance: Duration::from_millis(60),
        ..Limits::default()
    };
    let mut selector = Selector::new(limits);
    let tallies = [1, 2, 3, 4].map(|stratum| {
        selector
            .select(&[of_stratum(stratum, 1)], &conditions(0))
            .tallies[0]
    });
    let (no, yes) = (Tally::Reject, Tally::SystemPeer);
    assert_eq!(tallies, [no, yes, yes, no]);
    // 100 ms apart, which is too much for 1 ms each and not for 60 ms each.
    let two = [server(0.0, 1.0), server(100.0, 1.0)];
    assert_eq!(select(&two).combined, None);
    assert!(selector.select(&two, &conditions(0)).combined.is_some());
}

#[test]
fn the_majority_votes_on_leap_seconds() {
    let leaping = Candidate {
        leap: Leap::Insert,
        ..server(0.0, 10.0)
    };
    let leap = |candidates: &[Candidate]| select(candidates).combined.unwrap().leap;
    assert_eq!(leap(&[leaping, leaping, server(0.0, 10.0)]), Leap::Insert);
    assert_eq!(leap(&[leaping, server(0.0, 10.0)]), Leap::None);
    let clock = Candidate {
        kind: SourceKind::ReferenceClock,
        ..leaping
    };
    assert_eq!(
        leap(&[clock, server(0.0, 10.0), server(0.0, 10.0)]),
        Leap::Insert
    );
}

prop_compose! {
    fn any_candidate()(
        kind in 0..4, leap in 0u8..4, stratum in 0u8..18, offset: i64, delay: i64, dispersion: i64,
        jitter: i64, roots: (i64, i64), flags: [bool; 5], near in 0..3, ids: [u8; 2],
    ) -> Candidate {
        // Most of them in reach, or nobody would ever be selected.
        let scale = |bits: i64| Duration::from_bits(if near == 0 { bits } else { (bits >> 36).abs() });
        let [unreachable, looped, prefer, noselect, always_true] = flags;
        let rarely = |flag: bool| flag && near == 0;
        Candidate {
            kind: [SourceKind::Server, SourceKind::ReferenceClock, SourceKind::Local, SourceKind::Pps][kind as usize],
            reachable: !rarely(unreachable),
            leap: if near == 0 { Leap::from_bits(leap) } else { Leap::None },
            stratum: Stratum::new(if near == 0 { stratum } else { stratum % 16 }),
            reference_id: ReferenceId::from_bytes([10, 0, 0, ids[0]]),
            own_reference_id: ReferenceId::from_bytes([10, 0, 0, ids[1]]),
            precision: Precision::new(-20),
            offset: Duration::from_bits(if near == 0 { offset } else { offset >> 34 }),
            delay: scale(delay),
            dispersion: scale(dispersion),
            jitter: scale(jitter),
            age: Elapsed::ZERO,
            poll: PollExponent::new(6),
            root_delay: scale(roots.0),
            root_dispersion: scale(roots.1),
            looped: rarely(looped),
            prefer: rarely(prefer),
            noselect: rarely(noselect),
            always_true: rarely(always_true),
        }
    }
}

proptest! {
    #[test]
    fn anything_can_be_judged(
        candidates in proptest::collection::vec(any_candidate(), 0..50),
        uptime in 0u64..1000, system_peer in proptest::option::of(0usize..60),
        orphan in proptest::option::of(1u8..17), minimum_sane in 0usize..3,
    ) {
        let limits = Limits { orphan: orphan.map(Stratum::new), minimum_sane, ..Limits::default() };
        let mut selector = Selector::new(limits);
        let conditions = SelectionConditions { system_peer, ..conditions(uptime) };
        let found = selector.select(&candidates, &conditions);
        prop_assert_eq!(found.tallies.len(), candidates.len());
        for survivor in &found.survivors {
            prop_assert!(found.tallies[*survivor] >= Tally::Candidate);
            prop_assert!(!selector.unfitness(&candidates[*survivor], &conditions).any());
        }
        if let Some(combined) = found.combined {
            let tally = found.tallies[combined.system_peer];
            prop_assert!(matches!(tally, Tally::SystemPeer | Tally::PpsPeer));
            // Nobody follows who may follow an orphan parent, and of these only one.
            let stratum = candidates[combined.system_peer].stratum;
            prop_assert!(orphan.is_none_or(|orphan| stratum <= Stratum::new(orphan)));
            if orphan.is_some_and(|orphan| stratum == Stratum::new(orphan)) {
                prop_assert_eq!(&found.survivors, &[combined.system_peer]);
            }
            prop_assert!(!combined.jitter.is_negative() || candidates[combined.system_peer].jitter.is_negative());
        }
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(
        (candidates, order) in proptest::collection::vec(any_candidate(), 1..20).prop_flat_map(|candidates| {
            let order: Vec<usize> = (0..candidates.len()).collect();
            (Just(candidates), Just(order).prop_shuffle())
        }),
    ) {
        let shuffled: Vec<Candidate> = order.iter().map(|index| candidates[*index]).collect();
        let (one, other) = (select(&candidates), select(&shuffled));
        for (place, index) in order.iter().enumerate() {
            prop_assert_eq!(one.tallies[*index], other.tallies[place]);
        }
        let value = |selection: &Selection| selection.combined.map(|combined| (combined.offset, combined.jitter));
        prop_assert_eq!(value(&one), value(&other));
    }

    #[test]
    fn not_even_among_near_equals(
        (candidates, shuffled) in proptest::collection::vec((0..5, 1..3, 0u8..2), 2..14)
            .prop_map(|all| all.into_iter().map(|(offset, distance, stratum)| Candidate {
                stratum: Stratum::new(2 + stratum),
                ..server(f64::from(offset), 10.0 * f64::from(distance))
            }).collect::<Vec<_>>())
            .prop_flat_map(|candidates| (Just(candidates.clone()), Just(candidates).prop_shuffle())),
    ) {
        let value = |selection: Selection| selection.combined.map(|combined| {
            (combined.offset, combined.jitter, combined.stratum, combined.root_dispersion)
        });
        prop_assert_eq!(value(select(&candidates)), value(select(&shuffled)));
    }

    #[test]
    fn the_majority_of_truechimers_survives_the_intersection(
        errors in proptest::collection::vec(-0.9..0.9, 2..12),
        lies in proptest::collection::vec((200.0..900.0, any::<bool>()), 0..11),
    ) {
        // Each truechimer is wrong by less than its distance; each liar by far more than its own.
        let lies: Vec<_> = lies.into_iter().take(errors.len() - 1).collect();
        let candidates: Vec<Candidate> = errors
            .iter()
            .map(|error| server(50.0 * error, 50.0))
            .chain(lies.iter().map(|(lie, early)| server(if *early { -lie } else { *lie }, 50.0)))
            .collect();
        let found = select(&candidates);
        for (index, tally) in found.tallies.iter().enumerate() {
            prop_assert_eq!(*tally == Tally::Falseticker, index >= errors.len());
        }
        let offset = found.combined.unwrap().offset.to_seconds_f64();
        prop_assert!(offset.abs() < 0.050);
    }

    #[test]
    fn nobody_is_followed_unless_most_can_be_right(
        sources in proptest::collection::vec((-100.0..100.0, 1.0..40.0), 1..9),
    ) {
        let candidates: Vec<Candidate> = sources
            .iter()
            .map(|(offset, distance)| server(*offset, *distance))
            .collect();
        // Somewhere at the lower end of an interval lie the most of them.
        let holding = |point: f64| {
            let holds = |(offset, distance): &&(f64, f64)| {
                (offset - distance - point).max(point - offset - distance) <= 1.1e-3
            };
            sources.iter().filter(holds).count()
        };
        let most = sources
            .iter()
            .map(|(offset, distance)| holding(offset - distance))
            .max();
        let found = select(&candidates);
        prop_assert!(found.combined.is_none() || 2 * most.unwrap() > sources.len());
    }
}
