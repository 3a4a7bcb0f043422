use super::*;
use crate::card::line::Sample;

const SECOND: i64 = 1_000_000_000;
const NOW: i64 = 1_800_000_000 * SECOND;

fn stamp(nanoseconds: i64) -> KernelStamp {
    KernelStamp::from_unix(
        nanoseconds.div_euclid(SECOND),
        nanoseconds.rem_euclid(SECOND) as u32,
    )
}

fn card_stamp(nanoseconds: i64) -> CardStamp {
    CardStamp::new(0, nanoseconds).unwrap()
}

/// A card, number 3, whose clock showed 0 at `NOW` and goes like the kernel's.
fn cards(speed: u32) -> Cards {
    let mut line = Line::default();
    for after in [-SECOND, 0] {
        line.learn(Sample {
            card: card_stamp(after),
            kernel: NOW + after,
        });
    }
    Cards(Arc::new(Shared {
        cards: Vec::new(),
        known: RwLock::new(vec![Known {
            index: 3,
            speed,
            line,
        }]),
        keeper: OnceLock::new(),
    }))
}

#[test]
fn the_end_of_a_packet_counts() {
    // 90 octets and the check sequence: 752 bits.
    for (speed, nanoseconds) in [(10, 75_200), (100, 7520), (1000, 752), (0, 0)] {
        let cards = cards(speed);
        let found = cards
            .read()
            .arrival(3, card_stamp(500), 90, Some(stamp(NOW + 90_000)));
        assert_eq!(found, Some(stamp(NOW + 500 + nanoseconds)), "{speed}");
    }
}

#[test]
fn a_stamp_that_cannot_be_right_is_not_believed() {
    let cards = cards(0);
    let kernel = stamp(NOW + 200_000_000);
    let arrival = |card: i64| cards.read().arrival(3, card_stamp(card), 90, Some(kernel));
    // On the way from the card to the kernel for up to a tenth of a second.
    assert_eq!(arrival(100_000_001), Some(stamp(NOW + 100_000_001)));
    assert_eq!(arrival(100_000_000), Some(kernel));
    // Hardly later than what came after it.
    assert_eq!(arrival(200_020_000), Some(stamp(NOW + 200_020_000)));
    assert_eq!(arrival(200_020_001), Some(kernel));
    // That of another card.
    let of_another = cards
        .read()
        .arrival(4, card_stamp(199_000_000), 90, Some(kernel));
    assert_eq!(of_another, Some(kernel));
    assert_eq!(cards.read().departure(4, card_stamp(0)), None);
    assert_eq!(
        cards.read().departure(3, card_stamp(9)),
        Some(stamp(NOW + 9))
    );
    // Without one of the kernel there is nothing to hold it against.
    assert_eq!(cards.read().arrival(3, card_stamp(0), 90, None), None);
}

#[test]
fn after_a_step_nothing_is_known() {
    let cards = cards(0);
    cards.clock_was_set();
    assert_eq!(cards.read().departure(3, card_stamp(0)), None);
}

#[test]
fn interfaces_without_a_card_are_refused_in_words() {
    let error = |name| Card::open(name).unwrap_err().to_string();
    assert_eq!(error("lo"), "its card has no clock that stamps packets");
    assert_eq!(
        error("there-is-none"),
        "there is no such interface; `ip link` lists them"
    );
}
