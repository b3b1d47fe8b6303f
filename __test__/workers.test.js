'use strict';

/**
 * The addon in worker threads and in whole processes: load, work, end, and be ended at any moment. The threads run
 * workers/jobs.js. (The contract suite has the basic cases A24–A30.)
 */

const assert = require('node:assert');
const { Worker } = require('worker_threads');
const path = require('path');
const { stores, same, ours } = require('./support/rows');
const { started } = require('./support/service');
const { ok } = require('./support/call');
const child = require('./support/child');
const { until } = require('./support/until');
const { recovers } = require('./faults/flight');

const JOBS = path.join(__dirname, 'workers/jobs.js');
const DEADLINE = 10000;

/** A worker on `store`. `said` are its messages, `ended` resolves to its exit code. */
function launch(job, store, data = {}) {
  const worker = new Worker(JOBS, { workerData: { job, opts: store.options(), ...data } });
  const run = { worker, said: [], error: undefined, code: undefined };
  worker.on('message', (message) => run.said.push(message));
  worker.on('error', (err) => (run.error = err));
  // Not events.once: that fails when the worker does.
  run.ended = new Promise((resolve) => worker.on('exit', resolve)).then((end) => (run.code = end));
  run.says = (message) =>
    until(() => {
      if (run.error) throw run.error;
      const failed = run.said.find((each) => each && each.failed);
      if (failed) throw new Error(failed.failed);
      return run.said.includes(message);
    }, `the worker to say ${message}`);
  return run;
}

/** A worker that ends by itself; what it said. */
async function complete(job, store, data) {
  const run = launch(job, store, data);
  await until(() => run.code !== undefined, `the worker doing ${job} to end`, DEADLINE);
  if (run.error) throw run.error;
  assert.strictEqual(run.code, 0, JSON.stringify(run.said));
  return run.said;
}

/** What `use` in jobs.js sees. */
const used = (uid = 'u') => ({
  all: [uid, `${uid}2`],
  left: [],
  pushed: [
    ['s1', [uid]],
    ['s2', [`${uid}2`]],
  ],
});

