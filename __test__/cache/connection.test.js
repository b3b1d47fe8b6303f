'use strict';

/**
 * A connection ends, hangs or sends invalid data: nothing from before is served on the next one, and no command left in
 * it takes effect. Lost connections without a cache are tested in faults/.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const {
  J,
  K,
  counted,
  fill,
  hit,
  key,
  noHit,
  onDouble,
  read,
  reading,
  result,
} = require('./schedule');
const { call, invoke, ok } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');
const { until } = require('../support/until');

describe('Cache: the wire breaks', () => {
  onDouble('entries survive a reconnect: none does', async ({ double, service }) => {
    double.other('SADD', K, 'old');
    await fill(service);
    double.hold();
    double.other('SADD', K, 'new');
    double.cut();
    double.flow();
    for (let i = 0; i < 2; i += 1) assert.deepStrictEqual(await noHit(service), ['new', 'old']);
    assert.deepStrictEqual(await hit(service), ['new', 'old']);
  });

  onDouble('a load of the old connection is not kept on the new one', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    double.hold();
    const asked = double.next('SMEMBERS', K);
    const record = reading(service);
    await asked;
    double.cut();
    const again = double.next('SMEMBERS', K);
    double.flow();
    assert.deepStrictEqual(await result(record), ['old']);
    await again;
    double.other('SADD', K, 'new');
    assert.deepStrictEqual(await read(service), ['new', 'old']);
  });

  onDouble('a barrier of the old connection is asked again on the new one', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    await fill(service);
    double.hold();
    const touched = double.next('TOUCH', K);
    const record = reading(service);
    await touched;
    double.cut();
    double.other('SADD', K, 'new');
    double.flow();
    assert.deepStrictEqual(await result(record), ['new', 'old']);
  });

  onDouble(
    'a barrier that is not answered in time serves no list, then or later',
    async ({ double, service }) => {
      double.other('SADD', K, 'old');
      await fill(service);
      double.hold();
      const touched = double.next('TOUCH', K);
      const record = reading(service);
      await touched;
      double.other('SADD', K, 'new');
      const { err } = await record.done;
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_TIMEOUT');
      double.flow();
      assert.deepStrictEqual(await noHit(service), ['new', 'old']);
      assert.strictEqual(record.n, 1);
    },
    { opts: { commandTimeout: 300 } },
  );

  onDouble('stop while barriers and loads are on their way: each is answered', async (ctx) => {
    const { double, service } = ctx;
    await fill(service);
    double.hold();
    const touched = double.next('SMEMBERS', J);
    const records = [reading(service), reading(service, 'j'), reading(service)];
    await touched;
    await call(service, 'stop', false);
    for (const { done } of records) {
      assert.strictEqual((await done).err.code, 'ERR_GLOBAL_CHANNEL_STOPPED');
    }
    assert.deepStrictEqual([service.stats().cache.entries, service.stats().cache.bytes], [0, 0]);
  });

  onDouble('bytes that are no RESP end the connection and all that it gave', async (ctx) => {
    const { double, service } = ctx;
    for (const each of [K, J]) double.other('SADD', each, 'old');
    await fill(service);
    const connections = double.wire.times.length;
    double.hold();
    const asked = double.next('SMEMBERS', J);
    const load = reading(service, 'j');
    await asked;
    for (const each of [K, J]) double.other('SADD', each, 'new');
    double.drop();
    double.sendRaw('what is this?\r\n');
    const record = reading(service);
    double.flow();
    assert.deepStrictEqual(await result(load), ['new', 'old']);
    assert.deepStrictEqual(await result(record), ['new', 'old']);
    assert.ok(double.wire.times.length > connections, 'there was no new connection');
    assert.strictEqual(service.stats().reconnects, 1);
  });

  onDouble('pushes that are no invalidations change nothing', async ({ double, service }) => {
    double.other('SADD', K, 'u');
    await fill(service);
    double.sendRaw('>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n');
    double.sendRaw('>2\r\n$4\r\nodds\r\n:5\r\n');
    assert.deepStrictEqual(await hit(service), ['u']);
  });

  for (const [what, push] of Object.entries({
    'without keys': '>1\r\n$10\r\ninvalidate\r\n',
    'with a number for keys': '>2\r\n$10\r\ninvalidate\r\n:5\r\n',
    'with numbers as keys': '>2\r\n$10\r\ninvalidate\r\n*2\r\n:5\r\n_\r\n',
  })) {
    onDouble(`an invalidation that cannot be read (${what}) drops everything`, async (ctx) => {
      const { double, service } = ctx;
      double.other('SADD', K, 'old');
      await fill(service);
      double.replaceSilently(K, 'new');
      double.sendRaw(push);
      for (let i = 0; i < 2; i += 1) assert.deepStrictEqual(await noHit(service), ['new']);
      assert.deepStrictEqual(await hit(service), ['new']);
    });
  }
});

area('Cache: the connection to a real server', {}, (ctx) => {
  for (const [what, cut] of Object.entries({
    'CLIENT KILL': (redis) => redis.killClients(),
    'a restart': (redis) => redis.restart(),
  })) {
    ours(`${what}: nothing from before is served`, async () => {
      const service = await started(ctx.redis);
      for (let round = 0; round < 5; round += 1) {
        await ok(service, 'add', 'n', `u${round}`, 's1');
        await fill(service);
        await cut(ctx.redis);
        // The new connection is not told of this one.
        await ctx.redis.run(0, 'del', key());
        await ctx.redis.run(0, 'sadd', key(), `v${round}`);
        assert.deepStrictEqual(await noHit(service), [`v${round}`]);
      }
      assert.ok(service.stats().reconnects >= 5);
    });
  }

  ours('cut repeatedly between reads: the writes of B are always seen', async () => {
    const service = await started(ctx.redis);
    const counts = await counted(service, async () => {
      for (let round = 0; round < 20; round += 1) {
        const records = Array.from({ length: 20 }, () => reading(service));
        const cutting = ctx.redis.killClients();
        await ctx.redis.run(0, 'sadd', key(), `u${round}`);
        const last = reading(service);
        const late = (await result(last)).includes(`u${round}`);
        assert.ok(late, `B's write number ${round} is missing`);
        await cutting;
        for (const { done } of records) assert.ifError((await done).err);
        await fill(service);
      }
    });
    assert.ok(counts.hits >= 20, JSON.stringify(counts));
  });

  ours('a late write: commands that a hung server still holds do not take effect', async () => {
    const service = await started(ctx.redis, { commandTimeout: 400 });
    for (let round = 0; round < 3; round += 1) {
      await fill(service, 'z', 's1');
      const [{ id }] = await ctx.redis.clients();
      ctx.redis.pause();
      let late;
      try {
        // 61 KB that the server has not read, and the write that must not come back behind them.
        const calls = Array.from({ length: 60 }, (_, i) =>
          invoke(service, 'add', 'pad', `${i}`.padEnd(1000, 'x'), 's1'),
        );
        calls.push(invoke(service, 'add', 'z', 'u', 's1'));
        for (const { done } of calls) {
          assert.strictEqual((await done).err.code, 'ERR_GLOBAL_CHANNEL_TIMEOUT');
        }
        late = [invoke(service, 'add', 'z', 'u', 's1'), invoke(service, 'leave', 'z', 'u', 's1')];
      } finally {
        ctx.redis.resume();
      }
      await Promise.all(late.map(({ done }) => done));
      // They may have been too late; then once more, on the new connection.
      await until(async () => !(await call(service, 'add', 'z', 'u', 's1')).err, 'the add');
      await ok(service, 'leave', 'z', 'u', 's1');
      await until(
        async () => (await ctx.redis.clients()).every((client) => client.id !== id),
        'the end of the old connection at the server',
      );
      assert.deepStrictEqual(await ctx.redis.members(key('z')), [], `round ${round}`);
      assert.deepStrictEqual(await read(service, 'z'), [], `round ${round}`);
    }
  });
});
