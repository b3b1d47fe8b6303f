'use strict';

/**
 * Redis Sentinel replaces the primary with calls under way: all are executed, once, in order, at the new one. How the primary
 * is found is in sentinel.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const redisServer = require('../support/redis');
const { report } = require('../support/report');
const { Sentinel } = require('../support/sentinels');
const { proxy } = require('../faults/wire');
const { fault: row } = require('../faults/fault');
const { Flight, recovers, hold, held } = require('../faults/flight');
const healedGroup = require('../support/healed-group');
const { started } = require('../support/service');
const { ok } = require('../support/call');
const { until, pause } = require('../support/until');

/** What a call may take at most; elections on a slow machine take long. */
const commandTimeout = 15000;
/** What it may take once there is a new primary, on a machine of any speed. */
const SOON = 5000;

/** A test that may wait for elections. */
const fault = (title, fn) => row(title, fn, { timeout: 120000 });

describe('Redis Sentinel: a failover', () => {
  const group = healedGroup();

  /** Some writes that are acknowledged and replicated. */
  async function underWay() {
    const service = await started(group, { commandTimeout });
    const flight = new Flight(service);
    await flight.send(300).answered();
    await group.untilHeard(1);
    return { service, flight, primary: await group.replicated() };
  }

  /** Calls that are certainly not answered by the primary. */
  async function heldUp() {
    const run = await underWay();
    await hold(run.primary);
    run.flight.send(500);
    await held(run.primary);
    return run;
  }

  /** Calls go on until there is a new primary; then all are answered, soon, with success. `what` is the fault. */
  async function goesOn({ service, flight, primary }, what) {
    const elected = group.nextPrimary(primary);
    const over = elected.then(
      () => true,
      () => true,
    );
    while (!(await Promise.race([over, pause(20)]))) flight.send(20);
    const next = await elected;
    const at = Date.now();
    await flight.answered();
    const ms = Date.now() - at;
    assert.ok(ms < SOON, `the last answer came ${ms} ms later`);
    const sees = `calls wait, and are done in their order; the slowest took ${Math.max(...flight.times())} ms`;
    await flight.send(100).answered();
    await flight.check().checkStore(next);
    await recovers(service);
    report({ topic: 'Sentinel', fault: what, sees, recovered: `${ms} ms after the election` });
    return next;
  }

  /** A service that is not told of a failover, and what it does once it can hear again. */
  async function deafened() {
    const wire = await proxy(group.sentinel.port);
    const user = await group.userOfTheListed();
    const sentinels = [`127.0.0.1:${wire.port}`];
    const service = await started(group, { sentinels, ...user });
    wire.toServer = () => undefined;
    for (const socket of wire.open) socket.destroy();
    const finds = async (primary) => {
      assert.strictEqual(service.stats().reconnects, 0);
      wire.toServer = undefined;
      const moves = () => service.stats().reconnects === 1;
      await until(moves, 'a look at what was missed', 20000);
      await ok(service, 'add', 'deaf', 'me', 's1');
      assert.deepStrictEqual(await primary.members('POMELO:CHANNEL:deaf:s1'), ['me']);
    };
    return { finds, close: () => wire.close() };
  }

  fault('by an operator: unanswered calls are executed by the new primary', async () => {
    const run = await heldUp();
    await group.failOver();
    const next = await goesOn(run, 'SENTINEL FAILOVER under load');
    // No list of the old connection is served, and those of the new one are watched.
    const { service } = run;
    for (const uid of ['a', 'b', 'c']) {
      await next.run(0, 'sadd', 'POMELO:CHANNEL:seen:s1', uid);
      const members = await ok(service, 'getMembersBySid', 'seen', 's1');
      assert.ok(members.includes(uid), `${uid} is not in ${members}`);
    }
    assert.strictEqual(service.stats().cache.enabled, true);
  });

  fault('because the primary was killed', async () => {
    const run = await heldUp();
    await run.primary.kill();
    await goesOn(run, 'kill -9 of the primary under load');
  });

  fault('because the primary hung: it comes back, and no write is lost', async () => {
    const run = await underWay();
    run.primary.pause();
    run.flight.send(500);
    const next = await goesOn(run, 'SIGSTOP of the primary under load; it comes back later');
    run.primary.resume();
    await run.flight.send(500).answered();
    await run.flight.check().checkStore(next);
  });

  fault('that some sentinels have missed: the highest epoch wins', async () => {
    const before = await group.primary();
    const deaf = await deafened();
    let stale;
    try {
      await group.failOver();
      const next = await group.nextPrimary(before);
      await group.untilAgreed(next);
      await deaf.finds(next);
      // This one knows the old primary only, which takes writes still.
      stale = await redisServer.start({ monitor: before.port }, Sentinel);
      const { sentinels } = group.options();
      const wrong = `127.0.0.1:${stale.port}`;
      for (const [uid, asked] of [
        ['last', [...sentinels, wrong]],
        ['first', [wrong, ...sentinels]],
      ]) {
        const service = await started(group, { sentinels: asked });
        await ok(service, 'add', 'led', uid, 's1');
      }
      assert.deepStrictEqual(await next.members('POMELO:CHANNEL:led:s1'), ['first', 'last']);
    } finally {
      await deaf.close();
      if (stale) await stale.stop();
    }
  });

  // How little is lost that the old primary acknowledged is a matter of milliseconds: for a quiet machine.
  for (let round = 1; round <= Number(process.env.FAILOVERS || 0); round += 1) {
    fault(`by an operator, under load: nothing is lost (${round})`, async () => {
      const run = await underWay();
      await group.failOver();
      await goesOn(run, `SENTINEL FAILOVER in full flight (${round})`);
    });
  }
});
