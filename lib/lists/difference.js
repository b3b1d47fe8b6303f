'use strict';

// Compares a list of uids with the one that a frontend has: finds out whether they are the same, and which uids were
// removed and added.

/** A difference is sent if it has at most this share of the list's length; otherwise the list is sent whole. */
const WORTH = 0.5;

/** How many places ahead `walk` looks for a uid that is not where it was. */
const NEAR = 8;

/** `walk` gives up after so many differences. */
const MANY = 64;

/** Longer lists are not compared by sets, which would block the event loop for too long; they are sent whole. */
const LONGEST = 5000;

/** Returns whether both lists have the same uids in the same order. */
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
 * Returns `{removed, added}`, which turns `before` into the uids of `after`, in any order; undefined if the list itself
 * should be sent. `isUnique`: a uid is hardly ever in a list twice, as in a built-in store, where only uids whose bytes are
 * not UTF-8 can be.
 */
function difference(before, after, isUnique) {
  const found = (isUnique && walk(before, after)) || compare(before, after);
  return found && found.added.length + found.removed.length <= after.length * WORTH
    ? found
    : undefined;
}

/**
 * Compares lists in about the same order, as stores return them. Returns undefined if the order differs too much, or if a
 * uid that changes is in a list twice.
 */
function walk(before, after) {
  const removed = new Set();
  const added = new Set();
  let same = 0;
  let i = 0;
  let j = 0;
  while (i < before.length && j < after.length) {
    if (before[i] === after[j]) {
      same += 1;
      i += 1;
      j += 1;
    } else {
      // Look for each uid a little further on in the other list: what it skips there was removed, or is new.
      const gone = near(after[j], before, i);
      const fresh = near(before[i], after, j);
      const isGone = gone > 0 && (fresh === 0 || gone <= fresh);
      const takeOld = isGone ? gone : fresh > 0 ? 0 : 1;
      const takeNew = isGone ? 0 : fresh > 0 ? fresh : 1;
      for (let k = 0; k < takeOld; k += 1) removed.add(before[i + k]);
      for (let k = 0; k < takeNew; k += 1) added.add(after[j + k]);
      i += takeOld;
      j += takeNew;
      if (removed.size + added.size > MANY) return undefined;
    }
  }
  if (before.length - i + after.length - j > MANY) {
    return undefined;
  }
  for (; i < before.length; i += 1) removed.add(before[i]);
  for (; j < after.length; j += 1) added.add(after[j]);
  if (removed.size < before.length - same || added.size < after.length - same) {
    return undefined;
  }
  // A uid in both sets has only moved.
  for (const uid of removed) {
    if (added.delete(uid)) removed.delete(uid);
  }
  // The frontend removes every one of that name.
  if (removed.size > 0 && before.filter((uid) => removed.has(uid)).length > removed.size) {
    return undefined;
  }
  return { removed: [...removed], added: [...added] };
}

/** Returns how many places after `from` the uid is in the list; 0 if it is not within `NEAR`. */
function near(uid, list, from) {
  const end = Math.min(list.length, from + NEAR);
  for (let i = from + 1; i < end; i += 1) {
    if (list[i] === uid) return i - from;
  }
  return 0;
}

/** Compares lists in any order. Returns undefined if a list has a uid twice, or is longer than `LONGEST`. */
function compare(before, after) {
  if (Math.max(before.length, after.length) > LONGEST) {
    return undefined;
  }
  const old = new Set(before);
  const now = new Set(after);
  if (old.size !== before.length || now.size !== after.length) {
    return undefined;
  }
  return {
    removed: before.filter((uid) => !now.has(uid)),
    added: after.filter((uid) => !old.has(uid)),
  };
}

module.exports = { difference, isSame };
