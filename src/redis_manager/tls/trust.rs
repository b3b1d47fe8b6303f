//! Verification of the server's certificate.

use std::{fmt, sync::Arc};

use tokio_rustls::rustls::{
    DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::manager::ConnectError;

/// Which certificates of servers are trusted.
#[derive(Clone)]
pub enum Trust {
    /// Certificates that the system trusts.
    System,
    /// Only certificates of these CAs.
    Only(Arc<RootCertStore>),
    /// Any: TLS certificate verification is disabled, which protects from passive eavesdropping only.
    Anyone,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Only(roots) => write!(f, "Only({})", roots.len()),
            Self::Anyone => f.write_str("Anyone"),
        }
    }
}

impl Trust {
    pub(super) async fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
        let roots = match self {
            Self::System => Arc::new(system_roots().await?),
            Self::Only(roots) => roots.clone(),
            Self::Anyone => return Ok(Arc::new(Anyone(provider.clone()))),
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
        let verifier = verifier.map_err(|error| refused(error.to_string()))?;
        Ok(verifier)
    }
}

/// Reads the system's CAs, for each service anew, so that restarting a service takes up changes.
async fn system_roots() -> Result<RootCertStore, ConnectError> {
    // It reads files, and on macOS asks a service.
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found = found.map_err(|error| refused(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if !roots.is_empty() {
        return Ok(roots);
    }
    let why = found.errors.first().map(|error| format!(" ({error})"));
    let why = why.unwrap_or_default();
    let words = format!("the system has no certificates of CAs{why}; give them as option tls.ca");
    Err(refused(words))
}

fn refused(words: impl fmt::Display) -> ConnectError {
    ConnectError::Refused(format!("TLS: {words}").into())
}

/// Accepts every certificate, even one that cannot be parsed.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
