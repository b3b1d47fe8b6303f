'use strict';

/**
 * Samples the store: for how long an open session was without a membership that it should have, and a closed one with one.
 * Time during which its frontend or the store is disturbed does not count, since the promise begins with the end of the fault.
 */

const { pause } = require('../../support/until');

const INTERVAL = 100;

/** `tools` are `{sids, expected, present, faults}`: `present()` resolves to the memberships, `expected()` are
 * those there should be, `possible()` those there may be. */
module.exports = function createGaps({ sids, expected, possible, present, faults }) {
  const missing = new Map();
  const extra = new Map();
  const longest = { missing: { ms: 0 }, extra: { ms: 0 }, samples: 0, looks: 0 };
  const state = { isOn: true };
  let done;

  return { longest, begin: () => (done = run()), end };

  function end() {
    state.isOn = false;
    return done;
  }

  async function run() {
    let last = performance.now();
    while (state.isOn) {
      await pause(INTERVAL);
      const before = new Set(expected());
      const open = new Set(possible());
      const found = await present().catch(() => undefined);
      // Those that were open before the read and are still.
      const after = new Set(expected());
      possible().forEach((place) => open.add(place));
      const now = performance.now();
      const passed = now - last;
      last = now;
      const calm = sids.filter((sid) => !faults.isDisturbed(sid, 'store'));
      if (!found) continue;
      longest.samples += 1;
      const isCalm = (place) => calm.some((sid) => place.includes(` ${sid}`));
      const wanted = [...before].filter((place) => after.has(place));
      longest.looks += wanted.filter(isCalm).length;
      note(
        'missing',
        missing,
        wanted.filter((place) => !found.has(place) && isCalm(place)),
        passed,
      );
      const surplus = [...found].filter((place) => !open.has(place));
      note('extra', extra, surplus.filter(isCalm), passed);
    }
  }

  /** Adds the time to those in `now`; the others begin anew. */
  function note(kind, all, now, passed) {
    const there = new Set(now);
    for (const place of all.keys()) if (!there.has(place)) all.delete(place);
    for (const place of now) {
      // Not the time before the first sample in which it is so.
      const ms = all.has(place) ? all.get(place) + passed : 0;
      all.set(place, ms);
      if (ms > longest[kind].ms) {
        longest[kind] = { ms: Math.round(ms), place, at: Math.round(performance.now()) };
      }
    }
  }
};
