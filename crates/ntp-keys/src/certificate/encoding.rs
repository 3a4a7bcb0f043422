//! The ASN.1 of RFC 5280 section 4.1, as far as Autokey has it.

use core::time::Duration;

use der::{
    Any, AnyRef, DateTime, ErrorKind, Sequence, Tag,
    asn1::{BitStringRef, GeneralizedTime, ObjectIdentifier, SetOfVec, UtcTime, Utf8StringRef},
};
use ntp_wire::Timestamp;
use x509_cert::{
    attr::AttributeTypeAndValue,
    name::{RdnSequence, RelativeDistinguishedName},
    spki::AlgorithmIdentifierRef,
    time::{Time, Validity},
};

use crate::signature_scheme::SignatureScheme;

pub(super) const RSA_ENCRYPTION: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
pub(super) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(super) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(super) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("2.5.29.14");
pub(super) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// `trustRoot` of OpenSSL, an access method of OCSP by birth.
pub(super) const TRUST_ROOT: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.11");
/// `private` of OpenSSL: the arc of private enterprises itself.
pub(super) const PRIVATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4");

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// Version 3, as it is written.
pub(super) const VERSION_3: u8 = 2;

/// The whole: what is signed, how, and the signature.
#[derive(Sequence)]
pub(super) struct Whole<'a> {
    pub(super) signed: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: BitStringRef<'a>,
}

/// What is signed (`TBSCertificate`). Parts that are only handed on stay as they are.
#[derive(Sequence)]
pub(super) struct Signed<'a> {
    #[asn1(
        context_specific = "0",
        tag_mode = "EXPLICIT",
        default = "Default::default"
    )]
    pub(super) version: u8,
    pub(super) serial: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) issuer: AnyRef<'a>,
    pub(super) validity: Validity,
    pub(super) subject: AnyRef<'a>,
    pub(super) public_key: AnyRef<'a>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) extensions: Option<AnyRef<'a>>,
}

/// The algorithm of `scheme`, with the NULL that RFC 4055 section 5 asks for; with DSA nothing may
/// stand there (RFC 3279 section 2.2.2).
pub(super) fn algorithm(scheme: SignatureScheme) -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef {
        oid: object_identifier(scheme),
        parameters: (!scheme.is_dsa()).then_some(AnyRef::NULL),
    }
}

pub(super) fn scheme(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<SignatureScheme> {
    SignatureScheme::ALL
        .into_iter()
        .find(|scheme| object_identifier(*scheme) == algorithm.oid)
}

const fn object_identifier(scheme: SignatureScheme) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(match scheme {
        SignatureScheme::RsaMd5 => "1.2.840.113549.1.1.4",
        SignatureScheme::RsaSha1 => "1.2.840.113549.1.1.5",
        SignatureScheme::RsaRipemd160 => "1.3.36.3.3.1.2",
        SignatureScheme::RsaSha256 => "1.2.840.113549.1.1.11",
        SignatureScheme::RsaSha384 => "1.2.840.113549.1.1.12",
        SignatureScheme::RsaSha512 => "1.2.840.113549.1.1.13",
        SignatureScheme::DsaSha => "1.3.14.3.2.13",
        SignatureScheme::DsaSha1 => "1.2.840.10040.4.3",
    })
}

/// The name that has `text` for its only part, the common name.
pub(super) fn name(text: &str) -> der::Result<RdnSequence> {
    let common_name = AttributeTypeAndValue {
        oid: COMMON_NAME,
        value: Any::from(Utf8StringRef::new(text)?),
    };
    let mut set = SetOfVec::new();
    set.insert(common_name)?;
    let mut names = RdnSequence::default();
    names.push(RelativeDistinguishedName::from(set));
    Ok(names)
}

/// The text of the first common name. What is not UTF-8 is taken for Latin-1, as 2008 wrote it.
pub(super) fn common_name(name: AnyRef<'_>) -> der::Result<Option<String>> {
    let names: RdnSequence = name.decode_as()?;
    Ok(names
        .iter()
        .flat_map(RelativeDistinguishedName::iter)
        .find(|attribute| attribute.oid == COMMON_NAME)
        .map(|attribute| {
            let octets = attribute.value.value();
            match core::str::from_utf8(octets) {
                Ok(text) => text.to_owned(),
                Err(_) => octets.iter().copied().map(char::from).collect(),
            }
        }))
}

/// UTCTime until 2049, GeneralizedTime after (RFC 5280 section 4.1.2.5).
pub(super) fn time(time: Timestamp) -> der::Result<Time> {
    let since_1970 = u64::try_from(time.to_unix().0)
        .map(Duration::from_secs)
        .map_err(|_| der::Error::from(ErrorKind::DateTime))?;
    Ok(if DateTime::from_unix_duration(since_1970)?.year() < 2050 {
        Time::UtcTime(UtcTime::from_unix_duration(since_1970)?)
    } else {
        Time::GeneralTime(GeneralizedTime::from_unix_duration(since_1970)?)
    })
}

pub(super) fn timestamp(time: &Time) -> Timestamp {
    let since_1970 = time.to_unix_duration().as_secs();
    Timestamp::from_unix(i64::try_from(since_1970).unwrap_or(i64::MAX), 0)
}

/// Octets of an INTEGER without the sign.
pub(super) fn integer(number: AnyRef<'_>) -> der::Result<Vec<u8>> {
    if number.header().tag() != Tag::Integer {
        return Err(ErrorKind::Value { tag: Tag::Integer }.into());
    }
    let octets = number.value();
    Ok(match octets {
        [0, rest @ ..] if !rest.is_empty() => rest.to_vec(),
        _ => octets.to_vec(),
    })
}
