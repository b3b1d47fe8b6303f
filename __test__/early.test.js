'use strict';

/**
 * Option `waitForStart`: calls made before `start` is done wait for it, in order and bounded by `maxQueue`, and are answered
 * once whatever becomes of the start. Without it they get `invalid state` (contract row A10).
 */

const assert = require('node:assert');
const { createApp, pushed } = require('./support/app');
const { METHODS, call, eachOf, failed, invoke, ok } = require('./support/call');
const child = require('./support/child');
const { create, optionsOf } = require('./support/service');
const { stores, ours } = require('./support/rows');

/** Returns a function that throws. */
const throwing = (message) => () => {
  throw new Error(message);
};

const code = (name) => `ERR_GLOBAL_CHANNEL_${name}`;

stores('waitForStart', (ctx) => {
  const waiting = (opts, app) =>
    create({ ...optionsOf(ctx.store), waitForStart: true, ...opts }, app);

  ours('calls made before and during a start take effect in order', async () => {
    const app = createApp();
    const service = waiting({}, app);
    const order = [];
    const note = (what) => (err, value) => order.push([what, err, value]);
    service.add('n', ['a', 'b'], 's1', note('add'));
    service.getMembersBySid('n', 's1', note('members'));
    const start = invoke(service, 'start');
    service.pushMessage('connector', 'r', {}, 'n', note('push'));
    service.leave('n', 'a', 's1', note('leave'));
    const last = invoke(service, 'getCountBySid', 'n', 's1');
    assert.strictEqual(service.stats().queueLength, 5);
    assert.strictEqual(service.state, 0);
    assert.strictEqual((await start.done).err, null);
    const { err, value } = await last.done;
    assert.deepStrictEqual([err, value], [null, 1]);
    assert.deepStrictEqual(
      pushed(app).map(([sid, uids]) => [sid, uids.sort()]),
      [['s1', ['a', 'b']]],
    );
    const answers = order.filter(([what]) => what !== 'push');
    assert.deepStrictEqual(
      answers.map(([what, error, list]) => [what, error, list && list.sort()]),
      [
        ['add', null, undefined],
        ['members', null, ['a', 'b']],
        ['leave', null, undefined],
      ],
    );
  });

  ours('every method waits, also as a promise, with and without opts and callback', async () => {
    const service = waiting();
    const records = eachOf((method) => invoke(service, method, ...METHODS[method]));
    const promises = eachOf((method) => service.promises[method](...METHODS[method]));
    service.pushMessage('connector', 'r', {}, 'n');
    const push = invoke(service, 'pushMessage', 'connector', 'r', {}, 'n');
    const clean = service.promises.clean();
    await service.promises.start();
    for (const [method, record] of Object.entries(records)) {
      assert.strictEqual((await record.done).err, null, method);
      await promises[method];
    }
    assert.strictEqual((await push.done).err, null);
    await clean;
    for (const [method, record] of Object.entries(records)) {
      assert.deepStrictEqual([record.n, record.sync], [1, false], method);
    }
  });

  ours('what is called by a callback is made behind the calls that wait', async () => {
    const service = waiting();
    // Refused as soon as it is made, so that its callback runs before the next call is made.
    service.add('n', undefined, 's1', () => service.leave('n', 'u', 's1'));
    service.add('n', 'u', 's1');
    await service.promises.start();
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), []);
  });

  ours('an array or a Buffer is read when the call is made', async () => {
    const service = waiting();
    const [uids, buffer] = [['a', 'b'], Buffer.from('c')];
    service.add('n', uids, 's1');
    service.add('n', buffer, 's1');
    uids.length = 0;
    buffer[0] = 0;
    await service.promises.start();
    assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), [
      'a',
      'b',
      'c',
    ]);
  });

  ours(
    "a push's own options are read when the call is made, and the app's are passed on",
    async () => {
      const app = createApp();
      const service = waiting({}, app);
      const [except, own] = [['b'], { isPush: 1 }];
      const opts = { except, own };
      service.add('n', ['a', 'b', 'c'], 's1');
      const push = invoke(service, 'pushMessage', 'connector', 'r', {}, 'n', opts);
      except[0] = 'a';
      opts.only = ['c'];
      await service.promises.start();
      assert.ifError((await push.done).err);
      const [{ msg }] = app.rpcCalls;
      assert.deepStrictEqual(msg.args[2].sort(), ['a', 'c']);
      assert.strictEqual(msg.args[3].userOptions.own, own);
    },
  );

  ours('options of a page or of a removal are read when the call is made', async () => {
    const service = waiting();
    const [page, removal] = [{ limit: 5 }, { everywhere: true }];
    service.add('n', ['a', 'b'], 'gone');
    const scan = invoke(service, 'scanMembers', 'n', 'gone', page);
    const removed = invoke(service, 'destroyChannel', 'n', removal);
    page.limit = 0;
    removal.everywhere = false;
    await service.promises.start();
    const { err, value } = await scan.done;
    assert.ifError(err);
    assert.deepStrictEqual(value.members.sort(), ['a', 'b']);
    assert.ifError((await removed.done).err);
    assert.strictEqual(await ok(service, 'getCount', 'n', null), 0);
  });

  ours('a failed start answers them with its error, once, and refuses later calls', async () => {
    const service = create({ ...ctx.store.unusable(), waitForStart: true });
    const records = eachOf((method) => invoke(service, method, ...METHODS[method]));
    const start = await call(service, 'start');
    for (const [method, { err, n, argc, value }] of Object.entries(records)) {
      assert.deepStrictEqual([err.code, err.message], [start.err.code, start.err.message], method);
      assert.deepStrictEqual([n, [argc, value]], [1, failed(method)], method);
    }
    const { err, sync } = await call(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual([err.code, sync], [code('INVALID_STATE'), true]);
    assert.strictEqual(service.stats().errors[start.err.code], Object.keys(records).length + 1);
    assert.strictEqual(service.stats().queueLength, 0);
  });

  ours('calls made after a failed start wait again once start was called again', async () => {
    const service = create({ ...ctx.store.unusable(), waitForStart: true });
    await call(service, 'start');
    const again = invoke(service, 'start');
    const add = invoke(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(add.n, 0);
    assert.strictEqual((await add.done).err.code, (await again.done).err.code);
  });

  ours('a start that is repeated by a callback of the failed one keeps its own calls', async () => {
    const service = create({ ...ctx.store.unusable(), waitForStart: true });
    let second;
    let late;
    const first = invoke(service, 'add', 'n', 'u', 's1');
    service.start(() => {
      second = invoke(service, 'start');
      late = invoke(service, 'add', 'n', 'u', 's1');
      assert.strictEqual(late.n, 0);
    });
    await first.done;
    assert.ok((await second.done).err);
    assert.deepStrictEqual([first.n, (await late.done).n], [1, 1]);
  });

  ours('stop answers them, before a start and during one', async () => {
    for (const begin of [() => {}, (service) => service.start()]) {
      const service = waiting();
      const records = eachOf((method) => invoke(service, method, ...METHODS[method]));
      begin(service);
      const stop = invoke(service, 'stop', true);
      const later = await call(service, 'add', 'n', 'u', 's1');
      assert.deepStrictEqual([later.err.code, later.sync], [code('INVALID_STATE'), true]);
      await stop.done;
      for (const [method, { err, n, argc }] of Object.entries(records)) {
        assert.deepStrictEqual(
          [err.code, n, argc],
          [code('STOPPED'), 1, failed(method)[0]],
          method,
        );
      }
    }
  });

  ours('at most maxQueue calls wait; the next one is refused at once', async () => {
    const service = waiting({ maxQueue: 3 });
    const add = (uid) => invoke(service, 'add', 'n', uid, 's1');
    const records = ['a', 'b', 'c', 'd'].map(add);
    assert.deepStrictEqual([records[3].err.code, records[3].sync], [code('QUEUE_FULL'), true]);
    await service.promises.start();
    for (const { done } of records.slice(0, 3)) assert.strictEqual((await done).err, null);
    assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), [
      'a',
      'b',
      'c',
    ]);
  });

  ours('thousands of calls are made over several turns, in order with later ones', async () => {
    const service = waiting();
    const order = [];
    const count = 3000;
    for (let i = 0; i < count; i += 1) service.add('n', i, 's1', () => order.push(i));
    let last;
    await new Promise((resolve) => {
      service.start(() => {
        last = invoke(service, 'getCountBySid', 'n', 's1');
        service.leave('n', 0, 's1', () => order.push('left'));
        resolve();
      });
    });
    assert.strictEqual((await last.done).value, count);
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), count - 1);
    assert.deepStrictEqual(order, [...Array(count).keys(), 'left']);
  });

  ours('a stop in the middle of them answers each once', async () => {
    const service = waiting();
    const records = Array.from({ length: 3000 }, (_, i) => invoke(service, 'add', 'n', i, 's1'));
    const stop = await new Promise((resolve) => {
      service.start(() => resolve(invoke(service, 'stop', true)));
    });
    await stop.done;
    for (const { n, err } of records) {
      assert.strictEqual(n, 1);
      if (err) assert.strictEqual(err.code, code('STOPPED'));
    }
    assert.strictEqual(records[0].err, null);
    assert.ok(records[2999].err, 'the last one was not made yet');
  });

  ours('a call that throws when it is made gets that as its error', async () => {
    const app = createApp();
    const service = waiting({}, app);
    const start = invoke(service, 'start');
    const record = invoke(service, 'getMembersByChannelName', 'connector', 'n');
    const after = invoke(service, 'add', 'n', 'u', 's1');
    app.getServersByType = throwing('no servers');
    assert.strictEqual((await start.done).err, null);
    const { err, n, value } = await record.done;
    assert.deepStrictEqual([err.message, n, value], ['no servers', 1, null]);
    assert.strictEqual((await after.done).err, null);
  });

  ours('a callback that throws does not keep the others from being made', async () => {
    const body = async ({ create, opts, call, invoke, until, emit }) => {
      const uncaught = [];
      process.on('uncaughtException', (err) => uncaught.push(err.message));
      const service = create({ ...opts, waitForStart: true });
      service.add('n', undefined, 's1', () => {
        throw new Error('of the callback');
      });
      const next = invoke(service, 'add', 'n', 'u', 's1');
      emit((await call(service, 'start')).err);
      emit((await next.done).err);
      await until(() => uncaught.length > 0, 'the exception');
      emit(uncaught);
      await call(service, 'stop', true);
    };
    const { code: exit, messages, output } = await child.run(body, { store: ctx.store });
    assert.deepStrictEqual([exit, messages], [0, [null, null, ['of the callback']]], output);
  });

  ours('with a custom manager the same', async () => {
    const calls = [];
    const answer =
      (method) =>
      (...args) => {
        calls.push(method);
        args.pop()(null, []);
      };
    const manager = (start) => ({
      start,
      add: answer('add'),
      leave: answer('leave'),
      getMembersBySid: answer('getMembersBySid'),
      destroyChannel: answer('destroyChannel'),
    });
    const good = create({ channelManager: manager((cb) => setImmediate(cb)), waitForStart: true });
    const added = invoke(good, 'add', 'n', 'u', 's1');
    const left = invoke(good, 'leave', 'n', 'u', 's1');
    assert.deepStrictEqual(calls, []);
    assert.ok(!(await call(good, 'start')).err);
    await Promise.all([added.done, left.done]);
    assert.deepStrictEqual(calls, ['add', 'leave']);
    const why = new Error('no');
    const bad = create({
      channelManager: manager((cb) => setImmediate(cb, why)),
      waitForStart: true,
    });
    const refused = invoke(bad, 'add', 'n', 'u', 's1');
    assert.strictEqual((await call(bad, 'start')).err, why);
    assert.deepStrictEqual([refused.err, refused.n], [why, 1]);
  });

  ours('the clean of a start comes before the calls that wait for it', async () => {
    await ctx.store.seed('POMELO:CHANNEL:n:s1');
    const service = waiting({ cleanOnStartUp: true });
    service.add('n', 'u', 's1');
    await service.promises.start();
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
  });
});
