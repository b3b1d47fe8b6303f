'use strict';

/**
 * getCount, isMember and getMembersByChannelNameBySid: answers, order, arguments, errors; from custom managers that have
 * them and from those that do not. c-count.test.js is about getCountBySid, c-model.test.js compares all with a model.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { createApp } = require('../support/app');
const { invoke, call, ok } = require('../support/call');
const { started, stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { stores, ours } = require('../support/rows');

const INVALID_ARGUMENT = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const KEY = 'POMELO:CHANNEL:n:s1';

stores('C questions', (ctx) => {
  ours('getCount: the members on all frontends of a type, each one counted there', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', ['a', 'b', 'ü'], 's1');
    await ok(service, 'add', 'n', ['a', 'c'], 's3');
    await ok(service, 'add', 'n', 'other', 'backend-1');
    assert.deepStrictEqual((await call(service, 'getCount', 'n', 'connector')).args, [null, 5]);
    assert.strictEqual(await ok(service, 'getCount', 'n', 'chat'), 1);
    assert.strictEqual(await service.promises.getCount('n', 'connector'), 5);
    assert.strictEqual(await ok(service, 'getCount', 'empty', 'connector'), 0);
    await ok(service, 'destroyChannel', 'n');
    assert.strictEqual(await ok(service, 'getCount', 'n', 'connector'), 0);
    assert.strictEqual(service.stats().commands.getCount, 5);
  });

  ours('isMember: uids of every type, in text or in bytes', async () => {
    const service = await started(ctx.store);
    const bytes = Buffer.from([0xff, 0]);
    await ok(service, 'add', 'n', ['', 'a', 'ü 🎮', bytes, 7], 's1');
    const is = (uid, sid = 's1') => ok(service, 'isMember', 'n', uid, sid);
    for (const uid of ['', 'a', 'ü 🎮', bytes, 7, '7', 7n, Buffer.from('a')]) {
      assert.strictEqual(await is(uid), true, String(uid));
      assert.strictEqual(await is(uid, 's2'), false, String(uid));
    }
    for (const uid of ['b', 'A', 'a ', Buffer.from([0xff]), true]) {
      assert.strictEqual(await is(uid), false, String(uid));
    }
    assert.deepStrictEqual((await call(service, 'isMember', 'n', 'a', 's1')).args, [null, true]);
    assert.strictEqual(await service.promises.isMember('n', 'b', 's1'), false);
    await ok(service, 'leave', 'n', 'a', 's1');
    assert.strictEqual(await is('a'), false);
  });

  ours(
    'getMembersByChannelNameBySid: lists by frontend, of one channel or of several',
    async () => {
      const service = await started(ctx.store);
      await ok(service, 'add', 'n', ['a'], 's1');
      await ok(service, 'add', 'n', ['a', 'b'], 's3');
      await ok(service, 'add', 7, 'c', 's2');
      const read = (name) => call(service, 'getMembersByChannelNameBySid', 'connector', name);
      const sorted = (lists) => Object.values(lists).forEach((list) => list.sort());
      const one = await read('n');
      sorted(one.value);
      assert.deepStrictEqual(one.args, [null, { s1: ['a'], s2: [], s3: ['a', 'b'] }]);
      const several = (await read(['n', 7, 'empty'])).value;
      Object.values(several).forEach(sorted);
      assert.deepStrictEqual(several, {
        n: { s1: ['a'], s2: [], s3: ['a', 'b'] },
        7: { s1: [], s2: ['c'], s3: [] },
        empty: { s1: [], s2: [], s3: [] },
      });
      assert.deepStrictEqual((await read([])).args, [null, {}]);
      const promised = await service.promises.getMembersByChannelNameBySid('chat', ['n']);
      assert.deepStrictEqual(promised, { n: { 'backend-1': [] } });
    },
  );

  ours('a list that is answered is the caller’s own, also from memory', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', ['a'], 's1');
    for (let i = 0; i < 4; i += 1) {
      const lists = await ok(service, 'getMembersByChannelNameBySid', 'connector', ['n', 'n']);
      assert.deepStrictEqual(lists.n.s1, ['a']);
      lists.n.s1.push('changed');
    }
  });

  ours('names and server ids that are names of properties stay what they are', async () => {
    const servers = ['__proto__', 'constructor'].map((id) => ({ id, serverType: 'connector' }));
    const service = await started(ctx.store, {}, createApp({ servers }));
    await ok(service, 'add', '__proto__', 'a', '__proto__');
    const names = ['__proto__', 'toString'];
    const lists = await ok(service, 'getMembersByChannelNameBySid', 'connector', names);
    assert.deepStrictEqual(Object.keys(lists).sort(), names);
    assert.strictEqual(Object.getPrototypeOf(lists), Object.prototype);
    const own = Object.entries(lists).find(([name]) => name === '__proto__')[1];
    assert.deepStrictEqual(Object.entries(own), [
      ['__proto__', ['a']],
      ['constructor', []],
    ]);
    assert.strictEqual(Object.prototype.constructor, Object);
  });

  ours('without a server of the type: empty answers, in call order', async () => {
    const service = await started(ctx.store, {}, createApp({ servers: [] }));
    const order = [];
    const made = [
      ['add', ['n', 'u', 's1'], [null]],
      ['getCount', ['n', 'connector'], [null, 0]],
      ['getMembersByChannelNameBySid', ['connector', 'n'], [null, {}]],
      ['getMembersByChannelNameBySid', ['connector', ['n', 'm']], [null, { n: {}, m: {} }]],
    ].map(([method, args, expected]) => {
      const record = invoke(service, method, ...args);
      record.done.then(() => order.push(method));
      return [record, expected];
    });
    for (const [record, expected] of made) {
      await record.done;
      assert.deepStrictEqual([record.args, record.sync], [expected, false]);
    }
    assert.strictEqual(order[0], 'add');
    const { err } = await call(service, 'getCount', {}, 'connector');
    assert.strictEqual(err.code, INVALID_ARGUMENT);
  });

  ours('they see the calls made before them and none made after them, in one tick', async () => {
    const service = await started(ctx.store);
    const made = [];
    const ask = (method, args, expected) =>
      made.push([invoke(service, method, ...args).done, expected]);
    for (let i = 0; i < 50; i += 1) {
      service.add('n', i, 's1');
      ask('isMember', ['n', i, 's1'], true);
      ask('getCount', ['n', 'connector'], i % 2 === 0 ? 1 : 2);
      ask('getMembersByChannelNameBySid', ['connector', 'n'], i % 2 === 0 ? 1 : 2);
      if (i % 2 === 1) service.destroyChannel('n');
      ask('isMember', ['n', i, 's1'], i % 2 === 0);
      service.getMembersBySid('n', 's1');
    }
    for (const [done, expected] of made) {
      const { err, value } = await done;
      assert.ifError(err);
      assert.deepStrictEqual(value && value.s1 ? value.s1.length : value, expected);
    }
  });

  ours('arguments that are not accepted are refused by name, and nothing is asked', async () => {
    const service = await started(ctx.store);
    const bad = new Error('from a getter');
    for (const [method, args, pattern] of [
      ['getCount', [null, 'connector'], /^argument name is null/],
      ['getCount', [['n'], 'connector'], /^argument name is an object/],
      ['isMember', ['n', null, 's1'], /^argument uid is null/],
      ['isMember', ['n', ['u'], 's1'], /^argument uid is an object/],
      ['isMember', ['n', undefined, 's1'], /^argument uid is undefined/],
      ['isMember', [{}, 'u', 's1'], /^argument name is an object/],
      ['isMember', ['n', 'u', Symbol('s')], /^argument sid is a symbol/],
      [
        'getMembersByChannelNameBySid',
        ['connector', ['n', {}]],
        /^argument name\[1\] is an object/,
      ],
      ['getMembersByChannelNameBySid', ['connector', [['n']]], /^argument name\[0\] is an object/],
      [
        'getMembersByChannelNameBySid',
        ['connector', Array.from({ length: 2 })],
        /^argument name\[0\] is undef/,
      ],
      [
        'getMembersByChannelNameBySid',
        ['connector', Object.assign([], { length: 4e9 })],
        /^argument name\[0\] is undef/,
      ],
    ]) {
      const { err, argc, sync, value } = await call(service, method, ...args);
      assert.deepStrictEqual([err.code, argc, sync, value], [INVALID_ARGUMENT, 2, true, undefined]);
      assert.match(err.message, pattern);
    }
    const throwing = Object.defineProperty(['n'], 0, {
      get() {
        throw bad;
      },
    });
    assert.throws(() => service.getMembersByChannelNameBySid('connector', throwing), bad);
    const many = Array.from({ length: 300000 }, () => 'n');
    const { err } = await call(service, 'getMembersByChannelNameBySid', 'connector', many);
    assert.match(err.message, /300000 elements, for 3 frontends/);
    const { commands } = service.stats();
    const counts = ['getCount', 'isMember', 'getMembersByChannelNameBySid'];
    assert.deepStrictEqual(
      counts.map((method) => commands[method]),
      [0, 0, 0],
    );
  });

  ours('a stop in a getter of an argument: the call is refused, once', async () => {
    const service = await started(ctx.store);
    const names = Object.defineProperty(['n'], 0, {
      get() {
        service.stop(true);
        return 'n';
      },
    });
    const { err } = await call(service, 'getMembersByChannelNameBySid', 'connector', names);
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_STATE');
  });

  ours.redis('one command for each frontend, in one round trip', async () => {
    const service = await started(ctx.store, { cache: false });
    const monitor = await ctx.redis.monitor();
    await ok(service, 'getCount', 'n', 'connector');
    await ok(service, 'isMember', 'n', 'u', 's1');
    const key = (name, sid) => `POMELO:CHANNEL:${name}:${sid}`;
    assert.deepStrictEqual(await monitor.commands(), [
      ...['s1', 's2', 's3'].map((sid) => ['0', 'SCARD', key('n', sid)]),
      ['0', 'SISMEMBER', key('n', 's1'), 'u'],
    ]);
  });

  const fromMemory = async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 's1');
    const read = () => ok(service, 'getMembersByChannelNameBySid', 'connector', 'n');
    for (let i = 0; i < 3; i += 1) await read();
    const before = service.stats().cache.hits;
    assert.deepStrictEqual(await read(), { s1: ['u'], s2: [], s3: [] });
    assert.strictEqual(service.stats().cache.hits, before + 3);
  };
  const skip = process.env.SERVER === 'redis-6' && 'it is too old for the member cache';
  ours.redis('getMembersByChannelNameBySid is answered from memory', fromMemory, { skip });

  ours.redis("an error of the store on one frontend is the call's", async () => {
    const service = await started(ctx.store);
    await ctx.redis.run(0, 'set', KEY, 'x');
    for (const [method, ...args] of [
      ['getCount', 'n', 'connector'],
      ['isMember', 'n', 'u', 's1'],
      ['getMembersByChannelNameBySid', 'connector', ['m', 'n']],
    ]) {
      const { err, argc, value } = await call(service, method, ...args);
      assert.match(err.message, /^WRONGTYPE /, method);
      assert.deepStrictEqual([argc, value], [2, undefined], method);
    }
  });
});

describe('C questions to custom managers', () => {
  afterEach(stopAll);

  ours('a manager that has the method is asked', async () => {
    const manager = recordingManager();
    manager.getCountBySid = (name, sid, cb) => cb(null, sid === 's2' ? 7 : 1);
    manager.isMember = (name, uid, sid, cb) =>
      cb(null, `${name} ${typeof uid} ${sid}` === 'n number s1');
    const service = await startedWith(manager);
    assert.deepStrictEqual((await call(service, 'getCount', 'n', 'connector')).args, [null, 9]);
    assert.strictEqual(await ok(service, 'isMember', 'n', 7, 's1'), true);
  });

  ours('of another one the members are read', async () => {
    const manager = recordingManager();
    const lists = { s1: [1, 'b'], s2: null, s3: ['c'] };
    manager.getMembersBySid = (name, sid, cb) => cb(null, lists[sid]);
    const service = await startedWith(manager);
    assert.strictEqual(await ok(service, 'getCount', 'n', 'connector'), 3);
    assert.strictEqual(await ok(service, 'isMember', 'n', '1', 's1'), true);
    assert.strictEqual(await ok(service, 'isMember', 'n', 'b', 's2'), false);
    const bySid = { s1: [1, 'b'], s2: [], s3: ['c'] };
    const read = (names) => call(service, 'getMembersByChannelNameBySid', 'connector', names);
    assert.deepStrictEqual((await read('n')).args, [null, bySid]);
    assert.deepStrictEqual((await read(['n', 'm'])).args, [null, { n: bySid, m: bySid }]);
    assert.deepStrictEqual((await read([])).args, [null, {}]);
    assert.strictEqual(await ok(service, 'getCount', 'n', 'none'), 0);
  });

  ours('its error is the answer, and so is that of a list that cannot be read', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    const error = new Error('of its own');
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    for (const [answer, check] of [
      [[error], (err) => assert.strictEqual(err, error)],
      [[null, proxy], (err) => assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INTERNAL')],
    ]) {
      manager.getMembersBySid = (name, sid, cb) => cb(...answer);
      for (const [method, ...args] of [
        ['getCount', 'n', 'connector'],
        ['isMember', 'n', 'u', 's1'],
        ['getMembersByChannelNameBySid', 'connector', 'n'],
      ]) {
        const { err, argc, value, n } = await call(service, method, ...args);
        check(err);
        assert.deepStrictEqual([argc, value, n], [2, undefined, 1], method);
      }
    }
  });
});
