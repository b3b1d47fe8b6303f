'use strict';

/**
 * Names for lists: what a pushing server sends when lists are long, short, the same and changed. Frontends that are no more what
 * they were, and those without the plugin, are in frontends.test.js. The network is network.js; order and losses are in
 * model.test.js, real RPC in wire.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { limits } = require('../../lib/lists/protocol');
const { call, ok } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { until } = require('../support/until');
const { LONG, Pushing, SHORT, people, withLists } = require('./pushing');

const turn = () => new Promise(setImmediate);

describe('Names for lists', () => {
  const pushing = new Pushing();
  const { known, last, lists, push, pushes, start } = pushing;
  const isPlain = ({ service: called, method }) =>
    called === 'channelRemote' && method === 'pushMessage';

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
      const methods = pushing.network.sent.map(({ method }) => method);
      assert.deepStrictEqual(methods.slice(0, 3), ['pushMessage', 'pushMessage', 'hello']);
      assert.deepStrictEqual(methods.slice(3), Array(8).fill('push'));
      assert.ok(pushing.network.sent[3].bytes > 3000);
      for (const { bytes } of pushing.network.sent.slice(4))
        assert.ok(bytes < 300, `${bytes} bytes`);
      const { named, whole, changed, asked, frontends } = pushing.service.stats().lists;
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
        assert.ok(pushing.network.sent[pushing.network.sent.length - 1].bytes < 400);
      }
      assert.strictEqual(pushing.service.stats().lists.changed, 3);
    });
  }

  ours('another user left out each time: the list keeps its number', async () => {
    await start([{}]);
    lists.world = { s1: LONG };
    await known('world');
    const { named } = pushing.service.stats().lists;
    for (let i = 0; i < 20; i += 1) {
      const except = [LONG[i * 7], `stranger-${i}`, LONG[299 - i]];
      assert.deepStrictEqual(await push('world', { except }), [null, []]);
      assert.deepStrictEqual(
        last('s1').uids,
        LONG.filter((uid) => !except.includes(uid)),
      );
      assert.ok(pushing.network.sent[pushing.network.sent.length - 1].bytes < 400);
    }
    await push('world');
    assert.deepStrictEqual(last('s1').uids, LONG);
    const after = pushing.service.stats().lists;
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
    pushing.network.restart('s1', false);
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
    assert.strictEqual(pushing.network.sent.length, 15);
    assert.ok(pushing.network.sent.every(isPlain));
  });

  ours('a list that is pushed once is not asked for', async () => {
    await start([{}]);
    for (let i = 0; i < 5; i += 1) {
      lists[`n${i}`] = { s1: LONG };
      await push(`n${i}`);
    }
    assert.ok(pushing.network.sent.every(isPlain));
  });

  ours('opts reach the push scheduler, and failed uids come back', async () => {
    await start([{}, { style: 'pinus' }]);
    lists.world = { s1: LONG, s2: people(300, 1000) };
    await known('world');
    pushing.network.byId.get('s1').missing = new Set(['user-3', 'user-250']);
    pushing.network.byId.get('s2').missing = new Set(['user-1007']);
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
      const record = await call(
        pushing.service,
        'pushMessage',
        'connector',
        'onChat',
        null,
        'world',
        {},
      );
      assert.strictEqual(record.err.code, 'ERR_GLOBAL_CHANNEL_PUSH_FAILED');
    }
    assert.deepStrictEqual(await push('world'), [null, []]);
    assert.deepStrictEqual(last('s1').uids, LONG);
  });

  ours('a list that is none does no harm to the pushes that are held back with it', async () => {
    await start([{}]);
    Object.assign(lists, { world: { s1: LONG }, room: { s1: SHORT }, odd: { s1: { length: 1 } } });
    await known('world');
    pushing.network.restart('s1', false);
    pushing.network.isFast = false;
    const before = ['world', 'world'].map((each) => push(each));
    await until(
      () => pushing.network.byId.get('s1').waiting.length === 2,
      'both pushes to be under way',
    );
    // The first is refused, and what comes now waits for the second.
    pushing.network.step('s1');
    const odd = push('odd');
    const after = ['room', 'world'].map((each) => push(each));
    await turn();
    pushing.network.isFast = true;
    pushing.network.step('s1');
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
          const { bytes } = pushing.service.stats().lists;
          assert.ok(bytes <= Math.min(limits.pusherBytes, limits.frontendBytes), `${bytes} bytes`);
        }
      }
      assert.strictEqual(pushes('s1').length, pushing.n);
      assert.ok(pushing.service.stats().lists.named > 20);
    });
  }

  ours('several pushing servers that overflow a frontend: every push is right', async () => {
    limits.frontendBytes = 60000;
    await start([{}]);
    const others = [];
    for (let i = 0; i < 4; i += 1) {
      const own = { world: { s1: people(200, i * 1000) } };
      others.push([
        own,
        await startedWith(withLists(own), {}, pushing.network.pusher(`chat-${i}`)),
      ]);
    }
    for (let round = 0; round < 30; round += 1) {
      for (const [own, each] of others) {
        pushing.n += 1;
        const args = ['connector', 'onChat', { n: pushing.n }, 'world', {}];
        assert.deepStrictEqual(await ok(each, 'pushMessage', ...args), []);
        assert.deepStrictEqual(last('s1').uids, own.world.s1);
      }
    }
    assert.deepStrictEqual(
      pushes('s1').map((each) => each.n),
      Array.from({ length: pushing.n }, (_, i) => i + 1),
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
        for (const { app } of pushing.network.frontends)
          app.event.emit('remove_servers', ['chat-1']);
        const names = ['room', 'world', 'room', 'guild', 'room', 'room', 'world', 'guild', 'room'];
        const answers = await Promise.all(names.map((each) => push(each)));
        for (const args of answers) assert.deepStrictEqual(args, [null, []]);
      }
      const numbers = pushes('s1').map((each) => each.n);
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: pushing.n }, (_, i) => i + 1),
      );
      const { refused } = pushing.service.stats().lists;
      assert.ok(refused >= 20, `${refused} refused`);
    },
  );

  for (const fanOut of [false, { lists: false }]) {
    ours(`fanOut: ${JSON.stringify(fanOut)}: no names`, async () => {
      await start([{}], { fanOut });
      lists.world = { s1: LONG };
      for (let i = 0; i < 5; i += 1) await push('world');
      assert.ok(pushing.network.sent.every(isPlain));
      assert.strictEqual(pushing.service.stats().lists, null);
    });

    ours(`fanOut: ${JSON.stringify(fanOut)} on the frontend: no remote`, async () => {
      await start([{ options: { fanOut } }]);
      lists.world = { s1: LONG };
      await known('world');
      assert.strictEqual(pushing.network.calls('s1', 'channelRemote').length, 4);
    });
  }
});
