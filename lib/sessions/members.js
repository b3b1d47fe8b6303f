'use strict';

// Ends memberships with the sessions of this frontend (option `membership: 'session'`). A user whose last session has
// ended leaves all his channels here after `leaveDelay`, unless he is back by then. With each renewal of the lease the users
// of the store's index are compared with the sessions, so a lost event, or an `add` that came after the close, is
// corrected too. Nothing is written while the lease is not held: the frontend is not the authority then, and the store checks that in
// each step.
//
// What a leave removes is kept in the store until it is decided whether the user is back: then it is put back, or kept no longer. The
// store also knows what the app has removed meanwhile, which is not put back.
//
// Members that are not in the index, because others have added them, are added to it by a scan (scan.js): one begins with the
// start, then one every ten leases.
//
// There is one operation at a time for each user, so that a leave and what puts it back do not overtake one another.

const { allowed, Refused } = require('./store');
const { words } = require('../logger');

/** The maximum number of users for whom operations are in flight. */
const MOST_IN_FLIGHT = 64;

/** For how many leases members that were removed are kept at most: the store may be away before it is decided about them. */
const KEPT = 10;

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
 * session, `isHeld()` whether the lease of `leaseTtl` is held by `epoch` as far as this process knows; `hurry()` has it renewed soon; `scan` is that of scan.js. `went(uid)` and `came(uid)` are to be called when the last session of a user
 * has ended and when the first one was bound, `resume()` and `compare()` after each renewal.
 */
module.exports = function createMembers(sid, store, log, options) {
  const { epoch, has, isHeld, hurry, leaveDelay, leaseTtl, scan } = options;
  const leaves = { close: 0, reconcile: 0, stop: 0, purge: 0 };
  const found = { putBack: 0, comparisons: 0, found: 0 };
  /** Users whose `leaveDelay` has not passed, in the order in which it passes: `{due, reason}`. */
  const waiting = new Map();
  /** Users who are to leave now, or when the store can be reached: `{reason, isSent}`, `isSent` after a failed attempt. */
  const ready = new Map();
  /** Users of whom something is kept, and whether it is put back or kept no longer. */
  const owed = new Map();
  /** Users with an operation in flight, and its promise. */
  const inFlight = new Map();
  let timer;
  let isOpen = true;
  /** The error of an operation that has failed: the others wait for the next renewal. */
  let pausedBy;
  /** The lease was regained, and what others have purged meanwhile was not put back yet. */
  let isToRestore = false;
  /** That is being done: no leave begins, since what is kept is forgotten at the end. */
  let isRestoring = false;
  /** Another process has the lease. */
  let isLost = false;
  let scanTimer;
  let hasFailedToScan = false;

  return { begin, went, came, resume, compare, regained, lost, purge, close, stats };

  /** Removes what an earlier epoch has left. There are no clients yet. */
  async function begin() {
    const { count } = await store.purge(sid, { epoch, keep: 0, reason: 'replaced' });
    leaves.purge += count;
    await store.forget(sid, epoch);
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
    if (failed?.isSent) owe(uid, true);
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
      if (!has(uid)) ready.set(uid, { reason, isSent: ready.get(uid)?.isSent || false });
    }
    pump();
    arm();
  }

  /** Starts what can be started. */
  function pump() {
    start(owed, decide);
    if (!isRestoring) start(ready, leave);
  }

  function start(users, operation) {
    for (const uid of users.keys()) {
      if (!isOpen || pausedBy || inFlight.size >= MOST_IN_FLIGHT || !isHeld()) return;
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
    const isRefused = err instanceof Refused;
    if (!pausedBy && isOpen) {
      const what = isRefused ? 'were not changed' : 'wait for the next renewal';
      log('warn', `memberships of users on ${sid} ${what}: ${words(err)}`);
    }
    pausedBy = err;
    if (isRefused) hurry();
  }

  /** Whether a user is to stay: he has a session, or had one until a moment ago. */
  function isHere(uid) {
    return has(uid) || waiting.has(uid);
  }

  /** Has a user leave all channels. `isSent` tells whether the store may have done it already. */
  async function leave(uid, { reason, isSent }) {
    if (isHere(uid)) {
      if (isSent) owe(uid, true);
      return;
    }
    try {
      const keep = KEPT * leaseTtl;
      const left = await allowed(store.leave(sid, uid, { epoch, keep, reason: 'close' }));
      leaves[reason] += left;
      if (left > 0 || isSent) owe(uid, isHere(uid));
    } catch (err) {
      // Done again with the next renewal; who is here by then is put back.
      ready.set(uid, { reason, isSent: true });
      throw err;
    }
  }

  function owe(uid, isBack) {
    owed.set(uid, isBack);
    pump();
  }

  /** Puts back what is kept of a user, or keeps it no longer. */
  async function decide(uid, isBack) {
    try {
      // Who has gone again by then, and is to leave, is not put back.
      if (isBack && isHere(uid)) {
        // Added to after the answer: operations of other users count meanwhile.
        const count = await allowed(store.putBack(sid, uid, epoch));
        found.putBack += count;
      } else {
        await allowed(store.forget(sid, epoch, uid));
      }
    } catch (err) {
      if (!owed.has(uid)) owed.set(uid, isBack);
      throw err;
    }
  }

  /** Continues what had to wait for the lease or the store. */
  function resume() {
    pausedBy = undefined;
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
    isRestoring = true;
    try {
      // At once: the lease is not renewed before it is done.
      (await store.goneUids(sid)).filter(isHere).forEach((uid) => owed.set(uid, true));
      pump();
      // A leave in flight may have to be put back as well.
      while (inFlight.size > 0) await Promise.race(inFlight.values());
      if (pausedBy instanceof Refused) throw pausedBy;
      if (owed.size > 0 || pausedBy) throw new Error('memberships could not be put back');
      await allowed(store.forget(sid, epoch));
      isToRestore = false;
    } finally {
      isRestoring = false;
      pump();
    }
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
  async function purge() {
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
