'use strict';

// What the sets of leases in the store mean: `PREFIX@leases` has the server ids with a lease, `PREFIX@leases:session` those of
// them whose members end with their sessions, and marks: when each was released or swept. Written by leases.js.

/**
 * An item of the second set beside the server id: when the frontend was released or swept, by the clock of that process.
 * Without it it is unknown whether what is on the frontend now is what it had then.
 */
const mark = (sid) => `\0${Date.now()} ${sid}`;
const MARK = /^\0(\d+) ([^]*)$/;

/** Returns the server id of a mark; undefined if the item is none. */
const sidOfMark = (item) => MARK.exec(item)?.[2];

/**
 * Reads both sets: `{sids, describe}`, the server ids that have a lease or have left work, and what tells of one of them, given
 * its holder `{epoch, ttl}`: `{sid, epoch, ttl, ends, isSwept, age}` as in leases.js.
 */
function readNotes(noted, ending) {
  const all = new Set(noted);
  const ends = new Set(ending.filter((item) => !MARK.test(item)));
  const left = new Map();
  for (const [, ms, sid] of ending.map((item) => MARK.exec(item) || [])) {
    if (sid !== undefined) left.set(sid, Math.max(Number(ms), left.get(sid) || 0));
  }
  const now = Date.now();
  return {
    sids: [...new Set([...all, ...ends])],
    describe: (sid, { epoch, ttl }) => ({
      sid,
      epoch: epoch || null,
      ttl,
      ends: ends.has(sid),
      isSwept: !all.has(sid),
      age: left.has(sid) ? Math.abs(now - left.get(sid)) : Infinity,
    }),
  };
}

module.exports = { mark, sidOfMark, readNotes };
