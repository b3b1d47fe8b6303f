'use strict';

/**
 * Contract rows A32–A37: cleanOnStartUp, and the method `clean`, which does the same on demand.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { recordingManager, startedWith } = require('../support/manager');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

stores('A clean', (ctx) => {
  same('A32 cleanOnStartUp removes the keys under the prefix in its db only', async () => {
    const two = ctx.store.other(2);
    await two.seed('POMELO:CHANNEL:a:s1', 'POMELO:CHANNEL:b:s2', 'OTHER:a:s1');
    await ctx.store.seed('POMELO:CHANNEL:a:s1');
    await started(two, { cleanOnStartUp: true });
    assert.deepStrictEqual(await two.keys(), ['OTHER:a:s1']);
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:a:s1']);
  });

  same('A33 start calls back only after the keys are gone', async () => {
    const keys = Array.from({ length: 3000 }, (_, i) => `POMELO:CHANNEL:${i}:s1`);
    await ctx.store.seed(...keys);
    await started(ctx.store, { cleanOnStartUp: true });
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  same('A34 nothing to clean: start succeeds', async () => {
    const service = await started(ctx.store, { cleanOnStartUp: true });
    assert.strictEqual(service.state, 1);
  });

  same('A34 without cleanOnStartUp nothing is removed', async () => {
    await ctx.store.seed('POMELO:CHANNEL:a:s1');
    await started(ctx.store, { cleanOnStartUp: false });
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:a:s1']);
  });

  ours.redis('A35 cleaning scans in steps and never sends KEYS', async () => {
    await ctx.store.seed(...Array.from({ length: 2000 }, (_, i) => `POMELO:CHANNEL:${i}:s1`));
    const monitor = await ctx.redis.monitor();
    await started(ctx.store, { cleanOnStartUp: true });
    const names = (await monitor.commands()).map(([, name]) => name);
    assert.ok(!names.includes('KEYS'));
    assert.ok(names.includes('UNLINK'));
    assert.ok(names.filter((name) => name === 'SCAN').length > 1, 'SCAN in steps');
  });

  ours('A36 only keys prefix:… are removed', async () => {
    await ctx.store.seed('POMELO:CHANNEL:a:s1', 'POMELO:CHANNELS:a:s1', 'BIG:a:s1', 'POMELO::');
    await started(ctx.store, { cleanOnStartUp: true });
    assert.deepStrictEqual(await ctx.store.keys(), [
      'BIG:a:s1',
      'POMELO::',
      'POMELO:CHANNELS:a:s1',
    ]);
  });

  ours.redis('A36 … and only sets', async () => {
    await ctx.store.seed('POMELO:CHANNEL:a:s1');
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL', 'no channel');
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:string', 'x');
    await started(ctx.store, { cleanOnStartUp: true });
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL', 'POMELO:CHANNEL:string']);
  });

  for (const [prefix, foreign] of [
    ['P[1]', 'P1:a:s1'],
    ['P*', 'Px:a:s1'],
    ['P?', 'Px:a:s1'],
    ['P\\', 'P:a:s1'],
    ['P^', 'PP:a:s1'],
  ]) {
    ours(`A37 glob characters in the prefix are escaped: ${prefix}`, async () => {
      await ctx.store.seed(`${prefix}:a:s1`, foreign);
      await started(ctx.store, { prefix, cleanOnStartUp: true });
      assert.deepStrictEqual(await ctx.store.keys(), [foreign]);
    });
  }

  ours('A32 clean() does the same at any time and calls back with null', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'add', 'n', 'u', 'gone');
    await ctx.store.seed('OTHER:a:s1');
    const { args, sync } = await call(service, 'clean');
    assert.deepStrictEqual([args, sync], [[null], false]);
    assert.deepStrictEqual(await ctx.store.keys(), ['OTHER:a:s1']);
  });

  ours('A32 clean() keeps call order: what is added after it stays', async () => {
    const service = await started(ctx.store);
    service.add('n', 'before', 's1');
    service.clean();
    await ok(service, 'add', 'n', 'after', 's1');
    assert.deepStrictEqual(await ctx.store.members('POMELO:CHANNEL:n:s1'), ['after']);
  });

  ours('A32 clean() before start and after stop is refused', async () => {
    const service = await started(ctx.store);
    await call(service, 'stop', true);
    const { err, sync } = await call(service, 'clean');
    assert.deepStrictEqual([err.code, sync], ['ERR_GLOBAL_CHANNEL_INVALID_STATE', true]);
  });

  ours('the log says how many channels were removed, and why it ran', async () => {
    await ctx.store.seed('POMELO:CHANNEL:a:s1', 'POMELO:CHANNEL:a:s2', 'OTHER:a:s1');
    const lines = await logged(async () => {
      const service = await started(ctx.store, { cleanOnStartUp: true });
      await ok(service, 'clean');
      // More than one step of any store.
      await Promise.all(
        Array.from({ length: 3000 }, (_, i) => ok(service, 'add', i, ['u', 'v'], 's1')),
      );
      await ok(service, 'clean');
    });
    const end = 'channels (counted by frontend) under POMELO:CHANNEL:, because';
    // Beside that of a server that is too old for the member cache.
    const told = lines.flatMap((line) => /clean removed.*/.exec(line) || []);
    assert.deepStrictEqual(told, [
      `clean removed 2 ${end} option cleanOnStartUp is set`,
      `clean removed 0 ${end} clean was called`,
      `clean removed 3000 ${end} clean was called`,
    ]);
  });

  ours('the log says why a custom manager was told to clean', async () => {
    const lines = await logged(async () => {
      const service = await startedWith(recordingManager(), { cleanOnStartUp: true });
      await ok(service, 'clean');
    });
    assert.strictEqual(lines.length, 2);
    assert.match(lines[0], /clean is passed to the channel manager, because option cleanOnStartUp/);
    assert.match(lines[1], /clean is passed to the channel manager, because clean was called/);
  });
});
