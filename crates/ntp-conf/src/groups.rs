//! `broadcastclient`, `multicastclient`, `manycastserver` and `ttl`: packets that are for many.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    association::no_group,
    line::Line,
    reader::{Problem, Reader},
};

/// What is listened to besides our own addresses, and how far we send to many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Groups {
    /// `broadcastclient`: servers that send to the broadcast address of a network are followed.
    pub broadcast_client: bool,
    /// `broadcastclient novolley` turns it off: the way from a server that is heard is measured by
    /// asking it.
    pub volley: bool,
    /// `multicastclient`: groups whose servers are followed.
    pub multicast_client: Vec<IpAddr>,
    /// `manycastserver`: groups whose clients are answered.
    pub manycast_server: Vec<IpAddr>,
    /// `ttl`: how many hops a search goes, at most, from try to try. 32, 64, … 224.
    pub hops: Vec<u8>,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            broadcast_client: false,
            volley: true,
            multicast_client: Vec::new(),
            manycast_server: Vec::new(),
            hops: (1..=7).map(|step: u8| step.saturating_mul(32)).collect(),
        }
    }
}

/// The group that IANA has assigned to NTP.
const NTP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 1, 1));
/// `ttl` has at most so many steps.
const MOST_HOPS: usize = 8;

impl Groups {
    pub(crate) fn read(&mut self, keyword: &str, reader: &mut Reader<'_>) -> Result<(), Problem> {
        match keyword {
            "broadcastclient" => {
                self.volley = reader.take_if("novolley").is_none();
                reader.end()?;
                self.broadcast_client = true;
            }
            "multicastclient" => {
                let mut groups = read_groups(reader)?;
                if groups.is_empty() {
                    groups.push(NTP);
                }
                self.multicast_client.append(&mut groups);
            }
            "manycastserver" => {
                let mut groups = read_groups(reader)?;
                if groups.is_empty() {
                    reader.expect("a multicast address")?;
                }
                self.manycast_server.append(&mut groups);
            }
            _ => {
                let mut hops = vec![reader.integer("a number of hops", 0..=255)?];
                while reader.peek().is_some() {
                    hops.push(reader.integer("a number of hops", 0..=255)?);
                }
                hops.truncate(MOST_HOPS);
                self.hops = hops;
            }
        }
        Ok(())
    }

    pub(crate) fn write(&self, out: &mut String) {
        let usual = Self::default();
        if self.broadcast_client {
            Line::new("broadcastclient")
                .flag("novolley", !self.volley)
                .end(out);
        }
        for (keyword, groups) in [
            ("multicastclient", &self.multicast_client),
            ("manycastserver", &self.manycast_server),
        ] {
            if !groups.is_empty() {
                groups
                    .iter()
                    .fold(Line::new(keyword), |line, group| line.word(group))
                    .end(out);
            }
        }
        if self.hops != usual.hops {
            self.hops
                .iter()
                .fold(Line::new("ttl"), |line, hops| line.word(hops))
                .end(out);
        }
    }
}

fn read_groups(reader: &mut Reader<'_>) -> Result<Vec<IpAddr>, Problem> {
    let mut groups = Vec::new();
    while let Some(word) = reader.peek() {
        let group = reader.address("a multicast address")?;
        if !group.is_multicast() {
            return Err(no_group(group, &word.span));
        }
        groups.push(group);
    }
    Ok(groups)
}
