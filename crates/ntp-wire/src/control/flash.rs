//! Why a packet was not believed, and why a server is not used.

use core::{
    fmt,
    ops::{BitAnd, BitOr, BitOrAssign, Not},
};

/// The tests that failed, one bit each: `flash` in ntpq, numbered as there.
///
/// The first nine are about the last packet, the rest about the server.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Flash(u16);

impl Flash {
    /// All tests passed.
    pub const NONE: Self = Self(0);
    /// The packet came before.
    pub const DUPLICATE: Self = Self(0x1);
    /// The packet answers no request of ours.
    pub const BOGUS: Self = Self(0x2);
    /// The packet lacks a timestamp: the server is not synchronised to us.
    pub const UNSYNCHRONISED: Self = Self(0x4);
    /// Access is denied.
    pub const DENIED: Self = Self(0x8);
    /// The packet is not authentic.
    pub const AUTHENTICATION: Self = Self(0x10);
    /// The server is not synchronised: leap indicator 3 or stratum 16.
    pub const STRATUM: Self = Self(0x20);
    /// The header is implausible: root distance too great, or set after it was sent.
    pub const HEADER: Self = Self(0x40);
    /// The Autokey sequence is wrong.
    pub const AUTOKEY: Self = Self(0x80);
    /// The Autokey dance has not proved the server yet.
    pub const CRYPTO: Self = Self(0x100);
    /// The server's stratum is not allowed.
    pub const PEER_STRATUM: Self = Self(0x200);
    /// The server is too far from its primary reference.
    pub const PEER_DISTANCE: Self = Self(0x400);
    /// The server follows us.
    pub const PEER_LOOP: Self = Self(0x800);
    /// The server cannot be reached, or `noselect` keeps it out.
    pub const PEER_UNREACHABLE: Self = Self(0x1000);

    const PACKET: Self = Self(0x1ff);

    /// As ntpq shows it.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// From what ntpq shows.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The words of the tests that failed, as ntpq prints them; bits that no test has are silent.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        const WORDS: [&str; 13] = [
            "pkt_dup",
            "pkt_bogus",
            "pkt_unsync",
            "pkt_denied",
            "pkt_auth",
            "pkt_stratum",
            "pkt_header",
            "pkt_autokey",
            "pkt_crypto",
            "peer_stratum",
            "peer_dist",
            "peer_loop",
            "peer_unreach",
        ];
        let is_set = move |bit: usize| self.0 >> bit & 1 == 1;
        WORDS
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| is_set(*bit))
            .map(|(_, word)| word)
    }

    /// Whether every test passed.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of `tests` failed.
    pub const fn intersects(self, tests: Self) -> bool {
        self.0 & tests.0 != 0
    }

    /// What the last packet failed.
    pub const fn of_packet(self) -> Self {
        Self(self.0 & Self::PACKET.0)
    }

    /// What the server fails.
    pub const fn of_server(self) -> Self {
        Self(self.0 & !Self::PACKET.0)
    }
}

impl BitOr for Flash {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flash {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAnd for Flash {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flash {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

impl fmt::Debug for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flash({self})")
    }
}

/// The words that ntpq prints, blanks between them, or `ok`.
impl fmt::Display for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("ok");
        }
        for (index, word) in self.words().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(word)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_follow_the_bits() {
        assert_eq!(Flash::NONE.to_string(), "ok");
        assert_eq!(
            (Flash::PEER_UNREACHABLE | Flash::DUPLICATE).to_string(),
            "pkt_dup peer_unreach"
        );
        assert_eq!(Flash::PEER_UNREACHABLE.of_packet(), Flash::NONE);
        assert!(Flash::CRYPTO.of_server().is_empty());
    }
}
