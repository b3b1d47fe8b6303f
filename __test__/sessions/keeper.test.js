'use strict';

/**
 * The keeper of a frontend's lease (lib/sessions/keeper.js) against a store whose answers come when the test says so: the orders of
 * events that a real store does not give at will.
 */

const assert = require('assert');
const { EventEmitter } = require('events');
const { afterEach, describe, it } = require('node:test');
const createKeeper = require('../../lib/sessions/keeper');
const { until, nothingFor } = require('../support/until');

const TIMEOUT = 20000;
const TTL = 60;

/** A store that answers at once, but for the operations in `held`; `list` is what it has. */
function createStore() {
  const store = { log: [], list: new Set(), held: new Set(), waiting: [], state: 'held' };
  /** Writes in the name of the epoch that has claimed the lease, if it has it still. */
  const write = (epoch, act) => {
    assert.strictEqual(epoch, store.epoch);
    if (store.isClaimed) return { state: 'lost', count: 0 };
    act();
    return { state: 'held', count: 1 };
  };
  const answers = {
    claim: (sid, epoch) => {
      store.epoch = epoch;
      return { previous: null, removed: 0 };
    },
    renew: () => {
      if (store.state === 'regained') store.isClaimed = false;
      return store.state;
    },
    release: () => ({}),
    members: () => [...store.list],
    add: (sid, epoch, uids) => write(epoch, () => uids.forEach((uid) => store.list.add(uid))),
    remove: (sid, epoch, uids) => write(epoch, () => uids.forEach((uid) => store.list.delete(uid))),
  };
  for (const [op, answer] of Object.entries(answers)) {
    store[op] = (...args) => {
      store.log.push([op, ...args.slice(1)]);
      return new Promise((resolve, reject) => {
        const settle = (err) => {
          if (err) reject(err);
          else resolve(answer(...args));
        };
        if (store.held.has(op)) store.waiting.push(settle);
        else settle();
      });
    };
  }
  store.writes = () => store.log.filter(([op]) => op === 'add' || op === 'remove');
  /** Answers what waits, with an error if there is one. */
  store.go = (err) => store.waiting.splice(0).forEach((settle) => settle(err));
  return store;
}

function createFrontend(options = {}) {
  const sessions = new Map();
  const event = new EventEmitter();
  const service = { forEachBindedSession: (each) => sessions.forEach((session) => each(session)) };
  const app = { event, get: (name) => (name === 'sessionService' ? service : undefined) };
  const [store, lines, events] = [createStore(), [], []];
  const limits = { leaseTtl: TTL, longestUid: 100, ...options };
  const log = (...line) => lines.push(line);
  const emit = (name, told) => events.push([name, told]);
  const keeper = createKeeper(app, 's1', store, log, limits, emit);
  running.push(keeper);
  return {
    keeper,
    store,
    lines,
    events,
    open(id, uid) {
      sessions.set(id, { id, uid });
      event.emit('bind_session', { id, uid });
    },
    close(id) {
      sessions.delete(id);
      event.emit('close_session', { id, uid: null });
    },
  };
}

const running = [];
afterEach(() => running.splice(0).forEach((keeper) => keeper.close()));

const row = (title, fn) => it(title, { timeout: TIMEOUT }, fn);

