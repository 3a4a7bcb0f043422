//! `hwtimestamp`: network cards that stamp packets.

use ntp_conf::HardwareTimestamps;
use ntp_os::{Card, CardError, Cards, interfaces};

use crate::log::Log;

/// The cards that are wanted and can; those that were named and can't are told of.
pub(crate) fn open(wanted: &HardwareTimestamps, log: &mut Log) -> Option<Cards> {
    let mut opened = Vec::new();
    for name in &wanted.interfaces {
        match Card::open(name) {
            Ok(card) => opened.push(card),
            Err(error) => log.error(&not_stamped(name, &error)),
        }
    }
    if wanted.all {
        open_others(&mut opened, log);
    }
    for card in &opened {
        let what = match card.stamps_arrivals() {
            true => "packets are stamped",
            false => "packets that leave are stamped, and those that come are not,",
        };
        log.information(&format!(
            "hwtimestamp {}: {what} by the clock {} of the card",
            card.interface(),
            card.clock()
        ));
    }
    (!opened.is_empty()).then(|| Cards::new(opened))
}

/// Begins to compare clocks; the thread has no more rights than who calls.
pub(crate) fn start(cards: &Cards, log: &mut Log) {
    if let Err(error) = cards.start() {
        log.error(&format!(
            "hwtimestamp: there is no thread to compare clocks: {error}; packets are stamped by \
             the kernel"
        ));
    }
}

/// Every card that can.
fn open_others(opened: &mut Vec<Card>, log: &mut Log) {
    let found = match interfaces() {
        Ok(found) => found,
        Err(error) => {
            log.error(&format!(
                "hwtimestamp *: interfaces can't be listed: {error}"
            ));
            return;
        }
    };
    let mut names: Vec<String> = found.into_iter().map(|one| one.name).collect();
    names.sort();
    names.dedup();
    let (known, mut refused) = (opened.len(), 0);
    for name in names {
        if opened.iter().any(|card| card.interface() == name) {
            continue;
        }
        match Card::open(&name) {
            Ok(card) => opened.push(card),
            Err(CardError::NoClock | CardError::OtherPackets) => {}
            Err(error) => {
                refused += 1;
                log.error(&not_stamped(&name, &error));
            }
        }
    }
    if opened.len() == known && refused == 0 {
        log.warning(
            "hwtimestamp *: no card has a clock that stamps packets; the kernel stamps them",
        );
    }
}

fn not_stamped(name: &str, error: &CardError) -> String {
    format!("hwtimestamp {name}: {error}; packets are stamped by the kernel")
}
