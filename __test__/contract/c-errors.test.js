'use strict';

/**
 * Contract rows C30–C35: what callbacks get when the store answers with an error, and two uses of 0.0.7 that are not
 * supported.
 */

const assert = require('node:assert');
const { call, invoke, ok, settled } = require('../support/call');
const { createApp, pushed } = require('../support/app');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const WRONGTYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

stores('C errors', (ctx) => {
  /** Makes the channel's key of each sid a string, which SADD, SREM and SMEMBERS refuse. */
  const spoil = (...sids) =>
    Promise.all(sids.map((sid) => ctx.redis.run(0, 'set', `POMELO:CHANNEL:n:${sid}`, 'x')));

  const cases = [
    ['add', ['n', 'u', 's1'], 1],
    ['leave', ['n', 'u', 's1'], 1],
    ['getMembersBySid', ['n', 's1'], 2],
  ];
  for (const [method, args, argc] of cases) {
    same.redis(`C30 C31 ${method}: the error of Redis, ${argc} argument(s)`, async () => {
      await spoil('s1');
      const service = await started(ctx.store);
      const record = await call(service, method, ...args);
      await settled(service);
      assert.ok(record.err instanceof Error);
      assert.strictEqual(String(record.err), `Error: ${WRONGTYPE}`);
      assert.deepStrictEqual([record.argc, record.value, record.n], [argc, undefined, 1]);
    });

    ours.redis(`C31 ${method}: the code says that it is the store's own error`, async () => {
      await spoil('s1');
      const service = await started(ctx.store);
      const { err, sync } = await call(service, method, ...args);
      assert.deepStrictEqual(
        [err.code, err.message, sync],
        ['ERR_GLOBAL_CHANNEL_STORE', WRONGTYPE, false],
      );
    });
  }

  same.redis('C31 an error of one call does not touch its neighbours', async () => {
    await spoil('s2');
    const service = await started(ctx.store);
    const sids = ['s1', 's2', 's3'];
    const records = await Promise.all(sids.map((sid) => call(service, 'add', 'n', 'u', sid)));
    assert.deepStrictEqual(
      records.map(({ err }) => Boolean(err)),
      [false, true, false],
    );
  });

  same.redis('C32 getMembersByChannelName: one of three frontends fails', async () => {
    await spoil('s2');
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'a', 's1');
    const { err, args } = await call(service, 'getMembersByChannelName', 'connector', 'n');
    assert.match(err.message, /WRONGTYPE/);
    assert.deepStrictEqual(args.slice(1), [null]);
  });

  ours.redis(
    'C33 getMembersByChannelName: all fail: one callback, the error of the server',
    async () => {
      await spoil('s1', 's2', 's3');
      const service = await started(ctx.store);
      const record = await call(service, 'getMembersByChannelName', 'connector', 'n');
      await settled(service);
      const { err, n, argc, sync } = record;
      assert.deepStrictEqual([err.message, err.code], [WRONGTYPE, 'ERR_GLOBAL_CHANNEL_STORE']);
      assert.deepStrictEqual([n, argc, sync], [1, 2, false]);
    },
  );

  ours.redis(
    'C33 an error without a callback is discarded: no throw, later calls work',
    async () => {
      await spoil('s1');
      const service = await started(ctx.store);
      service.add('n', 'u', 's1');
      service.getMembersBySid('n', 's1');
      service.getMembersByChannelName('connector', 'n');
      service.pushMessage('connector', 'onChat', {}, 'n', {});
      await ok(service, 'add', 'other', 'u', 's1');
    },
  );

  ours('C34 a method detached from the service is a TypeError', async () => {
    const service = await started(ctx.store);
    for (const method of ['add', 'leave', 'getMembersBySid', 'getMembersByChannelName']) {
      const detached = service[method];
      assert.throws(() => detached('n', 'u', 's1', () => {}), TypeError, method);
    }
    const { pushMessage, destroyChannel, start, stop } = service;
    for (const detached of [pushMessage, destroyChannel, start, stop]) {
      assert.throws(() => detached('n', () => {}), TypeError);
    }
  });

  ours('C35 an own getMembersBySid put on the service is not used by the others', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', 'stored', 's1');
    Object.defineProperty(service, 'getMembersBySid', {
      value: (name, sid, cb) => cb(null, [`patched-${sid}`]),
    });
    const members = await ok(service, 'getMembersByChannelName', 'connector', 'n');
    const push = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    await push.done;
    assert.deepStrictEqual([members, pushed(app)], [['stored'], [['s1', ['stored']]]]);
  });
});
