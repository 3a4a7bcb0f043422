//! Ethernet frames with a datagram in them, for what answers such.

use std::net::{IpAddr, SocketAddr};

pub(crate) const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 9];
pub(crate) const RECEIVER: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const ETHERNET: usize = 14;
/// Expedited forwarding, as from our sockets (`SocketOptions::dscp`).
const CLASS: u8 = 46 << 2;

/// A datagram as it crosses the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) data: Vec<u8>,
}

impl Datagram {
    /// The frame, with all checksums, from [`SENDER`] to [`RECEIVER`].
    pub(crate) fn to_frame(&self) -> Vec<u8> {
        let length = 8 + self.data.len();
        let mut udp = Vec::new();
        for word in [self.from.port(), self.to.port(), length as u16, 0] {
            udp.extend(word.to_be_bytes());
        }
        udp.extend(&self.data);
        let checksum = match !sum(&[&self.pseudo(length), &udp]) {
            0 => 0xffff,
            checksum => checksum,
        };
        udp[6..8].copy_from_slice(&checksum.to_be_bytes());

        let mut frame = [RECEIVER, SENDER].concat();
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                frame.extend([0x08, 0x00]);
                let mut ip = vec![0x45, 0];
                ip.extend((20 + length as u16).to_be_bytes());
                ip.extend([0x12, 0x34, 0x40, 0, 61, 17, 0, 0]);
                ip.extend(from.octets());
                ip.extend(to.octets());
                let checksum = !sum(&[&ip]);
                ip[10..12].copy_from_slice(&checksum.to_be_bytes());
                frame.extend(ip);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                frame.extend([0x86, 0xdd, 0x60, 0x01, 0x23, 0x45]);
                frame.extend((length as u16).to_be_bytes());
                frame.extend([17, 61]);
                frame.extend(from.octets());
                frame.extend(to.octets());
            }
            _ => panic!("one family: {self:?}"),
        }
        frame.extend(udp);
        frame
    }

    /// What is in a frame that goes the other way, if every length, checksum and class in it is
    /// right.
    pub(crate) fn of_reply(frame: &[u8]) -> Option<Self> {
        let (ethernet, packet) = frame.split_at_checked(ETHERNET)?;
        if ethernet[..12] != [SENDER, RECEIVER].concat() {
            return None;
        }
        let (from, to, udp): (IpAddr, IpAddr, &[u8]) = match ethernet[12..] {
            [0x08, 0x00] => {
                let (ip, udp) = packet.split_at_checked(20)?;
                let is_right = ip[..2] == [0x45, CLASS]
                    && ip[2..4] == (packet.len() as u16).to_be_bytes()
                    && ip[8] > 1
                    && sum(&[ip]) == 0xffff;
                let address = |at| <[u8; 4]>::try_from(&ip[at..at + 4]).unwrap().into();
                is_right.then(|| (address(12), address(16), udp))?
            }
            [0x86, 0xdd] => {
                let (ip, udp) = packet.split_at_checked(40)?;
                let is_right = ip[..2] == [0x60 | CLASS >> 4, CLASS << 4]
                    && ip[4..6] == (udp.len() as u16).to_be_bytes()
                    && ip[6] == 17
                    && ip[7] > 1;
                let address = |at| <[u8; 16]>::try_from(&ip[at..at + 16]).unwrap().into();
                is_right.then(|| (address(8), address(24), udp))?
            }
            _ => return None,
        };
        let (header, data) = udp.split_at_checked(8)?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let reply = Self {
            from: SocketAddr::new(from, word(0)),
            to: SocketAddr::new(to, word(2)),
            data: data.to_vec(),
        };
        let is_right = usize::from(word(4)) == udp.len()
            && word(6) != 0
            && sum(&[&reply.pseudo(udp.len()), udp]) == 0xffff;
        is_right.then_some(reply)
    }

    fn pseudo(&self, length: usize) -> Vec<u8> {
        let mut pseudo = Vec::new();
        for address in [self.from.ip(), self.to.ip()] {
            match address {
                IpAddr::V4(address) => pseudo.extend(address.octets()),
                IpAddr::V6(address) => pseudo.extend(address.octets()),
            }
        }
        pseudo.extend((length as u32).to_be_bytes());
        pseudo.extend([0, 0, 0, 17]);
        pseudo
    }
}

/// The Internet checksum of parts that are even but the last (RFC 1071).
pub(crate) fn sum(parts: &[&[u8]]) -> u16 {
    let mut total = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            total += u32::from(u16::from_be_bytes([pair[0], low]));
            total = (total & 0xffff) + (total >> 16);
        }
    }
    total as u16
}
