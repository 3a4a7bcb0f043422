//! What is told of a request that no socket saw.

use std::{
    io,
    net::{IpAddr, Ipv6Addr},
};

use ntp_wire::Monotonic;

/// A client, as the driver saw it during a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DriverSighting {
    /// Where it asked from.
    pub client: IpAddr,
    /// The source port of its last request.
    pub port: u16,
    /// Which of our addresses that was sent to.
    pub asked: IpAddr,
    /// When the first request of that while came.
    pub first: Monotonic,
    /// When the last one came.
    pub last: Monotonic,
    /// How many came.
    pub count: u32,
    /// The version of the last one.
    pub version: u8,
    /// What became of it.
    pub fate: Fate,
}

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It goes to the sockets.
    Passed,
    /// It is turned into a reply.
    Answered,
    /// It is turned into a kiss-o'-death, which counts as answered until it is told apart by its
    /// content.
    Kissed,
    /// It is dropped, since its sender asks too often.
    Dropped,
}

impl Fate {
    /// By the kernel's number for what an XDP program says.
    pub(super) fn of_verdict(verdict: u32) -> io::Result<Self> {
        match verdict {
            1 => Ok(Self::Dropped),
            2 => Ok(Self::Passed),
            3 => Ok(Self::Answered),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

impl DriverSighting {
    /// The length of `struct client` in answer.c.
    pub(super) const OCTETS: usize = 40;

    /// Reads an entry of the map; `None` if it is none.
    pub(super) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let (first, rest) = value.split_first_chunk()?;
        let (last, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (port, rest) = rest.split_first_chunk()?;
        let ([version, outcome], rest) = rest.split_first_chunk()?;
        Some(Self {
            client: address(key)?,
            port: u16::from_be_bytes(*port),
            asked: address(rest)?,
            first: Monotonic::from_nanos(u64::from_ne_bytes(*first)),
            last: Monotonic::from_nanos(u64::from_ne_bytes(*last)),
            count: u32::from_ne_bytes(*count),
            version: *version,
            fate: match outcome {
                2 => Fate::Dropped,
                3 => Fate::Kissed,
                _ => Fate::Answered,
            },
        })
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = octets.try_into().ok()?;
    Some(Ipv6Addr::from(octets).to_canonical())
}
