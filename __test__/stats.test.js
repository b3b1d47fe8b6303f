'use strict';

/**
 * stats(): each figure matches what happened, before the start, during work, after a stop, and with a custom manager. What the
 * cache counts while lists change is tested in cache/.
 */

const assert = require('node:assert');
const { createApp } = require('./support/app');
const { invoke, call, ok, settled, TABLE } = require('./support/call');
const { create, started } = require('./support/service');
const { until } = require('./support/until');
const { stores, ours } = require('./support/rows');

const NONE = Object.fromEntries(Object.keys(TABLE).map((method) => [method, 0]));

const BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000];

const LISTS = {
  frontends: 0,
  asked: 0,
  named: 0,
  changed: 0,
  whole: 0,
  refused: 0,
  bytes: 0,
  kept: 0,
  keptBytes: 0,
};

/** Answers at once, but a channel named `no` with an error. */
class Manager {
  answer(name, cb, value) {
    setImmediate(cb, name === 'no' ? new Error('no') : null, value);
  }
  add(name, uid, sid, cb) {
    this.answer(name, cb);
  }
  leave(name, uid, sid, cb) {
    this.answer(name, cb);
  }
  getMembersBySid(name, sid, cb) {
    this.answer(name, cb, [sid]);
  }
  destroyChannel(name, cb) {
    this.answer(name, cb);
  }
}

