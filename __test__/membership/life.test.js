'use strict';

/**
 * When members leave with their sessions (lib/sessions/members.js), against a store whose answers come when the test says so: the
 * orders of events that a real store does not give at will.
 */

const assert = require('assert');
const { afterEach, describe, it } = require('node:test');
const { until, nothingFor } = require('../support/until');
const { closeAll, createFrontend } = require('./held-store');

const TIMEOUT = 20000;

afterEach(closeAll);

const row = (title, fn) => it(title, { timeout: TIMEOUT }, fn);

describe('members who leave with their sessions', () => {
  row('a user who has gone leaves after the delay, in one step', async () => {
    const { store, members, login, logout, gone } = createFrontend();
    login('alice');
    store.join('alice', 'a', 'b');
    logout('alice');
    assert.deepStrictEqual(store.log, []);
    await gone('alice');
    await until(() => members.stats().leaves.close === 2, 'the leave to be counted');
    await until(() => members.stats().waiting === 0, 'nothing to wait');
    const asked = { epoch: 'e1', keep: 10000, reason: 'close' };
    assert.deepStrictEqual(store.log, [
      ['leave', 'alice', asked],
      ['forget', 'e1', 'alice'],
    ]);
    assert.strictEqual(store.kept.size, 0);
  });

  row('a user who is back within the delay does not leave at all', async () => {
    const { store, members, login, logout } = createFrontend({ leaveDelay: 30 });
    login('alice');
    store.join('alice', 'a');
    logout('alice');
    login('alice');
    await nothingFor(100);
    assert.deepStrictEqual(store.log, []);
    assert.strictEqual(members.stats().waiting, 0);
  });

  row('each close begins the delay anew', async () => {
    const { store, login, logout, gone } = createFrontend({ leaveDelay: 1000 });
    login('alice');
    store.join('alice', 'a');
    logout('alice');
    await nothingFor(200);
    login('alice');
    logout('alice');
    const closed = performance.now();
    await gone('alice');
    assert.ok(performance.now() - closed >= 995);
  });

  row('who is back while he leaves is put back, beside what he has joined since', async () => {
    const { store, members, login, logout } = createFrontend();
    store.join('alice', 'a', 'b');
    store.held.add('leave');
    logout('alice');
    await store.until('the leave');
    login('alice');
    store.go();
    store.join('alice', 'c');
    await until(() => store.in('alice').length === 3, 'alice to be back');
    assert.deepStrictEqual(store.in('alice'), ['a', 'b', 'c']);
    assert.strictEqual(members.stats().putBack, 2);
  });

  row('who was back and has gone again while he leaves is a member until the delay', async () => {
    const frontend = createFrontend({ leaveDelay: 500 });
    const { store, login, logout, gone } = frontend;
    store.join('alice', 'a');
    store.held.add('leave');
    logout('alice');
    await store.until('the leave');
    login('alice');
    logout('alice');
    store.held.clear();
    store.go();
    await until(() => store.in('alice').length === 1, 'alice to be back');
    await gone('alice');
    assert.strictEqual(store.count('leave'), 2);
  });

  row('a leave and what puts it back are made one after the other', async () => {
    const { store, login, logout, gone } = createFrontend();
    store.join('alice', 'a');
    store.held = new Set(['leave', 'putBack']);
    logout('alice');
    await store.until('the leave');
    login('alice');
    store.go();
    await store.until('what puts her back');
    logout('alice');
    await nothingFor(30);
    assert.strictEqual(store.count('leave'), 1);
    store.held.clear();
    store.go();
    await gone('alice');
  });

  row('a leave that failed is made with the next renewal, once for each user', async () => {
    const { store, members, lines, logout, gone, renew } = createFrontend();
    store.join('alice', 'a');
    store.held.add('leave');
    logout('alice');
    await store.until('the leave');
    store.go(new Error('the store is away'), true);
    store.held.clear();
    logout('alice');
    logout('bob');
    await nothingFor(30);
    assert.deepStrictEqual([store.count('leave'), members.stats().waiting], [1, 2]);
    assert.strictEqual(lines.length, 1);
    await renew();
    await gone('alice');
    await until(() => members.stats().waiting === 0, 'nothing to wait');
    assert.strictEqual(
      store.log.filter(([op, uid]) => op === 'leave' && uid === 'alice').length,
      2,
    );
  });

  row(
    'what is kept no longer is forgotten before the next leave, also after a failure',
    async () => {
      const { store, members, login, logout, gone, renew } = createFrontend();
      store.join('alice', 'a');
      store.held.add('forget');
      logout('alice');
      await store.until('what forgets it');
      store.go(new Error('the store is away'), true);
      store.held.clear();
      login('alice');
      store.join('alice', 'b');
      await nothingFor(20);
      store.held.add('leave');
      logout('alice');
      await renew();
      await store.until('the leave');
      login('alice');
      store.held.clear();
      store.go();
      await until(() => members.stats().putBack === 1, 'alice to be back');
      assert.deepStrictEqual(store.in('alice'), ['b']);
      logout('alice');
      await gone('alice');
    },
  );

  for (const isNotExecuted of [true, false]) {
    const what = isNotExecuted ? 'not executed' : 'executed, and its answer was lost';
    row(`a leave that failed, ${what}: a user who is back is a member`, async () => {
      const { store, login, logout, renew } = createFrontend();
      store.join('alice', 'a', 'b');
      store.held.add('leave');
      logout('alice');
      await store.until('the leave');
      store.go(new Error('the store is away'), isNotExecuted);
      await nothingFor(5);
      login('alice');
      store.held.clear();
      await renew();
      await until(() => store.in('alice').length === 2, 'alice to be back');
      assert.strictEqual(store.count('leave'), 1);
    });
  }

  row('a leave that fails when the user is back already: he is a member', async () => {
    const { store, login, logout, renew } = createFrontend();
    store.join('alice', 'a', 'b');
    store.held.add('leave');
    logout('alice');
    await store.until('the leave');
    login('alice');
    store.go(new Error('the connection was lost'), false);
    store.held.clear();
    await until(() => store.in('alice').length === 0, 'the store to have done it');
    await nothingFor(5);
    await renew();
    await until(() => store.in('alice').length === 2, 'alice to be back');
  });

  row('a leave whose answer was lost is put back as a whole', async () => {
    const { store, login, logout, renew } = createFrontend();
    store.join('alice', 'a');
    store.held.add('leave');
    logout('alice');
    await store.until('the leave');
    // Executed once before.
    store.kept.set('alice', store.in('alice'));
    store.index.delete('alice');
    login('alice');
    store.go(new Error('the connection was lost'), true);
    store.held.clear();
    await nothingFor(5);
    await renew();
    await until(() => store.in('alice').length === 1, 'alice to be back');
  });

  row('a member without a session leaves after a comparison and the delay', async () => {
    const { store, members, login, renew, gone } = createFrontend();
    login('alice');
    store.join('alice', 'a');
    store.join('ghost', 'a', 'b');
    await renew();
    await gone('ghost');
    assert.deepStrictEqual(store.in('alice'), ['a']);
    await until(() => members.stats().leaves.reconcile === 2, 'the leave to be counted');
    const { comparisons, found } = members.stats();
    assert.deepStrictEqual([comparisons, found], [1, 1]);
  });

  row('a bounded number of users is in flight', async () => {
    const { store, logout } = createFrontend();
    const uids = Array.from({ length: 300 }, (_, n) => `u${n}`);
    uids.forEach((uid) => store.join(uid, 'a'));
    store.held.add('leave');
    uids.forEach(logout);
    await until(() => store.waiting.length === 64, '64 leaves');
    await nothingFor(20);
    assert.strictEqual(store.waiting.length, 64);
    store.held.clear();
    store.go();
    await until(() => store.index.size === 0, 'all to leave');
  });

  row('without the lease nothing is written', async () => {
    const frontend = createFrontend();
    const { store, members, logout, gone, renew } = frontend;
    store.join('alice', 'a');
    frontend.isHeld = false;
    logout('alice');
    await nothingFor(30);
    assert.deepStrictEqual(store.log, []);
    frontend.isHeld = true;
    await renew();
    await gone('alice');
    store.join('bob', 'a');
    members.lost();
    logout('bob');
    await nothingFor(30);
    assert.deepStrictEqual(store.in('bob'), ['a']);
    assert.strictEqual(members.stats().waiting, 0);
    await renew();
    await gone('bob');
  });

  row(
    'a lease that another process has claimed, unknown here: no leave, nothing put back',
    async () => {
      const frontend = createFrontend();
      const { store, members, login, logout, gone, renew } = frontend;
      store.join('alice', 'a');
      store.join('bob', 'a');
      store.held.add('leave');
      logout('alice');
      await store.until('the leave');
      login('alice');
      store.held.clear();
      store.held.add('putBack');
      store.go();
      await store.until('what puts her back');
      store.holds = false;
      store.held.clear();
      store.go();
      await nothingFor(20);
      logout('bob');
      await nothingFor(50);
      assert.deepStrictEqual([store.in('alice'), store.in('bob')], [[], ['a']]);
      assert.strictEqual(members.stats().waiting, 2);
      assert.strictEqual(frontend.hurried, 1, 'what has become of the lease is asked');
      assert.deepStrictEqual(frontend.lines, [
        [
          'warn',
          'memberships of users on s1 were not changed: the lease has expired, or another process has it',
        ],
      ]);
      // It was a moment of the store: the renewal finds the lease held.
      store.holds = true;
      await renew();
      await until(() => store.in('alice').length === 1, 'alice to be back');
      await gone('bob');
      store.holds = false;
      store.join('carol', 'a');
      logout('carol');
      await until(() => store.log.some(([, uid]) => uid === 'carol'), 'the leave');
      members.lost();
      await nothingFor(50);
      assert.deepStrictEqual([store.in('carol'), members.stats().waiting], [['a'], 0]);
    },
  );

  row('after the lease was regained those with a session are put back', async () => {
    const frontend = createFrontend();
    const { store, members, login, renew } = frontend;
    login('alice');
    store.kept.set('alice', ['a', 'b']);
    store.kept.set('bob', ['a']);
    login('carol');
    store.kept.set('carol', ['b']);
    members.regained();
    store.held.add('putBack');
    const failing = renew();
    await store.until('what puts her back');
    store.go(new Error('the store is away'), true);
    await assert.rejects(failing, /could not be put back/);
    assert.strictEqual(store.kept.size, 3);
    store.held.clear();
    await renew();
    assert.deepStrictEqual([store.in('alice'), store.in('bob')], [['a', 'b'], []]);
    assert.deepStrictEqual([store.in('carol'), store.kept.size], [['b'], 0]);
    assert.strictEqual(members.stats().putBack, 3, 'of two users at once');
    // Refused, because it was lost again.
    store.kept.set('alice', ['c']);
    members.regained();
    store.holds = false;
    await assert.rejects(renew(), /: the lease has expired/);
  });

  row('a stop removes all members, after what is in flight', async () => {
    const { store, members, login, logout } = createFrontend();
    login('alice');
    store.join('alice', 'a');
    store.join('bob', 'a');
    store.held.add('leave');
    logout('bob');
    await store.until('the leave');
    members.close();
    const purged = members.purge();
    await nothingFor(20);
    assert.strictEqual(store.count('purge'), 0);
    store.go();
    await purged;
    assert.deepStrictEqual([store.index.size, members.stats().leaves.stop], [0, 1]);
  });
});
