//! Reads options that are lists or maps of servers: `{host, port}` or `'host:port'` each. An error names the element.

use std::{collections::HashMap, sync::Arc};

use super::{
    kinds::{AddressMap, Addresses},
    raw::{Raw, invalid, no_host, show, show_name},
    read::{Reader, integer},
    table::{PORT, Row},
};
use crate::{
    error::{Error, Result},
    redis_manager::{Address, HostFault, NatMap, host_and_port, host_fault},
};

/// The forms of an element.
const ACCEPTED: &str = "{host, port} or 'host:port'";

/// The forms of option `natMap`.
const MAP: &str = "{'host:port': {host, port}} or a function";

const HOST: &str = "a host name or an address (no URL)";

impl Reader<'_> {
    /// Reads a list of servers; `None` if the option is not given, or is an empty list.
    pub(super) fn addresses(&self, row: &Row<Addresses>) -> Result<Option<Vec<Address>>> {
        let (name, raw) = self.find(row);
        let accepted = format!("an array of {ACCEPTED}");
        let given = match raw {
            Raw::Absent => return Ok(None),
            Raw::List(given) => given,
            // Not shown: a URL may hold a password.
            Raw::Text(_) => return Err(invalid(name, "a string (not shown)", &accepted)),
            other => return Err(invalid(name, &show(&other), &accepted)),
        };
        let named = |(index, raw)| address(&format!("{name}[{index}]"), raw, row.kind.0);
        given
            .iter()
            .enumerate()
            .map(named)
            .collect::<Result<_>>()
            .map(Some)
    }

    /// Reads the addresses to use in place of announced ones.
    pub(super) fn nat_map(&self, row: &Row<AddressMap>) -> Result<NatMap> {
        let fields = match self.raw(row) {
            Raw::Absent => return Ok(NatMap::None),
            Raw::Function => return Ok(NatMap::Function(row.name)),
            Raw::Record(fields) => fields,
            Raw::Text(_) => return Err(invalid(row.name, "a string (not shown)", MAP)),
            other => return Err(invalid(row.name, &show(&other), MAP)),
        };
        let mut map = HashMap::new();
        for (announced, to) in fields {
            if to == Raw::Absent {
                continue;
            }
            let from = announced_address(&announced).ok_or_else(|| {
                // Not shown: it may contain a password.
                let shown = if is_url(&announced) {
                    "a URL (not shown)".to_owned()
                } else {
                    show(&Raw::Text(announced.clone()))
                };
                let words = format!("has the key {shown}; accepted as a key is 'host:port'");
                Error::InvalidOption(format!("option {} {words}", row.name))
            })?;
            let (_, port) = &from;
            let name = format!("{}[{announced:?}]", row.name);
            let to = address(&name, &to, *port)?;
            map.insert(from, to);
        }
        Ok(NatMap::Table(Arc::new(map)))
    }
}

/// Parses an address as a server announces it: host and port, of which the host may be an IPv6 address without brackets.
fn announced_address(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    (!host.is_empty() && !is_url(host)).then(|| (host.to_ascii_lowercase(), port))
}

fn is_url(text: &str) -> bool {
    host_fault(text) == Some(HostFault::Url)
}

/// Reads one server; `name` is for errors.
pub(super) fn address(name: &str, raw: &Raw, default_port: u16) -> Result<Address> {
    let check = |name: &str, fault: Option<HostFault>, text: &str| match fault {
        None => Ok(()),
        Some(HostFault::Url) => Err(no_host(name, text, HOST)),
        Some(fault) => Err(no_host(name, text, fault.accepted())),
    };
    let (host, port) = match raw {
        Raw::Record(fields) => {
            let is_foreign = |(field, value): &&(String, Raw)| {
                *value != Raw::Absent && !matches!(field.as_str(), "host" | "port")
            };
            if let Some((field, _)) = fields.iter().find(is_foreign) {
                // A password or TLS for one server only, for example, would have no effect.
                return Err(Error::InvalidOption(format!(
                    "option {name} has an unknown field {}; accepted is {ACCEPTED}",
                    show_name(field)
                )));
            }
            let field = |name: &str| {
                let found = fields.iter().find(|(field, _)| field == name);
                found.map_or(Raw::Absent, |(_, value)| value.clone())
            };
            (field("host"), field("port"))
        }
        Raw::Text(text) => {
            let is_url = |fault: &HostFault| *fault == HostFault::Url;
            check(name, host_fault(text).filter(is_url), text)?;
            let (host, port) = host_and_port(text);
            (Raw::Text(host.to_owned()), Raw::Text(port.to_owned()))
        }
        other => return Err(invalid(name, &show(other), ACCEPTED)),
    };
    let host_name = format!("{name}.host");
    let host = match host {
        Raw::Text(host) if !host.is_empty() => host,
        other => return Err(invalid(&host_name, &show(&other), HOST)),
    };
    check(&host_name, host_fault(&host), &host)?;
    let port = integer(&format!("{name}.port"), &port, &PORT.kind.0)?;
    let port = port.and_then(|port| u16::try_from(port).ok());
    Ok(Address::Tcp(host, port.unwrap_or(default_port)))
}
