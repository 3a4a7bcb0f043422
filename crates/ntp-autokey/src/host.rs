//! The identity of this host, and the server.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ntp_keys::{Certificate, DigestAlgorithm, PrivateKey, SignError, SignatureScheme, VerifyError};
use ntp_wire::{Packet, Timestamp};
use rand::{Rng, SeedableRng, rngs::ChaCha20Rng};

use crate::{
    CachedCertificate, Event, IdentityKey, IdentityScheme, MessageError, Opcode, SessionKeys,
    Stamp, StatusWord, WorkLimits,
    certificate_cache::CertificateCache,
    event::Events,
    key_list::ListStart,
    name,
    server_secret::{self, ServerSecret},
    signed_value::{SignedValue, Signer},
    work_limit::WorkLimiter,
};

mod answer_cache;
mod job;
mod respond;

use answer_cache::AnswerCache;
pub(crate) use job::Asked;
pub use job::{Finished, Job};
pub(crate) use respond::Prepared;
pub use respond::{Refusal, Reply, Response};

/// What a host is: its keys and its certificate, as ntp-keygen makes them.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `ntpkey_host_*`: decrypts cookies, and signs if there is no sign key.
    pub host_key: PrivateKey,
    /// When the host key was made.
    pub host_key_filestamp: Stamp,
    /// `ntpkey_sign_*`: signs, if there is one.
    pub sign_key: Option<PrivateKey>,
    /// `ntpkey_cert_*`: signed by itself, for the key that signs. Its subject is the host's name,
    /// its signature scheme that of all values.
    pub certificate: Certificate,
    /// When the certificate was made.
    pub certificate_filestamp: Stamp,
    /// `ntpkey_iffkey_*`, `ntpkey_gqkey_*`, `ntpkey_mvkey_*`: the servers' halves of groups, one for
    /// each scheme at most.
    pub identity: Vec<IdentityKey>,
}

/// How a host speaks.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The digest of session keys and MACs (`crypto digest`): the same on both sides.
    pub digest: DigestAlgorithm,
    /// How much strangers may ask for.
    pub limits: WorkLimits,
    /// The secret of the server, and with it all cookies, change each 2^`revoke` s (`revoke`). Below
    /// 14 is taken for 14. Cookies of old are honoured for six days, in which every client asks for
    /// a new one, or for the nine epochs before the present one, if these are shorter.
    pub revoke: u8,
}

impl HostOptions {
    /// The least [`revoke`](Self::revoke): 2^14 s, four and a half hours.
    pub const LEAST_REVOKE: u8 = server_secret::SHORTEST;
}

/// MD5, which is what everybody has, and a new secret each 18 hours.
impl Default for HostOptions {
    fn default() -> Self {
        Self {
            digest: DigestAlgorithm::Md5,
            limits: WorkLimits::default(),
            revoke: 16,
        }
    }
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

impl LeapValues {
    /// As they stand in a message.
    pub(crate) fn to_octets(self) -> Vec<u8> {
        [self.tai_offset, self.since.value(), self.expires.value()]
            .into_iter()
            .flat_map(u32::to_be_bytes)
            .collect()
    }

    /// From a message.
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; 12] = octets.try_into().ok()?;
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *octets;
        Some(Self {
            tai_offset: u32::from_be_bytes([a, b, c, d]),
            since: Stamp::new(u32::from_be_bytes([e, f, g, h])),
            expires: Stamp::new(u32::from_be_bytes([i, j, k, l])),
        })
    }
}

/// The identity of this host, which all its associations share, and the server: see
/// [`respond`](Self::respond).
pub struct Host {
    identity: Arc<Identity>,
    status: StatusWord,
    secret: ServerSecret,
    keys: SessionKeys,
    cache: CertificateCache,
    leap: LeapValues,
    leap_filestamp: Stamp,
    signed_leap: Option<SignedValue>,
    answers: AnswerCache,
    /// The signed autokey values of what we announce, by association.
    announced: BTreeMap<u32, SignedValue>,
    updated: Option<Timestamp>,
    limiter: WorkLimiter,
    random: ChaCha20Rng,
    events: Events,
}

