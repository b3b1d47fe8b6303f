'use strict';

/**
 * Contract rows A32–A37: cleanOnStartUp, and the method `clean`, which does the same on demand.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { started } = require('../support/service');
const { area, same, ours } = require('../support/rows');

area('A clean', {}, (ctx) => {
  const put = (db, ...keys) =>
    Promise.all(keys.map((key) => ctx.redis.run(db, 'sadd', key, 'old member')));

  same('A32 cleanOnStartUp removes the keys under the prefix in its db only', async () => {
    await put(2, 'POMELO:CHANNEL:a:s1', 'POMELO:CHANNEL:b:s2', 'other');
    await put(0, 'POMELO:CHANNEL:a:s1');
    await started(ctx.redis, { db: 2, cleanOnStartUp: true });
    assert.deepStrictEqual(await ctx.redis.keys(2), ['other']);
    assert.deepStrictEqual(await ctx.redis.keys(0), ['POMELO:CHANNEL:a:s1']);
  });

  same('A33 start calls back only after the keys are gone', async () => {
    const keys = Array.from({ length: 3000 }, (_, i) => `POMELO:CHANNEL:${i}:s1`);
    await put(0, ...keys);
    await started(ctx.redis, { cleanOnStartUp: true });
    assert.strictEqual(await ctx.redis.run(0, 'dbsize'), 0);
  });

  same('A34 nothing to clean: start succeeds', async () => {
    const service = await started(ctx.redis, { cleanOnStartUp: true });
    assert.strictEqual(service.state, 1);
  });

  same('A34 without cleanOnStartUp nothing is removed', async () => {
    await put(0, 'POMELO:CHANNEL:a:s1');
    await started(ctx.redis, { cleanOnStartUp: false });
    assert.deepStrictEqual(await ctx.redis.keys(), ['POMELO:CHANNEL:a:s1']);
  });

  ours('A35 cleaning scans in steps and never sends KEYS', async () => {
    await put(0, ...Array.from({ length: 2000 }, (_, i) => `POMELO:CHANNEL:${i}:s1`));
    const monitor = await ctx.redis.monitor();
    await started(ctx.redis, { cleanOnStartUp: true });
    const names = (await monitor.commands()).map(([, name]) => name);
    assert.ok(!names.includes('KEYS'));
    assert.ok(names.includes('UNLINK'));
    assert.ok(names.filter((name) => name === 'SCAN').length > 1, 'SCAN in steps');
  });

  ours('A36 only sets whose key is prefix:… are removed', async () => {
    await put(0, 'POMELO:CHANNEL:a:s1', 'POMELO:CHANNELS:a:s1', 'POMELO:CHANNEL', 'BIG:a:s1');
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:string', 'x');
    await started(ctx.redis, { cleanOnStartUp: true });
    assert.deepStrictEqual(await ctx.redis.keys(), [
      'BIG:a:s1',
      'POMELO:CHANNEL',
      'POMELO:CHANNEL:string',
      'POMELO:CHANNELS:a:s1',
    ]);
  });

  for (const [prefix, foreign] of [
    ['P[1]', 'P1:a:s1'],
    ['P*', 'Px:a:s1'],
    ['P?', 'Px:a:s1'],
    ['P\\', 'P:a:s1'],
    ['P^', 'PP:a:s1'],
  ]) {
    ours(`A37 glob characters in the prefix are escaped: ${prefix}`, async () => {
      await put(0, `${prefix}:a:s1`, foreign);
      await started(ctx.redis, { prefix, cleanOnStartUp: true });
      assert.deepStrictEqual(await ctx.redis.keys(), [foreign]);
    });
  }

  ours('A32 clean() does the same at any time and calls back with null', async () => {
    const service = await started(ctx.redis, { db: 2 });
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'add', 'n', 'u', 'gone');
    await put(2, 'other');
    const { args, sync } = await call(service, 'clean');
    assert.deepStrictEqual([args, sync], [[null], false]);
    assert.deepStrictEqual(await ctx.redis.keys(2), ['other']);
  });

  ours('A32 clean() keeps call order: what is added after it stays', async () => {
    const service = await started(ctx.redis);
    service.add('n', 'before', 's1');
    service.clean();
    await ok(service, 'add', 'n', 'after', 's1');
    assert.deepStrictEqual(await ctx.redis.members('POMELO:CHANNEL:n:s1'), ['after']);
  });

  ours('A32 clean() before start and after stop is refused', async () => {
    const service = await started(ctx.redis);
    await call(service, 'stop', true);
    const { err, sync } = await call(service, 'clean');
    assert.deepStrictEqual([err.code, sync], ['ERR_GLOBAL_CHANNEL_INVALID_STATE', true]);
  });
});
