//! The file `ntp.keys`: a line for each key.

use core::{fmt, net::IpAddr};
use std::collections::{BTreeMap, btree_map::Entry};

use ntp_wire::KeyId;
use thiserror::Error;
use zeroize::Zeroizing;

use super::{AES_KEY_LENGTH, KeyAlgorithm, SymmetricKey, SymmetricKeyError};

/// The keys of an `ntp.keys` file, by number.
///
/// Which of them are trusted is not said there but by `trustedkey` in ntp.conf.
///
/// ```
/// use ntp_keys::KeyTable;
/// use ntp_wire::KeyId;
///
/// let (table, problems) = KeyTable::parse(
///     "# number, type, key, who may use it\n\
///      1 M          correct-horse\n\
///      2 SHA1       0123456789abcdef0123456789abcdef01234567 # more than 20 characters: hex\n\
///      3 AES128CMAC 00112233445566778899aabbccddeeff 10.0.0.0/8,192.0.2.1\n\
///      4 ROT13      nonsense\n",
/// );
/// assert_eq!(problems[0].line, 5);
///
/// let entry = table.lookup(KeyId::new(3)).unwrap();
/// assert!(entry.allows("10.1.2.3".parse().unwrap()));
/// assert!(!entry.allows("192.0.2.2".parse().unwrap()));
/// assert!(table.lookup(KeyId::new(4)).is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeyTable {
    entries: BTreeMap<KeyId, KeyEntry>,
}

impl KeyTable {
    /// Reads the text of an `ntp.keys` file: what is right in it, and what is wrong.
    ///
    /// A line is `number type key [addresses]`, apart by blanks; `#` starts a comment anywhere, so
    /// no key can contain it. A key of up to 20 characters stands for itself, a longer one is
    /// hexadecimal and makes up to 32 octets. Addresses are apart by commas, each with `/length` if
    /// it is more than one host; without them anybody may use the key. Where a number stands twice
    /// the first line counts.
    ///
    /// ntpd 4.2.8 does the same with lines that are right, but drops the whole file for one that
    /// is malformed; here only that line is left out.
    pub fn parse(text: &str) -> (Self, Vec<KeyFileProblem>) {
        let mut table = Self::default();
        let mut problems = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let mut report = |kind| {
                problems.push(KeyFileProblem {
                    line: index + 1,
                    kind,
                });
            };
            match parse_line(line, &mut report) {
                Ok(Some((id, entry))) => match table.entries.entry(id) {
                    Entry::Vacant(place) => {
                        place.insert(entry);
                    }
                    Entry::Occupied(_) => report(KeyFileProblemKind::Repeated { id }),
                },
                Ok(None) => {}
                Err(kind) => report(kind),
            }
        }
        (table, problems)
    }

    /// The key with this number.
    pub fn lookup(&self, id: KeyId) -> Option<&KeyEntry> {
        self.entries.get(&id)
    }

    /// Adds a key; returns the one that had its number before.
    pub fn insert(&mut self, id: KeyId, entry: KeyEntry) -> Option<KeyEntry> {
        self.entries.insert(id, entry)
    }

    /// The keys, by rising number.
    pub fn iter(&self) -> impl Iterator<Item = (KeyId, &KeyEntry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A key and who may use it.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    key: SymmetricKey,
    addresses: Vec<AddressBlock>,
}

impl KeyEntry {
    /// `key` for `addresses`, for anybody if they are none.
    pub const fn new(key: SymmetricKey, addresses: Vec<AddressBlock>) -> Self {
        Self { key, addresses }
    }

    /// The key.
    pub const fn key(&self) -> &SymmetricKey {
        &self.key
    }

    /// Who may use it; nobody named means anybody.
    pub fn addresses(&self) -> &[AddressBlock] {
        &self.addresses
    }

    /// Whether a packet from `address` may be authenticated by this key (CVE-2015-7974).
    pub fn allows(&self, address: IpAddr) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|block| block.contains(address))
    }
}

/// An address and how many of its leading bits count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AddressBlock {
    address: IpAddr,
    length: u8,
}

impl AddressBlock {
    /// The addresses that share the first `length` bits with `address`; `None` if it has not that
    /// many.
    pub const fn new(address: IpAddr, length: u8) -> Option<Self> {
        if length > Self::width(address) {
            return None;
        }
        Some(Self { address, length })
    }

    /// Whether `address` is one of them. IPv4 addresses mapped into IPv6 count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                u128::from(ours.to_bits() ^ theirs.to_bits()) << 96
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => ours.to_bits() ^ theirs.to_bits(),
            _ => return false,
        };
        differing.leading_zeros() >= u32::from(self.length)
    }

    const fn width(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address.parse().ok()?, Some(length.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        Self::new(address, length.unwrap_or_else(|| Self::width(address)))
    }
}

impl fmt::Display for AddressBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)?;
        if self.length < Self::width(self.address) {
            write!(f, "/{}", self.length)?;
        }
        Ok(())
    }
}

/// A line of `ntp.keys` that is wrong, or not as it seems.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: {kind}")]
pub struct KeyFileProblem {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub kind: KeyFileProblemKind,
}

