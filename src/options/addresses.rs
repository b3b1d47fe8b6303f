//! Reads options that are lists of servers: `{host, port}` or `'host:port'` each. An error names the element.

use super::{
    kinds::Addresses,
    read::{Raw, Reader, integer, invalid, no_host, show},
    table::{PORT, Row},
};
use crate::{
    error::{Error, Result},
    redis_manager::{Address, HostFault, host_and_port, host_fault},
};

/// The forms of an element.
const ACCEPTED: &str = "{host, port} or 'host:port'";

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
}

fn address(name: &str, raw: &Raw, default_port: u16) -> Result<Address> {
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
                    "option {name} has an unknown field {field:?}; accepted is {ACCEPTED}"
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
