//! Answers that took work, for who asks again because they were lost.

use std::{collections::VecDeque, net::IpAddr, time::Duration};

use ntp_wire::Monotonic;
use ring::digest::{SHA256, digest};

use crate::{Opcode, Value, signed_value::SignedValue};

/// An answer is given again within this time.
const LIFE: Duration = Duration::from_secs(64);

/// The most that are kept; the oldest give way.
const MOST: usize = 128;

/// The last answers to COOKIE and SIGN.
#[derive(Debug, Default)]
pub(super) struct AnswerCache {
    /// The oldest first.
    answers: VecDeque<(Question, SignedValue)>,
}

/// Who asked what, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    local: IpAddr,
    remote: IpAddr,
    opcode: Opcode,
    /// Of the value; that of others may be long.
    digest: [u8; 32],
    asked: Monotonic,
}

impl Question {
    pub(super) fn new(
        (local, remote): (IpAddr, IpAddr),
        opcode: Opcode,
        value: Option<&Value<'_>>,
        asked: Monotonic,
    ) -> Self {
        let octets = value.map_or(&[][..], |value| value.octets);
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(digest(&SHA256, octets).as_ref()) {
            *to = *from;
        }
        Self {
            local,
            remote,
            opcode,
            digest: fingerprint,
            asked,
        }
    }

    fn is(&self, other: &Self) -> bool {
        (self.local, self.remote, self.opcode) == (other.local, other.remote, other.opcode)
            && self.digest == other.digest
    }

    /// Whether the same question has the same answer a little later. A challenge never comes twice.
    const fn repeats(&self) -> bool {
        matches!(self.opcode, Opcode::Cookie | Opcode::Sign)
    }
}

impl AnswerCache {
    /// The answer, if the same was asked a short while ago.
    pub(super) fn find(&self, question: &Question) -> Option<&SignedValue> {
        let is_fresh = |known: &Question| question.asked.since(known.asked) < LIFE;
        let mut answers = self.answers.iter().rev();
        answers
            .find(|(known, _)| known.is(question) && is_fresh(known))
            .map(|(_, answer)| answer)
    }

    pub(super) fn keep(&mut self, question: Question, answer: &SignedValue) {
        if !question.repeats() {
            return;
        }
        if self.answers.len() >= MOST {
            self.answers.pop_front();
        }
        self.answers.push_back((question, answer.clone()));
    }

    pub(super) fn clear(&mut self) {
        self.answers.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Stamp,
        test_material::{CLIENT, SERVER},
    };

    fn question(remote: IpAddr, opcode: Opcode, octets: &[u8], second: u64) -> Question {
        let value = Value {
            timestamp: Stamp::NEVER,
            filestamp: Stamp::NEVER,
            octets,
            signature: &[],
        };
        let asked = Monotonic::START + Duration::from_secs(second);
        Question::new((SERVER, remote), opcode, Some(&value), asked)
    }

    #[test]
    fn only_the_same_question_of_the_same_client_has_the_same_answer_and_not_for_long() {
        let mut cache = AnswerCache::default();
        let answer = SignedValue::unsigned(Stamp::NEVER, vec![1]);
        cache.keep(question(CLIENT, Opcode::Cookie, b"key", 0), &answer);
        let found = |question: &Question| cache.find(question).is_some();
        assert!(found(&question(CLIENT, Opcode::Cookie, b"key", 63)));
        assert!(!found(&question(CLIENT, Opcode::Cookie, b"key", 64)));
        assert!(!found(&question(CLIENT, Opcode::Cookie, b"kez", 1)));
        assert!(!found(&question(CLIENT, Opcode::Sign, b"key", 1)));
        assert!(!found(&question(SERVER, Opcode::Cookie, b"key", 1)));
        let elsewhere = Question {
            local: CLIENT,
            ..question(CLIENT, Opcode::Cookie, b"key", 1)
        };
        assert!(!found(&elsewhere));
    }

    #[test]
    fn challenges_are_not_kept_and_there_are_never_many() {
        let mut cache = AnswerCache::default();
        let answer = SignedValue::unsigned(Stamp::NEVER, vec![1]);
        cache.keep(question(CLIENT, Opcode::Iff, b"r", 0), &answer);
        assert!(cache.answers.is_empty());
        for n in 0..10_000u32 {
            cache.keep(question(CLIENT, Opcode::Sign, &n.to_be_bytes(), 0), &answer);
        }
        assert_eq!(cache.answers.len(), MOST);
        let last = question(CLIENT, Opcode::Sign, &9_999u32.to_be_bytes(), 1);
        assert!(cache.find(&last).is_some());
    }
}
