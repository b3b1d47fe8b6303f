//! Reads option `tls`, whose fields have the names of Node's `tls.connect`. What the options become is in
//! [`crate::redis_manager`].

use std::sync::Arc;

use super::{
    kinds::Pem,
    read::{Raw, Reader, invalid},
    table::{
        CERTIFICATE, KEY, PATH, PORT, Row, TLS, TLS_CA, TLS_CERT, TLS_KEY, TLS_REJECT,
        TLS_SERVERNAME, URL,
    },
};
use crate::{
    error::{Error, Result},
    redis_manager::{
        Address, Endpoint, KeyFault, Name, RedisOptions, Roots, Tls, Trust, authorities, identity,
    },
};

/// Applies option `tls` to `redis`, whose URL may have enabled TLS already.
pub(super) fn tls(read: &Reader, redis: &mut RedisOptions) -> Result<()> {
    match read.switch(&TLS)? {
        Some(false) if redis.tls.is_some() => {
            return Err(Error::InvalidOption(
                "options url (rediss:// or tls=true) and tls (false) exclude each other: give one of them"
                    .to_owned(),
            ));
        }
        None | Some(false) => return Ok(()),
        Some(true) => {}
    }
    if let Endpoint::Server(Address::Unix(_)) = redis.endpoint {
        let places: [&Row; 3] = [&URL, &PATH, &PORT];
        let mut given = places.into_iter().map(|row| read.find(row));
        let found = given.find(|(_, raw)| *raw != Raw::Absent);
        return Err(Error::InvalidOption(format!(
            "options tls and {} exclude each other: there is no TLS on a Unix socket",
            found.map_or(PORT.name, |(name, _)| name)
        )));
    }
    redis.tls = Some(secured(read)?);
    Ok(())
}

fn secured(read: &Reader) -> Result<Tls> {
    let roots = roots(read)?;
    let trust = if read.flag(&TLS_REJECT)? {
        roots.map_or(Trust::System, |roots| Trust::Only(Arc::new(roots)))
    } else {
        Trust::Anyone
    };
    let identity = match (pem(read, &TLS_CERT)?, pem(read, &TLS_KEY)?) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            let fault = |fault| match fault {
                KeyFault::Certificate => no_certificate(TLS_CERT.name),
                KeyFault::Key => invalid(TLS_KEY.name, "no key that is known (not shown)", KEY),
                KeyFault::Encrypted => invalid(TLS_KEY.name, "encrypted (not shown)", KEY),
                KeyFault::Mismatch => invalid(TLS_KEY.name, "another one's (not shown)", KEY),
            };
            Some(identity(&cert, &key).map_err(fault)?)
        }
        (None, Some(_)) => {
            return Err(invalid(TLS_CERT.name, "absent beside tls.key", CERTIFICATE));
        }
        (Some(_), None) => return Err(invalid(TLS_KEY.name, "absent beside tls.cert", KEY)),
    };
    let name = match read.text(&TLS_SERVERNAME)? {
        None => None,
        Some(name) => Some(Name::new(&name).ok_or_else(|| {
            let shown = format!("{name:?}");
            invalid(
                read.find(&TLS_SERVERNAME).0,
                &shown,
                "a host name or an IP address",
            )
        })?),
    };
    Ok(Tls::new(trust, identity, name))
}

/// Reads the CAs of `tls.ca`; `None` if it is not given: then the system's are used.
fn roots(read: &Reader) -> Result<Option<Roots>> {
    let (option, raw) = read.find(&TLS_CA);
    let texts = match raw {
        Raw::List(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let name = format!("{option}[{index}]");
                Some(
                    bytes(&name, item, CERTIFICATE)
                        .transpose()?
                        .map(|pem| (name, pem)),
                )
            })
            .collect::<Result<Vec<_>>>()?,
        item => bytes(option, &item, CERTIFICATE)?
            .map(|pem| (option.to_owned(), pem))
            .into_iter()
            .collect(),
    };
    let mut roots = None;
    for (name, pem) in texts {
        let known = roots.take().unwrap_or_else(Roots::empty);
        roots = Some(authorities(&pem, known).ok_or_else(|| no_certificate(&name))?);
    }
    Ok(roots)
}

fn pem(read: &Reader, row: &Row<Pem>) -> Result<Option<Vec<u8>>> {
    let (name, raw) = read.find(row);
    bytes(name, &raw, row.kind.0)
}

fn bytes(name: &str, raw: &Raw, accepted: &str) -> Result<Option<Vec<u8>>> {
    match raw {
        Raw::Absent => Ok(None),
        Raw::Text(text) => Ok((!text.is_empty()).then(|| text.clone().into_bytes())),
        Raw::Bytes(bytes) => Ok(Some(bytes.clone())),
        _ => Err(invalid(name, "of another type (not shown)", accepted)),
    }
}

fn no_certificate(name: &str) -> Error {
    invalid(name, "no certificate (not shown)", CERTIFICATE)
}
