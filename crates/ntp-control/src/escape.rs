//! Bytes of the network made harmless for a terminal.

use core::fmt::{self, Write};

/// Bytes as text without control characters: `^X` for a control character, `^?` for delete, and
/// `M-` before the low seven bits of what is no ASCII, as ntpq writes them.
///
/// ```
/// assert_eq!(ntp_control::Escaped(b"\x1b[31mred\x07\x80").to_string(), "^[[31mred^GM-^@");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for &byte in self.0 {
            if !byte.is_ascii() {
                f.write_str("M-")?;
            }
            match byte & 0x7f {
                0x7f => f.write_str("^?")?,
                control @ 0..0x20 => {
                    f.write_char('^')?;
                    f.write_char(char::from(control + b'@'))?;
                }
                plain => f.write_char(char::from(plain))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_becomes_printable_ascii() {
        for byte in 0..=255u8 {
            let text = Escaped(&[byte]).to_string();
            assert!(
                text.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
                "{byte}: {text}"
            );
        }
        assert_eq!(Escaped(b"~ ^").to_string(), "~ ^");
        assert_eq!(Escaped(b"\x7f\xff\xe9").to_string(), "^?M-^?M-i");
    }
}