stores('stats', (ctx) => {
  ours('the longest time is that of a call, not that of the service', async () => {
    const service = await started(ctx.store);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = performance.now();
    await ok(service, 'add', 'n', 'u', 's1');
    const took = performance.now() - before;
    assert.ok(service.stats().latency.max <= took + 1, `${service.stats().latency.max} > ${took}`);
  });

  ours('before the start: nothing yet', () => {
    const service = create(ctx.store.options());
    assert.deepStrictEqual(service.stats(), {
      version: require('../package.json').version,
      connection: 'idle',
      commands: NONE,
      errors: {},
      queueLength: 0,
      inFlight: 0,
      batches: 0,
      meanBatchSize: 0,
      reconnects: 0,
      cache: {
        enabled: false,
        reason: 'not connected yet',
        hits: 0,
        misses: 0,
        rereads: 0,
        invalidations: 0,
        entries: 0,
        bytes: 0,
        maxBytes: 64 << 20,
      },
      latency: { count: 0, p50: 0, p99: 0, max: 0, bounds: BOUNDS, methods: {} },
      lists: LISTS,
      pushRpcs: { answered: 0, failed: 0, timedOut: 0, departed: 0 },
      pushes: 0,
      pushedFrontends: 0,
      failedUids: 0,
      fanOut: {
        enabled: false,
        reason: 'this server is no frontend',
        native: 0,
        nativeBytes: 0,
        shared: 0,
        framework: 0,
        reasons: {
          response: 0,
          sessionService: 0,
          otherSocket: 0,
          notOpen: 0,
          busy: 0,
          deflate: 0,
          notEncoded: 0,
          noSession: 0,
        },
        slowDropped: 0,
        slowClosed: 0,
      },
      sessions: null,
      membership: null,
      events: null,
    });
    assert.notStrictEqual(service.stats(), service.stats());
  });

  ours.redis('the connection: idle, connecting, connected, connecting again, closed', async () => {
    const service = create(ctx.store.options());
    const start = invoke(service, 'start');
    assert.strictEqual(service.stats().connection, 'connecting');
    await start.done;
    await until(() => service.stats().connection === 'connected', 'the connection');
    assert.strictEqual(service.stats().reconnects, 0);
    await ctx.redis.kill();
    await until(() => service.stats().connection === 'connecting', 'the loss');
    await ctx.redis.up();
    await until(() => service.stats().connection === 'connected', 'another connection');
    assert.strictEqual(service.stats().reconnects, 1);
    await call(service, 'stop', true);
    assert.strictEqual(service.stats().connection, 'closed');
  });

  ours('calls by method, and errors by code', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', ['a', 'b'], 's1');
    await ok(service, 'add', 'n', [], 's1');
    await ok(service, 'leave', 'n', 'a', 's1');
    await ok(service, 'getMembersBySid', 'n', 's1');
    await ok(service, 'getMembersByChannelName', 'connector', 'n');
    await ok(service, 'getMembersByChannelName', 'nobody', 'n');
    await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
    await ok(service, 'destroyChannel', 'n');
    await ok(service, 'clean');
    await call(service, 'add', undefined, 'a', 's1');
    service.leave('n', {}, 's1');
    await call(service, 'stop', true);
    await call(service, 'add', 'n', 'a', 's1');
    const { commands, errors } = service.stats();
    assert.deepStrictEqual(commands, {
      ...NONE,
      add: 2,
      leave: 1,
      getMembersBySid: 1,
      getMembersByChannelName: 2,
      pushMessage: 1,
      destroyChannel: 1,
      clean: 1,
    });
    assert.deepStrictEqual(errors, {
      ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT: 2,
      ERR_GLOBAL_CHANNEL_INVALID_STATE: 1,
    });
  });

  ours.redis('errors of the store are calls and errors', async () => {
    const service = await started(ctx.store);
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:spoilt:s1', 'x');
    await call(service, 'add', 'spoilt', 'a', 's1');
    await call(service, 'getMembersBySid', 'spoilt', 's1');
    const { commands, errors } = service.stats();
    assert.deepStrictEqual(commands, { ...NONE, add: 1, getMembersBySid: 1 });
    assert.deepStrictEqual(errors, { ERR_GLOBAL_CHANNEL_STORE: 2 });
  });

  ours('queue length, batches, and latency', async () => {
    const service = await started(ctx.store, { maxQueue: 100 });
    await ctx.store.hang();
    const records = [];
    try {
      for (let i = 0; i < 101; i += 1) records.push(invoke(service, 'add', 'n', i, 's1'));
      assert.strictEqual(service.stats().queueLength, 100);
      await until(() => service.stats().inFlight > 0, 'a batch to be sent');
      assert.strictEqual(service.stats().latency.count, 0);
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await ctx.store.resume();
    }
    await Promise.all(records.map((record) => record.done));
    await settled(service);
    const { queueLength, inFlight, batches, meanBatchSize, latency, errors } = service.stats();
    assert.deepStrictEqual([queueLength, inFlight], [0, 0]);
    assert.deepStrictEqual(errors, { ERR_GLOBAL_CHANNEL_QUEUE_FULL: 1 });
    assert.strictEqual(Math.round(batches * meanBatchSize), 101);
    assert.strictEqual(latency.count, 101);
    // Two digits, rounded up.
    const { p50, p99, max } = latency;
    assert.ok(50 <= p50 && p50 <= p99 && p99 <= max * 1.01 && max < 20000, `${p50} ${p99} ${max}`);
  });

  ours('pushes, frontends and users that were not reached', async () => {
    const answers = { s1: [null, ['b']], s2: [new Error('gone')], s3: [null, []] };
    const app = createApp({ rpc: (sid, msg, cb) => setImmediate(cb, ...answers[sid]) });
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', ['a', 'b'], 's1');
    await ok(service, 'add', 'n', ['c', 'd', 'e'], 's2');
    await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
    await ok(service, 'pushMessage', 'connector', 'r', {}, 'empty', {});
    const { pushes, pushedFrontends, failedUids } = service.stats();
    assert.deepStrictEqual([pushes, pushedFrontends, failedUids], [2, 1, 4]);
    answers.s1 = answers.s2;
    await ok(service, 'add', 'n', 'f', 's3');
    answers.s3 = answers.s2;
    await call(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
    assert.deepStrictEqual(service.stats().errors, { ERR_GLOBAL_CHANNEL_PUSH_FAILED: 1 });
  });

  ours('the cache: hits and misses count lists, and the reason why it is off', async () => {
    const service = await started(ctx.store);
    for (const sid of ['s1', 's2', 's3']) await ok(service, 'add', 'n', ['a', 'b'], sid);
    for (let i = 0; i < 3; i += 1) await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
    const { cache } = service.stats();
    assert.deepStrictEqual([cache.enabled, cache.reason], [true, null]);
    // Redis is asked to report changes of a list when it is read for the second time.
    const misses = ctx.redis ? 6 : 3;
    assert.deepStrictEqual([cache.hits, cache.misses, cache.entries], [9 - misses, misses, 3]);
    assert.ok(cache.bytes > 0 && cache.bytes < 10000, `${cache.bytes}`);
    await call(service, 'stop', true);
    assert.strictEqual(service.stats().cache.reason, 'stopped');

    const without = await started(ctx.store, { cache: false });
    await ok(without, 'getMembersBySid', 'n', 's1');
    const off = without.stats().cache;
    assert.deepStrictEqual([off.enabled, off.reason], [false, 'option cache is false']);
    assert.deepStrictEqual([off.hits, off.entries, off.maxBytes], [0, 0, 0]);

    const small = await started(ctx.store, { cache: { maxBytes: 1000 } });
    assert.strictEqual(small.stats().cache.maxBytes, 1000);
  });

  ours('a custom manager: calls, errors and pushes are counted too', async () => {
    const service = await started(ctx.store, { channelManager: Manager });
    assert.strictEqual(service.stats().connection, 'connected');
    await ok(service, 'add', 'n', 'u', 's1');
    await call(service, 'add', 'no', 'u', 's1');
    await call(service, 'getMembersByChannelName', 'connector', 'no');
    await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
    const { commands, errors, cache, latency, pushes, pushedFrontends } = service.stats();
    const expected = { ...NONE, add: 2, getMembersByChannelName: 1, pushMessage: 1 };
    assert.deepStrictEqual(commands, expected);
    assert.deepStrictEqual(errors, { ERR_GLOBAL_CHANNEL_STORE: 2 });
    const why = 'a channelManager replaces the store';
    assert.deepStrictEqual([cache.enabled, cache.reason], [false, why]);
    assert.strictEqual(latency.count, 4);
    assert.deepStrictEqual([pushes, pushedFrontends], [1, 3]);
    await call(service, 'stop', true);
    assert.strictEqual(service.stats().connection, 'closed');
  });
});
