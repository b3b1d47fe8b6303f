'use strict';

/**
 * The index of frontends in Redis (`PREFIX@sids`): who writes it, who does not (0.0.7, a user without the right), and what becomes of
 * it. What is done on all frontends that it names is in c-everywhere.test.js.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { LEAST } = require('../support/rights');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');
const { until } = require('../support/until');

const INDEX = 'POMELO:CHANNEL@sids';
const EVERYWHERE = { everywhere: true };

area('C everywhere and the index', {}, (ctx) => {
  const index = async () => (await ctx.redis.run(0, 'smembers', INDEX)).sort();

  ours(
    'what 0.0.7 has added is found: once after the start, and by everywhere always',
    async () => {
      const old = await started(ctx.store, {}, undefined, 'old');
      await ok(old, 'add', 'n', 'a', 'old-1');
      await ok(old, 'add', 'n:x', 'a', 'old-1');
      const service = await started(ctx.store);
      await ok(service, 'add', 'n', 'b', 'gone');
      assert.strictEqual(await ok(service, 'getCount', 'n', null), 2);
      assert.strictEqual(await service.promises.leave('n', ['a', 'b'], null), 2);
      for (const sid of ['old-1', 'old-2']) await ok(old, 'add', 'n', 'c', sid);
      // The second of them no one of ours knows.
      assert.strictEqual(await ok(service, 'getCount', 'n', null), 1);
      await ok(service, 'destroyChannel', 'n', EVERYWHERE);
      assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:n:x:old-1']);
    },
  );

  ours('the index is in front of the members, once for each frontend and second', async () => {
    const service = await started(ctx.store);
    await ctx.redis.run(0, 'config', 'resetstat');
    const begun = Date.now();
    await Promise.all(Array.from({ length: 300 }, (_, i) => ok(service, 'add', 'n', i, 'gone')));
    assert.deepStrictEqual(await index(), ['gone']);
    const lines = (await ctx.redis.run(0, 'info', 'commandstats')).toString();
    const count = Number(/cmdstat_sadd:calls=(\d+)/.exec(lines)[1]);
    const seconds = Math.floor((Date.now() - begun) / 1000);
    assert.ok(count > 300 && count <= 302 + seconds, `${count} SADD`);
    assert.strictEqual(service.stats().commands.add, 300);
  });

  ours('an index that is lost is there again with the next member, a second later', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 'gone');
    await ctx.redis.flush();
    await until(async () => {
      await ok(service, 'add', 'n', 'u', 'gone');
      return (await index()).length > 0;
    }, 'the index');
    const later = await started(ctx.store);
    assert.strictEqual(await ok(later, 'getCount', 'n', null), 1);
  });

  ours('after a reconnect the index is written again, though nothing is added', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 'gone');
    await ctx.redis.run(0, 'del', INDEX);
    await ctx.redis.run(0, 'client', 'kill', 'type', 'normal', 'skipme', 'yes');
    await until(async () => {
      await call(service, 'getMembersBySid', 'n', 'gone');
      return (await index()).length > 0;
    }, 'the index');
    assert.deepStrictEqual(await index(), ['gone']);
  });

  ours('a key of another type in its place costs a line in the log and no call', async () => {
    await ctx.redis.run(0, 'set', INDEX, 'x');
    const lines = await logged(async () => {
      const service = await started(ctx.store);
      for (const uid of ['a', 'b']) await ok(service, 'add', 'n', uid, 'gone');
      const later = await started(ctx.store);
      assert.strictEqual(await ok(later, 'getCount', 'n', null), 2);
      assert.strictEqual(await ok(later, 'isMember', 'n', 'b', null), true);
      assert.deepStrictEqual(service.stats().errors, {});
    });
    const told = lines.filter((line) => line.includes(INDEX));
    assert.strictEqual(told.length, 2, lines.join('\n'));
    assert.match(told[0], /cannot be written/);
    assert.match(told[1], /cannot be read/);
  });

  ours(
    'without the right to the index all is done, by scans, and the log says so once',
    async () => {
      const user = { username: 'gc', password: 'secret' };
      const rules = ['reset', 'on', '>secret', '~POMELO:CHANNEL:*', ...LEAST];
      await ctx.redis.run(0, 'acl', 'setuser', 'gc', ...rules);
      const lines = await logged(async () => {
        const service = await started(ctx.store, user);
        for (const uid of ['a', 'b', 'c']) await ok(service, 'add', 'n', uid, 'gone');
        const later = await started(ctx.store, user);
        for (let i = 0; i < 3; i += 1) {
          await ok(service, 'add', 'n', 'd', `gone-${i}`);
          assert.strictEqual(await ok(later, 'getCount', 'n', null), 4 + i);
        }
        assert.strictEqual(await later.promises.leave('n', ['a', 'd'], null), 4);
        await ok(later, 'destroyChannel', 'n', EVERYWHERE);
      });
      assert.deepStrictEqual(await ctx.store.keys(), []);
      const told = lines.filter((line) => line.includes('cannot be'));
      assert.strictEqual(told.length, 2, lines.join('\n'));
    },
  );

  ours('a server that refuses the scan refuses the call, and names the right', async () => {
    const rules = ['reset', 'on', '>secret', 'allkeys', ...LEAST, '-scan'];
    await ctx.redis.run(0, 'acl', 'setuser', 'gc', ...rules);
    const service = await started(ctx.store, { username: 'gc', password: 'secret' });
    await ok(service, 'add', 'n', 'u', 's1');
    for (const args of [
      ['getCount', 'n', null],
      ['leave', 'n', 'u', null],
      ['destroyChannel', 'n', EVERYWHERE],
    ]) {
      const { err } = await call(service, ...args);
      assert.match(String(err && err.message), /NOPERM.*'(scan|keys)'/, args[0]);
    }
  });
});
