//! The packet path in threads of its own.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ntp_restrict::{ClientTable, ClientTableLimits, RateLimit, RestrictTarget};
use ntp_wire::Timestamp;
use rand::RngExt as _;

use crate::{
    Arrival, Counters, Engine, LONGEST_REPLY, Responder, ServerView, Verdict, traffic::Passed,
};

/// One thread's share of the packet path: the clients that come to it, what it has counted, and
/// what it answers from. [`Engine::share`](crate::Engine::share) hands them out.
///
/// The engine looks in when somebody asks for the list of clients or for the counters, and leaves
/// what is new to answer from. Therefore there is a lock, which a thread takes for each batch of
/// packets, not for each packet, and has to itself nearly always.
///
/// A client should come to the same share each time: there it is remembered, and held to the rate
/// limit.
#[derive(Debug)]
pub struct Shard(Arc<Mutex<Share>>);

/// A [`Shard`] while a batch of packets is answered.
#[derive(Debug)]
pub struct Turn<'a>(MutexGuard<'a, Share>);

#[derive(Debug)]
struct Share {
    view: Arc<ServerView>,
    responder: Responder,
    /// What came and went, by our addresses.
    passed: Vec<(IpAddr, Passed)>,
}

impl Shard {
    /// Begins a batch.
    pub fn take_turn(&self) -> Turn<'_> {
        Turn(lock(&self.0))
    }
}

impl Turn<'_> {
    /// Packets from these addresses come next: all of a batch.
    pub fn anticipate(&self, sources: impl Iterator<Item = IpAddr>) {
        self.0.responder.anticipate(sources);
    }

    /// Looks at one packet and writes the answer to a plain request into `reply`. What is
    /// [for the engine](Verdict::Engine) is to be handed on as
    /// [`Input::Screened`](crate::Input::Screened).
    pub fn respond(
        &mut self,
        arrival: &Arrival,
        packet: &[u8],
        reply: &mut [u8; LONGEST_REPLY],
    ) -> Verdict {
        let share = &mut *self.0;
        share.at(arrival.local).received += 1;
        let verdict = share.responder.respond(&share.view, arrival, packet, reply);
        if let Verdict::Reply(_) = verdict {
            share.at(arrival.local).sent += 1;
        }
        verdict
    }

    /// The answer `data` left for `remote` at the time `at`; it is `now`.
    pub fn departed(&mut self, remote: SocketAddr, data: &[u8], at: Timestamp, now: Timestamp) {
        self.0.responder.departed(remote, data, at, now);
    }

    /// An answer from this address of ours could not be sent.
    pub fn note_not_sent(&mut self, local: IpAddr) {
        self.0.at(local).fail();
    }
}

/// What the engine keeps of the shares that it handed out.
#[derive(Debug, Default)]
pub(crate) struct Shards(Vec<Arc<Mutex<Share>>>);

impl Shards {
    /// Adds a share.
    pub(crate) fn add(&mut self, view: &Arc<ServerView>, responder: Responder) -> Shard {
        let share = Arc::new(Mutex::new(Share {
            view: Arc::clone(view),
            responder,
            passed: Vec::new(),
        }));
        self.0.push(Arc::clone(&share));
        Shard(share)
    }

    /// From now on they answer from `view`.
    pub(crate) fn publish(&self, view: &Arc<ServerView>) {
        for share in &self.0 {
            lock(share).view = Arc::clone(view);
        }
    }

    /// Holds the clients of each to these bounds.
    pub(crate) fn set_bounds(&self, limits: ClientTableLimits, limit: RateLimit) {
        for share in &self.0 {
            lock(share).responder.set_bounds(limits, limit);
        }
    }

    /// The bounds of the table of each, one of which is the engine's.
    pub(crate) fn limits_of_each(&self, of_all: ClientTableLimits) -> ClientTableLimits {
        of_each(of_all, self.0.len())
    }

    /// These are our addresses now: what was counted for others is forgotten.
    pub(crate) fn set_addresses(&self, has: impl Fn(IpAddr) -> bool) {
        for share in &self.0 {
            lock(share).passed.retain(|(address, _)| has(*address));
        }
    }
}

