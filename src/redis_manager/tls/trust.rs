//! Verification of the server's certificate. Which CAs are trusted without option `ca` is in [`super::roots`].

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

use super::roots::default_roots;
use crate::{app::AppHandle, manager::ConnectError};

/// Which certificates of servers are trusted.
#[derive(Clone)]
pub enum Trust {
    /// Certificates of the CAs that Node and the system trust.
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
    /// Returns what verifies certificates. `option` is for errors; the app is asked for CAs where the system has none.
    pub(super) async fn verifier(
        &self,
        provider: &Arc<CryptoProvider>,
        option: &str,
        app: &AppHandle,
    ) -> Result<Arc<dyn ServerCertVerifier>, ConnectError> {
        let roots = match self {
            Self::System => Arc::new(default_roots(option, app).await?),
            Self::Only(roots) => roots.clone(),
            Self::Anyone => return Ok(Arc::new(Anyone(provider.clone()))),
        };
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
        let verifier = verifier.map_err(|error| refused(error.to_string()))?;
        Ok(verifier)
    }
}

pub(super) fn refused(words: impl fmt::Display) -> ConnectError {
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
