//! `restrict`: who may ask what.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ntp_restrict::RestrictFlags;

use crate::{
    AddressFamily, Word,
    association::{bad_address, plain_address},
    line::Line,
    reader::{Problem, Reader, integer},
};

/// Whom a restriction is for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum RestrictAddress {
    /// `default`: whom no other restriction is for, of one family or both.
    Default(Option<AddressFamily>),
    /// `source`: the servers that this daemon asks, whatever their addresses.
    Source,
    /// The addresses that are `address` where `mask` has ones.
    Network {
        /// Address; zero where the mask is.
        address: IpAddr,
        /// Mask, of the same family; mostly ones, then zeroes, but any is allowed.
        mask: IpAddr,
    },
    /// The addresses of a host name.
    Host {
        /// The name, to be looked up.
        name: String,
        /// `-4` or `-6`: only these of its addresses.
        family: Option<AddressFamily>,
        /// Mask for its addresses; all ones if `None`.
        mask: Option<IpAddr>,
    },
}

impl RestrictAddress {
    /// The network of all addresses that start with the first `prefix` bits of `address`.
    pub fn network(address: IpAddr, prefix: u8) -> Self {
        Self::masked(address, prefix_mask(AddressFamily::of(address), prefix))
    }

    fn masked(address: IpAddr, mask: IpAddr) -> Self {
        let address = match (address, mask) {
            (IpAddr::V4(address), IpAddr::V4(mask)) => IpAddr::V4(address & mask),
            (IpAddr::V6(address), IpAddr::V6(mask)) => IpAddr::V6(address & mask),
            (address, _) => address,
        };
        Self::Network { address, mask }
    }
}

/// One line `restrict …`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restriction {
    /// Whom it is for.
    pub address: RestrictAddress,
    /// What is restricted.
    pub flags: RestrictFlags,
    /// `ntpport`: only for packets that come from UDP port 123.
    pub ntp_port: bool,
    /// `ippeerlimit`: how many associations one address may make; any number if `None`.
    pub ip_peer_limit: Option<u32>,
}

impl Restriction {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let family = AddressFamily::read(reader);
        let word = reader.expect("an address, `default` or `source`")?;
        let mut target = match word.keyword() {
            "default" => RestrictAddress::Default(family),
            "source" if family.is_some() => {
                return Err(Problem::error(
                    &word.span,
                    "`source` is for all servers, of either family",
                    "leave out `-4` or `-6`",
                ));
            }
            "source" => RestrictAddress::Source,
            _ => address(word, family)?,
        };
        let mut restriction = Self {
            address: RestrictAddress::Source,
            flags: RestrictFlags::NONE,
            ntp_port: false,
            ip_peer_limit: None,
        };
        while let Some(word) = reader.take() {
            match word.keyword() {
                "mask" => target = mask(target, word, reader)?,
                "ippeerlimit" => {
                    let limit: i64 = reader.integer("ippeerlimit", -1..=i64::from(i32::MAX))?;
                    restriction.ip_peer_limit = u32::try_from(limit).ok();
                }
                "epeer" => restriction.flags = restriction.flags - RestrictFlags::NO_EPHEMERAL_PEER,
                "ntpport" => restriction.ntp_port = true,
                "serverresponse" => {
                    let word = reader.expect("`fuzz`")?;
                    if word.keyword() != "fuzz" {
                        return Err(Problem::unknown(word, "kind of server response", &["fuzz"]));
                    }
                    restriction.flags |= RestrictFlags::SERVER_RESPONSE_FUZZ;
                }
                keyword => {
                    let flag = RestrictFlags::from_name(keyword);
                    restriction.flags |= flag.ok_or_else(|| unknown_flag(word))?;
                }
            }
        }
        // The whole of a family's addresses is its default entry, however it is written.
        if let RestrictAddress::Network { address, mask } = target
            && mask.is_unspecified()
        {
            target = RestrictAddress::Default(Some(AddressFamily::of(address)));
        }
        restriction.address = target;
        Ok(restriction)
    }

    pub(crate) fn write(&self, out: &mut String) {
        let mut line = Line::new("restrict");
        match &self.address {
            RestrictAddress::Default(family) => {
                if let Some(family) = family {
                    line = line.word(family.option());
                }
                line = line.word("default");
            }
            RestrictAddress::Source => line = line.word("source"),
            RestrictAddress::Network { address, mask } => {
                let host = prefix_mask(AddressFamily::of(*address), 128);
                line = line
                    .word(address)
                    .option("mask", (*mask != host).then_some(mask));
            }
            RestrictAddress::Host { name, family, mask } => {
                if let Some(family) = family {
                    line = line.word(family.option());
                }
                line = line.name(name).option("mask", *mask);
            }
        }
        line = line.option("ippeerlimit", self.ip_peer_limit);
        for flag in self.flags.names() {
            line = line.word(flag);
        }
        line.flag("ntpport", self.ntp_port).end(out);
    }
}

