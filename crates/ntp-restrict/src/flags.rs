//! What a restriction forbids.

use core::{
    fmt,
    ops::{BitAnd, BitOr, BitOrAssign, Not, Sub},
};

/// A set of restrictions, with the bits that ntpd 4.2.8 has for them: ntpq shows them in the
/// column `rstr` of its list of clients.
///
/// ```
/// use ntp_restrict::RestrictFlags;
///
/// let flags = RestrictFlags::NO_MODIFY | RestrictFlags::NO_QUERY;
/// assert_eq!(RestrictFlags::from_name("noquery"), Some(RestrictFlags::NO_QUERY));
/// assert_eq!(flags.to_string(), "noquery, nomodify");
/// assert!(flags.contains(RestrictFlags::NO_QUERY));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct RestrictFlags(u16);

/// Each flag and its name, in the order of their bits.
const NAMES: [(RestrictFlags, &str); 16] = [
    (RestrictFlags::IGNORE, "ignore"),
    (RestrictFlags::NO_SERVE, "noserve"),
    (RestrictFlags::NO_TRUST, "notrust"),
    (RestrictFlags::VERSION, "version"),
    (RestrictFlags::NO_PEER, "nopeer"),
    (RestrictFlags::NO_EPHEMERAL_PEER, "noepeer"),
    (RestrictFlags::LIMITED, "limited"),
    (RestrictFlags::NO_QUERY, "noquery"),
    (RestrictFlags::NO_MODIFY, "nomodify"),
    (RestrictFlags::NO_TRAP, "notrap"),
    (RestrictFlags::LOW_PRIORITY_TRAP, "lowpriotrap"),
    (RestrictFlags::KISS_OF_DEATH, "kod"),
    (RestrictFlags::MS_SNTP, "mssntp"),
    (RestrictFlags::FLAKE, "flake"),
    (RestrictFlags::NO_MRU_LIST, "nomrulist"),
    (RestrictFlags::SERVER_RESPONSE_FUZZ, "serverresponse fuzz"),
];

impl RestrictFlags {
    /// Nothing is forbidden.
    pub const NONE: Self = Self(0);
    /// `ignore`: drop everything, time requests and control messages alike.
    pub const IGNORE: Self = Self(0x0001);
    /// `noserve`: answer control messages only.
    pub const NO_SERVE: Self = Self(0x0002);
    /// `notrust`: drop what is not authenticated.
    pub const NO_TRUST: Self = Self(0x0004);
    /// `version`: drop what is not of the current version.
    pub const VERSION: Self = Self(0x0008);
    /// `nopeer`: set up no association on an unauthenticated request.
    pub const NO_PEER: Self = Self(0x0010);
    /// `noepeer`: set up no ephemeral association at all; `epeer` takes it back.
    pub const NO_EPHEMERAL_PEER: Self = Self(0x0020);
    /// `limited`: drop what comes too fast.
    pub const LIMITED: Self = Self(0x0040);
    /// `noquery`: answer no control message.
    pub const NO_QUERY: Self = Self(0x0080);
    /// `nomodify`: refuse control messages that change something.
    pub const NO_MODIFY: Self = Self(0x0100);
    /// `notrap`: refuse traps.
    pub const NO_TRAP: Self = Self(0x0200);
    /// `lowpriotrap`: traps may be replaced by others.
    pub const LOW_PRIORITY_TRAP: Self = Self(0x0400);
    /// `kod`: say so now and then where [`LIMITED`](Self::LIMITED) drops.
    pub const KISS_OF_DEATH: Self = Self(0x0800);
    /// `mssntp`: let Samba sign answers for Windows.
    pub const MS_SNTP: Self = Self(0x1000);
    /// `flake`: drop one packet in ten, as a test.
    pub const FLAKE: Self = Self(0x2000);
    /// `nomrulist`: refuse the list of clients.
    pub const NO_MRU_LIST: Self = Self(0x4000);
    /// `serverresponse fuzz`: blur the low bits of times in answers.
    pub const SERVER_RESPONSE_FUZZ: Self = Self(0x8000);

    /// All flags.
    pub const ALL: Self = Self(0xffff);

    /// The flag that `restrict` calls `name` (all lower case, as ntp.conf has it).
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(flag, _)| *flag)
    }

    /// The names of the flags that are set, in the order of their bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES
            .into_iter()
            .filter(move |(flag, _)| self.contains(*flag))
            .map(|(_, name)| name)
    }

    /// From the bits of ntpd 4.2.8.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The bits of ntpd 4.2.8.
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// Whether no flag is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The flags of either, where [`BitOr`] cannot be used.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOr for RestrictFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl BitOrAssign for RestrictFlags {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

impl BitAnd for RestrictFlags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The flags of the left that the right has not.
impl Sub for RestrictFlags {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self & !other
    }
}

impl Not for RestrictFlags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Names, apart by commas, as ntpq's `reslist` shows them; nothing where no flag is set.
impl fmt::Display for RestrictFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for RestrictFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RestrictFlags({:#06x}: {self})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        let mut all = RestrictFlags::NONE;
        for (flag, name) in NAMES {
            assert_eq!(flag.to_bits().count_ones(), 1);
            assert!(!all.intersects(flag), "{name} shares a bit");
            all |= flag;
            assert_eq!(RestrictFlags::from_name(name), Some(flag));
            assert_eq!(flag.names().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(all, RestrictFlags::ALL);
        assert_eq!(RestrictFlags::from_name("Ignore"), None);
        assert_eq!(RestrictFlags::NONE.to_string(), "");
    }
}
