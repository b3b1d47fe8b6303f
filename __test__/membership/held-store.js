'use strict';

/**
 * A frontend whose members end with their sessions (lib/sessions/members.js), on a store whose answers come when the test says so:
 * for the orders of events that a real store does not give at will.
 */

const createMembers = require('../../lib/sessions/members');
const { until } = require('../support/until');

/** A store with the channels of each user, that answers at once, but for the operations in `held`. */
function createStore() {
  const store = {
    log: [],
    index: new Map(),
    kept: new Map(),
    held: new Set(),
    waiting: [],
    holds: true,
  };
  const of = (uid) => store.index.get(uid) || new Set();
  const keep = (uid, names) => {
    store.kept.set(uid, [...(store.kept.get(uid) || []), ...names]);
  };
  const fenced = (act) => (uid, how) => {
    if (!store.holds) return { state: 'lost', count: 0 };
    return { state: 'held', count: act(uid, how) };
  };
  const operations = {
    leave: fenced((uid) => {
      const names = [...of(uid)];
      store.index.delete(uid);
      if (names.length > 0) keep(uid, names);
      return names.length;
    }),
    putBack: fenced((uid) => {
      const before = of(uid).size;
      const names = store.kept.get(uid) || [];
      store.kept.delete(uid);
      if (names.length > 0) store.index.set(uid, new Set([...of(uid), ...names]));
      return of(uid).size - before;
    }),
    uids: () => [...store.index.keys()],
    purge: () => {
      const count = [...store.index.values()].reduce((sum, names) => sum + names.size, 0);
      store.index.clear();
      return { state: 'held', count };
    },
    goneUids: () => [...store.kept.keys()],
    forget: (epoch, uid) =>
      fenced(() => (uid === undefined ? store.kept.clear() : store.kept.delete(uid)))(),
  };
  for (const [op, answer] of Object.entries(operations)) {
    store[op] = (sid, ...args) => {
      store.log.push([op, ...args]);
      return new Promise((resolve, reject) => {
        // The step is executed when it is sent or, with `go(err, true)`, not at all.
        const settle = (err, isNotExecuted) => {
          const value = isNotExecuted ? undefined : answer(...args);
          if (err) reject(err);
          else resolve(value);
        };
        if (store.held.has(op)) store.waiting.push(settle);
        else settle();
      });
    };
  }
  store.join = (uid, ...names) => store.index.set(uid, new Set([...of(uid), ...names]));
  store.in = (uid) => [...of(uid)].sort();
  store.count = (op) => store.log.filter(([each]) => each === op).length;
  store.go = (...args) => store.waiting.splice(0).forEach((settle) => settle(...args));
  store.until = (op) => until(() => store.waiting.length > 0, `${op} to be sent`);
  return store;
}

const running = [];

const closeAll = () => running.splice(0).forEach((members) => members.close());

/** The members of a frontend on such a store, and its sessions. `closeAll` closes what this makes. */
function createFrontend({ leaveDelay = 1 } = {}) {
  const [sessions, lines, store] = [new Set(), [], createStore()];
  const frontend = { store, lines, isHeld: true, hurried: 0 };
  const members = createMembers('s1', store, (...line) => lines.push(line), {
    has: (uid) => sessions.has(uid),
    isHeld: () => frontend.isHeld,
    hurry: () => {
      frontend.hurried += 1;
    },
    epoch: 'e1',
    leaveDelay,
    leaseTtl: 1000,
  });
  running.push(members);
  return Object.assign(frontend, {
    members,
    sessions,
    login(uid) {
      sessions.add(uid);
      members.came(uid);
    },
    logout(uid) {
      sessions.delete(uid);
      members.went(uid);
    },
    gone: (...uids) =>
      until(() => uids.every((uid) => store.in(uid).length === 0), `${uids} to be no members`),
    async renew() {
      members.resume();
      await members.compare();
    },
  });
}

module.exports = { closeAll, createFrontend };
