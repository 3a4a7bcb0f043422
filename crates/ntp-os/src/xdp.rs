//! Answers from the network card's driver: a program in the kernel that answers plain requests
//! before they become anything that a socket could receive (XDP).
//!
//! The program is `xdp/answer.c`; what it compiles to is kept as `xdp/answer.bin`.

mod bpf;
mod moment;
mod sighting;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv6Addr},
    os::fd::OwnedFd,
};

use self::bpf::{Map, MapKind, Program, Shared, lift_memory_limit};
pub use self::{
    moment::Moment,
    sighting::{DriverSighting, Fate},
};
use nix::net::if_::if_nametoindex;

/// The program, as instructions of the kernel's virtual machine.
const CODE: &[u8] = include_bytes!("xdp/answer.bin");

/// Answers plain requests in the driver of network interfaces, as long as it is kept.
///
/// At first it answers nobody: it wants [addresses](Self::set_addresses) to answer for,
/// [sources](Self::set_sources) to answer, and a [moment](Self::publish) to answer from, a new one
/// at least every [`VALID_FOR`](Self::VALID_FOR). What it does not answer goes to the sockets.
#[derive(Debug)]
pub struct DriverResponder {
    program: Program,
    maps: Vec<Map>,
    state: Shared,
    counts: Shared,
    /// One for each interface; the kernel takes the program off when they are dropped.
    links: Vec<(u32, OwnedFd)>,
    /// What stands in the kernel's maps.
    addresses: BTreeMap<Vec<u8>, ()>,
    sources: [BTreeMap<Vec<u8>, [u8; 4]>; 2],
    published: u64,
}

/// How the program is put in a packet's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XdpMode {
    /// In the driver, which must be able to.
    Driver,
    /// After it, which works with every driver and gains little.
    Generic,
}

/// What becomes of the requests of a source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Treatment {
    /// They go to the sockets.
    Up,
    /// They are answered.
    Answered,
    /// They are answered unless there are too many of them.
    Limited {
        /// Whether a kiss-o'-death tells, now and then, that there are.
        kissed: bool,
    },
}

/// What becomes of the requests of all addresses that begin with the same bits, unless a longer
/// prefix says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceRule {
    /// The first of the addresses.
    pub address: IpAddr,
    /// How many bits count.
    pub length: u8,
    /// From whatever port but 123.
    pub any_port: Treatment,
    /// From port 123.
    pub ntp_port: Treatment,
}

/// What was done in the driver so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DriverCounts {
    /// Requests of version 4.
    pub this_version: u64,
    /// Requests of versions 1 to 3.
    pub older_version: u64,
    /// Those that were answered, kisses included.
    pub answered: u64,
    /// Those that were dropped, since their sender asks too often.
    pub limited: u64,
    /// Kisses-o'-death.
    pub kisses: u64,
}

