'use strict';

/**
 * Redis Sentinel: the primary is found, and after a failover the next one, with calls under way. A
 * single server and its faults are in ../faults.
 */

const assert = require('node:assert');
const { describe, before, beforeEach, after, afterEach } = require('node:test');
const { Group, NAME } = require('../support/sentinels');
const { fault } = require('../faults/fault');
const { Flight, recovers, hold, held } = require('../faults/flight');
const { started, stopAll } = require('../support/service');
const { pause } = require('../support/until');

/** What a call may take at most; elections on a slow machine take long. */
const commandTimeout = 15000;
/** What it may take once there is a new primary, on a machine of any speed. */
const SOON = 5000;

/** Some writes that are acknowledged and replicated. */
async function underWay(group, options) {
  const service = await started(group, { commandTimeout, ...options });
  const flight = new Flight(service);
  await flight.send(300).answered();
  const primary = await group.replicated();
  return { service, flight, primary };
}

/** Calls go on until there is a new primary; then all are answered, soon, with success. */
async function goesOn({ service, flight, primary }, group) {
  const next = group.nextPrimary(primary);
  let elected = false;
  next.then(
    () => (elected = true),
    () => (elected = true),
  );
  while (!elected) {
    flight.send(20);
    await pause(20);
  }
  const server = await next;
  const at = Date.now();
  await flight.answered();
  assert.ok(Date.now() - at < SOON, `the last answer came ${Date.now() - at} ms later`);
  await flight.send(100).answered();
  flight.check();
  await flight.checkStore(server);
  await recovers(service);
  return server;
}

describe('Redis Sentinel', () => {
  let group;
  before(async () => {
    group = await Group.start();
  });
  after(() => group && group.stop());
  afterEach(stopAll);

  describe('a failover', () => {
    beforeEach(() => group.heal());

    fault(
      'that an operator asks for: what is held up at the old primary is done by the new one',
      async () => {
        const run = await underWay(group);
        await hold(run.primary);
        run.flight.send(500);
        await held(run.primary);
        await group.sentinel.ask('failover');
        await goesOn(run, group);
      },
    );

    fault('because the primary was killed', async () => {
      const run = await underWay(group);
      await hold(run.primary);
      run.flight.send(500);
      await held(run.primary);
      await run.primary.kill();
      await goesOn(run, group);
    });

    fault('because the primary hung: it comes back, and nothing of it', async () => {
      const run = await underWay(group);
      run.primary.pause();
      run.flight.send(500);
      await goesOn(run, group);
      run.primary.resume();
      await run.flight.send(500).answered();
      run.flight.check();
      await run.flight.checkStore(await group.primary());
    });
  });
});
