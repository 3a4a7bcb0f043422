//! Session keys, cookies, and the MACs made with them: what the packet path needs.

use std::{net::IpAddr, sync::Arc};

use ntp_keys::{Digest, DigestAlgorithm, digest};
use ntp_wire::{KeyId, Packet, Trailer};
use ring::hmac;
use subtle::ConstantTimeEq;

use crate::Message;

/// Octets of digest in a MAC at most; longer digests are cut (SHA-256 to 20, as the reference).
const LONGEST_MAC: usize = 20;

/// The secret that two hosts share after the COOKIE exchange: 32 bits (RFC 5906 section 5).
///
/// Packets with extension fields use [`Cookie::PUBLIC`], which everybody knows: their MAC proves
/// nothing, the signatures in the fields do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cookie(u32);

impl Cookie {
    /// The cookie of packets that carry extension fields.
    pub const PUBLIC: Self = Self(0);

    /// As it stands in a COOKIE response, once decrypted.
    pub const fn new(cookie: u32) -> Self {
        Self(cookie)
    }

    /// As it stands in a COOKIE response, before it is encrypted.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// The value is not shown.
impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cookie")
    }
}

/// A session key: the digest of both addresses, a key identifier and a cookie
/// (RFC 5906 section 5). It makes the MAC of one packet, and its first four octets are the next
/// key identifier of a key list.
pub struct SessionKey {
    algorithm: DigestAlgorithm,
    key: Digest,
}

impl SessionKey {
    /// The key for packet `key_id` on its way from `source` to `destination`.
    pub fn new(
        algorithm: DigestAlgorithm,
        source: IpAddr,
        destination: IpAddr,
        key_id: KeyId,
        cookie: Cookie,
    ) -> Self {
        let (source, destination) = (Octets::of(source), Octets::of(destination));
        let key = digest(
            algorithm,
            &[
                source.as_bytes(),
                destination.as_bytes(),
                &key_id.value().to_be_bytes(),
                &cookie.value().to_be_bytes(),
            ],
        );
        Self { algorithm, key }
    }

    /// The first four octets: the key identifier that is used *before* this one, since lists are
    /// used from their end.
    pub fn next_key_id(&self) -> KeyId {
        let first = self.key.as_bytes().first_chunk().copied();
        KeyId::new(u32::from_be_bytes(first.unwrap_or_default()))
    }

    /// Whether `mac` is the MAC of `message`; takes the same time wherever they differ.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        let right = self.digest(message);
        cut(&right).ct_eq(mac).into()
    }

    /// Appends key identifier and digest to `packet`.
    pub fn seal(&self, key_id: KeyId, packet: &mut Vec<u8>) {
        let mac = self.digest(packet);
        packet.extend_from_slice(&key_id.value().to_be_bytes());
        packet.extend_from_slice(cut(&mac));
    }

    fn digest(&self, message: &[u8]) -> Digest {
        digest(self.algorithm, &[self.key.as_bytes(), message])
    }
}

/// It is wiped when it has done its work.
impl Drop for SessionKey {
    fn drop(&mut self) {
        self.key.wipe();
    }
}

/// What an Autokey server needs to check requests without extension fields and to seal the replies
/// to them: immutable, cheap to clone, without public-key work.
///
/// Each client's cookie follows from its address and a secret, so that no client needs to be
/// remembered (RFC 5906 section 11.2). The secret has 256 bits; cookies are cut from HMAC-SHA256
/// under it, so that a client cannot find it from the 32 bits it is given, as it could where the
/// reference's secret of 32 bits is used. Where the secret changes with time
/// ([`HostOptions::revoke`](crate::HostOptions::revoke)), cookies made with those before it are
/// honoured as well, and answered in kind.
#[derive(Clone)]
pub struct SessionKeys {
    algorithm: DigestAlgorithm,
    /// The newest first.
    secrets: Arc<[hmac::Key]>,
}

impl SessionKeys {
    /// Octets of the MACs that [`seal`](Self::seal) appends, at most.
    pub const LONGEST_MAC: usize = 4 + LONGEST_MAC;

