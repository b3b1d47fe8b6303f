'use strict';

/**
 * Callers that ask for more than is possible: each call is executed or refused, memory is bounded, and the event loop is not
 * blocked. How long it is blocked is measured in the long form, with a generous limit; in `npm test` counts decide.
 */

const assert = require('node:assert');
const { monitorEventLoopDelay } = require('perf_hooks');
const { area, fault } = require('./fault');
const { recovers, CODE } = require('./flight');
const { started } = require('../support/service');
const { call, ok } = require('../support/call');
const { report, LONG } = require('../support/report');

const MILLION = 1000000;
// In MiB: the calls that wait (100,000 by default), and what the refused ones leave to be collected.
const MEMORY = 400;
/** As src/binding/answers/mod.rs has it: bytes to parse or members to copy in one turn. */
const LOAD = 1 << 18;

const resident = () => process.memoryUsage().rss / 2 ** 20;

area('back-pressure', {}, (ctx) => {
  /** Adds a million members in one tick; gives how each ended and how memory grew. */
  async function flood(service) {
    const before = resident();
    let [done, refused, twice, open, most] = [0, 0, 0, MILLION, 0];
    const seen = new Uint8Array(MILLION);
    await new Promise((resolve, reject) => {
      for (let i = 0; i < MILLION; i += 1) {
        service.add('flood', i, 's1', (err) => {
          if (seen[i]) twice += 1;
          seen[i] = 1;
          if (!err) done += 1;
          else if (err.code === CODE('QUEUE_FULL')) refused += 1;
          else reject(err);
          open -= 1;
          if (open % 65536 === 0) most = Math.max(most, resident());
          if (open === 0) resolve();
        });
      }
    });
    return { done, refused, twice, grown: Math.round(most - before) };
  }

  const narrow = async () => {
    const service = await started(ctx.redis);
    const { done, refused, twice, grown } = await flood(service);
    assert.strictEqual(twice, 0);
    assert.deepStrictEqual([done, refused], [100000, MILLION - 100000]);
    assert.strictEqual(await ctx.redis.run(0, 'scard', 'POMELO:CHANNEL:flood:s1'), done);
    assert.ok(grown < MEMORY, `the process has grown by ${grown} MiB`);
    const sees = `${done} done, ${refused} refused with QUEUE_FULL; at most ${grown} MiB more`;
    const what = 'a million adds in one tick, maxQueue 100,000 (the default)';
    report({ topic: 'Back-pressure', fault: what, sees, recovered: await recovers(service) });
  };
  const title = 'a million adds in one tick: maxQueue are done, the others refused at once';
  fault(title, narrow, { timeout: 120000 });

  const wide = async () => {
    const service = await started(ctx.redis, { maxQueue: 2 * MILLION, commandTimeout: 0 });
    const { done, refused, twice, grown } = await flood(service);
    assert.deepStrictEqual([done, refused, twice], [MILLION, 0, 0]);
    assert.strictEqual(await ctx.redis.run(0, 'scard', 'POMELO:CHANNEL:flood:s1'), MILLION);
    const sees = `all done; at most ${grown} MiB more`;
    const what = 'a million adds in one tick, maxQueue 2,000,000';
    report({ topic: 'Back-pressure', fault: what, sees, recovered: await recovers(service) });
  };
  fault('the same with room for them: all are done', wide, {
    growth: MEMORY,
    skip: LONG ? false : 'npm run test:faults',
    timeout: 120000,
  });

  fault('answers with large lists are spread over turns of the event loop', async () => {
    const service = await started(ctx.redis);
    const size = 20000;
    const uids = Array.from({ length: size }, (_, i) => i);
    await ok(service, 'add', 'large', uids, 's1');
    // From now on it is in memory: what is done for each answer is a copy.
    await ok(service, 'getMembersBySid', 'large', 's1');
    const perTurn = [];
    let turn = 0;
    let running = true;
    const count = () => {
      turn += 1;
      if (running) setImmediate(count);
    };
    count();
    await Promise.all(
      Array.from({ length: 600 }, async () => {
        await new Promise((resolve) =>
          service.getMembersBySid('large', 's1', (err, members) => {
            assert.strictEqual(members.length, size);
            perTurn[turn] = (perTurn[turn] || 0) + members.length;
            resolve();
          }),
        );
      }),
    );
    running = false;
    const most = Math.max(...perTurn.filter(Boolean));
    // Twice, since two turns of ours may fall between two of the counter's.
    assert.ok(most <= 2 * (LOAD + size), `${most} members in one turn`);
  });
});

/** What our code does in one go on the JavaScript thread, in ms: the worst of some rounds. */
area('the event loop', {}, (ctx) => {
  const GENEROUS = 500;

  const measure = async () => {
    const service = await started(ctx.redis, { commandTimeout: 60000 });
    const large = Array.from({ length: 300000 }, (_, i) => `user-${i}`);
    const add = (err) => assert.ifError(err);
    const since = performance.now();
    const adding = call(service, 'add', 'large', large.slice(0, 100000), 's1');
    const entry = performance.now() - since;
    add((await adding).err);
    for (const from of [100000, 200000]) {
      await ok(service, 'add', 'large', large.slice(from, from + 100000), 's1');
    }

    for (let i = 0; i < 200; i += 1) {
      await ok(service, 'add', `list-${i}`, large.slice(0, 1000), 's1');
    }

    /** The longest time that the loop stood still after the tick in which `fn` makes its calls. */
    const still = async (fn) => {
      const answered = fn();
      await new Promise(setImmediate);
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      await answered;
      await new Promise((resolve) => setTimeout(resolve, 20));
      delay.disable();
      // The timer itself comes after 1 ms.
      return Math.max(0, delay.max / 1e6 - 1);
    };
    const all = (count, fn) =>
      new Promise((resolve, reject) => {
        let left = count;
        const answered = (err) => {
          if (err) reject(err);
          left -= 1;
          if (left === 0) resolve();
        };
        for (let i = 0; i < count; i += 1) fn(i, answered);
      });
    const adds = () => all(100000, (i, cb) => service.add('many', i % 1000, 's1', cb));
    const read = () => all(1, (_, cb) => service.getMembersBySid('large', 's1', cb));
    const lists = () => all(200, (i, cb) => service.getMembersBySid(`list-${i}`, 's1', cb));
    const reads = () => all(300, (_, cb) => service.getMembersBySid('large', 's1', cb));
    const push = () =>
      all(1, (_, cb) => service.pushMessage('connector', 'r', {}, 'large', {}, cb));
    const figures = {
      'the answers to 100,000 adds of one tick': await still(adds),
      '200 lists of 1,000 members, read in one tick for the first time': await still(lists),
      'a list of 300,000 members, read for the first time': await still(read),
      'the same list from memory, 300 times in one tick': await still(reads),
      'a push to 300,000 members (RPCs apart)': await still(push),
      'add with an array of 100,000 uids, until it returns': entry,
    };
    for (const [what, ms] of Object.entries(figures)) {
      assert.ok(ms < GENEROUS, `${what}: the event loop stood still for ${ms} ms`);
      const sees = `the event loop is blocked for at most ${ms.toFixed(1)} ms`;
      report({ topic: 'Event loop', fault: what, sees, recovered: '' });
    }
  };
  fault('is not blocked for long', measure, {
    skip: LONG ? false : 'npm run test:faults',
    timeout: 120000,
  });
});
