//! Cookie keys as text, so that cookies survive a restart of the server.

use zeroize::Zeroizing;

use super::{CookieKey, CookieKeys, KEPT, Secret};
use crate::keys::KEY;

/// The first line.
const HEAD: &str = "# Keys of NTS cookies, the newest first: number, made, secret";

/// Why a text holds no cookie keys.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CookieFileError {
    /// A line is not as we write it.
    #[error("line {0}: this is no key of NTS cookies; remove the file to begin with a new key")]
    Line(usize),
    /// There is no key.
    #[error("no key in it; remove the file to begin with a new key")]
    Empty,
}

impl CookieKeys {
    /// The text that [`parse`](Self::parse) reads: nobody but the server may see it.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(format!("{HEAD}\n"));
        for key in core::iter::once(&self.current).chain(&self.before) {
            text.push_str(&format!("{:08x} {} ", key.number, key.made));
            for octet in key.secret.octets {
                text.push_str(&format!("{octet:02x}"));
            }
            text.push('\n');
        }
        text
    }

    /// The keys that a text holds. Of more than are kept the newest are taken.
    ///
    /// # Errors
    ///
    /// [`CookieFileError`] if there is a line that is no key, or no key at all.
    pub fn parse(text: &str) -> Result<Self, CookieFileError> {
        let mut keys: Vec<CookieKey> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let key = parse_line(line).ok_or(CookieFileError::Line(number + 1))?;
            if keys.iter().any(|other| other.number == key.number) {
                return Err(CookieFileError::Line(number + 1));
            }
            if keys.len() < KEPT {
                keys.push(key);
            }
        }
        let mut keys = keys.into_iter();
        Ok(Self {
            current: keys.next().ok_or(CookieFileError::Empty)?,
            before: keys.collect(),
        })
    }
}

fn parse_line(line: &str) -> Option<CookieKey> {
    let mut words = line.split_ascii_whitespace();
    let number = u32::from_str_radix(words.next()?, 16).ok()?;
    let made = words.next()?.parse().ok()?;
    let hex = words.next()?.as_bytes();
    if words.next().is_some() || hex.len() != 2 * KEY {
        return None;
    }
    let mut secret = [0; KEY];
    for (octet, pair) in secret.iter_mut().zip(hex.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *octet = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(CookieKey {
        number,
        secret: Secret::new(secret),
        made,
    })
}
