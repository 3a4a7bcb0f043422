//! The list of recent clients, most recently used first.

use core::{net::IpAddr, net::SocketAddr, time::Duration as Elapsed};

use ntp_wire::{Mode, Monotonic, Version};
use rand::{Rng as _, SeedableRng as _, rngs::ChaCha12Rng};

use crate::{Client, RateLimit, RestrictFlags, Verdict, rate_limit::Bucket};

mod chains;
mod hashing;
mod past;
mod recency;
#[cfg(test)]
mod tests;

use chains::Chains;
use hashing::AddressHash;
pub use past::PastSighting;
use recency::{Links, NOBODY, Recency, Slot};

/// Recent clients, within bounds: it grows as they come, and beyond its limits a newcomer takes
/// the place of the client that has been silent for longest.
///
/// ```
/// use core::time::Duration;
/// use ntp_restrict::{ClientTable, ClientTableLimits, RateLimit, RestrictFlags, Sighting, Verdict};
/// use ntp_wire::{Mode, Monotonic, Version};
///
/// let mut clients = ClientTable::new(ClientTableLimits::default(), [7; 32]);
/// let request = Sighting {
///     source: "192.0.2.1:123".parse()?,
///     endpoint: 0,
///     mode: Mode::Client,
///     version: Version::V4,
/// };
/// let restriction = RestrictFlags::LIMITED | RestrictFlags::KISS_OF_DEATH;
/// let limit = RateLimit::default();
///
/// let mut now = Monotonic::START;
/// assert_eq!(clients.record(now, &request, restriction, &limit), Verdict::Serve);
/// // A tenth of a second later is too fast, which is said once.
/// now += Duration::from_millis(100);
/// assert_eq!(clients.record(now, &request, restriction, &limit), Verdict::KissOfDeath);
/// assert_eq!(clients.record(now, &request, restriction, &limit), Verdict::Drop);
/// assert_eq!(clients.newest_first().next().map(|client| client.count), Some(3));
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct ClientTable {
    limits: ClientTableLimits,
    records: Vec<Record>,
    recency: Recency,
    chains: Chains,
    hash: AddressHash,
    random: ChaCha12Rng,
    peak: usize,
}

/// The bounds of a [`ClientTable`]: the `mru` line of ntp.conf, and `discard monitor`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientTableLimits {
    /// `mindepth`: up to so many clients are remembered whatever their age.
    pub least: usize,
    /// `maxdepth`: never are there more.
    pub most: usize,
    /// `maxage`: a client that was silent for longer is replaced by a newcomer, once there are
    /// [`least`](Self::least); `None` replaces nobody for age alone.
    pub age: Option<Elapsed>,
    /// `discard monitor`: in a full table a newcomer replaces the oldest client for certain if
    /// that was silent for so long, and with a chance in proportion if for less. So a flood of
    /// forged addresses does not drive out everybody else.
    pub certain_replacement: Elapsed,
}

impl ClientTableLimits {
    /// Octets that one client counts for: what ntpd 4.2.8 needs, so that `maxmem` means the same
    /// number of clients. Ours need fewer.
    pub const OCTETS_PER_CLIENT: usize = 88;

    /// How many clients fit into `kibibytes`: what `maxmem` means.
    pub const fn clients_in(kibibytes: usize) -> usize {
        kibibytes.saturating_mul(1024) / Self::OCTETS_PER_CLIENT
    }
}

impl Default for ClientTableLimits {
    /// 600 clients whatever their age, beyond that those of the last 64 s, 11915 at most.
    fn default() -> Self {
        Self {
            least: 600,
            most: Self::clients_in(1024),
            age: Some(Elapsed::from_secs(64)),
            certain_replacement: Elapsed::from_secs(3000),
        }
    }
}

const _: () = assert!(
    size_of::<Record>() + size_of::<Links>() + size_of::<Slot>()
        <= ClientTableLimits::OCTETS_PER_CLIENT
);

/// A packet, as the list of clients sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// Where it came from.
    pub source: SocketAddr,
    /// Which of our endpoints it came to, as the caller numbers them.
    pub endpoint: u16,
    /// Its mode.
    pub mode: Mode,
    /// Its version.
    pub version: Version,
}

#[derive(Clone, Debug)]
struct Record {
    client: Client,
    bucket: Bucket,
    last_request: Monotonic,
    /// The next record of the same chain.
    chained: Slot,
}

impl ClientTable {
    /// How many sources [`anticipate`](Self::anticipate) looks at.
    pub const ANTICIPATED: usize = 32;

