//! A server: how often it was asked, what it answered.

use std::{net::SocketAddr, time::Duration as Elapsed};

use ntp_wire::{Duration, KissCode, Monotonic};

use crate::exchange::{Answer, Pending, Refusal};

/// A server that is asked a number of times.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    phase: Phase,
    asked: usize,
    /// How often in a row no answer came.
    misses: usize,
    answers: Vec<Answer>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// To be asked at this time.
    Waiting(Monotonic),
    /// Asked, with an answer possible until this time.
    Asked {
        pending: Pending,
        at: Monotonic,
        until: Monotonic,
    },
    /// Asked enough.
    Done,
}

/// What is to be done about a server whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    /// To ask it.
    Ask,
    /// To take note that it did not answer.
    Silence,
}

impl Server {
    /// So long lies between two requests to a server, which might refuse if it were less.
    const SPACING: Elapsed = Elapsed::from_secs(2);
    /// After so many requests in a row without an answer a server is given up.
    const PATIENCE: usize = 2;

    /// A server to be asked first at `start`.
    pub(crate) const fn new(address: SocketAddr, start: Monotonic) -> Self {
        Self {
            address,
            phase: Phase::Waiting(start),
            asked: 0,
            misses: 0,
            answers: Vec::new(),
        }
    }

    /// When something is to be done about it; `None` if never again.
    pub(crate) const fn deadline(&self) -> Option<Monotonic> {
        match self.phase {
            Phase::Waiting(until) | Phase::Asked { until, .. } => Some(until),
            Phase::Done => None,
        }
    }

    /// What is to be done about it at `now`.
    pub(crate) fn due(&self, now: Monotonic) -> Option<Due> {
        match self.phase {
            Phase::Waiting(until) if until <= now => Some(Due::Ask),
            Phase::Asked { until, .. } if until <= now => Some(Due::Silence),
            _ => None,
        }
    }

    /// The request that an answer must belong to.
    pub(crate) const fn pending(&self) -> Option<&Pending> {
        match &self.phase {
            Phase::Asked { pending, .. } => Some(pending),
            Phase::Waiting(_) | Phase::Done => None,
        }
    }

    /// It was asked at `at`, and has `timeout` to answer.
    pub(crate) fn was_asked(&mut self, pending: Pending, at: Monotonic, timeout: Elapsed) {
        self.asked += 1;
        self.phase = Phase::Asked {
            pending,
            at,
            until: at + timeout,
        };
    }

    /// It did not answer in time, the last of `samples` times or not.
    pub(crate) fn was_silent(&mut self, samples: usize) {
        self.misses += 1;
        if self.misses >= Self::PATIENCE {
            self.phase = Phase::Done;
        } else {
            self.go_on(samples);
        }
    }

    /// Takes what came from it. A datagram that is no answer does not end the waiting for one;
    /// with an answer the request is done, so that a second one is no more than a datagram.
    pub(crate) fn take(&mut self, judged: Result<Answer, Refusal>, samples: usize) {
        match judged {
            Ok(answer) => {
                self.answers.push(answer);
                self.misses = 0;
                self.go_on(samples);
            }
            Err(Refusal::Kiss(KissCode::Deny | KissCode::Restrict | KissCode::Rate)) => {
                self.give_up();
            }
            // An honest "not synchronised": it will not change in a few seconds.
            Err(Refusal::NotFromServer(..)) => self.give_up(),
            Err(_) => {}
        }
    }

    /// Whether it was asked, and nothing came that it can have said.
    pub(crate) fn is_silent(&self) -> bool {
        self.misses > 0 && self.answers.is_empty()
    }

    /// It cannot be asked.
    pub(crate) fn give_up(&mut self) {
        self.phase = Phase::Done;
    }

    fn go_on(&mut self, samples: usize) {
        self.phase = match self.phase {
            Phase::Asked { at, .. } if self.asked < samples => Phase::Waiting(at + Self::SPACING),
            _ => Phase::Done,
        };
    }

    /// The best answer, the one with the shortest round trip; one that is not authenticated only
    /// where there is no other.
    pub(crate) fn best(&self) -> Option<&Answer> {
        self.answers
            .iter()
            .min_by_key(|answer| (!answer.is_trusted, answer.delay))
    }

    /// How much the other answers' offsets differ from the best one's.
    pub(crate) fn jitter(&self) -> Duration {
        let Some(best) = self.best() else {
            return Duration::ZERO;
        };
        let squares: f64 = self
            .answers
            .iter()
            .map(|answer| (answer.offset - best.offset).to_seconds_f64().powi(2))
            .sum();
        let others = self.answers.len().saturating_sub(1).max(1);
        Duration::from_seconds_f64((squares / others as f64).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::{Header, Timestamp, WireTimestamp};

    use super::*;

    const TIMEOUT: Elapsed = Elapsed::from_secs(1);

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_nanos(seconds * 1_000_000_000)
    }

    fn server() -> Server {
        Server::new("127.0.0.1:123".parse().unwrap(), at(0))
    }

    fn ask(server: &mut Server, seconds: u64) {
        assert_eq!(server.due(at(seconds)), Some(Due::Ask));
        let pending = Pending {
            nonce: WireTimestamp::from_bits(1),
            sent: Timestamp::UNIX_EPOCH,
        };
        server.was_asked(pending, at(seconds), TIMEOUT);
    }

    fn answer(offset: i32, delay: i32, is_trusted: bool) -> Answer {
        Answer {
            header: Header::default(),
            offset: Duration::from_millis(offset),
            delay: Duration::from_millis(delay),
            transmitted: Timestamp::UNIX_EPOCH,
            sent: Timestamp::UNIX_EPOCH,
            is_trusted,
        }
    }

    #[test]
    fn requests_keep_their_distance_and_end() {
        let mut server = server();
        for start in [0, 2, 4] {
            assert_eq!(server.deadline(), Some(at(start)));
            ask(&mut server, start);
            server.take(Ok(answer(0, 1, true)), 3);
            assert!(server.pending().is_none());
        }
        assert_eq!(server.deadline(), None);
    }

    #[test]
    fn a_silent_server_is_given_up() {
        let mut server = server();
        ask(&mut server, 0);
        assert_eq!(server.due(at(0)), None);
        assert_eq!(server.due(at(1)), Some(Due::Silence));
        server.was_silent(4);
        ask(&mut server, 2);
        server.was_silent(4);
        assert_eq!(server.deadline(), None);
    }

    #[test]
    fn stray_datagrams_do_not_end_the_waiting() {
        let mut server = server();
        ask(&mut server, 0);
        server.take(Err(Refusal::WrongOrigin), 1);
        server.take(Err(Refusal::ZeroTime), 1);
        assert!(server.pending().is_some());
        server.take(Err(Refusal::Kiss(KissCode::Rate)), 1);
        assert_eq!(server.deadline(), None);
    }

    #[test]
    fn the_shortest_way_is_the_best() {
        let mut server = server();
        for (offset, delay, is_trusted) in [(50, 9, true), (10, 3, true), (99, 1, false)] {
            server.answers.push(answer(offset, delay, is_trusted));
        }
        assert_eq!(server.best().unwrap().offset, Duration::from_millis(10));
        let expected = ((0.04f64.powi(2) + 0.089f64.powi(2)) / 2.0).sqrt();
        assert!((server.jitter().to_seconds_f64() - expected).abs() < 1e-6);
    }
}