    /// Keys from these secrets, of which there is at least one, the newest first.
    pub(crate) fn new<'s>(
        algorithm: DigestAlgorithm,
        secrets: impl IntoIterator<Item = &'s [u8; 32]>,
    ) -> Self {
        let key = |secret: &[u8; 32]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self {
            algorithm,
            secrets: secrets.into_iter().map(key).collect(),
        }
    }

    /// The cookie that the client at `remote` is given by the server at `local`.
    pub fn cookie(&self, local: IpAddr, remote: IpAddr) -> Cookie {
        let secret = self.secrets.first();
        secret.map_or(Cookie::PUBLIC, |secret| cookie(secret, local, remote))
    }

    /// Checks the MAC of a request from `remote` to `local`: it must be made with a cookie of the
    /// client if the request is bare, with the public one if it carries extension fields. Says with
    /// which; the reply is to be sealed with the same.
    pub fn verify(&self, local: IpAddr, remote: IpAddr, request: &Packet<'_>) -> Option<Cookie> {
        let Trailer::Mac { key_id, digest } = request.trailer() else {
            return None;
        };
        if !key_id.is_autokey() {
            return None;
        }
        let is_right = |cookie: &Cookie| {
            SessionKey::new(self.algorithm, remote, local, key_id, *cookie)
                .verify(request.authenticated(), digest)
        };
        if request.extensions().next().is_some() {
            return Some(Cookie::PUBLIC).filter(is_right);
        }
        let cookies = self.secrets.iter().map(|key| cookie(key, local, remote));
        cookies.into_iter().find(is_right)
    }

    /// Writes the MAC of a bare reply from `local` to `remote` into `mac` and returns its length
    /// (20 or 24 octets). `key_id` is the request's, and so is `cookie`, as
    /// [`verify`](Self::verify) found it. Does not allocate.
    pub fn seal(
        &self,
        (local, remote): (IpAddr, IpAddr),
        key_id: KeyId,
        cookie: Cookie,
        reply: &[u8],
        mac: &mut [u8; Self::LONGEST_MAC],
    ) -> usize {
        let key = SessionKey::new(self.algorithm, local, remote, key_id, cookie);
        let digest = key.digest(reply);
        let octets = key_id.value().to_be_bytes();
        let octets = octets.iter().chain(cut(&digest));
        mac.iter_mut()
            .zip(octets)
            .map(|(to, from)| *to = *from)
            .count()
    }

    /// Appends to `reply`, which holds the 48 octets of the header, an error field and its MAC: it
    /// tells the client at `remote` that its cookie is not ours and that it should begin anew.
    ///
    /// ntpd 4.2.8p15 ignores every crypto-NAK; this is the only thing that makes it ask for a new
    /// cookie before six days have passed. Send it beside the crypto-NAK, and seldom: at most once
    /// a minute and client is enough.
    pub fn seal_restart(&self, local: IpAddr, remote: IpAddr, key_id: KeyId, reply: &mut Vec<u8>) {
        Message::restart().emit(reply);
        self.seal_public(local, remote, key_id, reply);
    }

    /// Appends the MAC of a packet with extension fields.
    pub(crate) fn seal_public(
        &self,
        local: IpAddr,
        remote: IpAddr,
        key_id: KeyId,
        packet: &mut Vec<u8>,
    ) {
        SessionKey::new(self.algorithm, local, remote, key_id, Cookie::PUBLIC).seal(key_id, packet);
    }

    /// The digest of session keys and MACs.
    pub const fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }
}

/// The secret is not shown.
impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionKeys")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn cut(digest: &Digest) -> &[u8] {
    let octets = digest.as_bytes();
    octets.get(..LONGEST_MAC).unwrap_or(octets)
}

/// The cookie of the client at `remote` with the server at `local` that has this secret.
fn cookie(secret: &hmac::Key, local: IpAddr, remote: IpAddr) -> Cookie {
    let mut context = hmac::Context::with_key(secret);
    context.update(Octets::of(remote).as_bytes());
    context.update(Octets::of(local).as_bytes());
    let tag = context.sign();
    let first = tag.as_ref().first_chunk().copied();
    Cookie::new(u32::from_be_bytes(first.unwrap_or_default()))
}

/// An address as it is hashed: 4 or 16 octets. An IPv4 address in IPv6 clothing is hashed as IPv4,
/// which is what the other side sees.
enum Octets {
    V4([u8; 4]),
    V6([u8; 16]),
}

impl Octets {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => Self::V6(address.octets()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(octets) => octets,
            Self::V6(octets) => octets,
        }
    }
}

#[cfg(test)]
mod tests;
