'use strict';

/**
 * The server is up but does not answer: stopped by SIGSTOP, or behind a silent connection; and the effect of its late answers
 * and late writes. Crashes are in restart.test.js.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { Flight, recovers, words, CODE } = require('./flight');
const { proxy } = require('./wire');
const { started } = require('../support/service');
const { invoke, ok } = require('../support/call');
const { report, LONG } = require('../support/report');
const { until, pause } = require('../support/until');

const TIMEOUT = CODE('TIMEOUT');
/** How much later than its timeout a call may be answered on a busy machine: less than the default timeout of 5 s. */
const LATE = 4000;

/** All timed out, none early, none much later than `limit`. */
function timedOut(flight, from, limit) {
  const others = flight.failed(from).filter(({ record }) => record.err.code !== TIMEOUT);
  assert.deepStrictEqual(
    others.map(({ record }) => `${record.err.code} ${words(record.err)}`),
    [],
  );
  assert.strictEqual(flight.failed(from).length, flight.entries.length - from);
  const [first, last] = [Math.min(...flight.times(from)), Math.max(...flight.times(from))];
  assert.ok(first >= limit - 30, `the first timed out after ${first} ms`);
  assert.ok(last <= limit + LATE, `the last timed out after ${last} ms`);
}

area('the server hangs', {}, (ctx) => {
  // The server must not stay stopped when a test fails.
  const stopped = async (fn) => {
    ctx.redis.pause();
    try {
      return await fn();
    } finally {
      ctx.redis.resume();
    }
  };

  fault('for 1 s: 500 commands wait and succeed', async () => {
    const service = await started(ctx.redis);
    const flight = new Flight(service);
    await flight.send(300).answered();
    await stopped(() => {
      flight.send(500);
      return pause(1000);
    });
    await flight.answered();
    assert.ok(Math.min(...flight.times(300)) >= 900, 'the server did hang');
    await flight.check().checkStore(ctx.redis);
    const recovered = await recovers(service);
    report({ fault: 'SIGSTOP for 1 s', sees: 'calls wait and are done', recovered });
  });

  fault('for longer than commandTimeout: 500 time out in time, then it recovers', async () => {
    const service = await started(ctx.redis, { commandTimeout: 800 });
    const flight = new Flight(service);
    await flight.send(300).answered();
    await stopped(() => flight.send(500).answered());
    flight.check('TIMEOUT');
    timedOut(flight, 300, 800);
    // At once, among the late answers of the ones that timed out.
    await flight.send(500).answered();
    await recovers(service);
    const from = flight.entries.length;
    await flight.send(500).answered();
    assert.deepStrictEqual(flight.failed(from), []);
    await flight.check('TIMEOUT').checkStore(ctx.redis);
  });

  for (const seconds of [10, 60]) {
    const long = async () => {
      const service = await started(ctx.redis);
      const idle = await started(ctx.redis);
      const flight = new Flight(service);
      await flight.send(300).answered();
      await stopped(async () => {
        const end = Date.now() + 1000 * seconds;
        while (Date.now() < end) {
          flight.send(100);
          await pause(500);
        }
      });
      // The back-off has grown to 2 s, and an attempt that hung has 5 s.
      const recovered = await recovers(service, 20000);
      await recovers(idle, 20000);
      await flight.answered();
      const from = flight.entries.length;
      await flight.send(300).answered();
      assert.deepStrictEqual(flight.failed(from), []);
      await flight.check('TIMEOUT').checkStore(ctx.redis);
      assert.ok(Math.max(...flight.times()) < 7000, `${Math.max(...flight.times())} ms`);
      const sees = `calls wait; TIMEOUT after commandTimeout (${flight.failed().length} of ${from})`;
      report({ fault: `SIGSTOP for ${seconds} s`, sees, recovered });
    };
    const skip = LONG ? false : 'npm run test:faults';
    fault(`for ${seconds} s: calls time out in time, then it recovers`, long, {
      timeout: 200000,
      skip,
    });
  }

  fault('for longer than commandTimeout, repeatedly: acknowledged writes are kept', async () => {
    const service = await started(ctx.redis, { commandTimeout: 150 });
    const flight = new Flight(service);
    for (let round = 0; round < 8; round += 1) {
      await stopped(() => {
        flight.send(60);
        return pause(100 + round * 30);
      });
      for (let i = 0; i < 5; i += 1) {
        flight.send(20);
        await pause(10);
      }
    }
    await flight.answered();
    await recovers(service);
    await flight.send(500).answered();
    await flight.check('TIMEOUT').checkStore(ctx.redis);
    assert.ok(flight.failed().length, 'some did time out');
  });

  fault('with commandTimeout 0: nothing times out', async () => {
    const service = await started(ctx.redis, { commandTimeout: 0 });
    const flight = new Flight(service);
    await stopped(() => {
      flight.send(500);
      return pause(5500);
    });
    await flight.answered();
    assert.ok(Math.min(...flight.times()) >= 5400, 'the default of 5 s did not apply');
    await flight.check().checkStore(ctx.redis);
  });

  fault('with maxQueue 100: the next 400 are refused at once and take no memory', async () => {
    const service = await started(ctx.redis, { maxQueue: 100 });
    const records = await stopped(async () => {
      const all = Array.from({ length: 500 }, (_, i) => invoke(service, 'add', 'q', `u${i}`, 's1'));
      const refused = all.slice(100);
      assert.ok(refused.every(({ sync, n }) => sync && n === 1));
      assert.deepStrictEqual(
        refused.map(({ err }) => err.code).filter((code) => code !== CODE('QUEUE_FULL')),
        [],
      );
      assert.ok(all.slice(0, 100).every(({ n }) => n === 0));
      return all;
    });
    await Promise.all(records.map(({ done }) => done));
    const failed = records.slice(0, 100).filter(({ err }) => err !== null);
    assert.deepStrictEqual(
      failed.map(({ err }) => words(err)),
      [],
    );
    assert.strictEqual((await ctx.redis.members('POMELO:CHANNEL:q:s1')).length, 100);
    await recovers(service);
    assert.ok(records.every(({ n }) => n === 1));
  });
});

area('a connection between', {}, (ctx) => {
  fault('goes silent without being closed: commands time out, then it is replaced', async () => {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire, { commandTimeout: 500 });
      const dead = wire.links.length;
      wire.toServer = (chunk, { number }) => (number <= dead ? undefined : chunk);
      const flight = new Flight(service);
      await flight.send(500).answered();
      flight.check('TIMEOUT');
      timedOut(flight, 0, 500);
      await recovers(service);
    } finally {
      await wire.close();
    }
  });

  fault('holds a write back: it cannot undo later acknowledged writes', async () => {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire);
      const [link] = wire.links.slice(-1);
      const late = [];
      wire.toServer = (chunk, { number }) => {
        if (number !== link.number) return chunk;
        late.push(chunk);
        return undefined;
      };
      const adding = invoke(service, 'add', 'ghost', 'u', 's1');
      await until(() => late.length, 'the add to be on its way');
      // The service loses the connection; the server does not know it yet.
      link.held = true;
      link.client.destroy();
      assert.ifError((await adding.done).err);
      await ok(service, 'leave', 'ghost', 'u', 's1');
      let answered = false;
      link.server.on('data', () => (answered = true)).on('close', () => (answered = true));
      if (!link.server.destroyed) link.server.write(Buffer.concat(late));
      await until(() => answered || link.server.destroyed, 'the server to see the late write');
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'ghost', 's1'), []);
    } finally {
      await wire.close();
    }
  });
});