/// Why the driver answers nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum XdpError {
    /// No interface of that name.
    #[error("there is no interface {0}")]
    NoInterface(String),
    /// The kernel allows no such programs to this process.
    #[error("the kernel does not allow it: it takes root, or CAP_BPF and CAP_NET_ADMIN")]
    NotPermitted,
    /// The kernel can't, or its verifier did not understand the program.
    #[error("the kernel does not take the program ({step}: {source}); Linux 5.9 or later does")]
    Refused {
        /// What was tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The interface does not take the program.
    #[error("{interface} does not take the program ({source}){advice}")]
    NotAttached {
        /// The interface.
        interface: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
}

/// A map of answer.c, in the order of its numbers there.
const STATE: (MapKind, usize, usize, u32) = (MapKind::Array, 4, 8 * STATE_WORDS, 1);
const COUNTS: (MapKind, usize, usize, u32) = (MapKind::Array, 4, 8 * COUNT_WORDS, PROCESSORS);
const OURS: (MapKind, usize, usize, u32) = (MapKind::Hash, 20, 4, 1024);
const SOURCES4: (MapKind, usize, usize, u32) = (MapKind::Prefixes, 8, 4, MOST_SOURCES);
const SOURCES6: (MapKind, usize, usize, u32) = (MapKind::Prefixes, 20, 4, MOST_SOURCES);
const LIMITS: (MapKind, usize, usize, u32) = (MapKind::RecentHash, 16, 16, MOST_CLIENTS);
const CLIENTS: (MapKind, usize, usize, u32) = (
    MapKind::RecentHash,
    16,
    DriverSighting::OCTETS,
    MOST_CLIENTS,
);
const MAPS: [(MapKind, usize, usize, u32); 7] =
    [STATE, COUNTS, OURS, SOURCES4, SOURCES6, LIMITS, CLIENTS];
const OURS_AT: usize = 2;
const SOURCES_AT: usize = 3;
const CLIENTS_AT: usize = 6;

/// A processor beyond them passes everything on.
const PROCESSORS: u32 = 1024;
const MOST_SOURCES: u32 = 1 << 16;
/// So many clients are remembered for their rate limits, and so many until
/// [`DriverResponder::sightings`]: less than 16 MiB of the kernel's.
const MOST_CLIENTS: u32 = 1 << 16;
const MOMENTS: usize = 4;
const STATE_WORDS: usize = 8 + MOMENTS * Moment::WORDS;
const COUNT_WORDS: usize = 8;

impl DriverResponder {
    /// So long after the last [`publish`](Self::publish) nothing is answered any more: time from a
    /// daemon that hangs is no time.
    pub const VALID_FOR: std::time::Duration = std::time::Duration::from_secs(3);

    /// Hands the program to the kernel; it is in nobody's way until [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// [`XdpError`] if the kernel can't or will not have it.
    pub fn load() -> Result<Self, XdpError> {
        let step = |step, result: io::Error| match result.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) if step == "maps" => XdpError::NotPermitted,
            _ => XdpError::Refused {
                step,
                source: result,
            },
        };
        lift_memory_limit();
        let maps = MAPS
            .into_iter()
            .map(|(kind, key, value, entries)| Map::new(kind, key, value, entries))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| step("maps", error))?;
        let [state, counts, ..] = &maps[..] else {
            return Err(XdpError::NotPermitted);
        };
        let shared = |map| Shared::new(map).map_err(|error| step("shared memory", error));
        let (state, counts) = (shared(state)?, shared(counts)?);
        let program =
            Program::load(CODE, c"ntp_answer", &maps).map_err(|error| step("program", error))?;
        Ok(Self {
            program,
            maps,
            state,
            counts,
            links: Vec::new(),
            addresses: BTreeMap::new(),
            sources: Default::default(),
            published: 0,
        })
    }

    /// Lets it see what comes in on `interface`, and returns the number of that.
    ///
    /// # Errors
    ///
    /// [`XdpError`] if there is no such interface, or its driver can't.
    pub fn attach(&mut self, interface: &str, mode: XdpMode) -> Result<u32, XdpError> {
        const GENERIC: u32 = 1 << 1;
        const DRIVER: u32 = 1 << 2;
        let index =
            if_nametoindex(interface).map_err(|_| XdpError::NoInterface(interface.to_owned()))?;
        let (flags, other) = match mode {
            XdpMode::Driver => (
                DRIVER,
                "; if its driver can't, write `generic` after its name",
            ),
            XdpMode::Generic => (GENERIC, ""),
        };
        let link = self.program.attach(index, flags).map_err(|source| {
            let advice = match source.raw_os_error() {
                Some(libc::EBUSY | libc::EEXIST) => "; another program has it",
                Some(libc::EPERM) => "; it takes CAP_NET_ADMIN",
                _ => other,
            };
            XdpError::NotAttached {
                interface: interface.to_owned(),
                source,
                advice,
            }
        })?;
        self.links.push((index, link));
        Ok(index)
    }

    /// Answers what is sent to these addresses and comes in on the interface of that number, and
    /// nothing else from now on.
    ///
    /// # Errors
    ///
    /// What the system says; then [`retire`](Self::retire), since nobody knows what stands.
    pub fn set_addresses(
        &mut self,
        addresses: impl IntoIterator<Item = (u32, IpAddr)>,
    ) -> io::Result<()> {
        let wanted = addresses
            .into_iter()
            .filter(|(_, address)| !address.is_multicast() && !address.is_unspecified())
            .map(|(index, address)| {
                let key = [&index.to_ne_bytes()[..], &mapped(address).octets()].concat();
                (key, ())
            })
            .collect();
        let Some(map) = self.maps.get(OURS_AT) else {
            return Ok(());
        };
        change(map, &mut self.addresses, wanted, |()| [0; 4])
    }

    /// Treats sources by these rules from now on. Those that no rule is for go to the sockets.
    ///
    /// # Errors
    ///
    /// What the system says; then [`retire`](Self::retire), since nobody knows what stands.
    pub fn set_sources(&mut self, rules: &[SourceRule]) -> io::Result<()> {
        let mut wanted: [BTreeMap<Vec<u8>, [u8; 4]>; 2] = Default::default();
        for rule in rules {
            let value = [rule.any_port.to_octet(), rule.ntp_port.to_octet(), 0, 0];
            let length = u32::from(rule.length).to_ne_bytes();
            let [ipv4, ipv6] = &mut wanted;
            match rule.address {
                IpAddr::V4(address) => {
                    ipv4.insert([&length[..], &address.octets()].concat(), value)
                }
                IpAddr::V6(address) => {
                    ipv6.insert([&length[..], &address.octets()].concat(), value)
                }
            };
        }
        if wanted == self.sources {
            return Ok(());
        }
        // Meanwhile nobody is answered by half of the rules.
        self.retire();
        let families = self.maps.iter().skip(SOURCES_AT);
        for ((map, standing), wanted) in families.zip(&mut self.sources).zip(wanted) {
            change(map, standing, wanted, |value| *value)?;
        }
        Ok(())
    }

    /// Replies are made of `moment` from now on.
    pub fn publish(&mut self, moment: &Moment) {
        let valid = u64::try_from(Self::VALID_FOR.as_nanos()).unwrap_or(0);
        let until = moment.now.monotonic.as_nanos().saturating_add(valid);
        // The last place is that of nothing at all.
        self.published = (self.published + 1) % (MOMENTS as u64 - 1);
        let place = 8 + self.published as usize * Moment::WORDS;
        for (index, word) in moment.to_words(until).into_iter().enumerate() {
            self.state.write(place + index, word);
        }
        self.state.write(0, self.published);
    }

    /// Nothing is answered until the next [`publish`](Self::publish).
    pub fn retire(&mut self) {
        self.state.write(0, MOMENTS as u64 - 1);
        // The last one is never written but here: nobody is reading it with a time in it.
        self.state.write(8 + (MOMENTS - 1) * Moment::WORDS, 0);
    }

    /// The clients whose requests were answered or dropped since this was last asked, in the order
    /// of their last request. If they were very many, it is the latest of them.
    ///
    /// # Errors
    ///
    /// What the system says. Before Linux 5.19 that may be a refusal once root's rights were given
    /// up.
    pub fn sightings(&self) -> io::Result<Vec<DriverSighting>> {
        let mut sightings = Vec::new();
        if let Some(map) = self.maps.get(CLIENTS_AT) {
            map.drain(|key, value| sightings.extend(DriverSighting::read(key, value)))?;
        }
        sightings.sort_unstable_by_key(|sighting| sighting.last);
        Ok(sightings)
    }

    /// What the program would do with an Ethernet frame that came in on this network namespace's
    /// loopback interface, and what it makes of it. It counts and remembers as if it were one.
    ///
    /// # Errors
    ///
    /// What the system says; it takes the rights that [`load`](Self::load) takes.
    pub fn try_out(&self, frame: &[u8]) -> io::Result<(Fate, Vec<u8>)> {
        let (verdict, frame) = self.program.run(frame)?;
        Ok((Fate::of_verdict(verdict)?, frame))
    }

    /// Which interfaces it is attached to, by number.
    pub fn interfaces(&self) -> impl Iterator<Item = u32> {
        self.links.iter().map(|(index, _)| *index)
    }

    /// What it has done so far.
    pub fn counts(&self) -> DriverCounts {
        let total = |field: usize| {
            (field..self.counts.len())
                .step_by(COUNT_WORDS)
                .filter_map(|index| self.counts.read(index))
                .fold(0, u64::wrapping_add)
        };
        DriverCounts {
            this_version: total(0),
            older_version: total(1),
            answered: total(2),
            limited: total(3),
            kisses: total(4),
        }
    }
}

impl Treatment {
    fn to_octet(self) -> u8 {
        match self {
            Self::Up => 0,
            Self::Answered => 1,
            Self::Limited { kissed: false } => 2,
            Self::Limited { kissed: true } => 3,
        }
    }
}

/// Makes the kernel's map, where `standing` stands, hold what is `wanted`.
fn change<V: PartialEq>(
    map: &Map,
    standing: &mut BTreeMap<Vec<u8>, V>,
    wanted: BTreeMap<Vec<u8>, V>,
    value: impl Fn(&V) -> [u8; 4],
) -> io::Result<()> {
    for key in standing.keys().filter(|key| !wanted.contains_key(*key)) {
        map.remove(key)?;
    }
    for (key, new) in &wanted {
        if standing.get(key) != Some(new) {
            map.insert(key, &value(new))?;
        }
    }
    *standing = wanted;
    Ok(())
}

/// Addresses of both families in one map.
fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
