'use strict';

/**
 * How a custom manager may answer: by a callback, by a promise, or by both; with which values; and what a missing answer
 * is reported as. Which of its methods are called is in g-managers.test.js, start, stop and clean in g-lifecycle.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { createApp, pushed } = require('../support/app');
const { call, ok, settled } = require('../support/call');
const { logged } = require('../support/log');
const { recordingManager, startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { create, stopAll } = require('../support/service');

const later = (ms = 5) => new Promise((resolve) => setTimeout(resolve, ms));

/** As one over a database with promises: no method takes a callback. */
class AsyncManager {
  constructor() {
    this.lists = new Map();
    this.log = [];
  }
  list(name, sid) {
    const key = `${name}:${sid}`;
    if (!this.lists.has(key)) this.lists.set(key, new Set());
    return this.lists.get(key);
  }
  async start() {
    await later();
    this.log.push('start');
  }
  async stop(force) {
    this.log.push(`stop ${force}`);
  }
  async clean() {
    await later();
    this.lists.clear();
    return { deleted: 3 };
  }
  async add(name, uid, sid) {
    await later();
    this.list(name, sid).add(uid);
    return { acknowledged: true };
  }
  async leave(name, uid, sid) {
    this.list(name, sid).delete(uid);
  }
  async getMembersBySid(name, sid) {
    await later();
    return [...this.list(name, sid)];
  }
  async getCountBySid(name, sid) {
    return this.list(name, sid).size;
  }
  async destroyChannel(name) {
    for (const key of this.lists.keys()) if (key.startsWith(`${name}:`)) this.lists.delete(key);
  }
}

/** An object that is no promise, but has its method: as a query that runs when it is awaited. */
// oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
const thenable = (then) => ({ then });

const push = (service) => call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});

