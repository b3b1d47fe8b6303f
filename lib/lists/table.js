'use strict';

// The lists that a frontend keeps, by pushing server and number. Bounded in bytes over all of them; the least recently
// used list is dropped first.

const { bytesOf, limits } = require('./protocol');

/** The number of pushers that are remembered; far more than an app has servers. */
const PUSHERS = 1000;

/** A list is ordered when it is pushed again, and from then on once in so many pushes, because users come back. */
const OFTEN = 256;

/** Makes an empty table. `inOrder(uids)` returns the same uids in the order in which they are to be kept. */
module.exports = function createTable(inOrder) {
  /** By token, the least recently seen first. */
  const pushers = new Map();
  /** All lists, the least recently used first. */
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

  /** Returns the entry of a pusher, `{server, epoch, refusing, lists}`; makes it if it is new. */
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

  /** Returns the list with that number, or undefined. */
  function list(owner, number) {
    const entry = owner.lists.get(number);
    if (entry) {
      entries.delete(entry);
      entries.add(entry);
      order(entry);
    }
    return entry?.uids;
  }

  function order(entry) {
    if (entry.untilOrdered === 0) {
      entry.uids = inOrder(entry.uids);
      entry.untilOrdered = OFTEN;
    }
    entry.untilOrdered -= 1;
  }

  function keep(owner, number, uids, untilOrdered = 0) {
    drop(owner.lists.get(number));
    const entry = { owner, number, uids, untilOrdered, bytes: bytesOf(uids) };
    owner.lists.set(number, entry);
    entries.add(entry);
    bytes += entry.bytes;
    for (const oldest of entries) {
      if (bytes <= limits.frontendBytes) break;
      drop(oldest);
    }
  }

  /** Changes list `base`, which gets number `number`, and returns it; undefined if there is no list `base`. */
  function change(owner, base, number, removed, added) {
    const entry = owner.lists.get(base);
    if (!entry) {
      return undefined;
    }
    order(entry);
    const gone = new Set(removed);
    const uids = entry.uids.filter((uid) => !gone.has(uid)).concat(added);
    drop(entry);
    // Nearly all uids stay in their order.
    keep(owner, number, uids, entry.untilOrdered);
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

  /** Drops the lists of servers that have left. One that is still alive is refused, and sends its lists again. */
  function forgetServers(isGone) {
    for (const known of pushers.values()) {
      if (known.server !== undefined && isGone(known.server)) dropAll(known);
    }
  }
};
