//! The trail of certificates from the server to a trusted host.

use ntp_keys::{Certificate, PublicKey};
use ntp_wire::{Duration, Timestamp};

use crate::{
    Exchange, Opcode, ReceiveError, Stamp, Value,
    certificate_cache::{SIGNED, TRUSTED, VALID},
    name,
};

/// The most certificates of a trail: there are no more strata.
const LONGEST: usize = 16;

/// How much later than the server's signature a certificate may begin to hold: clocks differ.
const TOLERANCE: Duration = Duration::from_seconds(3600);

/// The certificates received so far, from the server's towards the trusted one. Nothing of it
/// leaves the association before the server is proventic.
#[derive(Debug, Default)]
pub(super) struct Trail {
    wanted: String,
    links: Vec<Link>,
}

#[derive(Debug)]
struct Link {
    certificate: Certificate,
    filestamp: Stamp,
}

impl Trail {
    /// A trail that begins with the certificate of `server`.
    pub(super) fn to(server: &str) -> Self {
        Self {
            wanted: server.to_owned(),
            links: Vec::new(),
        }
    }

    /// Whose certificate to ask for next.
    pub(super) fn wanted(&self) -> &str {
        &self.wanted
    }

    /// The key that all values of the server are signed with: that of the first certificate.
    pub(super) fn server_key(&self) -> Option<&PublicKey> {
        Some(self.links.first()?.certificate.public_key())
    }

    /// The GQ key in the server's certificate.
    pub(super) fn group_key(&self) -> Option<&[u8]> {
        self.links.first()?.certificate.group_key()
    }

    /// Who signed the server's certificate.
    pub(super) fn issuer(&self) -> Option<&str> {
        Some(self.links.first()?.certificate.issuer())
    }

    /// The certificates with their filestamps and flags, in the order in which they came.
    pub(super) fn verified(&self) -> impl Iterator<Item = (&Certificate, Stamp, u8)> {
        self.links.iter().map(|link| {
            let flags = if link.certificate.is_self_issued() {
                VALID | TRUSTED
            } else {
                VALID | SIGNED
            };
            (&link.certificate, link.filestamp, flags)
        })
    }

    /// If a certificate of the trail has expired by our own clock, which one.
    pub(super) fn expired(&self, exchange: &Exchange) -> Option<ReceiveError> {
        if !exchange.synchronised {
            return None;
        }
        self.links
            .iter()
            .map(|link| &link.certificate)
            .find(|certificate| exchange.now > certificate.not_after())
            .map(expired)
    }

    /// Whether a certificate of the trail holds no longer than `time` from now.
    pub(super) fn expires_within(&self, time: Duration, exchange: &Exchange) -> bool {
        let mut certificates = self.links.iter().map(|link| &link.certificate);
        exchange.synchronised
            && certificates.any(|certificate| exchange.now + time > certificate.not_after())
    }

    /// Takes the next certificate. True if the trail is now complete.
    ///
    /// `signature` checks the server's signature over the value with the server's key.
    pub(super) fn extend(
        &mut self,
        value: &Value<'_>,
        own_name: &str,
        exchange: &Exchange,
        signature: impl Fn(&PublicKey) -> Result<(), ReceiveError>,
    ) -> Result<bool, ReceiveError> {
        if value.octets.is_empty() {
            return Err(ReceiveError::NoValue(Opcode::Certificate));
        }
        let certificate = Certificate::parse(value.octets)?;
        if certificate.subject() != self.wanted {
            return Err(ReceiveError::ForeignCertificate {
                wanted: self.wanted.clone(),
                found: certificate.subject().escape_default().to_string(),
            });
        }
        signature(
            self.server_key()
                .unwrap_or_else(|| certificate.public_key()),
        )?;
        check_times(&certificate, value, exchange)?;
        if let Some(before) = self.links.last() {
            check_link(&before.certificate, &certificate)?;
        }
        self.check_end(&certificate, own_name)?;
        let is_complete = certificate.is_self_issued();
        self.wanted = certificate.issuer().to_owned();
        self.links.push(Link {
            certificate,
            filestamp: value.filestamp,
        });
        Ok(is_complete)
    }

    /// A self-issued certificate must be a trusted host's, another one must lead on.
    fn check_end(&self, certificate: &Certificate, own_name: &str) -> Result<(), ReceiveError> {
        let subject = certificate.subject().to_owned();
        if certificate.is_private() {
            return Err(ReceiveError::Private { subject });
        }
        if certificate.is_self_issued() {
            check_signature(certificate, certificate)?;
            return if certificate.is_trusted() {
                Ok(())
            } else {
                Err(ReceiveError::NotTrusted { subject })
            };
        }
        let issuer = certificate.issuer();
        let known = |link: &Link| link.certificate.subject() == issuer;
        if issuer == own_name || self.links.len() + 1 >= LONGEST || self.links.iter().any(known) {
            return Err(ReceiveError::Loop { subject });
        }
        if !name::is_proper(issuer) {
            return Err(ReceiveError::Malformed(Opcode::Certificate));
        }
        Ok(())
    }
}

/// Whether `certificate` holds now: by the server's signature, and by our own clock if that is
/// synchronised.
fn check_times(
    certificate: &Certificate,
    value: &Value<'_>,
    exchange: &Exchange,
) -> Result<(), ReceiveError> {
    let subject = || certificate.subject().to_owned();
    let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
    // Whatever the own clock shows, a certificate's dates tell the era.
    let signed: Timestamp = value.timestamp.near(not_before);
    if not_before < value.filestamp.near(not_before) {
        return Err(ReceiveError::CertificateOlderThanItsFile { subject: subject() });
    }
    let too_early = |now| not_before > now + TOLERANCE;
    if not_after < not_before
        || too_early(signed)
        || exchange.synchronised && too_early(exchange.now)
    {
        return Err(ReceiveError::Validity { subject: subject() });
    }
    if signed > not_after || exchange.synchronised && exchange.now > not_after {
        return Err(expired(certificate));
    }
    Ok(())
}

/// Whether `issuer` signed `certificate`, at a time when it could.
fn check_link(certificate: &Certificate, issuer: &Certificate) -> Result<(), ReceiveError> {
    check_signature(certificate, issuer)?;
    if issuer.is_valid_at(certificate.not_before()) {
        Ok(())
    } else {
        Err(ReceiveError::Validity {
            subject: certificate.subject().to_owned(),
        })
    }
}

fn check_signature(certificate: &Certificate, issuer: &Certificate) -> Result<(), ReceiveError> {
    certificate
        .verify(issuer.public_key())
        .map_err(|_| ReceiveError::CertificateSignature {
            subject: certificate.subject().to_owned(),
            issuer: issuer.subject().to_owned(),
            scheme: certificate.scheme(),
        })
}

fn expired(certificate: &Certificate) -> ReceiveError {
    ReceiveError::Expired {
        subject: certificate.subject().to_owned(),
        until: certificate.not_after(),
    }
}
