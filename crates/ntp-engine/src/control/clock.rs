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

/// Adds the variable `name`; `false` if there is none.
pub(super) fn variable(
    clock: &LocalClock,
    association: &Association,
    name: &str,
    items: &mut Items<'_>,
) -> bool {
    match name {
        "type" => items.plain(name, 1),
        "device" => items.quoted(name, "Undisciplined local clock"),
        "timecode" => items.quoted(name, ""),
        "poll" => items.plain(name, clock.polls),
        "noreply" | "badformat" | "baddata" => items.plain(name, 0),
        // Left out of the list while it is zero, as the reference does.
        "fudgetime1" if clock.correction == ntp_wire::Duration::ZERO => true,
        "fudgetime1" => items.plain(
            name,
            format_args!("{:.3}", clock.correction.to_seconds_f64() * 1e3),
        ),
        "stratum" => items.plain(name, association.last.header.stratum),
        "refid" => items.plain(name, clock.reference_id.as_text().unwrap_or("")),
        "flags" => items.plain(name, clock.flags),
        _ => false,
    }
}
