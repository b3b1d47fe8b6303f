'use strict';

// Who is online (option `sessions`): puts together what keeps this frontend's users in the store (keeper.js), what
// removes those of dead frontends (sweeper.js), and what answers questions (registry.js). When each begins and ends is
// decided in Rust (`src/binding/service/lifecycle.rs`).

const createKeeper = require('./keeper');
const warnOfMissingHeartbeat = require('./heartbeat');
const createLeaseless = require('./leaseless');
const createRegistry = require('./registry');
const createScan = require('./scan');
const createStore = require('./store');
const createSweeper = require('./sweeper');
const { emit } = require('../events');
const harmless = require('../harmless');

/** How long a stop waits for its members to go. With the drain time it is less than the 3 s that the frameworks wait. */
const MEMBERS_STOP = 1500;

/** The figures of a process that is no frontend, or has not started. */
const NO_LEASE = {
  lease: null,
  sessions: 0,
  users: 0,
  renewals: 0,
  failedRenewals: 0,
  regained: 0,
  lost: 0,
  comparisons: 0,
  added: 0,
  removed: 0,
  missedEvents: 0,
};
const NO_MEMBERS = {
  leaves: { close: 0, reconcile: 0, stop: 0, purge: 0 },
  waiting: 0,
  putBack: 0,
  comparisons: 0,
  found: 0,
};
const NO_SCANS = { runs: 0, steps: 0, channels: 0, entered: 0, duration: null };
const NO_PURGES = { purged: 0, lag: null };
const NO_SWEEPS = { sweeps: 0, failedSweeps: 0, sweptFrontends: 0, sweptUsers: 0 };

/**
 * Makes the host's functions for the registry of `channel`. `sessions` are `{leaseTtl, longestUid, membership,
 * leaveDelay}`, or null without it, and `drain` is the time of a stop. `settle(token, answer)` takes the arguments of a callback, in a later turn.
 */
module.exports = function createSessions(channel, app, log, { sessions: options, drain }, settle) {
  if (!options) {
    return { close() {}, stats: () => null, members: () => null, used() {}, usedAll() {} };
  }
  const store = createStore(channel);
  const registry = createRegistry(store);
  let scan;
  let keeper;
  let sweeper;
  let isOpen = false;
  const tell = (event, told) => emit(channel, event, told);
  const leaseless = options.membership
    ? createLeaseless(app, log)
    : { used() {}, usedAll() {}, seen() {} };

  const { used, usedAll } = leaseless;
  return { begin, end, ask, find: registry.find, close, stats, members, used, usedAll };

  /** Claims the lease, if this process is a frontend; then settles `token`. */
  function begin(token) {
    const sid = frontendId(app);
    scan = createScan(store, everyFrontend);
    const tools = { ...options, scan };
    keeper = sid === undefined ? undefined : createKeeper(app, sid, store, log, tools, tell);
    const isOwn = (other) => other === sid;
    sweeper = createSweeper(store, isOwn, log, tools, leaseless.seen, tell);
    isOpen = true;
    if (keeper) warnOfMissingHeartbeat(app, log);
    const begun = keeper ? keeper.begin() : Promise.resolve();
    begun.then(
      () => {
        if (isOpen) sweeper.begin();
        settle(token, [null]);
      },
      (err) => settle(token, [err]),
    );
  }

  /** Resolves to the ids of all servers that the app or the store knows. */
  async function everyFrontend() {
    const ids = (await store.leases()).map(({ sid }) => sid);
    harmless(() => ids.push(...Object.keys(app.getServers())));
    return ids;
  }

  /** Releases the lease, because the service is being stopped; then settles `token`. */
  function end(token) {
    isOpen = false;
    scan?.close();
    sweeper?.close();
    const released = keeper ? keeper.end() : Promise.resolve();
    let timer;
    // A lease that is not released expires, so half of the drain time is enough to wait. Members are waited for longer.
    const late = new Promise((resolve) => {
      timer = setTimeout(resolve, options.membership ? MEMBERS_STOP : drain / 2);
    });
    Promise.race([released, late]).then(() => {
      clearTimeout(timer);
      settle(token, []);
    });
  }

  /** Forgets it: the service has ended, or its start has failed. */
  function close() {
    isOpen = false;
    scan?.close();
    keeper?.close();
    sweeper?.close();
  }

  /** Answers a method of `src/binding/service/users.rs`. */
  function ask(token, method, ...args) {
    registry.answers[method](...args).then(
      (value) => settle(token, [null, value]),
      (err) => settle(token, [err, undefined]),
    );
  }

  function members() {
    if (!options.membership) return null;
    const own = keeper?.members() || NO_MEMBERS;
    const { purged, lag } = sweeper?.purges() || NO_PURGES;
    const leaves = { ...own.leaves, purge: own.leaves.purge + purged };
    return { ...own, leaves, purgeLag: lag, scan: scan?.stats() || { ...NO_SCANS } };
  }

  function stats() {
    return {
      ...(keeper ? keeper.stats() : NO_LEASE),
      ...(sweeper ? sweeper.stats() : NO_SWEEPS),
    };
  }
};

/** Returns the id of this server, if it is a frontend. */
function frontendId(app) {
  let sid;
  harmless(() => {
    const { serverId } = app;
    const isFrontend = typeof app.isFrontend === 'function' && app.isFrontend();
    if (isFrontend && serverId !== undefined && serverId !== null) sid = String(serverId);
  });
  return sid;
}
