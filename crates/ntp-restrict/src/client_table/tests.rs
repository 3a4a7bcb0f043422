use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;
use std::collections::VecDeque;

const LIMITED: RestrictFlags = RestrictFlags::LIMITED;
const LIMITED_KOD: RestrictFlags = LIMITED.union(RestrictFlags::KISS_OF_DEATH);

fn table() -> ClientTable {
    ClientTable::new(ClientTableLimits::default(), [1; 32])
}

fn request(address: impl Into<IpAddr>) -> Sighting {
    Sighting {
        source: SocketAddr::new(address.into(), 40_000),
        endpoint: 0,
        mode: Mode::Client,
        version: Version::V4,
    }
}

fn seconds(seconds: f64) -> Monotonic {
    Monotonic::START + Elapsed::from_secs_f64(1000.0 + seconds)
}

fn verdicts(times: impl IntoIterator<Item = f64>, flags: RestrictFlags) -> Vec<Verdict> {
    let mut clients = table();
    times
        .into_iter()
        .map(|time| {
            clients.record(
                seconds(time),
                &request(Ipv4Addr::LOCALHOST),
                flags,
                &RateLimit::default(),
            )
        })
        .collect()
}

/// As ntpd 4.2.8p15 answers four requests at once: time, a kiss, silence, silence.
#[test]
fn a_burst_at_once_gets_one_kiss() {
    use Verdict::{Drop, KissOfDeath, Serve};
    assert_eq!(
        verdicts([0.0; 4], LIMITED_KOD),
        [Serve, KissOfDeath, Drop, Drop]
    );
    assert_eq!(verdicts([0.0; 3], LIMITED), [Serve, Drop, Drop]);
    assert_eq!(verdicts([0.0; 3], RestrictFlags::KISS_OF_DEATH), [Serve; 3]);
    assert_eq!(verdicts([0.0; 3], RestrictFlags::NONE), [Serve; 3]);
}

#[test]
fn an_initial_burst_then_polite_polling_is_served() {
    let burst = (0..8).map(|n| f64::from(n) * 2.0);
    let polls = (1..50).map(|n| f64::from(n) * 8.0 + 14.0);
    let verdicts = verdicts(burst.chain(polls), LIMITED_KOD);
    assert_eq!(verdicts, [Verdict::Serve; 57]);
}

#[test]
fn a_steady_two_seconds_is_too_fast_in_the_end() {
    let verdicts = verdicts((0..100).map(|n| f64::from(n) * 2.0), LIMITED_KOD);
    let first = verdicts.iter().position(|one| *one != Verdict::Serve);
    assert_eq!(first, Some(15));
}

#[test]
fn a_flood_gets_one_kiss_in_a_headway() {
    let verdicts = verdicts((0..8000).map(|n| f64::from(n) * 0.01), LIMITED_KOD);
    let kisses = verdicts
        .iter()
        .filter(|one| **one == Verdict::KissOfDeath)
        .count();
    // The seconds between packets are rounded to none: nothing drains.
    assert_eq!(kisses, 1);
    let verdicts = self::verdicts((0..80).map(f64::from), LIMITED_KOD);
    let kisses: Vec<_> = (0..80)
        .filter(|at| verdicts[*at] == Verdict::KissOfDeath)
        .collect();
    assert!(!kisses.is_empty());
    assert!(
        kisses.windows(2).all(|pair| pair[1] - pair[0] >= 8),
        "{kisses:?}"
    );
}

/// CVE-2016-7426: nobody keeps the answers of a server away by forging some.
#[test]
fn answers_are_counted_but_not_limited() {
    let mut clients = table();
    let limit = RateLimit::default();
    let mut answer = request(Ipv4Addr::LOCALHOST);
    answer.mode = Mode::Server;
    for _ in 0..100 {
        let verdict = clients.record(seconds(0.0), &answer, LIMITED_KOD, &limit);
        assert_eq!(verdict, Verdict::Serve);
    }
    answer.mode = Mode::Client;
    let verdict = clients.record(seconds(2.0), &answer, LIMITED_KOD, &limit);
    assert_eq!(verdict, Verdict::Serve);
    assert_eq!(clients.newest_first().next().unwrap().count, 101);
}

