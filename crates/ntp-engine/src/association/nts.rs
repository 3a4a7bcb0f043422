//! A server that proves itself by Network Time Security (RFC 8915), as its client knows it.

use std::time::Duration as Elapsed;

use ntp_nts::{Agreement, AnswerError, Session};
use ntp_wire::{Monotonic, Packet};
use rand::Rng;

/// After a key exchange that brought nothing, the next one is so much later, and half as much again
/// each time (RFC 8915 section 4.2).
const WAIT: Elapsed = Elapsed::from_secs(10);
/// But not later than this.
const LONGEST_WAIT: Elapsed = Elapsed::from_secs(4096);
/// A refusal may be forged: so long the true answer has to come.
const AFTER_REFUSAL: Elapsed = Elapsed::from_secs(2);
/// Not more often than this, lest who forges refusals make us ask as often as he likes.
const SELDOM: Elapsed = Elapsed::from_secs(1024);

/// Keys and cookies of a server, and how they are to be had.
#[derive(Debug, Default)]
pub(crate) struct Nts {
    session: Option<Session>,
    /// Key exchanges since the last authentic answer.
    attempts: u32,
    /// No key exchange before this.
    next: Option<Monotonic>,
    /// The server said that it can't use our cookie, and nothing authentic came since.
    refused: bool,
    /// When that last made the next poll come sooner.
    hurried: Option<Monotonic>,
    /// Answers that were authentic, and that were not, since somebody took these counts.
    answers: (u64, u64),
}

impl Nts {
    /// Whether keys are to be exchanged before the server is asked.
    pub(crate) fn needs_keys(&self) -> bool {
        self.refused || self.cookies() == 0
    }

    /// Whether keys may be exchanged now: who refuses, or does not answer, is not pestered.
    pub(crate) fn may_exchange(&self, now: Monotonic) -> bool {
        self.next.is_none_or(|next| next <= now)
    }

    /// A key exchange begins, at `now`.
    pub(crate) fn begin(&mut self, now: Monotonic) {
        let wait = (0..self.attempts.min(32)).fold(WAIT, |wait, _| wait * 3 / 2);
        self.attempts = self.attempts.saturating_add(1);
        self.next = Some(now + wait.min(LONGEST_WAIT));
    }

    /// Keys were agreed on.
    pub(crate) fn agree(&mut self, agreement: Agreement) {
        self.session = Some(Session::new(agreement.keys, agreement.cookies));
        self.refused = false;
    }

    /// After a refusal: how long to wait for the true answer before keys are exchanged again.
    pub(crate) fn take_soon(&mut self, now: Monotonic) -> Option<Elapsed> {
        let rested = self.hurried.is_none_or(|last| now - last >= SELDOM);
        let hurries = self.refused && rested && self.may_exchange(now);
        hurries.then(|| {
            self.hurried = Some(now);
            AFTER_REFUSAL
        })
    }

    /// How long until keys may be exchanged again.
    pub(crate) fn wait(&self, now: Monotonic) -> Elapsed {
        self.next.map_or(Elapsed::ZERO, |next| next.since(now))
    }

    /// How many cookies there are.
    pub(crate) fn cookies(&self) -> usize {
        self.session.as_ref().map_or(0, Session::cookies)
    }

    /// Completes a request; there is a cookie, as [`cookies`](Self::cookies) said.
    pub(crate) fn seal(&mut self, rng: &mut impl Rng, packet: &mut Vec<u8>) {
        if let Some(session) = &mut self.session {
            let _ = session.seal_request(rng, packet);
        }
    }

    /// How many answers were authentic, and how many not, since the last call.
    pub(crate) fn take_answers(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.answers)
    }

    /// Whether an answer is authentic.
    pub(crate) fn receive(&mut self, packet: &Packet<'_>) -> Result<(), AnswerError> {
        let session = self.session.as_mut().ok_or(AnswerError::Missing)?;
        let received = session.receive(packet);
        match received {
            Ok(()) => self.answers.0 += 1,
            Err(_) => self.answers.1 += 1,
        }
        match received {
            Ok(()) => {
                self.refused = false;
                self.attempts = 0;
            }
            Err(AnswerError::Refused) => self.refused = true,
            Err(_) => {}
        }
        received
    }
}

#[cfg(test)]
mod tests {
    use ntp_nts::SessionKeys;

    use super::*;

    #[test]
    fn key_exchanges_become_rarer_until_the_server_answers() {
        let mut nts = Nts::default();
        let mut now = Monotonic::START;
        let mut waits = Vec::new();
        for _ in 0..40 {
            assert!(nts.needs_keys() && nts.may_exchange(now));
            nts.begin(now);
            assert!(!nts.may_exchange(now));
            waits.push(nts.wait(now).as_secs());
            now = now + nts.wait(now);
        }
        assert_eq!(waits[..4], [10, 15, 22, 33]);
        assert_eq!(waits[39], 4096);
        nts.agree(Agreement {
            keys: SessionKeys::new([1; 32], [2; 32]),
            cookies: vec![vec![3; 100]],
            server: None,
            port: None,
        });
        assert!(!nts.needs_keys());
        assert_eq!(nts.cookies(), 1);
    }
}
