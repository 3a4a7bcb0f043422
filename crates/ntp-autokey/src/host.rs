//! The identity of this host, and the server.

use std::net::IpAddr;

use ntp_wire::{KeyId, Packet, Timestamp};

use crate::{Event, Exchange, SessionKeys, Stamp, StatusWord, interim::DigestAlgorithm};

/// What a host is: its keys and its certificate.
#[derive(Debug)]
pub struct Credentials {}

/// How a host speaks.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The digest of session keys and MACs (`crypto digest`): the same on both sides.
    pub digest: DigestAlgorithm,
    /// What is known of leap seconds.
    pub leap: LeapValues,
}

/// Leap second values, as the LEAP message carries them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeapValues {
    /// TAI minus UTC in seconds since `since`; 0 if unknown.
    pub tai_offset: u32,
    /// When the last leap second took effect.
    pub since: Stamp,
    /// When these values expire.
    pub expires: Stamp,
}

/// The identity of this host, shared by all its associations, and the server.
#[derive(Debug)]
pub struct Host {
    keys: SessionKeys,
}

impl Host {
    /// A host with these credentials. `seed` feeds everything random that it makes.
    ///
    /// # Errors
    ///
    /// [`HostError`] if the credentials do not fit together.
    pub fn new(
        _credentials: Credentials,
        options: HostOptions,
        seed: [u8; 32],
    ) -> Result<Self, HostError> {
        Ok(Self {
            keys: SessionKeys::new(options.digest, &seed),
        })
    }

    /// Tells whether the clock is synchronised. Values are signed when it first is, and the status
    /// word then says that leap second values can be had.
    pub fn set_synchronised(&mut self, _now: Timestamp, _synchronised: bool) {}

    /// Tells what is known of leap seconds; signed at once if the clock is synchronised.
    pub fn set_leap(&mut self, _now: Timestamp, _values: LeapValues) {}

    /// The name in the certificate: `host` or `host@group`.
    pub fn name(&self) -> &str {
        ""
    }

    /// What it offers.
    pub fn status(&self) -> StatusWord {
        StatusWord::ENABLED
    }

    /// The digest of session keys and MACs, as OpenSSL names it: `MD5`.
    pub fn digest_name(&self) -> &'static str {
        ""
    }

    /// The signature scheme, as OpenSSL names it: `md5WithRSAEncryption`.
    pub fn signature_name(&self) -> &'static str {
        ""
    }

    /// When values were last signed; `None` before the clock was first synchronised.
    pub fn last_update(&self) -> Option<Timestamp> {
        None
    }

    /// All certificates at hand, newest first, as `ntpq -c "rv 0 cert"` prints them.
    pub fn certificates(&self) -> impl Iterator<Item = CachedCertificate<'_>> {
        std::iter::empty()
    }

    /// The server's answer to a request in mode 3 whose MAC has an Autokey key identifier.
    ///
    /// `reply` holds the 48 octets of the header; field and MAC are appended. At the worst two
    /// public-key operations are done.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if nothing should be answered; `reply` is as it was.
    pub fn respond(
        &mut self,
        _exchange: &Exchange,
        _request: &Packet<'_>,
        _reply: &mut Vec<u8>,
    ) -> Result<Reply, Refusal> {
        Err(Refusal::NoMac)
    }

    /// What the packet path needs to answer bare requests by itself.
    pub fn session_keys(&self) -> SessionKeys {
        self.keys.clone()
    }

    /// The next thing worth a line in the log.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
}

/// What [`Host::respond`] made of the reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Field and MAC, or just a MAC, have been appended.
    Sealed,
    /// The request's MAC was wrong, and a crypto-NAK (four zero octets) has been appended.
    ///
    /// If `restart` is there, the request was bare, so the client has a cookie that is not ours.
    /// The caller may then send it a second packet, made with [`SessionKeys::seal_restart`] and
    /// this key identifier, but only seldom: both answers are unauthenticated.
    CryptoNak {
        /// The key identifier for [`SessionKeys::seal_restart`].
        restart: Option<KeyId>,
    },
}

/// One certificate at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CachedCertificate<'a> {
    /// Whom it names.
    pub subject: &'a str,
    /// Who signed it.
    pub issuer: &'a str,
    /// 0x1 trusted, 0x2 has signed another, 0x4 verified, 0x8 private, 0x80 bad.
    pub flags: u8,
    /// When it expires.
    pub until: Timestamp,
}

/// Why credentials make no host.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The certificate's key is not the sign key, nor the host key if there is no sign key.
    #[error("the certificate of {name} is not for the key at hand: run ntp-keygen again")]
    ForeignCertificate {
        /// The subject of the certificate.
        name: String,
    },
}

/// Why a request is not answered.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The packet has no MAC with an Autokey key identifier.
    #[error("the request has no Autokey MAC")]
    NoMac,
    /// Too much public-key work, of this source or of all.
    #[error("more public-key work than allowed is asked for by {source_address}: dropped")]
    TooMuchWork {
        /// Where the request came from.
        source_address: IpAddr,
    },
}
