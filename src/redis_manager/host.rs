//! Checks host names and paths of sockets before anything is looked up: a text that can be neither would be looked up,
//! again and again, until `startTimeout`. Only what is configured is checked; what servers announce is used as it is.

use std::{net::Ipv6Addr, path::PathBuf};

/// The maximum length of a host name (RFC 1035).
const LONGEST: usize = 253;

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFault {
    /// It may be a URL.
    Url,
    /// It has a port.
    Port,
    /// It has brackets around an address.
    Brackets,
    /// It has spaces, line breaks or other control characters.
    Space,
    /// It is a list.
    List,
    /// It has other characters that no host name has, or is too long.
    Other,
}

impl HostFault {
    /// Returns what is accepted instead.
    #[must_use]
    pub fn accepted(self) -> &'static str {
        match self {
            Self::Url => "a host name or an address (a URL goes into option url)",
            Self::Port => "a host name or an address, and the port by itself (port)",
            Self::Brackets => "a host name or an address, IPv6 without brackets",
            Self::Space => "a host name or an address, without spaces and line breaks",
            Self::List => "one host name or address (several go into option sentinels or cluster)",
            Self::Other => "a host name (letters, digits, '-', '_' and '.') or an address",
        }
    }
}

/// Returns why `host` is neither a host name nor an address; nothing if it may be one.
#[must_use]
pub fn host_fault(host: &str) -> Option<HostFault> {
    if is_ipv6(host) {
        return None;
    }
    let is_spaced = |char: char| char.is_whitespace() || char.is_control();
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '-' | '_' | '.');
    if host.contains(['/', '@', '?', '#']) {
        Some(HostFault::Url)
    } else if host.contains(is_spaced) {
        Some(HostFault::Space)
    } else if host.contains([',', ';']) {
        Some(HostFault::List)
    } else if host.starts_with('[') {
        Some(HostFault::Brackets)
    } else if has_port(host) {
        Some(HostFault::Port)
    } else if host.len() > LONGEST || !host.chars().all(is_part) {
        Some(HostFault::Other)
    } else {
        None
    }
}

/// Returns whether an error may show a text that is no host: only if it has nothing but a host and what is too much.
#[must_use]
pub fn is_harmless(host: &str) -> bool {
    let (bare, port) = host_and_port(host.trim());
    host_fault(bare).is_none() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits host and port; an IPv6 address with a port is in brackets. Without a port it is empty.
#[must_use]
pub fn host_and_port(text: &str) -> (&str, &str) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (host, rest.strip_prefix(':').unwrap_or(rest));
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => (host, port),
        _ => (text, ""),
    }
}

fn has_port(host: &str) -> bool {
    let (_, port) = host_and_port(host);
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns whether it is an IPv6 address, with a zone (`fe80::1%eth0`) or without.
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && zone.bytes().all(is_plain)
}

/// Reads the path of a Unix socket. The error is what is accepted.
pub fn socket_path(text: &str) -> Result<PathBuf, &'static str> {
    let path = PathBuf::from(text);
    if text.contains("://") || text.contains('\0') {
        Err("the path of a Unix socket (a URL goes into option url)")
    } else if text.contains(char::is_control) {
        Err("the path of a Unix socket, without line breaks")
    } else if is_too_long(&path) {
        Err("the path of a Unix socket, for which the system allows some 100 bytes")
    } else {
        Ok(path)
    }
}

#[cfg(unix)]
fn is_too_long(path: &std::path::Path) -> bool {
    std::os::unix::net::SocketAddr::from_pathname(path).is_err()
}

#[cfg(not(unix))]
fn is_too_long(_path: &std::path::Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_host_is_accepted() {
        for host in [
            "h",
            "127.0.0.1",
            "redis.example",
            "redis.example.",
            "redis_1",
            "a-b",
            "xn--bcher-kva.example",
            "bücher.example",
            "::1",
            "fe80::1%eth0",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(host_fault(host), None, "{host}");
        }
    }

    #[test]
    fn what_can_be_none_is_named() {
        use HostFault as F;
        for (host, fault, shown) in [
            ("h:6379", F::Port, true),
            ("10.0.0.1:6379", F::Port, true),
            ("[::1]", F::Brackets, true),
            ("[::1]:6379", F::Brackets, true),
            ("[::1", F::Brackets, false),
            ("h\n", F::Space, true),
            (" h", F::Space, true),
            ("h h", F::Space, false),
            ("h\u{a0}", F::Space, true),
            ("h\0", F::Space, false),
            ("redis://:hush@h", F::Url, false),
            ("joe:hush@h", F::Url, false),
            ("a:1,b:2", F::List, false),
            ("h:6379,password=hush", F::List, false),
            ("h:6379:hush", F::Other, false),
            ("h:hush", F::Other, false),
            ("${REDIS_HOST}", F::Other, false),
            ("h\u{200b}", F::Other, false),
            ("fe80::1%", F::Other, false),
        ] {
            assert_eq!(host_fault(host), Some(fault), "{host:?}");
            assert_eq!(is_harmless(host), shown, "{host:?}");
            assert!(fault.accepted().contains("host name"));
        }
        assert_eq!(host_fault(&"h".repeat(254)), Some(F::Other));
    }

    #[cfg(unix)]
    #[test]
    fn the_path_of_a_socket_has_no_line_breaks_and_is_short() {
        assert_eq!(socket_path("/tmp/s"), Ok(PathBuf::from("/tmp/s")));
        for (path, words) in [
            ("/tmp/s\n", "without line breaks"),
            ("unix:///tmp/s", "a URL"),
            (&"s".repeat(300), "100 bytes"),
        ] {
            let accepted = socket_path(path).expect_err("no path");
            assert!(accepted.contains(words), "{accepted}");
        }
    }
}
