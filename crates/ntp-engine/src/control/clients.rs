//! The list of recent clients, a piece at a time: ntpq's `mrulist`.
//!
//! Pieces go from the client that was silent for longest to the newest, and nothing is remembered
//! of who reads them: each request says which clients the reader knows already, newest first, and
//! the answer goes on after the first of them that has not been heard since.
//!
//! Where several threads answer requests, each has a list of its own, and one comes after the other.

use std::net::{IpAddr, SocketAddr};

use ntp_restrict::{Client, RestrictFlags};
use ntp_wire::{
    Duration, Monotonic, Timestamp, WireTimestamp,
    control::{ErrorCode, Fragment},
};

use super::listing::{Items, Listing};
use crate::{Engine, Responder};

/// Fragments of an answer at most.
const MOST_FRAGMENTS: usize = 128;
/// Clients in an answer to a request that names no number of fragments.
const MOST_CLIENTS: usize = 256;
/// Clients that a request may say it knows.
const MOST_KNOWN: usize = 16;
/// Octets that one client takes at most, the end of the list included.
const LONGEST_CLIENT: usize = 320;

/// What a reader asks for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Wanted<'a> {
    pub(super) nonce: &'a str,
    fragments: usize,
    limit: usize,
    least_count: u32,
    all_of: u16,
    any_of: u16,
    /// Seconds since the last packet at most.
    age: Option<u64>,
    local: Option<IpAddr>,
    /// What the reader knows, newest first.
    known: Vec<(IpAddr, WireTimestamp)>,
}

/// From monotonic time to the clock's, the same for all pieces of a list though the clock be
/// slewed meanwhile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    wall: Timestamp,
    monotonic: Monotonic,
}

impl Epoch {
    /// Beyond this the clock was stepped, and what was told before is wrong.
    const MOST_DRIFT: Duration = Duration::from_millis(500);

    pub(crate) fn new(now: ntp_discipline::Now) -> Self {
        Self {
            wall: now.wall,
            monotonic: now.monotonic,
        }
    }

    /// Begins anew if the clock was stepped.
    pub(crate) fn renew(&mut self, now: ntp_discipline::Now) {
        if (self.wall_at(now.monotonic) - now.wall).abs() > Self::MOST_DRIFT {
            *self = Self::new(now);
        }
    }

    fn wall_at(&self, time: Monotonic) -> Timestamp {
        let nanos = |elapsed: core::time::Duration| {
            Duration::from_nanos(i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX))
        };
        if time >= self.monotonic {
            self.wall + nanos(time.since(self.monotonic))
        } else {
            self.wall - nanos(self.monotonic.since(time))
        }
    }

    /// All of a client, as the one of that number.
    fn tell(&self, client: &Client, number: usize, items: &mut Items<'_>) {
        let time = |time: Monotonic| self.wall_at(time).to_wire();
        let mode_and_version = (client.mode as u8) | client.version.value() << 3;
        let address = SocketAddr::new(client.address, client.port);
        items.plain(&format!("addr.{number}"), address);
        items.time(&format!("last.{number}"), time(client.last_seen));
        items.time(&format!("first.{number}"), time(client.first_seen));
        items.plain(&format!("ct.{number}"), client.count);
        items.plain(&format!("mv.{number}"), mode_and_version);
        let restriction = client.restriction.to_bits();
        items.plain(&format!("rs.{number}"), format_args!("{restriction:#x}"));
    }
}

