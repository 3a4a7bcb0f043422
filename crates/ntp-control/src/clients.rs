//! The list of a daemon's recent clients, read a piece at a time, and ntpq's table of it.

use core::fmt::Write;
use std::{collections::HashMap, net::IpAddr};

use ntp_wire::{
    AssociationId, WireTimestamp,
    control::{Fragment, Opcode},
};

use crate::{
    Escaped, Request, Response, Variables, View,
    address::{address, host},
    cooked::timestamp,
    decimal::unsigned,
};

/// What a daemon remembers of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// The port of its last packet.
    pub port: u16,
    /// When that came.
    pub last: WireTimestamp,
    /// When the first came.
    pub first: WireTimestamp,
    /// How many came.
    pub count: u32,
    /// The mode of the last.
    pub mode: u8,
    /// Its version.
    pub version: u8,
    /// The bits of its restrictions.
    pub restriction: u16,
}

/// In which order clients are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClientOrder {
    /// `lstint`: who asked last comes first.
    #[default]
    Recent,
    /// `avgint`: who asks most often comes first.
    Interval,
    /// `addr`: by address, IPv4 before IPv6.
    Address,
    /// `count`: who asked the least comes first.
    Count,
}

impl ClientOrder {
    /// The order that ntpq calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "lstint" => Self::Recent,
            "avgint" => Self::Interval,
            "addr" => Self::Address,
            "count" => Self::Count,
            _ => return None,
        })
    }
}

/// Why a list of clients cannot be read to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientListError {
    /// An answer without what the next request needs.
    #[error("the server gives no nonce to ask with")]
    NoNonce,
    /// Answers that bring nothing new and do not end.
    #[error("the server sends clients that are known, again and again")]
    NoProgress,
    /// More clients than any server remembers.
    #[error("the server sends more than {} clients", ClientList::MOST)]
    TooMany,
    /// The same clients anew, more often than they can have been heard meanwhile.
    #[error("the server sends clients anew faster than its list can be read")]
    TooManyUpdates,
}

/// Reads the list: ask [`ClientList::nonce_request`] first, then [`ClientList::request`] until
/// [`ClientList::take`] says that this was all.
#[derive(Clone, Debug)]
pub struct ClientList {
    filter: String,
    nonce: String,
    fragments: usize,
    most: usize,
    clients: HashMap<IpAddr, Client>,
    /// In the order in which they came, which is that of their last packets; who came again is
    /// here twice, and the earlier one does not count.
    order: Vec<(IpAddr, WireTimestamp)>,
    /// How many of the newest the server does not know any more as they are here.
    outdated: usize,
    updates: usize,
    idle: u32,
    now: Option<WireTimestamp>,
}

impl ClientList {
    /// Clients of a list at most.
    pub const MOST: usize = 2_000_000;
    /// Fragments of an answer: few at first, more while all arrive.
    const FRAGMENTS: core::ops::RangeInclusive<usize> = 4..=48;
    /// How often the clients of a list may come anew on average while it is read, ...
    const UPDATES_EACH: usize = 4;
    /// ... and beyond that, since a short list may change often.
    const MORE_UPDATES: usize = 10_000;
    /// Answers in a row without anything new.
    const MOST_IDLE: u32 = 8;

    /// An empty list, of clients that `filter` lets through: assignments between commas, such as
    /// `mincount=3, resany=0x40`.
    pub fn new(filter: &str) -> Self {
        Self {
            filter: filter.to_owned(),
            nonce: String::new(),
            fragments: *Self::FRAGMENTS.start(),
            most: Self::MOST,
            clients: HashMap::new(),
            order: Vec::new(),
            outdated: 0,
            updates: 0,
            idle: 0,
            now: None,
        }
    }

    /// What to ask before anything else, and whenever the server was silent: the nonce may be too
    /// old.
    pub const fn nonce_request() -> Request {
        Request::new(Opcode::REQUEST_NONCE, AssociationId::SYSTEM)
    }

