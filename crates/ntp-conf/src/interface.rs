//! `interface` (or `nic`): which local addresses are opened.

use std::net::IpAddr;

use crate::{
    AddressFamily,
    association::plain_address,
    line::Line,
    reader::{Problem, Reader, integer},
};

/// What happens at an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum InterfaceAction {
    /// `listen`: it is opened.
    Listen,
    /// `ignore`: it is not opened.
    Ignore,
    /// `drop`: it is opened, and what comes there is dropped.
    Drop,
}

const ACTIONS: [(&str, InterfaceAction); 3] = [
    ("listen", InterfaceAction::Listen),
    ("ignore", InterfaceAction::Ignore),
    ("drop", InterfaceAction::Drop),
];

/// Which addresses a rule is for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum InterfaceMatch {
    /// `all`
    All,
    /// `ipv4` or `ipv6`
    Family(AddressFamily),
    /// `wildcard`: the addresses 0.0.0.0 and ::.
    Wildcard,
    /// An interface.
    Name(String),
    /// Addresses that start with the same bits.
    Address {
        /// The address.
        address: IpAddr,
        /// How many bits must be the same; all if `None`.
        prefix: Option<u8>,
    },
}

impl InterfaceMatch {
    fn fits(&self, name: &str, address: IpAddr, is_loopback: bool) -> bool {
        match self {
            Self::All => !is_loopback,
            Self::Family(family) => *family == AddressFamily::of(address),
            Self::Wildcard => false,
            Self::Name(wanted) => wanted.eq_ignore_ascii_case(name),
            Self::Address {
                address: wanted,
                prefix,
            } => shares_prefix(*wanted, address, *prefix),
        }
    }
}

/// Whether the first bits of two addresses are the same, all of them if there is no number.
fn shares_prefix(one: IpAddr, other: IpAddr, bits: Option<u8>) -> bool {
    let (differing, length) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits() ^ other.to_bits()) << 96, 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        _ => return false,
    };
    differing.leading_zeros() >= u32::from(bits.unwrap_or(length))
}

/// One line `interface …`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InterfaceRule {
    /// What happens there.
    pub action: InterfaceAction,
    /// Where.
    pub matching: InterfaceMatch,
}

