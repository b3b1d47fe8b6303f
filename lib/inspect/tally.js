'use strict';

// Totals of the views: how many channels and members there are, and on which frontends, by a scan of the keys in small steps.

/** The number of keys that are looked at in one step. */
const STEP = 1000;

/**
 * Scans at most `most` keys, and reads the leases: `{rows, channels, members, isComplete}`, where the rows are those of the view
 * `frontends`. `onKeys(count)` is called after each step with the number of keys that were looked at.
 */
async function lookAt(views, most, onKeys) {
  const tallies = new Map();
  const names = new Set();
  const seen = new Set();
  let members = 0;
  let cursor = null;
  let looked = 0;
  do {
    const limit = Math.min(STEP, most - looked);
    const step = await views.ask('survey', { cursor, limit });
    looked += limit;
    for (const { key, name, sid, kind, count } of step.keys) {
      // A scan may find a key twice.
      if (kind !== 'set' || sid === null || seen.has(key)) continue;
      seen.add(key);
      names.add(name);
      members += count;
      const tally = tallies.get(sid) || { channels: 0, members: 0 };
      tallies.set(sid, { channels: tally.channels + 1, members: tally.members + count });
    }
    ({ cursor } = step);
    onKeys(looked);
  } while (cursor !== null && looked < most);
  const known = await views.rows();
  const others = [...tallies.keys()].filter((sid) => !known.some((row) => row.sid === sid));
  const rows = [...known, ...others.map(unknown)].map((row) => ({
    ...row,
    channels: 0,
    members: 0,
    ...tallies.get(row.sid),
  }));
  rows.sort((one, other) => (one.sid < other.sid ? -1 : 1));
  return { rows, channels: names.size, members, isComplete: cursor === null };
}

/** A frontend of which only the keys of channels tell. */
const unknown = (sid) => ({
  sid,
  lease: 'none',
  epoch: null,
  ttl: 0,
  age: null,
  ends: false,
  isIndexed: false,
  online: 0,
});

module.exports = { lookAt };
