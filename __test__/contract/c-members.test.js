'use strict';

/**
 * Contract rows C01–C09, C20–C28: add, leave, the two readers and destroyChannel: effects, callbacks, order. Values of every
 * kind are in c-values.test.js, errors in c-errors.test.js.
 */

const assert = require('node:assert');
const { createApp } = require('../support/app');
const { invoke, call, ok, settled, eachMethod, eachOf, METHODS } = require('../support/call');
const child = require('../support/child');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const KEY = 'POMELO:CHANNEL:n:s1';
const all = (value) => Object.fromEntries(Object.keys(METHODS).map((method) => [method, value]));

stores('C members', (ctx) => {
  same.redis('C01 add, get, leave: SADD, SMEMBERS, SREM in the service’s db', async () => {
    const service = await started(ctx.store, { db: 3 });
    const monitor = await ctx.redis.monitor();
    await ok(service, 'add', 'n', 'u1', 's1');
    await ok(service, 'getMembersBySid', 'n', 's1');
    await ok(service, 'leave', 'n', 'u1', 's1');
    assert.deepStrictEqual(await monitor.commands(), [
      ['3', 'SADD', KEY, 'u1'],
      ['3', 'SMEMBERS', KEY],
      ['3', 'SREM', KEY, 'u1'],
    ]);
  });

  same('C02 destroyChannel removes the channel on every registered frontend', async () => {
    const service = await started(ctx.store);
    for (const sid of ['s1', 's2', 's3', 'backend-1', 'unknown']) {
      await ok(service, 'add', 'n', 'u', sid);
    }
    await ok(service, 'add', 'm', 'u', 's1');
    await ok(service, 'destroyChannel', 'n');
    assert.deepStrictEqual(await ctx.store.keys(), [
      'POMELO:CHANNEL:m:s1',
      'POMELO:CHANNEL:n:backend-1',
      'POMELO:CHANNEL:n:unknown',
    ]);
  });

  same('C02 frontends of every type are reached', async () => {
    const app = createApp();
    app.addServer({ id: 'gate-1', serverType: 'gate', frontend: 'true' });
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', 'u', 'gate-1');
    await ok(service, 'destroyChannel', 'n');
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  ours.redis('C03 destroyChannel sends UNLINK or DEL of the channel’s keys', async () => {
    const service = await started(ctx.store);
    const monitor = await ctx.redis.monitor();
    await ok(service, 'destroyChannel', 'n');
    const commands = await monitor.commands();
    const removing = commands.filter(([, name]) => ['UNLINK', 'DEL'].includes(name));
    assert.deepStrictEqual(removing.flatMap((command) => command.slice(2)).sort(), [
      'POMELO:CHANNEL:n:s1',
      'POMELO:CHANNEL:n:s2',
      'POMELO:CHANNEL:n:s3',
    ]);
    assert.ok(!commands.some(([, name]) => ['KEYS', 'SCAN'].includes(name)));
  });

  same('C04 callback arguments on success', async () => {
    const service = await started(ctx.store);
    const answers = await eachMethod(async (m, args) => (await call(service, m, ...args)).args);
    const EMPTY = {
      many: [null, 1],
      int: [null, 0],
      bool: [null, false],
      page: [null, { members: [], cursor: null }],
      groups: [null, { s1: [], s2: [], s3: [] }],
    };
    const expected = eachOf((_, { value, scope }) => EMPTY[scope] || EMPTY[value] || [null]);
    assert.deepStrictEqual(answers, {
      ...expected,
      add: [null],
      leave: [null],
      getMembersBySid: [null, []],
      getMembersByChannelName: [null, []],
      destroyChannel: [null],
      pushMessage: [null, []],
    });
  });

  same('C05 the success callback is asynchronous', async () => {
    const service = await started(ctx.store);
    const answers = await eachMethod(async (m, args) => (await call(service, m, ...args)).sync);
    assert.deepStrictEqual(answers, all(false));
  });

  ours('C06 the methods return undefined', async () => {
    const service = await started(ctx.store);
    const answers = await eachMethod((method, args) => invoke(service, method, ...args).returned);
    assert.deepStrictEqual(answers, all(undefined));
    await settled(service);
  });

  same('C07 no callback, or one that is no function', async () => {
    const service = await started(ctx.store);
    for (const method of Object.keys(METHODS)) {
      for (const callback of [[], [null], ['text'], [5], [{}]]) {
        const args = [...METHODS[method], ...callback];
        assert.strictEqual(service[method](...args), undefined, `${method} ${callback}`);
      }
    }
    await ok(service, 'add', 'n', 'later', 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['later']);
  });

  same('C08 the callback is called once', async () => {
    const service = await started(ctx.store);
    const records = Object.keys(METHODS).map((m) => invoke(service, m, ...METHODS[m]));
    await Promise.all(records.map((record) => record.done));
    await settled(service);
    assert.deepStrictEqual(
      records.map(({ n }) => n),
      records.map(() => 1),
    );
  });

  same('C09 a callback throws: the process goes on, later calls work', async () => {
    const { store } = ctx;
    const body = async ({ started, ok, call, emit }) => {
      process.on('uncaughtException', () => {});
      const service = await started();
      service.add('n', 'u', 's1', () => {
        throw new Error('thrown by the app');
      });
      await ok(service, 'leave', 'n', 'nobody', 's1');
      emit(await ok(service, 'getMembersBySid', 'n', 's1'));
      await call(service, 'stop', true);
    };
    const { code, messages, output } = await child.run(body, { store });
    assert.deepStrictEqual([code, messages], [0, [['u']]], output);
  });

  ours('C10 a callback throws: it is an uncaughtException', async () => {
    const { store } = ctx;
    const body = async ({ started, ok, call, emit }) => {
      process.on('uncaughtException', (err) => emit(err.message));
      const service = await started();
      service.add('n', 'u', 's1', () => {
        throw new Error('thrown by the app');
      });
      await ok(service, 'leave', 'n', 'nobody', 's1');
      await call(service, 'stop', true);
    };
    const { code, messages, output } = await child.run(body, { store });
    assert.deepStrictEqual([code, messages], [0, ['thrown by the app']], output);
  });

  same('C20 20000 members, multi-byte', async () => {
    const service = await started(ctx.store);
    const uids = Array.from({ length: 20000 }, (_, i) => `用户-🎮-${i}`);
    for (const uid of uids) service.add('n', uid, 's1');
    const members = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.strictEqual(members.length, 20000);
    assert.deepStrictEqual(members.sort(), uids.sort());
  });

  same.redis('C21 members come in the order of SMEMBERS', async () => {
    const service = await started(ctx.store);
    for (let i = 0; i < 600; i += 1) service.add('n', `u${i}`, 's1');
    const members = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.deepStrictEqual(members, await ctx.redis.run(0, 'smembers', KEY));
  });

  same('C22 read your own writes without waiting', async () => {
    const service = await started(ctx.store);
    for (let i = 0; i < 50; i += 1) service.add('n', i, 's1');
    service.leave('n', 7, 's1');
    const members = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.strictEqual(members.length, 49);
    assert.ok(!members.includes('7'));
  });

  same('C23 callbacks come in call order', async () => {
    const service = await started(ctx.store);
    const order = [];
    const expected = [];
    for (let i = 0; i < 300; i += 1) {
      // 0.0.7 answers getMembersByChannelName and pushMessage later than their turn.
      const method = ['add', 'leave', 'getMembersBySid', 'destroyChannel'][i % 4];
      service[method](...METHODS[method], () => order.push(i));
      expected.push(i);
    }
    await settled(service);
    assert.deepStrictEqual(order, expected);
  });

  same('C24 getMembersByChannelName: frontend by frontend, a uid may be there twice', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'a', 's1');
    await ok(service, 'add', 'n', 'a', 's3');
    await ok(service, 'add', 'n', 'b', 's3');
    await ok(service, 'add', 'n', 'c', 'backend-1');
    const { args } = await call(service, 'getMembersByChannelName', 'connector', 'n');
    assert.strictEqual(args[0], null);
    assert.strictEqual(args[1][0], 'a');
    assert.deepStrictEqual(args[1].slice().sort(), ['a', 'a', 'b']);
  });

  same('C25 C26 no servers, unknown type: empty list, synchronously', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    const unknown = await call(service, 'getMembersByChannelName', 'no such type', 'n');
    for (const id of ['s1', 's2', 's3']) app.removeServer(id);
    const none = await call(service, 'getMembersByChannelName', 'connector', 'n');
    for (const { args, sync } of [unknown, none]) {
      assert.deepStrictEqual([args, sync], [[null, []], true]);
    }
  });

  same('C27 destroyChannel with no frontend: no arguments, synchronously', async () => {
    const service = await started(ctx.store, {}, createApp({ servers: [] }));
    const { argc, sync } = await call(service, 'destroyChannel', 'n');
    assert.deepStrictEqual([argc, sync], [0, true]);
  });

  same('C28 destroyChannel of an unknown channel', async () => {
    const service = await started(ctx.store);
    assert.deepStrictEqual((await call(service, 'destroyChannel', 'unknown')).args, [null]);
  });

  same('C25 one frontend of three is registered: only it is asked', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    for (const sid of ['s1', 's2']) await ok(service, 'add', 'n', `u-${sid}`, sid);
    app.removeServer('s1');
    const members = await ok(service, 'getMembersByChannelName', 'connector', 'n');
    assert.deepStrictEqual(members, ['u-s2']);
  });
});
