'use strict';

/**
 * Contract rows A24 and A27–A31: the effect of a service on its process: how it ends, its exit code, worker threads, two
 * services side by side.
 */

const assert = require('node:assert');
const path = require('path');
const { Worker } = require('worker_threads');
const { ok } = require('../support/call');
const child = require('../support/child');
const { started } = require('../support/service');
const { nothingFor } = require('../support/until');
const { stores, same, ours } = require('../support/rows');

const CALL = path.join(__dirname, '../support/call.js');
const SERVICE = path.join(__dirname, '../support/service.js');

/** A thread that starts a service on `store` and then runs `body`, which may await. */
function worker(store, body) {
  const source = `
    const { parentPort, workerData } = require('worker_threads');
    const { call, ok } = require(${JSON.stringify(CALL)});
    const { started } = require(${JSON.stringify(SERVICE)});
    started({ options: () => workerData }).then(async (service) => { ${body} });`;
  const thread = new Worker(source, { eval: true, workerData: store.options() });
  const message = new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
  const exit = new Promise((resolve) => thread.once('exit', resolve));
  return { thread, message, exit };
}

stores('A process', (ctx) => {
  same('A24 the process ends by itself after stop', async () => {
    const { store } = ctx;
    const body = async ({ started, ok, call, emit }) => {
      const service = await started();
      await ok(service, 'add', 'n', 'u', 's1');
      await call(service, 'stop', true);
      emit('stopped');
    };
    const { code, signal, messages, output } = await child.run(body, { store });
    assert.deepStrictEqual([code, signal, messages], [0, null, ['stopped']], output);
  });

  ours('A24 a service that was never started, and one whose start failed, end too', async () => {
    const { store } = ctx;
    const body = async ({ create, call, opts, args, emit }) => {
      create(opts);
      const failed = create(args.unusable);
      emit((await call(failed, 'start')).err.code);
    };
    const { code, messages, output } = await child.run(body, {
      store,
      args: { unusable: store.unusable() },
    });
    assert.deepStrictEqual([code, messages], [0, ['ERR_GLOBAL_CHANNEL_STORE']], output);
  });

  ours('A24 … also with unanswered calls: no timer outlives stop', async () => {
    const { store } = ctx;
    const body = async ({ create, started, createApp, invoke, call, ok, emit }) => {
      const app = createApp({ rpc: () => {} });
      const service = await started({}, app);
      await ok(service, 'add', 'n', 'u', 's1');
      const push = invoke(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
      const silent = create({ channelManager: { start: () => {}, add: () => {} } });
      const start = invoke(silent, 'start');
      await Promise.all([call(service, 'stop', true), call(silent, 'stop', true)]);
      emit([push, start].map(({ err, n }) => [err && err.code, n]));
    };
    const startedAt = Date.now();
    const { code, messages, output } = await child.run(body, { store });
    const stopped = ['ERR_GLOBAL_CHANNEL_STOPPED', 1];
    assert.deepStrictEqual([code, messages], [0, [[stopped, stopped]]], output);
    assert.ok(Date.now() - startedAt < 5000, `${Date.now() - startedAt} ms`);
  });

  ours('A24 … also when the store hangs', async () => {
    const body = async ({ started, invoke, call, emit }) => {
      const service = await started();
      process.stdin.once('end', async () => {
        const record = invoke(service, 'add', 'n', 'u', 's1');
        await call(service, 'stop', true);
        emit(record.err.code);
      });
      process.stdin.resume();
      emit('started');
    };
    const result = child.start(body, { store: ctx.store });
    await result.message('started');
    await ctx.store.hang();
    try {
      result.child.stdin.end();
      await result.closed;
    } finally {
      await ctx.store.resume();
    }
    const { code, signal, messages, output } = result;
    assert.deepStrictEqual([code, signal], [0, null], output);
    assert.deepStrictEqual(messages, ['started', 'ERR_GLOBAL_CHANNEL_STOPPED']);
  });

  same('A27 a started service keeps the process alive', async () => {
    const { store } = ctx;
    const body = async ({ started, emit }) => {
      process.on('beforeExit', () => emit('nothing left to do'));
      await started();
      emit('started');
    };
    const result = child.start(body, { store });
    await result.message('started');
    await nothingFor(400);
    assert.deepStrictEqual([result.code, result.messages], [undefined, ['started']]);
    result.child.kill('SIGKILL');
    await result.closed;
  });

  same('A28 process.exit() with operations in flight: exit code 0, no signal', async () => {
    const { store } = ctx;
    const body = async ({ started }) => {
      const service = await started();
      for (let i = 0; i < 2000; i += 1) service.add('n', i, 's1', () => {});
      for (let i = 0; i < 50; i += 1) service.getMembersBySid('n', 's1', () => {});
      setImmediate(() => process.exit(0));
    };
    for (let round = 0; round < 3; round += 1) {
      const { code, signal, output } = await child.run(body, { store });
      assert.deepStrictEqual([code, signal], [0, null], output);
    }
  });

  same('A29 a worker thread loads, works, stops and ends', async () => {
    const { message, exit } = worker(
      ctx.store,
      `await ok(service, 'add', 'n', 'u', 's1');
       const members = await ok(service, 'getMembersBySid', 'n', 's1');
       await call(service, 'stop', true);
       parentPort.postMessage(members);`,
    );
    assert.deepStrictEqual([await message, await exit], [['u'], 0]);
  });

  same('A30 a worker thread is terminated with operations in flight', async () => {
    const mine = await started(ctx.store);
    const { thread, message } = worker(
      ctx.store,
      `const flood = () => {
         for (let i = 0; i < 500; i += 1) service.add('n', i, 's1', () => {});
         setImmediate(flood);
       };
       flood();
       service.add('n', 'first', 's1', () => parentPort.postMessage('working'));`,
    );
    await message;
    assert.strictEqual(typeof (await thread.terminate()), 'number');
    await ok(mine, 'add', 'alive', 'u', 's1');
    assert.deepStrictEqual(await ok(mine, 'getMembersBySid', 'alive', 's1'), ['u']);
    await ctx.store.untilUsers(1);
  });

  same('A30 terminated again and again, in a child: no crash', async () => {
    const { store } = ctx;
    const body = async ({ opts, started, ok, args, call, emit }) => {
      const { Worker } = require('worker_threads');
      const mine = await started();
      for (let round = 0; round < 5; round += 1) {
        const thread = new Worker(
          `const { parentPort, workerData } = require('worker_threads');
          const { started } = require(${JSON.stringify(args.service)});
          started({ options: () => workerData }).then((service) => {
            for (let i = 0; i < 500; i += 1) service.add('n', i, 's1', () => {});
            parentPort.postMessage('working');
          });`,
          { eval: true, workerData: opts },
        );
        await new Promise((resolve) => thread.once('message', resolve));
        await thread.terminate();
      }
      await ok(mine, 'add', 'alive', 'u', 's1');
      await call(mine, 'stop', true);
      emit('alive');
    };
    const { code, signal, messages, output } = await child.run(body, {
      store,
      args: { service: SERVICE },
    });
    assert.deepStrictEqual([code, signal, messages], [0, null, ['alive']], output);
  });

  same('A31 two services in one process, each with its own db and prefix', async () => {
    const one = ctx.store.other(1);
    const a = await started(ctx.store);
    const b = await started(one, { prefix: 'B' });
    await Promise.all([ok(a, 'add', 'n', 'ua', 's1'), ok(b, 'add', 'n', 'ub', 's1')]);
    const members = [];
    for (const service of [a, b]) members.push(await ok(service, 'getMembersBySid', 'n', 's1'));
    assert.deepStrictEqual(members, [['ua'], ['ub']]);
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:n:s1']);
    assert.deepStrictEqual(await one.keys(), ['B:n:s1']);
  });
});
