//! How a list passes redis-rs's parser: a short one as one string, a long one as an array of strings, its parts. The parser drops
//! what it has read after each item, and its buffer, which keeps the size of the longest string, stays small.

use redis::Value;

use super::write_string;
use crate::list::List;

/// The size of a part, in bytes. Only the last one is longer.
const PART: usize = 1 << 16;

/// Passes on a list as bytes.
pub(super) fn write_parts(list: &[u8], out: &mut Vec<u8>) {
    let count = (list.len() / PART).max(1);
    out.reserve(list.len() + 32 * (count + 1));
    if count > 1 {
        out.extend_from_slice(format!("*{count}\r\n").as_bytes());
    }
    let (parts, rest) = list.split_at((count - 1) * PART);
    for part in parts.chunks(PART) {
        write_string(part, out);
    }
    write_string(rest, out);
}

/// Makes one string of a list that came in parts; another value stays as it is.
pub(crate) fn whole(value: Value) -> Value {
    match value {
        Value::Array(parts) if is_parts(&parts) => {
            let size = parts.len() * PART + PART;
            let mut list = Vec::with_capacity(size);
            for part in parts {
                if let Value::BulkString(bytes) = part {
                    list.extend_from_slice(&bytes);
                }
            }
            Value::BulkString(list)
        }
        value => value,
    }
}

fn is_parts(items: &[Value]) -> bool {
    matches!(items.last(), Some(Value::BulkString(last)) if List::ends_wire(last))
}
