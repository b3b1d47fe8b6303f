'use strict';

// What a list of uids is to one that a frontend has: the same, some uids more and less, or another.

/** Below this share of the list, a difference is sent in place of it. */
const WORTH = 0.5;

/** Whether both have the same uids in the same order. */
function isSame(one, other) {
  if (one.length !== other.length) {
    return false;
  }
  for (let i = 0; i < one.length; i += 1) {
    if (one[i] !== other[i]) {
      return false;
    }
  }
  return true;
}

/**
 * `{removed, added}`, which makes `before` hold the uids of `after`, in whatever order; undefined
 * where the list itself is better sent, or has a uid twice.
 */
function difference(before, after) {
  const old = new Set(before);
  const now = new Set(after);
  if (old.size !== before.length || now.size !== after.length) {
    return undefined;
  }
  const added = after.filter((uid) => !old.has(uid));
  const unchanged = after.length - added.length;
  const removed = unchanged === before.length ? [] : before.filter((uid) => !now.has(uid));
  const isWorth = added.length + removed.length <= after.length * WORTH;
  return isWorth ? { removed, added } : undefined;
}

module.exports = { difference, isSame };