    /// An empty table. `seed` makes its hashes unpredictable and decides who is replaced; the same
    /// seed and the same packets give the same table.
    pub fn new(limits: ClientTableLimits, seed: [u8; 32]) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        let hash = AddressHash::new([random.next_u64(), random.next_u64()]);
        Self {
            limits,
            records: Vec::new(),
            recency: Recency::default(),
            chains: Chains::default(),
            hash,
            random,
            peak: 0,
        }
    }

    /// Remembers a packet to which `restriction` applies and says what to do with it. `Serve` is
    /// the answer to whoever is new or is not [`LIMITED`](RestrictFlags::LIMITED).
    ///
    /// Answers and broadcasts are remembered but not limited, since anybody could forge some to
    /// keep those of a server of ours away (CVE-2016-7426).
    pub fn record(
        &mut self,
        now: Monotonic,
        sighting: &Sighting,
        restriction: RestrictFlags,
        limit: &RateLimit,
    ) -> Verdict {
        let address = sighting.source.ip().to_canonical();
        let is_request = !matches!(sighting.mode, Mode::Server | Mode::Broadcast);
        let lenient = restriction - (RestrictFlags::LIMITED | RestrictFlags::KISS_OF_DEATH);
        let slot = self.find(address);
        let Some(record) = self.records.get_mut(slot as usize) else {
            self.remember(now, address, sighting, lenient);
            return Verdict::Serve;
        };
        record.client.restriction = if is_request {
            let interval = now - record.last_request;
            record.last_request = now;
            limit.account(&mut record.bucket, interval, restriction)
        } else {
            lenient
        };
        let client = &mut record.client;
        client.port = sighting.source.port();
        client.endpoint = sighting.endpoint;
        client.mode = sighting.mode;
        client.version = sighting.version;
        client.last_seen = now;
        client.count = client.count.saturating_add(1);
        let verdict = if !client.restriction.contains(RestrictFlags::LIMITED) {
            Verdict::Serve
        } else if client.restriction.contains(RestrictFlags::KISS_OF_DEATH) {
            Verdict::KissOfDeath
        } else {
            Verdict::Drop
        };
        self.recency.touch(slot);
        verdict
    }

    /// Packets of these sources, [`ANTICIPATED`](Self::ANTICIPATED) at most, will be recorded next:
    /// what is remembered of them is fetched from memory all at once, and not by one packet after
    /// the other. It changes nothing, and is of use for those who come in a crowd.
    pub fn anticipate(&self, sources: impl Iterator<Item = IpAddr>) {
        /// A smaller table is in the processor's caches anyway.
        const LARGE: usize = 1 << 15;
        if self.records.len() < LARGE {
            return;
        }
        let mut slots = [NOBODY; Self::ANTICIPATED];
        for (slot, source) in slots.iter_mut().zip(sources) {
            *slot = self.chains.first(self.hash.of(source.to_canonical()));
        }
        let mut seen = 0;
        for slot in slots {
            if let Some(record) = self.records.get(slot as usize) {
                seen ^= record.chained ^ self.recency.newer(slot);
            }
        }
        for slot in slots {
            seen ^= self.recency.older(self.recency.newer(slot));
            seen ^= self.recency.newer(self.recency.older(slot));
        }
        core::hint::black_box(seen);
    }

    /// What is known of `address`.
    pub fn lookup(&self, address: IpAddr) -> Option<&Client> {
        self.records
            .get(self.find(address.to_canonical()) as usize)
            .map(|record| &record.client)
    }

    /// The clients, the one that was silent for longest first.
    pub fn oldest_first(&self) -> impl Iterator<Item = &Client> {
        self.starting_at(self.recency.oldest())
    }

    /// The clients that were seen after `address`, the one that was silent for longest first;
    /// `None` if that is not known. This is how a list that takes many messages goes on.
    pub fn after(&self, address: IpAddr) -> Option<impl Iterator<Item = &Client>> {
        let slot = self.find(address.to_canonical());
        (slot != NOBODY).then(|| self.starting_at(self.recency.newer(slot)))
    }

    /// The clients, the one that was seen last first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Client> {
        let start = self.recency.newest();
        core::iter::successors(Some(start), |slot| Some(self.recency.older(*slot)))
            .map_while(|slot| self.records.get(slot as usize))
            .map(|record| &record.client)
    }

    /// How many clients are remembered.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many were remembered at most at one time.
    pub const fn peak(&self) -> usize {
        self.peak
    }

    /// The bounds.
    pub const fn limits(&self) -> &ClientTableLimits {
        &self.limits
    }

    /// Octets of memory that it holds.
    pub fn octets(&self) -> usize {
        self.records.capacity() * size_of::<Record>() + self.recency.octets() + self.chains.octets()
    }

    /// Changes the bounds. Clients beyond a lower one are forgotten, oldest first.
    pub fn set_limits(&mut self, limits: ClientTableLimits) {
        self.limits = limits;
        if self.records.len() > limits.most {
            let kept: Vec<_> = {
                let mut newest: Vec<_> =
                    core::iter::successors(Some(self.recency.newest()), |slot| {
                        Some(self.recency.older(*slot))
                    })
                    .map_while(|slot| self.records.get(slot as usize).cloned())
                    .take(limits.most)
                    .collect();
                newest.reverse();
                newest
            };
            self.clear();
            for record in kept {
                self.append(record);
            }
        }
    }

    /// Forgets all clients and frees their memory.
    pub fn clear(&mut self) {
        self.records = Vec::new();
        self.recency = Recency::default();
        self.chains = Chains::default();
    }

    fn remember(
        &mut self,
        now: Monotonic,
        address: IpAddr,
        sighting: &Sighting,
        restriction: RestrictFlags,
    ) {
        let record = Record {
            client: Client {
                address,
                port: sighting.source.port(),
                endpoint: sighting.endpoint,
                first_seen: now,
                last_seen: now,
                count: 1,
                mode: sighting.mode,
                version: sighting.version,
                restriction,
            },
            bucket: Bucket::default(),
            last_request: now,
            chained: NOBODY,
        };
        match self.place_for_newcomer(now) {
            Place::New => self.append(record),
            Place::Of(slot) => self.replace(slot, record),
            Place::None => {}
        }
    }

    fn place_for_newcomer(&mut self, now: Monotonic) -> Place {
        let most = self.limits.most.min(NOBODY as usize);
        if self.records.len() < self.limits.least.min(most) {
            return Place::New;
        }
        let slot = self.recency.oldest();
        let silence = self
            .records
            .get(slot as usize)
            .map_or(Elapsed::ZERO, |oldest| now - oldest.client.last_seen);
        if slot != NOBODY && self.limits.age.is_some_and(|age| silence > age) {
            return Place::Of(slot);
        }
        if self.records.len() < most {
            return Place::New;
        }
        let certain = self.limits.certain_replacement.as_secs_f64();
        let chance = f64::from(self.random.next_u32()) / f64::from(u32::MAX);
        if slot == NOBODY || chance * certain > silence.as_secs_f64() {
            Place::None
        } else {
            Place::Of(slot)
        }
    }

    fn append(&mut self, record: Record) {
        let Ok(slot) = Slot::try_from(self.records.len()) else {
            return;
        };
        let room = self.records.capacity() - self.records.len();
        if room == 0 {
            // A quarter more at a time, so that a full table wastes nothing.
            let more = (self.records.len() / 4)
                .max(32)
                .min(self.limits.most.saturating_sub(self.records.len()));
            self.records.reserve_exact(more);
            self.recency.reserve(more);
            self.chains.reserve(more);
        }
        self.records.push(record);
        self.recency.append();
        self.peak = self.peak.max(self.records.len());
        let mut moving = self.chains.split(self.records.len()).unwrap_or(NOBODY);
        while moving != NOBODY {
            let after = self.next_in_chain(moving);
            self.chain(moving);
            moving = after;
        }
        self.chain(slot);
    }

    fn replace(&mut self, slot: Slot, record: Record) {
        self.unchain(slot);
        if let Some(place) = self.records.get_mut(slot as usize) {
            *place = record;
        }
        self.chain(slot);
        self.recency.touch(slot);
    }

    fn find(&self, address: IpAddr) -> Slot {
        let mut slot = self.chains.first(self.hash.of(address));
        while let Some(record) = self.records.get(slot as usize) {
            if record.client.address == address {
                return slot;
            }
            slot = record.chained;
        }
        NOBODY
    }

    fn chain(&mut self, slot: Slot) {
        let Some(record) = self.records.get_mut(slot as usize) else {
            return;
        };
        let hash = self.hash.of(record.client.address);
        record.chained = self.chains.put_first(hash, slot);
    }

    fn unchain(&mut self, slot: Slot) {
        let Some(address) = self.address_of(slot) else {
            return;
        };
        let next = self.next_in_chain(slot);
        let hash = self.hash.of(address);
        let mut before = NOBODY;
        let mut at = self.chains.first(hash);
        while at != slot && at != NOBODY {
            before = at;
            at = self.next_in_chain(at);
        }
        match self.records.get_mut(before as usize) {
            Some(before) => before.chained = next,
            None => drop(self.chains.put_first(hash, next)),
        }
    }

    fn next_in_chain(&self, slot: Slot) -> Slot {
        self.records
            .get(slot as usize)
            .map_or(NOBODY, |record| record.chained)
    }

    fn address_of(&self, slot: Slot) -> Option<IpAddr> {
        self.records
            .get(slot as usize)
            .map(|record| record.client.address)
    }

    fn starting_at(&self, start: Slot) -> impl Iterator<Item = &Client> {
        core::iter::successors(Some(start), |slot| Some(self.recency.newer(*slot)))
            .map_while(|slot| self.records.get(slot as usize))
            .map(|record| &record.client)
    }
}

/// Where a newcomer is put down.
enum Place {
    New,
    Of(Slot),
    None,
}
