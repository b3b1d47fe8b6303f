//! The CAs that are trusted without option `ca`: those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR` if these are
//! set; Node's own where the system has none; and always those of `NODE_EXTRA_CA_CERTS`. The log says which.

use std::{env, path::PathBuf};

use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use super::trust::refused;
use crate::{
    app::{AppHandle, Level, PLATFORM_CAS},
    manager::ConnectError,
    options::Raw,
};

/// What replaces the system's CAs.
const REPLACED: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What is added to them.
const EXTRA: &str = "NODE_EXTRA_CA_CERTS";

/// CAs, and where they are from.
#[derive(Default)]
struct Found {
    certificates: Vec<CertificateDer<'static>>,
    /// The variables of the environment that replace the system's CAs; empty if none does.
    replaced: Vec<&'static str>,
    /// Why there are none, or not all.
    error: Option<String>,
    /// The certificates of `NODE_EXTRA_CA_CERTS`, if it is set.
    extra: Option<Result<Vec<CertificateDer<'static>>, String>>,
}

/// Reads the CAs, for each service anew, so that restarting a service takes up changes. `option` is the option whose
/// field `ca` would replace them.
pub(super) async fn default_roots(
    option: &str,
    app: &AppHandle,
) -> Result<RootCertStore, ConnectError> {
    // It reads files, and on macOS asks a service.
    let found = tokio::task::spawn_blocking(find).await;
    combine(found.map_err(refused)?, option, app).await
}

fn find() -> Found {
    let is_set = |name: &&str| env::var_os(name).is_some_and(|value| !value.is_empty());
    let found = rustls_native_certs::load_native_certs();
    let extra = env::var_os(EXTRA).filter(|path| !path.is_empty());
    Found {
        certificates: found.certs,
        replaced: REPLACED.into_iter().filter(is_set).collect(),
        error: found.errors.first().map(ToString::to_string),
        extra: extra.map(|path| read(&PathBuf::from(path))),
    }
}

/// Reads all certificates of a file.
fn read(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates)
}

async fn combine(
    found: Found,
    option: &str,
    app: &AppHandle,
) -> Result<RootCertStore, ConnectError> {
    let Found {
        certificates,
        replaced,
        error,
        extra,
    } = found;
    let mut roots = RootCertStore::empty();
    let mut sources = Vec::new();
    let mut whys = Vec::new();
    let place = if replaced.is_empty() {
        "the system".to_owned()
    } else {
        replaced.join(" and ")
    };
    let (count, _) = roots.add_parsable_certificates(certificates);
    if count > 0 {
        sources.push(format!("of {place} ({count})"));
    } else {
        let why = error.map(|error| format!(" ({error})")).unwrap_or_default();
        whys.push(format!("{place} has no certificates of CAs{why}"));
        if replaced.is_empty() {
            match platform_roots(app).await {
                Ok(own) => {
                    let (count, _) = roots.add_parsable_certificates(own);
                    sources.push(format!("of Node ({count}), because the system has none"));
                }
                Err(error) => whys.push(error.to_string()),
            }
        } else {
            // Others are not used in place of those that the operator has chosen.
            app.log_once(Level::Warn, format!("TLS: {}", whys.join("; ")));
        }
    }
    match extra {
        None => {}
        Some(Ok(extra)) => {
            let (count, _) = roots.add_parsable_certificates(extra);
            sources.push(format!("of {EXTRA} ({count})"));
        }
        Some(Err(error)) => {
            // As Node does, which goes on with a warning.
            app.log_once(Level::Warn, format!("TLS: {EXTRA} cannot be used: {error}"));
        }
    }
    if roots.is_empty() {
        let whys = whys.join("; ");
        return Err(refused(format!("{whys}; give them as option {option}.ca")));
    }
    let sources = sources.join(" and ");
    app.log_once(Level::Info, format!("TLS: trusted are the CAs {sources}"));
    Ok(roots)
}

/// Asks for the CAs that Node brings with it.
async fn platform_roots(app: &AppHandle) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let Raw::List(texts) = app.call(PLATFORM_CAS, None).await? else {
        return Err(refused("Node has no CAs of its own"));
    };
    let certificate = |text| match text {
        Raw::Text(text) => CertificateDer::from_pem_slice(text.as_bytes()).ok(),
        _ => None,
    };
    Ok(texts.into_iter().filter_map(certificate).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;
    use crate::app::{App, Question};

    /// A CA of this test, as `openssl req -x509` makes it; nothing is signed by it.
    const CA: &str = include_str!("test_ca.pem");

    /// An app that knows CAs of its own, and keeps its log.
    #[derive(Default)]
    struct Logging(Mutex<Vec<String>>);

    impl App for Logging {
        fn ask(&self, question: Question) {
            assert_eq!(question.option, PLATFORM_CAS);
            let _ = question
                .answer
                .send(Ok(Raw::List(vec![Raw::Text(CA.to_owned())])));
        }

        fn log(&self, _: Level, line: String) {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line);
        }
    }

    fn ca() -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_slice(CA.as_bytes()).expect("a certificate")]
    }

    /// What comes of these CAs, with an app: the number of roots or the error, and the log.
    async fn of(found: Found) -> (Result<usize, String>, Vec<String>) {
        let logging = Arc::new(Logging::default());
        let app: Arc<dyn App> = logging.clone();
        let handle = AppHandle::new(Arc::downgrade(&app));
        let roots = combine(found, "tls", &handle).await;
        let roots = roots.map(|roots| roots.len());
        let lines = logging.0.lock().unwrap_or_else(PoisonError::into_inner);
        (roots.map_err(|error| error.to_string()), lines.clone())
    }

    #[tokio::test]
    async fn the_log_says_which_cas_are_trusted() {
        let system = Found {
            certificates: ca(),
            ..Found::default()
        };
        let (roots, lines) = of(system).await;
        assert_eq!(roots, Ok(1));
        assert_eq!(lines, ["TLS: trusted are the CAs of the system (1)"]);
        let (roots, lines) = of(Found::default()).await;
        assert_eq!(roots, Ok(1));
        let words = "TLS: trusted are the CAs of Node (1), because the system has none";
        assert_eq!(lines, [words]);
        let with_extra = Found {
            certificates: ca(),
            replaced: vec!["SSL_CERT_FILE"],
            extra: Some(Ok(ca())),
            ..Found::default()
        };
        let (roots, lines) = of(with_extra).await;
        assert_eq!(roots, Ok(2));
        let words = "TLS: trusted are the CAs of SSL_CERT_FILE (1) and of NODE_EXTRA_CA_CERTS (1)";
        assert_eq!(lines, [words]);
    }

    #[tokio::test]
    async fn those_that_the_operator_has_chosen_are_not_replaced_by_others() {
        let found = Found {
            replaced: vec!["SSL_CERT_FILE"],
            error: Some("no such file".to_owned()),
            extra: Some(Err("no such file either".to_owned())),
            ..Found::default()
        };
        let (roots, lines) = of(found).await;
        let words = "TLS: SSL_CERT_FILE has no certificates of CAs (no such file); give them as option tls.ca";
        assert_eq!(roots, Err(words.to_owned()));
        let words = [
            "TLS: SSL_CERT_FILE has no certificates of CAs (no such file)",
            "TLS: NODE_EXTRA_CA_CERTS cannot be used: no such file either",
        ];
        assert_eq!(lines, words);
    }
}
