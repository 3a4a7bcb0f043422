//! Threads that answer clients.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel},
    },
    thread,
};

use mio::{Events, Interest, Poll, Token, Waker};
use nix::sys::signal::SigSet;
use ntp_engine::{Arrival, Shard, Verdict};
use ntp_os::{Batch, ClockReader, Departures, NtpSocket, Outbox};
use ntp_restrict::RestrictFlags;
use ntp_wire::Timestamp;

use crate::token;

/// What may wait for the engine. What comes when there is more is dropped, as a network would.
const WAITING: usize = 256;
/// How many batches of one socket are taken before the others have their turn.
const BATCHES: usize = 8;

/// Threads that answer plain requests, each from sockets of its own; they end with it.
pub(crate) struct Team {
    members: Vec<Member>,
    reports: Receiver<Report>,
}

/// What a thread leaves to the event loop.
pub(crate) enum Report {
    /// It is no plain request.
    Datagram {
        received: Timestamp,
        local: IpAddr,
        remote: SocketAddr,
        flags: RestrictFlags,
        data: Box<[u8]>,
    },
    /// An answer could not be sent.
    NotSent {
        remote: SocketAddr,
        error: io::Error,
    },
    /// Something else went wrong.
    Problem(String),
}

/// What the event loop tells a thread.
enum Order {
    Open(NtpSocket),
    /// The machine has this address no longer.
    Close(SocketAddr),
}

struct Member {
    orders: Sender<Order>,
    waker: Waker,
}

impl Team {
    /// Starts a thread for each shard. They wake the event loop when there is a report for it.
    pub(crate) fn start(
        shards: Vec<Shard>,
        clock: &ClockReader,
        waker: &Arc<Waker>,
    ) -> io::Result<Self> {
        let (report, reports) = sync_channel(WAITING);
        let mut members = Vec::with_capacity(shards.len());
        for (number, shard) in shards.into_iter().enumerate() {
            let poll = Poll::new()?;
            let (orders, inbox) = channel();
            members.push(Member {
                orders,
                waker: Waker::new(poll.registry(), token::WAKER)?,
            });
            let thread = Thread {
                shard,
                clock: clock.clone(),
                poll,
                inbox,
                report: report.clone(),
                waker: Arc::clone(waker),
                sockets: Vec::new(),
                next_token: token::FIRST_SOCKET,
                outbox: Outbox::new(),
                departures: Departures::new(),
                unread: Vec::new(),
            };
            thread::Builder::new()
                .name(format!("answers-{number}"))
                .stack_size(256 << 10)
                .spawn(move || thread.run())?;
        }
        Ok(Self { members, reports })
    }

    /// Gives each thread one of the sockets at an address.
    pub(crate) fn open(&self, sockets: Vec<NtpSocket>) {
        for (member, socket) in self.members.iter().zip(sockets) {
            member.tell(Order::Open(socket));
        }
    }

    /// Has the sockets at this address closed.
    pub(crate) fn close(&self, address: SocketAddr) {
        for member in &self.members {
            member.tell(Order::Close(address));
        }
    }

    /// The next report. Ask until there is none whenever the loop was woken.
    pub(crate) fn report(&self) -> Option<Report> {
        self.reports.try_recv().ok()
    }
}

impl Member {
    fn tell(&self, order: Order) {
        // A thread that has died is missed by its clients only: its sockets are closed, and the
        // kernel gives them to the others.
        if self.orders.send(order).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        for member in self.members.drain(..) {
            drop(member.orders);
            let _ = member.waker.wake();
        }
    }
}

struct Thread {
    shard: Shard,
    clock: ClockReader,
    poll: Poll,
    inbox: Receiver<Order>,
    report: SyncSender<Report>,
    waker: Arc<Waker>,
    sockets: Vec<(Token, NtpSocket)>,
    next_token: usize,
    outbox: Outbox,
    departures: Departures,
    /// Sockets that may hold more than was taken: they will not be told of again.
    unread: Vec<Token>,
}