describe('G a manager with async methods', () => {
  afterEach(stopAll);

  ours('every method is awaited, and answers as one with callbacks', async () => {
    const app = createApp();
    const service = create({ channelManager: AsyncManager, cleanOnStartUp: true }, app);
    await ok(service, 'start');
    const add = await call(service, 'add', 'n', 'u', 's1');
    // What a write resolves to is not for the app.
    assert.deepStrictEqual(add.args, [null]);
    await ok(service, 'add', 'n', 'v', 's2');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 1);
    const all = await ok(service, 'getMembersByChannelName', 'connector', 'n');
    assert.deepStrictEqual(all, ['u', 'v']);
    assert.deepStrictEqual((await push(service)).args, [null, []]);
    assert.deepStrictEqual(pushed(app), [
      ['s1', ['u']],
      ['s2', ['v']],
    ]);
    assert.deepStrictEqual((await call(service, 'leave', 'n', 'u', 's1')).args, [null]);
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 0);
    await ok(service, 'destroyChannel', 'n');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's2'), []);
    await ok(service, 'clean');
    await call(service, 'stop', true);
    assert.deepStrictEqual(service.manager.log, ['start', 'stop true']);
  });

  ours('what rejects is the error of the call; without a reason it names the method', async () => {
    const error = new Error('no primary');
    const fail = async () => {
      throw error;
    };
    const manager = Object.assign(new AsyncManager(), {
      add: fail,
      getMembersBySid: fail,
      leave: () => Promise.reject(),
    });
    const service = await startedWith(manager);
    assert.strictEqual((await call(service, 'add', 'n', 'u', 's1')).err, error);
    assert.strictEqual((await call(service, 'getMembersBySid', 'n', 's1')).err, error);
    assert.strictEqual((await push(service)).err, error);
    const { err } = await call(service, 'leave', 'n', 'u', 's1');
    assert.strictEqual(err.message, 'channelManager.leave was rejected');
  });

  ours('a start that rejects fails with its error', async () => {
    const error = new Error('no primary');
    const manager = Object.assign(new AsyncManager(), { start: () => Promise.reject(error) });
    const record = await call(create({ channelManager: manager }), 'start');
    assert.deepStrictEqual([record.err, record.n], [error, 1]);
  });

  ours('a thenable of another kind is awaited where the method takes no callback', async () => {
    const manager = new AsyncManager();
    let runs = 0;
    manager.getMembersBySid = (name, sid) =>
      thenable((resolve) => {
        runs += 1;
        resolve([`${name} ${sid}`]);
      });
    const service = await startedWith(manager);
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['n s1']);
    assert.strictEqual(runs, 1);
  });

  // As those of query builders, which run the query a second time.
  ours('a thenable is left alone where the method takes the callback', async () => {
    const manager = recordingManager();
    manager.getMembersBySid = (name, sid, cb) => {
      setTimeout(cb, 5, null, ['by callback']);
      return thenable(() => assert.fail('the query ran twice'));
    };
    const service = await startedWith(manager);
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['by callback']);
  });

  ours('callback and promise: the first one counts, once', async () => {
    const manager = recordingManager();
    const late = new Error('late');
    const waiting = [];
    Object.assign(manager, {
      add: (name, uid, sid, cb) => {
        cb(null);
        return Promise.reject(late);
      },
      leave: (name, uid, sid, cb) => {
        waiting.push(cb);
        return Promise.reject(late);
      },
      getMembersBySid: (name, sid, cb) => {
        waiting.push(cb);
        return Promise.resolve(['by promise']);
      },
    });
    const service = await startedWith(manager);
    const lines = await logged(async () => {
      const add = await call(service, 'add', 'n', 'u', 's1');
      const leave = await call(service, 'leave', 'n', 'u', 's1');
      const get = await call(service, 'getMembersBySid', 'n', 's1');
      assert.deepStrictEqual([add.err, leave.err, get.value], [null, late, ['by promise']]);
      for (const cb of waiting) cb(null, ['by callback']);
      await settled(service);
      assert.deepStrictEqual([add.n, leave.n, get.n], [1, 1, 1]);
    });
    assert.match(lines.join('\n'), /channelManager\.add was rejected after its answer: .*late/);
  });

  // Such a manager works with 0.0.7: its promise is resolved before it calls back.
  ours('an async method that calls back later is waited for', async () => {
    const error = new Error('of the callback');
    const manager = recordingManager();
    manager.getMembersBySid = async (name, sid, cb) => {
      setTimeout(cb, 20, null, ['by callback']);
    };
    manager.add = async (name, uid, sid, cb) => {
      setTimeout(cb, 20, error);
    };
    const service = await startedWith(manager);
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['by callback']);
    assert.strictEqual((await call(service, 'add', 'n', 'u', 's1')).err, error);
  });
});

