'use strict';

// Removes what dead frontends have left in the store. Each process with option `sessions` looks for leases that have
// expired, at intervals of its own; the store decides again in the step that removes, so two at once are harmless. That
// a server has left the cluster proves nothing, so events about servers are not used.
//
// Members are removed only if the frontend has had them end with their sessions (`membership: 'session'`): those of others are
// theirs to keep, and no other process would put them back. After the sweep, and after an orderly stop, work is left: to find
// members that are not in the index (scan.js). One process takes it; if it dies, another one does.

const { randomBytes } = require('crypto');
const { words } = require('../logger');

/** How much longer than a third of the lease the time to the next look may be. */
const JITTER = 0.25;

/** For how many leases the members of a dead frontend are kept: it may only have been cut off. */
const KEPT = 10;

/**
 * Makes `{begin, close, stats, purges}`. `isOwn(sid)` tells which lease this process keeps itself; `scan` is that of scan.js;
 * `seen(leases)` is called with all leases that were found, `emit(event, told)` tells the app.
 */
module.exports = function createSweeper(store, isOwn, log, { leaseTtl, scan }, seen, emit) {
  const by = randomBytes(12).toString('hex');
  const counts = { sweeps: 0, sweptFrontends: 0, sweptUsers: 0, failedSweeps: 0 };
  let purged = 0;
  /** When the leases that were seen end, unless they are renewed. */
  const ending = new Map();
  /** How long after the end of the lease the last purge of a dead frontend was done, in ms. */
  let lag = null;
  let timer;
  let isOpen = false;
  /** The frontends whose work this process has taken. */
  const scanned = new Set();
  let hasFailedToScan = false;

  return {
    begin() {
      isOpen = true;
      plan();
    },
    close() {
      isOpen = false;
      clearTimeout(timer);
    },
    stats: () => ({ ...counts }),
    purges: () => ({ purged, lag }),
  };

  function plan() {
    if (!isOpen) return;
    const ms = (leaseTtl / 3) * (1 + JITTER * Math.random());
    timer = setTimeout(sweep, ms).unref();
  }

  async function sweep() {
    try {
      const leases = await store.leases();
      seen(leases);
      const listed = performance.now();
      note(leases, listed);
      const expired = leases.filter(({ sid, ttl }) => ttl === 0 && !isOwn(sid));
      for (const lease of expired) {
        // What is old may be wrong: a frontend may have been started with another option.
        if (!isOpen || performance.now() - listed > leaseTtl / 3) break;
        await (lease.isSwept ? finish(lease) : sweepOne(lease));
      }
      if (!isOpen) return;
      counts.sweeps += 1;
    } catch (err) {
      if (!isOpen) return;
      if (counts.failedSweeps === 0) {
        log('warn', `expired leases could not be looked for, and are later: ${words(err)}`);
      }
      counts.failedSweeps += 1;
    }
    plan();
  }

  /** Notes when leases end: the store tells of one that has ended no more than that. */
  function note(leases, now) {
    const there = new Set(leases.map(({ sid }) => sid));
    for (const sid of [...ending.keys()].filter((known) => !there.has(known))) ending.delete(sid);
    for (const { sid, ttl } of leases.filter((lease) => lease.ttl > 0)) ending.set(sid, now + ttl);
  }

  async function sweepOne({ sid, ends }) {
    // First, as long as the set of all leases has this one: if this process dies meanwhile, another one goes on. Also
    // without option `membership`, since the other process may have had it.
    const { state, members } = ends ? await purge(sid) : { state: 'free', members: 0 };
    const { swept, removed } =
      state === 'lost' ? { swept: false, removed: 0 } : await store.sweep(sid, ends);
    if (swept) {
      counts.sweptFrontends += 1;
      counts.sweptUsers += removed;
      if (ending.has(sid)) lag = Math.max(0, Math.round(performance.now() - ending.get(sid)));
      ending.delete(sid);
      const what = `its ${removed} users are offline, ${members} memberships were removed`;
      log('info', `the lease of ${sid} has expired: ${what}`);
    }
    if (swept || members > 0) emit('purged', { sid, users: removed, members });
    if (swept && ends) await finish({ sid, age: 0 });
  }

  async function purge(sid) {
    const keep = KEPT * leaseTtl;
    const { state, count } = await store.purge(sid, { epoch: '', keep, reason: 'purge' });
    purged += count;
    return { state, members: count };
  }

  /** Does the work that is left after a sweep, unless another process has it. The next sweep does not wait for it. */
  async function finish({ sid, age }) {
    if (scanned.has(sid) || !(await store.take(sid, by, KEPT * leaseTtl))) return;
    if (age > KEPT * leaseTtl) {
      // What is there now may be of a later process without leases.
      await store.finish(sid, by);
      return;
    }
    scanned.add(sid);
    finishTaken(sid)
      .then(() => {
        hasFailedToScan = false;
      })
      .catch((err) => {
        if (!isOpen || hasFailedToScan) return;
        hasFailedToScan = true;
        const line = `channels could not be searched for members that others added on ${sid}`;
        log('warn', `${line}, and are later: ${words(err)}`);
      })
      .then(() => scanned.delete(sid));
  }

  async function finishTaken(sid) {
    let members = 0;
    // Waiting for other scans takes long: it may have been started again, with another option, and have ended again.
    const isEnding = async () =>
      (await store.leases()).some((lease) => lease.sid === sid && lease.ends);
    const isWanted = async () => {
      if (!isOpen || !(await isEnding())) return false;
      // The lease is checked by the purge, and so by an empty one.
      const done = await purge(sid);
      members += done.members;
      return done.state !== 'lost';
    };
    try {
      if (await scan.run(sid, isWanted)) await store.finish(sid, by);
    } finally {
      if (members > 0) emit('purged', { sid, users: 0, members });
    }
  }
};
