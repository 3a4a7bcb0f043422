//! Lists that take a key to read: a daemon's addresses and its restrictions.

use core::fmt::Write;
use std::collections::BTreeMap;

use ntp_wire::{AssociationId, control::Opcode};

use crate::{Escaped, Request, Variables, address::address, decimal::unsigned};

/// One of the lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OrderedList {
    /// `ifstats`: the addresses that it listens on.
    Interfaces,
    /// `reslist`: what its `restrict` lines forbid.
    Restrictions,
}

/// Entries of a list at most.
const MOST: usize = 100_000;

impl OrderedList {
    /// What to ask, with a key.
    pub fn request(self) -> Request {
        let name: &[u8] = match self {
            Self::Interfaces => b"ifstats",
            Self::Restrictions => b"addr_restrictions",
        };
        Request {
            data: name.to_vec(),
            ..Request::new(Opcode::READ_ORDERED_LIST, AssociationId::SYSTEM)
        }
    }

    /// ntpq's table of the answer.
    pub fn table(self, data: &[u8]) -> String {
        let mut text = match self {
            Self::Interfaces => {
                "    interface name                                        send\n \
                 #  address/broadcast     drop flag ttl mc received sent failed peers   uptime\n"
            }
            Self::Restrictions => "   hits    addr/prefix or addr mask\n           restrictions\n",
        }
        .to_owned();
        text += &format!("{:=<78}\n", "");
        for (number, entry) in entries(data) {
            // Writing to a String cannot fail.
            let _ = match self {
                Self::Interfaces => entry.interface(number, &mut text),
                Self::Restrictions => entry.restriction(&mut text),
            };
        }
        text
    }
}

/// The fields of an entry by their names.
#[derive(Default)]
struct Entry<'a>(Vec<(&'a str, String)>);

/// `field.number=value` sorted by number; what looks otherwise is passed over.
fn entries(data: &[u8]) -> BTreeMap<u32, Entry<'_>> {
    let mut entries: BTreeMap<u32, Entry<'_>> = BTreeMap::new();
    for variable in Variables::new(data) {
        let Ok(name) = str::from_utf8(variable.name) else {
            continue;
        };
        let Some((field, Ok(number))) = name
            .rsplit_once('.')
            .map(|(field, number)| (field, number.parse()))
        else {
            continue;
        };
        if entries.len() >= MOST && !entries.contains_key(&number) {
            break;
        }
        let value = Escaped(variable.unquoted()).to_string();
        entries.entry(number).or_default().0.push((field, value));
    }
    entries
}

impl Entry<'_> {
    fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| *field == name);
        found.map_or("", |(_, value)| value)
    }

    fn number(&self, name: &str) -> u32 {
        unsigned(self.text(name)).unwrap_or_default()
    }

    fn interface(&self, number: u32, text: &mut String) -> core::fmt::Result {
        let dropped = if self.number("en") == 0 { 'D' } else { '.' };
        let name: String = self.text("name").chars().take(24).collect();
        writeln!(
            text,
            "{number:3} {name:<24} {dropped} {:4x} {:3} {:2} {:6} {:6} {:6} {:5} {:8}",
            self.number("flags"),
            self.number("tl"),
            self.number("mc"),
            self.number("rx"),
            self.number("tx"),
            self.number("txerr"),
            self.number("pc"),
            self.number("up"),
        )?;
        writeln!(text, "    {}", self.text("addr"))?;
        match self.text("bcast") {
            "" => Ok(()),
            broadcast => writeln!(text, "    {broadcast}"),
        }
    }

    fn restriction(&self, text: &mut String) -> core::fmt::Result {
        let (hits, flags) = (self.text("hits"), self.text("flags"));
        let target = match prefix_length(self.text("mask")) {
            Some(length) => format!("{}/{length}", self.text("addr")),
            None => format!("{} {}", self.text("addr"), self.text("mask")),
        };
        writeln!(text, "{hits:>10} {target}\n           {flags}")
    }
}

/// How many leading bits of a mask are set, if no other is.
fn prefix_length(mask: &str) -> Option<u32> {
    let (bits, width) = match address(mask)?.0 {
        std::net::IpAddr::V4(mask) => (u128::from(mask.to_bits()) << 96, 32),
        std::net::IpAddr::V6(mask) => (mask.to_bits(), 128),
    };
    let length = bits.leading_ones();
    (bits.count_ones() == length && length <= width).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_the_references() {
        let data = b"en.0=0, rx.0=0, name.0=\"v6wildcard\", addr.0=[::]:123, bcast.0=,\r\n\
            flags.0=0x81, tl.0=0, mc.0=0, tx.0=0, txerr.0=0, pc.0=0, up.0=580, x.0=9,\r\n\
            addr.1=10.0.0.1:123, bcast.1=10.0.0.255:123, en.1=1, name.1=\"net0\",\r\n\
            flags.1=0x19, tl.1=0, mc.1=0, rx.1=49, tx.1=52, txerr.1=3, pc.1=1, up.1=580\r\n";
        assert_eq!(
            OrderedList::Interfaces.table(data),
            "    interface name                                        send
 #  address/broadcast     drop flag ttl mc received sent failed peers   uptime
==============================================================================
  0 v6wildcard               D   81   0  0      0      0      0     0      580
    [::]:123
  1 net0                     .   19   0  0     49     52      3     1      580
    10.0.0.1:123
    10.0.0.255:123
"
        );
        let data = b"addr.0=192.0.2.0, mask.0=255.255.255.0, hits.0=7, flags.0=noserve trap,\r\n\
            hits.1=0, flags.1=serve, mask.1=255.255.253.0, addr.1=10.1.0.0, addr.2=fd00::,\r\n\
            mask.2=ffff:ff00::, hits.2=0, flags.2=\x1b[2J, addr.3=::, mask.3=::\r\n";
        assert_eq!(
            OrderedList::Restrictions.table(data),
            "   hits    addr/prefix or addr mask
           restrictions
==============================================================================
         7 192.0.2.0/24
           noserve trap
         0 10.1.0.0 255.255.253.0
           serve
         0 fd00::/24
           ^[[2J
           ::/0
           \n"
        );
    }
}