impl<'a> Wanted<'a> {
    /// Reads a request; `None` if it makes no sense, in which case it deserves no answer.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let text = str::from_utf8(data).ok()?;
        let mut wanted = Self::default();
        let mut addresses = [None; MOST_KNOWN];
        let mut times = [None; MOST_KNOWN];
        for item in text.trim_end_matches('\0').split(',') {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            let (name, value) = (name.trim(), value.trim());
            match name {
                "nonce" => wanted.nonce = value,
                "frags" => wanted.fragments = value.parse::<u16>().ok()?.into(),
                "limit" => wanted.limit = usize::try_from(value.parse::<u32>().ok()?).ok()?,
                "mincount" => {
                    wanted.least_count = u32::try_from(value.parse::<i32>().ok()?.max(0)).ok()?;
                }
                "resall" => wanted.all_of = bits(value)?,
                "resany" => wanted.any_of = bits(value)?,
                "maxlstint" => wanted.age = Some(value.parse().ok()?).filter(|&age| age > 0),
                "laddr" => wanted.local = Some(address(value)?),
                _ => {
                    let (name, index) = name.split_once('.').unwrap_or((name, ""));
                    let index = index.parse::<usize>().unwrap_or(MOST_KNOWN);
                    if let ("addr", Some(place)) = (name, addresses.get_mut(index)) {
                        *place = Some(address(value)?);
                    } else if let ("last", Some(place)) = (name, times.get_mut(index)) {
                        *place = Some(time(value)?);
                    }
                }
            }
        }
        wanted.known = addresses
            .into_iter()
            .zip(times)
            .map_while(|(address, time)| Some((address?, time.unwrap_or(WireTimestamp::ZERO))))
            .collect();
        Some(wanted)
    }

    /// Settles what was left open.
    fn bounded(mut self) -> Result<Self, ErrorCode> {
        let is_limited = (1..=MOST_CLIENTS).contains(&self.limit);
        match self.fragments {
            0 if is_limited => self.fragments = MOST_FRAGMENTS,
            0 => return Err(ErrorCode::BAD_VALUE),
            fragments if fragments > MOST_FRAGMENTS => return Err(ErrorCode::BAD_VALUE),
            _ if self.limit == 0 => self.limit = usize::MAX,
            _ => {}
        }
        Ok(self)
    }

    /// Whether a client in the list of `responder` is wanted.
    fn takes(&self, client: &Client, now: Monotonic, responder: &Responder) -> bool {
        let has = RestrictFlags::from_bits;
        client.count >= self.least_count
            && (self.all_of == 0 || client.restriction.contains(has(self.all_of)))
            && (self.all_of != 0
                || self.any_of == 0
                || client.restriction.intersects(has(self.any_of)))
            && self
                .age
                .is_none_or(|age| now.since(client.last_seen).as_secs() <= age)
            && self
                .local
                .is_none_or(|local| responder.endpoint_of(local) == Some(client.endpoint))
    }
}

/// A piece of the list.
pub(super) struct Piece {
    pub(super) data: Vec<u8>,
    /// How many clients were looked at that are not wanted.
    pub(super) passed_over: usize,
}

impl Engine {
    /// The piece of the list that is wanted.
    pub(super) fn client_list(
        &self,
        wanted: Wanted<'_>,
        reader: IpAddr,
    ) -> Result<Piece, ErrorCode> {
        let wanted = wanted.bounded()?;
        let now = self.now.monotonic;
        let everyone = self.everyone();
        let last = |client: &Client| self.epoch.wall_at(client.last_seen).to_wire();
        let mut listing = Listing::default();
        let mut items = Items(&mut listing);

        let start = wanted.known.iter().find_map(|(address, time)| {
            everyone.responders().enumerate().find_map(|(place, one)| {
                let client = one.clients().lookup(*address)?;
                // One client is asked for by its address alone.
                let is_same = last(client) == *time || (wanted.limit == 1 && time.is_zero());
                is_same.then_some((place, client))
            })
        });
        let from = |place: usize| {
            everyone.responders().skip(place).flat_map(|one| {
                one.clients()
                    .oldest_first()
                    .map(move |client| (one, client))
            })
        };
        let mut list: Box<dyn Iterator<Item = (&Responder, &Client)>> = match start {
            // All of them were heard since: the reader knows older ones to ask with.
            None if !wanted.known.is_empty() => return Err(ErrorCode::UNKNOWN_VARIABLE),
            None => Box::new(from(0)),
            Some((place, client)) => {
                items.time("last.older", last(client));
                let port = client.port;
                items.plain("addr.older", SocketAddr::new(client.address, port));
                let mut responders = everyone.responders().skip(place);
                let one = responders.next().unwrap_or(&self.responder);
                match one.clients().after(client.address) {
                    Some(after) if wanted.limit > 1 => Box::new(
                        after
                            .map(move |client| (one, client))
                            .chain(from(place + 1)),
                    ),
                    _ => Box::new(core::iter::once((one, client))),
                }
            }
        };
        if let Some(nonce) = self.nonces.make(reader, now) {
            items.plain("nonce", nonce);
        }
        let room = wanted.fragments * Fragment::LONGEST;
        let mut newest = None;
        let (mut count, mut passed_over) = (0, 0);
        let is_end = loop {
            if count >= wanted.limit
                || items.length() + LONGEST_CLIENT > room.max(1 + LONGEST_CLIENT)
            {
                break false;
            }
            let Some((one, client)) = list.next() else {
                break true;
            };
            if !wanted.takes(client, now, one) {
                passed_over += 1;
                continue;
            }
            self.epoch.tell(client, count, &mut items);
            newest = Some(client);
            count += 1;
        };
        if is_end {
            items.time("now", self.epoch.wall_at(now).to_wire());
            if let Some(newest) = newest {
                items.time("last.newest", last(newest));
            }
        }
        Ok(Piece {
            data: listing.into_bytes(),
            passed_over,
        })
    }
}

