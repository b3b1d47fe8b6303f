'use strict';

/**
 * Random commands and random faults for a minute, or for SOAK seconds (600 each night). It goes in rounds, each checked
 * against the model of flight.js, so that no record grows with the time. FAULT_SEED=n repeats a run as far as timing allows.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { area, fault } = require('./fault');
const { Flight, recovers } = require('./flight');
const { delay, proxy } = require('./wire');
const { started } = require('../support/service');
const { logged } = require('../support/log');
const { report } = require('../support/report');
const { until, pause } = require('../support/until');

const SECONDS = Number(process.env.SOAK) || 60;
const ROUND = 3000;
// In MiB, from the end of the first round on.
const GROWTH = 128;
const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];

const ms = fc.integer({ min: 20, max: 400 });

/** Each begins at once, and ends when its promise does. One at a time. */
const FAULTS = {
  'connections killed': ({ redis }) => redis.killClients(),
  'kill -9': ({ redis }) => redis.restart(),
  SIGSTOP: async ({ redis }, time) => {
    redis.pause();
    await pause(time);
    redis.resume();
  },
  'reset in mid-reply': async ({ wire }) => {
    wire.toClient = (chunk, { client, server }) => {
      wire.toClient = null;
      client.end(chunk.subarray(0, Math.floor(chunk.length / 2)));
      server.destroy();
    };
    await pause(50);
  },
  garbage: async ({ wire }) => {
    wire.toClient = (chunk) => {
      wire.toClient = null;
      return Buffer.concat([Buffer.from('?what\r\n'), chunk]);
    };
    await pause(50);
  },
  silence: async ({ wire }, time) => {
    wire.toServer = () => undefined;
    await pause(time);
    // Bytes are missing in the stream now, so these connections cannot be used any more.
    for (const { client } of wire.links.splice(0)) client.destroy();
    wire.toServer = null;
  },
  latency: async ({ wire }, time) => {
    delay(wire, () => 50);
    await pause(time);
    wire.toClient = wire.toServer = null;
    // Or what the next fault does would overtake what is held back: replies to other questions.
    await until(() => !wire.holds(), 'nothing to be held back');
  },
  OOM: async ({ redis }, time) => {
    await redis.run(0, 'config', 'set', 'maxmemory', '1');
    await pause(time);
    await redis.run(0, 'config', 'set', 'maxmemory', '0');
  },
};

const step = fc.record({
  wait: fc.integer({ min: 1, max: 30 }),
  commands: fc.integer({ min: 1, max: 30 }),
  fault: fc.option(fc.record({ kind: fc.constantFrom(...Object.keys(FAULTS)), ms }), { freq: 6 }),
});

/** One round: commands and faults, then none, and what was acknowledged must be there. */
async function round(world, flight, seed, met) {
  const end = Date.now() + ROUND;
  let current = null;
  for (const { wait, commands, fault: next } of fc.sample(step, { seed, numRuns: 1000 })) {
    if (Date.now() > end) break;
    flight.send(commands);
    if (next && !current) {
      met[next.kind] = (met[next.kind] || 0) + 1;
      current = FAULTS[next.kind](world, next.ms).finally(() => (current = null));
    }
    await pause(wait);
  }
  await current;
  await flight.answered();
  await recovers(flight.service);
  await flight.send(100).answered();
  await flight.check('TIMEOUT', 'DISCONNECTED', 'STORE', 'PUSH_FAILED').checkStore(world.redis);
}

area(`${SECONDS} s of random faults`, { args: AOF }, (ctx) => {
  const body = async () => {
    const first = Number(process.env.FAULT_SEED) || Date.now() % 1000000;
    const wire = await proxy(ctx.redis.port);
    const world = { redis: ctx.redis, wire };
    const [met, counts] = [{}, { calls: 0, failed: 0 }];
    let seed = first;
    let base;
    const end = Date.now() + 1000 * SECONDS;
    try {
      const service = await started(wire, { commandTimeout: 1000, retry_max_delay: 200 });
      while (Date.now() < end) {
        const flight = new Flight(service, seed);
        try {
          // A log line or two for each loss of a connection: they are not what is tested here.
          await logged(() => round(world, flight, seed, met));
        } catch (err) {
          err.message += ` (FAULT_SEED=${seed}, ${JSON.stringify(met)})`;
          throw err;
        }
        counts.calls += flight.entries.length;
        counts.failed += flight.failed().length;
        await ctx.redis.flush();
        if (base === undefined) base = process.memoryUsage().rss;
        seed += 1000;
      }
      const grown = Math.round((process.memoryUsage().rss - base) / 2 ** 20);
      assert.ok(grown < GROWTH, `the process has grown by ${grown} MiB (FAULT_SEED=${first})`);
      const kinds = Object.values(met);
      assert.ok(kinds.length >= 3, `faults: ${JSON.stringify(met)}`);
      const total = kinds.reduce((sum, n) => sum + n, 0);
      const what = `${SECONDS} s of ${total} random faults of ${kinds.length} kinds`;
      const sees = `${counts.calls} calls answered once, ${counts.failed} with an error; ${Math.max(0, grown)} MiB more`;
      report({ fault: what, sees, recovered: await recovers(service) });
    } finally {
      await wire.close();
    }
  };
  const title = 'each call is answered once, and what is acknowledged holds';
  fault(title, body, { timeout: 1000 * (2 * SECONDS + 60) });
});
