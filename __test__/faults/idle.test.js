'use strict';

/**
 * Connections that are closed while nothing is in flight, as servers and balancers close idle ones: the log says so for
 * information, once, and the faults stay faults. How such lines are summed up is tested in src/driver/tests/idle.rs.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { ok } = require('../support/call');
const { started } = require('../support/service');
const { until } = require('../support/until');

/** The lines of these levels while `fn` runs. */
async function levels(fn) {
  const lines = { info: [], warn: [], error: [] };
  const real = Object.keys(lines).map((level) => [level, console[level]]);
  for (const [level] of real) console[level] = (...args) => lines[level].push(args.join(' '));
  try {
    await fn(lines);
  } finally {
    for (const [level, method] of real) console[level] = method;
  }
  return lines;
}

area('idle connections', {}, (ctx) => {
  fault('that Redis closes (timeout 1): one line of information, no error', async () => {
    await ctx.redis.run(0, 'config', 'set', 'timeout', '1');
    try {
      const lines = await levels(async () => {
        const service = await started(ctx.redis);
        await until(() => service.stats().reconnects >= 3, 'three reconnects', 30000);
        await ok(service, 'add', 'n', 'u', 's1');
      });
      assert.deepStrictEqual([lines.error, lines.warn], [[], []]);
      assert.strictEqual(lines.info.length, 1, lines.info.join('\n'));
      assert.match(lines.info[0], /connected again to Redis at .*: the idle connection was lost/);
    } finally {
      await ctx.redis.run(0, 'config', 'set', 'timeout', '0');
    }
  });

  fault('whose server is gone: an error, as ever', async () => {
    const lines = await levels(async (lines) => {
      const service = await started(ctx.redis);
      await ctx.redis.kill();
      await until(() => lines.error.length >= 2, 'lines in the log');
      await ctx.redis.up();
      await ok(service, 'add', 'n', 'u', 's1');
    });
    assert.match(lines.error[0], /lost the connection to Redis/);
    assert.match(lines.error[1], /cannot connect to Redis/);
    assert.match(lines.error.at(-1), /connected again to Redis/);
    assert.deepStrictEqual(lines.info, []);
  });
});
