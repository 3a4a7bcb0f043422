//! The packet path: a request comes in, its answer goes out, nothing else happens.

mod hits;
mod interleave;
mod locals;
mod nts;

use std::net::{IpAddr, SocketAddr};

use ntp_autokey::Cookie;
use ntp_discipline::Now;
use ntp_keys::MacBuffer;
use ntp_nts::Inspection;
use ntp_restrict::{
    ClientTable, ClientTableLimits, PastSighting, RateLimit, RestrictFlags, Restriction, Sighting,
};
use ntp_wire::{Header, KeyId, KissCode, Mode, Packet, Stratum, Timestamp, Trailer, Version};

use rand::{SeedableRng, rngs::ChaCha12Rng};

use self::interleave::{Asked, Interleave};
pub use self::nts::NtsCounters;
pub(crate) use self::{
    hits::Hits,
    interleave::{of_arrival, of_departure},
    locals::Locals,
};
use crate::{Counters, ServerView};

/// Longest reply that [`Responder::respond`] writes: one with NTS and eight cookies. Most are far
/// shorter.
pub const LONGEST_REPLY: usize = 1024;

/// Answers plain requests without the engine: no lock, no allocation, no system call.
#[derive(Debug)]
pub struct Responder {
    clients: ClientTable,
    limit: RateLimit,
    counters: Counters,
    hits: Hits,
    locals: Locals,
    interleave: Interleave,
    /// Nonces and the like of what is sealed.
    nonces: ChaCha12Rng,
}

/// When and where a packet came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When it arrived, as the kernel noted it.
    pub received: Timestamp,
    /// What the clocks show now.
    pub now: Now,
    /// Our address that it was sent to.
    pub local: IpAddr,
    /// Where it came from.
    pub remote: SocketAddr,
}

/// A reply that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reply {
    /// Its octets.
    pub length: usize,
    /// Say by [`Responder::departed`] or [`Input::Sent`](crate::Input::Sent) when it left, if the
    /// system can tell.
    pub stamped: bool,
    /// It tells when the reply before it left, which its client knows of. Who does not show that may
    /// be anybody: where there is much to do, his replies need not be `stamped`.
    pub interleaved: bool,
    /// Nothing depends on its transmit timestamp: a later reading of the clock may take its place.
    pub renewable: bool,
}

impl Reply {
    /// Writes into the reply, if it is [renewable](Self::renewable), that it leaves `now`.
    pub fn renew(&self, reply: &mut [u8], now: Timestamp) {
        const TRANSMIT: core::ops::Range<usize> = 40..48;
        if let Some(place) = reply.get_mut(TRANSMIT).filter(|_| self.renewable) {
            let octets = of_departure(now.to_wire()).to_bits().to_be_bytes();
            place.copy_from_slice(&octets);
        }
    }
}

/// A header that was written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Emitted {
    /// It tells when the reply before it left.
    pub(crate) interleaved: bool,
    /// It should be said when the reply has left.
    pub(crate) stamped: bool,
}

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Send the reply.
    Reply(Reply),
    /// Nothing.
    Drop(DropReason),
    /// It is no plain request: the engine looks at it, with these restrictions in force.
    Engine(RestrictFlags),
}

/// Why a packet is not answered.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DropReason {
    /// `restrict` says so.
    Restricted,
    /// Its sender asks too often.
    Limited,
    /// It is no NTP packet.
    BadFormat,
    /// Its version is unknown, or not the one that `restrict … version` lets through.
    Version,
    /// Its mode is not served.
    Mode,
    /// It is not authenticated, and `restrict … notrust` wants it to be.
    Unauthenticated,
}

