'use strict';

/**
 * Reconnecting with backoff: soon at first, then less often, with jitter; and the node_redis options that limit it or the
 * calls made meanwhile.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { Flight, recovers, words, CODE } = require('./flight');
const { listen, proxy } = require('./wire');
const { create, started } = require('../support/service');
const { invoke, call } = require('../support/call');
const { until } = require('../support/until');

const at = ({ port }, opts) => create({ host: '127.0.0.1', port, ...opts });

/** The first pauses between the attempts of a start on a port that closes each connection at once. */
async function pauses(count, opts) {
  const wire = await listen((socket) => socket.destroy());
  try {
    const service = at(wire, { startTimeout: 0, ...opts });
    const start = invoke(service, 'start');
    await until(() => wire.times.length > count, `${count} attempts after the first`, 60000);
    await call(service, 'stop', true);
    await start.done;
    return wire.times.slice(1, count + 1).map((time, i) => time - wire.times[i]);
  } finally {
    await wire.close();
  }
}

/** Of pauses, which a busy machine makes longer here and there but not all of them. */
const median = (list) => list.slice().sort((a, b) => a - b)[list.length >> 1];
const text = (list) => list.map(Math.round).join(', ');

area('attempts to connect', {}, (ctx) => {
  const shape = async () => {
    // Side by side, to see that two services do not try in step.
    const [fast, twin, normal] = await Promise.all([
      pauses(20, { retry_max_delay: 200 }),
      pauses(20, { retry_max_delay: 200 }),
      pauses(10),
    ]);
    const first = [fast, twin, normal].map((list) => list[0]);
    assert.ok(Math.min(...first) <= 150, `the first retry is soon: ${text(first)}`);
    assert.ok(median(fast) <= 300, `retry_max_delay 200: ${text(fast)}`);
    const late = fast.slice(5);
    assert.ok(Math.min(...late) >= 20, `no busy loop: ${text(fast)}`);
    const spread = (list) => Math.max(...list) - Math.min(...list);
    assert.ok(spread(late) >= 10, `jitter: ${text(fast)}`);
    assert.ok(
      late.some((each, i) => Math.abs(each - twin.slice(5)[i]) >= 5),
      `not in step: ${text(fast)} and ${text(twin)}`,
    );
    assert.ok(median(normal.slice(-3)) <= 2300, `capped at 2 s: ${text(normal)}`);
    assert.ok(Math.max(...normal) >= 500, `grows: ${text(normal)}`);
  };
  fault('come soon, grow, are capped and jittered', shape, { timeout: 90000 });

  fault('begin again with each lost connection', async () => {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire, { retry_max_delay: 5000, commandTimeout: 0 });
      // A long outage first, so that the back-off has grown.
      await ctx.redis.kill();
      const waiting = invoke(service, 'add', 'n', 'u', 's1');
      await until(() => wire.times.length >= 5, 'some attempts');
      await ctx.redis.up();
      assert.ifError((await waiting.done).err);
      const waits = [];
      for (let round = 0; round < 3; round += 1) {
        const count = wire.times.length;
        await ctx.redis.killClients();
        const cut = performance.now();
        invoke(service, 'add', 'n', 'u', 's1').done.catch(() => {});
        await until(() => wire.times.length > count, 'the next attempt');
        waits.push(wire.times[count] - cut);
        await recovers(service);
      }
      // The shortest: a busy machine makes others longer.
      assert.ok(Math.min(...waits) <= 200, `the next attempts came after ${text(waits)} ms`);
    } finally {
      await wire.close();
    }
  });
});

area('max_attempts', {}, (ctx) => {
  fault('start gives up after that number', async () => {
    const wire = await listen((socket) => socket.destroy());
    try {
      const service = at(wire, { max_attempts: 3 });
      const { err, ms } = await call(service, 'start');
      assert.strictEqual(err && err.code, CODE('UNREACHABLE'));
      assert.ok(ms < 10000, `${ms} ms`);
      assert.strictEqual(wire.times.length, 3);
      assert.strictEqual(service.state, 0);
    } finally {
      await wire.close();
    }
  });

  fault('a started service gives up after that number, then commands fail at once', async () => {
    const service = await started(ctx.redis, { max_attempts: 3, retry_max_delay: 100 });
    await ctx.redis.kill();
    const flight = new Flight(service);
    await flight.send(500).answered();
    flight.check('DISCONNECTED');
    assert.strictEqual(flight.failed().length, 500);
    assert.ok(Math.max(...flight.times()) < 4500, `took ${Math.max(...flight.times())} ms`);
    await flight.send(500).answered();
    flight.check('DISCONNECTED');
    assert.strictEqual(flight.failed(500).length, 500);
    assert.ok(Math.max(...flight.times(500)) < 4500, `took ${Math.max(...flight.times(500))} ms`);
    for (const { record } of flight.failed()) assert.match(words(record.err), /refused/i);
  });

  fault('does not count over a success', async () => {
    const service = await started(ctx.redis, { max_attempts: 2 });
    for (let round = 0; round < 5; round += 1) {
      await ctx.redis.killClients();
      await recovers(service);
    }
  });
});

area('connect_timeout', {}, (ctx) => {
  fault('a started service gives up after that time, then commands fail at once', async () => {
    const service = await started(ctx.redis, { connect_timeout: 600, retry_max_delay: 100 });
    await ctx.redis.kill();
    const { err, ms } = await call(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(err && err.code, CODE('DISCONNECTED'));
    assert.ok(ms >= 300 && ms < 4500, `${ms} ms`);
    const next = await call(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(next.err && next.err.code, CODE('DISCONNECTED'));
    assert.ok(next.ms < 4500, `${next.ms} ms`);
  });
});

area('enable_offline_queue: false', {}, (ctx) => {
  fault('calls made while disconnected fail at once, and work again afterwards', async () => {
    const service = await started(ctx.redis, { enable_offline_queue: false });
    await ctx.redis.kill();
    // The service hears of the end a moment later; until then calls are in flight, not offline.
    await until(async () => (await call(service, 'add', 'x', 'u', 's1')).err, 'a failure');
    const flight = new Flight(service);
    await flight.send(500).answered();
    flight.check('DISCONNECTED');
    assert.strictEqual(flight.failed().length, 500);
    // Not after commandTimeout (5 s), that is: how fast depends on the machine.
    assert.ok(Math.max(...flight.times()) < 4500, `took ${Math.max(...flight.times())} ms`);
    await ctx.redis.up();
    await recovers(service);
    const next = new Flight(service, 2);
    await next.send(500).answered();
    await next.check().checkStore(ctx.redis);
  });

  fault('calls in flight when the connection goes are answered once', async () => {
    const service = await started(ctx.redis, { enable_offline_queue: false });
    const flight = new Flight(service);
    flight.send(500);
    await ctx.redis.killClients();
    await flight.answered();
    await flight.check('DISCONNECTED').checkStore(ctx.redis);
    await recovers(service);
  });
});