describe('G what a manager answers', () => {
  afterEach(stopAll);

  const NO_LISTS = {
    'a Set': new Set(['u']),
    'a Map': new Map([['u', 1]]),
    'an object that is no array': { 0: 'u', length: 1 },
    'a Uint8Array': Uint8Array.of(1),
    'a value of type string': 'u',
    'the number 5': 5,
  };
  for (const [what, value] of Object.entries(NO_LISTS)) {
    for (const how of ['callback', 'promise']) {
      ours(
        `${what} in the place of a list is an error that names the method (${how})`,
        async () => {
          const app = createApp();
          const manager = recordingManager();
          manager.getMembersBySid =
            how === 'callback' ? (name, sid, cb) => cb(null, value) : () => Promise.resolve(value);
          const service = await startedWith(manager, {}, app);
          for (const record of [
            await call(service, 'getMembersBySid', 'n', 's1'),
            await call(service, 'getCountBySid', 'n', 's1'),
            await call(service, 'getMembersByChannelName', 'connector', 'n'),
            await push(service),
          ]) {
            assert.strictEqual(
              record.err.message,
              `channelManager.getMembersBySid answered with ${what}; accepted is an array`,
            );
            assert.deepStrictEqual([record.err.code, record.n], ['ERR_GLOBAL_CHANNEL_STORE', 1]);
          }
          assert.deepStrictEqual(app.rpcCalls, []);
        },
      );
    }
  }

  ours('a list that throws when it is read: every call is answered', async () => {
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    const manager = recordingManager();
    manager.getMembersBySid = (name, sid, cb) => cb(null, proxy);
    const service = await startedWith(manager);
    for (const record of [
      await call(service, 'getCountBySid', 'n', 's1'),
      await call(service, 'getMembersByChannelName', 'connector', 'n'),
      await push(service),
    ]) {
      assert.ok(record.err instanceof Error);
    }
  });

  ours('one wrong list of several: the other frontends get the push', async () => {
    const app = createApp();
    const manager = recordingManager();
    manager.getMembersBySid = (name, sid, cb) => cb(null, sid === 's2' ? new Set(['u']) : [sid]);
    const service = await startedWith(manager, {}, app);
    assert.deepStrictEqual((await push(service)).args, [null, []]);
    assert.deepStrictEqual(pushed(app), [
      ['s1', ['s1']],
      ['s3', ['s3']],
    ]);
  });

  for (const none of [undefined, null]) {
    ours(`${none} in the place of a list means no members, as in 0.0.7`, async () => {
      const manager = recordingManager();
      manager.getMembersBySid = (name, sid, cb) => cb(null, none);
      const service = await startedWith(manager);
      assert.deepStrictEqual((await call(service, 'getMembersBySid', 'n', 's1')).args, [
        null,
        none,
      ]);
      const all = await call(service, 'getMembersByChannelName', 'connector', 'n');
      assert.deepStrictEqual(all.args, [null, []]);
      assert.deepStrictEqual((await push(service)).args, [null, []]);
      assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 0);
    });
  }

  for (const [what, value] of [
    ['a value of type string', '5'],
    ['a value of type undefined', undefined],
    ['the number -1', -1],
    ['the number 1.5', 1.5],
    ['the number NaN', NaN],
    ['an Array', [1, 2]],
  ]) {
    ours(`${what} in the place of a count is an error that names the method`, async () => {
      const manager = { ...recordingManager(), getCountBySid: (name, sid, cb) => cb(null, value) };
      const service = await startedWith(manager);
      const { err, argc } = await call(service, 'getCountBySid', 'n', 's1');
      assert.strictEqual(
        err.message,
        `channelManager.getCountBySid answered with ${what}; accepted is a whole number`,
      );
      assert.deepStrictEqual([err.code, argc], ['ERR_GLOBAL_CHANNEL_STORE', 2]);
    });
  }

  ours('a count is passed on', async () => {
    const manager = { ...recordingManager(), getCountBySid: (name, sid, cb) => cb(null, 7) };
    assert.strictEqual(await ok(await startedWith(manager), 'getCountBySid', 'n', 's1'), 7);
  });
});

describe('G a manager that does not answer', () => {
  afterEach(stopAll);

  ours('the error names the method and the time', async () => {
    const silent = () => {};
    const manager = { ...recordingManager(), add: silent, getMembersBySid: silent };
    const service = await startedWith(manager, { commandTimeout: 100 });
    for (const [method, ...args] of [
      ['add', 'add', 'n', 'u', 's1'],
      ['getMembersBySid', 'getMembersBySid', 'n', 's1'],
      ['getMembersBySid', 'getCountBySid', 'n', 's1'],
      ['getMembersBySid', 'getMembersByChannelName', 'connector', 'n'],
      ['getMembersBySid', 'pushMessage', 'connector', 'onChat', {}, 'n', {}],
    ]) {
      const { err } = await call(service, ...args);
      assert.deepStrictEqual(
        [err.code, err.message],
        [
          'ERR_GLOBAL_CHANNEL_TIMEOUT',
          `channelManager.${method} did not call back within 100 ms (commandTimeout)`,
        ],
      );
    }
  });

  for (const method of ['start', 'clean']) {
    ours(`so does that of ${method}`, async () => {
      const manager = { ...recordingManager(), [method]: () => new Promise(() => {}) };
      const opts = { channelManager: manager, cleanOnStartUp: true, startTimeout: 100 };
      const { err } = await call(create(opts), 'start');
      assert.deepStrictEqual(
        [err.code, err.message],
        [
          'ERR_GLOBAL_CHANNEL_UNREACHABLE',
          `cannot reach the channel manager: channelManager.${method} did not call back within 100 ms (startTimeout)`,
        ],
      );
    });
  }
});
