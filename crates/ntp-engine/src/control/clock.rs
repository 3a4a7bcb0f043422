//! The variables of a reference clock.

use super::listing::Items;
use crate::association::{Association, LocalClock, Source};

/// Shown if no name is asked for.
pub(super) const DEFAULT: &[&str] = &[
    "device",
    "timecode",
    "poll",
    "noreply",
    "badformat",
    "baddata",
    "fudgetime1",
    "fudgetime2",
    "stratum",
    "refid",
    "flags",
];

/// The reference clock behind `association`, if it is one.
pub(super) fn of(association: &Association) -> Option<&LocalClock> {
    match &association.source {
        Source::LocalClock(clock) => Some(clock),
        _ => None,
    }
}

/// All, in the order in which those that are asked for are shown.
pub(super) const NAMES: &[&str] = &[
    "type",
    "timecode",
    "poll",
    "noreply",
    "badformat",
    "baddata",
    "fudgetime1",
    "fudgetime2",
    "stratum",
    "refid",
    "flags",
    "device",
    "clock_var_list",
    "minjitter",
];

/// Adds the variable `name`, one of [`NAMES`]; `by_name` if it was asked for.
pub(super) fn variable(
    clock: &LocalClock,
    association: &Association,
    name: &str,
    by_name: bool,
    items: &mut Items<'_>,
) {
    let correction = clock.correction.to_seconds_f64() * 1e3;
    match name {
        "type" => items.plain(name, 1),
        "device" => items.quoted(name, "Undisciplined local clock"),
        "timecode" => items.quoted(name, ""),
        "poll" => items.plain(name, clock.polls),
        "noreply" | "badformat" | "baddata" => items.plain(name, 0),
        // Left out of the list of all while it is zero.
        "fudgetime1" if correction == 0.0 && !by_name => {}
        "fudgetime1" => items.plain(name, format_args!("{correction:.3}")),
        "fudgetime2" if !by_name => {}
        "fudgetime2" | "minjitter" => items.plain(name, "0.000"),
        "stratum" => items.plain(name, association.last.header.stratum),
        "refid" => items.plain(name, clock.reference_id.as_text().unwrap_or("")),
        "flags" => items.plain(name, clock.flags),
        "clock_var_list" => items.quoted(name, &NAMES.join(",")),
        _ => {}
    }
}
