//! Certificates from octets.

use der::{
    AnyRef, Decode, Encode, ErrorKind, Tag,
    asn1::{BitStringRef, OctetStringRef},
};
use x509_cert::{
    ext::{Extension, pkix::ExtendedKeyUsage},
    spki::SubjectPublicKeyInfoRef,
};

use super::{
    Certificate, CertificateError, CertificateTrust,
    encoding::{self, Signed, Whole},
};
use crate::{dsa::DsaPublic, public_key::PublicKey};

pub(super) fn certificate(der: &[u8]) -> Result<Certificate, CertificateError> {
    let whole = Whole::from_der(der)?;
    let signed: Signed<'_> = whole.signed.decode_as()?;
    if signed.version != encoding::VERSION_3 {
        return Err(CertificateError::Version(u32::from(signed.version) + 1));
    }
    if signed.algorithm != whole.algorithm {
        return Err(CertificateError::SchemesDiffer);
    }
    let scheme =
        encoding::scheme(&whole.algorithm).ok_or(CertificateError::Scheme(whole.algorithm.oid))?;
    let extensions = extensions(signed.extensions)?;
    Ok(Certificate {
        der: der.to_vec(),
        signed: whole.signed.to_der()?,
        signature: octets(whole.signature)?.to_vec(),
        scheme,
        subject: name(signed.subject, "subject")?,
        issuer: name(signed.issuer, "issuer")?,
        serial: encoding::integer(signed.serial)?,
        not_before: encoding::timestamp(&signed.validity.not_before),
        not_after: encoding::timestamp(&signed.validity.not_after),
        trust: extensions.trust,
        public_key: public_key(signed.public_key)?,
        group_key: extensions.group_key,
    })
}

fn name(name: AnyRef<'_>, whose: &'static str) -> Result<String, CertificateError> {
    let text = encoding::common_name(name)?
        .filter(|text| !text.is_empty())
        .ok_or(CertificateError::NoCommonName(whose))?;
    // It goes to logs and to ntpq.
    if text.chars().any(char::is_control) {
        return Err(CertificateError::ControlCharacter(whose));
    }
    Ok(text)
}

fn public_key(key: AnyRef<'_>) -> Result<PublicKey, CertificateError> {
    let key: SubjectPublicKeyInfoRef<'_> = key.decode_as()?;
    let number = octets(key.subject_public_key)?;
    match (key.algorithm.oid, key.algorithm.parameters) {
        (encoding::RSA_ENCRYPTION, _) => Ok(PublicKey::from_pkcs1_der(number)?),
        (encoding::DSA, Some(parameters)) => {
            let key = DsaPublic::from_der(&parameters.to_der()?, number)?;
            Ok(PublicKey::from_dsa(key)?)
        }
        (other, _) => Err(CertificateError::KeyAlgorithm(other)),
    }
}

/// A bit string of whole octets: what is not signed must not be read in two ways.
fn octets(bits: BitStringRef<'_>) -> der::Result<&[u8]> {
    bits.as_bytes().ok_or_else(|| {
        ErrorKind::Value {
            tag: Tag::BitString,
        }
        .into()
    })
}

#[derive(Default)]
struct Extensions {
    trust: CertificateTrust,
    group_key: Option<Vec<u8>>,
}

fn extensions(sequence: Option<AnyRef<'_>>) -> Result<Extensions, CertificateError> {
    let mut found = Extensions::default();
    let Some(sequence) = sequence else {
        return Ok(found);
    };
    for extension in sequence.decode_as::<Vec<Extension>>()? {
        let value = extension.extn_value.as_bytes();
        if extension.extn_id == encoding::EXTENDED_KEY_USAGE {
            let usages = ExtendedKeyUsage::from_der(value)?.0;
            if usages.contains(&encoding::TRUST_ROOT) {
                found.trust = CertificateTrust::Trusted;
            } else if usages.contains(&encoding::PRIVATE) {
                found.trust = CertificateTrust::Private;
            }
        } else if extension.extn_id == encoding::SUBJECT_KEY_IDENTIFIER {
            let identifier = <&OctetStringRef>::from_der(value)?;
            found.group_key = Some(identifier.as_bytes().to_vec());
        }
    }
    Ok(found)
}