fn unknown_flag(word: &Word) -> Problem {
    let mut words: Vec<&str> = RestrictFlags::ALL.names().collect();
    words.extend(["epeer", "ntpport", "serverresponse", "mask", "ippeerlimit"]);
    Problem::unknown(word, "flag of `restrict`", &words)
}

fn address(word: &Word, family: Option<AddressFamily>) -> Result<RestrictAddress, Problem> {
    let (text, prefix) = match word.text.split_once('/') {
        Some((text, prefix)) => (text, Some(prefix)),
        None => (word.text.as_str(), None),
    };
    let text = plain_address(text).ok_or_else(|| bad_address(word))?;
    let Ok(address) = text.parse::<IpAddr>() else {
        if prefix.is_some() {
            return Err(bad_address(word));
        }
        return Ok(RestrictAddress::Host {
            name: text.to_owned(),
            family,
            mask: None,
        });
    };
    if family.is_some_and(|family| family != AddressFamily::of(address)) {
        return Err(Problem::error(
            &word.span,
            format!("{address} is of the other address family"),
            "leave out `-4` or `-6`",
        ));
    }
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(digits) => {
            let number = Word {
                text: digits.to_owned(),
                ..word.clone()
            };
            integer(&number, "the length of a prefix", &(0..=i64::from(longest)))?
        }
    };
    Ok(RestrictAddress::network(address, prefix))
}

fn mask(
    target: RestrictAddress,
    keyword: &Word,
    reader: &mut Reader<'_>,
) -> Result<RestrictAddress, Problem> {
    let word = reader.peek();
    let mask = reader.address("mask")?;
    let span = word.map_or(&keyword.span, |word| &word.span);
    let target = match target {
        RestrictAddress::Network { address, .. } => {
            if AddressFamily::of(address) != AddressFamily::of(mask) {
                return Err(Problem::error(
                    span,
                    format!("{mask} is no mask for {address}"),
                    "address and mask are of the same family",
                ));
            }
            let masked = RestrictAddress::masked(address, mask);
            if let RestrictAddress::Network {
                address: masked, ..
            } = masked
                && masked != address
            {
                let message =
                    format!("{address} has bits that the mask leaves out; {masked} is used");
                reader.remarks.push(Problem::note(span, message, ""));
            }
            masked
        }
        RestrictAddress::Host { name, family, .. } => RestrictAddress::Host {
            name,
            family,
            mask: Some(mask),
        },
        RestrictAddress::Default(_) | RestrictAddress::Source => {
            return Err(Problem::error(
                &keyword.span,
                "`mask` belongs behind an address",
                "`default` and `source` have none",
            ));
        }
    };
    if !is_contiguous(mask) {
        reader.remarks.push(Problem::warning(
            span,
            format!("the ones of mask {mask} are not all on the left"),
            "it is used as it stands, but is probably a slip",
        ));
    }
    Ok(target)
}

fn is_contiguous(mask: IpAddr) -> bool {
    match mask {
        IpAddr::V4(mask) => mask.to_bits().leading_ones() + mask.to_bits().trailing_zeros() >= 32,
        IpAddr::V6(mask) => mask.to_bits().leading_ones() + mask.to_bits().trailing_zeros() >= 128,
    }
}

/// `prefix` ones, then zeroes.
pub(crate) fn prefix_mask(family: AddressFamily, prefix: u8) -> IpAddr {
    match family {
        AddressFamily::Ipv4 => {
            let zeroes = 32_u32.saturating_sub(u32::from(prefix));
            IpAddr::V4(Ipv4Addr::from_bits(
                u32::MAX.checked_shl(zeroes).unwrap_or(0),
            ))
        }
        AddressFamily::Ipv6 => {
            let zeroes = 128_u32.saturating_sub(u32::from(prefix));
            IpAddr::V6(Ipv6Addr::from_bits(
                u128::MAX.checked_shl(zeroes).unwrap_or(0),
            ))
        }
    }
}
