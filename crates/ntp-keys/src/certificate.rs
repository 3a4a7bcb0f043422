//! X.509 version 3 certificates as Autokey uses them (RFC 5906 appendix J).

use core::fmt;

use ntp_wire::Timestamp;
use thiserror::Error;

use crate::{
    private_key::{PrivateKey, SignError},
    public_key::{PublicKey, PublicKeyError, VerifyError},
    signature_scheme::SignatureScheme,
};

mod encoding;
mod issue;
mod parse;
#[cfg(test)]
mod tests;

/// A certificate: a name, a public key, and who vouches for it from when to when.
///
/// ```
/// use ntp_keys::{Certificate, CertificateRequest, CertificateTrust, PrivateKey, SignatureScheme};
/// use ntp_wire::Timestamp;
/// use rand::SeedableRng;
///
/// let mut random = rand::rngs::ChaCha12Rng::from_seed([7; 32]); // of the system, in earnest
/// let key = PrivateKey::generate(512, &mut random)?;
/// let certificate = Certificate::issue(
///     &CertificateRequest {
///         subject: "server",
///         issuer: "server",
///         serial: 0xeeae_c8cb,
///         not_before: Timestamp::from_unix(1_795_400_395, 0),
///         not_after: Timestamp::from_unix(1_826_936_395, 0),
///         trust: CertificateTrust::Trusted,
///         public_key: key.public(),
///         group_key: None,
///     },
///     &key,
///     SignatureScheme::RsaMd5,
/// )?;
///
/// let received = Certificate::parse(certificate.der())?;
/// assert_eq!(received.subject(), "server");
/// assert!(received.is_self_issued() && received.is_trusted());
/// received.verify(received.public_key())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
    scheme: SignatureScheme,
    subject: String,
    issuer: String,
    serial: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
    trust: CertificateTrust,
    public_key: PublicKey,
    group_key: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads the DER of a certificate. The signature is not checked: see [`verify`](Self::verify).
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if it is none, or one with another kind of key or signature than RSA.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        parse::certificate(der)
    }

    /// Makes and signs a certificate. Its octets are those that ntp-keygen 4.2.8 makes of the same
    /// numbers.
    ///
    /// # Errors
    ///
    /// [`IssueError`] if the signer's key is too small for the scheme or a time cannot be written.
    pub fn issue(
        request: &CertificateRequest<'_>,
        signer: &PrivateKey,
        scheme: SignatureScheme,
    ) -> Result<Self, IssueError> {
        issue::new(request, signer, scheme)
    }

    /// Makes and signs a certificate for the subject, key and extensions of this one, as the answer
    /// to a SIGN request does (RFC 5906 section 10.7).
    ///
    /// # Errors
    ///
    /// [`IssueError`] if the signer's key is too small for the scheme or a time cannot be written.
    pub fn reissue(
        &self,
        terms: &ReissueTerms<'_>,
        signer: &PrivateKey,
        scheme: SignatureScheme,
    ) -> Result<Self, IssueError> {
        issue::again(self, terms, signer, scheme)
    }

    /// The octets of it.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whose key it is: the text of the common name, a host name or `host@group`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Who vouches for it: the text of the common name.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether the subject vouches for itself.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// The serial number, greatest octet first; Autokey has the NTP seconds when it was made.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// From when it holds.
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// Until when it holds.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it holds at `time`.
    pub fn is_valid_at(&self, time: Timestamp) -> bool {
        self.not_before <= time && time <= self.not_after
    }

    /// What the extended key usage says of its owner.
    pub const fn trust(&self) -> CertificateTrust {
        self.trust
    }

    /// Whether its owner is a trusted host, where trails end.
    pub fn is_trusted(&self) -> bool {
        self.trust == CertificateTrust::Trusted
    }

    /// Whether it is a private certificate (RFC 5906 appendix A), which must never be sent.
    pub fn is_private(&self) -> bool {
        self.trust == CertificateTrust::Private
    }

    /// The subject's key.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// How it is signed. The subject of a self-issued one signs its values the same way.
    pub const fn scheme(&self) -> SignatureScheme {
        self.scheme
    }

    /// The GQ public key of the group, greatest octet first, which stands in the subject key
    /// identifier (RFC 5906 appendix C).
    pub fn group_key(&self) -> Option<&[u8]> {
        self.group_key.as_deref()
    }

    /// Checks that the owner of `issuer` signed it.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] if that is not so.
    pub fn verify(&self, issuer: &PublicKey) -> Result<(), VerifyError> {
        issuer.verify(self.scheme, &[&self.signed], &self.signature)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("issuer", &self.issuer)
            .field("scheme", &self.scheme)
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .field("trust", &self.trust)
            .field("public_key", &self.public_key)
            .finish_non_exhaustive()
    }
}

