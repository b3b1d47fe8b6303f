'use strict';

// Ends memberships with the sessions of this frontend (option `membership: 'session'`). A user whose last session has
// ended leaves all his channels here after `leaveDelay`, unless he is back by then. With each renewal of the lease the users
// of the store's index are compared with the sessions, so a lost event, or an `add` that came after the close, is
// corrected too. Nothing is written while the lease is not held: the frontend is not the authority then.
//
// Members that are not in the index, because others have added them, are added to it by a scan (scan.js): one begins with the
// start, then one every ten leases.
//
// There is one operation at a time for each user, so that a leave and what puts it back do not overtake one another.

const { words } = require('../logger');

/** The maximum number of users for whom operations are in flight. */
const MOST_IN_FLIGHT = 64;

/** The maximum number of users whose kept channels are asked for at once. */
const MOST_ASKED = 250;

/** The maximum number of users without a session that one comparison takes on. The next one finds the others. */
const MOST_FOUND = 10000;

/** How many times `leaseTtl` is the time from the end of a scan to the next one. */
const SCANS = 10;

/** How much longer it may be. Frontends that were started together are not to scan together for ever. */
const JITTER = 0.25;

/** The maximum number of users whose leaves are kept while the store is away. Comparisons find the others. */
const MOST_KEPT = 100000;

/**
 * Makes the memberships' end for the frontend `sid`; `store` is that of store.js. `has(uid)` tells whether a user has a
 * session, `isHeld()` whether the lease of `leaseTtl` is held as far as this process knows, and `holds()` resolves to whether the
 * store says so; `scan` is that of scan.js. `went(uid)` and `came(uid)` are to be called when the last session of a user
 * has ended and when the first one was bound, `resume()` and `compare()` after each renewal.
 */
