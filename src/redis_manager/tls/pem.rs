//! Certificates and keys out of PEM text. Nothing of the text is ever repeated in an error.

use std::sync::Arc;

use tokio_rustls::rustls::{
    Error, InconsistentKeys, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

use super::provider;

/// How the kind of key begins that only a passphrase opens, in PKCS#8 and in older forms.
const ENCRYPTED: [&[u8]; 2] = [
    b"-----BEGIN ENCRYPTED PRIVATE KEY",
    b"Proc-Type: 4,ENCRYPTED",
];

/// Our identity: a certificate, those between it and a CA, and its key.
#[derive(Clone)]
pub struct Identity(pub(super) Arc<CertifiedKey>);

/// What is wrong with an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// There is no certificate in the text, or something that is none.
    Certificate,
    /// There is no key in the text, or none of a kind that is known.
    Key,
    /// The key can be read with a passphrase only.
    Encrypted,
    /// The key is another one's.
    Mismatch,
}

/// Adds those whose signature is trusted; nothing if the text holds no certificate, or something that is none.
#[must_use]
pub fn authorities(pem: &[u8], mut known: RootCertStore) -> Option<RootCertStore> {
    for certificate in certificates(pem)? {
        known.add(certificate).ok()?;
    }
    Some(known)
}

/// Reads the two halves of an identity.
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
