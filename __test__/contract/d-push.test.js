'use strict';

/**
 * Contract rows D01–D07, D15, D20–D25: what pushMessage sends to whom, when and in what order.
 * Failed uids and errors are in d-failures.test.js. RPCs are scripted here (support/app.js); real
 * ones are in the cluster suite.
 */

const assert = require('node:assert');
const { createApp, pushed, answering } = require('../support/app');
const { invoke, call, ok, settled } = require('../support/call');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

stores('D push', (ctx) => {
  /** A started service with one member `u-<sid>` on each of the frontends named. */
  async function withMembers(app, ...sids) {
    const service = await started(ctx.store, {}, app);
    for (const sid of sids) await ok(service, 'add', 'n', `u-${sid}`, sid);
    return service;
  }
  const push = (service, msg = { t: 1 }, opts = {}) =>
    call(service, 'pushMessage', 'connector', 'onChat', msg, 'n', opts);

  same('D01 rpcInvoke arguments: one RPC per frontend with members', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1', 's3', 'backend-1');
    const { args } = await push(service);
    assert.deepStrictEqual(args, [null, []]);
    const calls = app.rpcCalls.map(({ sid, msg, argc }) => {
      const [route, message, uids, options] = msg.args;
      assert.strictEqual(options.isPush, true);
      return [sid, { ...msg, args: [route, message, uids] }, argc];
    });
    const expected = (uid) => ({
      namespace: 'sys',
      service: 'channelRemote',
      method: 'pushMessage',
      args: ['onChat', { t: 1 }, [uid]],
    });
    assert.deepStrictEqual(calls, [
      ['s1', expected('u-s1'), 3],
      ['s3', expected('u-s3'), 3],
    ]);
  });

  for (const [title, opts, userOptions] of [
    ['given', { filter: 'x' }, { filter: 'x' }],
    ['null', null, {}],
    ['undefined', undefined, {}],
  ]) {
    ours(`D01 the RPC’s last argument is pomelo’s full options object, opts ${title}`, async () => {
      const app = createApp();
      await push(await withMembers(app, 's1'), {}, opts);
      assert.deepStrictEqual(app.rpcCalls[0].msg.args.slice(3), [
        { type: 'push', userOptions, isPush: true },
      ]);
    });
  }

  same('D02 msg is passed as the same object', async () => {
    const app = createApp();
    const msg = { nested: {} };
    await push(await withMembers(app, 's1', 's2'), msg);
    for (const rpc of app.rpcCalls) assert.strictEqual(rpc.msg.args[1], msg);
    assert.strictEqual(app.rpcCalls.length, 2);
  });

  same('D03 msg of every kind is passed on', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1');
    const messages = [null, '', 0, false, 'text', [1], Buffer.from('x'), undefined, () => 1, 5n];
    for (const msg of messages) await call(service, 'pushMessage', 'connector', 'r', msg, 'n', {});
    const seen = app.rpcCalls.map(({ msg }) => msg.args[1]);
    assert.strictEqual(seen.length, messages.length);
    seen.forEach((msg, i) => assert.ok(Object.is(msg, messages[i])));
  });

  same('D03 the route is passed on unchanged', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1');
    const routes = ['onChat', '', 'ü 🎮', undefined, 5];
    for (const route of routes) await call(service, 'pushMessage', 'connector', route, {}, 'n', {});
    assert.deepStrictEqual(
      app.rpcCalls.map(({ msg }) => msg.args[0]),
      routes,
    );
  });

  same('D04 members are strings in an array', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', 1, 's1');
    await ok(service, 'add', 'n', 2, 's1');
    await ok(service, 'add', 'n', 3, 's2');
    await push(service);
    const rpcs = app.rpcCalls.map(({ sid, msg }) => [sid, Array.isArray(msg.args[2]), msg.args[2]]);
    assert.deepStrictEqual(rpcs, [
      ['s1', true, ['1', '2']],
      ['s2', true, ['3']],
    ]);
  });

  ours('D04 the array may be changed by the receiver', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1', 's2');
    app.rpc = (sid, msg, cb) => {
      msg.args[2].length = 0;
      msg.args[2].push('changed');
      setImmediate(cb, sid === 's1' ? new Error('no') : null, []);
    };
    assert.deepStrictEqual((await push(service)).args, [null, ['u-s1']]);
    await push(service);
    assert.strictEqual(app.rpcCalls.length, 4);
  });

  same('D05 D06 no frontends: empty list, synchronously', async () => {
    const service = await started(ctx.store, {}, createApp({ servers: [] }));
    const { args, sync } = await push(service);
    assert.deepStrictEqual([args, sync], [[null, []], true]);
  });

  same('D07 no members: empty list, no RPC, asynchronously', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    const { args, sync } = await push(service);
    assert.deepStrictEqual([args, sync, app.rpcCalls.length], [[null, []], false, 0]);
  });

  same('D15 rpcInvoke calls back synchronously', async () => {
    const app = createApp({ rpc: (sid, msg, cb) => cb(null, []) });
    const service = await withMembers(app, 's1', 's2');
    const record = await push(service);
    await settled(service);
    assert.deepStrictEqual([record.args, record.n], [[null, []], 1]);
  });

  same('D20 many pushes at once: the RPCs of each frontend come in call order', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1', 's2', 's3');
    const records = [];
    const expected = [];
    for (let i = 0; i < 300; i += 1) {
      records.push(invoke(service, 'pushMessage', 'connector', 'onChat', i, 'n', {}));
      expected.push(i);
    }
    await Promise.all(records.map((record) => record.done));
    for (const sid of ['s1', 's2', 's3']) {
      const mine = app.rpcCalls.filter((rpc) => rpc.sid === sid);
      assert.deepStrictEqual(
        mine.map(({ msg }) => msg.args[1]),
        expected,
      );
    }
  });

  same('D21 add, push, leave without waiting: the push sees the member', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    for (let i = 0; i < 50; i += 1) {
      service.add('n', 'u', 's1');
      const record = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      service.leave('n', 'u', 's1');
      await record.done;
    }
    assert.deepStrictEqual(
      pushed(app),
      Array.from({ length: 50 }, () => ['s1', ['u']]),
    );
  });

  same('D21 leave, push without waiting: the push does not see the member', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1');
    service.leave('n', 'u-s1', 's1');
    await push(service);
    service.add('n', 'u', 's2');
    service.destroyChannel('n');
    await push(service);
    assert.deepStrictEqual(pushed(app), []);
  });

  same.redis('D22 pushMessage reads each frontend’s members once, and nothing else', async () => {
    const service = await started(ctx.store);
    const monitor = await ctx.redis.monitor();
    await push(service);
    assert.deepStrictEqual(await monitor.commands(), [
      ['0', 'SMEMBERS', 'POMELO:CHANNEL:n:s1'],
      ['0', 'SMEMBERS', 'POMELO:CHANNEL:n:s2'],
      ['0', 'SMEMBERS', 'POMELO:CHANNEL:n:s3'],
    ]);
  });

  same('D24 the server list is read when the push is made', async () => {
    const app = createApp();
    const service = await withMembers(app, 's9');
    await push(service);
    app.addServer({ id: 's9', serverType: 'connector', frontend: 'true' });
    await push(service);
    assert.deepStrictEqual(pushed(app), [['s9', ['u-s9']]]);
  });

  ours('D24 a frontend that leaves or joins in mid-push changes nothing (defect 1)', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1', 's2', 's3', 's9');
    const record = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    const members = invoke(service, 'getMembersByChannelName', 'connector', 'n');
    app.removeServer('s1');
    app.addServer({ id: 's9', serverType: 'connector', frontend: 'true' });
    await Promise.all([record.done, members.done]);
    assert.deepStrictEqual(pushed(app), [
      ['s1', ['u-s1']],
      ['s2', ['u-s2']],
      ['s3', ['u-s3']],
    ]);
    assert.deepStrictEqual(members.value, ['u-s1', 'u-s2', 'u-s3']);
  });

  same('D25 rpcInvoke is looked up at each push and called with app as this', async () => {
    const app = createApp();
    const service = await withMembers(app, 's1');
    await push(service);
    const seen = [];
    app.rpcInvoke = function (sid, msg, cb) {
      seen.push([sid, this === app]);
      cb(null, []);
    };
    await push(service);
    assert.deepStrictEqual(seen, [['s1', true]]);
    assert.deepStrictEqual(
      app.rpcCalls.map(({ self }) => self === app),
      [true],
    );
  });

  same('D01 without a callback the push is sent too', async () => {
    const app = createApp({ rpc: answering({ s2: new Error('no') }) });
    const service = await withMembers(app, 's1', 's2');
    service.pushMessage('connector', 'onChat', {}, 'n', {});
    service.pushMessage('connector', 'onChat', {}, 'n');
    await push(service);
    const sids = pushed(app).map(([sid]) => sid);
    assert.deepStrictEqual(sids, ['s1', 's2', 's1', 's2', 's1', 's2']);
  });
});
