'use strict';

/**
 * A pushing server that is itself a frontend: its own members get the push without an RPC, with the answers, the order
 * and the copies that an RPC would give. In a real cluster: pomelo-cluster/lists.test.js.
 */

const assert = require('node:assert');
const { EventEmitter } = require('events');
const { describe, afterEach } = require('node:test');
const { createApp, pushed } = require('./support/app');
const { call, invoke } = require('./support/call');
const { startedWith } = require('./support/manager');
const { ours } = require('./support/rows');
const { stopAll } = require('./support/service');

const LISTS = { n: { s1: ['a', 'b'], s2: ['c'] }, own: { s1: ['a'] } };
const manager = {
  add() {},
  leave() {},
  destroyChannel() {},
  getMembersBySid: (name, sid, cb) => cb(null, (LISTS[name] || {})[sid] || []),
};

/** How the frameworks' remote is there to be found. */
const PLACES = {
  'as a remote': (channelRemote) => ({
    ['__remote__']: { remote: { services: { sys: { channelRemote } } } },
  }),
  'in the channel service': (channelRemote) => ({ ['__channel__']: { channelRemote } }),
};

describe('A push to the own sessions', () => {
  let app;
  let service;
  /** What the own remote was called with. */
  let given;

  afterEach(stopAll);

  async function start({
    style = 'pomelo',
    place = 'as a remote',
    answer = () => [],
    options,
  } = {}) {
    given = [];
    const pushMessage = (route, msg, uids, opts) => {
      given.push({ route, msg, uids: uids.slice(), opts });
      return answer(uids);
    };
    const channelRemote = {
      pushMessage:
        style === 'pinus'
          ? async (...args) => pushMessage(...args)
          : (...args) => args[4](null, pushMessage(...args)),
    };
    app = Object.assign(createApp(), { serverId: 's1', event: new EventEmitter() });
    app.components = PLACES[place](channelRemote);
    service = await startedWith(manager, options, app);
  }
  const push = (name, msg = { t: 1 }, opts = {}) =>
    call(service, 'pushMessage', 'connector', 'onChat', msg, name, opts);

  for (const style of ['pomelo', 'pinus']) {
    for (const place of Object.keys(PLACES)) {
      ours(`no RPC to itself (${style}, its remote found ${place})`, async () => {
        await start({ style, place });
        const msg = { t: 1 };
        const { args, sync } = await push('n', msg, { filter: 'x' });
        assert.deepStrictEqual([args, sync], [[null, []], false]);
        assert.deepStrictEqual(pushed(app), [['s2', ['c']]]);
        const options = { type: 'push', userOptions: { filter: 'x' }, isPush: true };
        assert.deepStrictEqual(given, [{ route: 'onChat', msg, uids: ['a', 'b'], opts: options }]);
        assert.strictEqual(given[0].msg, msg);
      });
    }

    ours(`failed uids, in server order (${style})`, async () => {
      await start({ style, answer: () => ['b'] });
      app.rpc = (sid, msg, cb) => cb(null, ['c']);
      assert.deepStrictEqual((await push('n')).args, [null, ['b', 'c']]);
    });

    ours(`an error and a throw of the remote are that frontend’s failure (${style})`, async () => {
      const error = new Error('can not send empty message.');
      await start({
        style,
        answer: () => {
          throw error;
        },
      });
      assert.deepStrictEqual((await push('n')).args, [null, ['a', 'b']]);
      app.rpc = (sid, msg, cb) => cb(new Error('no'));
      assert.deepStrictEqual((await push('own')).args, [null, ['a']]);
    });
  }

  ours('pushes in one tick come in their order, and are answered once each', async () => {
    await start();
    const records = Array.from({ length: 50 }, (_, i) =>
      invoke(service, 'pushMessage', 'connector', 'onChat', i, 'n', {}),
    );
    await Promise.all(records.map(({ done }) => done));
    await new Promise(setImmediate);
    assert.deepStrictEqual(
      given.map(({ msg }) => msg),
      Array.from({ length: 50 }, (_, i) => i),
    );
    for (const { args, n } of records) assert.deepStrictEqual([args, n], [[null, []], 1]);
  });

  ours('as with an RPC, the first answer comes when all pushes of a tick are sent', async () => {
    await start();
    const records = [0, 1].map((i) =>
      invoke(service, 'pushMessage', 'connector', 'onChat', i, 'own', {}),
    );
    await records[0].done;
    assert.strictEqual(given.length, 2);
    const seen = [];
    service.pushMessage('connector', 'onChat', 2, 'own', {}, () => seen.push(given.length));
    service.pushMessage('connector', 'onChat', 3, 'own', {}, () => seen.push(given.length));
    await push('own');
    assert.deepStrictEqual(seen, [5, 5]);
  });

  ours('the array may be changed by the receiver', async () => {
    await start({
      answer: (uids) => {
        uids.length = 0;
        throw new Error('no');
      },
    });
    for (let i = 0; i < 2; i += 1) {
      assert.deepStrictEqual((await push('n')).args, [null, ['a', 'b']]);
    }
  });

  ours('a remote that never answers: failed after pushTimeout', async () => {
    await start({ options: { pushTimeout: 100 } });
    app.components = PLACES['as a remote']({ pushMessage() {} });
    assert.deepStrictEqual((await push('n')).args, [null, ['a', 'b']]);
  });

  ours('no remote to be found, and fanOut: false: by RPC', async () => {
    await start();
    app.components = {};
    await push('n');
    assert.deepStrictEqual(pushed(app), [
      ['s1', ['a', 'b']],
      ['s2', ['c']],
    ]);
    await stopAll();
    await start({ options: { fanOut: false } });
    await push('n');
    assert.strictEqual(app.rpcCalls.length, 2);
  });
});
