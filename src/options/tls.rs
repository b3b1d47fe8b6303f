//! Reads options `tls` and `sentinelTls`, whose fields have the names of Node's `tls.connect`. What the options become is
//! in [`crate::redis_manager`].

use std::sync::Arc;

use super::{
    kinds::{Flag, Pem, Switch, Text},
    raw::{Raw, invalid, no_host},
    read::Reader,
    table::{
        CERTIFICATE, KEY, PATH, PORT, Row, SENTINEL_CA, SENTINEL_CERT, SENTINEL_KEY,
        SENTINEL_REJECT, SENTINEL_SERVERNAME, SENTINEL_TLS, TLS, TLS_CA, TLS_CERT, TLS_KEY,
        TLS_REJECT, TLS_SERVERNAME, URL,
    },
};
use crate::{
    error::{Error, Result},
    redis_manager::{
        Address, Endpoint, KeyFault, Name, RedisOptions, Roots, Tls, Trust, authorities, identity,
    },
};

/// The rows of an option that configures TLS.
struct Rows {
    switch: &'static Row<Switch>,
    ca: &'static Row<Pem>,
    cert: &'static Row<Pem>,
    key: &'static Row<Pem>,
    servername: &'static Row<Text>,
    reject: &'static Row<Flag>,
}

const SERVER: Rows = Rows {
    switch: &TLS,
    ca: &TLS_CA,
    cert: &TLS_CERT,
    key: &TLS_KEY,
    servername: &TLS_SERVERNAME,
    reject: &TLS_REJECT,
};

const SENTINEL: Rows = Rows {
    switch: &SENTINEL_TLS,
    ca: &SENTINEL_CA,
    cert: &SENTINEL_CERT,
    key: &SENTINEL_KEY,
    servername: &SENTINEL_SERVERNAME,
    reject: &SENTINEL_REJECT,
};

/// Reads how the connections to sentinels are secured: as option `sentinelTls` says, or like those to the server.
pub(super) fn sentinel_tls(read: &Reader, server: Option<&Tls>) -> Result<Option<Tls>> {
    match read.switch(SENTINEL.switch)? {
        None => Ok(server.map(|tls| tls.switched_by(SENTINEL.switch.name))),
        Some(false) => Ok(None),
        Some(true) => secured(read, &SENTINEL).map(Some),
    }
}

/// Applies option `tls` to `redis`, whose URL may have enabled TLS already.
pub(super) fn tls(read: &Reader, redis: &mut RedisOptions) -> Result<()> {
    match read.switch(SERVER.switch)? {
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
    redis.tls = Some(secured(read, &SERVER)?);
    Ok(())
}

fn secured(read: &Reader, rows: &Rows) -> Result<Tls> {
    let roots = roots(read, rows.ca)?;
    let trust = if read.flag(rows.reject)? {
        roots.map_or(Trust::System, |roots| Trust::Only(Arc::new(roots)))
    } else {
        Trust::Anyone
    };
    let (cert_name, key_name) = (read.find(rows.cert).0, read.find(rows.key).0);
    let identity = match (pem(read, rows.cert)?, pem(read, rows.key)?) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            let fault = |fault| match fault {
                KeyFault::Certificate => no_certificate(cert_name),
                KeyFault::Key => invalid(key_name, "no key that is known (not shown)", KEY),
                KeyFault::Encrypted => invalid(key_name, "encrypted (not shown)", KEY),
                KeyFault::Mismatch => invalid(key_name, "another one's (not shown)", KEY),
            };
            Some(identity(&cert, &key).map_err(fault)?)
        }
        (None, Some(_)) => {
            let beside = format!("absent beside {key_name}");
            return Err(invalid(cert_name, &beside, CERTIFICATE));
        }
        (Some(_), None) => {
            return Err(invalid(
                key_name,
                &format!("absent beside {cert_name}"),
                KEY,
            ));
        }
    };
    let name = match read.text(rows.servername)? {
        None => None,
        Some(name) => Some(Name::new(&name).ok_or_else(|| {
            let option = read.find(rows.servername).0;
            no_host(option, &name, "a host name or an IP address")
        })?),
    };
    Ok(Tls::new(rows.switch.name, trust, identity, name))
}

/// Reads the CAs to trust; `None` if they are not given: then the system's are used.
fn roots(read: &Reader, row: &Row<Pem>) -> Result<Option<Roots>> {
    let (option, raw) = read.find(row);
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
