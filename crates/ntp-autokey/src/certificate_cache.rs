//! The certificates at hand.

use ntp_keys::{Certificate, CertificateTrust};
use ntp_wire::{Duration, Timestamp};

use crate::{
    Stamp,
    signed_value::{SignedValue, Signer},
};

/// Flag of a certificate: its owner is a trusted host.
pub(crate) const TRUSTED: u8 = 0x1;
/// Flag of a certificate: that of its issuer is at hand, and proves it.
pub(crate) const SIGNED: u8 = 0x2;
/// Flag of a certificate: a signature proves it.
pub(crate) const VALID: u8 = 0x4;
/// Flag of a certificate: it must never be sent.
pub(crate) const PRIVATE: u8 = 0x8;

/// The most that is kept; who talks to more hosts loses the oldest.
const MOST: usize = 64;

/// How long a signature over a certificate is used.
const FRESH: Duration = Duration::from_seconds(86_400);

/// One certificate at hand, as `ntpq -c "rv 0 cert"` prints it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CachedCertificate<'a> {
    /// Whom it names.
    pub subject: &'a str,
    /// Who signed it.
    pub issuer: &'a str,
    /// 0x1 trusted, 0x2 proven by its issuer's certificate, 0x4 valid, 0x8 private.
    pub flags: u8,
    /// When it expires.
    pub until: Timestamp,
}

/// All certificates of a host: first its own, then those it has received and verified.
pub(crate) struct CertificateCache {
    /// Oldest first; the first one is the host's own.
    entries: Vec<Entry>,
}

struct Entry {
    certificate: Certificate,
    filestamp: Stamp,
    flags: u8,
    signed: Option<SignedValue>,
}

impl CertificateCache {
    pub(crate) fn new(own: Certificate, filestamp: Stamp) -> Self {
        let flags = trust_flag(&own);
        let own = Entry {
            certificate: own,
            filestamp,
            flags,
            signed: None,
        };
        Self { entries: vec![own] }
    }

    /// Whether this is the host's own certificate, with this filestamp.
    pub(crate) fn is_own(&self, certificate: &Certificate, filestamp: Stamp) -> bool {
        self.entries
            .first()
            .is_some_and(|own| own.certificate == *certificate && own.filestamp == filestamp)
    }

    /// The host has another certificate of its own, and perhaps another key that signs.
    pub(crate) fn renew(&mut self, own: Certificate, filestamp: Stamp) {
        let Self { entries } = Self::new(own, filestamp);
        let old = std::mem::replace(&mut self.entries, entries);
        let Some(own) = self.entries.first().map(|own| own.certificate.clone()) else {
            return;
        };
        for mut entry in old.into_iter().skip(1) {
            // What others signed for a key that is no more proves nothing.
            let certificate = &entry.certificate;
            let is_stale = certificate.subject() == own.subject()
                && certificate.public_key() != own.public_key();
            entry.signed = None;
            if !is_stale {
                self.entries.push(entry);
            }
        }
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = CachedCertificate<'_>> {
        self.entries.iter().rev().map(|entry| CachedCertificate {
            subject: entry.certificate.subject(),
            issuer: entry.certificate.issuer(),
            flags: entry.flags,
            until: entry.certificate.not_after(),
        })
    }

    /// Adds a certificate that has been verified. An older one of the same subject and issuer gives
    /// way, a newer one stays.
    pub(crate) fn install(&mut self, certificate: &Certificate, filestamp: Stamp, flags: u8) {
        let same = |entry: &Entry| {
            entry.certificate.subject() == certificate.subject()
                && entry.certificate.issuer() == certificate.issuer()
        };
        if let Some(at) = self.entries.iter().position(same) {
            let Some(old) = self.entries.get_mut(at) else {
                return;
            };
            let is_newer = old.filestamp.is_before(filestamp)
                || old.filestamp == filestamp
                    && old.certificate.not_before() < certificate.not_before();
            if at == 0 || !is_newer {
                if old.certificate == *certificate {
                    old.flags |= flags;
                }
                return;
            }
            self.entries.remove(at);
        }
        if self.entries.len() >= MOST {
            self.entries.remove(1);
        }
        self.entries.push(Entry {
            certificate: certificate.clone(),
            filestamp,
            flags: flags | trust_flag(certificate),
            signed: None,
        });
    }

