//! Certificates: ours as a server, and those that a client trusts.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::NoServerSessionStorage,
    version::TLS13,
};

use super::{ALPN, Stopped, opaque, provider};

/// Who we are as a server of keys.
#[derive(Clone)]
pub struct ServerIdentity {
    pub(super) config: Arc<ServerConfig>,
}

/// Whom a client trusts.
#[derive(Clone)]
pub struct Trust {
    pub(super) config: ClientConfig,
}

/// Why a file can't be used for TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsFileError {
    /// It is no PEM.
    #[error("it is no PEM file of certificates or keys: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// TLS refuses it.
    #[error("{0}")]
    Tls(#[from] rustls::Error),
}

impl ServerIdentity {
    /// A certificate, with those that lead to its root, and its private key, both as PEM.
    ///
    /// # Errors
    ///
    /// [`TlsFileError`] if they can't be read, or do not belong together.
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, TlsFileError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key)?;
        // No session is resumed, so what the time is does not matter.
        let mut config = ServerConfig::builder_with_details(provider(), Stopped::at(0))
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            config: Arc::new(config),
        })
    }
}

impl Trust {
    /// Trust in all that the authorities whose certificates `roots` hold, in PEM, have signed. What
    /// is no usable certificate in them is left out: so many were taken.
    ///
    /// `identity` is our certificate as a client and its key in one PEM file, if a server wants it.
    ///
    /// # Errors
    ///
    /// [`TlsFileError`] if nothing is left to trust, or our own certificate can't be used.
    pub fn in_authorities<'a>(
        roots: impl IntoIterator<Item = &'a [u8]>,
        identity: Option<&[u8]>,
    ) -> Result<(Self, usize), TlsFileError> {
        let mut store = RootCertStore::empty();
        for root in roots {
            let found = CertificateDer::pem_slice_iter(root).filter_map(Result::ok);
            store.add_parsable_certificates(found);
        }
        let count = store.len();
        if count == 0 {
            return Err(TlsFileError::NoCertificate);
        }
        let builder = ClientConfig::builder_with_details(provider(), Stopped::at(0))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(store);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(pem) => builder
                .with_client_auth_cert(certificates(pem)?, PrivateKeyDer::from_pem_slice(pem)?)?,
        };
        Ok((Self::finish(config), count))
    }

    /// Trust in whoever answers: `noval`. Only good against those who see nothing.
    ///
    /// # Errors
    ///
    /// [`TlsFileError`] if our own certificate can't be used.
    pub fn in_anybody(identity: Option<&[u8]>) -> Result<Self, TlsFileError> {
        let provider = provider();
        let verifier = Arc::new(Anybody(Arc::clone(&provider)));
        let builder = ClientConfig::builder_with_details(provider, Stopped::at(0))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(pem) => builder
                .with_client_auth_cert(certificates(pem)?, PrivateKeyDer::from_pem_slice(pem)?)?,
        };
        Ok(Self::finish(config))
    }

    fn finish(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = rustls::client::Resumption::disabled();
        Self { config }
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let all = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if all.is_empty() {
        return Err(TlsFileError::NoCertificate);
    }
    Ok(all)
}

/// A verifier that asks for no more than that the server has the key of the certificate it shows.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2 is not spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

opaque!(ServerIdentity);
opaque!(Trust);
