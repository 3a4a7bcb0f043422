//! Peers: each asks and each answers.

use std::collections::VecDeque;

use ntp_wire::{KeyId, Packet};
use rand::Rng;

use super::{Association, Received, Relation, STEP};
use crate::{
    Cookie, Direction, Exchange, Finished, Host, IdentityGroups, Job, Message, Opcode,
    ReceiveError, SessionKey, StatusWord,
    host::{Asked, Prepared},
    signed_value::SignedValue,
};

/// Answers that are owed at most, those that are worked for among them: a peer asks one question at
/// a time.
const MOST_OWED: usize = 4;

/// After a question that came to nothing so many packets go without one at most.
const LONGEST_REST: u8 = 4;

/// After so many packets with answers or questions one of a settled pair is bare.
const MOST_WITHOUT_TIME: u8 = 4;

/// Fields of a packet that are looked at.
const MOST_FIELDS: usize = 4;

/// What is owed to a peer.
#[derive(Debug, Default)]
pub(super) struct Counterpart {
    /// Our half of the cookie, once it was asked for.
    half: Option<Cookie>,
    /// Whether the peer was given it.
    given: bool,
    answers: VecDeque<Answer>,
    jobs: VecDeque<Job>,
    at_work: usize,
    rest: Rest,
    /// So many packets in a row had fields, and so no time for the peer.
    without_time: u8,
}

/// A peer that we can't prove may follow us, and takes no time from packets with questions.
#[derive(Debug, Default)]
struct Rest {
    left: u8,
    next: u8,
}

#[derive(Debug)]
struct Answer {
    opcode: Opcode,
    association: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// We are not synchronised, or do not know.
    Nothing,
    Value(SignedValue),
    /// The autokey values of the list that is in use when the answer leaves.
    List,
}

impl Counterpart {
    pub(super) fn forget(&mut self) {
        self.answers.clear();
    }

    fn half(&mut self, random: &mut impl Rng) -> Cookie {
        *self
            .half
            .get_or_insert_with(|| Cookie::new(random.next_u32()))
    }

    /// Whether the other host knows all of the cookie, if it is given the half of it.
    pub(super) fn has_our_half(&self, relation: Relation) -> bool {
        relation != Relation::Peer || self.given
    }

    fn is_full(&self) -> bool {
        self.answers.len() + self.at_work >= MOST_OWED
    }
}

impl Association {
    /// Takes the packet of a peer. `answers` says whether it passed the origin check, so that it is
    /// no copy and not of somebody who sees none of our packets; otherwise only its questions count.
    ///
    /// # Errors
    ///
    /// [`ReceiveError`] if the packet is not the peer's as far as that can be known, or what it
    /// answers is wrong; its time must not be used. Questions in it may have been taken all the same.
    pub fn receive_from_peer(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        packet: &Packet<'_>,
        answers: bool,
    ) -> Result<Received, ReceiveError> {
        let taken = self.take_from_peer(host, exchange, groups, packet, answers);
        let owed = !self.counterpart.answers.is_empty();
        let noted = match taken {
            // It is not worth a line, nor a thought: anybody can send it.
            Err(error) if !answers => Err(error),
            taken => self.note(exchange, packet, taken),
        };
        if owed {
            self.soon = Some(STEP);
        }
        self.spread_steps(host.random());
        match noted {
            // A peer that can sign nothing yet may want to know the time all the same, and needs our
            // packets to tell of his.
            Err(ReceiveError::NoValue(_)) => Ok(Received {
                time_usable: false,
                progress: false,
            }),
            noted => noted,
        }
    }

    /// Whether the next packet will hold an answer. Then its origin and receive timestamps must tell
    /// of the packet with the question, whether or not that one answered ours: otherwise two whose
    /// packets crossed, or of whom one lacks what the other's bare packets are made with, would
    /// refuse each other's answers for ever.
    pub fn owes_an_answer(&self) -> bool {
        !self.counterpart.answers.is_empty() && !self.must_tell_time()
    }

    /// Once we have asked all, who asks and asks does not keep the peer from time: anybody can.
    fn must_tell_time(&self) -> bool {
        self.counterpart.without_time >= MOST_WITHOUT_TIME
            && self.dance.status.contains(StatusWord::LEAP)
    }

    /// Where both take a step at the same time their packets cross, and neither answers the other:
    /// not twice in a row.
    fn spread_steps(&mut self, random: &mut impl Rng) {
        let share = random.next_u32() % 1000;
        self.soon = self.soon.map(|wait| wait / 2 + wait * share / 1000);
    }

    /// Public-key work for an answer, to be done elsewhere and given to
    /// [`finish`](Self::finish).
    pub fn take_job(&mut self) -> Option<Job> {
        self.counterpart.jobs.pop_front()
    }

    /// The work for an answer is done: the answer goes with the next packet.
    pub fn finish(&mut self, host: &mut Host, finished: Finished) {
        self.drop_job();
        let Some((asked, value)) = host.finish_for_peer(finished) else {
            return;
        };
        self.counterpart.answers.push_back(Answer {
            opcode: asked.opcode,
            association: asked.association,
            content: Content::Value(value),
        });
        self.soon = Some(STEP);
        self.spread_steps(host.random());
    }

    /// The work for an answer will not be done: the peer may ask again.
    pub fn drop_job(&mut self) {
        self.counterpart.at_work = self.counterpart.at_work.saturating_sub(1);
    }

