'use strict';

/**
 * Pushes to several channels, with exceptions, against a model: random members, and random pushes whose RPCs must carry
 * exactly the users that the definition names, each once. On each store, with and without the member cache, and with a
 * custom manager. Real frontends are in the cluster suite.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { createApp, pushed } = require('../support/app');
const { call, ok, OTHERS } = require('../support/call');
const { startedWith } = require('../support/manager');
const { stores, ours } = require('../support/rows');
const { create, started } = require('../support/service');

const NAMES = ['a', 'b', 'c'];
const SIDS = ['s1', 's2', 's3'];
const UIDS = ['1', '2', '3', '"quoted"', '\\', 'ü', 'x\ny'];

const some = (values, options) => fc.uniqueArray(fc.constantFrom(...values), options);
const maybe = (arbitrary) => fc.option(arbitrary, { nil: undefined });
/** A single value may stand for an array of one. */
const oneOrSome = (values) => fc.oneof(fc.constantFrom(...values), some(values));

const write = fc.tuple(
  fc.constantFrom('add', 'add', 'leave'),
  fc.constantFrom(...NAMES),
  some(UIDS, { minLength: 1 }),
  fc.constantFrom(...SIDS),
);
const push = fc.tuple(
  fc.constant('pushMessage'),
  fc.oneof(fc.constantFrom(...NAMES), fc.array(fc.constantFrom(...NAMES), { maxLength: 4 })),
  fc.record({
    except: maybe(oneOrSome(UIDS)),
    only: maybe(oneOrSome(UIDS)),
    exceptChannels: maybe(oneOrSome(NAMES)),
    sids: maybe(oneOrSome([...SIDS, 'unknown'])),
    filter: fc.constant('kept'),
  }),
);

const listed = (value) => (value === undefined ? [] : [].concat(value));

/** The users of a push by frontend, sorted, as `[[sid, uids], …]`; frontends without any are left out. */
function expectedOf(channels, names, { except, only, exceptChannels, sids }) {
  const membersOf = (given, sid) =>
    listed(given).flatMap((name) => channels.get(`${name} ${sid}`) || []);
  return SIDS.filter((sid) => sids === undefined || listed(sids).includes(sid))
    .map((sid) => {
      const without = new Set([...membersOf(exceptChannels, sid), ...listed(except)]);
      const uids = [...new Set(membersOf(names, sid))]
        .filter((uid) => !without.has(uid))
        .filter((uid) => only === undefined || listed(only).includes(uid));
      return [sid, uids.sort()];
    })
    .filter(([, uids]) => uids.length > 0);
}

/** Runs the steps with a service, all in one tick or each after the answer to the one before. */
async function check(service, app, steps, isBurst) {
  const channels = new Map();
  const answers = [];
  const expected = [];
  for (const [method, ...args] of steps) {
    if (method === 'pushMessage') {
      const [names, opts] = args;
      expected.push(expectedOf(channels, names, opts));
      answers.push(call(service, method, 'connector', `push ${expected.length}`, {}, names, opts));
    } else {
      const [name, uids, sid] = args;
      const members = new Set(channels.get(`${name} ${sid}`));
      for (const uid of uids) {
        if (method === 'add') members.add(uid);
        else members.delete(uid);
      }
      channels.set(`${name} ${sid}`, [...members]);
      answers.push(call(service, method, name, uids, sid));
    }
    if (!isBurst) await answers[answers.length - 1];
  }
  for (const { err } of await Promise.all(answers)) assert.ifError(err);
  expected.forEach((sent, index) => {
    const rpcs = app.rpcCalls.filter(({ msg }) => msg.args[0] === `push ${index + 1}`);
    const seen = pushed({ rpcCalls: rpcs }).map(([sid, uids]) => [sid, [...uids].sort()]);
    assert.deepStrictEqual(seen, sent);
    for (const { msg } of rpcs) {
      const { userOptions } = JSON.parse(JSON.stringify(msg.args[3]));
      assert.deepStrictEqual(userOptions, { filter: 'kept' });
    }
  });
}

const property = (run) =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(write, push), { maxLength: 30, size: 'max' }),
      fc.boolean(),
      run,
    ),
    { numRuns: 60, endOnFailure: true, includeErrorInReport: true },
  );

/** A manager in memory whose uids are numbers where they look like numbers. */
function memoryManager() {
  const sets = new Map();
  const own = (uid) => (/^\d+$/.test(uid) ? Number(uid) : uid);
  const set = (name, sid) =>
    sets.get(`${name} ${sid}`) || sets.set(`${name} ${sid}`, new Set()).get(`${name} ${sid}`);
  return {
    sets,
    add(name, uid, sid, cb) {
      for (const each of [].concat(uid)) set(name, sid).add(own(each));
      setImmediate(cb, null);
    },
    leave(name, uid, sid, cb) {
      for (const each of [].concat(uid)) set(name, sid).delete(own(each));
      setImmediate(cb, null);
    },
    getMembersBySid: (name, sid, cb) => setImmediate(cb, null, [...set(name, sid)]),
  };
}

stores('H pushes to channels', (ctx) => {
  for (const cache of [true, false]) {
    ours(
      `H01 each user of the union gets one copy, and nobody else (cache: ${cache})`,
      async () => {
        await property(async (steps, isBurst) => {
          await ctx.store.empty();
          const app = createApp();
          const service = await started(ctx.store, { cache }, app);
          await check(service, app, steps, isBurst);
          await call(service, 'stop', true);
        });
      },
    );
  }

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

stores('H pushes with a custom manager', () => {
  ours.redis('H20 each user of the union gets one copy, and nobody else', async () => {
    await property(async (steps, isBurst) => {
      const app = createApp();
      const service = await startedWith(memoryManager(), {}, app);
      app.rpc = (sid, msg, cb) => {
        if (msg.args[2]) msg.args[2] = msg.args[2].map(String);
        process.nextTick(cb, null, []);
      };
      await check(service, app, steps, isBurst);
      await call(service, 'stop', true);
    });
  });
});