impl InterfaceRule {
    /// What happens at an address of the interface `name`: what the last of the rules says that fit
    /// it. Where none does, loopback is listened on, and everything else if there are no rules.
    pub fn decide(
        rules: &[Self],
        name: &str,
        address: IpAddr,
        is_loopback: bool,
    ) -> InterfaceAction {
        let last = rules
            .iter()
            .rev()
            .find(|rule| rule.matching.fits(name, address, is_loopback));
        match last {
            Some(rule) => rule.action,
            None if is_loopback || rules.is_empty() => InterfaceAction::Listen,
            None => InterfaceAction::Ignore,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        let word = reader.expect("`listen`, `ignore` or `drop`")?;
        let action = ACTIONS.iter().find(|(name, _)| *name == word.keyword());
        let (_, action) = action.ok_or_else(|| {
            Problem::unknown(
                word,
                "action of `interface`",
                &ACTIONS.map(|(name, _)| name),
            )
        })?;
        let word = reader.expect("an interface or an address")?;
        let matching = match word.keyword() {
            "all" => InterfaceMatch::All,
            "ipv4" => InterfaceMatch::Family(AddressFamily::Ipv4),
            "ipv6" => InterfaceMatch::Family(AddressFamily::Ipv6),
            "wildcard" => InterfaceMatch::Wildcard,
            _ => {
                let (text, digits) = match word.text.split_once('/') {
                    Some((text, digits)) => (text, Some(digits)),
                    None => (word.text.as_str(), None),
                };
                match plain_address(text).and_then(|text| text.parse::<IpAddr>().ok()) {
                    Some(address) => {
                        let longest = if address.is_ipv4() { 32 } else { 128 };
                        let prefix = digits.map(|digits| {
                            let number = crate::Word {
                                text: digits.to_owned(),
                                ..word.clone()
                            };
                            integer(&number, "the length of a prefix", &(0..=longest))
                        });
                        InterfaceMatch::Address {
                            address,
                            prefix: prefix.transpose()?,
                        }
                    }
                    None if word.text.is_empty() || digits.is_some() => {
                        return Err(Problem::error(
                            &word.span,
                            "this is neither an interface nor an address",
                            "write for example `eth0`, `192.0.2.1` or `2001:db8::/32`",
                        ));
                    }
                    None => InterfaceMatch::Name(word.text.clone()),
                }
            }
        };
        reader.end()?;
        if matching == InterfaceMatch::Wildcard && *action == InterfaceAction::Listen {
            reader.remarks.push(Problem::warning(
                &reader.span(),
                "the wildcard addresses are never opened: this line does nothing",
                "",
            ));
        }
        Ok(Self {
            action: *action,
            matching,
        })
    }

    pub(crate) fn write(&self, out: &mut String) {
        let action = ACTIONS.iter().find(|(_, action)| *action == self.action);
        let line = Line::new("interface").word(action.map_or("listen", |(name, _)| name));
        match &self.matching {
            InterfaceMatch::All => line.word("all"),
            InterfaceMatch::Family(AddressFamily::Ipv4) => line.word("ipv4"),
            InterfaceMatch::Family(AddressFamily::Ipv6) => line.word("ipv6"),
            InterfaceMatch::Wildcard => line.word("wildcard"),
            // Quoted, a name is never taken for a keyword.
            InterfaceMatch::Name(name) => line.text(name),
            InterfaceMatch::Address {
                address,
                prefix: None,
            } => line.word(address),
            InterfaceMatch::Address {
                address,
                prefix: Some(prefix),
            } => line.word(format_args!("{address}/{prefix}")),
        }
        .end(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses of a machine that was asked with the reference too.
    const MACHINE: [(&str, &str); 8] = [
        ("lo", "127.0.0.1"),
        ("lo", "::1"),
        ("n0", "10.9.0.1"),
        ("n0", "fd00:9::1"),
        ("lnk1", "10.8.0.1"),
        ("lnk1", "10.8.0.2"),
        ("lnk1", "fe80::5"),
        ("lnk1:5", "10.8.0.9"),
    ];

    /// A letter for each address: L, i or d.
    fn decided(lines: &str) -> String {
        let parsed = crate::parse("ntp.conf", lines, |_| Err(String::new()));
        assert!(!parsed.has_errors(), "{}", parsed.render());
        MACHINE
            .iter()
            .map(|(name, address)| {
                let address = address.parse().unwrap();
                let rules = &parsed.config.interfaces;
                match InterfaceRule::decide(rules, name, address, *name == "lo") {
                    InterfaceAction::Listen => 'L',
                    InterfaceAction::Ignore => 'i',
                    InterfaceAction::Drop => 'd',
                }
            })
            .collect()
    }

    #[test]
    fn the_last_line_that_fits_decides() {
        for (lines, wanted) in [
            ("", "LLLLLLLL"),
            ("interface ignore all", "LLiiiiii"),
            ("interface ignore all\ninterface listen n0", "LLLLiiii"),
            ("interface listen n0\ninterface ignore all", "LLiiiiii"),
            ("interface drop lnk1", "LLiidddi"),
            ("interface ignore ipv6", "Liiiiiii"),
            ("interface ignore ipv4", "iLiiiiii"),
            ("interface listen wildcard", "LLiiiiii"),
            ("interface listen lnk", "LLiiiiii"),
            ("interface listen LNK1", "LLiiLLLi"),
            ("interface listen lnk1:5", "LLiiiiiL"),
            (
                "interface listen 10.8.0.0/24\nnic ignore 10.8.0.2",
                "LLiiLiiL",
            ),
            (
                "nic ignore 10.8.0.2\ninterface listen 10.8.0.0/24",
                "LLiiLLiL",
            ),
            ("interface listen ipv4\ninterface drop lnk1", "LLLidddL"),
            ("interface listen fe80::/10", "LLiiiiLi"),
            ("interface listen all\ninterface ignore lo", "iiLLLLLL"),
            ("interface listen all\ninterface ignore ::1", "LiLLLLLL"),
            ("interface ignore ipv4\ninterface listen lo", "LLiiiiii"),
            ("interface drop all", "LLdddddd"),
            ("interface listen 0.0.0.0/0", "LLLiLLiL"),
        ] {
            assert_eq!(decided(lines), wanted, "{lines}");
        }
    }
}
