//! TLS on a socket, by rustls: the settings of connections, and the handshake. Which certificates are trusted is in
//! [`trust`] and [`roots`], parsing certificates and keys in [`pem`], errors in [`messages`] and [`alert_stream`], the
//! names of the options in [`crate::options`].

mod alert_stream;
mod messages;
mod pem;
mod roots;
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
use crate::{app::AppHandle, manager::ConnectError};

/// The option for connections to servers.
const TLS: &str = "tls";

/// The TLS settings of the connections to servers or to sentinels; cheap to clone.
#[derive(Clone)]
pub struct Tls {
    inner: Arc<Inner>,
    /// The option that switches TLS on and off for these connections.
    switch: &'static str,
    app: AppHandle,
}

struct Inner {
    /// The option that has the settings.
    option: &'static str,
    trust: Trust,
    identity: Option<Identity>,
    /// The name that the server's certificate must have, if it is not that of the host.
    name: Option<ServerName<'static>>,
    /// Made on first use, because reading the system's certificates may take long.
    config: OnceCell<Arc<ClientConfig>>,
    /// Whether a handshake was given up since the last one began.
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
            .field("trust", &self.inner.trust)
            .field("name", &self.inner.name)
            .finish_non_exhaustive()
    }
}

/// Equal only to its own clones: the values are not compared.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for Tls {}

impl Default for Tls {
    /// Trusts what the system trusts.
    fn default() -> Self {
        Self::new(TLS, Trust::System, None, None)
    }
}

/// Notes that a handshake was given up, unless it has ended.
struct Handshake<'a> {
    unanswered: &'a AtomicBool,
    ended: bool,
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.unanswered.store(true, Ordering::Relaxed);
        }
    }
}

impl Tls {
    /// Makes TLS settings of option `option`. `identity` is for servers that want a client certificate; `name` is the
    /// name that the server's certificate must have, if it is not that of the host.
    #[must_use]
    pub fn new(
        option: &'static str,
        trust: Trust,
        identity: Option<Identity>,
        name: Option<Name>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                option,
                trust,
                identity,
                name: name.map(|name| name.0),
                config: OnceCell::new(),
                unanswered: AtomicBool::new(false),
                refusal: Mutex::new(None),
            }),
            switch: option,
            app: AppHandle::default(),
        }
    }

    /// Returns these settings for the connections that option `switch` switches TLS on and off for. Each use has its own
    /// state.
    #[must_use]
    pub fn switched_by(&self, switch: &'static str) -> Self {
        let Inner {
            option,
            trust,
            identity,
            name,
            ..
        } = &*self.inner;
        let name = name.clone().map(Name);
        Self {
            switch,
            app: self.app.clone(),
            ..Self::new(option, trust.clone(), identity.clone(), name)
        }
    }

    /// Returns these settings with the app that is asked for CAs, and in whose log it is written which are trusted.
    #[must_use]
    pub(super) fn bound(self, app: &AppHandle) -> Self {
        Self {
            app: app.clone(),
            ..self
        }
    }

    /// Returns the name of the option that has these settings.
    #[must_use]
    pub fn option(&self) -> &'static str {
        self.inner.option
    }

    /// Returns whether TLS certificate verification is disabled.
    #[must_use]
    pub fn trusts_anyone(&self) -> bool {
        matches!(self.inner.trust, Trust::Anyone)
    }

    /// Returns why an attempt to connect may have taken too long, if a handshake did not end. Redis on a port without
    /// TLS does not answer the first message of a handshake.
    pub(super) fn timeout_hint(&self) -> Option<&'static str> {
        let unanswered = self.inner.unanswered.load(Ordering::Relaxed);
        unanswered.then_some(if self.switch == TLS {
            "in the TLS handshake; a server that speaks no TLS does that (option tls)"
        } else {
            "in the TLS handshake; a sentinel that speaks no TLS does that (option sentinelTls)"
        })
    }

    /// Returns why the last connection broke before anything was answered on it, if TLS reported it.
    pub(super) fn refusal(&self) -> Option<ConnectError> {
        self.inner.refusal().clone()
    }

    /// Does the handshake with the server at the other end of `stream`.
    pub(super) async fn secure<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        host: &str,
        stream: S,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<S>, ConnectError> {
        let inner = &self.inner;
        let name = match &inner.name {
            Some(name) => name.clone(),
            None => Name::new(host).map(|name| name.0).ok_or_else(|| {
                let option = inner.option;
                let words =
                    format!("TLS: no certificate is for {host:?}; option {option}.servername");
                ConnectError::Refused(words.into())
            })?,
        };
        let config = inner.config.get_or_try_init(|| self.config()).await?;
        *inner.refusal() = None;
        inner.unanswered.store(false, Ordering::Relaxed);
        let mut handshake = Handshake {
            unanswered: &inner.unanswered,
            ended: false,
        };
        let secured = TlsConnector::from(config.clone())
            .connect(name, stream)
            .await;
        handshake.ended = true;
        match secured {
            Ok(stream) => Ok(AlertStream {
                stream,
                inner: inner.clone(),
            }),
            Err(error) => Err(messages::of_handshake(&error, inner.option, self.switch)),
        }
    }

    async fn config(&self) -> Result<Arc<ClientConfig>, ConnectError> {
        let provider = provider();
        let option = self.inner.option;
        let trust = &self.inner.trust;
        let verifier = trust.verifier(&provider, option, &self.app).await?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| messages::of(&error, option, self.switch))?
            // rustls's name for it, because `Trust::Anyone` can be chosen.
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut config = match &self.inner.identity {
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
