'use strict';

/**
 * Lone calls: the JavaScript thread sends them and reads their replies itself, as long as few come at a
 * time (src/lone_socket/). Each case begins in that state and ends it in another way.
 */

const assert = require('node:assert');
const { AsyncLocalStorage } = require('async_hooks');
const { spawnSync } = require('child_process');
const path = require('path');
const { Worker } = require('worker_threads');
const { call, ok } = require('./support/call');
const { ENOUGH, block, lone, sleeps } = require('./support/lone');
const { area, ours } = require('./support/rows');
const { started } = require('./support/service');
const { until } = require('./support/until');

const SERVICE = path.join(__dirname, 'support/service.js');

/** Makes calls until 200 of them wake the runtime less than 50 times: its timers wake it too, and a burst of its own ends the state. */
const withoutWakes = (service) =>
  until(async () => {
    const from = sleeps();
    await lone(service, 200);
    return sleeps() - from < 50;
  }, '200 calls without a wake for each');

area('lone calls', {}, (ctx) => {
  const linux = { skip: process.platform !== 'linux' };
  ours(
    'do not wake the runtime',
    async () => {
      const service = await started(ctx.redis);
      await lone(service);
      await withoutWakes(service);
    },
    linux,
  );

  ours(
    'over a Unix socket do not wake the runtime either',
    async () => {
      const service = await started({
        options: () => ({ path: ctx.redis.socketPath, ...ctx.redis.user }),
      });
      await lone(service);
      await withoutWakes(service);
      // The socket's other end is gone, and comes back.
      await ctx.redis.restart();
      await lone(service);
      assert.strictEqual((await ctx.redis.clients()).length, 1, 'no connection is left over');
    },
    linux,
  );

  ours(
    'with answers of up to 128 KiB do not wake the runtime either',
    async () => {
      const service = await started(ctx.redis, { cache: false });
      const uids = Array.from({ length: 3000 }, (_, i) => `uid:${String(i).padStart(12, '0')}`);
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:long:s1', ...uids);
      await lone(service);
      await until(async () => {
        const from = sleeps();
        for (let i = 0; i < 50; i += 1) {
          assert.strictEqual((await ok(service, 'getMembersBySid', 'long', 's1')).length, 3000);
        }
        return sleeps() - from < 20;
      }, '50 lists without a wake for each');
    },
    linux,
  );

  ours(
    'up to 64 in one tick do not wake the runtime either, and are sent in parts',
    async () => {
      const service = await started(ctx.redis);
      const burst = () =>
        Promise.all(Array.from({ length: 60 }, (_, i) => ok(service, 'add', 'n', `u${i}`, 's1')));
      // Eight to begin with, and as many as it takes to know how many calls are in flight.
      for (let i = 0; i < ENOUGH; i += 1) await burst();
      await until(async () => {
        const [from, { batches }] = [sleeps(), service.stats()];
        for (let i = 0; i < 100; i += 1) await burst();
        return sleeps() - from < 50 && service.stats().batches - batches >= 200;
      }, '100 bursts without a wake for each, in two parts each');
    },
    linux,
  );

  ours(
    'run their callbacks in the asynchronous context of those that the runtime answers, and the ticks after them',
    async () => {
      const storage = new AsyncLocalStorage();
      const service = await storage.run('start', () => started(ctx.redis));
      const answered = (uid) =>
        new Promise((resolve) => {
          storage.run('call', () => {
            service.add('n', uid, 's1', () => {
              const order = [storage.getStore()];
              setImmediate(() => resolve(order));
              process.nextTick(() => order.push('tick'));
              queueMicrotask(() => order.push('microtask'));
            });
          });
        });
      const first = await answered('u');
      assert.deepStrictEqual(first.slice(1), ['tick', 'microtask']);
      await lone(service);
      await until(async () => {
        const from = sleeps();
        for (let i = 0; i < 100; i += 1) assert.deepStrictEqual(await answered(`u${i}`), first);
        return sleeps() - from < 50;
      }, '100 calls without a wake for each');
    },
    linux,
  );

  ours(
    'that pile up while the store stands still are left to the runtime',
    async () => {
      const service = await started(ctx.redis);
      for (let i = 0; i < ENOUGH; i += 1) await lone(service, 1);
      ctx.redis.pause();
      const from = sleeps();
      const calls = [];
      for (let i = 0; i < 200; i += 1) {
        for (let j = 0; j < 60; j += 1) calls.push(call(service, 'add', 'n', `${i}.${j}`, 's1'));
        await new Promise(setImmediate);
      }
      const woken = sleeps() - from;
      ctx.redis.resume();
      for (const { err } of await Promise.all(calls)) assert.strictEqual(err, null);
      assert.ok(woken > 20, `woken ${woken} times for 200 bursts`);
    },
    linux,
  );

  ours('and bursts in turn are answered in call order', async () => {
    const service = await started(ctx.redis);
    const order = [];
    let calls = 0;
    const add = () => {
      const number = calls++;
      return new Promise((resolve, reject) => {
        service.add('n', `u${number}`, 's1', (err) => {
          order.push(number);
          if (err) reject(err);
          else resolve();
        });
      });
    };
    for (let round = 0; round < 30; round += 1) {
      for (let i = 0; i < 12; i += 1) await add();
      const burst = Array.from({ length: [2, 5, 64, 300][round % 4] }, add);
      await new Promise(setImmediate);
      await Promise.all([...burst, add(), add()]);
    }
    assert.deepStrictEqual(order, [...order.keys()]);
    assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).length, calls);
  });

  ours('may be answered with long lists', async () => {
    const service = await started(ctx.redis, { cache: false });
    const uids = Array.from({ length: 20000 }, (_, i) => `user-${i}`);
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:long:s1', ...uids);
    for (let i = 0; i < 5; i += 1) {
      await lone(service);
      const list = await ok(service, 'getMembersBySid', 'long', 's1');
      assert.deepStrictEqual(list.sort(), uids.sort());
    }
  });

  ours('see what other processes change', async () => {
    const [service, other] = [await started(ctx.redis), await started(ctx.redis)];
    for (let i = 0; i < ENOUGH; i += 1) {
      await ok(other, 'add', 'seen', `u${i}`, 's1');
      assert.strictEqual((await ok(service, 'getMembersBySid', 'seen', 's1')).length, i + 1);
    }
  });

  ours('from their callbacks are made and answered', async () => {
    const service = await started(ctx.redis);
    await new Promise((resolve, reject) => {
      let left = 200;
      const next = (err) => {
        if (err) reject(err);
        else if (left-- > 0) service.getMembersBySid('n', 's1', next);
        else resolve();
      };
      next();
    });
  });

  ours('an error that a callback throws is uncaught, and the next call is answered', async () => {
    const code = `
      const { started } = require(${JSON.stringify(SERVICE)});
      process.on('uncaughtException', (err) => console.log('uncaught', err.message));
      (async () => {
        const service = await started({ port: ${ctx.redis.port}, user: ${JSON.stringify(ctx.redis.user || {})} });
        let left = 50;
        const next = () => service.add('n', 'u', 's1', () => {
          if (left-- > 0) return next();
          service.add('n', 'v', 's1', (err) => { console.log('next', err); service.stop(true, () => {}); });
          throw new Error('on purpose');
        });
        next();
      })();`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', code], {
      encoding: 'utf8',
    });
    assert.strictEqual(stdout, 'uncaught on purpose\nnext null\n', stderr);
    assert.strictEqual(status, 0);
  });

  ours('the process may exit in a callback', () => {
    const code = `
      const { started } = require(${JSON.stringify(SERVICE)});
      (async () => {
        const service = await started({ port: ${ctx.redis.port}, user: ${JSON.stringify(ctx.redis.user || {})} });
        let left = 50;
        const next = () => (left-- > 0 ? service.add('n', 'u', 's1', next) : process.exit(7));
        next();
      })();`;
    const { signal, status, stderr } = spawnSync(process.execPath, ['-e', code], {
      encoding: 'utf8',
    });
    assert.deepStrictEqual([signal, status, stderr], [null, 7, '']);
  });

  ours('survive an event loop that is blocked for longer than the limits', async () => {
    const service = await started(ctx.redis, { commandTimeout: 1000 });
    await lone(service);
    const late = call(service, 'add', 'n', 'late', 's1');
    await Promise.resolve();
    block(2500);
    const burst = Array.from({ length: 64 }, (_, i) => call(service, 'add', 'n', `b${i}`, 's1'));
    for (const { err } of await Promise.all([late, ...burst])) assert.strictEqual(err, null);
    // Longer than the heartbeat allows: 3 s of silence and 5 s for the answer.
    await lone(service);
    block(9000);
    await lone(service);
    assert.strictEqual(service.stats().reconnects, 0);
  });

  ours('a connection that is cut, and a server that is gone, are noticed', async () => {
    const service = await started(ctx.redis);
    for (let i = 0; i < 3; i += 1) {
      await lone(service);
      await ctx.redis.killClients();
      await until(() => service.stats().reconnects === i + 1, 'a new connection');
    }
    await lone(service);
    await ctx.redis.restart();
    await lone(service);
    assert.strictEqual((await ctx.redis.clients()).length, 1, 'no connection is left over');
  });

  ours('a server that hangs runs into the timeout', async () => {
    const service = await started(ctx.redis, { commandTimeout: 300 });
    await lone(service);
    ctx.redis.pause();
    try {
      const { err } = await call(service, 'add', 'n', 'u', 's1');
      assert.match(err.code, /^ERR_GLOBAL_CHANNEL_/);
    } finally {
      ctx.redis.resume();
    }
    await until(async () => !(await call(service, 'add', 'n', 'u', 's1')).err, 'an answer');
  });

  ours('stop closes the connection', async () => {
    const service = await started(ctx.redis);
    await lone(service);
    const last = call(service, 'add', 'n', 'last', 's1');
    await call(service, 'stop', false);
    assert.strictEqual((await last).err, null);
    await ctx.redis.untilClients(0);
  });

  ours('worker threads end in the middle of them', async () => {
    const source = `
      const { parentPort, workerData } = require('worker_threads');
      const { started } = require(${JSON.stringify(SERVICE)});
      started({ port: workerData.port, user: workerData.user }).then((service) => {
        let calls = 0;
        const next = () => {
          if (++calls === 50) parentPort.postMessage('lone');
          service.add('n', 'u', 's1', next);
        };
        next();
      });`;
    for (let i = 0; i < 10; i += 1) {
      const worker = new Worker(source, {
        eval: true,
        workerData: { port: ctx.redis.port, user: ctx.redis.user },
      });
      await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      await worker.terminate();
    }
    await ctx.redis.untilClients(0);
  });
});