/// What is the host's own until it is renewed; public-key work shares it.
#[derive(PartialEq)]
pub(crate) struct Identity {
    name: String,
    host_key: PrivateKey,
    host_key_filestamp: Stamp,
    certificate_filestamp: Stamp,
    signer: Signer,
    until: Timestamp,
    is_private: bool,
    groups: Vec<IdentityKey>,
}

impl Identity {
    /// The server's half for this scheme.
    fn group(&self, scheme: IdentityScheme) -> Option<&IdentityKey> {
        self.groups.iter().find(|key| key.scheme() == scheme)
    }

    fn of(credentials: Credentials) -> Result<Self, HostError> {
        let Credentials {
            host_key,
            host_key_filestamp,
            sign_key,
            certificate,
            certificate_filestamp,
            identity: groups,
        } = credentials;
        let subject = certificate.subject();
        let name = subject.to_owned();
        if !name::is_proper(subject) {
            return Err(HostError::Name(name));
        }
        if !certificate.is_self_issued() {
            return Err(HostError::NotSelfIssued(name));
        }
        let key = sign_key.unwrap_or_else(|| host_key.clone());
        if certificate.public_key() != key.public() {
            return Err(HostError::ForeignCertificate(name));
        }
        certificate.verify(key.public())?;
        if let Some(key) = groups.iter().find(|key| !key.is_server()) {
            return Err(HostError::NoServersHalf(key.scheme().word()));
        }
        if host_key.bits() < LEAST_HOST_KEY_BITS {
            return Err(HostError::HostKeyTooSmall {
                bits: host_key.bits(),
            });
        }
        let scheme = certificate.scheme();
        Ok(Self {
            name,
            host_key,
            host_key_filestamp,
            certificate_filestamp,
            signer: Signer { key, scheme },
            until: certificate.not_after(),
            is_private: certificate.is_private(),
            groups,
        })
    }

    /// What it offers before the clock is synchronised.
    fn status(&self) -> StatusWord {
        let mut status = StatusWord::of_scheme(self.signer.scheme.nid()) | StatusWord::ENABLED;
        for key in &self.groups {
            status |= key.scheme().status();
        }
        if self.is_private {
            status |= StatusWord::PC;
        }
        status
    }

    fn setup(&self) -> Event {
        Event::Setup {
            status: self.status(),
            name: self.name.clone(),
            scheme: self.signer.scheme,
        }
    }
}

impl Host {
    /// A host with these credentials. `seed` feeds everything random that it makes; it must be
    /// unpredictable and never used twice.
    ///
    /// # Errors
    ///
    /// [`HostError`] if the credentials do not fit together.
    pub fn new(
        credentials: Credentials,
        options: HostOptions,
        seed: [u8; 32],
    ) -> Result<Self, HostError> {
        let certificate = credentials.certificate.clone();
        let filestamp = credentials.certificate_filestamp;
        let identity = Identity::of(credentials)?;
        let secret = ServerSecret::new(&identity.host_key, options.digest, options.revoke)?;
        let mut random = ChaCha20Rng::from_seed(seed);
        let mut events = Events::default();
        events.push(identity.setup());
        let status = identity.status();
        Ok(Self {
            identity: Arc::new(identity),
            status,
            keys: secret.session_keys(),
            secret,
            cache: CertificateCache::new(certificate, filestamp),
            leap: LeapValues::default(),
            leap_filestamp: filestamp,
            signed_leap: None,
            answers: AnswerCache::default(),
            announced: BTreeMap::new(),
            updated: None,
            limiter: WorkLimiter::new(options.limits, random.next_u64()),
            random,
            events,
        })
    }

