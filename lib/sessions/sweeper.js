'use strict';

// Removes what dead frontends have left in the store. Each process with option `sessions` looks for leases that have
// expired, at intervals of its own; the store decides again in the step that removes, so two at once are harmless. That
// a server has left the cluster proves nothing, so events about servers are not used.

const { words } = require('../logger');

/** How much longer than a third of the lease the time to the next look may be. */
const JITTER = 0.25;

/** For how many leases the members of a dead frontend are kept: it may only have been cut off. */
const KEPT = 10;

/**
 * Makes `{begin, close, stats, purged}`. `isOwn(sid)` tells which lease this process keeps itself; `seen(leases)` is called
 * with all leases that were found, `emit(event, told)` tells the app.
 */
module.exports = function createSweeper(store, isOwn, log, { leaseTtl }, seen, emit) {
  const counts = { sweeps: 0, sweptFrontends: 0, sweptUsers: 0, failedSweeps: 0 };
  let purged = 0;
  let timer;
  let isOpen = false;

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
    purged: () => purged,
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
      const expired = leases.filter(({ sid, ttl }) => ttl === 0 && !isOwn(sid));
      for (const { sid } of expired) {
        if (!isOpen) return;
        await sweepOne(sid);
      }
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

  async function sweepOne(sid) {
    // First, as long as the set of all leases has this one: if this process dies meanwhile, another one goes on. Also
    // without option `membership`, since the other process may have had it.
    const { state, count: members } = await store.purge(sid, {
      epoch: '',
      keep: KEPT * leaseTtl,
      reason: 'purge',
    });
    purged += members;
    const { swept, removed } =
      state === 'lost' ? { swept: false, removed: 0 } : await store.sweep(sid);
    if (swept) {
      counts.sweptFrontends += 1;
      counts.sweptUsers += removed;
      const what = `its ${removed} users are offline, ${members} memberships were removed`;
      log('info', `the lease of ${sid} has expired: ${what}`);
    }
    if (swept || members > 0) emit('purged', { sid, users: removed, members });
  }
};
