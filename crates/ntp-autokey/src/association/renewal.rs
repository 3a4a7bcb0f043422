//! The dance once more, beside what is proven.

use std::time::Duration;

use ntp_wire::Monotonic;

use super::{Association, Dance, MOST_REFUSALS, MOST_TROUBLE, REFRESH, Relation};
use crate::{Event, Exchange, RestartReason, StatusWord};

/// A renewal is given up after so many requests that brought nothing.
const MOST_FAILURES: u8 = 3;

/// After a renewal that was of no use the next one waits this long, then twice as long each time.
const SHORTEST_WAIT: Duration = Duration::from_secs(64);
const LONGEST_WAIT: Duration = Duration::from_secs(1 << 12);

/// So long before a certificate expires the trail is asked for anew.
const BEFORE_EXPIRY: ntp_wire::Duration = ntp_wire::Duration::from_seconds(86_400);

/// When the dance may be done once more, and how it fares.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    /// Requests in a row that brought it no further.
    failures: u8,
    /// Whether the next request is to be for time.
    time_is_next: bool,
    not_before: Option<Monotonic>,
    wait: Duration,
}

impl Renewal {
    /// Whether one may begin.
    pub(super) fn is_allowed(&self, now: Monotonic) -> bool {
        self.not_before.is_none_or(|time| time <= now)
    }

    /// The next one must not come soon.
    fn back_off(&mut self, now: Monotonic) {
        self.wait = (self.wait * 2).clamp(SHORTEST_WAIT, LONGEST_WAIT);
        self.not_before = Some(now + self.wait);
    }

    /// A step brought it forward.
    pub(super) fn came_forward(&mut self) {
        self.failures = 0;
        self.time_is_next = false;
    }

    /// All begins anew; how long to wait is not forgotten.
    pub(super) fn forget(&mut self) {
        self.came_forward();
    }
}

impl Association {
    /// Draws the conclusions from the last request before the next one is made.
    pub(super) fn settle(&mut self, exchange: &Exchange) {
        self.look_back(exchange.monotonic);
        self.watch_age(exchange);
    }

    /// Whether what is proven is still good, and for how long.
    pub(super) fn watch_age(&mut self, exchange: &Exchange) {
        let now = exchange.monotonic;
        if let Some(error) = self.proven().trail.expired(exchange) {
            self.note_error(now, 0, error);
            self.begin_anew(RestartReason::Expired);
        }
        if self.standing.is_some() || !self.is_proventic() || !self.renewal.is_allowed(now) {
            return;
        }
        let age = self.began.map(|began| now.since(began));
        if age.is_some_and(|age| age >= REFRESH) {
            self.renew(RestartReason::Age);
        } else if self.dance.trail.expires_within(BEFORE_EXPIRY, exchange) {
            self.renew(RestartReason::Expiring);
        }
    }

    /// What came of the last request.
    fn look_back(&mut self, now: Monotonic) {
        let Some(sent) = self.sent.filter(|sent| !sent.answered) else {
            return;
        };
        if self.standing.is_some() {
            if sent.opcode.is_some() {
                self.renewal.failures += 1;
                self.renewal.time_is_next = true;
                if self.renewal.failures >= MOST_FAILURES {
                    self.give_up(now);
                }
            }
        } else if self.is_proventic() {
            if sent.refused && self.renewal.is_allowed(now) {
                self.renew(RestartReason::Refused);
            }
        } else {
            self.refusals += u8::from(sent.refused);
            if self.refusals >= MOST_REFUSALS {
                self.begin_anew(RestartReason::Refused);
            } else if self.trouble >= MOST_TROUBLE {
                self.begin_anew(RestartReason::Stuck);
            }
        }
    }

    /// Whether the next request asks for time although the dance is not complete.
    pub(super) fn is_time_next(&mut self) -> bool {
        std::mem::take(&mut self.renewal.time_is_next)
    }

    /// Begins the dance once more and keeps what is proven.
    fn renew(&mut self, reason: RestartReason) {
        self.standing = Some(Box::new(std::mem::take(&mut self.dance)));
        self.renewal.came_forward();
        self.events.push(Event::Renewal(reason));
    }

    /// The new dance comes to nothing: what is proven stays.
    pub(super) fn give_up(&mut self, now: Monotonic) {
        if let Some(standing) = self.standing.take() {
            self.dance = *standing;
        }
        self.renewal.came_forward();
        self.renewal.back_off(now);
    }

    /// The new dance has proven the server: it takes the place of the old one.
    pub(super) fn take_over(&mut self, now: Monotonic) {
        let Some(old) = self.standing.take() else {
            return;
        };
        self.began = Some(now);
        self.renewal.failures = 0;
        // What is left to ask can wait, time cannot.
        self.renewal.time_is_next = true;
        let cookie = |dance: &Dance| dance.cookie.as_ref().map(|value| value.cookie);
        let same_key = old.trail.server_key() == self.dance.trail.server_key();
        if same_key {
            // The server signed for us with the key that it still has.
            let kept = StatusWord::SIGNED | StatusWord::LEAP;
            let kept = StatusWord::from_bits(old.status.bits() & kept.bits());
            self.dance.status |= kept;
        }
        if same_key && cookie(&old) == cookie(&self.dance) {
            if self.dance.list.is_none() && self.options.relation != Relation::Client {
                self.dance.list = old.list;
                let kept = old.status.bits() & StatusWord::AUTOKEY.bits();
                self.dance.status |= StatusWord::from_bits(kept);
            }
            self.renewal.back_off(now);
        } else {
            self.renewal.wait = Duration::ZERO;
            self.renewal.not_before = None;
        }
    }
}
