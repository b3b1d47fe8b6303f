'use strict';

/** Keys of any layout, as texts: written to a Redis, and what of ours is made of them. */

/** Writes `{key: uids}` as sets and `{key: {field: value}}` as hashes; `run(...command)` sends a command. */
async function write(run, keys) {
  for (const [key, value] of Object.entries(keys)) {
    if (Array.isArray(value)) await run('sadd', key, ...value);
    else await run('hset', key, ...Object.entries(value).flat());
  }
}

/** `{name: {sid: uids}}` as our keys with their members. */
function entriesOf(channels, prefix) {
  const entries = Object.entries(channels).flatMap(([name, sids]) =>
    Object.entries(sids).map(([sid, uids]) => [`${prefix}:${name}:${sid}`, [...uids].sort()]),
  );
  return Object.fromEntries(entries.sort());
}

module.exports = { write, entriesOf };