/// What a new certificate says.
#[derive(Clone, Copy, Debug)]
pub struct CertificateRequest<'a> {
    /// Whose key it is: a host name or `host@group`.
    pub subject: &'a str,
    /// Who vouches for it; the subject itself in a new host certificate.
    pub issuer: &'a str,
    /// The NTP seconds when it is made.
    pub serial: u32,
    /// From when it holds; fractions of a second are cut off.
    pub not_before: Timestamp,
    /// Until when it holds; fractions of a second are cut off.
    pub not_after: Timestamp,
    /// What it says of its owner.
    pub trust: CertificateTrust,
    /// The subject's key.
    pub public_key: &'a PublicKey,
    /// The GQ public key of the group, greatest octet first.
    pub group_key: Option<&'a [u8]>,
}

/// What [`Certificate::reissue`] changes.
#[derive(Clone, Copy, Debug)]
pub struct ReissueTerms<'a> {
    /// Who vouches for it now: the signer's own subject name.
    pub issuer: &'a str,
    /// The NTP seconds of now.
    pub serial: u32,
    /// From when it holds; fractions of a second are cut off.
    pub not_before: Timestamp,
    /// Until when it holds; fractions of a second are cut off.
    pub not_after: Timestamp,
}

/// What the extended key usage of a certificate says of its owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum CertificateTrust {
    /// Nothing: some other host must vouch for it.
    #[default]
    Ordinary,
    /// `trustRoot`: a trusted host, where trails end.
    Trusted,
    /// `private`: known to the members of a group by other means than this protocol.
    Private,
}

/// Why octets are no certificate that can be used.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CertificateError {
    /// The encoding is wrong.
    #[error("not an X.509 certificate: {0}")]
    Encoding(#[from] der::Error),
    /// Not version 3.
    #[error("X.509 certificate of version {0}: version 3 is needed")]
    Version(u32),
    /// The signature scheme is none of [`SignatureScheme`].
    #[error(
        "certificate signed with algorithm {0}, which is not supported: make it again with RSA, \
         e.g. ntp-keygen -c RSA-SHA256"
    )]
    Scheme(der::oid::ObjectIdentifier),
    /// The signed part names another algorithm than the signature.
    #[error("certificate names two different signature algorithms")]
    SchemesDiffer,
    /// A name has no common name.
    #[error("certificate without common name (CN) in its {0}")]
    NoCommonName(&'static str),
    /// A name cannot be shown.
    #[error("certificate with control characters in the common name of its {0}")]
    ControlCharacter(&'static str),
    /// The key is not RSA.
    #[error(
        "certificate for a key of algorithm {0}, which is not supported: make it again with an \
         RSA key"
    )]
    KeyAlgorithm(der::oid::ObjectIdentifier),
    /// The key is wrong.
    #[error("certificate with an unusable key: {0}")]
    Key(#[from] PublicKeyError),
}

/// Why a certificate was not made.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum IssueError {
    /// The key is too small for the scheme.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The name is empty.
    #[error("a certificate needs a name of 1 to 255 characters, this has {0}")]
    Name(usize),
    /// A name cannot be used, or a key.
    #[error(transparent)]
    Unusable(#[from] CertificateError),
    /// A time or number cannot be written.
    #[error("cannot write the certificate: {0}")]
    Encoding(#[from] der::Error),
}