/// Whether a request is authentic.
enum Authenticity<'a> {
    /// It does not say.
    None,
    /// By a key of the keys file.
    Symmetric(&'a ntp_keys::SymmetricKey, KeyId),
    /// By an Autokey session key.
    Session(KeyId, Cookie),
    /// By NTS.
    Nts(ntp_nts::Authentic<'a>),
    /// By NTS, and its cookie or its authenticator is of no use.
    RefusedNts(ntp_nts::Refused<'a>),
    /// It says so, and it is wrong.
    Failed,
}

impl Responder {
    /// A responder that remembers clients in `clients` and holds them to `limit`. `seed` must be
    /// unpredictable, and no other's: cookies are made with it.
    pub fn new(clients: ClientTable, limit: RateLimit, seed: [u8; 32]) -> Self {
        Self {
            clients,
            limit,
            counters: Counters::default(),
            hits: Hits::default(),
            locals: Locals::default(),
            interleave: Interleave::default(),
            nonces: ChaCha12Rng::from_seed(seed),
        }
    }

    /// What was done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whom it remembers.
    pub(crate) fn clients(&self) -> &ClientTable {
        &self.clients
    }

    /// From now on clients are remembered and held to a rate within these bounds.
    pub(crate) fn set_bounds(&mut self, limits: ClientTableLimits, limit: RateLimit) {
        self.clients.set_limits(limits);
        self.limit = limit;
    }

    /// The number that clients of this address of ours have as their endpoint.
    pub(crate) fn endpoint_of(&self, local: IpAddr) -> Option<u16> {
        self.locals.find(local)
    }

    /// How often each entry of the restrictions was the one that counts.
    pub(crate) fn hits(&self) -> &Hits {
        &self.hits
    }

    /// How often a client may ask.
    pub(crate) fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Somebody else has answered requests in our place.
    pub(crate) fn note_elsewhere(
        &mut self,
        view: &ServerView,
        done: &Counters,
        clients: &[(IpAddr, PastSighting)],
    ) {
        self.counters.add(done);
        let clients = if view.remembers { clients } else { &[] };
        for (local, past) in clients {
            let Restriction { flags, .. } = view.restrictions.lookup(past.sighting.source);
            let endpoint = self.locals.number(*local);
            let sighting = Sighting {
                endpoint,
                ..past.sighting
            };
            self.clients
                .note(&PastSighting { sighting, ..*past }, flags);
        }
    }

    /// The engine has dropped an Autokey request because of the work it takes.
    pub(crate) fn note_too_much_work(&mut self) {
        self.counters.too_much_work += 1;
    }

    /// Somebody wanted to be remembered, and may not.
    pub(crate) fn note_declined(&mut self) {
        self.counters.declined += 1;
    }

    /// Looks at a packet that was sent to many: the restrictions in force, if it is to be looked at
    /// any further.
    pub(crate) fn screen(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        bytes: &[u8],
    ) -> Option<RestrictFlags> {
        self.counters.received += 1;
        let Restriction { flags, entry } = view.restrictions.lookup(arrival.remote);
        self.hits.count(&view.restrictions, entry);
        if flags.intersects(RestrictFlags::IGNORE | RestrictFlags::NO_SERVE) {
            self.counters.restricted += 1;
            return None;
        }
        let version = Version::from_bits(bytes.first()? >> 3);
        let is_unwanted = flags.contains(RestrictFlags::VERSION) && version != Version::V4;
        if arrival.remote.port() == 0 || !version.is_supported() || is_unwanted {
            self.counters.declined += 1;
            return None;
        }
        Some(flags)
    }

    /// Whether a packet that is answered by the engine, by and by, is within the rate limit.
    pub(crate) fn admits(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        header: &Header,
        flags: RestrictFlags,
    ) -> bool {
        let verdict = self.record(view, arrival, header, flags);
        let is_admitted = verdict == ntp_restrict::Verdict::Serve;
        self.counters.limited += u64::from(!is_admitted);
        is_admitted
    }

    /// Packets from these addresses will be looked at next. See [`ClientTable::anticipate`].
    pub fn anticipate(&self, sources: impl Iterator<Item = IpAddr>) {
        self.clients.anticipate(sources);
    }

    /// Looks at one packet and writes the answer to a plain request into `reply`.
    pub fn respond(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        packet: &[u8],
        reply: &mut [u8; LONGEST_REPLY],
    ) -> Verdict {
        self.counters.received += 1;
        let verdict = self.judge(view, arrival, packet, reply);
        match verdict {
            Verdict::Reply(_) => self.counters.answered += 1,
            Verdict::Engine(_) => {}
            Verdict::Drop(reason) => match reason {
                DropReason::Restricted => self.counters.restricted += 1,
                DropReason::Limited => self.counters.limited += 1,
                DropReason::BadFormat => self.counters.bad_format += 1,
                DropReason::Unauthenticated => self.counters.bad_authentication += 1,
                DropReason::Version | DropReason::Mode => self.counters.declined += 1,
            },
        }
        verdict
    }

    fn judge(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        bytes: &[u8],
        reply: &mut [u8; LONGEST_REPLY],
    ) -> Verdict {
        let Restriction { flags, entry } = view.restrictions.lookup(arrival.remote);
        self.hits.count(&view.restrictions, entry);
        if flags.contains(RestrictFlags::IGNORE) {
            return Verdict::Drop(DropReason::Restricted);
        }
        // Port 0 can't be answered.
        let Some(&first) = bytes.first().filter(|_| arrival.remote.port() != 0) else {
            return Verdict::Drop(DropReason::BadFormat);
        };
        let version = Version::from_bits(first >> 3);
        if !version.is_supported() {
            return Verdict::Drop(DropReason::Version);
        }
        if matches!(Mode::from_bits(first), Mode::Control | Mode::Private) {
            // No time is asked for, and the version says nothing.
        } else if version == Version::V4 {
            self.counters.this_version += 1;
        } else {
            self.counters.older_version += 1;
        }
        let is_request = match Mode::from_bits(first) {
            Mode::Client => true,
            // A version 1 client leaves the mode at 0; as a server it would do so as well, and
            // answer from the port that it serves on: two servers must not answer each other.
            Mode::Reserved => {
                version == Version::V1 && ![123, view.port].contains(&arrival.remote.port())
            }
            Mode::Server => {
                self.sight(view, arrival, Mode::Server, version, flags);
                return Verdict::Engine(flags);
            }
            Mode::Control => {
                return if flags.contains(RestrictFlags::NO_QUERY) {
                    Verdict::Drop(DropReason::Restricted)
                } else {
                    Verdict::Engine(flags)
                };
            }
            Mode::Private => {
                return if view.answers_private && !flags.contains(RestrictFlags::NO_QUERY) {
                    Verdict::Engine(flags)
                } else {
                    Verdict::Drop(DropReason::Restricted)
                };
            }
            // Only the engine knows its peers.
            Mode::SymmetricActive | Mode::SymmetricPassive => {
                return if flags.contains(RestrictFlags::NO_SERVE) {
                    Verdict::Drop(DropReason::Restricted)
                } else {
                    Verdict::Engine(flags)
                };
            }
            Mode::Broadcast => false,
        };
        if !is_request {
            return Verdict::Drop(DropReason::Mode);
        }
        self.serve(view, arrival, flags, bytes, reply)
    }

    fn record(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        header: &Header,
        flags: RestrictFlags,
    ) -> ntp_restrict::Verdict {
        self.sight(view, arrival, header.mode, header.version, flags)
    }

    /// Remembers a packet, and says whether it came too fast.
    fn sight(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        mode: Mode,
        version: Version,
        flags: RestrictFlags,
    ) -> ntp_restrict::Verdict {
        if !view.remembers {
            return ntp_restrict::Verdict::Serve;
        }
        let sighting = Sighting {
            source: arrival.remote,
            endpoint: self.locals.number(arrival.local),
            mode,
            version,
        };
        self.clients
            .record(arrival.now.monotonic, &sighting, flags, &self.limit)
    }

    /// Answers a request, whatever its mode.
    pub(crate) fn serve(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        flags: RestrictFlags,
        bytes: &[u8],
        reply: &mut [u8; LONGEST_REPLY],
    ) -> Verdict {
        if flags.contains(RestrictFlags::NO_SERVE) {
            return Verdict::Drop(DropReason::Restricted);
        }
        let Ok(packet) = Packet::parse(bytes) else {
            return Verdict::Drop(DropReason::BadFormat);
        };
        let request = packet.header();
        if flags.contains(RestrictFlags::VERSION) && request.version != Version::V4 {
            return Verdict::Drop(DropReason::Version);
        }
        let is_limited = match self.record(view, arrival, request, flags) {
            ntp_restrict::Verdict::Serve => false,
            ntp_restrict::Verdict::Drop => return Verdict::Drop(DropReason::Limited),
            ntp_restrict::Verdict::KissOfDeath => true,
        };
        let authenticity = match packet.trailer() {
            Trailer::None => match &view.cookie_keys {
                Some(keys) if bytes.len() > Header::LENGTH => {
                    match self.counters.nts.inspect(keys, &packet) {
                        Inspection::Plain => Authenticity::None,
                        Inspection::Malformed => return Verdict::Drop(DropReason::Unauthenticated),
                        Inspection::Refused(_) if is_limited => {
                            return Verdict::Drop(DropReason::Limited);
                        }
                        Inspection::Refused(refused) => Authenticity::RefusedNts(refused),
                        Inspection::Authentic(asked) => Authenticity::Nts(asked),
                    }
                }
                _ => Authenticity::None,
            },
            // Whoever answers a crypto-NAK with one answers for ever.
            Trailer::CryptoNak => return Verdict::Drop(DropReason::Unauthenticated),
            Trailer::Mac { key_id, .. } if key_id.is_autokey() && view.sessions.is_some() => {
                let is_bare = packet.extensions().next().is_none();
                let sessions = view.sessions.as_ref().filter(|_| is_bare);
                let cookie = sessions.and_then(|sessions| {
                    sessions.verify(arrival.local, arrival.remote.ip(), &packet)
                });
                match cookie {
                    Some(cookie) => Authenticity::Session(key_id, cookie),
                    // Who asks too often is not told more than that.
                    None if is_limited => Authenticity::Failed,
                    // With fields, or the client's cookie is not ours: the engine tells it so, by
                    // and by.
                    None => return Verdict::Engine(flags),
                }
            }
            Trailer::Mac { key_id, digest } => {
                let entry = view.keys.trusted(key_id);
                self.counters.key_lookups += 1;
                self.counters.keys_not_found += u64::from(entry.is_none());
                self.counters.macs_checked += u64::from(entry.is_some());
                match entry {
                    Some(entry)
                        if entry.allows(arrival.remote.ip())
                            && entry.key().verify(packet.authenticated(), digest) =>
                    {
                        Authenticity::Symmetric(entry.key(), key_id)
                    }
                    _ => Authenticity::Failed,
                }
            }
        };
        if flags.contains(RestrictFlags::NO_TRUST)
            && matches!(authenticity, Authenticity::None | Authenticity::Failed)
        {
            return Verdict::Drop(DropReason::Unauthenticated);
        }
        let length = Header::LENGTH;
        let Some((header, mac)) = reply.split_first_chunk_mut() else {
            return Verdict::Drop(DropReason::BadFormat);
        };
        let mut emitted = Emitted::default();
        if is_limited {
            self.counters.kisses += 1;
            kiss(KissCode::Rate, view, arrival, request, header);
        } else if matches!(authenticity, Authenticity::RefusedNts(_)) {
            kiss(KissCode::NtsNak, view, arrival, request, header);
        } else if matches!(authenticity, Authenticity::Failed) {
            emit(view, arrival, request, header);
        } else {
            emitted = self.emit(view, arrival, request, header);
        }
        let tells_of_itself = !is_limited && !emitted.interleaved && !view.clock.is_smeared();
        let renewable = matches!(authenticity, Authenticity::None) && tells_of_itself;
        let mac_length = match authenticity {
            Authenticity::None => 0,
            Authenticity::Failed if is_limited => 0,
            Authenticity::Failed => {
                self.counters.bad_authentication += 1;
                copy(mac, &KeyId::CRYPTO_NAK.value().to_be_bytes())
            }
            Authenticity::Symmetric(key, id) => {
                self.counters.macs_made += 1;
                let mut buffer = MacBuffer::new();
                let digest = key.mac(header, &mut buffer);
                let (head, tail) = mac.split_at_mut(4);
                copy(head, &id.value().to_be_bytes()) + copy(tail, digest)
            }
            Authenticity::Session(id, cookie) => match (&view.sessions, mac.first_chunk_mut()) {
                (Some(sessions), Some(mac)) => {
                    let ends = (arrival.local, arrival.remote.ip());
                    sessions.seal(ends, id, cookie, header, mac)
                }
                _ => 0,
            },
            Authenticity::RefusedNts(refused) => {
                self.counters.bad_authentication += 1;
                let end = refused.complete(reply);
                return answer(end, Emitted::default(), false);
            }
            Authenticity::Nts(asked) => {
                let end = view.cookie_keys.as_ref().and_then(|keys| {
                    let made = self.counters.nts.cookies_made;
                    self.counters.nts.cookies_made = made + asked.cookies() as u64;
                    asked.seal_answer(keys, &mut self.nonces, reply)
                });
                self.counters.nts.answers += u64::from(end.is_some());
                return answer(end, emitted, false);
            }
        };
        answer(Some(length + mac_length), emitted, renewable)
    }

    /// Writes the header of the reply to `request`, interleaved if it asks for that and can have
    /// it.
    pub(crate) fn emit(
        &mut self,
        view: &ServerView,
        arrival: &Arrival,
        request: &Header,
        header: &mut [u8; Header::LENGTH],
    ) -> Emitted {
        let client = arrival.remote.ip();
        let left = match self.interleave.asked(client, request, view.steps) {
            Asked::Basic => {
                emit(view, arrival, request, header);
                return Emitted::default();
            }
            Asked::Unknown => None,
            Asked::Interleaved(left) => Some(left),
        };
        let reply = view
            .clock
            .timed_reply(request, arrival.received, arrival.now, left);
        reply.emit(header);
        self.counters.interleaved += u64::from(left.is_some());
        let leaves = (arrival.now.wall, arrival.now.monotonic);
        let is_proven = left.is_some();
        Emitted {
            interleaved: is_proven,
            stamped: self
                .interleave
                .remember(client, reply.receive_time, leaves, is_proven),
        }
    }

    /// The datagram `data`, a reply, left for `remote` at the time `at`; it is `now`.
    pub fn departed(&mut self, remote: SocketAddr, data: &[u8], at: Timestamp, now: Timestamp) {
        if let Some(header) = data.get(..Header::LENGTH).and_then(Header::parse)
            && header.mode == Mode::Server
        {
            self.interleave
                .departed(remote.ip(), header.receive_time, at, now);
        }
    }
}

/// The verdict on a request whose reply has so many octets, if there is room for it.
fn answer(length: Option<usize>, emitted: Emitted, renewable: bool) -> Verdict {
    match length {
        Some(length) => Verdict::Reply(Reply {
            length,
            stamped: emitted.stamped,
            interleaved: emitted.interleaved,
            renewable,
        }),
        None => Verdict::Drop(DropReason::BadFormat),
    }
}

/// Writes the header of the plain reply to `request`.
pub(crate) fn emit(
    view: &ServerView,
    arrival: &Arrival,
    request: &Header,
    header: &mut [u8; Header::LENGTH],
) {
    view.clock
        .timed_reply(request, arrival.received, arrival.now, None)
        .emit(header);
}

/// Writes a kiss-o'-death: it gives the client nothing but a reason.
fn kiss(
    code: KissCode,
    view: &ServerView,
    arrival: &Arrival,
    request: &Header,
    header: &mut [u8; Header::LENGTH],
) {
    let plain = view.clock.reply(request, arrival.now.monotonic);
    Header {
        leap: ntp_wire::Leap::Unsynchronised,
        stratum: Stratum::UNSPECIFIED,
        reference_id: code.to_reference_id(),
        // What the client sent, so that it learns no time from us and still knows its request.
        receive_time: request.transmit_time,
        transmit_time: request.transmit_time,
        ..plain
    }
    .emit(header);
}

/// Copies as much as fits and says how much that was.
fn copy(to: &mut [u8], from: &[u8]) -> usize {
    to.iter_mut()
        .zip(from)
        .map(|(to, from)| *to = *from)
        .count()
}
