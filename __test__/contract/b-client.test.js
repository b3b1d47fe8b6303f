'use strict';

/**
 * Contract rows B20–B22 and B24: the options of node_redis 0.10 that apps pass through the plugin
 * and that keep their meaning.
 */

const assert = require('node:assert');
const net = require('net');
const { call, ok } = require('../support/call');
const { freePort } = require('../support/redis');
const { create, started } = require('../support/service');
const { until } = require('../support/until');
const { area, ours } = require('../support/rows');

/** A port that takes connections and cuts them at once, noting when. */
async function cuttingServer() {
  const times = [];
  const server = net.createServer((socket) => {
    times.push(Date.now());
    socket.on('error', () => {});
    socket.destroy();
  });
  // A row that failed does not close it, and the file must end all the same.
  server.unref();
  const port = await freePort();
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const gaps = () => times.slice(1).map((time, i) => time - times[i]);
  return { port, gaps, close: () => new Promise((resolve) => server.close(resolve)) };
}

area('B client options', {}, (ctx) => {
  /** Calls until one is answered with an error, as the cut may not have been noticed yet. */
  const failure = (service) =>
    until(async () => {
      const record = await call(service, 'add', 'n', 'u', 's1');
      return record.err && record;
    }, 'a call to fail');

  ours('B20 enable_offline_queue: false: a call while down fails at once', async () => {
    const service = await started(ctx.redis, { enable_offline_queue: false });
    await ctx.redis.kill();
    await failure(service);
    const { err, ms, argc } = await call(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual([err.code, argc], ['ERR_GLOBAL_CHANNEL_DISCONNECTED', 1]);
    assert.ok(ms < 4500, `${ms} ms`);
  });

  ours('B20 enable_offline_queue: false: works again when the store is back', async () => {
    const service = await started(ctx.redis, { enable_offline_queue: false });
    await ctx.redis.restart();
    await until(async () => !(await call(service, 'add', 'n', 'u', 's1')).err, 'add to work');
    assert.deepStrictEqual(await ctx.redis.members('POMELO:CHANNEL:n:s1'), ['u']);
  });

  ours('B20 enable_offline_queue: true (the default): a call while down waits', async () => {
    const service = await started(ctx.redis);
    await ctx.redis.kill();
    const waiting = call(service, 'add', 'n', 'u', 's1');
    await ctx.redis.up();
    assert.strictEqual((await waiting).err, null);
  });

  ours('B21 max_attempts: 2: after giving up, calls fail at once', async () => {
    const service = await started(ctx.redis, { max_attempts: 2, retry_max_delay: 50 });
    await ctx.redis.kill();
    await failure(service);
    const { err, ms } = await call(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_DISCONNECTED');
    assert.ok(ms < 4500, `${ms} ms`);
  });

  ours('B21 max_attempts: 2: waiting calls are answered when it gives up', async () => {
    const service = await started(ctx.redis, { max_attempts: 2, retry_max_delay: 50 });
    await ctx.redis.kill();
    const { err, ms, n } = await call(service, 'add', 'n', 'u', 's1');
    assert.ok(err);
    assert.strictEqual(n, 1);
    assert.ok(ms < 4500, `${ms} ms`);
  });

  ours('B21 max_attempts: 2: start gives up', async () => {
    const service = create({ port: await freePort(), max_attempts: 2 });
    const { err, ms } = await call(service, 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    assert.ok(err.cause instanceof Error);
    assert.ok(ms < 4500, `${ms} ms`);
  });

  ours('B21 connect_timeout: start gives up after that time', async () => {
    const service = create({ port: await freePort(), connect_timeout: 400 });
    const { err, ms } = await call(service, 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    assert.ok(ms >= 300 && ms < 4500, `${ms} ms`);
  });

  ours('B21 connect_timeout: calls fail at once after that time', async () => {
    const service = await started(ctx.redis, { connect_timeout: 300 });
    await ctx.redis.kill();
    const first = await failure(service);
    assert.ok(first.ms < 4500, `${first.ms} ms`);
    const { err, ms } = await call(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_DISCONNECTED');
    assert.ok(ms < 4500, `${ms} ms`);
  });

  ours('B22 retry_max_delay: 100 caps the pause between two attempts', async () => {
    const cutting = await cuttingServer();
    create({ port: cutting.port, retry_max_delay: 100 }).start(() => {});
    await until(() => cutting.gaps().length >= 12, 'twelve attempts');
    // The jitter may shorten a pause, and a busy machine lengthen it.
    const gaps = cutting.gaps().slice(4);
    const median = gaps.sort((a, b) => a - b)[gaps.length >> 1];
    assert.ok(median >= 30 && median <= 180, cutting.gaps().join());
    await cutting.close();
  });

  ours('E13 without it: first pause at most 100 ms, then growing, with jitter', async () => {
    const [one, two] = await Promise.all([cuttingServer(), cuttingServer()]);
    for (const { port } of [one, two]) create({ port }).start(() => {});
    await until(() => one.gaps().length >= 6 && two.gaps().length >= 6, 'six attempts', 20000);
    for (const { gaps } of [one, two]) {
      const list = gaps();
      assert.ok(list[0] <= 150, list.join());
      assert.ok(Math.max(...list.slice(0, 7)) > 2 * list[0], list.join());
      assert.ok(Math.max(...list) <= 2300, list.join());
    }
    assert.notDeepStrictEqual(one.gaps(), two.gaps());
    await Promise.all([one.close(), two.close()]);
  });

  ours('B24 no_ready_check and other client options are accepted without effect', async () => {
    const monitor = await ctx.redis.monitor();
    const plain = await started(ctx.redis, { db: 3 });
    const before = await monitor.commands();
    const options = { no_ready_check: true, socket_nodelay: false, command_queue_high_water: 1 };
    const service = await started(ctx.redis, { db: 3, ...options });
    const after = (await monitor.commands()).slice(before.length);
    const names = (commands) => commands.map(([, name]) => name);
    assert.deepStrictEqual(names(after), names(before));
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await ok(plain, 'getMembersBySid', 'n', 's1'), ['u']);
  });
});
