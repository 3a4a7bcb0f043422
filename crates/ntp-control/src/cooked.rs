//! Variables as text: cooked, so that people can read them, or raw, as they were sent.

use core::fmt::Write;
use std::net::IpAddr;

use ntp_wire::{WireTimestamp, control::Flash};

use crate::{
    Escaped, Variable, Variables, View,
    address::{self, reference_clock},
    decimal::{decimal, fixed, hexadecimal, signed, unsigned},
    pretty_date,
};

/// Of what a response tells; it decides what its status word means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The system: association 0.
    System,
    /// An association.
    Peer,
    /// A reference clock.
    Clock,
}

impl Kind {
    /// The kind of what "read variables" of this association tells.
    pub const fn of(association: ntp_wire::AssociationId) -> Self {
        if association.value() == 0 {
            Self::System
        } else {
            Self::Peer
        }
    }
}

/// The variables of a response in lines of up to 72 columns, as ntpq's `readvar` prints them; empty
/// if there are none.
///
/// A value that does not look as its name demands is shown as it came, with a question mark.
pub fn cooked(data: &[u8], view: &View<'_>) -> String {
    let mut lines = Lines::default();
    for variable in Variables::new(data) {
        lines.push(
            &Escaped(variable.name).to_string(),
            &cooked_value(&variable, view),
        );
    }
    lines.finish()
}

