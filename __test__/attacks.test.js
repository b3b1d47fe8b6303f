'use strict';

/**
 * Hostile or careless callers, case by case: each case was once a lost callback, a hang or a crash. Faults of the
 * store and the network are tested in faults/, wrong options in contract/.
 */

const assert = require('node:assert');
const child = require('./support/child');
const { createApp } = require('./support/app');
const { invoke, call, ok } = require('./support/call');
const { plugin, create, started } = require('./support/service');
const { stores, ours } = require('./support/rows');

const busy = (ms) => {
  for (const end = Date.now() + ms; Date.now() < end;);
};

stores('Attacks: arguments', (ctx) => {
  ours('an array of 2^32 - 1 holes as uids is refused and does not end the process', async () => {
    const service = await started(ctx.store);
    const holes = [];
    holes.length = 2 ** 32 - 1;
    const { err } = await call(service, 'add', 'n', holes, 's1');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT');
  });

  // The driver must not be asked for something after it has ended.
  for (const where of ['the look-up of servers', 'a getter in the uids']) {
    ours(`stop called by ${where}: the call and the stop are both answered`, async () => {
      const app = createApp();
      const service = await started(ctx.store, {}, app);
      const stop = {};
      const stopHere = () => {
        stop.record = stop.record || invoke(service, 'stop', true);
        busy(50);
      };
      const uids = ['a', 'b'];
      Object.defineProperty(uids, 0, { get: () => (stopHere(), 'a') });
      const getServersByType = app.getServersByType;
      app.getServersByType = (type) => (stopHere(), getServersByType(type));
      const record = where.startsWith('a getter')
        ? await call(service, 'add', 'n', uids, 's1')
        : await call(service, 'getMembersByChannelName', 'connector', 'n');
      assert.strictEqual(record.err.code, 'ERR_GLOBAL_CHANNEL_INVALID_STATE');
      assert.strictEqual((await stop.record.done).n, 1);
    });
  }

  ours('stop(function, callback): the callback is the last argument', async () => {
    const service = await started(ctx.store);
    assert.strictEqual((await call(service, 'stop', () => {})).argc, 0);
  });

  ours('the class called without new throws and leaves the global object alone', () => {
    const { GlobalChannel } = plugin();
    assert.throws(() => GlobalChannel(createApp(), { password: 'hush' }), TypeError);
    assert.strictEqual(globalThis.opts, undefined);
  });
});

stores('Attacks: order and turns', (ctx) => {
  ours('clean answers in call order', async () => {
    const service = await started(ctx.store);
    const order = [];
    const calls = [
      ...Array.from({ length: 1500 }, (_, i) => ['add', 'n', i, 's1']),
      ['clean'],
      ['getMembersBySid', 'n', 's1'],
    ];
    const done = calls.map(([method, ...args], i) =>
      call(service, method, ...args).then(({ err, value }) => order.push([i, err, value])),
    );
    await Promise.all(done);
    assert.deepStrictEqual(
      order.map(([i]) => i),
      calls.map((_, i) => i),
    );
    assert.deepStrictEqual(order.pop().slice(1), [null, []]);
  });

  ours('many answers at once do not block the event loop', async () => {
    const service = await started(ctx.store);
    let inThisTurn = 0;
    let most = 0;
    let answered = 0;
    const count = 20000;
    const turn = () => {
      inThisTurn = 0;
      if (answered < count) setImmediate(turn);
    };
    await new Promise((resolve) => {
      for (let i = 0; i < count; i += 1) {
        service.add('n', 'u', 's1', () => {
          inThisTurn += 1;
          most = Math.max(most, inThisTurn);
          answered += 1;
          if (answered === count) resolve();
        });
      }
      setImmediate(turn);
      // All answers are there before the first is taken.
      busy(300);
    });
    assert.ok(most <= 2048, `${most} callbacks in one turn`);
  });

  ours('a started service without references keeps its process alive', async () => {
    const body = async ({ opts, createApp, emit }) => {
      const { GlobalChannel } = require(process.cwd());
      await new Promise((resolve) => {
        new GlobalChannel(createApp(), opts).start(resolve);
      });
      for (let i = 0; i < 5; i += 1) {
        global.gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      process.on('beforeExit', () => emit('nothing left to do'));
      emit('collected');
    };
    const options = { store: ctx.store, nodeArgs: ['--expose-gc'] };
    const result = child.start(body, options);
    await result.message('collected');
    await ctx.store.untilUsers(1);
    assert.deepStrictEqual(result.messages, ['collected'], result.output);
    result.child.kill('SIGKILL');
    await result.closed;
  });
});

stores('Attacks: what the app gives', (ctx) => {
  const circular = { code: 1 };
  circular.self = circular;
  const unprintable = Object.defineProperty({}, 'stack', {
    get: () => {
      throw new Error('stack');
    },
  });

  for (const [what, error] of [
    ['a circular object', circular],
    ['a bigint', 5n],
    ['a symbol', Symbol('x')],
    ['an object that cannot be shown', unprintable],
  ]) {
    ours(`an RPC error that is ${what}: the push is answered`, async () => {
      const app = createApp({ rpc: (sid, msg, cb) => cb(error) });
      const service = await started(ctx.store, { pushTimeout: 500 }, app);
      await ok(service, 'add', 'n', 'u', 's1');
      const { args } = await call(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
      assert.deepStrictEqual(args, [null, ['u']]);
    });
  }

  ours('a logger that throws does not lose a callback', async () => {
    const original = console.error;
    const app = createApp({ rpc: (sid, msg, cb) => cb(new Error('no')) });
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'n', 'u', 's1');
    console.error = () => {
      throw new Error('log');
    };
    try {
      const { args } = await call(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
      assert.deepStrictEqual(args, [null, ['u']]);
    } finally {
      console.error = original;
    }
  });

  ours('a manager whose start, stop or clean never answers, or throws when read', async () => {
    const silent = { add() {}, start: (cb) => cb(), clean() {}, stop() {} };
    const opts = { startTimeout: 200, commandTimeout: 0 };
    const service = create({ ...opts, channelManager: silent, cleanOnStartUp: true });
    const { err } = await call(service, 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    const stop = await call(service, 'stop', true);
    assert.ok(stop.ms < 4500, `${stop.ms} ms`);

    const broken = { add() {} };
    for (const method of ['start', 'stop']) {
      Object.defineProperty(broken, method, {
        get: () => {
          throw new Error(method);
        },
      });
    }
    const other = create({ ...opts, channelManager: broken });
    for (let i = 0; i < 2; i += 1) {
      assert.strictEqual((await call(other, 'start')).err.message, 'start');
    }
    assert.strictEqual((await call(other, 'stop', true)).n, 1);
  });
});
