//! Certificates made and signed.

use der::{
    AnyRef, Decode, Encode,
    asn1::{BitStringRef, ObjectIdentifier, OctetString, UintRef},
};
use ntp_wire::Timestamp;
use x509_cert::{
    ext::{
        Extension,
        pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages},
    },
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
    time::Validity,
};

use super::{
    Certificate, CertificateRequest, CertificateTrust, IssueError, ReissueTerms,
    encoding::{self, Signed, Whole},
    parse,
};
use crate::{
    dsa::DsaPublic, private_key::PrivateKey, public_key::PublicKey,
    signature_scheme::SignatureScheme,
};

/// The longest name that the other end takes.
const LONGEST_NAME: usize = 255;

pub(super) fn new(
    request: &CertificateRequest<'_>,
    signer: &PrivateKey,
    scheme: SignatureScheme,
) -> Result<Certificate, IssueError> {
    let subject = name(request.subject)?;
    let public_key = public_key(request.public_key)?;
    let extensions = extensions(request.trust, request.group_key)?.to_der()?;
    let terms = ReissueTerms {
        issuer: request.issuer,
        serial: request.serial,
        not_before: request.not_before,
        not_after: request.not_after,
    };
    let owner = Owner {
        subject: AnyRef::from_der(&subject)?,
        public_key: AnyRef::from_der(&public_key)?,
        extensions: Some(AnyRef::from_der(&extensions)?),
    };
    sign(owner, &terms, signer, scheme)
}

pub(super) fn again(
    certificate: &Certificate,
    terms: &ReissueTerms<'_>,
    signer: &PrivateKey,
    scheme: SignatureScheme,
) -> Result<Certificate, IssueError> {
    let signed = Signed::from_der(&certificate.signed)?;
    let owner = Owner {
        subject: signed.subject,
        public_key: signed.public_key,
        extensions: signed.extensions,
    };
    sign(owner, terms, signer, scheme)
}

/// What a certificate says of its subject, whoever signs it.
struct Owner<'a> {
    subject: AnyRef<'a>,
    public_key: AnyRef<'a>,
    extensions: Option<AnyRef<'a>>,
}

fn sign(
    owner: Owner<'_>,
    terms: &ReissueTerms<'_>,
    signer: &PrivateKey,
    scheme: SignatureScheme,
) -> Result<Certificate, IssueError> {
    let issuer = name(terms.issuer)?;
    let serial = UintRef::new(&terms.serial.to_be_bytes())?.to_der()?;
    let algorithm = encoding::algorithm(scheme);
    let signed = Signed {
        version: encoding::VERSION_3,
        serial: AnyRef::from_der(&serial)?,
        algorithm,
        issuer: AnyRef::from_der(&issuer)?,
        validity: validity(terms.not_before, terms.not_after)?,
        subject: owner.subject,
        public_key: owner.public_key,
        extensions: owner.extensions,
    }
    .to_der()?;
    let signature = signer.sign(scheme, &[&signed])?;
    let der = Whole {
        signed: AnyRef::from_der(&signed)?,
        algorithm,
        signature: BitStringRef::from_bytes(&signature)?,
    }
    .to_der()?;
    Ok(parse::certificate(&der)?)
}

fn name(text: &str) -> Result<Vec<u8>, IssueError> {
    if text.is_empty() || text.len() > LONGEST_NAME {
        return Err(IssueError::Name(text.len()));
    }
    Ok(encoding::name(text)?.to_der()?)
}

fn public_key(key: &PublicKey) -> der::Result<Vec<u8>> {
    let parameters = key.as_dsa().map(DsaPublic::parameters_der).transpose()?;
    let (oid, parameters) = match &parameters {
        Some(parameters) => (encoding::DSA, AnyRef::from_der(parameters)?),
        None => (encoding::RSA_ENCRYPTION, AnyRef::NULL),
    };
    SubjectPublicKeyInfoRef {
        algorithm: AlgorithmIdentifierRef {
            oid,
            parameters: Some(parameters),
        },
        subject_public_key: BitStringRef::from_bytes(&key.to_pkcs1_der())?,
    }
    .to_der()
}

fn validity(not_before: Timestamp, not_after: Timestamp) -> der::Result<Validity> {
    Ok(Validity::new(
        encoding::time(not_before)?,
        encoding::time(not_after)?,
    ))
}

/// In the order of ntp-keygen 4.2.8.
fn extensions(trust: CertificateTrust, group_key: Option<&[u8]>) -> der::Result<Vec<Extension>> {
    let authority = BasicConstraints {
        ca: true,
        path_len_constraint: None,
    };
    let usage = KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign);
    let mut extensions = vec![
        extension(encoding::BASIC_CONSTRAINTS, true, &authority)?,
        extension(encoding::KEY_USAGE, false, &usage)?,
    ];
    if let Some(octets) = group_key {
        let identifier = OctetString::new(octets)?;
        extensions.push(extension(
            encoding::SUBJECT_KEY_IDENTIFIER,
            false,
            &identifier,
        )?);
    }
    let purpose = match trust {
        CertificateTrust::Ordinary => return Ok(extensions),
        CertificateTrust::Trusted => encoding::TRUST_ROOT,
        CertificateTrust::Private => encoding::PRIVATE,
    };
    extensions.push(extension(
        encoding::EXTENDED_KEY_USAGE,
        false,
        &ExtendedKeyUsage(vec![purpose]),
    )?);
    Ok(extensions)
}

fn extension(
    extn_id: ObjectIdentifier,
    critical: bool,
    value: &impl Encode,
) -> der::Result<Extension> {
    Ok(Extension {
        extn_id,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}
