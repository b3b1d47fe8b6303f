'use strict';

/**
 * A service that is not called directly: behind a Proxy, or as the prototype of another object, as tracing wrappers,
 * containers and mocks do it. Everything works as on the service itself, and passes through the wrapper.
 */

const assert = require('node:assert');
const { inspect } = require('util');
const { createApp, pushed } = require('./support/app');
const { call, ok, METHODS, OTHERS, ONLINE, INDEXED } = require('./support/call');
const { recordingManager } = require('./support/manager');
const { create, factory, optionsOf, plugin } = require('./support/service');
const { stores, same, ours } = require('./support/rows');

/** Wraps what it returns too, all but primitives, with a target that is not the object itself. */
function membrane(target) {
  const isObject = (value) => ['object', 'function'].includes(typeof value) && value !== null;
  const wrap = (value, self) => {
    if (typeof value !== 'function') return isObject(value) ? membrane(value) : value;
    return (...args) => value.apply(self, args);
  };
  const shadow = Object.create(Object.getPrototypeOf(target));
  return new Proxy(shadow, {
    get: (_, key, receiver) => wrap(Reflect.get(target, key, receiver), receiver),
  });
}

/** A wrapper that notes the methods that are called. */
function tracer(service, calls = []) {
  const get = (target, key, receiver) => {
    const value = Reflect.get(target, key, receiver);
    if (typeof value !== 'function') return value;
    return function (...args) {
      calls.push(key);
      return value.apply(this, args);
    };
  };
  return new Proxy(service, { get });
}

const WRAPPERS = {
  'a Proxy': (service) => new Proxy(service, {}),
  'a Proxy of a Proxy': (service) => new Proxy(new Proxy(service, {}), {}),
  'a tracing Proxy': (service) => tracer(service),
  'an heir': (service) => Object.create(service),
  'an heir of a Proxy': (service) => Object.create(new Proxy(service, {})),
};

/** These have their own idea of what `service.app` and the like are, and 0.0.7 works with it by chance. */
const STRANGE = { 'a membrane': membrane };

stores('A service behind', (ctx) => {
  const make = (wrap, opts, app) => wrap(create({ ...optionsOf(ctx.store), ...opts }, app));

  async function works(wrapped, app) {
    await ok(wrapped, 'start');
    assert.strictEqual(wrapped.state, 1);
    await ok(wrapped, 'add', 'n', ['u', 'v'], 's1');
    await ok(wrapped, 'leave', 'n', 'v', 's1');
    assert.deepStrictEqual(await ok(wrapped, 'getMembersBySid', 'n', 's1'), ['u']);
    assert.deepStrictEqual(await ok(wrapped, 'getMembersByChannelName', 'connector', 'n'), ['u']);
    assert.deepStrictEqual(await ok(wrapped, 'pushMessage', 'connector', 'r', {}, 'n', {}), []);
    assert.deepStrictEqual(pushed(app), [['s1', ['u']]]);
    await ok(wrapped, 'destroyChannel', 'n');
    assert.deepStrictEqual(await ctx.store.keys(), []);
    const { args } = await call(wrapped, 'stop', true);
    assert.deepStrictEqual([args, wrapped.state], [[], 2]);
  }

  for (const [title, wrap] of Object.entries(WRAPPERS)) {
    same(`${title}: start, all methods of 0.0.7, stop`, async () => {
      const app = createApp();
      await works(make(wrap, {}, app), app);
    });
  }

  for (const [title, wrap] of Object.entries({ ...WRAPPERS, ...STRANGE })) {
    ours(
      `${title}: every method, with a callback and as a promise; stats, state, inspect`,
      async () => {
        const app = createApp();
        const wrapped = make(wrap, { membership: 'session' }, app);
        assert.strictEqual(wrapped.state, 0);
        await wrapped.promises.start();
        assert.strictEqual(wrapped.state, 1);
        const all = { ...METHODS, ...OTHERS, ...ONLINE, ...INDEXED, getChannels: [{}], clean: [] };
        for (const [method, args] of Object.entries(all)) {
          await ok(wrapped, method, ...args);
          await wrapped.promises[method](...args);
        }
        const { connection, commands } = wrapped.stats();
        assert.strictEqual(connection, 'connected');
        for (const [method, count] of Object.entries(commands))
          assert.strictEqual(count, 2, method);
        assert.match(inspect(wrapped), /GlobalChannel/);
        JSON.stringify(wrapped);
        assert.ok(wrapped instanceof plugin().GlobalChannel);
        const refused = await call(wrapped, 'start');
        assert.strictEqual(refused.err.code, 'ERR_GLOBAL_CHANNEL_INVALID_STATE');
        await wrapped.promises.stop(true);
        assert.strictEqual(wrapped.state, 2);
      },
    );
  }

  ours('a tracing Proxy sees the calls of promises too', async () => {
    const calls = [];
    const wrapped = make((service) => tracer(service, calls));
    await wrapped.promises.start();
    await wrapped.promises.add('n', 'u', 's1');
    assert.deepStrictEqual(calls, ['start', 'add']);
  });

  ours('a mock that replaces one method and inherits the others', async () => {
    const service = make((each) => each);
    await ok(service, 'start');
    const mock = Object.create(service, {
      add: { value: (name, ...rest) => service.add(`mocked-${name}`, ...rest) },
    });
    await ok(mock, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await ok(mock, 'getMembersBySid', 'mocked-n', 's1'), ['u']);
  });

  ours('a custom manager behind a wrapped service', async () => {
    const manager = recordingManager();
    for (const wrap of Object.values({ ...WRAPPERS, ...STRANGE })) {
      const wrapped = wrap(create({ channelManager: manager }));
      await ok(wrapped, 'start');
      assert.deepStrictEqual(await ok(wrapped, 'getMembersBySid', 'n', 's1'), ['q']);
      await call(wrapped, 'stop', true);
    }
  });

  ours('app.use finds the service that the app has put behind a Proxy', async () => {
    const app = createApp();
    const wrapped = make((service) => new Proxy(service, {}), {}, app);
    app.set('globalChannelService', wrapped);
    assert.strictEqual(factory()(app, optionsOf(ctx.store)), wrapped);
  });

  ours('a subclass, also behind a Proxy', async () => {
    const app = createApp();
    class Mine extends plugin().GlobalChannel {
      add(name, ...rest) {
        super.add(`mine-${name}`, ...rest);
      }
    }
    const mine = new Mine(app, optionsOf(ctx.store));
    const wrapped = new Proxy(mine, {});
    await ok(wrapped, 'start');
    await ok(wrapped, 'add', 'n', 'u', 's1');
    await ok(mine, 'add', 'n', 'v', 's1');
    const members = await ok(wrapped, 'getMembersBySid', 'mine-n', 's1');
    assert.deepStrictEqual(members.sort(), ['u', 'v']);
    await call(mine, 'stop', true);
  });

  ours('what is no service is a TypeError still, and a throwing trap is heard', async () => {
    const { GlobalChannel } = plugin();
    const { add } = GlobalChannel.prototype;
    for (const other of [
      undefined,
      null,
      7,
      {},
      new Proxy({}, {}),
      GlobalChannel.prototype,
      globalThis,
    ]) {
      assert.throws(() => add.call(other, 'n', 'u', 's1'), TypeError);
    }
    const trap = new Error('a trap');
    const get = () => {
      throw trap;
    };
    const service = make((each) => each);
    assert.throws(() => add.call(new Proxy(service, { get }), 'n', 'u', 's1'), trap);
  });
});