/// `0x` and hexadecimal.
fn bits(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// An address, whatever its port.
fn address(text: &str) -> Option<IpAddr> {
    let address = match text.parse::<SocketAddr>() {
        Ok(address) => address.ip(),
        Err(_) => text.trim_matches(['[', ']']).parse().ok()?,
    };
    Some(address.to_canonical())
}

/// `0xssssssss.ffffffff`.
fn time(text: &str) -> Option<WireTimestamp> {
    let (seconds, fraction) = text.strip_prefix("0x")?.split_once('.')?;
    if seconds.len() != 8 || fraction.len() != 8 {
        return None;
    }
    let seconds = u32::from_str_radix(seconds, 16).ok()?;
    let fraction = u32::from_str_radix(fraction, 16).ok()?;
    let bits = u64::from(seconds) << 32 | u64::from(fraction);
    Some(WireTimestamp::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn requests_are_read() {
        let text = b"nonce=00ff, frags=32, mincount=-1, resany=0x40, maxlstint=9, \
                     addr.0=[fd00::1]:123, last.0=0xeeae14b7.1db7b750, addr.1=10.0.0.1:5, \
                     last.1=0xeeae14b7.00000000, addr.3=10.0.0.3:5, future=1\0";
        let wanted = Wanted::parse(text).unwrap();
        assert_eq!(wanted.nonce, "00ff");
        assert_eq!((wanted.fragments, wanted.least_count), (32, 0));
        assert_eq!((wanted.all_of, wanted.any_of), (0, 0x40));
        assert_eq!(wanted.age, Some(9));
        // The third has no second before it.
        assert_eq!(wanted.known.len(), 2);
        assert_eq!(wanted.known[1].0, "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn nonsense_deserves_no_answer() {
        for text in [
            "frags=70000",
            "frags=x",
            "limit=-1",
            "resall=40",
            "laddr=localhost",
            "addr.0=10.0.0.256",
            "last.0=1.2",
            "mincount=",
        ] {
            assert_eq!(Wanted::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Wanted::parse(b"\xff"), None);
    }

    #[test]
    fn a_request_must_be_bounded() {
        let bounded = |text: &'static str| {
            let wanted = Wanted::parse(text.as_bytes()).unwrap().bounded()?;
            Ok((wanted.fragments, wanted.limit))
        };
        assert_eq!(bounded("frags=1"), Ok((1, usize::MAX)));
        assert_eq!(bounded("limit=5"), Ok((128, 5)));
        assert_eq!(bounded("limit=5, frags=3"), Ok((3, 5)));
        for text in ["", "limit=0", "limit=257", "frags=129"] {
            assert_eq!(bounded(text), Err(ErrorCode::BAD_VALUE), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_request_is_read_or_not(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Wanted::parse(&data);
        }
    }
}