/// What can be wrong with a line of `ntp.keys`. No message shows any of a key.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum KeyFileProblemKind {
    /// The line does not start with a number from 1 to 65535; it was left out.
    #[error("{text:?} is no key number: use 1 to 65535 (those above belong to Autokey)")]
    BadNumber {
        /// The word that stands there, cut to 20 characters.
        text: String,
    },
    /// The line ends after the number; it was left out.
    #[error("key {id} has no type: write `{id} TYPE KEY`")]
    NoType {
        /// The key's number.
        id: KeyId,
    },
    /// The type is not known; the line was left out.
    #[error(
        "key {id} has the unknown type {name:?}: use AES128CMAC, SHA256, SHA384, SHA512, or, for \
         old peers, SHA1 or MD5"
    )]
    UnknownType {
        /// The key's number.
        id: KeyId,
        /// The word that stands there, cut to 20 characters.
        name: String,
    },
    /// The line ends after the type; it was left out.
    #[error("key {id} has a type but no key (a `#` starts a comment, even within a key)")]
    NoKey {
        /// The key's number.
        id: KeyId,
    },
    /// A key of more than 20 characters is not hexadecimal; the line was left out.
    #[error("key {id} has more than 20 characters, so all must be hexadecimal digits")]
    BadHex {
        /// The key's number.
        id: KeyId,
    },
    /// The octets cannot be a key; the line was left out.
    #[error("key {id}: {source}")]
    BadKey {
        /// The key's number.
        id: KeyId,
        /// Why.
        source: SymmetricKeyError,
    },
    /// An address is malformed; the line was left out, since nobody knows who may use the key.
    #[error(
        "key {id}: {text:?} is no address; write them as 192.0.2.1,198.51.100.0/24,2001:db8::1"
    )]
    BadAddress {
        /// The key's number.
        id: KeyId,
        /// What stands there, cut to 50 characters.
        text: String,
    },
    /// The number stands on an earlier line too; this line was left out.
    #[error("key {id} stands on an earlier line too, and that line counts")]
    Repeated {
        /// The key's number.
        id: KeyId,
    },
    /// A hexadecimal key has an odd number of digits; the last one was dropped.
    #[error("key {id} has an odd number of hexadecimal digits; the last one was dropped")]
    OddHex {
        /// The key's number.
        id: KeyId,
    },
    /// A key has more than 32 octets; it was cut to those.
    #[error("key {id} has more than 64 hexadecimal digits; the rest was cut off")]
    TooLong {
        /// The key's number.
        id: KeyId,
    },
    /// The key has not the length that its type wants; it was padded or cut.
    #[error("key {id} should have {wanted} octets but has {octets}; it was {}",
        if octets < wanted { "padded with zeroes" } else { "cut" })]
    WrongLength {
        /// The key's number.
        id: KeyId,
        /// Octets that it has.
        octets: usize,
        /// Octets that it should have.
        wanted: usize,
    },
}

/// Up to this many characters a key stands for itself.
const LONGEST_TEXT_KEY: usize = 20;
/// More digits than this do not count.
const MOST_HEX_DIGITS: usize = 64;

fn parse_line(
    line: &str,
    report: &mut dyn FnMut(KeyFileProblemKind),
) -> Result<Option<(KeyId, KeyEntry)>, KeyFileProblemKind> {
    let line = line.split('#').next().unwrap_or_default();
    let mut words = line
        .split([' ', '\t', '\r'])
        .filter(|word| !word.is_empty());
    let Some(number) = words.next() else {
        return Ok(None);
    };
    let id = number
        .parse()
        .map(KeyId::new)
        .ok()
        .filter(|id| id.is_symmetric())
        .ok_or_else(|| KeyFileProblemKind::BadNumber {
            text: number.chars().take(20).collect(),
        })?;
    let name = words.next().ok_or(KeyFileProblemKind::NoType { id })?;
    let algorithm =
        KeyAlgorithm::from_name(name).ok_or_else(|| KeyFileProblemKind::UnknownType {
            id,
            name: name.chars().take(20).collect(),
        })?;
    let text = words.next().ok_or(KeyFileProblemKind::NoKey { id })?;
    let secret = parse_secret(id, text, report)?;
    let addresses = match words.next() {
        Some(list) => parse_addresses(list).map_err(|text| KeyFileProblemKind::BadAddress {
            id,
            text: text.chars().take(50).collect(),
        })?,
        None => Vec::new(),
    };
    let key = SymmetricKey::new(algorithm, &secret)
        .map_err(|source| KeyFileProblemKind::BadKey { id, source })?;
    if algorithm == KeyAlgorithm::Aes128Cmac && secret.len() != AES_KEY_LENGTH {
        report(KeyFileProblemKind::WrongLength {
            id,
            octets: secret.len(),
            wanted: AES_KEY_LENGTH,
        });
    }
    Ok(Some((id, KeyEntry::new(key, addresses))))
}

fn parse_secret(
    id: KeyId,
    text: &str,
    report: &mut dyn FnMut(KeyFileProblemKind),
) -> Result<Zeroizing<Vec<u8>>, KeyFileProblemKind> {
    let text = text.as_bytes();
    if text.len() <= LONGEST_TEXT_KEY {
        return Ok(Zeroizing::new(text.to_vec()));
    }
    let digits = text.get(..MOST_HEX_DIGITS).unwrap_or(text);
    let bad = || KeyFileProblemKind::BadHex { id };
    let mut secret = Zeroizing::new(Vec::with_capacity(MOST_HEX_DIGITS / 2));
    for pair in digits.chunks(2) {
        let mut octet = 0;
        for digit in pair {
            let value = char::from(*digit).to_digit(16).ok_or_else(bad)?;
            octet = octet << 4 | u8::try_from(value).map_err(|_| bad())?;
        }
        if pair.len() == 2 {
            secret.push(octet);
        } else {
            report(KeyFileProblemKind::OddHex { id });
        }
    }
    if digits.len() < text.len() {
        report(KeyFileProblemKind::TooLong { id });
    }
    Ok(secret)
}

fn parse_addresses(list: &str) -> Result<Vec<AddressBlock>, &str> {
    list.split(',')
        .map(|text| AddressBlock::parse(text).ok_or(text))
        .collect()
}
