//! Error messages of TLS that say what an operator can do, and whether retrying may help. A bad certificate is refused
//! at once, like a wrong password. (After `start` the driver retries all the same, so that a replaced certificate is
//! found.) They name fields of `option`, which has the settings, and `switch`, which switches TLS on and off.

use std::io;

use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error, InvalidMessage};

use crate::manager::ConnectError;

/// Makes the error for a handshake that failed.
pub(super) fn of_handshake(error: &io::Error, option: &str, switch: &str) -> ConnectError {
    // Without a TLS error the server closed the connection: too many clients, or it is about to stop.
    let closed = || ConnectError::Unreachable(format!("in the TLS handshake: {error}").into());
    of_io(error, option, switch).unwrap_or_else(closed)
}

/// Returns the TLS error that broke a stream, if there was one.
pub(super) fn of_io(error: &io::Error, option: &str, switch: &str) -> Option<ConnectError> {
    let error = error.get_ref()?.downcast_ref()?;
    Some(of(error, option, switch))
}

pub(super) fn of(error: &Error, option: &str, switch: &str) -> ConnectError {
    let words = match error {
        Error::InvalidCertificate(error) => of_certificate(error, option),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            format!("the server does not speak TLS (option {switch})")
        }
        Error::AlertReceived(alert) => match of_alert(*alert) {
            Some((words, fields)) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|name| format!("{option}.{name}"))
                    .collect();
                match fields.as_slice() {
                    [] => words.to_owned(),
                    [field] => format!("{words} (option {field})"),
                    fields => format!("{words} (options {})", fields.join(" and ")),
                }
            }
            None => return ConnectError::Unreachable(format!("TLS: {error}").into()),
        },
        Error::PeerIncompatible(_) | Error::NoCertificatesPresented => error.to_string(),
        _ => return ConnectError::Unreachable(format!("TLS: {error}").into()),
    };
    ConnectError::Refused(format!("TLS: {words}").into())
}

fn of_certificate(error: &CertificateError, option: &str) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer | E::BadSignature => {
            format!("the server's certificate is of no CA that is trusted (option {option}.ca)")
        }
        E::Expired | E::ExpiredContext { .. } => "the server's certificate has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet".to_owned()
        }
        E::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            let names: Vec<_> = presented.iter().map(|name| host(name)).collect();
            let names = if names.is_empty() {
                "no host at all (it has no subjectAltName)".to_owned()
            } else {
                names.join(", ")
            };
            format!(
                "the server's certificate is not for {expected} but for {names} (option {option}.servername)"
            )
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers".to_owned()
        }
        // rustls has no variant for it.
        E::Other(error) if format!("{error:?}").contains("CaUsedAsEndEntity") => {
            "the server's certificate is one of a CA, and no server's: have that CA sign another"
                .to_owned()
        }
        E::Revoked => "the server's certificate was revoked".to_owned(),
        error => format!("the server's certificate cannot be accepted: {error}"),
    }
}

/// Extracts the name from rustls's `DnsName("…")`. rustls has escaped it, because the certificate's maker chose it.
fn host(presented: &str) -> &str {
    let within = |start, end| presented.strip_prefix(start)?.strip_suffix(end);
    let host = within("DnsName(\"", "\")").or_else(|| within("IpAddress(", ")"));
    host.unwrap_or(presented)
}

/// Returns why the server rejected us, and the fields of the option that matter; `None` if the reason may be temporary.
fn of_alert(alert: Alert) -> Option<(&'static str, &'static [&'static str])> {
    const IDENTITY: &[&str] = &["cert", "key"];
    Some(match alert {
        Alert::CertificateRequired => ("the server wants a certificate of ours", IDENTITY),
        // OpenSSL in TLS 1.2 sends this for "no certificate", too.
        Alert::HandshakeFailure => (
            "the server and we have no way in common, or it wants a certificate of ours",
            IDENTITY,
        ),
        Alert::UnknownCA | Alert::DecryptError => (
            "the server does not trust the CA of our certificate",
            &["cert"],
        ),
        Alert::CertificateExpired => ("the server says that our certificate has expired", &[]),
        Alert::CertificateRevoked => ("the server says that our certificate was revoked", &[]),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown
        | Alert::AccessDenied => ("the server does not accept our certificate", &["cert"]),
        Alert::ProtocolVersion => ("the server speaks a version of TLS that we do not", &[]),
        Alert::UnrecognisedName => (
            "the server does not know the name that it was asked for",
            &["servername"],
        ),
        _ => return None,
    })
}
