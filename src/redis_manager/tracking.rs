//! Turns `CLIENT TRACKING` on for a connection with a cache, and checks that everything that the cache needs is permitted.

use redis::{Pipeline, ServerError, Value, aio::MultiplexedConnection};

use super::{
    CacheOptions,
    handshake::{CacheOff, send},
    pipeline::{caching, forget},
    server_errors::{is_elsewhere, words},
};
use crate::manager::ConnectError;

/// Enables tracking, and makes sure that it works and that everything else that the cache needs is permitted.
pub(super) async fn track(
    connection: &mut MultiplexedConnection,
    cache: &CacheOptions,
) -> Result<CacheOff, ConnectError> {
    let mut pipeline = Pipeline::new();
    pipeline
        .cmd("CLIENT")
        .arg("TRACKING")
        .arg("ON")
        .arg("OPTIN");
    pipeline.cmd("CLIENT").arg("TRACKINGINFO");
    pipeline.add_command(caching());
    // Consumes the caching flag before a key is read, so that nothing of the handshake is tracked.
    pipeline.add_command(forget::<&[u8]>(&[]));
    pipeline.cmd("TOUCH").arg(&cache.probe);
    let replies = send(connection, &pipeline).await?;
    let names = [
        "CLIENT TRACKING",
        "CLIENT TRACKINGINFO",
        "CLIENT CACHING",
        "EVAL",
        "TOUCH",
    ];
    let refused = replies
        .iter()
        .zip(names)
        .find_map(|(reply, name)| match reply {
            Value::ServerError(error) if is_no(error) => Some(format!("{name}: {}", words(error))),
            _ => None,
        });
    let off = match (refused, replies.as_slice()) {
        (Some(refused), _) => refused,
        (None, [_, info, Value::Okay, _, touched]) if is_tracking(info) && is_touched(touched) => {
            return Ok(None);
        }
        _ => "CLIENT TRACKING is not on although it was asked for".to_owned(),
    };
    // Otherwise the server would keep tracking our reads.
    let mut pipeline = Pipeline::new();
    pipeline.cmd("CLIENT").arg("TRACKING").arg("OFF");
    send(connection, &pipeline).await?;
    Ok(Some(off))
}

/// Returns whether an error is permanent; one like `OOM` is not, because the command may succeed later. A node that points
/// to another one has found that our user may send the command.
fn is_no(error: &ServerError) -> bool {
    let passes = ["OOM", "MISCONF", "NOREPLICAS", "BUSY", "MASTERDOWN"];
    !passes.contains(&error.code()) && !is_elsewhere(error)
}

/// Returns whether it is the answer to `TOUCH`, of a key that may be on another node.
fn is_touched(answer: &Value) -> bool {
    match answer {
        Value::Int(_) => true,
        Value::ServerError(error) => is_elsewhere(error),
        _ => false,
    }
}

/// Returns whether the flags of `CLIENT TRACKINGINFO` say that tracking is on, and only for what we ask for.
pub(super) fn is_tracking(info: &Value) -> bool {
    let Value::Map(fields) = info else {
        return false;
    };
    let text = |value: &Value| redis::from_redis_value_ref::<String>(value).unwrap_or_default();
    fields.iter().any(|(name, flags)| {
        let flags = match flags {
            Value::Array(flags) | Value::Set(flags) => flags.as_slice(),
            _ => &[],
        };
        let has = |wanted: &str| flags.iter().any(|flag| text(flag) == wanted);
        text(name) == "flags" && has("on") && has("optin")
    })
}
