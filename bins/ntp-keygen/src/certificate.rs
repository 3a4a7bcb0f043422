//! What a new host certificate says, and how it is made.

use ntp_keys::{
    Certificate, CertificateRequest, CertificateTrust, IssueError, KeyFileError, PrivateKey,
    SignatureScheme, write_certificate,
};
use ntp_wire::Timestamp;
use zeroize::Zeroizing;

use crate::{
    arguments::Arguments,
    journal::tell,
    names::Names,
    store::{Moment, NewFile, Store, StoreError},
};

/// Trust and scheme of a new certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Terms {
    pub(crate) trust: CertificateTrust,
    pub(crate) scheme: SignatureScheme,
}

/// The name of the link to the certificate.
fn link(names: &Names) -> String {
    format!("ntpkey_cert_{}", names.host)
}

/// The certificate that is there.
pub(crate) fn open(
    names: &Names,
    store: &Store,
) -> Result<Option<Certificate>, CertificateFailure> {
    let link = link(names);
    match store.open(&link)? {
        None => Ok(None),
        Some(file) => match file.certificate() {
            Ok(certificate) => Ok(Some(certificate)),
            Err(problem) => Err(CertificateFailure::Old { link, problem }),
        },
    }
}

impl Terms {
    /// What the command line says; else what the certificate that is there says, as far as `signer`
    /// can do it.
    pub(crate) fn new(
        arguments: &Arguments,
        old: Option<&Certificate>,
        signer: &PrivateKey,
    ) -> Self {
        let trust = if arguments.trusted {
            CertificateTrust::Trusted
        } else if arguments.private {
            CertificateTrust::Private
        } else {
            old.map(Certificate::trust).unwrap_or_default()
        };
        let usual = match signer.is_dsa() {
            true => SignatureScheme::DsaSha1,
            false => SignatureScheme::RsaSha256,
        };
        let scheme = arguments
            .scheme
            .or_else(|| old.map(Certificate::scheme))
            .filter(|scheme| arguments.scheme.is_some() || scheme.is_dsa() == signer.is_dsa())
            .unwrap_or(usual);
        Self { trust, scheme }
    }

    /// Makes the certificate of `key`, signed by itself.
    pub(crate) fn issue(
        self,
        names: &Names,
        key: &PrivateKey,
        group_key: Option<&[u8]>,
        days: u32,
        moment: &Moment,
    ) -> Result<NewFile, CertificateFailure> {
        let Self { trust, scheme } = self;
        let subject = names.subject();
        let (start, _) = moment.time.to_unix();
        let end = start.saturating_add(i64::from(days) * 86_400);
        tell(&format!("Generating new certificate {subject} {scheme}"));
        let certificate = Certificate::issue(
            &CertificateRequest {
                subject: &subject,
                issuer: &subject,
                serial: moment.filestamp,
                not_before: moment.time,
                not_after: Timestamp::from_unix(end, 0),
                trust,
                public_key: key.public(),
                group_key,
            },
            key,
            scheme,
        )?;
        tell("X509v3 Basic Constraints: critical,CA:TRUE");
        tell("X509v3 Key Usage: digitalSignature,keyCertSign");
        if group_key.is_some() {
            tell("X509v3 Subject Key Identifier: the key of the GQ group");
        }
        match trust {
            CertificateTrust::Ordinary => {}
            CertificateTrust::Trusted => tell("X509v3 Extended Key Usage: trustRoot"),
            CertificateTrust::Private => tell("X509v3 Extended Key Usage: private"),
        }
        let name = format!("ntpkey_{scheme}cert_{}.{}", names.host, moment.filestamp);
        let text = Zeroizing::new(write_certificate(&name, &moment.date, &certificate));
        Ok(NewFile {
            kind: "cert",
            name,
            link: link(names),
            text,
            mode: NewFile::PUBLIC,
        })
    }
}

/// Why there is no new certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateFailure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(
        "{link}: {problem}. Its trust and scheme cannot be kept: remove the link, and say by -T \
         and -c what the new one shall be"
    )]
    Old { link: String, problem: KeyFileError },
    #[error("no certificate was made: {0}")]
    Issue(#[from] IssueError),
}
