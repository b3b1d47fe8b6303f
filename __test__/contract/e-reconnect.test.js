'use strict';

/**
 * Contract rows E03, E04, E10, E11, E19, E20: a lost connection: what is sent on the new one, and what becomes of the calls
 * on the old one. (E13, the backoff, is beside B22 in b-client.test.js.)
 */

const assert = require('node:assert');
const { invoke, call, ok, METHODS } = require('../support/call');
const redisServer = require('../support/redis');
const { started } = require('../support/service');
const { until } = require('../support/until');
const { area, same, ours } = require('../support/rows');

const KEY = 'POMELO:CHANNEL:n:s1';

area('E reconnect', {}, (ctx) => {
  /** Until the service has a connection that is not the one of this id. */
  const backWithout = (id) =>
    until(async () => {
      const [client] = await ctx.redis.clients();
      return client && client.id !== id;
    }, 'the service to be back');

  const works = (service) =>
    until(async () => !(await call(service, 'add', 'n', 'after', 's1')).err, 'add to work');

  same('E03 the store restarts: works again, in the same db', async () => {
    const service = await started(ctx.redis, { db: 3 });
    await ok(service, 'add', 'n', 'before', 's1');
    await ctx.redis.restart();
    await works(service);
    assert.deepStrictEqual(await ctx.redis.members(KEY, 3), ['after']);
    assert.deepStrictEqual(await ctx.redis.keys(0), []);
  });

  same('E03 five times over', async () => {
    const service = await started(ctx.redis, { db: 3 });
    for (let round = 0; round < 5; round += 1) {
      await ctx.redis.restart();
      await works(service);
    }
    assert.strictEqual((await ctx.redis.clients()).length, 1);
  });

  same('E04 the password is sent again', async () => {
    const secured = await redisServer.start({ password: 'secret' });
    try {
      const service = await started(secured, { auth_pass: 'secret', db: 3 });
      await secured.restart();
      await works(service);
      assert.deepStrictEqual(await secured.members(KEY, 3), ['after']);
      await call(service, 'stop', true);
    } finally {
      await secured.stop();
    }
  });

  same('E10 CLIENT KILL: the next operations work, on a new connection', async () => {
    const service = await started(ctx.redis, { db: 3 });
    const [{ id }] = await ctx.redis.clients();
    assert.strictEqual(await ctx.redis.killClients(), 1);
    await works(service);
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), [
      'after',
      'u',
    ]);
    assert.notStrictEqual((await ctx.redis.clients())[0].id, id);
  });

  same('E10 a service that is idle reconnects by itself', async () => {
    await started(ctx.redis);
    const [{ id }] = await ctx.redis.clients();
    await ctx.redis.killClients();
    await backWithout(id);
  });

  ours('E11 CLIENT KILL with operations in the same moment: sent again, all succeed', async () => {
    const service = await started(ctx.redis);
    for (let round = 0; round < 10; round += 1) {
      const killed = ctx.redis.killClients();
      const records = Object.keys(METHODS).map((m) => invoke(service, m, ...METHODS[m]));
      await killed;
      records.push(...Object.keys(METHODS).map((m) => invoke(service, m, ...METHODS[m])));
      await Promise.all(records.map((record) => record.done));
      for (const { err, n } of records) assert.deepStrictEqual([err, n], [null, 1]);
    }
  });

  ours('E20 200 operations in flight when the connection is cut: all succeed, once', async () => {
    const service = await started(ctx.redis);
    const records = [];
    for (let i = 0; i < 200; i += 1) records.push(invoke(service, 'add', 'n', i, 's1'));
    await ctx.redis.killClients();
    for (let i = 200; i < 400; i += 1) records.push(invoke(service, 'add', 'n', i, 's1'));
    await Promise.all(records.map((record) => record.done));
    await works(service);
    for (const { err, n } of records) assert.deepStrictEqual([err, n], [null, 1]);
    assert.strictEqual(await ctx.redis.run(0, 'scard', KEY), 401);
  });

  ours('E20 the order of one user’s add and leave is kept over the cut', async () => {
    const service = await started(ctx.redis);
    for (let round = 0; round < 10; round += 1) {
      const calls = [];
      for (let i = 0; i < 40; i += 1) {
        calls.push(call(service, i % 2 ? 'leave' : 'add', 'n', 'u', 's1'));
        if (i === 20) await ctx.redis.killClients();
      }
      await Promise.all(calls);
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), []);
    }
  });

  ours('E19 the connection is set up the same way each time', async () => {
    const monitor = await ctx.redis.monitor();
    const service = await started(ctx.redis, { db: 3 });
    // The kill of the connection before is no part of the set-up.
    const isSetUp = ([, name, sub]) => name !== 'CLIENT' || !/^kill$/i.test(sub);
    const first = (await monitor.commands()).filter(isSetUp);
    for (let round = 0; round < 2; round += 1) {
      const before = (await monitor.commands()).length;
      const [{ id }] = await ctx.redis.clients();
      await ctx.redis.killClients();
      await backWithout(id);
      await ok(service, 'getMembersBySid', 'n', 's1');
      const again = (await monitor.commands()).slice(before).filter(isSetUp);
      assert.deepStrictEqual(again, [...first, ['3', 'SMEMBERS', KEY]]);
    }
  });

  ours(
    'E11 a restart with another password: calls fail in time, and work when it is right',
    async () => {
      const secured = await redisServer.start({ password: 'one' });
      try {
        const options = { auth_pass: 'one', commandTimeout: 600, retry_max_delay: 50 };
        const service = await started(secured, options);
        secured.password = 'two';
        await secured.restart();
        const record = await call(service, 'add', 'n', 'u', 's1');
        assert.ok(record.err instanceof Error);
        assert.ok(record.ms < 4500, `${record.ms} ms`);
        secured.password = 'one';
        await secured.restart();
        await works(service);
        assert.strictEqual(record.n, 1);
        await call(service, 'stop', true);
      } finally {
        await secured.stop();
      }
    },
  );
});
