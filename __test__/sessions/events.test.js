'use strict';

/** Events of a service (`on`, `once`, `off`), with those of leases. What else happens then is in leases.test.js. */

const assert = require('assert');
const { once } = require('events');
const { stores, ours } = require('../support/rows');
const { call } = require('../support/call');
const { Leases } = require('../support/leases');
const { create, started } = require('../support/service');
const { until } = require('../support/until');
const { frontendApp, startFrontend } = require('./frontend');

const LEASE = { leaseTtl: 1000 };

stores('S events of leases', (ctx) => {
  const start = (sid) => startFrontend(ctx.store, sid, LEASE);

  ours('S40 a frontend whose lease is claimed by another process, and given up again', async () => {
    const s1 = await start('s1');
    const told = [];
    for (const event of ['lease-lost', 'lease-regained', 'purged']) {
      s1.service.on(event, (what) => told.push([event, what]));
    }
    const later = await start('s1');
    await until(() => told.length === 1, 'the event');
    await call(later.service, 'stop', true);
    await until(() => told.length === 2, 'the next event');
    assert.deepStrictEqual(told, [
      ['lease-lost', { sid: 's1' }],
      ['lease-regained', { sid: 's1' }],
    ]);
  });

  ours('S41 what an earlier process has left: the start tells of it', async () => {
    const s1 = await start('s1');
    s1.login('alice');
    await until(() => s1.service.promises.isOnline('alice'), 'alice to be online');
    const service = create({ ...ctx.store.options(), sessions: true }, frontendApp('s1'));
    const told = [];
    service.on('purged', (what) => told.push(what));
    await call(service, 'start');
    assert.deepStrictEqual(told, [{ sid: 's1', users: 1, members: 0 }]);
  });

  ours(
    'S42 of a dead frontend those tell that have removed it; listeners may go and throw',
    async () => {
      const service = await started(ctx.store, { sessions: true, ...LEASE }, frontendApp());
      const told = [];
      const removed = () => told.push('removed');
      const wrapped = new Proxy(service, {});
      service.on('purged', removed).once('purged', () => told.push('once'));
      service.on('purged', () => {
        throw new Error('a listener throws');
      });
      wrapped.on('purged', ({ sid, users }) => told.push([sid, users]));
      Object.create(service).off('purged', removed);
      const dead = new Leases(service);
      const die = async (sid) => {
        await dead.claim(sid, 'e1', LEASE.leaseTtl);
        await dead.add(sid, 'zoe');
        const [err] = await thrown();
        assert.strictEqual(err.message, 'a listener throws');
      };
      await die('s8');
      await die('s9');
      assert.deepStrictEqual(told, ['once', ['s8', 1], ['s9', 1]]);
    },
  );
});

/** The next uncaught exception, which the test runner must not see. */
function thrown() {
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  return once(process, 'uncaughtException').finally(() => {
    listeners.forEach((listener) => process.on('uncaughtException', listener));
  });
}
