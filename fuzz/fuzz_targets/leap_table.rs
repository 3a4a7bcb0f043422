//! A list of leap seconds, and a schedule made of it: no panic, TAI - UTC changes where the list
//! says so and nowhere else, and whoever asks at any time gets the next leap second.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ntp_discipline::{HashCheck, LeapSchedule, LeapTable};
use ntp_wire::{Duration, Leap, Timestamp};

fuzz_target!(|input: (i64, u8, &[u8])| {
    let (seconds, vote, text) = input;
    let now = Timestamp::from_parts(seconds >> 16, 0);
    let mut schedule = LeapSchedule::default();
    let checked = LeapTable::parse(text, HashCheck::Required);
    let table = LeapTable::parse(text, HashCheck::Ignored);
    // What passes with its hash passes without, and is the same.
    if let Ok(checked) = &checked {
        assert_eq!(Some(checked), table.as_ref().ok());
    }
    if let Ok(table) = table {
        let last = table.last_change();
        assert!(table.tai_offset(last).is_some());
        let _ = table.days_left(now);
        schedule.set_table(table);
    }
    schedule.vote(Leap::from_bits(vote), now);
    let outlook = schedule.outlook(now);
    if let Some(next) = outlook.next {
        assert!(next.at > now);
        let before = schedule.outlook(next.at - Duration::from_seconds(1));
        assert_eq!(before.next, Some(next));
        let after = schedule.outlook(next.at);
        assert_ne!(after.next, Some(next));
        if let (Some(before), Some(after)) = (before.tai_offset, after.tai_offset) {
            assert_eq!(after - before, next.change());
        }
    }
    let _ = (schedule.last_in_file(), schedule.expires());
});