    fn take_from_peer(
        &mut self,
        host: &mut Host,
        exchange: &Exchange,
        groups: &IdentityGroups,
        packet: &Packet<'_>,
        answers: bool,
    ) -> Result<Received, ReceiveError> {
        let (key_id, digest) = super::reply::autokey_mac(packet)?;
        let Exchange { local, remote, .. } = *exchange;
        let algorithm = host.keys().algorithm();
        let is_bare = packet.extensions().next().is_none();
        let cookie = if is_bare {
            self.cookie()
        } else {
            Cookie::PUBLIC
        };
        if !SessionKey::new(algorithm, remote, local, key_id, cookie)
            .verify(packet.authenticated(), digest)
        {
            return Err(ReceiveError::BadMac);
        }
        let mut answer = None;
        for field in packet.extensions().take(MOST_FIELDS) {
            let message = Message::parse(&field)?;
            match message.direction {
                Direction::Request => self.owe(host, exchange, key_id, &message),
                Direction::Response if answers => {
                    answer = Some(self.take_response(host, exchange, groups, &message));
                }
                Direction::Error if answers => return Err(ReceiveError::ServerError),
                Direction::Response | Direction::Error => {}
            }
        }
        // A question in the same packet is answered, whatever became of ours.
        let progress = answer.transpose()?.is_some();
        let is_proventic = self.is_proventic();
        let has_secret = self.cookie() != Cookie::PUBLIC;
        let list = match self.standing.as_deref_mut() {
            Some(standing) => &mut standing.list,
            None => &mut self.dance.list,
        };
        // While there is no secret, the place in the list is the proof.
        let follows = list
            .as_mut()
            .map(|list| list.chain.follow(algorithm, remote, local, key_id));
        let time_usable = is_proventic
            && if has_secret {
                is_bare
            } else {
                follows == Some(true)
            };
        if answers && is_proventic && !has_secret && follows == Some(false) && !progress {
            self.ask_for_list(exchange.monotonic);
            return Err(ReceiveError::NotInList);
        }
        Ok(Received {
            time_usable,
            progress,
        })
    }

    /// A question of the peer.
    fn owe(&mut self, host: &mut Host, exchange: &Exchange, key_id: KeyId, message: &Message<'_>) {
        if self.counterpart.is_full() {
            return;
        }
        let asked = Asked::of(exchange, key_id, message);
        let content = if message.opcode == Opcode::Autokey {
            Content::List
        } else {
            let half = self.counterpart.half(host.random());
            match host.answer(exchange, message, Some(half)) {
                Ok(Prepared::Nothing) => Content::Nothing,
                Ok(Prepared::Value(value)) => Content::Value(value),
                Ok(Prepared::Task(task)) => {
                    self.counterpart.at_work += 1;
                    self.counterpart.jobs.push_back(Job { asked, task });
                    return;
                }
                Err(_) => return,
            }
        };
        self.counterpart.answers.push_back(Answer {
            opcode: asked.opcode,
            association: asked.association,
            content,
        });
    }

    /// Whether the next packet goes without a question, because the last one came to nothing.
    pub(super) fn rests(&mut self) -> bool {
        if self.options.relation != Relation::Peer {
            return false;
        }
        let rest = &mut self.counterpart.rest;
        if rest.left > 0 {
            rest.left -= 1;
            return true;
        }
        match self.sent {
            Some(sent) if sent.opcode.is_some() && !sent.answered => {
                rest.left = rest.next;
                rest.next = (rest.next * 2 + 1).min(LONGEST_REST);
                true
            }
            Some(sent) if sent.opcode.is_some() => {
                *rest = Rest::default();
                false
            }
            _ => false,
        }
    }

    /// A packet leaves, which is bare or not.
    pub(super) fn note_sent(&mut self, is_bare: bool) {
        let before = self.counterpart.without_time;
        self.counterpart.without_time = if is_bare { 0 } else { before.saturating_add(1) };
    }

    /// Appends what is owed, as far as it fits; whether there was something.
    pub(super) fn seal_answers(
        &mut self,
        host: &Host,
        exchange: &Exchange,
        packet: &mut Vec<u8>,
    ) -> bool {
        let before = packet.len();
        let has_turn = self.owes_an_answer();
        while has_turn
            && packet.len() <= Self::ROOM
            && let Some(answer) = self.counterpart.answers.pop_front()
        {
            if answer.opcode == Opcode::Cookie && !self.counterpart.given {
                self.counterpart.given = matches!(answer.content, Content::Value(_));
                // From now on it is made with another cookie.
                self.list.forget();
            }
            let value = match answer.content {
                Content::Nothing => None,
                Content::Value(value) => Some(value),
                Content::List => self
                    .list
                    .start()
                    .filter(|_| exchange.synchronised)
                    .and_then(|start| host.sign_list(exchange.now, start).ok()),
            };
            Message {
                direction: Direction::Response,
                opcode: answer.opcode,
                association: answer.association,
                value: value.as_ref().map(SignedValue::value),
            }
            .emit(packet);
        }
        if !self.counterpart.answers.is_empty() {
            self.soon = Some(STEP);
        }
        packet.len() != before
    }

    /// The cookie, of which `theirs` is what the other host has given.
    pub(super) fn share(&mut self, host: &mut Host, theirs: Cookie) -> Cookie {
        match self.options.relation {
            Relation::Client | Relation::Listener => theirs,
            Relation::Peer => {
                let ours = self.counterpart.half(host.random());
                Cookie::new(ours.value() ^ theirs.value())
            }
        }
    }
}
