'use strict';

/**
 * Contract rows D08–D14, D16–D19, D23, D26: what pushMessage reports when frontends fail: failed uids, errors, timeouts, and
 * RPCs that throw, never answer, or answer twice.
 */

const assert = require('node:assert');
const { createApp, pushed, answering } = require('../support/app');
const { invoke, call, ok, settled } = require('../support/call');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const ALL_FAIL = 'all frontend server push message fail';
const PUSH_FAILED = 'ERR_GLOBAL_CHANNEL_PUSH_FAILED';
const ALL = ['s1', 's2', 's3'];

stores('D push failures', (ctx) => {
  /** Members `u-<sid>` on `sids`, RPC answers as scripted, one push; `{record, app, service}`. */
  async function pushing(rpc, sids, opts) {
    const app = createApp({ rpc: typeof rpc === 'function' ? rpc : answering(rpc) });
    const service = await started(ctx.store, opts, app);
    for (const sid of sids) await ok(service, 'add', 'n', `u-${sid}`, sid);
    const record = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    return { app, service, record };
  }

  /** The answer's arguments, after time for a second answer. */
  async function answerOf(...args) {
    const { record, service } = await pushing(...args);
    await record.done;
    await settled(service);
    assert.strictEqual(record.n, 1);
    return record.args;
  }

  const spoil = (...sids) =>
    Promise.all(sids.map((sid) => ctx.redis.run(0, 'set', `POMELO:CHANNEL:n:${sid}`, 'x')));

  /** Everything that may be said of `(error)` when no frontend took the push. */
  function assertAllFailed([err, ...rest], cause) {
    assert.ok(err instanceof Error);
    assert.deepStrictEqual([err.message, err.code, rest], [ALL_FAIL, PUSH_FAILED, []]);
    assert.strictEqual(err.cause, cause);
  }

  same('D08 failed ids of all frontends are joined', async () => {
    const args = await answerOf({ s1: ['f1'], s2: ['f2'], s3: ['f3'] }, ALL);
    assert.deepStrictEqual(args, [null, ['f1', 'f2', 'f3']]);
  });

  ours('D08 in server order, whatever the order of the answers', async () => {
    const waiting = {};
    const rpc = (sid, msg, cb) => {
      waiting[sid] = cb;
      if (Object.keys(waiting).length < 3) return;
      ['s3', 's1', 's2'].forEach((each) => waiting[each](null, [`f-${each}`]));
    };
    assert.deepStrictEqual(await answerOf(rpc, ALL), [null, ['f-s1', 'f-s2', 'f-s3']]);
  });

  same('D08 an answer without a list is no failure', async () => {
    for (const list of [undefined, null, [], 0, '']) {
      const rpc = (sid, msg, cb) => process.nextTick(cb, null, list);
      assert.deepStrictEqual(await answerOf(rpc, ALL), [null, []]);
    }
  });

  // 0.0.7 leaves out the members of s2, who did not get the message either (defect 3).
  same('D09 one of three RPCs fails: success, with the failed ids of the others', async () => {
    const [err, uids] = await answerOf({ s1: ['x-s1'], s2: new Error('no'), s3: ['x-s3'] }, ALL);
    assert.strictEqual(err, null);
    assert.deepStrictEqual(
      uids.filter((uid) => uid !== 'u-s2'),
      ['x-s1', 'x-s3'],
    );
  });

  ours('D09 … and the uids of the frontend that failed, in server order', async () => {
    const args = await answerOf({ s1: ['x-s1'], s2: new Error('no'), s3: ['x-s3'] }, ALL);
    assert.deepStrictEqual(args, [null, ['x-s1', 'u-s2', 'x-s3']]);
  });

  same('D10 D23 all RPCs fail: one Error, one argument', async () => {
    const error = new Error('push message fail for empty message');
    const args = await answerOf({ s1: error, s2: error, s3: error }, ALL);
    assert.deepStrictEqual([String(args[0]), args.length], [`Error: ${ALL_FAIL}`, 1]);
  });

  ours('D10 … with its code, and the first RPC’s error as cause', async () => {
    const errors = { s1: new Error('no 1'), s2: new Error('no 2'), s3: new Error('no 3') };
    assertAllFailed(await answerOf(errors, ALL), errors.s1);
  });

  ours('D11 only one frontend has members and its RPC fails: its uids have failed', async () => {
    assert.deepStrictEqual(await answerOf({ s2: new Error('no') }, ['s2']), [null, ['u-s2']]);
  });

  ours.redis('D12 Redis error on all frontends: the error of the read itself, no RPC', async () => {
    await spoil(...ALL);
    const { record, app } = await pushing({}, []);
    const { err, argc, sync } = await record.done;
    assert.match(err.message, /^WRONGTYPE /);
    assert.deepStrictEqual([err.code, argc, sync], ['ERR_GLOBAL_CHANNEL_STORE', 1, false]);
    assert.strictEqual(app.rpcCalls.length, 0);
  });

  ours.redis(
    'D12 Redis error on one frontend, the others empty: the error of the read',
    async () => {
      await spoil('s2');
      const [err] = await answerOf({}, []);
      assert.match(err.message, /^WRONGTYPE /);
    },
  );

  same.redis('D13 Redis error on one frontend: the others get it', async () => {
    await spoil('s1');
    const { record, app } = await pushing({}, ['s2', 's3']);
    assert.deepStrictEqual((await record.done).args, [null, []]);
    assert.deepStrictEqual(pushed(app), [
      ['s2', ['u-s2']],
      ['s3', ['u-s3']],
    ]);
  });

  for (const error of ['text', { code: 500 }, 1, true]) {
    same(`D14 an RPC error that is ${JSON.stringify(error)} counts as one`, async () => {
      const [err, uids] = await answerOf({ s1: error, s2: ['f'] }, ['s1', 's2']);
      assert.strictEqual(err, null);
      assert.deepStrictEqual(
        uids.filter((uid) => uid !== 'u-s1'),
        ['f'],
      );
    });

    ours(`D14 … on all frontends it is the cause: ${JSON.stringify(error)}`, async () => {
      assertAllFailed(await answerOf({ s1: error, s2: error, s3: error }, ALL), error);
    });
  }

  ours('D16 rpcInvoke throws: that frontend failed, one callback', async () => {
    const rpc = (sid, msg, cb) => {
      if (sid === 's2') throw new Error('thrown');
      cb(null, []);
    };
    assert.deepStrictEqual(await answerOf(rpc, ALL), [null, ['u-s2']]);
  });

  ours('D16 rpcInvoke throws for all: the error says so', async () => {
    const thrown = new Error('thrown');
    const rpc = () => {
      throw thrown;
    };
    assertAllFailed(await answerOf(rpc, ALL), thrown);
  });

  ours('D16 rpcInvoke answers and then throws: the answer counts', async () => {
    const rpc = (sid, msg, cb) => {
      cb(null, ['f']);
      throw new Error('too late');
    };
    assert.deepStrictEqual(await answerOf(rpc, ['s1']), [null, ['f']]);
  });

  ours('D17 rpcInvoke never calls back: after pushTimeout that frontend failed', async () => {
    const rpc = (sid, msg, cb) => sid !== 's2' && cb(null, []);
    const { record } = await pushing(rpc, ALL, { pushTimeout: 300 });
    const { args, ms } = await record.done;
    assert.deepStrictEqual(args, [null, ['u-s2']]);
    assert.ok(ms >= 280 && ms < 8000, `${ms} ms`);
  });

  ours('D17 no frontend calls back: an Error after pushTimeout', async () => {
    const { record } = await pushing(() => {}, ALL, { pushTimeout: '200' });
    const { err } = await record.done;
    assert.deepStrictEqual([err.message, err.code], [ALL_FAIL, PUSH_FAILED]);
  });

  ours('D17 an answer after pushTimeout is ignored', async () => {
    let late;
    const rpc = (sid, msg, cb) => (late = cb);
    const { record, service } = await pushing(rpc, ['s1'], { pushTimeout: 50 });
    await record.done;
    late(null, ['late']);
    await settled(service);
    assert.deepStrictEqual([record.args, record.n], [[null, ['u-s1']], 1]);
  });

  ours('D17 pushTimeout: 0 sets no limit', async () => {
    const rpc = (sid, msg, cb) => setTimeout(cb, 300, null, ['slow']);
    assert.deepStrictEqual(await answerOf(rpc, ['s1'], { pushTimeout: 0 }), [null, ['slow']]);
  });

  ours('D17 a frontend that does not answer does not delay other pushes', async () => {
    const rpc = (sid, msg, cb) => sid === 's2' && cb(null, []);
    const { service, record } = await pushing(rpc, ['s1'], { pushTimeout: 1000 });
    await ok(service, 'add', 'm', 'u', 's2');
    const other = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'm', {});
    assert.deepStrictEqual([other.args, record.n], [[null, []], 0]);
    await record.done;
  });

  ours('D18 rpcInvoke calls back twice: the second call is ignored', async () => {
    const rpc = (sid, msg, cb) => {
      cb(null, [`f-${sid}`]);
      cb(new Error('again'));
      setImmediate(cb, null, ['again']);
    };
    const args = await answerOf(rpc, ['s1', 's2']);
    assert.deepStrictEqual(args, [null, ['f-s1', 'f-s2']]);
  });

  ours('D19 the callback in the place of opts', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', 'u', 's1');
    const record = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n');
    assert.deepStrictEqual(record.args, [null, []]);
    assert.deepStrictEqual(app.rpcCalls[0].msg.args[3].userOptions, {});
  });

  for (const rpcInvoke of [undefined, null, 'text']) {
    ours(`D26 rpcInvoke is ${rpcInvoke}: an Error that names it, nothing was sent`, async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      for (const sid of ALL) await ok(service, 'add', 'n', 'u', sid);
      app.rpcInvoke = rpcInvoke;
      const record = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      await record.done;
      await settled(service);
      assert.strictEqual(record.err.code, PUSH_FAILED);
      assert.ok(record.err.message.includes(ALL_FAIL), record.err.message);
      assert.ok(record.err.message.includes('rpcInvoke'), record.err.message);
      assert.deepStrictEqual([record.n, record.argc], [1, 1]);
    });
  }

  ours('D26 rpcInvoke is not there yet and only one frontend has members', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', 'u', 's2');
    app.rpcInvoke = undefined;
    const { err } = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    assert.strictEqual(err && err.code, PUSH_FAILED);
  });

  ours.redis('D13 one read fails and one RPC succeeds: its failed uids', async () => {
    await spoil('s1');
    assert.deepStrictEqual(await answerOf({ s2: ['f'] }, ['s2']), [null, ['f']]);
  });
});