impl Thread {
    fn run(mut self) {
        // They are for the event loop, whose wait they interrupt.
        let _ = SigSet::all().thread_block();
        let mut events = Events::with_capacity(64);
        let mut batch = Batch::new();
        loop {
            let wait = (!self.unread.is_empty()).then_some(std::time::Duration::ZERO);
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.tell(Report::Problem(format!("waiting for requests: {error}")));
                return;
            }
            if self.obey().is_err() {
                return;
            }
            let mut readable = std::mem::take(&mut self.unread);
            for event in &events {
                if event.token() != token::WAKER && !readable.contains(&event.token()) {
                    readable.push(event.token());
                }
            }
            for token in readable {
                if self.receive(token, &mut batch) {
                    self.unread.push(token);
                }
            }
        }
    }

    /// Does what it was told; an error if there is nobody any longer to tell it anything.
    fn obey(&mut self) -> Result<(), TryRecvError> {
        loop {
            match self.inbox.try_recv() {
                Ok(Order::Open(mut socket)) => {
                    let token = Token(self.next_token);
                    self.next_token += 1;
                    let registry = self.poll.registry();
                    match registry.register(&mut socket, token, Interest::READABLE) {
                        Ok(()) => {
                            // What came before is not told of.
                            self.unread.push(token);
                            self.sockets.push((token, socket));
                        }
                        Err(error) => self.tell(Report::Problem(format!(
                            "a thread can't read {}: {error}",
                            socket.local_address()
                        ))),
                    }
                }
                Ok(Order::Close(address)) => self
                    .sockets
                    .retain(|(_, socket)| socket.local_address() != address),
                Err(TryRecvError::Empty) => return Ok(()),
                Err(gone) => return Err(gone),
            }
        }
    }

    /// Answers what a socket holds, or much of it; whether there may be more.
    fn receive(&mut self, token: Token, batch: &mut Batch) -> bool {
        let place = self.sockets.iter().position(|(known, _)| *known == token);
        let Some(socket) = place.map(|place| self.sockets.swap_remove(place).1) else {
            return false;
        };
        let mut may_be_more = true;
        for _ in 0..BATCHES {
            if let Err(error) = socket.receive(batch) {
                self.tell(Report::Problem(format!("receiving: {error}")));
                break;
            }
            self.answer(&socket, batch);
            if !batch.is_full() {
                may_be_more = false;
                break;
            }
        }
        self.sockets.push((token, socket));
        may_be_more
    }

    fn answer(&mut self, socket: &NtpSocket, batch: &Batch) {
        let Self {
            shard,
            clock,
            outbox,
            ..
        } = self;
        let mut left = Vec::new();
        // Few need not wait for each other, so that the time in each is that of its departure.
        let is_few = batch.iter().count() <= Outbox::FEW;
        {
            let mut turn = shard.take_turn();
            turn.anticipate(batch.iter().map(|datagram| datagram.from.ip()));
            for datagram in batch.iter() {
                let (now, received) = clock.read_at(datagram.stamp);
                let arrival = Arrival {
                    received: received.wall,
                    now,
                    local: datagram.to,
                    remote: datagram.from,
                };
                // There is room for the answers to a whole batch.
                let reply = outbox.room().and_then(|room| room.first_chunk_mut());
                let Some(reply) = reply else {
                    continue;
                };
                match turn.respond(&arrival, datagram.data, reply) {
                    // The socket is bound to the address that was asked.
                    Verdict::Reply(answer) => {
                        outbox.queue(answer.length, datagram.from, None);
                        if answer.stamped && (is_few || answer.interleaved) {
                            outbox.want_departure();
                        }
                        if is_few {
                            let touch = |reply: &mut [u8]| answer.renew(reply, clock.wall());
                            socket.send_now(outbox, touch, |remote, error| {
                                left.push(Report::NotSent { remote, error });
                            });
                        }
                    }
                    Verdict::Drop(_) => {}
                    Verdict::Engine(flags) => left.push(Report::Datagram {
                        received: received.wall,
                        local: datagram.to,
                        remote: datagram.from,
                        flags,
                        data: datagram.data.into(),
                    }),
                }
            }
        }
        let is_stamped = outbox.stamped().next().is_some();
        if is_stamped && !socket.can_stamp() {
            // The next best is to look at the clock.
            let at = clock.read_at(None).0.wall;
            let mut turn = shard.take_turn();
            for (remote, data) in outbox.stamped() {
                turn.departed(remote, data, at, at);
            }
        }
        socket.send_all(&mut self.outbox, |remote, error| {
            left.push(Report::NotSent { remote, error });
        });
        for report in left {
            if let Report::NotSent { .. } = report {
                let local = socket.local_address().ip();
                self.shard.take_turn().note_not_sent(local);
            }
            self.tell(report);
        }
        if socket.has_departures() {
            self.note_departures(socket);
        }
    }

    /// Notes what has left a socket, and when.
    fn note_departures(&mut self, socket: &NtpSocket) {
        loop {
            // There are none: the reading before they were made will do.
            if socket.departures(&mut self.departures).is_err() {
                return;
            }
            let mut turn = self.shard.take_turn();
            for departure in self.departures.iter() {
                let (now, left) = self.clock.departure(departure.stamp);
                if let Some(left) = left {
                    turn.departed(departure.to, departure.data, left.wall, now.wall);
                }
            }
            if !self.departures.is_full() {
                return;
            }
        }
    }

    /// Tells the event loop, if that is not too busy to listen.
    fn tell(&self, report: Report) {
        if self.report.try_send(report).is_ok() {
            let _ = self.waker.wake();
        }
    }
}
