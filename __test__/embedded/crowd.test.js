'use strict';

/**
 * Many users of one folder at once: processes that make the map grow, 30 processes, 50 threads, and processes that open and
 * close at the same moment. ROUNDS is the number of rounds of the last (`npm run test:kills`: 200).
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const path = require('path');
const { Worker } = require('worker_threads');
const { place, fault, clearing } = require('./place');
const { started } = require('../support/service');
const { ok } = require('../support/call');

const ROUNDS = Number(process.env.ROUNDS) || 20;
const JOBS = path.join(__dirname, '../workers/jobs.js');

/** Waits for the others, then adds its own members, `args.each` in each of `args.batches`. */
const adder = async ({ started: start, ok: must, call, args, emit }) => {
  const service = await start();
  emit('there');
  await new Promise((resolve) => process.stdin.on('end', resolve).resume());
  for (let batch = 0; batch < args.batches; batch += 1) {
    const uid = (_, i) => `${args.name}-${batch}-${i}`.padStart(args.bytes, '.');
    await must(service, 'add', `n${batch % 3}`, Array.from({ length: args.each }, uid), 's1');
    await must(service, 'getMembersBySid', `n${batch % 3}`, 's1');
  }
  await call(service, 'stop', true);
};

/** All begin in the same instant. */
async function together(store, count, args) {
  const runs = Array.from({ length: count }, (_, i) =>
    store.start(adder, { ...args, name: `p${i}` }),
  );
  await Promise.all(runs.map((run) => run.message('there')));
  for (const run of runs) run.child.stdin.end();
  for (const { closed } of runs) {
    const { code, output } = await closed;
    assert.strictEqual(code, 0, output);
  }
  const { members } = await store.audit();
  assert.strictEqual(members, count * args.batches * args.each);
  assert.deepStrictEqual(store.processes(), []);
  assert.ok(store.state().closed, 'closed in order');
}

describe('many processes and threads', () => {
  clearing();

  fault('four processes make the map grow at the same time: nothing is lost', async () => {
    // About 80 MB; the map begins with 16.
    await together(place(), 4, { batches: 20, each: 2000, bytes: 400 });
  });

  fault('30 processes at once', async () => {
    await together(place(), 30, { batches: 10, each: 5, bytes: 20 });
  });

  fault('50 threads at once, in one process', async () => {
    const store = place();
    const service = await started(store);
    const threads = Array.from({ length: 50 }, () => {
      const worker = new Worker(JOBS, { workerData: { job: 'idle', opts: store.options() } });
      return new Promise((resolve, reject) => {
        worker.once('message', (message) => resolve({ worker, message }));
        worker.once('error', reject);
      });
    });
    const all = await Promise.all(threads);
    assert.deepStrictEqual(new Set(all.map(({ message }) => message)), new Set(['started']));
    await ok(service, 'add', 'n', 'u', 's1');
    await Promise.all(all.map(({ worker }) => worker.terminate()));
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
    assert.strictEqual((await store.audit()).members, 1);
  });

  fault(
    `20 processes open and close in the same instant, ${ROUNDS} times`,
    async () => {
      const store = place();
      const job = async ({ create, call, ok: must, opts, args, emit }) => {
        emit('there');
        let at = 0;
        const rounds = async () => {
          at += 1;
          const service = create(opts);
          await must(service, 'start');
          await must(service, 'add', `r${at}`, args.name, 's1');
          await call(service, 'stop', true);
          emit(at);
        };
        // One byte for each round.
        let queue = Promise.resolve();
        process.stdin.on('data', (bytes) => {
          for (let i = 0; i < bytes.length; i += 1) queue = queue.then(rounds);
        });
        process.stdin.on('end', () => queue.catch((err) => console.error(err) || process.exit(9)));
      };
      const runs = Array.from({ length: 20 }, (_, i) => store.start(job, { name: `p${i}` }));
      await Promise.all(runs.map((run) => run.message('there')));
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const { child } of runs) child.stdin.write('.');
        await Promise.all(runs.map((run) => run.message(round)));
      }
      for (const run of runs) {
        run.child.stdin.end();
        const { code, output } = await run.closed;
        assert.deepStrictEqual([code, output], [0, '']);
      }
      const { channels, members } = await store.audit();
      assert.deepStrictEqual([channels, members], [ROUNDS, ROUNDS * 20]);
      assert.deepStrictEqual(store.processes(), []);
    },
    { timeout: 10 * 60000 },
  );
});
