'use strict';

/**
 * A connection whose other end disappeared silently: the other side stops reading, or packets are dropped. It is detected
 * within 10 s, also when nothing is in flight or calls have no timeout; and a slow connection is not taken for dead. The tests
 * wait side by side, because each takes most of the 10 s.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { recovers } = require('./flight');
const { namespace } = require('./namespace');
const { proxy, throttle } = require('./wire');
const { started } = require('../support/service');
const { invoke, ok } = require('../support/call');
const { report } = require('../support/report');
const { until, pause } = require('../support/until');

// The promise is 10 s; the machine of a test is slow.
const PROMISE = 10000;
const GENEROUS = 20000;

/** Runs `fn` with a proxy that is closed whatever happens. */
async function through(redis, fn) {
  const wire = await proxy(redis.port);
  try {
    return await fn(wire);
  } finally {
    await wire.close();
  }
}

/** Stops reading and writing on the connections that are open now. */
function freeze(wire) {
  for (const { client, server } of wire.links) {
    client.pause();
    server.pause();
  }
}

area('half-open', {}, (ctx) => {
  /** How long until another connection is made, after `break_` and with nothing in flight. */
  async function found(wire, opts, break_) {
    const service = await started(wire, opts);
    assert.ifError((await invoke(service, 'add', 'n', 'u', 's1').done).err);
    const before = wire.times.length;
    const since = performance.now();
    break_();
    await until(() => wire.times.length > before, 'another connection', GENEROUS);
    const ms = wire.times[before] - since;
    return { service, ms };
  }

  const idle = () =>
    through(ctx.redis, async (wire) => {
      const { service, ms } = await found(wire, {}, () => freeze(wire));
      assert.ok(ms < PROMISE + 2000, `found after ${ms} ms`);
      const sees = `nothing; with nothing in flight it is found after ${Math.round(ms)} ms`;
      const fault = 'half-open connection: a proxy stops reading';
      report({ fault, sees, recovered: await recovers(service) });
    });

  const patient = () =>
    through(ctx.redis, async (wire) => {
      const service = await started(wire, { commandTimeout: 0 });
      freeze(wire);
      const calls = Array.from({ length: 200 }, (_, i) => invoke(service, 'add', 'p', i, 's1'));
      for (const { done } of calls) assert.ifError((await done).err);
      assert.ok(calls.every(({ n }) => n === 1));
      const slowest = Math.max(...calls.map(({ ms }) => ms));
      assert.ok(slowest < PROMISE + 2000, `answered after ${slowest} ms`);
      assert.strictEqual((await ctx.redis.members('POMELO:CHANNEL:p:s1')).length, 200);
      const fault = 'the same with 200 calls in flight and no commandTimeout';
      const sees = `all are sent again and done, after ${slowest} ms`;
      report({ fault, sees, recovered: await recovers(service) });
    });

  const slow = () =>
    through(ctx.redis, async (wire) => {
      const service = await started(wire, { commandTimeout: 0, cache: false });
      const uids = Array.from({ length: 1000 }, (_, i) => String(i).padEnd(1000, '.'));
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:large:s1', ...uids);
      const before = wire.times.length;
      throttle(wire, 100 * 1000);
      const read = invoke(service, 'getMembersBySid', 'large', 's1');
      const { err, value, ms } = await read.done;
      assert.ifError(err);
      assert.strictEqual(value.length, 1000);
      assert.ok(ms > 9000, `1 MB took ${ms} ms`);
      assert.strictEqual(wire.times.length, before, 'the slow connection was kept');
      const fault = '1 MB over a connection of 100 KB/s, no commandTimeout';
      report({ fault, sees: `the answer after ${ms} ms, over the same connection`, recovered: 0 });
    });

  const quiet = async () => {
    const service = await started(ctx.redis, { db: 5 });
    const own = (commands) => commands.filter(([db]) => db === '5');
    const monitor = await ctx.redis.monitor();
    await pause(9500);
    const commands = own(await monitor.commands());
    // One for each 3 s, all of them the command that every user may call: a read.
    assert.ok(commands.length >= 1 && commands.length <= 4, JSON.stringify(commands));
    assert.deepStrictEqual(new Set(commands.map(([, name]) => name)), new Set(['SMEMBERS']));
    assert.strictEqual(service.stats().reconnects, 0);
  };

  fault('a proxy stops reading: found within 10 s, and a slow connection is kept', async () => {
    await Promise.all([idle(), patient(), slow(), quiet()]);
  });

  const lacks = namespace.lacks();
  fault(
    'packets are dropped between two network namespaces: found within 10 s',
    async () => {
      const net = await namespace.open(ctx.redis.socketPath);
      try {
        const at = { options: () => ({ host: net.address, port: net.port }) };
        const idle = await started(at, {});
        const busy = await started(at, { commandTimeout: 0 });
        await ok(idle, 'add', 'n', 'u', 's1');
        const since = performance.now();
        net.drop();
        const call = invoke(busy, 'add', 'n', 'v', 's1');
        const gone = (service) => service.stats().connection !== 'connected';
        await until(() => gone(idle) && gone(busy), 'both to notice', GENEROUS);
        const ms = Math.round(performance.now() - since);
        assert.ok(ms < PROMISE + 2000, `found after ${ms} ms`);
        net.pass();
        const recovered = await recovers(idle, GENEROUS);
        assert.ifError((await call.done).err);
        assert.strictEqual(call.n, 1);
        const fault = 'half-open connection: packets dropped in a network namespace';
        const sees = `nothing, or TIMEOUT after commandTimeout; found after ${ms} ms`;
        report({ fault, sees, recovered });
      } finally {
        await net.close();
      }
    },
    { skip: lacks },
  );
});