stores('worker threads', (ctx) => {
  same('load, work, stop: the thread ends by itself and leaves nothing open', async () => {
    assert.deepStrictEqual(await complete('work', ctx.store), [used()]);
    await ctx.store.untilUsers(0);
  });

  same('load and never start: the thread ends by itself', async () => {
    assert.deepStrictEqual(await complete('bare', ctx.store), ['function']);
  });

  same('two instances in one thread, one stopped before the other', async () => {
    const data = { places: [1, 2].map((db) => ctx.store.other(db).options()) };
    assert.deepStrictEqual(await complete('two', ctx.store, data), [[used(), used(), used()]]);
    await ctx.store.untilUsers(0);
  });

  same('two threads and the main thread at a time, each in its db', async () => {
    const main = await started(ctx.store.other(3));
    const threads = [1, 2].map((db) =>
      complete('work', ctx.store.other(db), { uid: `thread${db}-` }),
    );
    await ok(main, 'add', 'n', 'main', 's1');
    assert.deepStrictEqual(await Promise.all(threads), [[used('thread1-')], [used('thread2-')]]);
    assert.deepStrictEqual(await ok(main, 'getMembersBySid', 'n', 's1'), ['main']);
    await ctx.store.untilUsers(1);
  });

  same('one after the other, the addon loaded each time', async () => {
    for (let i = 0; i < 5; i += 1) {
      assert.deepStrictEqual(await complete('work', ctx.store, { uid: `u${i}` }), [used(`u${i}`)]);
    }
    await ctx.store.untilUsers(0);
  });

  same('terminated with 500 commands in flight, 20 times: the main thread works on', async () => {
    const main = await started(ctx.store.other(3));
    for (let i = 0; i < 20; i += 1) {
      const run = launch(i % 2 ? 'inFlight' : 'flood', ctx.store, { seed: i + 1 });
      await run.says(i % 2 ? 'in flight' : 'flooding');
      await run.worker.terminate();
      assert.ifError(run.error);
      await ok(main, 'add', 'n', i, 's1');
    }
    assert.strictEqual((await ok(main, 'getMembersBySid', 'n', 's1')).length, 20);
    await ctx.store.untilUsers(1);
  });

  same('two threads terminated at a time, with the store hanging', async () => {
    const main = await started(ctx.store.other(3));
    const runs = [launch('flood', ctx.store), launch('flood', ctx.store)];
    await Promise.all(runs.map((run) => run.says('flooding')));
    await ctx.store.hang();
    try {
      const begun = Date.now();
      await Promise.all(runs.map(({ worker }) => worker.terminate()));
      // Not after the default commandTimeout of 5 s, that is.
      assert.ok(Date.now() - begun < 4500, `terminate took ${Date.now() - begun} ms`);
    } finally {
      await ctx.store.resume();
    }
    await recovers(main);
    await ctx.store.untilUsers(1);
  });

  same('started, never stopped, terminated: nothing stays open', async () => {
    const run = launch('idle', ctx.store);
    await run.says('started');
    assert.strictEqual(await ctx.store.users(), 1);
    assert.strictEqual(run.code, undefined, 'a started service keeps its thread alive');
    await run.worker.terminate();
    await ctx.store.untilUsers(0);
  });

  ours.redis('terminated while start waits for the server', async () => {
    await ctx.redis.kill();
    const run = launch('starting', ctx.store);
    await run.says('starting');
    await run.worker.terminate();
    assert.deepStrictEqual(run.said, ['starting']);
    await ctx.redis.up();
    await recovers(await started(ctx.store));
    assert.strictEqual(await ctx.store.users(), 1);
  });

  ours('terminated while stop drains', async () => {
    const run = launch('stopping', ctx.store);
    await run.says('stopping');
    await run.worker.terminate();
    const hung = launch('idle', ctx.store);
    await hung.says('started');
    await hung.worker.terminate();
    await ctx.store.untilUsers(0);
  });

  same('ends by process.exit with commands in flight: that code, main works on', async () => {
    const main = await started(ctx.store.other(3));
    const run = launch('exit', ctx.store, { code: 7 });
    await run.ended;
    assert.deepStrictEqual([run.code, run.error], [7, undefined]);
    await recovers(main);
    await ctx.store.untilUsers(1);
  });

  ours('a callback that throws there is an error of that thread only', async () => {
    const main = await started(ctx.store.other(3));
    const run = launch('throws', ctx.store);
    await run.ended;
    assert.strictEqual(run.error && run.error.message, 'thrown in a callback');
    assert.strictEqual(run.code, 1);
    await recovers(main);
    await ctx.store.untilUsers(1);
  });
});

