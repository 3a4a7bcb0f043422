//! Counters, and those that begin anew.

use bytes::Bytes;
use ntp_wire::{
    control::{ControlHeader, ControlMessage, ErrorCode},
    private::ControlStatistics,
};

use super::source::whole;
use crate::{Counters, Engine, traffic::Passed};

/// What was counted of mode 6.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct ControlCounters {
    requests: u64,
    too_short: u64,
    responses_received: u64,
    fragments_received: u64,
    errors_received: u64,
    bad_offset: u64,
    data_too_short: u64,
    responses: u64,
    fragments: u64,
    errors: u64,
    bad_operation: u64,
}

impl ControlCounters {
    /// A packet of mode 6 came, and was answered with `answers`.
    pub(crate) fn note(&mut self, request: &[u8], answers: &[Bytes]) {
        self.requests += 1;
        let Ok(header) = ControlHeader::parse(request) else {
            self.too_short += 1;
            return;
        };
        for (is, count) in [
            (header.response, &mut self.responses_received),
            (header.more, &mut self.fragments_received),
            (header.error, &mut self.errors_received),
            (header.offset != 0, &mut self.bad_offset),
        ] {
            *count += u64::from(is);
        }
        let is_whole = ControlMessage::parse(request).is_ok();
        self.data_too_short += u64::from(!is_whole);
        for answer in answers {
            let Ok(header) = ControlHeader::parse(answer) else {
                continue;
            };
            if header.error {
                self.errors += 1;
                let code = ErrorCode::from_status(header.status);
                self.bad_operation += u64::from(code == ErrorCode::BAD_OPCODE);
            } else if header.more {
                self.fragments += 1;
            } else {
                self.responses += 1;
            }
        }
    }
}

impl ControlCounters {
    fn since(&self, earlier: &Self) -> Self {
        let less = |now: u64, earlier: u64| now.saturating_sub(earlier);
        Self {
            requests: less(self.requests, earlier.requests),
            too_short: less(self.too_short, earlier.too_short),
            responses_received: less(self.responses_received, earlier.responses_received),
            fragments_received: less(self.fragments_received, earlier.fragments_received),
            errors_received: less(self.errors_received, earlier.errors_received),
            bad_offset: less(self.bad_offset, earlier.bad_offset),
            data_too_short: less(self.data_too_short, earlier.data_too_short),
            responses: less(self.responses, earlier.responses),
            fragments: less(self.fragments, earlier.fragments),
            errors: less(self.errors, earlier.errors),
            bad_operation: less(self.bad_operation, earlier.bad_operation),
        }
    }

    pub(super) fn record(&self) -> ControlStatistics {
        ControlStatistics {
            requests: whole(self.requests),
            responses: whole(self.responses),
            fragments: whole(self.fragments),
            errors: whole(self.errors),
            too_short: whole(self.too_short),
            responses_received: whole(self.responses_received),
            fragments_received: whole(self.fragments_received),
            errors_received: whole(self.errors_received),
            bad_offset: whole(self.bad_offset),
            bad_operation: whole(self.bad_operation),
            data_too_short: whole(self.data_too_short),
            ..ControlStatistics::default()
        }
    }
}

/// Seconds since counters began, and what they show.
impl Engine {
    /// Packets by what became of them.
    pub(super) fn packets_counted(&self) -> (u32, Counters) {
        let (reset, before) = &self.resets.system;
        let counted = self.everyone().counters().since(before);
        (self.seconds_after(*reset), counted)
    }

    /// What was done with keys.
    pub(super) fn keys_counted(&self) -> (u32, Counters) {
        let (reset, before) = &self.resets.authentication;
        let counted = self.everyone().counters().since(before);
        (self.seconds_after(*reset), counted)
    }

    /// What came and went.
    pub(super) fn passed_counted(&self) -> (u32, Passed) {
        let (reset, before) = &self.resets.io;
        (self.seconds_after(*reset), self.all_passed().since(before))
    }

    /// How often a source was due to be asked.
    pub(super) fn polls_counted(&self) -> (u32, u64) {
        let (reset, before) = self.resets.timer;
        let polls = self.traffic.polls.saturating_sub(before);
        (self.seconds_after(reset), polls)
    }

    /// Messages of mode 6.
    pub(super) fn control_counted(&self) -> (u32, ControlCounters) {
        let (reset, before) = &self.resets.control;
        (
            self.seconds_after(*reset),
            self.control_counters.since(before),
        )
    }
}