/// The data of a response as they came, but for control characters that are not white space.
pub fn raw(data: &[u8]) -> String {
    let mut text = String::with_capacity(data.len() + 1);
    for line in data.split_inclusive(|&byte| byte == b'\n') {
        let (line, end) = match line {
            [line @ .., b'\r', b'\n'] | [line @ .., b'\n'] => (line, true),
            line => (line, false),
        };
        for part in line.split_inclusive(|&byte| byte == b'\t') {
            let (part, tab) = match part {
                [part @ .., b'\t'] => (part, "\t"),
                part => (part, ""),
            };
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{tab}", Escaped(part));
        }
        if end {
            text.push('\n');
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// What stands after `name=`.
pub(crate) fn cooked_value(variable: &Variable<'_>, view: &View<'_>) -> String {
    let value = Escaped(variable.value.unwrap_or_default());
    match format(variable.name) {
        None => value.to_string(),
        Some(Format::Signed) => match variable.value.and_then(<[u8]>::first) {
            Some(b'0'..=b'9' | b'.') => format!("+{value}"),
            _ => value.to_string(),
        },
        Some(format) => variable
            .text()
            .and_then(|text| format.show(variable.name, text, view))
            .unwrap_or_else(|| format!("{value}?")),
    }
}

#[derive(Clone, Copy)]
enum Format {
    Leap,
    Octal,
    ReferenceId,
    Time,
    Flash,
    Host,
    Address,
    Unsigneds,
    Signeds,
    Signed,
}

fn format(name: &[u8]) -> Option<Format> {
    Some(match name {
        b"leap" => Format::Leap,
        b"reach" => Format::Octal,
        b"refid" => Format::ReferenceId,
        b"reftime" | b"clock" | b"org" | b"rec" | b"xmt" => Format::Time,
        b"flash" => Format::Flash,
        b"srcadr" | b"peeradr" => Format::Host,
        b"dstadr" => Format::Address,
        b"filtdelay" | b"filtdisp" | b"filterror" => Format::Unsigneds,
        b"filtoffset" => Format::Signeds,
        b"offset" | b"frequency" => Format::Signed,
        _ => return None,
    })
}

impl Format {
    fn show(self, name: &[u8], text: &str, view: &View<'_>) -> Option<String> {
        match self {
            Self::Leap => leap(text),
            Self::Octal => Some(format!("{:03o}", unsigned(text)?)),
            Self::ReferenceId => reference_id(text, view),
            Self::Time => time(text, view),
            Self::Flash => Some(flash(unsigned(text)?)),
            Self::Host => Some(address::host(address::address(text)?.0, view)),
            Self::Address => Some(address::address(text)?.0.to_string()),
            Self::Unsigneds => numbers(name, text, fixed),
            Self::Signeds => numbers(name, text, signed),
            Self::Signed => None,
        }
    }
}

/// The two bits of a leap indicator.
pub(crate) fn leap(text: &str) -> Option<String> {
    unsigned(text)
        .filter(|&bits| bits <= 3)
        .map(|bits| format!("{bits:02b}"))
}

/// A timestamp in hexadecimal with its date.
pub(crate) fn time(text: &str, view: &View<'_>) -> Option<String> {
    Some(pretty_date(timestamp(text)?, view.now, view.zone))
}

/// `0xeeae14b7.1db7b750`, the prefix being optional.
pub(crate) fn timestamp(text: &str) -> Option<WireTimestamp> {
    let (seconds, fraction) = text.strip_prefix("0x").unwrap_or(text).split_once('.')?;
    if seconds.len() != 8 || fraction.len() != 8 {
        return None;
    }
    let bits = u64::from(hexadecimal(seconds)?) << 32 | u64::from(hexadecimal(fraction)?);
    Some(WireTimestamp::from_bits(bits))
}

fn reference_id(text: &str, view: &View<'_>) -> Option<String> {
    match address::address(text) {
        Some((address, _)) => Some(match address {
            _ if address::is_reference_clock(address) => reference_clock(address)?,
            IpAddr::V4(address) if view.reference_id_as_hash => {
                format!("0x{:08x}", address.to_bits())
            }
            _ => address.to_string(),
        }),
        None => (text.len() <= 4).then(|| Escaped(text.as_bytes()).to_string()),
    }
}

/// The tests of the on-wire protocol and of the selection that a peer failed.
fn flash(bits: u32) -> String {
    let failed: Vec<_> = Flash::from_bits(bits as u16).words().collect();
    match bits {
        0 => "00 ok".to_owned(),
        bits if failed.is_empty() => format!("{bits:02x}"),
        bits => format!("{bits:02x} {}", failed.join(", ")),
    }
}

/// Up to eight numbers in columns; the columns of `filtdelay`, `filtoffset` and `filtdisp` agree.
fn numbers(name: &[u8], text: &str, show: fn(f64, usize) -> String) -> Option<String> {
    let mut columns = Vec::new();
    for number in text.split_ascii_whitespace().take(8) {
        let mut number = show(decimal(number)?, 2);
        number.truncate(7);
        columns.push(format!("{number:>7}"));
    }
    let indent = 11usize.saturating_sub(name.len());
    Some(format!("{:indent$}{}", "", columns.join(" ")))
}

/// `name=value` pairs, a comma between them, in lines of up to 72 columns.
#[derive(Default)]
struct Lines {
    text: String,
    column: usize,
}

impl Lines {
    const WIDTH: usize = 72;

    fn push(&mut self, name: &str, value: &str) {
        let length = name.len() + 1 + value.len();
        if !self.text.is_empty() {
            if self.column + length + 2 > Self::WIDTH {
                self.text.push_str(",\n");
                self.column = 0;
            } else {
                self.text.push_str(", ");
                self.column += 2;
            }
        }
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{name}={value}");
        self.column += length;
    }

    fn finish(mut self) -> String {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use ntp_wire::Timestamp;
    use proptest::prelude::*;

    use super::*;

    const VIEW: View<'_> = View::new(Timestamp::from_unix(1_795_397_175, 0));

    fn one(text: &str) -> String {
        cooked(text.as_bytes(), &VIEW)
    }

    #[test]
    fn values_are_shown_as_the_reference_shows_them() {
        for (sent, shown) in [
            ("leap=3", "leap=11"),
            ("leap=7", "leap=7?"),
            ("reach=0x1", "reach=001"),
            ("reach=abc", "reach=abc?"),
            ("reach=", "reach=?"),
            ("x", "x="),
            ("reftime=garbage", "reftime=garbage?"),
            ("reftime=0xeeae3900.6", "reftime=0xeeae3900.6?"),
            ("reftime=0x00000000.00000000", "reftime=(no time)"),
            ("refid=GPS", "refid=GPS"),
            ("refid=ABCDE", "refid=ABCDE?"),
            ("refid=", "refid="),
            ("refid=\"GPS\"", "refid=\"GPS\"?"),
            ("refid=127.127.28.1", "refid=SHM(1)"),
            ("flash=0x2000", "flash=2000"),
            ("flash=0x400", "flash=400 peer_dist"),
            ("flash=0x0", "flash=00 ok"),
            ("srcadr=[::1]:5", "srcadr=::1"),
            ("srcadr=foo", "srcadr=foo?"),
            ("dstadr=127.127.1.0", "dstadr=127.127.1.0"),
            ("offset=abc", "offset=abc"),
            ("offset=0.5", "offset=+0.5"),
            ("offset=-0.5", "offset=-0.5"),
            ("offset=+5", "offset=+5"),
            ("filtdelay=1.00 2.00 abc", "filtdelay=1.00 2.00 abc?"),
            ("filtdisp=", "filtdisp=   "),
            (
                "filtoffset=1 -2 3 4 5 6 7 123456 9",
                "filtoffset=   +1.00   -2.00   +3.00   +4.00   +5.00   +6.00   +7.00 +123456",
            ),
        ] {
            assert_eq!(one(sent), format!("{shown}\n"));
        }
        assert_eq!(one(""), "");
    }

    #[test]
    fn names_and_hashes_are_shown_where_wanted() {
        let names = |_: IpAddr| Some("time.example".to_owned());
        let view = View {
            names: Some(&names),
            reference_id_as_hash: true,
            ..VIEW
        };
        let data = b"srcadr=127.127.1.0, peeradr=1.2.3.4, dstadr=1.2.3.4, refid=1.2.3.4";
        assert_eq!(
            cooked(data, &view),
            "srcadr=LOCAL(0), peeradr=time.example, dstadr=1.2.3.4, refid=0x01020304\n"
        );
    }

    #[test]
    fn raw_text_keeps_lines() {
        assert_eq!(raw(b"a=1,\r\nb=\"\x1b\t\"\r\n"), "a=1,\nb=\"^[\t\"\n");
        assert_eq!(raw(b"a\rb"), "a^Mb\n");
        assert_eq!(raw(b""), "");
    }

    proptest! {
        #[test]
        fn whatever_comes_the_text_is_printable(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let text = cooked(&data, &VIEW);
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
            prop_assert!(raw(&data).bytes().all(|byte| matches!(byte, b'\n' | b'\t' | 0x20..0x7f)));
        }

        #[test]
        fn only_a_lone_variable_is_wider_than_72_columns(pairs in prop::collection::vec(("[a-z]{1,12}", "[a-z0-9]{1,90}"), 1..20)) {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}x={value}")).collect();
            let text = cooked(pairs.join(",").as_bytes(), &VIEW);
            for line in text.lines() {
                prop_assert!(line.trim_end_matches(',').len() <= 72 || !line.contains(", "), "{line}");
            }
            prop_assert_eq!(text.replace(",\n", ", "), pairs.join(", ") + "\n");
        }
    }
}
