//! A server whose broadcasts are followed.

use std::net::IpAddr;

use ntp_discipline::{Exchange, FilterConditions, Limits, Now};
use ntp_wire::control::Flash;
use ntp_wire::{Duration, Header, Monotonic, Packet, PollExponent, Timestamp, WireTimestamp};

use super::{
    Association, Reception, Source,
    authenticity::{Way, authenticate},
};
use crate::{authority::Authority, on_wire::Answer};

/// Answers after which the way to the server is known.
const VOLLEY: u8 = 6;
/// The same where the server does not answer all that Autokey asks.
const LONGEST_VOLLEY: u8 = 24;
/// Questions without an answer after which it is not to be known.
const PATIENCE: u32 = 8;
/// A volley is run again, because the server seems to have been set back, after so many intervals
/// at the soonest: copies of old packets would make us ask for ever.
const REST: u32 = 4;

/// What a broadcast client keeps of a server.
///
/// A broadcast tells when it was sent, and nothing of the way here. So the server is asked a few
/// times first, as a client asks; from then on it is only listened to.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The way there and back; `None` while it is measured.
    delay: Option<Duration>,
    /// `broadcastdelay`, where there is no answer.
    assumed: Duration,
    /// Whether there is to be a volley at all.
    volley: bool,
    replies: u8,
    measured: Option<Monotonic>,
    /// The newest broadcast that was believed.
    newest: Option<Heard>,
    /// One that was sent before that, and how many followed it in order.
    set_back: Option<(WireTimestamp, u8)>,
    /// `tos bcpollbstep`
    patience: u8,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    transmit: WireTimestamp,
    at: Monotonic,
}

/// How broadcasts are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListeningOptions {
    pub(crate) volley: bool,
    /// `broadcastdelay`
    pub(crate) delay: Duration,
    /// `tos bcpollbstep`
    pub(crate) step_polls: u8,
}

/// What a broadcast that is authentic is good for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Judgement {
    Time,
    /// The way to the server is not known yet.
    TooEarly,
    /// It says that the server was set back: ask it.
    Ask,
    Refused(Flash),
}

impl Listening {
    pub(crate) fn new(options: ListeningOptions) -> Self {
        Self {
            delay: (!options.volley).then_some(options.delay),
            assumed: options.delay,
            volley: options.volley,
            replies: 0,
            measured: None,
            newest: None,
            set_back: None,
            patience: options.step_polls.max(1),
        }
    }

    /// Whether the server is to be asked, to find out how far it is.
    pub(crate) fn is_measuring(&self) -> bool {
        self.delay.is_none()
    }

    /// So many questions were not answered; `true` if it is no use to go on asking.
    pub(crate) fn give_up(&mut self, unanswered: u32) -> bool {
        let hopeless = self.is_measuring() && unanswered >= PATIENCE;
        if hopeless {
            self.delay = Some(self.assumed);
        }
        hopeless
    }

    /// The server has answered with `header`; `true` if it need not be asked again. `proven` says
    /// whether nothing else is left to ask it.
    fn answered(&mut self, header: &Header, delay: Duration, proven: bool, now: Monotonic) -> bool {
        self.replies = self.replies.saturating_add(1);
        let enough = if proven { VOLLEY } else { LONGEST_VOLLEY };
        if !self.is_measuring() || self.replies < enough {
            return false;
        }
        self.delay = Some(delay);
        self.measured = Some(now);
        self.set_back = None;
        // The answer is fresh, whatever was heard before: what is older is a copy.
        self.newest = Some(Heard {
            transmit: header.transmit_time,
            at: now,
        });
        true
    }

