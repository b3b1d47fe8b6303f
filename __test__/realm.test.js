'use strict';

/**
 * The package in a realm of its own, as in Jest: what it throws, answers and returns belongs to that realm, so that
 * `instanceof` and comparisons of prototypes hold in the app's code.
 */

const assert = require('node:assert');
const path = require('path');
const { createApp } = require('./support/app');
const { METHODS, call } = require('./support/call');
const { createRealm } = require('./support/realm');
const { optionsOf, ROOTS } = require('./support/service');
const { stores, ours, IMPL } = require('./support/rows');

/** One for all: where several realms load the package, the last one counts. */
const realm = createRealm();

stores('a realm of its own', (ctx) => {
  const { GlobalChannel } = IMPL === 'old' ? {} : realm.load(path.join(ROOTS.ours, 'index.js'));
  const { Error: LocalError, TypeError: LocalTypeError } = realm.run('{ Error, TypeError }');
  const create = (opts, app = createApp()) => new GlobalChannel(app, opts);

  /** Runs `use` with a started service, which is stopped whatever becomes of it. */
  async function withService(opts, use, app) {
    const service = create({ ...optionsOf(ctx.store), ...opts }, app);
    try {
      await service.promises.start();
      await use(service);
    } finally {
      await call(service, 'stop', true);
    }
  }

  /** Checks an error and its causes. */
  function isLocal(err, what) {
    assert.ok(err instanceof LocalError, `${what}: an Error of the realm`);
    assert.ok(!(err instanceof Error), `${what}: no Error of the main realm`);
    if (err.cause !== undefined) isLocal(err.cause, `the cause of ${what}`);
  }

  ours('errors of calls before start, in callbacks and promises', async () => {
    const service = create(optionsOf(ctx.store));
    for (const [method, args] of Object.entries(METHODS)) {
      const { err } = await call(service, method, ...args);
      isLocal(err, method);
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_STATE');
      await assert.rejects(service.promises[method](...args), (rejected) => {
        isLocal(rejected, `${method} as a promise`);
        return true;
      });
    }
  });

  ours('errors of arguments', async () => {
    await withService({}, async (service) => {
      isLocal((await call(service, 'add', 'n', undefined, 's1')).err, 'an argument');
    });
  });

  ours.redis('errors that the store gives, also with a cause', async () => {
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:n:s1', 'x');
    await withService({}, async (service) => {
      isLocal((await call(service, 'getMembersBySid', 'n', 's1')).err, 'WRONGTYPE');
    });
    const service = create({ port: 1, startTimeout: 300 });
    const { err } = await call(service, 'start');
    isLocal(err, 'a start without a server');
    assert.ok(err.cause, 'a start without a server has a cause');
  });

  ours('errors that the constructors throw', () => {
    const local = (err) => {
      isLocal(err, 'an option');
      return err.code === 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';
    };
    assert.throws(() => create({ port: 'x y' }), local);
    assert.throws(() => create({ channelManager: {} }), local);
    assert.throws(() => create(5), local);
    const { FanOutPushScheduler } = realm.load(path.join(ROOTS.ours, 'index.js'));
    assert.throws(() => new FanOutPushScheduler(createApp(), { onSlow: 'wait' }), local);
  });

  ours('the TypeErrors that are thrown at once', () => {
    const { add, stats } = create({});
    for (const detached of [add, stats, () => GlobalChannel(createApp())]) {
      assert.throws(detached, (err) => err instanceof LocalTypeError);
    }
  });

  ours('errors of pushes, made in JavaScript', async () => {
    const app = createApp({ rpc: (sid, msg, cb) => cb(new Error('down')) });
    await withService(
      {},
      async (service) => {
        await service.promises.add('n', 'u', 's1');
        app.getServersByType = () => [{ id: 's1' }];
        const { err } = await call(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
        assert.ok(err instanceof LocalError);
        assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_PUSH_FAILED');
      },
      app,
    );
  });

  ours('lists, figures and descriptions', async () => {
    const { Array: LocalArray, Object: LocalObject } = realm.run('{ Array, Object }');
    const plain = (value, what) =>
      assert.strictEqual(Object.getPrototypeOf(value), LocalObject.prototype, what);
    await withService({}, async (service) => {
      await service.promises.add('n', 'u', 's1');
      const lists = [
        await service.promises.getMembersBySid('n', 's1'),
        await service.promises.getMembersByChannelName('connector', 'n'),
        await service.promises.getMembersByChannelName('no such type', 'n'),
        await service.promises.pushMessage('connector', 'r', {}, 'none'),
        await service.promises.pushMessage('no such type', 'r', {}, 'none'),
      ];
      for (const list of lists) assert.ok(list instanceof LocalArray);
      const stats = service.stats();
      const { commands, errors, cache, latency, fanOut } = stats;
      for (const each of [stats, commands, errors, cache, latency, fanOut]) plain(each, 'stats');
      plain(service.manager, 'manager');
    });
    plain(create().opts, 'opts that were not given');
  });
});
