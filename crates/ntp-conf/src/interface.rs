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

/// One line `interface …`; of those that fit an address, the last one counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct InterfaceRule {
    /// What happens there.
    pub action: InterfaceAction,
    /// Where.
    pub matching: InterfaceMatch,
}

impl InterfaceRule {
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