impl Share {
    /// What came and went at this address of ours.
    fn at(&mut self, local: IpAddr) -> &mut Passed {
        let place = self.passed.iter().position(|(known, _)| *known == local);
        let place = place.unwrap_or_else(|| {
            self.passed.push((local, Passed::default()));
            self.passed.len() - 1
        });
        &mut self.passed[place].1
    }
}

/// All that answer requests: the engine's own responder, and those of other threads, which wait
/// while this is there.
pub(crate) struct Everyone<'a> {
    own: &'a Responder,
    others: Vec<MutexGuard<'a, Share>>,
}

impl Everyone<'_> {
    /// Each of them.
    pub(crate) fn responders(&self) -> impl Iterator<Item = &Responder> {
        let others = self.others.iter().map(|share| &share.responder);
        core::iter::once(self.own).chain(others)
    }

    /// What was done so far.
    pub(crate) fn counters(&self) -> Counters {
        let mut all = Counters::default();
        for responder in self.responders() {
            all.add(responder.counters());
        }
        all
    }

    /// How often the restriction of `target` was the one that counts.
    pub(crate) fn hits_of(&self, target: RestrictTarget) -> u64 {
        self.responders()
            .map(|responder| responder.hits().of(target))
            .sum()
    }

    /// What came and went elsewhere than in the engine at `local`, or at all our addresses.
    pub(crate) fn passed(&self, local: Option<IpAddr>) -> Passed {
        let mut all = Passed::default();
        for (address, passed) in self.others.iter().flat_map(|share| &share.passed) {
            if local.is_none_or(|local| local == *address) {
                all.add(passed);
            }
        }
        all
    }
}

impl Engine {
    /// Hands out the packet path to `count` other threads. The bounds on the list of clients are
    /// for all of them together, each having its part; in its own the engine keeps those that come
    /// to it.
    ///
    /// ```
    /// # use ntp_discipline::Now;
    /// # use ntp_wire::{Monotonic, Timestamp};
    /// use ntp_engine::{Arrival, Engine, LONGEST_REPLY, Setup, Verdict};
    ///
    /// # let now = Now { wall: Timestamp::from_unix(1_795_393_189, 0), monotonic: Monotonic::START };
    /// let config = ntp_conf::parse("ntp.conf", "", |_| Err(String::new())).config;
    /// let mut engine = Engine::new(Setup::new(config), [7; 32], now);
    /// let threads: Vec<_> = engine
    ///     .share(2)
    ///     .into_iter()
    ///     .map(|shard| {
    ///         std::thread::spawn(move || {
    ///             let arrival = Arrival {
    ///                 received: now.wall,
    ///                 now,
    ///                 local: [192, 0, 2, 1].into(),
    ///                 remote: ([192, 0, 2, 2], 40_000).into(),
    ///             };
    ///             let mut request = [0; 48];
    ///             request[0] = 4 << 3 | 3; // a client's of version 4
    ///             let mut reply = [0; LONGEST_REPLY];
    ///             shard.take_turn().respond(&arrival, &request, &mut reply)
    ///         })
    ///     })
    ///     .collect();
    /// for thread in threads {
    ///     assert!(matches!(thread.join().unwrap(), Verdict::Reply(reply) if reply.length == 48));
    /// }
    /// ```
    pub fn share(&mut self, count: usize) -> Vec<Shard> {
        let limits = of_each(self.client_limits, count);
        let limit = self.responder.limit();
        self.responder.set_bounds(limits, limit);
        let shards = (0..count).map(|_| {
            let clients = ClientTable::new(limits, self.rng.random());
            let responder = Responder::new(clients, limit, self.rng.random());
            self.shards.add(&self.view, responder)
        });
        shards.collect()
    }

    /// All that answer requests. Other threads wait until this is dropped: be short.
    pub(crate) fn everyone(&self) -> Everyone<'_> {
        Everyone {
            own: &self.responder,
            others: self.shards.0.iter().map(|share| lock(share)).collect(),
        }
    }
}

/// The bounds of the table of each, one of which is the engine's.
fn of_each(of_all: ClientTableLimits, shards: usize) -> ClientTableLimits {
    let tables = shards + 1;
    ClientTableLimits {
        least: of_all.least.div_ceil(tables),
        most: of_all.most.div_ceil(tables),
        ..of_all
    }
}

/// A thread that died in the middle of a batch leaves whole counters and a whole table behind, or
/// none that matter more than an answer.
fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}