module.exports = function createMembers(sid, store, log, options) {
  const { has, isHeld, holds, leaveDelay, leaseTtl, scan } = options;
  const leaves = { close: 0, reconcile: 0, stop: 0, purge: 0 };
  const found = { putBack: 0, comparisons: 0, found: 0 };
  /** Users whose `leaveDelay` has not passed, in the order in which it passes: `{due, reason}`. */
  const waiting = new Map();
  /** Users who are to leave now, or when the store can be reached: `{reason, names}`, `names` after a failed attempt. */
  const ready = new Map();
  /** Channels that users have left here, and are to be added to again because they are back. */
  const owed = new Map();
  /** Users with an operation in flight, and its promise. */
  const inFlight = new Map();
  /** How many of these add a user again. */
  let returning = 0;
  let timer;
  let isOpen = true;
  /** An operation has failed: the others wait for the next renewal. */
  let isPaused = false;
  /** The lease was regained, and what others have purged meanwhile was not put back yet. */
  let isToRestore = false;
  /** Another process has the lease. */
  let isLost = false;
  let scanTimer;
  let hasFailedToScan = false;

  return { begin, went, came, resume, compare, regained, lost, purge, close, stats };

  /** Removes what an earlier epoch has left. There are no clients yet. */
  async function begin(epoch) {
    const { count } = await store.purge(sid, { epoch, keep: 0, reason: 'replaced' });
    leaves.purge += count;
    await store.forget(sid);
    scanAll();
    return count;
  }

  /** Adds members to the index that it does not have, in the background; the next comparison finds them. */
  async function scanAll() {
    try {
      if (isHeld()) await scan.run(sid, () => isOpen && isHeld());
      hasFailedToScan = false;
    } catch (err) {
      if (isOpen && !hasFailedToScan) {
        const line = `channels could not be searched for members that others added on ${sid}`;
        log('warn', `${line}, and are later: ${words(err)}`);
      }
      hasFailedToScan = true;
    }
    if (!isOpen) return;
    // What has failed, or has ended with the lease, is done again sooner.
    const ms = leaseTtl * (isHeld() && !hasFailedToScan ? SCANS : 1);
    scanTimer = setTimeout(scanAll, ms * (1 + JITTER * Math.random())).unref();
  }

  function went(uid) {
    wait(uid, 'close');
  }

  function came(uid) {
    waiting.delete(uid);
    const failed = ready.get(uid);
    ready.delete(uid);
    // The store may have executed it.
    if (failed) owe(uid, failed.names);
  }

  function wait(uid, reason) {
    if (!isOpen || isLost || waiting.size + ready.size >= MOST_KEPT) return;
    // Inserted anew, at the end.
    waiting.delete(uid);
    waiting.set(uid, { due: performance.now() + leaveDelay, reason });
    arm();
  }

  function arm() {
    if (timer || waiting.size === 0 || !isOpen) return;
    const [{ due }] = waiting.values();
    timer = setTimeout(tick, Math.max(due - performance.now(), 0)).unref();
  }

  function tick() {
    timer = undefined;
    for (const [uid, { due, reason }] of waiting) {
      if (due > performance.now()) break;
      waiting.delete(uid);
      // An event may have been lost.
      if (!has(uid)) ready.set(uid, { reason, names: ready.get(uid)?.names || [] });
    }
    pump();
    arm();
  }

  /** Starts what can be started. */
  function pump() {
    start(owed, putBack);
    start(ready, leave);
  }

  function start(users, operation) {
    for (const uid of users.keys()) {
      if (!isOpen || isPaused || inFlight.size >= MOST_IN_FLIGHT || !isHeld()) return;
      if (inFlight.has(uid)) continue;
      const value = users.get(uid);
      users.delete(uid);
      inFlight.set(
        uid,
        operation(uid, value)
          .catch(failed)
          .then(() => {
            inFlight.delete(uid);
            pump();
          }),
      );
    }
  }

  function failed(err) {
    if (!isPaused && isOpen) {
      log('warn', `memberships of users on ${sid} wait for the next renewal: ${words(err)}`);
    }
    isPaused = true;
  }

  /** Whether a user is to stay: he has a session, or had one until a moment ago. */
  function isHere(uid) {
    return has(uid) || waiting.has(uid);
  }

  /** Has a user leave all channels. `before` are those of an attempt that has failed, after the store may have done it. */
  async function leave(uid, { reason, names: before }) {
    let names = before;
    let isSent = before.length > 0;
    try {
      // Read first: an attempt whose answer is lost cannot tell what it has removed.
      const [channels] = await Promise.all([store.channels(sid, uid), checkLease()]);
      names = union(before, channels);
      if (isHere(uid)) {
        owe(uid, before);
        return;
      }
      // A comparison has found entries: what is only an entry is forgotten by this.
      if (names.length === 0 && reason !== 'reconcile') return;
      isSent = true;
      const left = await store.leaveAll(sid, uid);
      // None, if it was executed before: the connection was lost, and it was sent again.
      if (before.length === 0 && left.length > 0) names = left;
      else names = union(names, left);
      leaves[reason] += names.length;
      if (isHere(uid)) owe(uid, names);
    } catch (err) {
      // Done again with the next renewal; who is here by then is put back.
      ready.set(uid, { reason, names: isSent ? names : [] });
      throw err;
    }
  }

  /**
   * Fails if another process has claimed the lease, of which this one hears with its next renewal: the members are those of
   * the other one by now.
   */
  async function checkLease() {
    if (!(await holds())) throw new Error('the lease has expired, or another process has it');
  }

  function owe(uid, names) {
    if (names.length === 0) return;
    owed.set(uid, union(owed.get(uid) || [], names));
    pump();
  }

  /** Adds a user to channels again, if he is still here. */
  async function putBack(uid, names) {
    if (!isHere(uid)) return;
    returning += 1;
    try {
      await checkLease();
      found.putBack += await store.addBack(sid, uid, names);
    } catch (err) {
      owed.set(uid, union(names, owed.get(uid) || []));
      throw err;
    } finally {
      returning -= 1;
    }
  }

  /** Continues what had to wait for the lease or the store. */
  function resume() {
    isPaused = false;
    isLost = false;
    pump();
  }

  /** Looks for members without a session. */
  async function compare() {
    if (isToRestore) await restore();
    if (!isHeld()) return;
    let left = MOST_FOUND;
    for (const uid of await store.uids(sid)) {
      if (isHere(uid) || ready.has(uid) || inFlight.has(uid)) continue;
      if (left === 0) return;
      left -= 1;
      found.found += 1;
      wait(uid, 'reconcile');
    }
    found.comparisons += 1;
  }

  function regained() {
    isToRestore = true;
  }

  /** Puts back what others have purged, believing this frontend dead, of those who still have a session. */
  async function restore() {
    // At once: the lease is not renewed before it is done.
    const here = (await store.goneUids(sid)).filter(isHere);
    for (let at = 0; at < here.length; at += MOST_ASKED) {
      const part = here.slice(at, at + MOST_ASKED);
      const channels = await Promise.all(part.map((uid) => store.gone(sid, uid)));
      part.forEach((uid, i) => owe(uid, channels[i]));
    }
    const isLeft = () => owed.size + returning > 0;
    while (isLeft() && inFlight.size > 0) await Promise.race(inFlight.values());
    if (isLeft()) throw new Error('memberships could not be put back');
    await store.forget(sid);
    isToRestore = false;
  }

  /** Resolves when nothing is in flight. */
  async function settled() {
    while (inFlight.size > 0) await Promise.all(inFlight.values());
  }

  /** Another process has the lease: it decides about members now. */
  function lost() {
    isLost = true;
    isToRestore = false;
    waiting.clear();
    ready.clear();
    owed.clear();
  }

  /** Removes all members, because the frontend is being stopped. */
  async function purge(epoch) {
    await settled();
    const { count } = await store.purge(sid, { epoch, keep: 0, reason: 'close' });
    leaves.stop += count;
  }

  function close() {
    isOpen = false;
    clearTimeout(timer);
    timer = undefined;
    clearTimeout(scanTimer);
  }

  function stats() {
    const leaving = waiting.size + ready.size + inFlight.size;
    return { leaves: { ...leaves }, waiting: leaving + owed.size, ...found };
  }
};

function union(names, others) {
  return others.length > 0 ? [...new Set([...names, ...others])] : names;
}