    /// Takes other credentials in place of those it has: ntp-keygen was run again. Certificates of
    /// others and cookies that were given out stay good. True if there is something new.
    ///
    /// Each association must be told ([`Association::host_renewed`](crate::Association::host_renewed)),
    /// and the packet path needs new [`session_keys`](Self::session_keys).
    ///
    /// # Errors
    ///
    /// [`HostError`] if the credentials do not fit together; nothing has changed then.
    pub fn renew(&mut self, now: Timestamp, credentials: Credentials) -> Result<bool, HostError> {
        let certificate = credentials.certificate.clone();
        let filestamp = credentials.certificate_filestamp;
        let identity = Identity::of(credentials)?;
        if identity == *self.identity && self.cache.is_own(&certificate, filestamp) {
            return Ok(false);
        }
        if identity.host_key != self.identity.host_key {
            self.secret.replace(&identity.host_key)?;
            self.keys = self.secret.session_keys();
        }
        let leap_values = self.status.bits() & StatusWord::LEAP_VALUES.bits();
        self.status = identity.status() | StatusWord::from_bits(leap_values);
        self.cache.renew(certificate, filestamp);
        self.signed_leap = None;
        self.answers.clear();
        self.announced.clear();
        self.events.push(identity.setup());
        self.identity = Arc::new(identity);
        if self.updated.is_some() {
            self.update(now);
        }
        Ok(true)
    }

    /// Tells whether the clock is synchronised. When it first is, values are signed, and the status
    /// word says from then on that leap second values can be had. The secret changes if it is time.
    pub fn set_synchronised(&mut self, now: Timestamp, synchronised: bool) {
        self.turn(now);
        if synchronised && self.updated.is_none() {
            self.update(now);
        }
    }

    /// Tells the time, about once a minute. True if the secret is another from now on, and with it
    /// the [`session_keys`](Self::session_keys).
    pub fn turn(&mut self, now: Timestamp) -> bool {
        let turned = self.secret.turn(now);
        if turned {
            self.keys = self.secret.session_keys();
        }
        turned
    }

    /// Tells what is known of leap seconds, from a file made at `filestamp`.
    pub fn set_leap(&mut self, now: Timestamp, values: LeapValues, filestamp: Stamp) {
        self.leap = values;
        self.leap_filestamp = filestamp;
        if self.updated.is_some() {
            self.update(now);
        }
    }

    /// The name in the certificate: `host` or `host@group`.
    pub fn name(&self) -> &str {
        &self.identity.name
    }

    /// What it offers.
    pub const fn status(&self) -> StatusWord {
        self.status
    }

    /// The digest of session keys and MACs as ntpq prints it: `md5`.
    pub fn digest_name(&self) -> String {
        self.keys.algorithm().name().to_ascii_lowercase()
    }

