'use strict';

/**
 * Members whose uid is a name of Object.prototype: pomelo and pinus find no sessions for them but functions, and the
 * push to the whole frontend would fail. They are left out of every list that is sent, and reported as failed. With
 * real frontends: pomelo-cluster/ and fan-out/poison.test.js.
 */

const assert = require('node:assert');
const { EventEmitter } = require('events');
const { createApp, pushed } = require('./support/app');
const { ok } = require('./support/call');
const { startedWith } = require('./support/manager');
const { started } = require('./support/service');
const { stores, ours } = require('./support/rows');

const POISON = Object.getOwnPropertyNames(Object.prototype).sort();
const push = (service, name = 'n') =>
  ok(service, 'pushMessage', 'connector', 'onChat', { t: 1 }, name, {});

stores('Poison uids', (ctx) => {
  ours('are left out of the RPC and reported as failed, in each push', async () => {
    for (const cache of [true, false]) {
      const app = createApp();
      const service = await started(ctx.store, { cache }, app);
      await ok(service, 'add', 'n', [...POISON, 'a', 'construct', '__proto', ''], 's1');
      await ok(service, 'add', 'n', 'b', 's2');
      await ok(service, 'add', 'n', ['constructor', 'toString'], 's3');
      for (let i = 0; i < 3; i += 1) {
        app.rpcCalls.length = 0;
        const failed = await push(service);
        const expected = [...POISON, 'constructor', 'toString'].sort();
        assert.deepStrictEqual(failed.sort(), expected);
        const sent = pushed(app).map(([sid, uids]) => [sid, uids.sort()]);
        assert.deepStrictEqual(sent, [
          ['s1', ['', '__proto', 'a', 'construct']],
          ['s2', ['b']],
        ]);
      }
      assert.strictEqual(service.stats().failedUids, 3 * (POISON.length + 2));
    }
  });

  ours('alone in a channel: no RPC, no error', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    for (const sid of ['s1', 's2', 's3']) await ok(service, 'add', 'n', 'valueOf', sid);
    assert.deepStrictEqual(await push(service), ['valueOf', 'valueOf', 'valueOf']);
    assert.deepStrictEqual(app.rpcCalls, []);
  });

  ours('beside members whom the frontend reports, and those of a failed RPC', async () => {
    const rpc = (sid, msg, cb) => (sid === 's1' ? cb(null, ['gone']) : cb(new Error('no')));
    const app = createApp({ rpc });
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', ['constructor', 'gone', 'a'], 's1');
    await ok(service, 'add', 'n', ['constructor', 'b'], 's2');
    const failed = await push(service);
    assert.deepStrictEqual(failed.sort(), ['b', 'constructor', 'constructor', 'gone']);
  });

  ours('in a list that is long enough for a name', async () => {
    const app = Object.assign(createApp(), { event: new EventEmitter() });
    const service = await started(ctx.store, {}, app);
    const others = Array.from({ length: 300 }, (_, i) => `user-${i}`);
    await ok(service, 'add', 'n', ['constructor', ...others], 's1');
    app.rpc = (sid, { service: remote, args }, cb) => {
      if (remote === 'channelRemote') cb(null, []);
      else cb(new Error(`no such service: ${args}`));
    };
    assert.deepStrictEqual(await push(service), ['constructor']);
    const lists = pushed(app).map(([, uids]) => uids);
    const sent = lists.filter((uids) => Array.isArray(uids));
    assert.deepStrictEqual(
      sent.map((uids) => uids.sort()),
      [others.sort()],
    );
  });

  ours('in a push to the own sessions', async () => {
    const given = [];
    const channelRemote = {
      pushMessage: (route, msg, uids, opts, cb) => (given.push([...uids]), cb(null, [])),
    };
    const app = Object.assign(createApp(), { serverId: 's1', event: new EventEmitter() });
    app.components = { ['__channel__']: { channelRemote } };
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', ['constructor', 'a'], 's1');
    assert.deepStrictEqual(await push(service), ['constructor']);
    assert.deepStrictEqual([given, app.rpcCalls], [[['a']], []]);
  });

  ours('of a custom manager, also as objects: reported as it gave them', async () => {
    const odd = { toString: () => 'constructor' };
    const lists = { s1: ['hasOwnProperty', odd, 7, 'a'], s2: 'toString', s3: [] };
    const manager = { add() {}, getMembersBySid: (name, sid, cb) => cb(null, lists[sid]) };
    const app = createApp();
    const service = await startedWith(manager, {}, app);
    const failed = await push(service);
    assert.deepStrictEqual(failed, ['hasOwnProperty', odd]);
    assert.deepStrictEqual(pushed(app)[0], ['s1', [7, 'a']]);
  });
});