#[test]
fn a_flood_from_many_addresses_keeps_within_bounds() {
    let mut clients = table();
    assert_eq!(clients.octets(), 0);
    let limit = RateLimit::default();
    for number in 0..100_000_u32 {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + number);
        let time = seconds(f64::from(number) / 10_000.0);
        let verdict = clients.record(time, &request(address), LIMITED_KOD, &limit);
        assert_eq!(verdict, Verdict::Serve);
    }
    assert_eq!(clients.len(), 11_915);
    assert!(clients.octets() <= 1024 * 1024, "{}", clients.octets());
    // In ten seconds next to nobody is replaced.
    let first = |number: u32| clients.lookup(Ipv4Addr::from_bits(0x0a00_0000 + number).into());
    let stayed = (0..11_915)
        .filter(|number| first(*number).is_some())
        .count();
    assert!(stayed > 11_500, "{stayed}");
    // An hour later everybody is old.
    let late = request(Ipv4Addr::new(192, 0, 2, 1));
    clients.record(seconds(3600.0), &late, LIMITED_KOD, &limit);
    assert!(clients.lookup(late.source.ip()).is_some());
    assert_eq!(clients.len(), 11_915);
}

#[test]
fn clients_are_listed_by_age_and_from_anyone_on() {
    let mut clients = table();
    let limit = RateLimit::default();
    for (time, last) in [(0, 1), (1, 2), (2, 3), (3, 1)] {
        let address = Ipv4Addr::new(10, 0, 0, last);
        clients.record(
            seconds(f64::from(time)),
            &request(address),
            RestrictFlags::NO_QUERY,
            &limit,
        );
    }
    let last = |client: &Client| match client.address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => 0,
    };
    assert_eq!(
        clients.oldest_first().map(last).collect::<Vec<_>>(),
        [2, 3, 1]
    );
    assert_eq!(
        clients.newest_first().map(last).collect::<Vec<_>>(),
        [1, 3, 2]
    );
    let after = |address: [u8; 4]| {
        clients
            .after(IpAddr::from(address))
            .map(|rest| rest.map(last).collect::<Vec<_>>())
    };
    assert_eq!(after([10, 0, 0, 2]), Some(vec![3, 1]));
    assert_eq!(after([10, 0, 0, 1]), Some(vec![]));
    assert_eq!(after([10, 0, 0, 4]), None);
    let first = clients.lookup([10, 0, 0, 1].into()).unwrap();
    assert_eq!(
        (first.count, first.restriction),
        (2, RestrictFlags::NO_QUERY)
    );
    assert_eq!(
        (first.first_seen, first.last_seen),
        (seconds(0.0), seconds(3.0))
    );
}

#[test]
fn bounds_can_be_lowered_to_nothing() {
    let mut clients = table();
    for number in 0..100_u32 {
        let address = Ipv6Addr::from_bits(u128::from(number));
        clients.record(
            seconds(f64::from(number)),
            &request(address),
            LIMITED,
            &RateLimit::default(),
        );
    }
    let mut limits = *clients.limits();
    limits.most = 10;
    clients.set_limits(limits);
    let kept: Vec<_> = clients
        .oldest_first()
        .map(|client| client.address)
        .collect();
    let expected: Vec<IpAddr> = (90..100).map(|n| Ipv6Addr::from_bits(n).into()).collect();
    assert_eq!(kept, expected);
    limits.most = 0;
    clients.set_limits(limits);
    let verdict = clients.record(
        seconds(200.0),
        &request(Ipv4Addr::LOCALHOST),
        LIMITED,
        &RateLimit::default(),
    );
    assert_eq!(verdict, Verdict::Serve);
    assert!(clients.is_empty());
    assert_eq!(clients.peak(), 100);
}

