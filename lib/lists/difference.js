'use strict';

// What a list of uids is to one that a frontend has: the same, some uids more and less, or another.

/** Below this share of the list, a difference is sent in place of it. */
const WORTH = 0.5;

/** How far a uid is looked for that is not where it was. */
const NEAR = 8;

/** Walking along two lists is given up after so many differences. */
const MANY = 64;

/** Longer lists are sent whole rather than made into sets: that would hold up the event loop for longer. */
const LONGEST = 5000;

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
 * where the list itself is better sent. `isUnique`: hardly ever has one of them a uid twice, as in a store of ours, where
 * that takes uids whose bytes are no UTF-8.
 */
function difference(before, after, isUnique) {
  const found = (isUnique && walk(before, after)) || compare(before, after);
  return found && found.added.length + found.removed.length <= after.length * WORTH
    ? found
    : undefined;
}

/** For lists in about the same order, as stores give them. Undefined if they are not, or if a uid that changes is there twice. */
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
      // Where each of the two goes on in the other list; what is before that is gone, or new.
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
  // What is in both has only moved.
  for (const uid of removed) {
    if (added.delete(uid)) removed.delete(uid);
  }
  // The frontend removes every one of that name.
  if (removed.size > 0 && before.filter((uid) => removed.has(uid)).length > removed.size) {
    return undefined;
  }
  return { removed: [...removed], added: [...added] };
}

/** How many places after `from` the uid is in the list, at least 1; 0 if it is not near. */
function near(uid, list, from) {
  const end = Math.min(list.length, from + NEAR);
  for (let i = from + 1; i < end; i += 1) {
    if (list[i] === uid) return i - from;
  }
  return 0;
}

/** For lists in any order. Undefined if one has a uid twice, or they are very long. */
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
