'use strict';

/**
 * Random commands during random faults; after the faults, acknowledged writes must be in the store. FAULT_SEED=n repeats a run
 * as far as timing allows; the seed is in the message of each failure.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { area, fault } = require('./fault');
const { Flight, recovers } = require('./flight');
const { started } = require('../support/service');
const { pause } = require('../support/until');

const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];
const DURATION = 4000;

const step = fc.record({
  wait: fc.integer({ min: 1, max: 30 }),
  commands: fc.integer({ min: 1, max: 40 }),
  // About one step in eight is a fault as well.
  fault: fc.oneof(
    { weight: 21, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constant({ kind: 'cut' }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('hang'), ms: fc.integer({ min: 50, max: 300 }) }),
    },
  ),
});

const FAULTS = {
  cut: (redis) => redis.killClients(),
  restart: (redis) => redis.restart(),
  hang: async (redis, { ms }) => {
    redis.pause();
    await pause(ms);
    redis.resume();
  },
};

async function chaos(redis, opts, ...codes) {
  const seed = Number(process.env.FAULT_SEED) || Date.now() % 1000000;
  const service = await started(redis, opts);
  const flight = new Flight(service, seed);
  const met = { cut: 0, restart: 0, hang: 0 };
  const end = Date.now() + DURATION;
  let current = null;
  try {
    for (const { wait, commands, fault: next } of fc.sample(step, { seed, numRuns: 2000 })) {
      if (Date.now() > end) break;
      flight.send(commands);
      if (next && !current) {
        met[next.kind] += 1;
        current = FAULTS[next.kind](redis, next).finally(() => (current = null));
      }
      await pause(wait);
    }
    await current;
    await flight.answered();
    await recovers(service);
    await flight.send(200).answered();
    await flight.check(...codes).checkStore(redis);
  } catch (err) {
    err.message += ` (FAULT_SEED=${seed}, ${flight.entries.length} commands, ${JSON.stringify(met)})`;
    throw err;
  }
  assert.ok(met.cut && met.restart && met.hang, `every kind of fault: ${JSON.stringify(met)}`);
  return flight;
}

area('random faults', { args: AOF }, (ctx) => {
  fault('shorter than commandTimeout: everything succeeds', async () => {
    await chaos(ctx.redis, {});
  });

  fault('longer than commandTimeout: acknowledged writes are kept', async () => {
    const flight = await chaos(ctx.redis, { commandTimeout: 120 }, 'TIMEOUT', 'DISCONNECTED');
    assert.ok(flight.failed().length, 'some failed');
  });
});
