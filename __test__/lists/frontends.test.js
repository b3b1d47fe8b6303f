'use strict';

/**
 * Names for lists and their frontends: those without the plugin, with another version, that started anew, or that lost the
 * remote. What is sent to one that is as it should be is in names.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const GlobalChannel = require('../../lib/globalChannel');
const { limits } = require('../../lib/lists/protocol');
const { call, ok } = require('../support/call');
const { ours } = require('../support/rows');
const { until } = require('../support/until');
const { LONG, Pushing, SHORT, withLists } = require('./pushing');

describe('Names for lists, and frontends', () => {
  const pushing = new Pushing();
  const { known, lists, push, pushes, start } = pushing;

  ours(
    'a frontend without the remote gets what 0.0.7 sends, to the letter, and is asked once',
    async () => {
      await start([{ kind: 'old' }]);
      lists.world = { s1: LONG };
      for (let i = 0; i < 20; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
      assert.strictEqual(pushing.network.calls('s1', 'lists').length, 1);
      const [{ args }] = pushing.network.calls('s1', 'channelRemote');
      const options = { type: 'push', userOptions: {}, isPush: true };
      assert.deepStrictEqual(args, ['onChat', { n: 1 }, LONG, options]);
      assert.deepStrictEqual(
        pushes('s1').map((each) => each.n),
        Array.from({ length: 20 }, (_, i) => i + 1),
      );
    },
  );

  for (const [title, answer] of [
    ['nothing', undefined],
    ['an empty list', []],
    ['true', true],
    ['what it was asked', 'args'],
    ['an object', { token: 'x', maxBytes: 1e6 }],
  ]) {
    ours(`a stub of rpcInvoke that answers ${title} to everything gets no names`, async () => {
      await start([{}]);
      lists.world = { s1: LONG };
      pushing.network.app.rpc = (sid, msg, cb) => cb(null, answer === 'args' ? msg.args : answer);
      const before = pushing.network.app.rpcCalls;
      for (let i = 0; i < 10; i += 1) await push('world');
      const methods = before.map(({ msg }) => msg.method);
      assert.strictEqual(methods.filter((method) => method === 'hello').length, 1);
      assert.strictEqual(methods.filter((method) => method === 'pushMessage').length, 10);
    });
  }

  ours('a wrapper that begins to answer for the frontend gets no more names', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    pushing.network.app.rpc = (sid, msg, cb) => cb(null, []);
    const from = pushing.network.app.rpcCalls.length;
    for (let i = 0; i < 3; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    const methods = pushing.network.app.rpcCalls.slice(from).map(({ msg }) => msg.method);
    assert.deepStrictEqual(methods, ['push', 'pushMessage', 'pushMessage']);
  });

  ours('a frontend that started anew under its id gets the list, and each push once', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    for (const hasNews of [false, true]) {
      pushing.network.restart('s1', hasNews);
      for (let i = 0; i < 4; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    }
    assert.deepStrictEqual(
      pushes('s1').map((each) => each.n),
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    for (const { uids } of pushes('s1')) assert.deepStrictEqual(uids, LONG);
  });

  ours(
    'however many services an app has, it is listened to once, and not after their stop',
    async () => {
      await start([{}]);
      lists.world = { s1: LONG };
      const { event } = pushing.network.app;
      const make = () =>
        new GlobalChannel(pushing.network.app, { channelManager: withLists(lists) });
      const services = [pushing.service, ...Array.from({ length: 11 }, make)];
      for (const each of services.slice(1)) await ok(each, 'start');
      for (const each of services) {
        for (let i = 0; i < 4; i += 1) {
          await ok(each, 'pushMessage', 'connector', 'onChat', { n: 0 }, 'world', {});
        }
      }
      assert.strictEqual(event.listenerCount('remove_servers'), 1);
      event.emit('remove_servers', ['s1']);
      for (const each of services) assert.strictEqual(each.stats().lists.frontends, 0);
      for (const each of services) await call(each, 'stop', true);
      assert.strictEqual(event.listenerCount('remove_servers'), 0);
    },
  );

  ours('a frontend that goes back to 0.0.7 under its id, without news of it', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    pushing.network.byId.get('s1').kind = 'old';
    pushing.network.restart('s1', false);
    for (let i = 0; i < 4; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    assert.strictEqual(pushes('s1').length, 8);
  });

  ours('the remotes are reloaded, and ours is gone: as ever from then on', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    delete pushing.network.byId.get('s1').services.globalChannel;
    for (let i = 0; i < 4; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    assert.deepStrictEqual(
      pushes('s1').map((each) => each.n),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
  });

  ours(
    'a frontend that now speaks another version refuses: its pushes arrive as ever',
    async () => {
      await start([{}]);
      lists.world = { s1: LONG };
      lists.room = { s1: SHORT };
      await known('world');
      const { services } = pushing.network.byId.get('s1');
      const answer = { globalChannelLists: 2, token: 'another', refused: true };
      const refuse = (...args) => args.pop()(null, answer);
      services.globalChannel.lists = { hello: refuse, push: refuse };
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(['world', 'room', 'world'].map((each) => push(each)));
        for (const args of answers) assert.deepStrictEqual(args, [null, []]);
      }
      assert.deepStrictEqual(
        pushes('s1').map((each) => each.n),
        Array.from({ length: pushing.n }, (_, i) => i + 1),
      );
    },
  );

  ours('between two versions there are no names, and each frontend is asked once', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    const { services } = pushing.network.byId.get('s1');
    const { hello } = services.globalChannel.lists;
    const answer = await new Promise((resolve, reject) =>
      hello(2, 'a pusher', 'chat-2', (err, value) => (err ? reject(err) : resolve(value))),
    );
    assert.strictEqual(answer.refused, true);
    // As a later version would answer us.
    const ask = (...args) => args.pop()(null, { ...answer, globalChannelLists: 2, maxBytes: 1e6 });
    services.globalChannel.lists.hello = ask;
    for (let i = 0; i < 6; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    assert.deepStrictEqual(
      pushing.network.calls('s1', 'lists').map(({ method }) => method),
      ['hello'],
    );
  });

  ours(
    'a frontend of another version that becomes this one gets names, without news of it',
    async () => {
      limits.askAgainMs = 20;
      await start([{}]);
      lists.world = { s1: LONG };
      const { services } = pushing.network.byId.get('s1');
      const { lists: remote } = services.globalChannel;
      const refuse = (...args) => args.pop()(null, { globalChannelLists: 2, refused: true });
      services.globalChannel.lists = { hello: refuse, push: refuse };
      const asked = () => pushing.network.calls('s1', 'lists').length;
      await until(async () => (await push('world')) && asked() >= 2, 'the second question');
      assert.deepStrictEqual(pushing.service.stats().lists.frontends, 0);
      services.globalChannel.lists = remote;
      await until(
        async () => (await push('world')) && pushing.service.stats().lists.named > 0,
        'a name',
      );
      assert.deepStrictEqual(
        pushes('s1').map((each) => each.n),
        Array.from({ length: pushing.n }, (_, i) => i + 1),
      );
    },
  );
});
