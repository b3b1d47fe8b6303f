'use strict';

/**
 * add, leave and destroyChannel with an array of channels: what is written, with which commands, what is refused, and what a
 * custom manager is called with. c-members.test.js is about one channel.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { createApp } = require('../support/app');
const { call, ok } = require('../support/call');
const { started, stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { stores, ours } = require('../support/rows');

const key = (name, sid = 's1') => `POMELO:CHANNEL:${name}:${sid}`;

stores('C several channels', (ctx) => {
  const list = async (service, name, sid = 's1') =>
    (await ok(service, 'getMembersBySid', name, sid)).sort();

  ours('each user is added to each channel, and removed from each', async () => {
    const service = await started(ctx.store);
    assert.deepStrictEqual((await call(service, 'add', ['a', 'b', 7], ['u', 'v'], 's1')).args, [
      null,
    ]);
    await ok(service, 'add', ['b'], Buffer.from('w'), 's1');
    await ok(service, 'add', ['a', 'a'], 'u', 's2');
    assert.deepStrictEqual(await list(service, 'a'), ['u', 'v']);
    assert.deepStrictEqual(await list(service, 'b'), ['u', 'v', 'w']);
    assert.deepStrictEqual(await list(service, 7), ['u', 'v']);
    await ok(service, 'leave', ['a', 'b'], ['u', 'nobody'], 's1');
    assert.deepStrictEqual(await list(service, 'a'), ['v']);
    assert.deepStrictEqual(await list(service, 'b'), ['v', 'w']);
    await ok(service, 'destroyChannel', ['a', 'b']);
    assert.strictEqual(await ok(service, 'getCount', 'a', 'connector'), 0);
    assert.strictEqual(await ok(service, 'getCount', 'b', 'connector'), 0);
    assert.deepStrictEqual(await list(service, 7), ['u', 'v']);
    const { add, leave, destroyChannel } = service.stats().commands;
    assert.deepStrictEqual([add, leave, destroyChannel], [3, 1, 1]);
  });

  ours('no channels: success in call order, and nothing is done', async () => {
    const service = await started(ctx.store);
    for (const [method, ...args] of [
      ['add', [], 'u', 's1'],
      ['leave', [], 'u', 's1'],
      ['add', ['n'], [], 's1'],
      ['destroyChannel', []],
    ]) {
      const { args: answer, sync } = await call(service, method, ...args);
      assert.deepStrictEqual([answer, sync], [[null], false]);
    }
    assert.deepStrictEqual(await list(service, 'n'), []);
  });

  ours('a name that is not accepted: refused by its index, and nothing is written', async () => {
    const service = await started(ctx.store);
    const words = async (...args) => (await call(service, ...args)).err.message;
    assert.match(await words('add', ['a', null], 'u', 's1'), /^argument name\[1\] is null/);
    assert.match(await words('leave', ['a', ['b']], 'u', 's1'), /^argument name\[1\] is an object/);
    assert.match(
      await words('destroyChannel', ['a', Symbol('b')]),
      /^argument name\[1\] is a symb/,
    );
    assert.match(await words('add', ['a'], [null], 's1'), /^argument uid\[0\] is null/);
    const many = Array.from({ length: 300000 }, () => 'n');
    assert.match(await words('destroyChannel', many), /300000 elements, for 3 frontends/);
    const [names, uids] = [many.slice(0, 1000), ['x'.repeat(400), ...many.slice(0, 250000)]];
    assert.match(await words('add', names, uids, 's1'), /over 1000 channels/);
    assert.deepStrictEqual(await list(service, 'a'), []);
    assert.deepStrictEqual(await list(service, 'n'), []);
  });

  ours('without a frontend destroyChannel answers at once, as for one channel', async () => {
    const service = await started(ctx.store, {}, createApp({ servers: [] }));
    const { args, sync } = await call(service, 'destroyChannel', ['a', 'b']);
    assert.deepStrictEqual([args, sync], [[], true]);
  });

  ours.redis('one command for each channel; one UNLINK for all', async () => {
    const service = await started(ctx.store, { cache: false });
    const monitor = await ctx.redis.monitor();
    await ok(service, 'add', ['a', 'b'], ['u', 'v'], 's1');
    await ok(service, 'leave', ['a', 'b'], 'u', 's1');
    await ok(service, 'destroyChannel', ['a', 'b']);
    const all = ['a', 'b'].flatMap((name) => ['s1', 's2', 's3'].map((sid) => key(name, sid)));
    assert.deepStrictEqual(await monitor.commands(), [
      ['0', 'SADD', key('a'), 'u', 'v'],
      ['0', 'SADD', key('b'), 'u', 'v'],
      ['0', 'SREM', key('a'), 'u'],
      ['0', 'SREM', key('b'), 'u'],
      ['0', 'UNLINK', ...all],
    ]);
  });

  ours.redis(
    'an error for one channel: the others are written, later answers are right',
    async () => {
      const service = await started(ctx.store);
      await ctx.redis.run(0, 'set', key('b'), 'x');
      const [added, count] = await Promise.all([
        call(service, 'add', ['a', 'b', 'c'], 'u', 's1'),
        call(service, 'getCountBySid', 'c', 's1'),
      ]);
      assert.match(added.err.message, /^WRONGTYPE /);
      assert.strictEqual(added.argc, 1);
      assert.deepStrictEqual(count.args, [null, 1]);
      assert.deepStrictEqual(await list(service, 'a'), ['u']);
    },
  );

  ours(
    'lists in memory: a push sees what the calls before it made of several channels',
    async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      await ok(service, 'add', ['a', 'b'], 'u', 's1');
      for (let i = 0; i < 3; i += 1) {
        await Promise.all([list(service, 'a'), list(service, 'b')]);
      }
      service.add(['a', 'b'], 'v', 's1');
      service.pushMessage('connector', 'r', {}, 'a', {});
      service.leave(['a', 'b'], ['u', 'v'], 's1');
      await ok(service, 'pushMessage', 'connector', 'r', {}, 'b', {});
      const pushed = app.rpcCalls.map(({ msg }) => msg.args[2].slice().sort());
      assert.deepStrictEqual(pushed, [['u', 'v']]);
    },
  );
});

describe('C several channels of custom managers', () => {
  afterEach(stopAll);

  ours('the method is called for each of them; the first error is the answer', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    manager.log.length = 0;
    assert.deepStrictEqual((await call(service, 'add', ['a', 'b'], ['u'], 's1')).args, [null]);
    assert.deepStrictEqual((await call(service, 'destroyChannel', ['a', 'b'])).args, [null]);
    assert.deepStrictEqual((await call(service, 'leave', [], 'u', 's1')).args, [null]);
    assert.deepStrictEqual(manager.log, [
      ['add', 'a', ['u'], 's1', 'function'],
      ['add', 'b', ['u'], 's1', 'function'],
      ['destroyChannel', 'a', 'function'],
      ['destroyChannel', 'b', 'function'],
    ]);
    const error = new Error('of its own');
    manager.leave = (name, uid, sid, cb) => cb(name === 'b' ? error : null);
    const { args, n } = await call(service, 'leave', ['a', 'b', 'c'], 'u', 's1');
    assert.deepStrictEqual([args, n], [[error], 1]);
  });

  ours('an array that throws when it is read: an error, once', async () => {
    const service = await startedWith(recordingManager());
    const names = Object.defineProperty(['a'], 0, {
      get() {
        throw new Error('from a getter');
      },
    });
    const { err, n } = await call(service, 'add', names, 'u', 's1');
    assert.deepStrictEqual([err.code, n], ['ERR_GLOBAL_CHANNEL_INTERNAL', 1]);
    assert.match(err.message, /from a getter/);
  });
});