describe('the keeper of a lease', () => {
  row('a user who closes before a comparison has added him is not added', async () => {
    const { keeper, store, open, close } = createFrontend({ leaseTtl: 60000 });
    store.held.add('members');
    const begun = keeper.begin();
    await until(() => store.waiting.length === 1, 'the comparison to read the list');
    // Two chunks, of which the second is written after the close.
    for (let n = 0; n < 1500; n += 1) open(n, `u${n}`);
    store.log.length = 0;
    store.list.clear();
    store.held = new Set(['add']);
    store.go();
    await until(() => store.waiting.length > 0, 'the first chunk');
    close(1499);
    store.held.clear();
    store.go();
    await begun;
    assert.strictEqual(store.list.has('u1498'), true);
    assert.strictEqual(store.list.has('u1499'), false);
    assert.ok(!store.log.some(([op, , uids]) => op === 'add' && uids.includes('u1499')));
  });

  row('a burst has a bounded number of writes, and a comparison does the rest', async () => {
    const { keeper, store, open } = createFrontend({ leaseTtl: 60000 });
    await keeper.begin();
    store.held.add('add');
    for (let n = 0; n < 5000; n += 1) open(n, `u${n}`);
    assert.strictEqual(store.waiting.length, 256);
    store.held.clear();
    store.go();
    await until(() => store.list.size === 5000, 'all users to be in the list');
    assert.strictEqual(keeper.stats().added, 5000 - 256);
    assert.ok(store.writes().length < 256 + 10);
  });

  row('a burst during a comparison has another comparison after it', async () => {
    const { keeper, store, open } = createFrontend({ leaseTtl: 60000 });
    store.held.add('add');
    open(0, 'first');
    const begun = keeper.begin();
    await until(() => store.waiting.length === 1, 'the comparison to write');
    for (let n = 1; n <= 300; n += 1) open(n, `u${n}`);
    store.held.clear();
    store.go();
    await begun;
    await until(() => store.list.size === 301, 'all users to be in the list');
    assert.strictEqual(keeper.stats().comparisons, 2);
  });

  row('a first comparison that fails does not fail the start, and is tried again', async () => {
    const { keeper, store, open, lines } = createFrontend({ leaseTtl: 60000 });
    store.held.add('members');
    open(1, 'alice');
    const begun = keeper.begin();
    for (let n = 1; n <= 3; n += 1) {
      await until(() => store.waiting.length === 1, `attempt ${n}`);
      store.go(new Error('the store is away'));
      await begun;
    }
    assert.strictEqual(keeper.stats().lease.state, 'held');
    store.held.clear();
    await until(() => store.list.has('alice'), 'alice to be in the list');
    assert.strictEqual(lines.length, 1);
    assert.match(lines[0][1], /could not be compared .* the store is away/);
  });

  row('a write that fails is made up for by the next renewal', async () => {
    const { keeper, store, open, lines } = createFrontend();
    await keeper.begin();
    store.held.add('add');
    open(1, 'alice');
    store.go(new Error('the store is away'));
    store.held.clear();
    await until(() => store.list.has('alice'), 'alice to be in the list');
    assert.ok(
      lines.some(([level, line]) => level === 'warn' && /with the next renewal/.test(line)),
    );
  });

  const REFUSED = [
    'warn',
    'who is online on s1 was not written: the lease has expired, or another process has it',
  ];
  const renewals = (store) => store.log.filter(([op]) => op === 'renew').length;

  row('a write that the store refuses: the lease is taken again at once, with all', async () => {
    const { keeper, store, open, lines } = createFrontend({ leaseTtl: 600000 });
    await keeper.begin();
    store.isClaimed = true;
    store.state = 'regained';
    open(1, 'alice');
    open(2, 'bob');
    await until(() => store.list.size === 2, 'both to be in the list');
    assert.deepStrictEqual(lines[0], REFUSED);
    assert.deepStrictEqual(
      lines.map(([, line]) => / had expired and was claimed again/.test(line)),
      [false, true],
    );
    const { lost, regained, failedRenewals } = keeper.stats();
    assert.deepStrictEqual([lost, regained, failedRenewals, renewals(store)], [0, 1, 0, 1]);
    // Once more, as it was made up for.
    store.isClaimed = true;
    open(3, 'carol');
    await until(() => store.list.size === 3, 'carol to be in the list');
  });

  row('a write that the store refuses: that another process has the lease is known', async () => {
    const { keeper, store, open, lines, events } = createFrontend({ leaseTtl: 600000 });
    await keeper.begin();
    store.isClaimed = true;
    store.state = 'lost';
    open(1, 'alice');
    await until(() => events.length > 0, 'the event');
    assert.deepStrictEqual(events, [['lease-lost', { sid: 's1' }]]);
    open(2, 'bob');
    await nothingFor(50);
    assert.deepStrictEqual(lines[0], REFUSED);
    assert.match(lines[1][1], /^another process has claimed the lease/);
    assert.strictEqual(lines.length, 2);
    assert.deepStrictEqual([keeper.stats().failedRenewals, renewals(store)], [0, 1]);
  });

  row(
    'a renewal for a refused write is made once, and what it compares may be refused',
    async () => {
      const { keeper, store, open, lines } = createFrontend({ leaseTtl: 600000 });
      await keeper.begin();
      store.isClaimed = true;
      open(1, 'alice');
      await until(() => store.writes().length === 2, 'the comparison after the renewal');
      open(2, 'bob');
      await nothingFor(50);
      assert.deepStrictEqual([keeper.stats().failedRenewals, renewals(store)], [0, 1]);
      assert.strictEqual(store.list.size, 0);
      assert.ok(lines.every(([, line]) => line === REFUSED[1]));
    },
  );

  row('a renewal that fails is tried again sooner, and an outage is logged once', async () => {
    const { keeper, store, lines } = createFrontend({ leaseTtl: 600 });
    await keeper.begin();
    store.held.add('renew');
    for (let n = 1; n <= 4; n += 1) {
      await until(() => store.waiting.length === 1, `attempt ${n}`);
      store.go(new Error('the store is away'));
    }
    assert.strictEqual(lines.length, 1);
    store.held.clear();
    store.go();
    await until(() => keeper.stats().renewals >= 1, 'a renewal');
    assert.ok(keeper.stats().failedRenewals >= 4);
    assert.strictEqual(keeper.stats().lease.state, 'held');
  });

  row('without the lease nothing is written until it is held again', async () => {
    const { keeper, store, open, lines, events } = createFrontend();
    await keeper.begin();
    open(1, 'alice');
    await until(() => store.list.has('alice'), 'alice to be in the list');
    store.state = 'lost';
    await until(() => keeper.stats().lease.state === 'lost', 'the lease to be lost');
    store.list.clear();
    store.log.length = 0;
    open(2, 'bob');
    await nothingFor(3 * TTL);
    assert.deepStrictEqual(store.writes(), []);
    assert.strictEqual(lines.filter(([level]) => level === 'error').length, 1);
    store.state = 'regained';
    await until(() => store.list.size === 2, 'both to be in the list');
    assert.ok(keeper.stats().regained >= 1);
    await until(() => events.length >= 2, 'the events');
    assert.deepStrictEqual(events[0], ['lease-lost', { sid: 's1' }]);
    assert.deepStrictEqual(events[1], ['lease-regained', { sid: 's1' }]);
  });

  row('a lease regained during a comparison: the app is told when all users are back', async () => {
    const { keeper, store, open, events } = createFrontend();
    await keeper.begin();
    open(1, 'alice');
    open(2, 'bob');
    await until(() => store.list.size === 2, 'both to be in the list');
    store.held.add('add');
    store.list.delete('alice');
    await until(() => store.waiting.length === 1, 'a comparison to write, which has read bob');
    store.state = 'regained';
    await until(() => keeper.stats().regained >= 1, 'the lease to be regained');
    store.state = 'held';
    store.list.clear();
    const lists = [];
    events.push = ([name]) => lists.push([name, [...store.list].sort()]);
    store.held.clear();
    store.go();
    await until(() => lists.length > 0, 'the event');
    assert.deepStrictEqual(lists[0], ['lease-regained', ['alice', 'bob']]);
  });

  row('a release during the claim comes after it, and a comparison writes no more', async () => {
    const { keeper, store, open } = createFrontend();
    store.held.add('claim');
    const begun = keeper.begin();
    open(1, 'alice');
    const ended = keeper.end();
    await nothingFor(20);
    const ops = () => store.log.map(([op]) => op);
    assert.deepStrictEqual(ops(), ['claim']);
    store.held.clear();
    store.go();
    await Promise.all([begun, ended]);
    assert.deepStrictEqual(ops(), ['claim', 'release']);
    open(2, 'bob');
    await nothingFor(2 * TTL);
    assert.deepStrictEqual(store.writes(), []);
  });

  row('a uid that the store does not take is left out, with one line in the log', async () => {
    const { keeper, store, open, lines } = createFrontend();
    await keeper.begin();
    open(1, 'ü'.repeat(51));
    open(2, 'ü'.repeat(52));
    open(3, 'ü'.repeat(50));
    await until(() => store.list.has('ü'.repeat(50)), 'the short one');
    assert.strictEqual(store.list.size, 1);
    assert.strictEqual(lines.filter(([, line]) => /102 bytes is too long/.test(line)).length, 1);
  });
});
