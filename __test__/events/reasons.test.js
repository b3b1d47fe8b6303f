'use strict';

/** The reasons of events where members end with their sessions (option `membership: 'session'`). The others: watch.test.js. */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');
const { begun, record } = require('./follower');

const EVENTS = { events: true, leaveDelay: 0 };

stores('EV reasons of events', (ctx) => {
  /** A service with a watch, and its events. */
  async function watching(what, options) {
    const service = await started(ctx.store, { ...EVENTS, ...options });
    const log = record(service.watch(what));
    await begun(log);
    return { service, log };
  }

  ours('EV10 members that end with their sessions leave with that reason', async () => {
    const options = { ...EVENTS, membership: 'session', leaseTtl: 1000, leaveDelay: 50 };
    const { service, log } = await watching({ prefix: 'r' }, options);
    const s1 = await startFrontend(ctx.store, 's1', options);
    const session = s1.login('alice');
    s1.login('bob');
    await ok(service, 'add', ['r1', 'r2'], ['alice', 'bob'], 's1');
    s1.close(session);
    const left = () =>
      log
        .filter(([event]) => event === 'leave')
        .map(([, { name, reason, uids }]) => `${name} ${reason} ${uids}`);
    await until(() => left().length === 2, 'alice to leave');
    assert.deepStrictEqual(left(), ['r1 close alice', 'r2 close alice']);
    await call(s1.service, 'stop', true);
    await until(() => left().length === 4, 'bob to leave');
    assert.deepStrictEqual(left().slice(2), ['r1 close bob', 'r2 close bob']);
    assert.deepStrictEqual(await ok(service, 'leaveAll', 'alice', null), []);
  });

  ours(
    'EV11 what a dead frontend or an earlier process has left goes with that reason',
    async () => {
      const options = { ...EVENTS, membership: 'session', leaseTtl: 1000 };
      const { service, log } = await watching({ prefix: 'r' }, options);
      const left = () => log.filter(([event]) => event === 'leave').map(([, its]) => its);
      // No one holds the lease of s1; a frontend that claims it finds the member of an earlier process.
      await ok(service, 'add', 'r1', 'alice', 's1');
      await startFrontend(ctx.store, 's1', options);
      await until(() => left().length === 1, 'alice to leave');
      assert.deepStrictEqual(left()[0], {
        name: 'r1',
        sid: 's1',
        reason: 'replaced',
        uids: ['alice'],
      });
      // Its lease is over, with members in the index: a sweep.
      const uids = Array.from({ length: 150 }, (_, n) => `u${n}`);
      await new Leases(service).claim('s9', 'session-e1', 3000);
      await ok(service, 'add', ['r1', 'r2'], uids, 's9');
      const total = () => left().reduce((sum, its) => sum + its.uids.length, 0);
      await until(() => total() === 301, 'the members of s9 to leave', 20000);
      assert.deepStrictEqual(
        [
          ...new Set(
            left()
              .slice(1)
              .map((its) => its.reason),
          ),
        ],
        ['purge'],
      );
      const vacated = log.filter(([event]) => event === 'vacated').map(([, its]) => its.name);
      assert.deepStrictEqual(vacated.sort(), ['r1', 'r1', 'r2']);
    },
  );

  ours('EV12 leaveAll of the app leaves with reason call', async () => {
    const options = { ...EVENTS, membership: 'session' };
    const app = frontendApp();
    const service = await started(ctx.store, options, app);
    const log = record(service.watch({ prefix: '' }));
    await begun(log);
    await ok(service, 'add', ['a', 'b'], ['u', 'v'], 's1');
    await until(() => log.length === 4, 'the members to join');
    log.splice(0);
    await ok(service, 'leaveAll', 'u', 's1');
    await ok(service, 'leaveAll', 'v', null);
    await until(() => log.length === 6, 'six events');
    const told = log.map(([event, its]) => `${event} ${its.name} ${its.reason} ${its.uids || ''}`);
    assert.deepStrictEqual(told, [
      'leave a call u',
      'leave b call u',
      'leave a call v',
      'vacated a call ',
      'leave b call v',
      'vacated b call ',
    ]);
  });
});
