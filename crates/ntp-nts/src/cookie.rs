//! Cookies: the keys of a client, sealed for ourselves, so that it keeps them for us.

mod file;

use core::fmt;

use rand::{Rng, RngExt};
use zeroize::Zeroize;

pub use self::file::CookieFileError;
use crate::{
    keys::{KEY, SessionKeys},
    seal::{NONCE, Sealer, TAG},
};

/// A cookie of ours: number of the key, nonce, tag, both keys of the client.
pub struct Cookie;

impl Cookie {
    /// Octets of each cookie of ours; a multiple of four, as an extension field's body.
    pub const LENGTH: usize = NUMBER + NONCE + TAG + 2 * KEY;
}

/// Octets of the number of a key.
const NUMBER: usize = 4;

/// How many keys open cookies: the one that seals them and those before.
const KEPT: usize = 8;

/// Seconds after which another key seals cookies: a day.
const LIFETIME: i64 = 86_400;

/// The keys that cookies are sealed and opened with, the newest first.
///
/// A client that asks once in the time that a key is kept, some days, gets a cookie of the newest.
/// One that was away for longer is refused, and exchanges keys again.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieKeys {
    current: CookieKey,
    before: Vec<CookieKey>,
}

#[derive(Clone, PartialEq, Eq)]
struct CookieKey {
    number: u32,
    secret: Secret,
    /// Seconds of Unix time when it was made.
    made: i64,
}

/// A secret, ready for use: each request takes it twice.
#[derive(Clone)]
struct Secret {
    octets: [u8; KEY],
    sealer: Sealer,
}

impl Secret {
    fn new(octets: [u8; KEY]) -> Self {
        let sealer = Sealer::new(&octets);
        Self { octets, sealer }
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        self.octets.zeroize();
    }
}

/// Which key a cookie was sealed with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CookieAge(usize);

impl CookieAge {
    /// How many keys were made since.
    pub const fn rotations(self) -> usize {
        self.0
    }
}

/// Why a cookie does not open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// It has not the length of ours.
    #[error("a cookie of {0} octets is not ours")]
    Length(usize),
    /// Its key is not there any more, or never was.
    #[error("no key {0:08x}: it is too old, or not ours")]
    Key(u32),
    /// Its key is there and did not seal it.
    #[error("the cookie was changed")]
    Forged,
}

impl CookieKeys {
    /// A first key, made now, at this second of Unix time.
    pub fn new(rng: &mut impl Rng, now: i64) -> Self {
        Self {
            current: CookieKey {
                number: rng.random(),
                secret: Secret::new(rng.random()),
                made: now,
            },
            before: Vec::new(),
        }
    }

    /// Makes a new key if the newest has been in use for a day, or was made after `now`: whether it
    /// did. The file should then be written, before a cookie is given out.
    pub fn rotate(&mut self, rng: &mut impl Rng, now: i64) -> bool {
        if !self.is_due(now) {
            return false;
        }
        let next = CookieKey {
            number: self.current.number.wrapping_add(1),
            secret: Secret::new(rng.random()),
            made: now,
        };
        self.before
            .insert(0, std::mem::replace(&mut self.current, next));
        self.before.truncate(KEPT - 1);
        true
    }

    /// Whether [`rotate`](Self::rotate) would make a new key.
    pub fn is_due(&self, now: i64) -> bool {
        let age = now.saturating_sub(self.current.made);
        // A clock that was far in the future when the key was made must not keep it for ever.
        !(-LIFETIME..LIFETIME).contains(&age)
    }

    /// Seconds of Unix time when the next key is due.
    pub const fn due(&self) -> i64 {
        self.current.made.saturating_add(LIFETIME)
    }

    /// A cookie that holds `keys`. Each is different from all others, so that nobody can tell that
    /// two are of one client.
    pub fn seal(&self, keys: &SessionKeys, rng: &mut impl Rng) -> [u8; Cookie::LENGTH] {
        let mut cookie = [0; Cookie::LENGTH];
        // At once, not octet by octet.
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let number = self.current.number.to_be_bytes();
        if let Some((head, rest)) = cookie.split_first_chunk_mut::<NUMBER>()
            && let Some((nonce_room, sealed)) = rest.split_first_chunk_mut::<NONCE>()
        {
            *head = number;
            *nonce_room = nonce;
            let text = sealed.iter_mut().skip(TAG);
            let both = keys.client_to_server.iter().chain(&keys.server_to_client);
            text.zip(both).for_each(|(to, from)| *to = *from);
            // Nothing is too long for it here.
            let _ = self.current.secret.sealer.seal(&number, &nonce, sealed);
        }
        cookie
    }

    /// The keys that a cookie holds.
    ///
    /// # Errors
    ///
    /// [`CookieError`] if it is not ours, or too old.
    pub fn open(&self, cookie: &[u8]) -> Result<(SessionKeys, CookieAge), CookieError> {
        let mut cookie: [u8; Cookie::LENGTH] = cookie
            .try_into()
            .map_err(|_| CookieError::Length(cookie.len()))?;
        let forged = CookieError::Forged;
        let (head, rest) = cookie.split_first_chunk_mut::<NUMBER>().ok_or(forged)?;
        let number = u32::from_be_bytes(*head);
        let keys = core::iter::once(&self.current).chain(&self.before);
        let (age, key) = keys
            .enumerate()
            .find(|(_, key)| key.number == number)
            .ok_or(CookieError::Key(number))?;
        let (nonce, sealed) = rest.split_first_chunk_mut::<NONCE>().ok_or(forged)?;
        let text = key.secret.sealer.open(head, nonce, sealed).ok_or(forged)?;
        let opened = text
            .split_first_chunk()
            .and_then(|(ours, theirs)| Some(SessionKeys::new(*ours, theirs.try_into().ok()?)));
        text.zeroize();
        Ok((opened.ok_or(forged)?, CookieAge(age)))
    }
}

impl fmt::Debug for CookieKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CookieKeys")
            .field("current", &self.current.number)
            .field("before", &self.before.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
