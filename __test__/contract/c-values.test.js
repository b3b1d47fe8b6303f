'use strict';

/**
 * Contract rows C11–C19: which values may be a uid, a name or a sid; arrays of uids; and the arguments that are refused
 * because 0.0.7 wrote `undefined` or `[object Object]` for them.
 */

const assert = require('node:assert');
const { invoke, call, ok } = require('../support/call');
const child = require('../support/child');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const KEY = 'POMELO:CHANNEL:n:s1';
const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';

stores('C values', (ctx) => {
  same('C11 uid types: stored as text', async () => {
    const service = await started(ctx.store);
    const uids = ['', -1.5, 1e21, 7, 'a b', 'cr\r\nlf', 'nul\u0000x', 'str', true, 'ünï-漢-🎮'];
    for (const uid of uids) await ok(service, 'add', 'n', uid, 's1');
    const expected = uids.map(String).sort();
    assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), expected);
    for (const uid of uids) await ok(service, 'leave', 'n', uid, 's1');
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  const numbers = [0, -0, 1e-7, 123456789012345680000, 2 ** 53, 0.1 + 0.2, 10n ** 30n, false];
  same('C11 numbers, bigints and booleans are written as String() does', async () => {
    const service = await started(ctx.store);
    await Promise.all(numbers.map((uid) => ok(service, 'add', 'n', uid, 's1')));
    const expected = [...new Set(numbers.map(String))].sort();
    assert.deepStrictEqual(await ctx.store.members(KEY), expected);
  });

  // A nested array is written as its text by 0.0.7; an array of arrays is surely a mistake.
  const wrongUids = {
    undefined: undefined,
    null: null,
    object: {},
    function: () => {},
    symbol: Symbol('s'),
    'array with undefined': ['a', undefined],
    'array with null': [null, 'a'],
    'array with an object': ['a', {}],
    'array in an array': [['a']],
  };
  for (const [title, uid] of Object.entries(wrongUids)) {
    const row = title === 'symbol' ? 'C15' : 'C12';
    ours(`${row} uid ${title}: refused synchronously, nothing is written`, async () => {
      const service = await started(ctx.store);
      for (const method of ['add', 'leave']) {
        const { err, argc, sync } = await call(service, method, 'n', uid, 's1');
        assert.deepStrictEqual([err && err.code, argc, sync], [CODE, 1, true], method);
        assert.match(err.message, /uid/);
      }
      await ok(service, 'add', 'n', 'right', 's1');
      assert.deepStrictEqual(await ctx.store.dump(), { [KEY]: ['right'] });
    });
  }

  ours('C12 refused without a callback: no throw, one warning is logged', async () => {
    const { store } = ctx;
    const body = async ({ started, call, ok }) => {
      const service = await started();
      service.add('n', undefined, 's1');
      await ok(service, 'leave', 'n', 'u', 's1');
      await call(service, 'stop', true);
    };
    const { code, output } = await child.run(body, { store });
    assert.strictEqual(code, 0, output);
    assert.match(output, /uid/);
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  same('C13 a uid array is a bulk add, a bulk leave', async () => {
    const service = await started(ctx.store);
    assert.deepStrictEqual((await call(service, 'add', 'n', ['a', 'b', 3], 's1')).args, [null]);
    assert.deepStrictEqual(await ctx.store.members(KEY), ['3', 'a', 'b']);
    assert.deepStrictEqual((await call(service, 'leave', 'n', ['a', 'b'], 's1')).args, [null]);
    assert.deepStrictEqual(await ctx.store.members(KEY), ['3']);
  });

  same.redis('C13 in one command', async () => {
    const service = await started(ctx.store);
    const monitor = await ctx.redis.monitor();
    await ok(service, 'add', 'n', ['a', 'b', 3], 's1');
    assert.deepStrictEqual(await monitor.commands(), [['0', 'SADD', KEY, 'a', 'b', '3']]);
  });

  ours('C13 an empty array succeeds and does nothing', async () => {
    const service = await started(ctx.store);
    for (const method of ['add', 'leave']) {
      assert.deepStrictEqual((await call(service, method, 'n', [], 's1')).args, [null]);
    }
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  ours.redis('C13 … and sends nothing', async () => {
    const service = await started(ctx.store);
    const monitor = await ctx.redis.monitor();
    for (const method of ['add', 'leave']) await ok(service, method, 'n', [], 's1');
    assert.deepStrictEqual(await monitor.commands(), []);
  });

  ours('C13 the array may be changed after the call', async () => {
    const service = await started(ctx.store);
    const uids = ['a', 'b'];
    const record = invoke(service, 'add', 'n', uids, 's1');
    uids[0] = 'changed';
    uids.length = 1;
    await record.done;
    assert.deepStrictEqual(await ctx.store.members(KEY), ['a', 'b']);
  });

  same('C14 a Buffer is added and removed by its bytes', async () => {
    const service = await started(ctx.store);
    const bytes = () => Buffer.from([0xff, 0x00, 0xfe, 0x0d, 0x0a]);
    await ok(service, 'add', 'n', bytes(), 's1');
    await ok(service, 'add', 'n', [Buffer.from('ab'), 'c'], 's1');
    for (const uid of [Buffer.from([0xfe]), 'ab', Buffer.from('c')]) {
      await ok(service, 'leave', 'n', uid, 's1');
    }
    assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).length, 1);
    await ok(service, 'leave', 'n', bytes(), 's1');
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  same.redis('C14 … and stored byte for byte', async () => {
    const service = await started(ctx.store);
    const bytes = Buffer.from([0xff, 0x00, 0xfe, 0x0d, 0x0a]);
    await ok(service, 'add', 'n', bytes, 's1');
    await ok(service, 'add', 'n', [Buffer.from('ab'), 'c'], 's1');
    for (const uid of [bytes, 'ab', 'c']) {
      assert.strictEqual(await ctx.redis.run(0, 'sismember', KEY, uid), 1);
    }
    await ok(service, 'leave', 'n', bytes, 's1');
    assert.strictEqual(await ctx.redis.run(0, 'scard', KEY), 2);
  });

  ours('C14 a Uint8Array too, also a part of a larger buffer', async () => {
    const service = await started(ctx.store);
    const part = new Uint8Array(new Uint8Array([1, 0xff, 0xfe, 4]).buffer, 1, 2);
    await ok(service, 'add', 'n', part, 's1');
    assert.deepStrictEqual(await ctx.store.keys(), [KEY]);
    await ok(service, 'leave', 'n', Buffer.from([0xff, 0xfe]), 's1');
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  same('C16 a lone surrogate becomes U+FFFD', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'a\ud800b', 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['a\ufffdb']);
    assert.deepStrictEqual(await ctx.store.members(KEY), ['a\ufffdb']);
  });

  same('C17 name and sid: number, empty, with colon, unicode', async () => {
    const service = await started(ctx.store);
    const places = [
      [1, 2],
      ['', ''],
      ['a:b', 'c'],
      ['ü 🎮', 's'],
    ];
    for (const [name, sid] of places) {
      await ok(service, 'add', name, 'u', sid);
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', name, sid), ['u']);
    }
    assert.deepStrictEqual(await ctx.store.keys(), [
      'POMELO:CHANNEL:1:2',
      'POMELO:CHANNEL::',
      'POMELO:CHANNEL:a:b:c',
      'POMELO:CHANNEL:ü 🎮:s',
    ]);
  });

  for (const wrong of [undefined, null, {}, Symbol('s')]) {
    const kind = wrong === null ? 'null' : typeof wrong;
    ours(`C18 name or sid ${kind}: refused synchronously, nothing is written`, async () => {
      const service = await started(ctx.store);
      const cases = [
        [/name/, 1, 'add', wrong, 'u', 's1'],
        [/sid/, 1, 'add', 'n', 'u', wrong],
        [/name/, 1, 'leave', wrong, 'u', 's1'],
        // null means all frontends.
        ...(wrong === null ? [] : [[/sid/, 1, 'leave', 'n', 'u', wrong]]),
        [/name/, 2, 'getMembersBySid', wrong, 's1'],
        [/sid/, 2, 'getMembersBySid', 'n', wrong],
        [/name/i, 2, 'getMembersByChannelName', 'connector', wrong],
        [/name/, 1, 'destroyChannel', wrong],
        [/name/i, 1, 'pushMessage', 'connector', 'onChat', {}, wrong, {}],
      ];
      for (const [words, expected, ...args] of cases) {
        const { err, argc, sync } = await call(service, ...args);
        assert.strictEqual(err && err.code, CODE, args[0]);
        assert.match(err.message, words);
        assert.deepStrictEqual([argc, sync], [expected, true], args[0]);
      }
      assert.deepStrictEqual(await ctx.store.keys(), []);
    });
  }

  same.redis('C19 a uid of 1 MiB', async () => {
    const service = await started(ctx.store);
    const uid = 'x漢'.repeat(1 << 18);
    assert.strictEqual(Buffer.byteLength(uid), 1 << 20);
    await ok(service, 'add', 'n', uid, 's1');
    const [member] = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.ok(member === uid);
  });
});
