'use strict';

/**
 * Pushes to several channels, with exceptions, to users and to all sessions: arguments, options for push schedulers, order,
 * errors. Who gets which push is compared with a model in contract/c-model.test.js; real frontends are in the cluster suite.
 */

const assert = require('node:assert');
const { createApp, pushed } = require('../support/app');
const { call, invoke, ok, OTHERS } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { create, started } = require('../support/service');

stores('H pushes to channels', (ctx) => {
  ours('H02 a wrong element is named, and nothing is sent', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'a', 'u', 's1');
    for (const [names, opts, argument] of [
      [['a', null], {}, 'name\\[1\\]'],
      [['a', {}], {}, 'name\\[1\\]'],
      [['a', ['b']], {}, 'name\\[1\\]'],
      ['a', { except: [NaN.toString, 'x'] }, 'opts.except\\[0\\]'],
      ['a', { only: { 0: 'u' } }, 'opts.only'],
      ['a', { exceptChannels: ['b', undefined] }, 'opts.exceptChannels\\[1\\]'],
      ['a', { sids: Symbol('s') }, 'opts.sids'],
    ]) {
      const { err, argc } = await call(service, 'pushMessage', 'connector', 'r', {}, names, opts);
      assert.strictEqual(argc, 1);
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT');
      assert.match(err.message, new RegExp(`^argument ${argument} is `));
    }
    assert.deepStrictEqual(app.rpcCalls, []);
  });

  ours('H04 ids of every type: bigints, and objects with a text of their own', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    const id = { toString: () => 'b' };
    id.self = id;
    await ok(service, 'add', ['1', 'b'], ['7', '8'], 's1');
    await ok(service, 'add', '0', '8', 's1');
    for (const [names, opts, uids] of [
      [[1n, id], { except: 7n }, ['8']],
      [1n, { exceptChannels: 0 }, ['7']],
      [id, { only: { toString: () => '7' } }, ['7']],
    ]) {
      app.rpcCalls.length = 0;
      await ok(service, 'pushMessage', 'connector', 'r', {}, names, opts);
      assert.deepStrictEqual(pushed(app), [['s1', uids]]);
    }
  });

  ours('H18 what is run while the options are read may make calls of its own', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', ['a', 'b'], ['u', 'v'], 's1');
    const made = [];
    const add = () => made.push(invoke(service, 'add', 'c', `w${made.length}`, 's2'));
    const calling = (text) => ({ toString: () => (add(), text) });
    const options = (own) => ({
      ...own,
      get except() {
        add();
        return ['x', calling('u')];
      },
      get filter() {
        add();
        return 1;
      },
    });
    const pushes = [
      ['pushMessage', 'connector', 'r', {}, 'a', options()],
      ['pushMessage', 'connector', 'r', {}, calling('a'), options()],
      ['pushMessage', 'connector', 'r', {}, ['a', calling('b')], options()],
      ['pushMessage', 'connector', 'r', {}, ['a', calling('b')], { filter: 1, except: 'u' }],
      ['pushMessage', 'connector', 'r', {}, 'a', options({ exceptChannels: calling('none') })],
      ['pushMessageByUids', 'connector', 'r', {}, ['u', 'v'], options({ sid: calling('s1') })],
      ['broadcast', 'connector', 'r', {}, options({ sids: [calling('s1')] })],
    ];
    for (const args of pushes) {
      const before = made.length;
      app.rpcCalls.length = 0;
      const push = invoke(service, ...args);
      await push.done;
      await Promise.all(made.map(({ done }) => done));
      assert.deepStrictEqual(push.args, [null, []]);
      assert.deepStrictEqual(
        [push, ...made].map(({ n, err }) => [n, err]),
        [push, ...made].map(() => [1, null]),
      );
      assert.ok(made.length > before, 'calls were made');
      const [{ sid, msg }] = app.rpcCalls;
      const isBroadcast = args[0] === 'broadcast';
      assert.deepStrictEqual([sid, msg.args[2]], ['s1', isBroadcast ? msg.args[2] : ['v']]);
      const expected = made.map((_, i) => `w${i}`).sort();
      assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'c', 's2')).sort(), expected);
    }
  });

  ours('H03 no channel, or no frontend, is a push to no user', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'a', 'u', 's1');
    for (const [names, opts] of [
      [[], {}],
      [['a', 'b'], { sids: [] }],
      [['a', 'b'], { only: [] }],
    ]) {
      const { args } = await call(service, 'pushMessage', 'connector', 'r', {}, names, opts);
      assert.deepStrictEqual(args, [null, []]);
    }
    assert.deepStrictEqual(app.rpcCalls, []);
  });
});

