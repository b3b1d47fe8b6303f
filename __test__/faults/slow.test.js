'use strict';

/** A slow network: everything succeeds, only later. A dead one is in half-open.test.js, a stopped server in hang.test.js. */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { Flight, recovers } = require('./flight');
const { proxy, throttle, delay } = require('./wire');
const { started } = require('../support/service');
const { call, ok } = require('../support/call');
const { report } = require('../support/report');
const { pause } = require('../support/until');

area('a slow network', {}, (ctx) => {
  /** Three times `count` commands over a network that `spoil` makes slow; the slowest answer, in ms. */
  async function slowest(spoil, count, opts) {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire, opts);
      const connections = wire.times.length;
      spoil(wire);
      const flight = new Flight(service);
      for (let round = 0; round < 3; round += 1) await flight.send(count).answered();
      await flight.check().checkStore(ctx.redis);
      assert.strictEqual(wire.times.length, connections, 'the connection was kept');
      wire.toClient = wire.toServer = null;
      return { ms: Math.max(...flight.times()), recovered: await recovers(service) };
    } finally {
      await wire.close();
    }
  }

  fault('latency of 200 ms ± 100: all commands succeed', async () => {
    // 100 ± 50 each way.
    const spoil = (wire) => delay(wire, () => 50 + 100 * Math.random());
    const { ms, recovered } = await slowest(spoil, 300);
    assert.ok(ms >= 100, `the slowest took ${ms} ms`);
    const sees = `all is done, later: 900 mixed calls, the slowest of 300 at a time ${ms} ms`;
    report({ fault: 'latency of 200 ms ± 100', sees, recovered });
  });

  fault('a clean that takes long: calls made after it wait, and succeed', async () => {
    // Keys that are not ours: some 30 steps of three commands, 40 ms each.
    const fill = "for i = 1, 30000 do redis.call('set', 'k' .. i, 1) end";
    await ctx.redis.run(0, 'eval', fill, 0);
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire, { commandTimeout: 500 });
      await ok(service, 'add', 'n', 'u', 's1');
      delay(wire, () => 20);
      const cleaned = call(service, 'clean');
      const later = [call(service, 'add', 'n', 'v', 's1')];
      await pause(700);
      later.push(call(service, 'getMembersBySid', 'n', 's1'));
      const { err, ms } = await cleaned;
      assert.ifError(err);
      assert.ok(ms > 1000, `${ms} ms for a clean`);
      const [added, read] = await Promise.all(later);
      assert.deepStrictEqual([added.err, read.err, read.value], [null, null, ['v']]);
      wire.toClient = wire.toServer = null;
      const sees = `calls made after it wait, and are done; commandTimeout is 500 ms`;
      const recovered = await recovers(service);
      report({ fault: `a clean that takes ${ms} ms`, sees, recovered });
    } finally {
      await wire.close();
    }
  });

  fault('bandwidth of 100 KB/s: all commands succeed', async () => {
    const { ms, recovered } = await slowest((wire) => throttle(wire, 100000), 2000, {
      cache: false,
    });
    assert.ok(ms >= 200, `the slowest took ${ms} ms`);
    const sees = `all is done, later: 6000 mixed calls, the slowest of 2000 at a time ${ms} ms`;
    report({ fault: 'bandwidth of 100 KB/s', sees, recovered });
  });
});
