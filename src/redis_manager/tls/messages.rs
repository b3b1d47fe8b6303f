//! Error messages of TLS that say what an operator can do, and whether retrying may help. A bad certificate is refused
//! at once, like a wrong password. (After `start` the driver retries all the same, so that a replaced certificate is
//! found.)

use std::io;

use tokio_rustls::rustls::{AlertDescription as Alert, CertificateError, Error, InvalidMessage};

use crate::manager::ConnectError;

/// Makes the error for a handshake that failed.
pub(super) fn of_handshake(error: &io::Error) -> ConnectError {
    // Without a TLS error the server closed the connection: too many clients, or it is about to stop.
    let closed = || ConnectError::Unreachable(format!("in the TLS handshake: {error}").into());
    of_io(error).unwrap_or_else(closed)
}

/// Returns the TLS error that broke a stream, if there was one.
pub(super) fn of_io(error: &io::Error) -> Option<ConnectError> {
    error.get_ref()?.downcast_ref().map(of)
}

pub(super) fn of(error: &Error) -> ConnectError {
    let words = match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the server does not speak TLS".to_owned()
        }
        Error::AlertReceived(alert) => match of_alert(*alert) {
            Some(words) => words.to_owned(),
            None => return ConnectError::Unreachable(format!("TLS: {error}").into()),
        },
        Error::PeerIncompatible(_) | Error::NoCertificatesPresented => error.to_string(),
        _ => return ConnectError::Unreachable(format!("TLS: {error}").into()),
    };
    ConnectError::Refused(format!("TLS: {words}").into())
}

fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    match error {
        E::UnknownIssuer | E::BadSignature => {
            "the server's certificate is of no CA that is trusted (option tls.ca)".to_owned()
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
                "the server's certificate is not for {expected} but for {names} (option tls.servername)"
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

/// Returns why the server rejected us; `None` if the reason may be temporary.
fn of_alert(alert: Alert) -> Option<&'static str> {
    Some(match alert {
        Alert::CertificateRequired => {
            "the server wants a certificate of ours (options tls.cert and tls.key)"
        }
        // OpenSSL in TLS 1.2 sends this for "no certificate", too.
        Alert::HandshakeFailure => {
            "the server and we have no way in common, or it wants a certificate of ours (options tls.cert and tls.key)"
        }
        Alert::UnknownCA | Alert::DecryptError => {
            "the server does not trust the CA of our certificate (option tls.cert)"
        }
        Alert::CertificateExpired => "the server says that our certificate has expired",
        Alert::CertificateRevoked => "the server says that our certificate was revoked",
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown
        | Alert::AccessDenied => "the server does not accept our certificate (option tls.cert)",
        Alert::ProtocolVersion => "the server speaks a version of TLS that we do not",
        Alert::UnrecognisedName => {
            "the server does not know the name that it was asked for (option tls.servername)"
        }
        _ => return None,
    })
}
