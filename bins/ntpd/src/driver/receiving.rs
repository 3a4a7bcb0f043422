//! From sockets, and from other threads, to the engine.

use mio::Token;
use ntp_discipline::Clock;
use ntp_engine::{Arrival, Input};
use ntp_os::{Batch, Datagram, Outbox};

use super::Driver;
use crate::team::{Report, Team};

/// How many batches of one socket are taken before the others have their turn.
const BATCHES: usize = 8;

impl Driver {
    /// Takes what a socket holds, or much of it.
    pub(super) fn receive(&mut self, token: Token, batch: &mut Batch) {
        for _ in 0..BATCHES {
            let Some(socket) = self.sockets.by_token(token) else {
                return;
            };
            let has_departures = socket.has_departures();
            if has_departures {
                // Before what may answer them.
                self.tell_departures(token);
            }
            let Some(socket) = self.sockets.by_token(token) else {
                return;
            };
            let is_for_many = self.sockets.is_for_many(token);
            if let Err(error) = socket.receive(batch) {
                self.log.warning(&format!("receiving: {error}"));
                self.unread.push(token);
                return;
            }
            let sources = batch.iter().map(|datagram| datagram.from.ip());
            self.engine.anticipate(sources);
            let is_few = batch.iter().count() <= Outbox::FEW;
            for datagram in batch.iter() {
                if is_for_many {
                    self.take_for_many(&datagram);
                } else {
                    self.take_single(token, &datagram, is_few);
                }
            }
            self.flush(token);
            if !batch.is_full() {
                if let Err(error) = self.sockets.rearm(token, self.poll.registry()) {
                    self.log.warning(&format!("waiting for a socket: {error}"));
                }
                return;
            }
        }
        self.unread.push(token);
        self.hurry = true;
        self.call_team();
    }

    /// Leaves requests to other threads from now on, if there may be any.
    pub(super) fn call_team(&mut self) {
        if self.team.is_some() || !self.sockets.can_be_shared() {
            return;
        }
        let shards = self.engine.share(self.threads.into());
        let reader = self.clock.reader();
        let started = self
            .waker()
            .and_then(|waker| Team::start(shards, &reader, &waker));
        match started {
            Ok(team) => {
                self.sockets.share(&team, &mut self.log);
                self.team = Some(team);
                let threads = self.threads;
                self.log
                    .information(&format!("{threads} threads answer requests now"));
            }
            Err(error) => {
                self.sockets.keep_for_one();
                self.log
                    .warning(&format!("one thread answers requests: {error}"));
            }
        }
    }

    /// Takes in what other threads left to this one.
    pub(super) fn hear_team(&mut self) {
        while let Some(report) = self.team.as_ref().and_then(Team::report) {
            match report {
                Report::Datagram {
                    received,
                    local,
                    remote,
                    flags,
                    data,
                } => {
                    let input = Input::Screened {
                        received,
                        local,
                        remote,
                        flags,
                        data: &data,
                    };
                    self.engine.handle(self.clock.read(), input);
                    self.drain();
                }
                Report::NotSent { remote, error } => self.tell_not_sent(remote, &error),
                Report::Problem(text) => self.log.warning(&text),
            }
        }
    }

    /// Takes in a datagram that was sent to us alone. Its answer waits in the outbox for those of
    /// the datagrams that came with it, unless that are few: then it leaves at once, so that the
    /// time in it is that of its departure.
    pub(super) fn take_single(&mut self, token: Token, datagram: &Datagram<'_>, is_few: bool) {
        if self.outbox.is_full() {
            self.flush(token);
        }
        let (now, received) = self.clock.read_at(datagram.stamp);
        let arrival = Arrival {
            received: received.wall,
            now,
            local: datagram.to,
            remote: datagram.from,
        };
        let reply = self.outbox.room().and_then(|room| room.first_chunk_mut());
        let Some(reply) = reply else {
            return;
        };
        if let Some(answer) = self.engine.respond(&arrival, datagram.data, reply) {
            // The socket is bound to the address that was asked.
            self.outbox.queue(answer.length, datagram.from, None);
            if answer.stamped && (is_few || answer.interleaved) {
                self.outbox.want_departure();
            }
            if is_few {
                self.send_now(token, answer);
            }
        }
        self.drain();
    }

    /// Takes in a datagram that was sent to many.
    pub(super) fn take_for_many(&mut self, datagram: &Datagram<'_>) {
        let Some(local) = self.sockets.local_for(datagram.from) else {
            return;
        };
        let (now, received) = self.clock.read_at(datagram.stamp);
        let input = Input::DatagramToMany {
            received: received.wall,
            local,
            remote: datagram.from,
            to: datagram.to,
            data: datagram.data,
        };
        self.engine.handle(now, input);
        self.drain();
    }
}
