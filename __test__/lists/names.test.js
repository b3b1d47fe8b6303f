'use strict';

/**
 * Names for lists: what a pushing server sends to frontends that have the plugin, and to those that have not, when lists
 * are long, short, the same and changed. The network is network.js; order and losses are in model.test.js, real RPC in
 * wire.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach, beforeEach } = require('node:test');
const GlobalChannel = require('../../lib/globalChannel');
const { limits } = require('../../lib/lists/protocol');
const { call, ok } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { stopAll } = require('../support/service');
const { until } = require('../support/until');
const { Network } = require('./network');

const ORIGINAL = { ...limits };
const people = (count, from = 0) => Array.from({ length: count }, (_, i) => `user-${from + i}`);
const LONG = people(300);
const SHORT = people(5);
const turn = () => new Promise(setImmediate);

/** A manager whose lists a test sets: `lists[name][sid]`; the very array is given each time. */
const withLists = (lists) => ({
  add() {},
  leave() {},
  destroyChannel() {},
  getMembersBySid: (name, sid, cb) => cb(null, (lists[name] || {})[sid] || []),
});

describe('Names for lists', () => {
  let network;
  let lists;
  let service;
  let n;

  async function start(kinds, options) {
    network = new Network(kinds);
    lists = {};
    n = 0;
    service = await startedWith(withLists(lists), options, network.app);
  }
  async function push(name, opts = {}) {
    n += 1;
    const { args } = await call(service, 'pushMessage', 'connector', 'onChat', { n }, name, opts);
    return args;
  }
  const pushes = (sid) => network.byId.get(sid).pushes;
  const last = (sid) => pushes(sid)[pushes(sid).length - 1];
  const isPlain = ({ service: called, method }) =>
    called === 'channelRemote' && method === 'pushMessage';
  const known = async (name) => {
    for (let i = 0; i < 4; i += 1) assert.deepStrictEqual(await push(name), [null, []]);
  };

  beforeEach(() => Object.assign(limits, ORIGINAL));
  afterEach(async () => {
    Object.assign(limits, ORIGINAL);
    await stopAll();
  });

  for (const style of ['pomelo', 'pinus']) {
    ours(`a long list goes to a frontend once, then its number (${style})`, async () => {
      await start([{ style }]);
      lists.world = { s1: LONG };
      for (let i = 0; i < 10; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
      assert.deepStrictEqual(
        pushes('s1').map((each) => each.n),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      );
      for (const { uids } of pushes('s1')) assert.deepStrictEqual(uids, LONG);
      // Plain twice, the question, the list, and from then on its number.
      const methods = network.sent.map(({ method }) => method);
      assert.deepStrictEqual(methods.slice(0, 3), ['pushMessage', 'pushMessage', 'hello']);
      assert.deepStrictEqual(methods.slice(3), Array(8).fill('push'));
      assert.ok(network.sent[3].bytes > 3000);
      for (const { bytes } of network.sent.slice(4)) assert.ok(bytes < 300, `${bytes} bytes`);
      const { named, whole, changed, asked, frontends } = service.stats().lists;
      assert.deepStrictEqual([named, whole, changed, asked, frontends], [7, 1, 0, 1, 1]);
    });

    ours(`what has changed goes as a difference (${style})`, async () => {
      await start([{ style }]);
      lists.world = { s1: LONG };
      await known('world');
      for (const list of [
        [...LONG, 'new'],
        [...LONG.slice(1), 'new'],
        ['new', ...LONG.slice(150), ...LONG.slice(7, 150)],
      ]) {
        lists.world.s1 = list;
        await push('world');
        assert.deepStrictEqual([...last('s1').uids].sort(), [...list].sort());
        assert.ok(network.sent[network.sent.length - 1].bytes < 400);
      }
      assert.strictEqual(service.stats().lists.changed, 3);
    });
  }

  ours('another user left out each time: the list keeps its number', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    const { named } = service.stats().lists;
    for (let i = 0; i < 20; i += 1) {
      const except = [LONG[i * 7], `stranger-${i}`, LONG[299 - i]];
      assert.deepStrictEqual(await push('world', { except }), [null, []]);
      assert.deepStrictEqual(
        last('s1').uids,
        LONG.filter((uid) => !except.includes(uid)),
      );
      assert.ok(network.sent[network.sent.length - 1].bytes < 400);
    }
    await push('world');
    assert.deepStrictEqual(last('s1').uids, LONG);
    const after = service.stats().lists;
    assert.deepStrictEqual([after.named - named, after.whole, after.changed], [21, 1, 0]);
  });

  ours('a user left out of a list that changed, and that the frontend has lost', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    lists.world.s1 = [...LONG.slice(1), 'new'];
    await push('world', { except: 'user-7' });
    const without = lists.world.s1.filter((uid) => uid !== 'user-7');
    assert.deepStrictEqual([...last('s1').uids].sort(), [...without].sort());
    network.restart('s1', false);
    await push('world', { except: ['user-7'] });
    assert.deepStrictEqual([...last('s1').uids].sort(), [...without].sort());
    await push('world');
    assert.deepStrictEqual([...last('s1').uids].sort(), [...lists.world.s1].sort());
  });

  ours('a list that a manager changes in place is compared each time', async () => {
    await start([{}]);
    lists.world = { s1: [...LONG] };
    await known('world');
    lists.world.s1[17] = 'another';
    await push('world');
    assert.deepStrictEqual([...last('s1').uids].sort(), [...lists.world.s1].sort());
    lists.world.s1.length = 10;
    await push('world');
    assert.deepStrictEqual(last('s1').uids, lists.world.s1);
  });

  ours('a list with a uid twice, and with numbers, arrives as it is', async () => {
    await start([{}]);
    const twice = [...LONG, 'user-1', 5, '5'];
    lists.world = { s1: twice };
    await known('world');
    assert.deepStrictEqual(last('s1').uids, twice);
    lists.world.s1 = [...LONG, 'user-2', 'user-2'];
    await push('world');
    assert.deepStrictEqual(last('s1').uids, lists.world.s1);
  });

  ours('a short list, and what JSON does not leave as it is, go as ever', async () => {
    await start([{}]);
    const odd = [...LONG, { id: 1 }];
    Object.assign(lists, { room: { s1: SHORT }, odd: { s1: odd }, sparse: { s1: [...LONG, NaN] } });
    for (let i = 0; i < 5; i += 1) {
      await push('room');
      await push('odd');
      await push('sparse');
    }
    assert.strictEqual(network.sent.length, 15);
    assert.ok(network.sent.every(isPlain));
  });

  ours('a list that is pushed once is not asked for', async () => {
    await start([{}]);
    for (let i = 0; i < 5; i += 1) {
      lists[`n${i}`] = { s1: LONG };
      await push(`n${i}`);
    }
    assert.ok(network.sent.every(isPlain));
  });

  ours(
    'a frontend without the remote gets what 0.0.7 sends, to the letter, and is asked once',
    async () => {
      await start([{ kind: 'old' }]);
      lists.world = { s1: LONG };
      for (let i = 0; i < 20; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
      assert.strictEqual(network.calls('s1', 'lists').length, 1);
      const [{ args }] = network.calls('s1', 'channelRemote');
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
      network.app.rpc = (sid, msg, cb) => cb(null, answer === 'args' ? msg.args : answer);
      const before = network.app.rpcCalls;
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
    network.app.rpc = (sid, msg, cb) => cb(null, []);
    const from = network.app.rpcCalls.length;
    for (let i = 0; i < 3; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    const methods = network.app.rpcCalls.slice(from).map(({ msg }) => msg.method);
    assert.deepStrictEqual(methods, ['push', 'pushMessage', 'pushMessage']);
  });

  ours('opts reach the push scheduler, and failed uids come back', async () => {
    await start([{}, { style: 'pinus' }]);
    lists.world = { s1: LONG, s2: people(300, 1000) };
    await known('world');
    network.byId.get('s1').missing = new Set(['user-3', 'user-250']);
    network.byId.get('s2').missing = new Set(['user-1007']);
    for (let i = 0; i < 2; i += 1) {
      assert.deepStrictEqual(await push('world', { filter: 'x' }), [
        null,
        ['user-3', 'user-250', 'user-1007'],
      ]);
      const options = { type: 'push', userOptions: { filter: 'x' }, isPush: true };
      for (const sid of ['s1', 's2']) assert.deepStrictEqual(last(sid).opts, options);
    }
  });

  ours('an error of the frontend’s own remote is that frontend’s failure, each time', async () => {
    await start([{}, { kind: 'old' }]);
    lists.world = { s1: LONG, s2: ['x'] };
    await known('world');
    for (let i = 0; i < 3; i += 1) {
      const record = await call(service, 'pushMessage', 'connector', 'onChat', null, 'world', {});
      assert.strictEqual(record.err.code, 'ERR_GLOBAL_CHANNEL_PUSH_FAILED');
    }
    assert.deepStrictEqual(await push('world'), [null, []]);
    assert.deepStrictEqual(last('s1').uids, LONG);
  });

  ours('a frontend that started anew under its id gets the list, and each push once', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    for (const hasNews of [false, true]) {
      network.restart('s1', hasNews);
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
      const { event } = network.app;
      const make = () => new GlobalChannel(network.app, { channelManager: withLists(lists) });
      const services = [service, ...Array.from({ length: 11 }, make)];
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
    network.byId.get('s1').kind = 'old';
    network.restart('s1', false);
    for (let i = 0; i < 4; i += 1) assert.deepStrictEqual(await push('world'), [null, []]);
    assert.strictEqual(pushes('s1').length, 8);
  });

  ours('the remotes are reloaded, and ours is gone: as ever from then on', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    delete network.byId.get('s1').services.globalChannel;
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
      const { services } = network.byId.get('s1');
      const answer = { globalChannelLists: 2, token: 'another', refused: true };
      const refuse = (...args) => args.pop()(null, answer);
      services.globalChannel.lists = { hello: refuse, push: refuse };
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(['world', 'room', 'world'].map((each) => push(each)));
        for (const args of answers) assert.deepStrictEqual(args, [null, []]);
      }
      assert.deepStrictEqual(
        pushes('s1').map((each) => each.n),
        Array.from({ length: n }, (_, i) => i + 1),
      );
    },
  );

  ours('between two versions there are no names, and each frontend is asked once', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    const { services } = network.byId.get('s1');
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
      network.calls('s1', 'lists').map(({ method }) => method),
      ['hello'],
    );
  });

  ours(
    'a frontend of another version that becomes this one gets names, without news of it',
    async () => {
      limits.askAgainMs = 20;
      await start([{}]);
      lists.world = { s1: LONG };
      const { services } = network.byId.get('s1');
      const { lists: remote } = services.globalChannel;
      const refuse = (...args) => args.pop()(null, { globalChannelLists: 2, refused: true });
      services.globalChannel.lists = { hello: refuse, push: refuse };
      const asked = () => network.calls('s1', 'lists').length;
      await until(async () => (await push('world')) && asked() >= 2, 'the second question');
      assert.deepStrictEqual(service.stats().lists.frontends, 0);
      services.globalChannel.lists = remote;
      await until(async () => (await push('world')) && service.stats().lists.named > 0, 'a name');
      assert.deepStrictEqual(
        pushes('s1').map((each) => each.n),
        Array.from({ length: n }, (_, i) => i + 1),
      );
    },
  );

  ours('a list that is none does no harm to the pushes that are held back with it', async () => {
    await start([{}]);
    Object.assign(lists, { world: { s1: LONG }, room: { s1: SHORT }, odd: { s1: { length: 1 } } });
    await known('world');
    network.restart('s1', false);
    network.isFast = false;
    const before = ['world', 'world'].map((each) => push(each));
    await until(() => network.byId.get('s1').waiting.length === 2, 'both pushes to be under way');
    // The first is refused, and what comes now waits for the second.
    network.step('s1');
    const odd = push('odd');
    const after = ['room', 'world'].map((each) => push(each));
    await turn();
    network.isFast = true;
    network.step('s1');
    for (const args of await Promise.all([...before, ...after])) {
      assert.deepStrictEqual(args, [null, []]);
    }
    assert.strictEqual((await odd)[0].code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.deepStrictEqual(
      pushes('s1').map((each) => each.n),
      [1, 2, 3, 4, 5, 6, 8, 9],
    );
  });

  for (const [title, small] of [
    ['the frontend', { frontendBytes: 60000 }],
    ['the pushing server', { pusherBytes: 60000 }],
    ['both', { frontendBytes: 60000, pusherBytes: 40000 }],
  ]) {
    ours(`more lists than ${title} may keep: bounded, and every push is right`, async () => {
      Object.assign(limits, small);
      await start([{}]);
      for (let i = 0; i < 20; i += 1) lists[`n${i}`] = { s1: people(200, i * 1000) };
      for (let round = 0; round < 6; round += 1) {
        for (let i = 0; i < 20; i += 1) {
          assert.deepStrictEqual(await push(`n${i % (2 + round)}`), [null, []]);
          assert.deepStrictEqual(last('s1').uids, lists[`n${i % (2 + round)}`].s1);
          const { bytes } = service.stats().lists;
          assert.ok(bytes <= Math.min(limits.pusherBytes, limits.frontendBytes), `${bytes} bytes`);
        }
      }
      assert.strictEqual(pushes('s1').length, n);
      assert.ok(service.stats().lists.named > 20);
    });
  }

  ours('several pushing servers that overflow a frontend: every push is right', async () => {
    limits.frontendBytes = 60000;
    await start([{}]);
    const others = [];
    for (let i = 0; i < 4; i += 1) {
      const own = { world: { s1: people(200, i * 1000) } };
      others.push([own, await startedWith(withLists(own), {}, network.pusher(`chat-${i}`))]);
    }
    for (let round = 0; round < 30; round += 1) {
      for (const [own, each] of others) {
        n += 1;
        const args = ['connector', 'onChat', { n }, 'world', {}];
        assert.deepStrictEqual(await ok(each, 'pushMessage', ...args), []);
        assert.deepStrictEqual(last('s1').uids, own.world.s1);
      }
    }
    assert.deepStrictEqual(
      pushes('s1').map((each) => each.n),
      Array.from({ length: n }, (_, i) => i + 1),
    );
  });

  ours(
    'a frontend that lets go of all lists while pushes are under way: all arrive, in order',
    async () => {
      await start([{}, { style: 'pinus' }]);
      Object.assign(lists, {
        world: { s1: LONG, s2: LONG },
        guild: { s1: LONG },
        room: { s1: SHORT },
      });
      for (const each of ['world', 'guild', 'room']) await known(each);
      for (let round = 0; round < 5; round += 1) {
        // As if this server had gone.
        for (const { app } of network.frontends) app.event.emit('remove_servers', ['chat-1']);
        const names = ['room', 'world', 'room', 'guild', 'room', 'room', 'world', 'guild', 'room'];
        const answers = await Promise.all(names.map((each) => push(each)));
        for (const args of answers) assert.deepStrictEqual(args, [null, []]);
      }
      const numbers = pushes('s1').map((each) => each.n);
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: n }, (_, i) => i + 1),
      );
      const { refused } = service.stats().lists;
      assert.ok(refused >= 20, `${refused} refused`);
    },
  );

  for (const fanOut of [false, { lists: false }]) {
    ours(`fanOut: ${JSON.stringify(fanOut)}: no names`, async () => {
      await start([{}], { fanOut });
      lists.world = { s1: LONG };
      for (let i = 0; i < 5; i += 1) await push('world');
      assert.ok(network.sent.every(isPlain));
      assert.strictEqual(service.stats().lists, null);
    });

    ours(`fanOut: ${JSON.stringify(fanOut)} on the frontend: no remote`, async () => {
      await start([{ options: { fanOut } }]);
      lists.world = { s1: LONG };
      await known('world');
      assert.strictEqual(network.calls('s1', 'channelRemote').length, 4);
    });
  }
});