    fn judge(&mut self, header: &Header, now: Monotonic) -> Judgement {
        let transmit = header.transmit_time;
        if transmit.is_zero() {
            return Judgement::Refused(Flash::UNSYNCHRONISED);
        }
        if self.is_measuring() {
            return Judgement::TooEarly;
        }
        let interval = header
            .poll
            .clamp(PollExponent::FASTEST, PollExponent::SLOWEST)
            .interval();
        if let Some(newest) = self.newest {
            let since = now.since(newest.at);
            match ahead(transmit, newest.transmit) {
                0 => return Judgement::Refused(Flash::DUPLICATE),
                ahead if ahead < 0 => {
                    let count = match self.set_back {
                        Some((last, count)) if self::ahead(transmit, last) > 0 => count + 1,
                        Some((last, _)) if last == transmit => {
                            return Judgement::Refused(Flash::DUPLICATE);
                        }
                        _ => 1,
                    };
                    self.set_back = Some((transmit, count.min(100)));
                    let rested = self
                        .measured
                        .is_none_or(|at| now.since(at) >= interval * REST);
                    if count < self.patience || since < interval / 2 {
                        return Judgement::Refused(Flash::BOGUS);
                    } else if self.volley && rested {
                        return Judgement::Ask;
                    } else if self.volley || count <= self.patience {
                        return Judgement::Refused(Flash::BOGUS);
                    }
                }
                // More often than it says of itself: made from recordings, or to wear us out.
                _ if since < interval / 2 => return Judgement::Refused(Flash::BOGUS),
                _ => {}
            }
        }
        self.set_back = None;
        self.newest = Some(Heard { transmit, at: now });
        Judgement::Time
    }

    fn ask_again(&mut self) {
        self.delay = None;
        self.replies = 0;
    }
}

/// How far `one` is after `other`, across the end of an era.
fn ahead(one: WireTimestamp, other: WireTimestamp) -> i64 {
    one.to_bits().wrapping_sub(other.to_bits()) as i64
}

impl Association {
    /// Takes a broadcast of this server in, which came to the address `many` at `received`.
    pub(crate) fn hear(
        &mut self,
        packet: &Packet<'_>,
        (many, received): (IpAddr, Timestamp),
        now: Now,
        authority: &mut Authority<'_>,
        conditions: &FilterConditions,
        limits: &Limits,
    ) -> Reception {
        let Source::Server(server) = &mut self.source else {
            return Reception::default();
        };
        let Some(endpoint) = server.endpoint() else {
            return Reception::default();
        };
        server.received += 1;
        let header = packet.header();
        let verified = match authenticate(
            server,
            &self.settings.security,
            (endpoint, Way::ToMany(many)),
            packet,
            now,
            authority,
        ) {
            Ok(verified) => verified,
            Err(failure) => return self.refuse(failure, now.monotonic),
        };
        let Some(listening) = &mut server.listening else {
            return Reception::default();
        };
        server.problem = None;
        let judgement = listening.judge(header, now.monotonic);
        match judgement {
            Judgement::TooEarly => return Reception::default(),
            Judgement::Refused(failed) => {
                server.count(failed);
                self.flash = self.flash.of_server() | failed;
                return Reception::default();
            }
            Judgement::Ask => {
                listening.ask_again();
                self.schedule.start_burst(now.monotonic);
                return Reception::default();
            }
            Judgement::Time => {}
        }
        let delay = listening.delay.unwrap_or(listening.assumed);
        let sent = header.transmit_time.near(received);
        let exchange = Exchange {
            sent: received - delay,
            server_received: sent,
            server_sent: sent,
            received,
        };
        self.schedule.follow(header.poll, now.monotonic);
        let answer = Answer::basic(exchange);
        self.take(
            header,
            (&answer, received),
            verified,
            now,
            conditions,
            limits,
        )
    }

    /// A broadcast server has answered a question of ours.
    pub(super) fn measured(&mut self, header: &Header, now: Monotonic) {
        let delay = self.estimate().delay;
        let Source::Server(server) = &mut self.source else {
            return;
        };
        let proven = server
            .autokey
            .as_ref()
            .is_none_or(|autokey| autokey.is_complete(true));
        if let Some(listening) = &mut server.listening
            && listening.answered(header, delay, proven, now)
        {
            self.schedule.end_bursts(now);
        }
    }
}

#[cfg(test)]
mod tests;
