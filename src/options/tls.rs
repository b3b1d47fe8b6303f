//! Option `tls`: whether, and what is in it, with Node's names. What it is made of is in
//! [`crate::redis_manager`].

use std::sync::Arc;

use super::read::{Raw, Reader, invalid};
use crate::{
    error::{Error, Result},
    redis_manager::{
        Address, Endpoint, KeyFault, Name, RedisOptions, Roots, Tls, Trust, authorities, identity,
    },
};

const FORMS: &str = "true, false or {ca, cert, key, servername, rejectUnauthorized}";
const CERTIFICATE: &str = "certificates in PEM, as text or a Buffer (not the path of a file)";
const KEY: &str = "the private key of tls.cert in PEM, as text or a Buffer, without a passphrase";

/// Adds to `redis` what option `tls` says; its URL may have said something before.
pub(super) fn tls(read: &Reader, redis: &mut RedisOptions) -> Result<()> {
    match (read.0)("tls") {
        Raw::Bool(false) if redis.tls.is_some() => {
            return Err(Error::InvalidOption(
                "options url (rediss:// or tls=true) and tls (false) exclude each other: give one of them"
                    .to_owned(),
            ));
        }
        Raw::Absent | Raw::Bool(false) => return Ok(()),
        Raw::Bool(true) | Raw::Object => {}
        // Not shown: it may be a key in the wrong place.
        _ => return Err(invalid("tls", "of another type (not shown)", FORMS)),
    }
    if let Endpoint::Server(Address::Unix(_)) = redis.endpoint {
        let is_given = |name: &&str| matches!((read.0)(name), Raw::Text(text) if !text.is_empty());
        let name = ["url", "path"].into_iter().find(is_given);
        return Err(Error::InvalidOption(format!(
            "options tls and {} exclude each other: there is no TLS on a Unix socket",
            name.unwrap_or("port")
        )));
    }
    redis.tls = Some(secured(read)?);
    Ok(())
}

fn secured(read: &Reader) -> Result<Tls> {
    let roots = roots(read)?;
    let trust = if read.flag("tls.rejectUnauthorized")?.unwrap_or(true) {
        roots.map_or(Trust::System, |roots| Trust::Only(Arc::new(roots)))
    } else {
        Trust::Anyone
    };
    let identity = match (
        pem(read, "tls.cert", CERTIFICATE)?,
        pem(read, "tls.key", KEY)?,
    ) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            let fault = |fault| match fault {
                KeyFault::Certificate => no_certificate("tls.cert"),
                KeyFault::Key => invalid("tls.key", "no key that is known (not shown)", KEY),
                KeyFault::Encrypted => invalid("tls.key", "encrypted (not shown)", KEY),
                KeyFault::Mismatch => invalid("tls.key", "another one's (not shown)", KEY),
            };
            Some(identity(&cert, &key).map_err(fault)?)
        }
        (None, Some(_)) => return Err(invalid("tls.cert", "absent beside tls.key", CERTIFICATE)),
        (Some(_), None) => return Err(invalid("tls.key", "absent beside tls.cert", KEY)),
    };
    let name = match read.text("tls.servername")? {
        None => None,
        Some(name) => Some(Name::new(&name).ok_or_else(|| {
            let shown = format!("{name:?}");
            invalid("tls.servername", &shown, "a host name or an IP address")
        })?),
    };
    Ok(Tls::new(trust, identity, name))
}

/// Who is trusted; `None` = that is the system's business.
fn roots(read: &Reader) -> Result<Option<Roots>> {
    let texts = match (read.0)("tls.ca") {
        Raw::List(items) => items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| {
                let name = format!("tls.ca[{index}]");
                Some(
                    bytes(&name, item, CERTIFICATE)
                        .transpose()?
                        .map(|pem| (name, pem)),
                )
            })
            .collect::<Result<Vec<_>>>()?,
        item => bytes("tls.ca", &item, CERTIFICATE)?
            .map(|pem| ("tls.ca".to_owned(), pem))
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

fn pem(read: &Reader, name: &str, accepted: &str) -> Result<Option<Vec<u8>>> {
    bytes(name, &(read.0)(name), accepted)
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