    /// Takes the answer to [`nonce_request`](Self::nonce_request).
    ///
    /// # Errors
    ///
    /// [`ClientListError::NoNonce`].
    pub fn take_nonce(&mut self, response: &Response) -> Result<(), ClientListError> {
        let nonce = Variables::new(&response.data).named("nonce");
        let nonce = nonce.and_then(|variable| variable.text());
        let is_plain = |nonce: &&str| {
            (1..64).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        self.nonce = nonce
            .filter(is_plain)
            .ok_or(ClientListError::NoNonce)?
            .to_owned();
        Ok(())
    }

    /// What to ask next.
    pub fn request(&self) -> Request {
        let mut data = format!("nonce={}, frags={}", self.nonce, self.fragments);
        if !self.filter.is_empty() {
            data += &format!(", {}", self.filter);
        }
        for (index, client) in self.newest().skip(self.outdated).take(16).enumerate() {
            let address = std::net::SocketAddr::new(client.address, client.port);
            let item = format!(", addr.{index}={address}, last.{index}=0x{}", client.last);
            if data.len() + item.len() > Fragment::LONGEST {
                break;
            }
            data += &item;
        }
        Request {
            data: data.into_bytes(),
            ..Request::new(Opcode::READ_MRU, AssociationId::SYSTEM)
        }
    }

    /// Takes an answer; `true` if the list is complete.
    ///
    /// # Errors
    ///
    /// [`ClientListError`] if the server plays games.
    pub fn take(&mut self, response: &Response) -> Result<bool, ClientListError> {
        let before = self.order.len();
        let mut nonce = None;
        let mut now = None;
        let mut row = Row::default();
        for variable in Variables::new(&response.data) {
            let (Ok(name), Some(value)) = (str::from_utf8(variable.name), variable.text()) else {
                continue;
            };
            match name {
                "nonce" => nonce = Some(()),
                "now" => now = timestamp(value),
                _ => {
                    let Some((field, index)) = name.rsplit_once('.') else {
                        continue;
                    };
                    let Ok(index) = index.parse::<u32>() else {
                        continue;
                    };
                    if row.index != Some(index) {
                        self.insert(&row)?;
                        row = Row {
                            index: Some(index),
                            ..Row::default()
                        };
                    }
                    row.set(field, value);
                }
            }
        }
        self.insert(&row)?;
        if now.is_some() {
            self.now = now;
            return Ok(true);
        }
        nonce.ok_or(ClientListError::NoNonce)?;
        self.take_nonce(response)?;
        self.outdated = 0;
        if self.order.len() == before {
            self.idle += 1;
            if self.idle > Self::MOST_IDLE {
                return Err(ClientListError::NoProgress);
            }
        } else {
            self.idle = 0;
        }
        self.fragments = (self.fragments + 4).min(*Self::FRAGMENTS.end());
        Ok(false)
    }

    /// The server does not know the clients of the last request any more as they are here: go
    /// back. `false` if there is nothing to go back to but the start.
    pub fn go_back(&mut self) -> bool {
        self.outdated = (self.outdated + 1) * 2;
        self.outdated < self.clients.len()
    }

    /// An answer did not arrive whole: ask for less at a time. `false` if it cannot be less.
    pub fn ask_less(&mut self) -> bool {
        let before = self.fragments;
        self.fragments = (self.fragments / 2).max(1);
        self.fragments < before
    }

    /// How many clients there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// How many of them were heard while the list was read.
    pub const fn updates(&self) -> usize {
        self.updates
    }

    /// The clients, who asked last first.
    pub fn newest(&self) -> impl Iterator<Item = &Client> {
        self.order.iter().rev().filter_map(|(address, last)| {
            let client = self.clients.get(address)?;
            (client.last == *last).then_some(client)
        })
    }

    fn insert(&mut self, row: &Row) -> Result<(), ClientListError> {
        let Some(client) = row.client() else {
            return Ok(());
        };
        if self.clients.len() >= self.most {
            return Err(ClientListError::TooMany);
        }
        if self.updates > Self::UPDATES_EACH * self.clients.len() + Self::MORE_UPDATES {
            return Err(ClientListError::TooManyUpdates);
        }
        match self.clients.insert(client.address, client) {
            Some(before) if before.last == client.last => return Ok(()),
            Some(_) => self.updates += 1,
            None => {}
        }
        self.order.push((client.address, client.last));
        Ok(())
    }

    /// ntpq's table.
    pub fn table(&self, order: ClientOrder, reversed: bool, view: &View<'_>) -> String {
        let now = self.now.unwrap_or_else(|| view.now.to_wire());
        let mut clients: Vec<&Client> = self.newest().collect();
        let interval = |client: &Client| {
            seconds_between(client.first, client.last) / f64::from(client.count.max(1))
        };
        match order {
            ClientOrder::Recent => {}
            ClientOrder::Interval => {
                clients.sort_by(|one, other| interval(one).total_cmp(&interval(other)));
            }
            ClientOrder::Address => clients.sort_by_key(|client| client.address),
            ClientOrder::Count => clients.sort_by_key(|client| client.count),
        }
        if reversed {
            match order {
                // Equals stay in the order of recency.
                ClientOrder::Interval => {
                    clients.sort_by(|one, other| interval(other).total_cmp(&interval(one)));
                }
                ClientOrder::Count => {
                    clients.sort_by_key(|client| core::cmp::Reverse(client.count));
                }
                ClientOrder::Recent | ClientOrder::Address => clients.reverse(),
            }
        }
        let mut text = format!(
            "lstint avgint rstr r m v  count rport remote address\n{:=<78}\n",
            ""
        );
        for client in clients {
            let name = host(client.address, view);
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{:6} {:6} {:4x} {} {} {} {:6} {:5} {}",
                seconds_between(client.last, now).round() as i64,
                interval(client).round() as i64,
                client.restriction,
                limit(client.restriction),
                client.mode,
                client.version,
                client.count,
                client.port,
                Escaped(name.as_bytes())
            );
        }
        text
    }
}

