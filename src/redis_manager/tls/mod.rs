//! TLS on a socket, by rustls: the settings of connections, and the handshake. Which certificates are trusted is in
//! [`trust`], parsing certificates and keys in [`pem`], errors in [`messages`] and [`alert_stream`], the names of the
//! options in [`crate::options`].

mod alert_stream;
mod messages;
mod pem;
mod trust;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OnceCell,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig,
        client::Resumption,
        crypto::{CryptoProvider, ring},
        pki_types::ServerName,
        sign::SingleCertAndKey,
    },
};

pub use self::{
    pem::{Identity, KeyFault, authorities, identity},
    trust::Trust,
};
pub use tokio_rustls::rustls::RootCertStore as Roots;

use self::alert_stream::AlertStream;
use crate::manager::ConnectError;

/// The TLS settings of all connections of a service; cheap to clone.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    trust: Trust,
    identity: Option<Identity>,
    /// The name that the server's certificate must have, if it is not that of the host.
    name: Option<ServerName<'static>>,
    /// Made on first use, because reading the system's certificates may take long.
    config: OnceCell<Arc<ClientConfig>>,
    /// Whether the last handshake has not ended yet.
    unanswered: AtomicBool,
    /// Why the server rejected us after the handshake, in the last connection.
    refusal: Mutex<Option<ConnectError>>,
}

impl Inner {
    fn refusal(&self) -> MutexGuard<'_, Option<ConnectError>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("trust", &self.0.trust)
            .field("name", &self.0.name)
            .finish_non_exhaustive()
    }
}

/// Equal only to its own clones: the values are not compared.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Tls {}

impl Default for Tls {
    /// Trusts what the system trusts.
    fn default() -> Self {
        Self::new(Trust::System, None, None)
    }
}

impl Tls {
    /// Makes TLS settings. `identity` is for servers that want a client certificate; `name` is the name that the
    /// server's certificate must have, if it is not that of the host.
    #[must_use]
    pub fn new(trust: Trust, identity: Option<Identity>, name: Option<Name>) -> Self {
        Self(Arc::new(Inner {
            trust,
            identity,
            name: name.map(|name| name.0),
            config: OnceCell::new(),
            unanswered: AtomicBool::new(false),
            refusal: Mutex::new(None),
        }))
    }

    /// Returns whether TLS certificate verification is disabled.
    #[must_use]
    pub fn trusts_anyone(&self) -> bool {
        matches!(self.0.trust, Trust::Anyone)
    }

    /// Returns why an attempt to connect may have taken too long, if a handshake did not end. Redis on a port without
    /// TLS does not answer the first message of a handshake.
    pub(super) fn timeout_hint(&self) -> Option<&'static str> {
        let unanswered = self.0.unanswered.load(Ordering::Relaxed);
        unanswered.then_some("in the TLS handshake; a server that speaks no TLS does that")
    }

    /// Returns why the last connection broke before anything was answered on it, if TLS reported it.
    pub(super) fn refusal(&self) -> Option<ConnectError> {
        self.0.refusal().clone()
    }

    /// Does the handshake with the server at the other end of `stream`.
    pub(super) async fn secure<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<S>, ConnectError> {
        let name = match &self.0.name {
            Some(name) => name.clone(),
            None => Name::new(host).map(|name| name.0).ok_or_else(|| {
                let words = format!("TLS: no certificate is for {host:?}; option tls.servername");
                ConnectError::Refused(words.into())
            })?,
        };
        let config = self.0.config.get_or_try_init(|| self.config()).await?;
        *self.0.refusal() = None;
        self.0.unanswered.store(true, Ordering::Relaxed);
        let secured = TlsConnector::from(config.clone())
            .connect(name, stream)
            .await;
        self.0.unanswered.store(false, Ordering::Relaxed);
        match secured {
            Ok(stream) => Ok(AlertStream {
                stream,
                inner: self.0.clone(),
            }),
            Err(error) => Err(messages::of_handshake(&error)),
        }
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        let provider = provider();
        let verifier = self.0.trust.verifier(&provider).await?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| messages::of(&error))?
            // rustls's name for it, because `Trust::Anyone` can be chosen.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.0.identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let resolver = SingleCertAndKey::from(identity.0.clone());
                config.with_client_cert_resolver(Arc::new(resolver))
            }
        };
        // Handshakes are rare, and each must check the certificates.
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

/// A host name or an address, as in certificates.
#[derive(Debug, Clone)]
pub struct Name(ServerName<'static>);

impl Name {
    /// Parses a host name or an IP address; `None` if it is neither.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        ServerName::try_from(name.to_owned()).ok().map(Self)
    }
}

/// Returns our own cryptography provider, whatever else in the process has installed as the default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