proptest! {
    #[test]
    fn polite_clients_are_never_limited(gaps in proptest::collection::vec(6.0..2000.0_f64, 0..200)) {
        let mut time = 0.0;
        let times = gaps.into_iter().map(|gap| {
            time += gap;
            time
        });
        for verdict in verdicts(times, LIMITED_KOD) {
            prop_assert_eq!(verdict, Verdict::Serve);
        }
    }

    /// Against a queue of addresses, with replacement by age only.
    #[test]
    fn the_order_is_that_of_use(
        packets in proptest::collection::vec((0..40_u32, 0..20_u64), 0..300),
        least in 0..10_usize,
    ) {
        let limits = ClientTableLimits {
            least,
            most: 30,
            age: Some(Elapsed::from_secs(50)),
            certain_replacement: Elapsed::ZERO,
        };
        let mut clients = ClientTable::new(limits, [2; 32]);
        let mut model: VecDeque<(IpAddr, Monotonic)> = VecDeque::new();
        let mut now = Monotonic::START;
        for (number, gap) in packets {
            now += Elapsed::from_secs(gap);
            let address = IpAddr::from(Ipv4Addr::from_bits(number));
            clients.record(now, &request(address), LIMITED, &RateLimit::default());
            let known = model.iter().position(|(known, _)| *known == address);
            if let Some(place) = known {
                model.remove(place);
            } else if model.len() >= least
                && (model.len() >= 30
                    || model.front().is_some_and(|(_, last)| now - *last > Elapsed::from_secs(50)))
            {
                model.pop_front();
            }
            model.push_back((address, now));
            let order: Vec<_> = clients
                .oldest_first()
                .map(|client| (client.address, client.last_seen))
                .collect();
            prop_assert_eq!(&order, &Vec::from(model.clone()));
            for (address, last) in &model {
                prop_assert_eq!(clients.lookup(*address).map(|client| client.last_seen), Some(*last));
            }
        }
    }
}

proptest! {
    /// It makes no difference who judged a packet, nor in how many portions it is told.
    #[test]
    fn what_is_told_is_remembered_like_what_is_seen(
        packets in prop::collection::vec((0_u8..6, 0_u16..3000, any::<u16>()), 1..80),
        portion in 1_usize..20,
    ) {
        let (mut seeing, mut told) = (table(), table());
        let mut now = 0.0;
        for packets in packets.chunks(portion) {
            let mut past: Vec<PastSighting> = Vec::new();
            for (address, after, port) in packets {
                now += f64::from(*after) * 1e-3;
                let mut sighting = request(Ipv4Addr::new(10, 0, 0, *address));
                sighting.source.set_port(*port);
                let limit = RateLimit::default();
                let verdict = seeing.record(seconds(now), &sighting, LIMITED_KOD, &limit);
                let known = past
                    .iter()
                    .position(|past| past.sighting.source.ip() == sighting.source.ip());
                let (first_seen, count) = match known.map(|index| past.remove(index)) {
                    Some(before) => (before.first_seen, before.count + 1),
                    None => (seconds(now), 1),
                };
                let last_seen = seconds(now);
                past.push(PastSighting { sighting, first_seen, last_seen, count, verdict });
            }
            for past in past {
                told.note(&past, LIMITED_KOD);
            }
        }
        let [seeing, told] = [&seeing, &told].map(|table| {
            table.newest_first().copied().collect::<Vec<_>>()
        });
        prop_assert_eq!(seeing, told);
    }
}

#[test]
fn what_is_told_late_changes_nothing_but_the_count() {
    let mut clients = table();
    let sighting = request(Ipv4Addr::new(10, 0, 0, 1));
    clients.record(seconds(5.0), &sighting, LIMITED, &RateLimit::default());
    let mut past = PastSighting {
        sighting,
        first_seen: seconds(1.0),
        last_seen: seconds(4.0),
        count: 3,
        verdict: Verdict::Drop,
    };
    past.sighting.source.set_port(9);
    clients.note(&past, LIMITED);
    let client = clients.lookup(sighting.source.ip()).unwrap();
    assert_eq!((client.count, client.port), (4, 40_000));
    assert_eq!(client.last_seen, seconds(5.0));
    assert_eq!(client.restriction, RestrictFlags::NONE);
}
