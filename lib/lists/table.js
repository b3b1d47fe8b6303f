'use strict';

// The lists that a frontend keeps for pushing servers: each pusher's by number, bounded in bytes over
// all of them; the one that was used least recently goes first.

const { bytesOf, limits } = require('./protocol');

/** Pushers that are remembered; far more than an app has servers. */
const PUSHERS = 1000;

module.exports = function createTable() {
  /** By token, the one that was heard of least recently first. */
  const pushers = new Map();
  /** The lists, least recently used first. */
  const entries = new Set();
  let bytes = 0;

  return {
    pusher,
    list,
    keep,
    change,
    forgetServers,
    size: () => ({ kept: entries.size, keptBytes: bytes }),
  };

  /** What is known of a pusher: `{server, epoch, refusing, lists}`. */
  function pusher(token) {
    let known = pushers.get(token);
    if (known) {
      pushers.delete(token);
    } else {
      known = { server: undefined, epoch: 0, refusing: false, lists: new Map() };
      if (pushers.size >= PUSHERS) {
        const [oldest, least] = pushers.entries().next().value;
        pushers.delete(oldest);
        dropAll(least);
      }
    }
    pushers.set(token, known);
    return known;
  }

  /** The list of that number, or undefined. */
  function list(owner, number) {
    const entry = owner.lists.get(number);
    if (entry) {
      entries.delete(entry);
      entries.add(entry);
    }
    return entry?.uids;
  }

  function keep(owner, number, uids) {
    drop(owner.lists.get(number));
    const entry = { owner, number, uids, bytes: bytesOf(uids) };
    owner.lists.set(number, entry);
    entries.add(entry);
    bytes += entry.bytes;
    for (const oldest of entries) {
      if (bytes <= limits.frontendBytes) break;
      drop(oldest);
    }
  }

  /** The list `base` becomes `number`. The changed list, or undefined if there is no `base`. */
  function change(owner, base, number, removed, added) {
    const entry = owner.lists.get(base);
    if (!entry) {
      return undefined;
    }
    const gone = new Set(removed);
    const uids = entry.uids.filter((uid) => !gone.has(uid)).concat(added);
    drop(entry);
    keep(owner, number, uids);
    return uids;
  }

  function drop(entry) {
    if (entry && entries.delete(entry)) {
      entry.owner.lists.delete(entry.number);
      bytes -= entry.bytes;
    }
  }

  function dropAll({ lists }) {
    for (const entry of lists.values()) drop(entry);
  }

  /** Servers that are gone. One that is not, after all, sends its lists anew. */
  function forgetServers(isGone) {
    for (const known of pushers.values()) {
      if (known.server !== undefined && isGone(known.server)) dropAll(known);
    }
  }
};