    /// What answers a question for `subject`: a certificate that its owner, a trusted host, signed
    /// itself, or else one that another host signed. A private one never does.
    pub(crate) fn answer(&self, subject: &str, now: Timestamp) -> Answer<'_> {
        let candidates = self.entries.iter().rev().filter(|entry| {
            entry.certificate.subject() == subject
                && entry.flags & PRIVATE == 0
                && (entry.flags & TRUSTED != 0 || !entry.certificate.is_self_issued())
        });
        let found = candidates.max_by_key(|entry| {
            (
                entry.certificate.is_self_issued(),
                entry.certificate.not_before(),
            )
        });
        match found {
            None => Answer::None,
            Some(entry) => match entry.fresh(now) {
                Some(value) => Answer::Signed(value),
                None => Answer::Unsigned(&entry.certificate, entry.filestamp),
            },
        }
    }

    /// Keeps the signature over a certificate that is still at hand.
    pub(crate) fn keep(&mut self, signed: &SignedValue) {
        let value = signed.value();
        let same = |entry: &&mut Entry| {
            entry.certificate.der() == value.octets && entry.filestamp == value.filestamp
        };
        if let Some(entry) = self.entries.iter_mut().find(same) {
            entry.signed = Some(signed.clone());
        }
    }

    /// The host's own certificate, signed.
    pub(crate) fn own(
        &mut self,
        signer: &Signer,
        now: Timestamp,
    ) -> Result<Option<&SignedValue>, ntp_keys::SignError> {
        let Some(entry) = self.entries.first_mut() else {
            return Ok(None);
        };
        if entry.fresh(now).is_none() {
            let octets = entry.certificate.der().to_vec();
            entry.signed = Some(signer.sign(now, entry.filestamp, octets)?);
        }
        Ok(entry.signed.as_ref())
    }
}

/// What [`CertificateCache::answer`] has found.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// Nothing.
    None,
    /// A certificate, signed.
    Signed(&'a SignedValue),
    /// A certificate with its filestamp. It is yet to be signed.
    Unsigned(&'a Certificate, Stamp),
}

impl Entry {
    /// The value, if it has a signature that is not too old.
    fn fresh(&self, now: Timestamp) -> Option<&SignedValue> {
        self.signed.as_ref().filter(|value| {
            let age = now - value.timestamp().near(now);
            age >= Duration::ZERO && age < FRESH
        })
    }
}

fn trust_flag(certificate: &Certificate) -> u8 {
    match certificate.trust() {
        CertificateTrust::Ordinary => 0,
        CertificateTrust::Trusted => TRUSTED,
        CertificateTrust::Private => PRIVATE,
    }
}

#[cfg(test)]
mod tests {
    use ntp_keys::CertificateRequest;

    use super::*;
    use crate::test_material::{Recipe, Strength, start};

    fn certificate(subject: &str, issuer: &str, trust: CertificateTrust, day: i32) -> Certificate {
        let key = Strength::Of2008.key(0);
        let not_before = start() + Duration::from_seconds(86_400 * day);
        let request = CertificateRequest {
            subject,
            issuer,
            serial: 1,
            not_before,
            not_after: not_before + Duration::from_seconds(86_400),
            trust,
            public_key: key.public(),
            group_key: None,
        };
        Certificate::issue(&request, &key, Strength::Of2008.scheme()).unwrap()
    }

    fn cache() -> (CertificateCache, Signer) {
        let signer = Signer {
            key: Strength::Of2008.key(0),
            scheme: Strength::Of2008.scheme(),
        };
        let own = Recipe::client().certificate();
        (CertificateCache::new(own, Stamp::new(5)), signer)
    }

    #[test]
    fn a_newer_one_of_the_same_names_replaces_the_older() {
        let (mut cache, _) = cache();
        let until = |cache: &CertificateCache| cache.iter().next().unwrap().until;
        let [first, second] =
            [1, 2].map(|day| certificate("a", "b", CertificateTrust::Ordinary, day));
        cache.install(&first, Stamp::new(7), VALID);
        cache.install(&second, Stamp::new(7), VALID);
        assert_eq!(until(&cache), second.not_after());
        cache.install(&first, Stamp::new(7), VALID);
        assert_eq!(until(&cache), second.not_after());
        cache.install(&first, Stamp::new(8), VALID);
        assert_eq!(until(&cache), first.not_after());
        assert_eq!(cache.iter().count(), 2);
    }

    #[test]
    fn the_trusted_one_answers_before_those_of_others_and_a_private_one_never() {
        let (mut cache, _) = cache();
        let answer = |cache: &mut CertificateCache| match cache.answer("a", start()) {
            Answer::None => None,
            Answer::Unsigned(certificate, _) => Some(certificate.clone()),
            Answer::Signed(_) => panic!("nobody has signed it"),
        };
        let private = certificate("a", "b", CertificateTrust::Private, 1);
        cache.install(&private, Stamp::new(7), VALID);
        assert_eq!(answer(&mut cache), None);
        let foreign = certificate("a", "c", CertificateTrust::Ordinary, 2);
        cache.install(&foreign, Stamp::new(7), VALID);
        assert_eq!(answer(&mut cache), Some(foreign));
        let trusted = certificate("a", "a", CertificateTrust::Trusted, 1);
        cache.install(&trusted, Stamp::new(7), VALID);
        assert_eq!(answer(&mut cache), Some(trusted));
    }

    #[test]
    fn its_size_is_bounded_and_the_own_certificate_stays() {
        let (mut cache, _) = cache();
        for n in 0..200 {
            let other = certificate(&format!("host{n}"), "b", CertificateTrust::Ordinary, 1);
            cache.install(&other, Stamp::new(7), VALID);
        }
        assert_eq!(cache.iter().count(), MOST);
        assert_eq!(cache.iter().next().unwrap().subject, "host199");
        assert_eq!(cache.iter().last().unwrap().subject, "client");
    }
}