/// `K` for whom a kiss is sent, `L` for whose packets are dropped, `.` for who is not limited.
const fn limit(restriction: u16) -> char {
    /// `limited` and `kod`.
    const LIMITED: u16 = 0x0040;
    const KISS_OF_DEATH: u16 = 0x0800;
    if restriction & KISS_OF_DEATH != 0 {
        'K'
    } else if restriction & LIMITED != 0 {
        'L'
    } else {
        '.'
    }
}

/// From one time to the other, eras being near each other.
fn seconds_between(from: WireTimestamp, to: WireTimestamp) -> f64 {
    to.to_bits().wrapping_sub(from.to_bits()) as i64 as f64 / 4_294_967_296.0
}

/// One client in the making; the order of its fields is the server's.
#[derive(Default)]
struct Row {
    index: Option<u32>,
    address: Option<(IpAddr, u16)>,
    last: Option<WireTimestamp>,
    first: Option<WireTimestamp>,
    count: Option<u32>,
    mode_and_version: Option<u32>,
    restriction: Option<u32>,
}

impl Row {
    fn set(&mut self, field: &str, value: &str) {
        match field {
            "addr" => {
                self.address =
                    address(value).map(|(address, port)| (address, port.unwrap_or_default()));
            }
            "last" => self.last = timestamp(value),
            "first" => self.first = timestamp(value),
            "ct" => self.count = unsigned(value),
            "mv" => self.mode_and_version = unsigned(value),
            "rs" => self.restriction = unsigned(value),
            // There may be more, some day.
            _ => {}
        }
    }

    fn client(&self) -> Option<Client> {
        let (address, port) = self.address?;
        let mode_and_version = self.mode_and_version?;
        Some(Client {
            address,
            port,
            last: self.last?,
            first: self.first?,
            count: self.count?,
            mode: (mode_and_version & 7) as u8,
            version: (mode_and_version >> 3 & 7) as u8,
            restriction: self.restriction? as u16,
        })
    }
}

#[cfg(test)]
mod tests;
