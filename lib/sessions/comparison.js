'use strict';

// Makes the list of online users in the store that of the sessions: what a failed write, a lost event or another process
// has left wrong is corrected here. When it is to be done is decided in keeper.js.

const { words } = require('../logger');

/** The maximum number of uids of one write. */
const CHUNK = 1000;

/** The pause before the first comparison is tried again, in ms. It doubles with each failure. */
const RETRY = 100;

/**
 * Makes `{first, compare, fallBehind, isBehind, close, counts}` for the frontend `sid`. `write(op, uids)` writes; nothing is
 * written unless `isHeld()`, which tells whether the lease is held. A failed first comparison is tried again after
 * `longest` ms at the latest.
 */
module.exports = function createComparison(sid, store, log, { tracker, write, isHeld, longest }) {
  const found = { comparisons: 0, added: 0, removed: 0, missedEvents: 0 };
  /** Whether a change was left to a comparison, or a write has failed. */
  let isBehind = false;
  /** The comparison that runs, and whether another one was asked for since it began. */
  let running;
  let isAskedFor = false;
  let timer;

  return {
    first,
    compare,
    fallBehind() {
      isBehind = true;
    },
    isBehind: () => isBehind,
    close: () => clearTimeout(timer),
    counts: () => ({ ...found }),
  };

  /** Compares at the start, which does not fail with it: the lease is held. */
  async function first() {
    try {
      await compare();
    } catch (err) {
      if (!isHeld()) return;
      const what = 'could not be compared with the sessions, and is tried again';
      log('warn', `the list of users online on ${sid} ${what}: ${words(err)}`);
      retry(RETRY);
    }
  }

  function retry(ms) {
    const again = () => {
      // A renewal compares too, and tries again by itself.
      if (!isHeld() || !isBehind) return;
      compare().catch(() => retry(Math.min(2 * ms, longest)));
    };
    // Unreferenced: the service keeps the process alive itself until its stop.
    timer = setTimeout(again, Math.min(ms, longest)).unref();
  }

  /**
   * Compares. One that is asked for while another one runs follows it, since that may have read already what has changed;
   * both end together.
   */
  function compare() {
    isAskedFor = true;
    running = running || run();
    return running;
  }

  async function run() {
    try {
      do {
        isAskedFor = false;
        await compareOnce();
      } while (isAskedFor && isHeld());
    } finally {
      running = undefined;
    }
  }

  async function compareOnce() {
    try {
      isBehind = false;
      found.missedEvents += tracker.reread();
      const list = await store.members(sid);
      const stored = new Set(list);
      const missing = tracker.uids().filter((uid) => !stored.has(uid));
      const extra = list.filter((uid) => !tracker.has(uid));
      found.comparisons += 1;
      found.added += await chunks('add', missing, (uid) => tracker.has(uid));
      found.removed += await chunks('remove', extra, (uid) => !tracker.has(uid));
    } catch (err) {
      isBehind = true;
      throw err;
    }
  }

  /** Writes those of `uids` for which `isStill` is true when they are written; returns how many. */
  async function chunks(op, uids, isStill) {
    let count = 0;
    for (let at = 0; at < uids.length; at += CHUNK) {
      if (!isHeld()) break;
      const chunk = uids.slice(at, at + CHUNK).filter(isStill);
      if (chunk.length > 0) await write(op, chunk);
      count += chunk.length;
    }
    return count;
  }
};
