'use strict';

// Removes what dead frontends have left in the store. Each process with option `sessions` looks for leases that have
// expired, at intervals of its own; the store decides again in the step that removes, so two at once are harmless. That
// a server has left the cluster proves nothing, so events about servers are not used.

const { words } = require('../logger');

/** How much longer than a third of the lease the time to the next look may be. */
const JITTER = 0.25;

/** Makes `{begin, close, stats}`. `isOwn(sid)` tells which lease this process keeps itself. */
module.exports = function createSweeper(store, isOwn, log, { leaseTtl }) {
  const counts = { sweeps: 0, sweptFrontends: 0, sweptUsers: 0, failedSweeps: 0 };
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
  };

  function plan() {
    if (!isOpen) return;
    const ms = (leaseTtl / 3) * (1 + JITTER * Math.random());
    timer = setTimeout(sweep, ms).unref();
  }

  async function sweep() {
    try {
      const expired = (await store.leases()).filter(({ sid, ttl }) => ttl === 0 && !isOwn(sid));
      for (const { sid } of expired) {
        if (!isOpen) return;
        const { swept, removed } = await store.sweep(sid);
        if (swept) {
          counts.sweptFrontends += 1;
          counts.sweptUsers += removed;
          log('info', `the lease of ${sid} has expired: its ${removed} users are offline`);
        }
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
};
