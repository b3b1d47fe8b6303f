'use strict';

/**
 * Contract rows G01–G05, G12–G16: custom managers: which of their methods are called with which arguments, and how their
 * answers are used. Their start, stop and clean are in g-lifecycle.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { createApp, pushed } = require('../support/app');
const { invoke, call, ok } = require('../support/call');
const { create, started, stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { stores, same, ours } = require('../support/rows');

const TIMEOUT = 'ERR_GLOBAL_CHANNEL_TIMEOUT';

describe('G custom managers', () => {
  afterEach(stopAll);

  same('G01 object manager: calls and arguments', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    const answers = [];
    answers.push(await call(service, 'add', 'n', 'u', 's1'));
    answers.push(await call(service, 'leave', 'n', 'u', 's1'));
    answers.push(await call(service, 'getMembersBySid', 'n', 's1'));
    answers.push(await call(service, 'getMembersByChannelName', 'connector', 'n'));
    answers.push(await call(service, 'destroyChannel', 'n'));
    answers.push(await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {}));
    await call(service, 'stop', 'F');
    assert.deepStrictEqual(manager.log, [
      ['start', 'function'],
      ['add', 'n', 'u', 's1', 'function'],
      ['leave', 'n', 'u', 's1', 'function'],
      ['getMembersBySid', 'n', 's1', 'function'],
      ['getMembersBySid', 'n', 's1', 'function'],
      ['getMembersBySid', 'n', 's2', 'function'],
      ['getMembersBySid', 'n', 's3', 'function'],
      ['destroyChannel', 'n', 'function'],
      ['getMembersBySid', 'n', 's1', 'function'],
      ['getMembersBySid', 'n', 's2', 'function'],
      ['getMembersBySid', 'n', 's3', 'function'],
      ['stop', 'F', 'function'],
    ]);
    assert.deepStrictEqual(
      answers.map(({ args }) => args),
      [[null], [null], [null, ['q']], [null, ['q', 'q', 'q']], [null], [null, []]],
    );
  });

  same('G02 the manager is this, and values reach it unchanged', async () => {
    const manager = recordingManager();
    const uids = [5, { id: 1 }, null, undefined, ['a', 2], Symbol('s'), Buffer.from('x'), true];
    const seen = [];
    manager.add = function (name, uid, sid, cb) {
      seen.push([this === manager, name, uid, sid]);
      cb(null);
    };
    const service = await startedWith(manager);
    const name = { channel: 1 };
    const sid = Symbol('sid');
    for (const uid of uids) await ok(service, 'add', name, uid, sid);
    seen.forEach(([self, ...values], i) => {
      assert.ok(self);
      assert.ok(Object.is(values[0], name) && Object.is(values[2], sid));
      assert.ok(Object.is(values[1], uids[i]));
    });
    assert.strictEqual(seen.length, uids.length);
    assert.strictEqual(service.manager, manager);
  });

  same('G02 members come back unchanged, and reach the RPC unchanged', async () => {
    const app = createApp();
    const member = { id: 1 };
    const manager = recordingManager();
    manager.getMembersBySid = (name, sid, cb) => cb(null, sid === 's2' ? [member, 7] : []);
    const service = await startedWith(manager, {}, app);
    const [same1, seven] = await ok(service, 'getMembersBySid', 'n', 's2');
    assert.ok(same1 === member && seven === 7);
    assert.ok((await ok(service, 'getMembersByChannelName', 'connector', 'n'))[0] === member);
    await ok(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    assert.deepStrictEqual(pushed(app), [['s2', [member, 7]]]);
    assert.ok(app.rpcCalls[0].msg.args[2][0] === member);
  });

  ours('G02 exceptChannels that is 0, an empty text or false is a channel', async () => {
    for (const except of [0, '', false]) {
      const app = createApp();
      const manager = recordingManager();
      const lists = new Map([
        ['n', ['u', 'v']],
        [except, ['u']],
      ]);
      manager.getMembersBySid = (name, sid, cb) => cb(null, sid === 's1' ? lists.get(name) : []);
      const service = await startedWith(manager, {}, app);
      const push = (opts) => ok(service, 'pushMessage', 'connector', 'r', {}, 'n', opts);
      await push({ exceptChannels: except });
      await push({ exceptChannels: [except] });
      await push({ exceptChannels: null });
      assert.deepStrictEqual(pushed(app), [
        ['s1', ['v']],
        ['s1', ['v']],
        ['s1', ['u', 'v']],
      ]);
    }
  });

  same('G03 G04 factory: called with app and opts, this is opts, in the constructor', () => {
    const app = createApp();
    const seen = [];
    const manager = recordingManager();
    const opts = {
      channelManager: function (...args) {
        seen.push([args.length, args[0] === app, args[1] === opts, this === opts]);
        return manager;
      },
    };
    const service = create(opts, app);
    assert.deepStrictEqual(seen, [[2, true, true, true]]);
    assert.strictEqual(service.manager, manager);
  });

  same('G03 an arrow function is a factory', async () => {
    const manager = recordingManager();
    const service = await startedWith(() => manager);
    assert.strictEqual(service.manager, manager);
  });

  /** Answers `constructed` as the only member; keeps what it was constructed with. */
  class Manager {
    constructor(...args) {
      this.args = args;
    }
    add(name, uid, sid, cb) {
      cb(null);
    }
    leave(name, uid, sid, cb) {
      cb(null);
    }
    getMembersBySid(name, sid, cb) {
      cb(null, ['constructed']);
    }
    destroyChannel(name, cb) {
      cb(null);
    }
  }
  function OldManager(...args) {
    this.args = args;
  }
  OldManager.prototype = {};
  for (const method of ['add', 'leave', 'getMembersBySid', 'destroyChannel']) {
    OldManager.prototype[method] = Manager.prototype[method];
  }
  class Derived extends Manager {}
  for (const Type of [Manager, OldManager, Derived]) {
    ours(`G04 ${Type.name}, whose prototype has add, is called with new`, async () => {
      const app = createApp();
      const opts = { channelManager: Type };
      const service = create(opts, app);
      assert.ok(service.manager instanceof Type);
      assert.ok(service.manager.args[0] === app && service.manager.args[1] === opts);
      await ok(service, 'start');
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['constructed']);
    });
  }

  ours('G03 a factory that throws, throws from the constructor', () => {
    const thrown = new Error('no manager today');
    const channelManager = () => {
      throw thrown;
    };
    assert.throws(
      () => create({ channelManager }),
      (err) => err === thrown || err.cause === thrown,
    );
  });

  same('G12 a manager that calls back synchronously', async () => {
    const service = await startedWith(recordingManager());
    const results = {};
    for (const [method, ...args] of [
      ['add', 'n', 'u', 's1'],
      ['getMembersByChannelName', 'connector', 'n'],
      ['pushMessage', 'connector', 'onChat', {}, 'n', {}],
    ]) {
      const record = await call(service, method, ...args);
      await new Promise(setImmediate);
      results[method] = [...record.args, record.n];
    }
    assert.deepStrictEqual(results, {
      add: [null, 1],
      getMembersByChannelName: [null, ['q', 'q', 'q'], 1],
      pushMessage: [null, [], 1],
    });
  });

  same('G13 an error of the manager is passed on unchanged', async () => {
    const error = new Error('of its own');
    const manager = recordingManager();
    manager.add = (name, uid, sid, cb) => setImmediate(cb, error);
    manager.getMembersBySid = (name, sid, cb) => cb(error);
    const service = await startedWith(manager);
    assert.ok((await call(service, 'add', 'n', 'u', 's1')).err === error);
    assert.ok((await call(service, 'getMembersBySid', 'n', 's1')).err === error);
    assert.ok((await call(service, 'getMembersByChannelName', 'connector', 'n')).err === error);
  });

  ours('G13 an error that is not an Error, and one on pushMessage', async () => {
    const manager = recordingManager();
    manager.add = (name, uid, sid, cb) => cb('text');
    manager.getMembersBySid = (name, sid, cb) => cb('text');
    const service = await startedWith(manager);
    assert.strictEqual((await call(service, 'add', 'n', 'u', 's1')).err, 'text');
    const push = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    assert.deepStrictEqual(push.args, ['text']);
  });

  ours('G14 extra arguments are passed on, the callback is called once', async () => {
    const manager = recordingManager();
    manager.add = (name, uid, sid, cb) => {
      cb(null, 'extra', 2);
      cb(new Error('again'));
      setImmediate(cb, null);
    };
    const service = await startedWith(manager);
    const record = await call(service, 'add', 'n', 'u', 's1');
    await ok(service, 'leave', 'n', 'u', 's1');
    await new Promise(setImmediate);
    assert.deepStrictEqual([record.args, record.n], [[null, 'extra', 2], 1]);
  });

  ours('G15 without a callback of the user the manager gets a function too', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    service.add('n', 'u', 's1');
    service.leave('n', 'u', 's1', 'no function');
    service.getMembersBySid('n', 's1');
    service.destroyChannel('n');
    await ok(service, 'leave', 'n', 'last', 's1');
    assert.deepStrictEqual(
      manager.log.map((entry) => entry[entry.length - 1]),
      manager.log.map(() => 'function'),
    );
    assert.strictEqual(manager.log.length, 6);
  });

  ours('G a manager that throws synchronously answers its call with that error', async () => {
    const thrown = new Error('thrown');
    const manager = recordingManager();
    manager.add = () => {
      throw thrown;
    };
    manager.getMembersBySid = manager.add;
    const service = await startedWith(manager);
    for (const args of [
      ['add', 'n', 'u', 's1'],
      ['getMembersBySid', 'n', 's1'],
      ['getMembersByChannelName', 'connector', 'n'],
      ['pushMessage', 'connector', 'onChat', {}, 'n', {}],
    ]) {
      const record = await call(service, ...args);
      assert.ok(record.err === thrown, args[0]);
    }
    await ok(service, 'leave', 'n', 'u', 's1');
  });

  ours(
    'G a manager that never answers: TIMEOUT after commandTimeout, late answer ignored',
    async () => {
      let late;
      const manager = recordingManager();
      manager.add = (name, uid, sid, cb) => (late = cb);
      const service = await startedWith(manager, { commandTimeout: 200 });
      const record = await call(service, 'add', 'n', 'u', 's1');
      assert.strictEqual(record.err.code, TIMEOUT);
      assert.ok(record.ms >= 180 && record.ms < 4500, `${record.ms} ms`);
      late(null);
      await ok(service, 'leave', 'n', 'u', 's1');
      assert.strictEqual(record.n, 1);
    },
  );

  ours('G answers of a manager are released in call order', async () => {
    const waiting = [];
    const manager = recordingManager();
    manager.add = (name, uid, sid, cb) => waiting.push(cb);
    const service = await startedWith(manager);
    const order = [];
    const records = [0, 1, 2, 3].map((i) => {
      const record = invoke(service, 'add', 'n', i, 's1');
      record.done.then(() => order.push(i));
      return record;
    });
    while (waiting.length < 4) await new Promise(setImmediate);
    [3, 1, 0, 2].forEach((i) => waiting[i](null));
    await Promise.all(records.map((record) => record.done));
    assert.deepStrictEqual(order, [0, 1, 2, 3]);
  });
});

stores('G custom managers and the store', (ctx) => {
  same('G05 a factory that returns nothing: the store is used', async () => {
    const service = await started(ctx.store, { channelManager: () => {} });
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:n:s1']);
  });

  same('G16 with a custom manager the store is not used', async () => {
    const service = await started(ctx.store, { channelManager: recordingManager() });
    await ok(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(await ctx.store.users(), 0);
  });
});
