//! What leaves, and when that was.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use mio::Token;
use ntp_discipline::Clock as _;
use ntp_engine::{Input, Reply};

use super::Driver;

impl Driver {
    /// Sends an answer that waits alone, with the time at which it leaves.
    pub(super) fn send_now(&mut self, token: Token, answer: Reply) {
        let Some(socket) = self.sockets.by_token(token) else {
            return;
        };
        if answer.stamped && !socket.can_stamp() {
            self.flush(token);
            return;
        }
        let clock = &self.clock;
        let mut failure = None;
        let touch = |reply: &mut [u8]| answer.renew(reply, clock.wall());
        socket.send_now(&mut self.outbox, touch, |remote, error| {
            failure = Some((remote, error));
        });
        if let Some((remote, error)) = failure {
            let local = socket.local_address().ip();
            self.sent(local, remote, Err(error));
        }
        if answer.stamped {
            self.tell_departures(token);
        }
    }

    /// Sends the answers that wait, from the socket that the requests came to.
    pub(super) fn flush(&mut self, token: Token) {
        if self.outbox.is_empty() {
            return;
        }
        let Some(socket) = self.sockets.by_token(token) else {
            self.outbox.clear();
            return;
        };
        let local = socket.local_address().ip();
        let is_stamped = self.outbox.stamped().next().is_some();
        let can_stamp = is_stamped && socket.can_stamp();
        if is_stamped && !can_stamp {
            // The next best is to look at the clock.
            let now = self.clock.read();
            for (remote, data) in self.outbox.stamped() {
                let at = now.wall;
                self.engine.handle(now, Input::Sent { at, remote, data });
            }
        }
        let mut failed = Vec::new();
        socket.send_all(&mut self.outbox, |remote, error| {
            failed.push((remote, error))
        });
        for (remote, error) in failed {
            self.sent(local, remote, Err(error));
        }
        if can_stamp {
            self.tell_departures(token);
        }
    }

    pub(super) fn send(&mut self, local: IpAddr, remote: SocketAddr, stamped: bool, data: &[u8]) {
        let result = self.sockets.send(local, remote, stamped, data);
        let noted_by = result.as_ref().ok().copied().flatten();
        self.sent(local, remote, result.map(|_| ()));
        if let Some(token) = noted_by {
            self.tell_departures(token);
        }
    }

    /// Tells the engine what has left a socket, and when.
    pub(super) fn tell_departures(&mut self, token: Token) {
        loop {
            let Some(socket) = self.sockets.by_token(token) else {
                return;
            };
            // There are none: the engine has its own reading.
            if socket.departures(&mut self.departures).is_err() {
                return;
            }
            for departure in self.departures.iter() {
                let (now, left) = self.clock.departure(departure.stamp);
                if let Some(left) = left {
                    let input = Input::Sent {
                        at: left.wall,
                        remote: departure.to,
                        data: departure.data,
                    };
                    self.engine.handle(now, input);
                }
            }
            if !self.departures.is_full() {
                return;
            }
        }
    }

    /// Tells of a datagram that could not be sent.
    pub(super) fn sent(&mut self, local: IpAddr, remote: SocketAddr, result: io::Result<()>) {
        if result.is_err() {
            let now = self.clock.read();
            self.engine.handle(now, Input::NotSent { local });
        }
        match result {
            Ok(()) => {
                if !self.failing.is_empty() {
                    self.failing.remove(&remote);
                }
            }
            // A full buffer is the network's way of dropping packets.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.tell_not_sent(remote, &error),
        }
    }

    pub(super) fn tell_not_sent(&mut self, remote: SocketAddr, error: &io::Error) {
        // Bounded: a flood of unreachable clients must not grow it.
        if self.failing.len() < 256
            && self.failing.insert(remote, error.kind()) != Some(error.kind())
        {
            self.log.warning(&format!("sending to {remote}: {error}"));
        }
    }
}
