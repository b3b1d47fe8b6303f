//! Parses certificates and keys from PEM text. No error contains any of the text.

use std::sync::Arc;

use tokio_rustls::rustls::{
    Error, InconsistentKeys, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::provider;

/// The beginning of the name of an encrypted key, in PKCS#8 and in older forms.
const ENCRYPTED: [&[u8]; 2] = [
    b"-----BEGIN ENCRYPTED PRIVATE KEY",
    b"Proc-Type: 4,ENCRYPTED",
];

/// Our identity: a certificate, the intermediate certificates, and its key.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

/// What is wrong with an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// There is no certificate in the text, or an invalid one.
    Certificate,
    /// There is no key in the text, or none of a known kind.
    Key,
    /// The key is encrypted with a passphrase.
    Encrypted,
    /// The key does not belong to the certificate.
    Mismatch,
}

/// Adds CAs to `known`; `None` if the text has no certificate, or an invalid one.
#[must_use]
pub fn authorities(pem: &[u8], mut known: RootCertStore) -> Option<RootCertStore> {
    for certificate in certificates(pem)? {
        known.add(certificate).ok()?;
    }
    Some(known)
}

/// Parses a certificate and its key.
pub fn identity(cert: &[u8], key: &[u8]) -> Result<Identity, KeyFault> {
    let chain = certificates(cert).ok_or(KeyFault::Certificate)?;
    let holds = |mark: &[u8]| key.windows(mark.len()).any(|part| part == mark);
    if ENCRYPTED.into_iter().any(holds) {
        return Err(KeyFault::Encrypted);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| KeyFault::Key)?;
    match CertifiedKey::from_der(chain, key, &provider()) {
        Ok(identity) => Ok(Identity(Arc::new(identity))),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => Err(KeyFault::Mismatch),
        Err(Error::InvalidCertificate(_)) => Err(KeyFault::Certificate),
        Err(_) => Err(KeyFault::Key),
    }
}

/// Parses certificates; there must be at least one.
fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    certificates.ok().filter(|found| !found.is_empty())
}
