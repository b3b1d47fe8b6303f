'use strict';

/**
 * Contract rows E01, E02, E05–E09, E12, E17, E21: the store is down, hangs or refuses writes. The connection after that is in
 * e-reconnect.test.js; what a process prints, and how it ends, in e-process.test.js.
 */

const assert = require('node:assert');
const { invoke, call, ok, settled, failed, METHODS } = require('../support/call');
const redisServer = require('../support/redis');
const { create, started } = require('../support/service');
const { until } = require('../support/until');
const { area, stores, same, ours } = require('../support/rows');

const AWAY = ['ERR_GLOBAL_CHANNEL_TIMEOUT', 'ERR_GLOBAL_CHANNEL_DISCONNECTED'];
const KEY = 'POMELO:CHANNEL:n:s1';

area('E store away', {}, (ctx) => {
  const opts = (more) => ctx.store.options(more);

  ours('E01 the store is down at start: UNREACHABLE after startTimeout, with cause', async () => {
    await ctx.redis.kill();
    const service = create(opts({ startTimeout: 400 }));
    const record = await call(service, 'start');
    const { err, argc, n, ms } = record;
    assert.deepStrictEqual([err.code, argc, n], ['ERR_GLOBAL_CHANNEL_UNREACHABLE', 1, 1]);
    assert.ok(err.cause instanceof Error && err.cause.message, String(err.cause));
    assert.ok(ms >= 380 && ms < 10000, `${ms} ms`);
    assert.strictEqual(service.state, 0);
  });

  ours('E01 a store that accepts and never answers: UNREACHABLE after startTimeout', async () => {
    ctx.redis.pause();
    try {
      const service = create(opts({ startTimeout: 500, connectTimeout: 200 }));
      const { err, ms } = await call(service, 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
      assert.ok(ms >= 450 && ms < 10000, `${ms} ms`);
    } finally {
      ctx.redis.resume();
    }
  });

  same('E02 the store is down at start and comes up: start succeeds', async () => {
    await ctx.redis.kill();
    const service = create(opts());
    const record = invoke(service, 'start');
    setTimeout(() => ctx.redis.up(), 500);
    assert.ok(!(await record.done).err);
    assert.strictEqual(service.state, 1);
    await ok(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(record.n, 1);
  });

  ours('E02 with startTimeout: 0, too, and cleaning runs then', async () => {
    await ctx.redis.kill();
    const service = create(opts({ startTimeout: 0, cleanOnStartUp: true }));
    const record = invoke(service, 'start');
    setTimeout(() => ctx.redis.up(), 300);
    assert.strictEqual((await record.done).err, null);
  });

  same('E05 an operation made just as the store dies: one callback', async () => {
    const service = await started(ctx.redis);
    const record = invoke(service, 'add', 'n', 'u', 's1');
    await ctx.redis.kill();
    await ctx.redis.up();
    await record.done;
    await until(async () => !(await call(service, 'add', 'n', 'v', 's1')).err, 'add to work');
    assert.strictEqual(record.n, 1);
  });

  for (const method of ['add', 'leave', 'getMembersBySid']) {
    same(`E06 ${method} while the store is down: one callback with an Error`, async () => {
      const service = await started(ctx.redis, { commandTimeout: 400 });
      await ctx.redis.kill();
      const record = await call(service, method, ...METHODS[method]);
      await ctx.redis.up();
      await until(async () => !(await call(service, 'add', 'n', 'v', 's1')).err, 'add to work');
      assert.deepStrictEqual([record.err instanceof Error, record.n], [true, 1]);
    });
  }

  ours('E07 … within commandTimeout, with a code and a cause', async () => {
    const service = await started(ctx.redis, { commandTimeout: 400 });
    await ctx.redis.kill();
    const { err, ms } = await call(service, 'add', 'n', 'u', 's1');
    assert.ok(AWAY.includes(err.code), err.code);
    assert.ok(err.cause instanceof Error && err.cause.message, String(err.cause));
    assert.ok(ms < 4500, `${ms} ms`);
  });

  ours('E08 each method while the store is down: a single Error, one callback', async () => {
    const service = await started(ctx.redis, { commandTimeout: 400 });
    await ctx.redis.kill();
    const records = Object.keys(METHODS).map((m) => invoke(service, m, ...METHODS[m]));
    await Promise.all(records.map((record) => record.done));
    await ctx.redis.up();
    await until(async () => !(await call(service, 'add', 'n', 'v', 's1')).err, 'add to work');
    for (const { err, n } of records) {
      assert.ok(err instanceof Error && AWAY.includes(err.code), String(err));
      assert.strictEqual(n, 1);
    }
    assert.deepStrictEqual(
      records.map(({ argc, value }) => [argc, value]),
      Object.keys(METHODS).map(failed),
    );
  });

  same('E09 operations made while down are done if the store is back in time', async () => {
    const service = await started(ctx.redis);
    await ctx.redis.kill();
    const record = invoke(service, 'add', 'n', 'u', 's1');
    await ctx.redis.up();
    assert.ok(!(await record.done).err);
    assert.deepStrictEqual(await ctx.redis.members(KEY), ['u']);
  });

  ours('E09 … in call order, across the reconnect', async () => {
    const service = await started(ctx.redis);
    await ctx.redis.kill();
    const NAMES = Object.keys(METHODS);
    const order = [];
    const records = [];
    for (let i = 0; i < 60; i += 1) {
      const method = NAMES[i % NAMES.length];
      const record = invoke(service, method, ...METHODS[method]);
      record.done.then(() => order.push(i));
      records.push(record);
    }
    await ctx.redis.up();
    await Promise.all(records.map((record) => record.done));
    assert.deepStrictEqual(
      order,
      records.map((_, i) => i),
    );
    assert.deepStrictEqual(
      records.filter(({ err }) => err),
      [],
    );
  });

  same('E17 a read-only replica: add is an Error, once', async () => {
    const nobody = await redisServer.freePort();
    const replica = await redisServer.start({ args: ['--replicaof', '127.0.0.1', nobody] });
    try {
      const service = await started(replica);
      const record = await call(service, 'add', 'n', 'u', 's1');
      await settled(service);
      assert.match(record.err.message, /^READONLY /);
      assert.deepStrictEqual([record.n, record.argc], [1, 1]);
      await call(service, 'stop', true);
    } finally {
      await replica.stop();
    }
  });

  same('E21 every callback is called once over a restart with 500 operations', async () => {
    const service = await started(ctx.redis, { commandTimeout: 3000 });
    const records = [];
    for (let i = 0; i < 500; i += 1) {
      records.push(invoke(service, i % 3 ? 'add' : 'leave', 'n', `u${i % 50}`, 's1'));
      if (i === 250) await ctx.redis.restart();
    }
    await Promise.all(records.map((record) => record.done));
    await until(async () => !(await call(service, 'add', 'n', 'v', 's1')).err, 'add to work');
    assert.deepStrictEqual(
      records.filter(({ n }) => n !== 1),
      [],
    );
  });
});

stores('E store hangs', (ctx) => {
  ours('E07 commandTimeout counts from the call, reconnects included', async () => {
    const service = await started(ctx.store, { commandTimeout: 600, retry_max_delay: 50 });
    await ctx.store.hang();
    try {
      const record = invoke(service, 'add', 'n', 'u', 's1');
      const later = invoke(service, 'getMembersBySid', 'n', 's1');
      await Promise.all([record.done, later.done]);
      for (const { err, ms, n } of [record, later]) {
        assert.deepStrictEqual([err.code, n], ['ERR_GLOBAL_CHANNEL_TIMEOUT', 1]);
        assert.ok(ms >= 580 && ms < 4500, `${ms} ms`);
      }
    } finally {
      await ctx.store.resume();
    }
  });

  ours('E07 commandTimeout: 0 waits as long as it takes', async () => {
    const service = await started(ctx.store, { commandTimeout: 0 });
    await ctx.store.hang();
    const record = invoke(service, 'add', 'n', 'u', 's1');
    setTimeout(() => ctx.store.resume(), 1200);
    assert.strictEqual((await record.done).err, null);
  });

  ours('clean has commandTimeout in each step, and delays no later call for longer', async () => {
    const service = await started(ctx.store, { commandTimeout: 600, retry_max_delay: 50 });
    await ok(service, 'add', 'n', 'u', 's1');
    await ctx.store.hang();
    try {
      const record = invoke(service, 'clean');
      const later = invoke(service, 'add', 'n', 'v', 's1');
      await Promise.all([record.done, later.done]);
      for (const [{ err, ms, n }, least] of [
        [record, 580],
        [later, 1180],
      ]) {
        assert.deepStrictEqual([err.code, n], ['ERR_GLOBAL_CHANNEL_TIMEOUT', 1]);
        assert.ok(ms >= least && ms < least + 4000, `${ms} ms`);
      }
      const { ms } = await call(service, 'stop', true);
      assert.ok(ms < 4500, `${ms} ms for a stop`);
    } finally {
      await ctx.store.resume();
    }
    // Neither is done later, when no caller waits for it.
    const other = await started(ctx.store);
    await ok(other, 'add', 'n', 'w', 's1');
    assert.ok((await ok(other, 'getMembersBySid', 'n', 's1')).includes('w'));
  });

  for (const commandTimeout of [5000, 0]) {
    ours(
      `start with cleanOnStartUp has startTimeout (commandTimeout: ${commandTimeout})`,
      async () => {
        const opts = { cleanOnStartUp: true, commandTimeout, startTimeout: 600 };
        const service = create(ctx.store.options(opts));
        // The folder is there.
        await call(await started(ctx.store), 'stop', true);
        await ctx.store.hang();
        try {
          const { err, ms, n } = await call(service, 'start');
          assert.match(err.code, /_(TIMEOUT|UNREACHABLE)$/);
          assert.strictEqual(n, 1);
          assert.ok(ms >= 580 && ms < 4500, `${ms} ms`);
          assert.strictEqual(service.state, 0);
        } finally {
          await ctx.store.resume();
        }
        await ok(service, 'start');
        await ok(service, 'add', 'n', 'u', 's1');
      },
    );
  }

  same('E12 a store that hangs for 1 s: operations wait and succeed', async () => {
    const service = await started(ctx.store);
    await ctx.store.hang();
    const record = invoke(service, 'add', 'n', 'u', 's1');
    setTimeout(() => ctx.store.resume(), 1000);
    await record.done;
    assert.ok(!record.err);
    assert.ok(record.ms >= 900, `${record.ms} ms`);
  });
});
