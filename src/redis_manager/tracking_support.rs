//! The servers that support the member cache: those whose invalidations are known to arrive before the reply to any
//! command that is executed later. Identified by HELLO and INFO, because many servers speak the protocol and call
//! themselves Redis.

use redis::Value;

use super::server_errors::words;

/// The oldest version whose tracking was verified (6.2.7 fixed lost invalidations).
const OLDEST: [u32; 3] = [6, 2, 7];

/// INFO fields of other servers, which answer HELLO as Redis does.
const OTHERS: [(&str, &str); 4] = [
    ("dragonfly_version:", "Dragonfly"),
    ("garnet_version:", "Garnet"),
    ("rlec_version:", "Redis Enterprise"),
    ("upstash_version:", "Upstash"),
];

/// Returns why the cache cannot be used with this server, which is to be of a `mode`; `None` if it can. A replica in a
/// cluster can become a primary, and until then it answers no read that fills the cache.
pub(super) fn objection(hello: &Value, info: &Value, mode: &str) -> Option<String> {
    let fields = match hello {
        Value::Map(fields) => fields,
        Value::ServerError(error) => return Some(format!("HELLO: {}", words(error))),
        _ => return Some("HELLO answered no map".to_owned()),
    };
    let field = |name| field(fields, name).unwrap_or_default();
    let (server, role) = (field("server"), field("role"));
    let version = field("version");
    if field("proto") != "3" {
        return Some(format!("the protocol is RESP{}, not RESP3", field("proto")));
    }
    if !matches!(server.as_str(), "redis" | "valkey") {
        return Some(format!("the server calls itself {server:?}"));
    }
    let is = field("mode");
    if is != mode {
        return Some(format!("the server's mode is {is}, not {mode}"));
    }
    if role != "master" && mode != "cluster" {
        return Some(format!("the server's role is {role}, not master"));
    }
    if numbers(&version) < OLDEST {
        let [major, minor, patch] = OLDEST;
        return Some(format!(
            "version {version} is older than {major}.{minor}.{patch}"
        ));
    }
    objection_of_info(info)
}

/// Returns the server's role from its HELLO.
pub(super) fn role(hello: &Value) -> Option<String> {
    match hello {
        Value::Map(fields) => field(fields, "role"),
        _ => None,
    }
}

/// Returns the server's mode from its HELLO: `standalone`, `cluster` or `sentinel`.
pub(super) fn mode(hello: &Value) -> Option<String> {
    match hello {
        Value::Map(fields) => field(fields, "mode"),
        _ => None,
    }
}

fn field(fields: &[(Value, Value)], name: &str) -> Option<String> {
    let named = |(key, _): &&(Value, Value)| text(key).as_deref() == Some(name);
    let (_, value) = fields.iter().find(named)?;
    text(value)
}

fn objection_of_info(info: &Value) -> Option<String> {
    if let Value::ServerError(error) = info {
        let words = words(error);
        return Some(format!("INFO does not tell what server it is: {words}"));
    }
    let info: String = redis::from_redis_value_ref(info).unwrap_or_default();
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    if let Some((_, name)) = OTHERS.iter().find(|(mark, _)| field(mark).is_some()) {
        return Some(format!("the server is {name}"));
    }
    let executable = field("executable:").unwrap_or_default();
    let program = executable.rsplit(['/', '\\']).next().unwrap_or_default();
    if program.contains("redis") || program.contains("valkey") {
        None
    } else {
        Some(format!(
            "the server runs {program:?}, which is not known to be Redis or Valkey"
        ))
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Int(number) => Some(number.to_string()),
        value => redis::from_redis_value_ref(value).ok(),
    }
}

fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    std::array::from_fn(|_| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(changed: &str, value: &str) -> Value {
        let fields = [
            ("server", "redis"),
            ("version", "7.0.15"),
            ("proto", "3"),
            ("mode", "standalone"),
            ("role", "master"),
        ];
        let bulk = |text: &str| Value::BulkString(text.into());
        let field = |(name, usual)| {
            let value = if name == changed { value } else { usual };
            (bulk(name), bulk(value))
        };
        Value::Map(fields.into_iter().map(field).collect())
    }

    fn info(text: &str) -> Value {
        Value::BulkString(format!("# Server\r\nredis_version:7.0.15\r\n{text}\r\n").into())
    }

    #[test]
    fn only_a_known_standalone_master_is_trusted() {
        let known = info("executable:/usr/bin/redis-server");
        assert_eq!(objection(&hello("", ""), &known, "standalone"), None);
        assert_eq!(
            objection(&hello("server", "valkey"), &known, "standalone"),
            None
        );
        assert_eq!(
            objection(&hello("version", "6.2.7"), &known, "standalone"),
            None
        );
        assert_eq!(
            objection(&hello("version", "10.0.0"), &known, "standalone"),
            None
        );
        for (field, value) in [
            ("server", "dragonfly"),
            ("version", "6.2.6"),
            ("version", "6.0.20"),
            ("proto", "2"),
            ("mode", "cluster"),
            ("mode", "sentinel"),
            ("role", "replica"),
        ] {
            let objection = objection(&hello(field, value), &known, "standalone");
            assert!(objection.is_some(), "{field} {value}");
        }
        assert_eq!(
            objection(&hello("mode", "cluster"), &known, "cluster"),
            None
        );
        assert!(objection(&hello("", ""), &known, "cluster").is_some());
        let mut replica = hello("mode", "cluster");
        if let Value::Map(fields) = &mut replica {
            let role = Value::BulkString("role".into());
            let own = fields.iter_mut().find(|(name, _)| *name == role);
            own.expect("a role").1 = Value::BulkString("replica".into());
        }
        assert_eq!(objection(&replica, &known, "cluster"), None);
    }

    #[test]
    fn a_server_that_only_passes_for_redis_is_not_trusted() {
        for text in [
            "dragonfly_version:df-v1.30.0\r\nexecutable:/usr/bin/redis-server",
            "garnet_version:1.0.0",
            "executable:/usr/bin/keydb-server",
            "executable:-",
            "",
        ] {
            assert!(
                objection(&hello("", ""), &info(text), "standalone").is_some(),
                "{text}"
            );
        }
    }
}