stores('whole processes', (ctx) => {
  const quiet = (run, code) => {
    assert.deepStrictEqual([run.code, run.signal], [code, null], run.output);
    assert.doesNotMatch(run.output, /panicked|fatal|abort|assert|segfault/i);
  };

  same('only threads load the addon, some are terminated: it ends by itself', async () => {
    const job = async ({ args, opts, emit }) => {
      const { Worker: Thread } = require('worker_threads');
      for (let i = 0; i < 2; i += 1) {
        const data = { opts, uid: `u${i}` };
        const thread = new Thread(args.jobs, { workerData: { job: 'work', ...data } });
        thread.once('message', emit);
        await new Promise((resolve) => thread.once('exit', resolve));
        const cut = new Thread(args.jobs, { workerData: { job: 'flood', ...data } });
        await new Promise((resolve) => cut.once('message', resolve));
        await cut.terminate();
      }
    };
    const run = await child.run(job, { store: ctx.store, args: { jobs: JOBS } });
    quiet(run, 0);
    assert.strictEqual(run.messages.length, 2);
    await ctx.store.untilUsers(0);
  });

  same('stop, and the process ends by itself, soon', async () => {
    const job = async ({ started: start, ok: must, call: ask, emit }) => {
      const service = await start();
      await must(service, 'add', 'n', 'u', 's1');
      await ask(service, 'stop', true);
      const stopped = Date.now();
      process.on('exit', () => emit(Date.now() - stopped));
    };
    const run = await child.run(job, { store: ctx.store });
    quiet(run, 0);
    assert.ok(run.messages[0] < 500, `${run.messages[0]} ms after stop`);
  });

  same('required, or made but never started: the process ends by itself', async () => {
    quiet(await child.run(({ plugin }) => plugin(), { store: ctx.store }), 0);
    quiet(await child.run(({ create, opts }) => create(opts), { store: ctx.store }), 0);
  });

  same('process.exit with 500 commands in flight, 10 times: that exit code, no noise', async () => {
    const job = async ({ started: start, args }) => {
      const service = await start();
      for (let i = 0; i < 500; i += 1) {
        service.add('n', i, 's1', () => {
          if (args.inCallback && i === 250) process.exit(7);
        });
        service.pushMessage('connector', 'onChat', {}, 'n', {}, () => {});
      }
      if (args.turns < 0) return;
      for (let turn = 0; turn < args.turns; turn += 1) await new Promise(setImmediate);
      if (!args.inCallback) process.exit(7);
    };
    for (let i = 0; i < 10; i += 1) {
      const args = { inCallback: i % 3 === 2, turns: i };
      quiet(await child.run(job, { store: ctx.store, args }), 7);
    }
  });

  ours('a callback that throws ends the process as any callback does', async () => {
    const job = async ({ started: start }) => {
      const service = await start();
      for (let i = 0; i < 500; i += 1) {
        service.add('n', i, 's1', () => {
          if (i === 250) throw new Error('thrown in a callback');
        });
      }
    };
    const run = await child.run(job, { store: ctx.store });
    assert.deepStrictEqual([run.code, run.signal], [1, null], run.output);
    assert.match(run.output, /Error: thrown in a callback/);
    assert.doesNotMatch(run.output, /panicked/);
  });

  // Where a test build is put in the place of the addon, the second one is the real one.
  const twice = { skip: process.env.GLOBALCHANNEL_TEST_BUILD && 'there would be two addons' };
  same(
    'the package required twice in one process: both work',
    async () => {
      const job = async ({ plugin, create, call: ask, ok: must, opts, emit }) => {
        const seen = [];
        const first = plugin();
        for (let i = 0; i < 2; i += 1) {
          const service = create({ ...opts, prefix: `P${i}` });
          seen.push(service);
          const { err } = await ask(service, 'start');
          if (err) throw err;
          for (const file of Object.keys(require.cache)) {
            if (!file.includes('__test__')) delete require.cache[file];
          }
          if (i === 0) emit(plugin() !== first);
        }
        for (const service of seen) await must(service, 'add', 'n', 'u', 's1');
        for (const service of seen) emit(await must(service, 'getMembersBySid', 'n', 's1'));
        for (const service of seen) await ask(service, 'stop', true);
      };
      const run = await child.run(job, { store: ctx.store });
      quiet(run, 0);
      assert.deepStrictEqual(run.messages, [true, ['u'], ['u']]);
    },
    twice,
  );

  same('ended by SIGTERM with commands in flight: no crash, nothing stays open', async () => {
    const job = async ({ started: start, emit }) => {
      const service = await start();
      const again = () => service.add('n', 'u', 's1', again);
      for (let i = 0; i < 500; i += 1) again();
      setTimeout(emit, 50, 'busy');
    };
    const run = child.start(job, { store: ctx.store });
    await run.message('busy');
    run.child.kill('SIGTERM');
    await run.closed;
    assert.deepStrictEqual([run.code, run.signal], [null, 'SIGTERM'], run.output);
    await ctx.store.untilUsers(0);
  });
});