    /// The signature scheme as ntpq prints it: `md5WithRSAEncryption`.
    pub fn signature_name(&self) -> &'static str {
        self.identity.signer.scheme.long_name()
    }

    /// When values were last signed anew; `None` before the clock was first synchronised.
    pub const fn last_update(&self) -> Option<Timestamp> {
        self.updated
    }

    /// When the own certificate expires.
    pub fn expires(&self) -> Timestamp {
        self.identity.until
    }

    /// All certificates at hand, newest first, as `ntpq -c "rv 0 cert"` prints them.
    pub fn certificates(&self) -> impl Iterator<Item = CachedCertificate<'_>> {
        self.cache.iter()
    }

    /// What the packet path needs to answer bare requests by itself. It stays right until
    /// [`turn`](Self::turn) or [`set_synchronised`](Self::set_synchronised) change the secret.
    pub fn session_keys(&self) -> SessionKeys {
        self.keys.clone()
    }

    /// Whether a packet with extension fields was made by somebody who speaks Autokey as we do: its
    /// MAC is right for its way from `source` to `destination`. Anybody can make it.
    pub fn recognises(&self, destination: IpAddr, source: IpAddr, packet: &Packet<'_>) -> bool {
        self.keys.verify(destination, source, packet).is_some()
    }

    /// The next thing worth a line in the log.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Has another secret.
    #[cfg(test)]
    pub(crate) fn pretend_secret(&mut self, secret: [u8; 32]) {
        self.secret.pretend(secret);
        self.keys = self.secret.session_keys();
    }

    /// The source of everything random.
    pub(crate) const fn random(&mut self) -> &mut ChaCha20Rng {
        &mut self.random
    }

    pub(crate) const fn keys(&self) -> &SessionKeys {
        &self.keys
    }

    pub(crate) fn host_key(&self) -> &PrivateKey {
        &self.identity.host_key
    }

    /// Whether the own certificate is private (scheme PC): who has it and its key is of our group.
    pub(crate) fn is_private(&self) -> bool {
        self.status.contains(StatusWord::PC)
    }

    /// How we sign.
    pub(crate) fn scheme(&self) -> SignatureScheme {
        self.identity.signer.scheme
    }

    /// The key that our certificate is for.
    pub(crate) fn sign_key(&self) -> &PrivateKey {
        &self.identity.signer.key
    }

    /// The value of a COOKIE request: the public half of the host key. It needs no signature,
    /// since only who holds the other half can read the answer.
    pub(crate) fn public_key_value(&self) -> SignedValue {
        SignedValue::unsigned(
            self.identity.host_key_filestamp,
            self.identity.host_key.public().to_pkcs1_der(),
        )
    }

    /// The value of a SIGN request: the own certificate, unless it is private.
    pub(crate) fn certificate_value(&mut self, now: Timestamp) -> Option<SignedValue> {
        if self.is_private() {
            return None;
        }
        self.cache
            .own(&self.identity.signer, now)
            .ok()
            .flatten()
            .cloned()
    }

    /// Adds certificates that have been verified.
    pub(crate) fn install<'c>(
        &mut self,
        now: Timestamp,
        certificates: impl Iterator<Item = (&'c Certificate, Stamp, u8)>,
    ) {
        for (certificate, filestamp, flags) in certificates {
            self.cache.install(certificate, filestamp, flags);
        }
        if self.updated.is_some() {
            self.update(now);
        }
    }

    /// Signs the autokey values of a key list.
    pub(crate) fn sign_list(
        &self,
        now: Timestamp,
        start: ListStart,
    ) -> Result<SignedValue, SignError> {
        let filestamp = self.updated_stamp();
        self.identity.signer.sign(now, filestamp, start.to_octets())
    }

    /// Keeps the signed autokey values of what this association announces, for who missed them.
    pub(crate) fn announce(&mut self, association: u32, value: SignedValue) {
        self.announced.insert(association, value);
    }

    pub(crate) fn has_announced(&self, association: u32) -> bool {
        self.announced.contains_key(&association)
    }

    /// Has everything signed anew that changes with time.
    fn update(&mut self, now: Timestamp) {
        self.updated = Some(now);
        self.signed_leap = None;
        self.status |= StatusWord::LEAP_VALUES;
        let timestamp = Stamp::of(now);
        self.events.push(Event::SignatureUpdate { timestamp });
        let identity = &self.identity;
        let mut made = [identity.host_key_filestamp, identity.certificate_filestamp].into_iter();
        if let Some(filestamp) = made.find(|made| timestamp.is_before(*made)) {
            self.events.push(Event::FromTheFuture { filestamp });
        }
    }

    /// When values were last signed anew, in whole seconds.
    pub(crate) fn updated_stamp(&self) -> Stamp {
        self.updated.map_or(Stamp::NEVER, Stamp::of)
    }
}

/// Secrets are not shown.
impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.name())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// OAEP with SHA-1 takes 42 octets besides the four of a cookie.
const LEAST_HOST_KEY_BITS: u32 = 46 * 8;

/// Why credentials make no host.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The subject of the certificate cannot be a host's name.
    #[error("the certificate is for {0:?}, which is no host name: make it anew with ntp-keygen -s")]
    Name(String),
    /// Another host signed the certificate.
    #[error("the certificate of {0} is signed by another host: make it anew with ntp-keygen")]
    NotSelfIssued(String),
    /// The certificate is not for the key at hand.
    #[error(
        "the certificate of {0} is not for the sign key (nor the host key, if there is no sign \
         key): make them anew with ntp-keygen"
    )]
    ForeignCertificate(String),
    /// The certificate's signature is wrong.
    #[error("the certificate is damaged: {0}")]
    Certificate(#[from] VerifyError),
    /// The host key is too small to decrypt cookies.
    #[error(
        "the host key has {bits} bits and cannot decrypt cookies: 2048 are usual, 512 the least"
    )]
    HostKeyTooSmall {
        /// Bits of the modulus.
        bits: u32,
    },
    /// The host key cannot sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The clients' half of a group where the server's is needed.
    #[error("the {0} key has no secret: it is what clients have (ntpkey_{0}par_*)")]
    NoServersHalf(&'static str),
}

#[cfg(test)]
mod tests;
