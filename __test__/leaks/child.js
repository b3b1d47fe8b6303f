'use strict';

/** The measured process of leaks.test.js, with --expose-gc: does the work and reports figures. The test judges them. */

const { EventEmitter } = require('events');
const fs = require('fs');

const SIDS = ['s1', 's2', 's3'];
const BATCH = 1000;

/** What a leak would make grow, after a full collection. */
async function figures() {
  for (let i = 0; i < 3; i += 1) {
    global.gc();
    // Finalizers of native objects run between collections.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  return {
    heap: heapUsed + external,
    rss,
    handles: handles(),
    threads: Number(/^Threads:\s+(\d+)/m.exec(status)[1]),
    files: fs.readdirSync('/proc/self/fd').length,
  };
}

/** What keeps the loop busy, the timers of `figures` and of the tools apart. */
function handles() {
  const own = ['Timeout', 'Immediate'];
  return process.getActiveResourcesInfo().filter((type) => !own.includes(type)).length;
}

/** `count` calls, a thousand at a time, of the four kinds that apps make all day. */
async function work(service, count, keep) {
  const kinds = [
    (i, cb) => service.add(`c${i % 10}`, `u${i % 300}`, SIDS[i % 3], cb),
    (i, cb) => service.leave(`c${(i * 7) % 10}`, `u${i % 300}`, SIDS[i % 3], cb),
    (i, cb) => service.getMembersBySid(`c${i % 10}`, SIDS[i % 3], cb),
    (i, cb) => service.pushMessage('connector', 'onChat', { i }, `c${i % 10}`, {}, cb),
  ];
  for (let done = 0; done < count; done += BATCH) {
    await new Promise((resolve, reject) => {
      let open = BATCH;
      for (let i = done; i < done + BATCH; i += 1) {
        // A closure of its own for each call, as apps have.
        const cb = (err) => {
          if (err) reject(err);
          open -= 1;
          if (!open) resolve(i);
        };
        if (keep) keep(cb, i);
        // Adds and leaves in pairs keep the channels small.
        kinds[i % 4](i >> 2, cb);
      }
    });
    service.app.rpcCalls.length = 0;
  }
}

/** Calls: figures after the warm-up, then after `count` more. `leak` makes it leak on purpose. */
async function calls({ started, call, emit, args: { warmUp, count, leak } }) {
  const kept = [];
  const LEAKS = {
    callback: (cb) => kept.push(cb),
    // 64 bytes per call outside the JS heap: pages that are touched and kept.
    native: (cb, i) => i % BATCH || kept.push(Buffer.allocUnsafeSlow(64 * BATCH).fill(1)),
  };
  const service = await started();
  await work(service, warmUp, LEAKS[leak]);
  const before = await figures();
  await work(service, count, LEAKS[leak]);
  const after = await figures();
  emit({ before, after, kept: kept.length });
  await call(service, 'stop', true);
}

async function answer(promise, done) {
  await promise.catch(() => {});
  done();
}

/** An array that throws when it is read. */
const throwing = Object.defineProperty(['a', 'b'], 1, {
  get: () => {
    throw new TypeError('a getter');
  },
});

/** Calls that never get to the store, and calls that fail there. */
async function failures({ started, create, call, opts, emit, args: { warmUp, count } }) {
  const service = await started();
  const idle = create(opts);
  await call(service, 'add', 'right', 'u', 's1');
  const kinds = [
    (cb) => idle.add('n', 'u', 's1', cb),
    (cb) => service.add('n', undefined, 's1', cb),
    (cb) => {
      try {
        service.add('n', throwing, 's1', () => {});
      } catch {
        setImmediate(cb);
      }
    },
    // The test has put a string there: WRONGTYPE.
    (cb) => service.add('wrong', 'u', 's1', cb),
    (cb) => answer(service.promises.getMembersBySid('wrong', 's1'), cb),
    (cb) => answer(service.promises.getMembersBySid('right', 's1'), cb),
  ];
  async function fail(total) {
    for (let done = 0; done < total; done += BATCH) {
      await new Promise((resolve) => {
        let open = BATCH;
        for (let i = 0; i < BATCH; i += 1) {
          kinds[i % kinds.length](() => {
            open -= 1;
            if (!open) resolve();
          });
        }
      });
    }
  }
  await fail(warmUp);
  const before = await figures();
  await fail(count);
  emit({ before, after: await figures() });
  await call(service, 'stop', true);
}

/** Instances: created, started, used, stopped. */
async function cycles({ factory, createApp, call, ok, opts, emit, args }) {
  const { warmUp, count, leak } = args;
  async function cycle(i) {
    // Not `create`: that keeps what it makes.
    const service = factory()(createApp(), opts);
    const { err } = await call(service, 'start');
    if (err) throw err;
    await Promise.all(SIDS.map((sid) => ok(service, 'add', 'n', `u${i}`, sid)));
    if (leak && i % 4 === 0) return;
    await call(service, 'stop', true);
  }
  for (let i = 0; i < warmUp; i += 1) await cycle(1);
  const before = await figures();
  for (let i = 0; i < count; i += 1) await cycle(i);
  emit({ before, after: await figures() });
  if (leak) process.exit(0);
}

/** Instances that are dropped without a stop: never started, or with a start that failed. */
async function forgotten({ factory, plugin, createApp, call, opts, emit, args }) {
  const { warmUp, count, start, shared, unusable = opts } = args;
  const oneApp = Object.assign(createApp(), { event: new EventEmitter() });
  // The factory makes one for each app.
  const create = shared
    ? () => new (plugin().GlobalChannel)(oneApp, unusable)
    : () => factory()(createApp(), unusable);
  async function forget(total) {
    for (let i = 0; i < total; i += 1) {
      const service = create();
      if (start) await call(service, 'start');
      // Finalizers of native objects have a turn of their own since Node 22.
      if (i % 50 === 0) await new Promise(setImmediate);
    }
  }
  await forget(warmUp);
  const before = await figures();
  await forget(count);
  emit({ before, after: await figures() });
}

module.exports = { calls, failures, cycles, forgotten };
