'use strict';

/**
 * Contract rows A10–A26: start, stop, and what calls answer before, during and after. Rows about
 * whole processes and threads are in a-process.test.js, cleanOnStartUp in a-clean.test.js.
 */

const assert = require('node:assert');
const { createApp } = require('../support/app');
const { invoke, call, ok, settled, eachMethod, METHODS } = require('../support/call');
const { create, started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const NAMES = Object.keys(METHODS);
const all = (value) => Object.fromEntries(NAMES.map((method) => [method, value]));
const refused = ({ err, argc }) => [String(err), argc];
const INVALID_STATE = ['Error: invalid state', 1];

stores('A life cycle', (ctx) => {
  const opts = (more) => ctx.store.options(more);

  same('A10 before start: every method answers invalid state, one argument', async () => {
    const service = create(opts());
    const answers = await eachMethod(async (m, args) => refused(await call(service, m, ...args)));
    assert.deepStrictEqual(answers, all(INVALID_STATE));
  });

  ours('A10 invalid state has its code', async () => {
    const service = create(opts());
    const codes = await eachMethod(async (m, args) => (await call(service, m, ...args)).err.code);
    assert.deepStrictEqual(codes, all('ERR_GLOBAL_CHANNEL_INVALID_STATE'));
  });

  same('A11 before start: the callback is called synchronously', async () => {
    const service = create(opts());
    const answers = await eachMethod((method, args) => invoke(service, method, ...args).n);
    assert.deepStrictEqual(answers, all(1));
  });

  same('A12 before start, no callback: no throw, undefined', async () => {
    const service = create(opts());
    const answers = await eachMethod((method, args) => service[method](...args));
    assert.deepStrictEqual(answers, all(undefined));
  });

  same('A13 start: one asynchronous callback, then state is 1', async () => {
    const service = create(opts());
    const record = invoke(service, 'start');
    assert.strictEqual(record.n, 0);
    await record.done;
    assert.strictEqual(service.state, 1);
    await settled(service);
    assert.deepStrictEqual([record.n, !record.err, record.sync], [1, true, false]);
  });

  same('A14 start calls back with null', async () => {
    const { args } = await call(create(opts()), 'start');
    // 0.0.7 also hands on the reply of SELECT.
    assert.strictEqual(args[0], null);
  });

  ours('A14 start calls back with exactly one argument', async () => {
    const { args } = await call(create(opts()), 'start');
    assert.deepStrictEqual(args, [null]);
  });

  ours.redis('A15 start sends nothing but connection set-up', async () => {
    const monitor = await ctx.redis.monitor();
    await started(ctx.store, { db: 3 });
    const commands = await monitor.commands();
    const names = commands.map(([, name]) => name);
    // INFO, as in 0.0.7: is the server still loading, and is it the one that we knew?
    // TOUCH, and EVAL without a key: may the member cache use them?
    // SMEMBERS, SCARD, SISMEMBER and UNLINK of a key that no channel has: are we logged in, and which of them are there?
    const setUp = ['HELLO', 'AUTH', 'SELECT', 'CLIENT', 'INFO', 'EVAL', 'TOUCH'];
    const probes = ['SMEMBERS', 'SCARD', 'SISMEMBER', 'UNLINK'];
    const allowed = [...setUp, ...probes];
    assert.deepStrictEqual(
      names.filter((name) => !allowed.includes(name)),
      [],
    );
    assert.ok(names.includes('SELECT'));
    const keyed = commands.filter(([, name]) => probes.includes(name));
    const keys = new Set(keyed.flatMap(([, , ...args]) => args));
    assert.deepStrictEqual(keys, new Set(['POMELO:CHANNEL:\0probe']));
  });

  same('A16 start twice: the second is refused with invalid state', async () => {
    const service = await started(ctx.store);
    const again = await call(service, 'start');
    assert.deepStrictEqual(refused(again), INVALID_STATE);
    assert.strictEqual(again.sync, true);
    assert.strictEqual(service.state, 1);
  });

  ours('A17 start twice at once: one connection, both get the result', async () => {
    const service = create(opts());
    const records = await Promise.all([call(service, 'start'), call(service, 'start')]);
    assert.deepStrictEqual(
      records.map(({ args }) => args),
      [[null], [null]],
    );
    assert.strictEqual(await ctx.store.users(), 1);
  });

  ours('A17 start twice at once: both get the error', async () => {
    const service = create(ctx.store.unusable());
    const records = await Promise.all([call(service, 'start'), call(service, 'start')]);
    const codes = records.map(({ err }) => err.code);
    assert.deepStrictEqual(codes, ['ERR_GLOBAL_CHANNEL_STORE', 'ERR_GLOBAL_CHANNEL_STORE']);
  });

  ours.redis('A17 a start that failed may be tried again', async () => {
    const app = createApp();
    const service = create(opts({ username: null, password: 'late', startTimeout: 1000 }), app);
    assert.ok((await call(service, 'start')).err);
    await ctx.redis.run(0, 'config', 'set', 'requirepass', 'late');
    const { err } = await call(service, 'start');
    await ctx.redis.run(0, 'config', 'set', 'requirepass', '');
    assert.strictEqual(err, null);
  });

  same('A19 a started service has one connection, or the folder open once', async () => {
    await started(ctx.store);
    assert.strictEqual(await ctx.store.users(), 1);
  });

  same('A20 stop closes the store and calls back once', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 's1');
    const record = await call(service, 'stop', true);
    await ctx.store.untilUsers(0);
    assert.deepStrictEqual([record.n, !record.err], [1, true]);
  });

  same('A21 stop: no arguments, and state is 2 at once', async () => {
    const service = await started(ctx.store);
    const record = invoke(service, 'stop', true);
    assert.strictEqual(service.state, 2);
    assert.strictEqual((await record.done).argc, 0);
  });

  ours('A21 stop calls back asynchronously', async () => {
    const service = await started(ctx.store);
    assert.strictEqual((await call(service, 'stop', true)).sync, false);
  });

  ours('A21 stop accepts its callback as first argument', async () => {
    const service = await started(ctx.store);
    assert.strictEqual((await call(service, 'stop')).argc, 0);
  });

  same('A22 after stop: every method answers invalid state, start too', async () => {
    const service = await started(ctx.store);
    await call(service, 'stop', true);
    const answers = await eachMethod(async (m, args) => refused(await call(service, m, ...args)));
    assert.deepStrictEqual(answers, all(INVALID_STATE));
    assert.deepStrictEqual(refused(await call(service, 'start')), INVALID_STATE);
  });

  same('A23 stop twice, stop without callback, stop before start', async () => {
    const service = await started(ctx.store);
    await call(service, 'stop', true);
    assert.ok(!(await call(service, 'stop', true)).err);
    assert.strictEqual((await started(ctx.store)).stop(true), undefined);
    const fresh = create(opts());
    assert.ok(!(await call(fresh, 'stop', false)).err);
    assert.strictEqual(fresh.state, 2);
  });

  ours('A23 stop twice at once: both callbacks come', async () => {
    const service = await started(ctx.store);
    const records = await Promise.all([call(service, 'stop', true), call(service, 'stop', true)]);
    assert.deepStrictEqual(
      records.map(({ n, argc }) => [n, argc]),
      [
        [1, 0],
        [1, 0],
      ],
    );
  });

  ours('A25 stop with calls in flight: each gets its result, then stop calls back', async () => {
    const service = await started(ctx.store);
    const order = [];
    const calls = ['u1', 'u2', 'u3'].map((uid) => invoke(service, 'add', 'n', uid, 's1'));
    const push = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    [...calls, push].forEach((record, i) => record.done.then(() => order.push(i)));
    await call(service, 'stop', true).then(() => order.push('stop'));
    assert.deepStrictEqual(order, [0, 1, 2, 3, 'stop']);
    assert.deepStrictEqual(
      [...calls, push].map(({ args, n }) => [args[0], n]),
      [
        [null, 1],
        [null, 1],
        [null, 1],
        [null, 1],
      ],
    );
  });

  ours('A26 stop with calls in flight: they were done', async () => {
    const service = await started(ctx.store);
    ['u1', 'u2', 'u3'].forEach((uid) => service.add('n', uid, 's1'));
    await call(service, 'stop', true);
    assert.deepStrictEqual(await ctx.store.members('POMELO:CHANNEL:n:s1'), ['u1', 'u2', 'u3']);
  });

  ours('A25 stop while the store hangs: STOPPED after the drain time of 1 s', async () => {
    const service = await started(ctx.store);
    await ctx.store.hang();
    try {
      const records = Object.keys(METHODS).map((m) => invoke(service, m, ...METHODS[m]));
      const stop = await call(service, 'stop', true);
      assert.deepStrictEqual(
        records.map(({ err, n }) => [err && err.code, n]),
        records.map(() => ['ERR_GLOBAL_CHANNEL_STOPPED', 1]),
      );
      assert.ok(stop.ms >= 900 && stop.ms < 4500, `${stop.ms} ms`);
    } finally {
      await ctx.store.resume();
    }
  });

  ours('A25 stop during start: the start callback gets STOPPED, no connection stays', async () => {
    const service = create(opts());
    const start = invoke(service, 'start');
    const stop = invoke(service, 'stop', true);
    await Promise.all([start.done, stop.done]);
    assert.strictEqual(start.err && start.err.code, 'ERR_GLOBAL_CHANNEL_STOPPED');
    assert.strictEqual(service.state, 2);
    await ctx.store.untilUsers(0);
  });

  ours.redis(
    'A25 stop during a start that waits for the store: STOPPED, without delay',
    async () => {
      await ctx.redis.kill();
      const service = create(opts());
      const start = invoke(service, 'start');
      const stop = await call(service, 'stop', true);
      assert.strictEqual((await start.done).err.code, 'ERR_GLOBAL_CHANNEL_STOPPED');
      assert.ok(stop.ms < 4500, `${stop.ms} ms`);
    },
  );
});