stores('H pushes without a channel', (ctx) => {
  ours('H10 pushMessageByUids sends the users of one frontend the push', async () => {
    const app = createApp({ rpc: (sid, msg, cb) => process.nextTick(cb, null, ['2']) });
    const service = await started(ctx.store, {}, app);
    const opts = { sid: 's2', filter: 'kept' };
    const { args } = await call(
      service,
      'pushMessageByUids',
      'connector',
      'r',
      { m: 1 },
      ['1', 2],
      opts,
    );
    assert.deepStrictEqual(args, [null, ['2']]);
    const [{ sid, msg }] = app.rpcCalls;
    assert.strictEqual(sid, 's2');
    assert.strictEqual(msg.method, 'pushMessage');
    const options = { type: 'push', userOptions: { filter: 'kept' }, isPush: true };
    assert.deepStrictEqual(msg.args, ['r', { m: 1 }, ['1', '2'], options]);
  });

  ours('H11 pushMessageByUids comes in turn, behind the pushes before it', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'a', 'u', 's1');
    const push = () => call(service, 'pushMessage', 'connector', 'first', {}, 'a', {});
    const both = [
      push(),
      call(service, 'pushMessageByUids', 'connector', 'second', {}, 'u', { sid: 's1' }),
      call(service, 'broadcast', 'connector', 'third', {}, { sids: ['s1'] }),
    ];
    await Promise.all(both);
    assert.deepStrictEqual(
      app.rpcCalls.map(({ msg }) => msg.args[0]),
      ['first', 'second', 'third'],
    );
  });

  ours('H12 pushMessageByUids without a frontend names the option that it needs', async () => {
    const service = await started(ctx.store, {}, createApp());
    const { err } = await call(service, 'pushMessageByUids', 'connector', 'r', {}, ['1'], {});
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED');
    assert.match(err.message, /option sessions/);
  });

  ours('H13 broadcast calls the framework’s remote on each frontend of the type', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    const opts = { binded: true, filterParam: { age: 3 } };
    const { args } = await call(service, 'broadcast', 'connector', 'r', { m: 1 }, opts);
    assert.deepStrictEqual(args, [null, []]);
    const options = { type: 'broadcast', userOptions: opts, isBroadcast: true, ...opts };
    assert.deepStrictEqual(
      app.rpcCalls.map(({ sid, msg }) => [sid, msg.namespace, msg.service, msg.method, msg.args]),
      ['s1', 's2', 's3'].map((sid) => [
        sid,
        'sys',
        'channelRemote',
        'broadcast',
        ['r', { m: 1 }, options],
      ]),
    );
  });

  ours('H16 options that are not for a push of that kind reach the schedulers', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'a', 'u', 's1');
    await ok(service, 'pushMessage', 'connector', 'r', {}, 'a', { sid: 'x' });
    await ok(service, 'broadcast', 'connector', 'r', {}, { except: 'u', sids: 's1' });
    const seen = app.rpcCalls.map(({ msg }) => msg.args[msg.args.length - 1].userOptions);
    assert.deepStrictEqual(seen, [{ sid: 'x' }, { except: 'u' }]);
    const wrong = { sid: 's1', except: {} };
    const { err } = await call(service, 'pushMessageByUids', 'connector', 'r', {}, 'u', wrong);
    assert.match(err.message, /^argument opts.except is an object/);
  });

  ours('H15 before start and after stop they are refused as all methods are', async () => {
    const service = create(ctx.store.options(), createApp());
    const refused = async () => {
      for (const [method, args] of Object.entries(OTHERS)) {
        const { err, sync } = await call(service, method, ...args);
        assert.deepStrictEqual([err?.code, sync], ['ERR_GLOBAL_CHANNEL_INVALID_STATE', true]);
      }
    };
    await refused();
    await ok(service, 'start');
    for (const [method, args] of Object.entries(OTHERS)) await ok(service, method, ...args);
    await call(service, 'stop', true);
    await refused();
  });

  ours(
    'H14 broadcast answers the frontends that it did not reach, an error if there is none',
    async () => {
      const failing = (...sids) =>
        createApp({
          rpc: (sid, msg, cb) =>
            process.nextTick(cb, sids.includes(sid) ? new Error('down') : null),
        });
      const one = await started(ctx.store, {}, failing('s2'));
      assert.deepStrictEqual((await call(one, 'broadcast', 'connector', 'r', {})).args, [
        null,
        ['s2'],
      ]);
      const all = await started(ctx.store, {}, failing('s1', 's2', 's3'));
      const { err } = await call(all, 'broadcast', 'connector', 'r', {});
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_PUSH_FAILED');
      assert.strictEqual(err.cause.message, 'down');
    },
  );
});
