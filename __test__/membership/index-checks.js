'use strict';

/** The checks of the index of members that hold on every kind of store: index.test.js, topology/members-index.test.js. */

const assert = require('node:assert');
const { call } = require('../support/call');
const { until } = require('../support/until');

/** title → check; `open(opts)` makes {@link Members} of a new service, `store` has `keys()` and `empty()`. */
const CHECKS = {
  'tells the channels of a user, and leaves them all': async ({ open, store }) => {
    const one = await open();
    await one.call('add', ['a', 'b:c', ''], ['alice', 'bob'], 's1');
    await one.call('add', 'a', 'alice', 's2');
    await one.call('addMany', 'm', [
      { uid: 'alice', sid: 's1' },
      { uid: 'alice', sid: 's3' },
    ]);
    assert.deepStrictEqual(await one.channels('alice', 's1'), ['', 'a', 'b:c', 'm']);
    assert.deepStrictEqual(await one.channels('alice', null), ['', 'a', 'b:c', 'm']);
    assert.deepStrictEqual(await one.channels('carol', 's1'), []);
    assert.deepStrictEqual(await one.uids('s1'), ['alice', 'bob']);
    await one.call('leave', ['', 'none'], 'alice', 's1');
    assert.deepStrictEqual(await one.channels('alice', 's1'), ['a', 'b:c', 'm']);
    assert.deepStrictEqual(await one.leaveAll('alice', 's1'), ['a', 'b:c', 'm']);
    assert.deepStrictEqual(await one.leaveAll('alice', 's1'), []);
    assert.deepStrictEqual(await one.channels('alice', null), ['a', 'm']);
    assert.deepStrictEqual(await one.call('getMembersBySid', 'a', 's1'), ['bob']);
    await one.call('leave', 'm', 'alice', null);
    assert.deepStrictEqual(await one.leaveAll('alice', null), ['a']);
    await one.call('leave', ['a', 'b:c', ''], 'bob', 's1');
    assert.deepStrictEqual(await store.keys(), [], 'no index is left');
  },

  'takes effect in call order': async ({ open }) => {
    const one = await open();
    const calls = [
      ['add', 'a', 'u', 's1'],
      ['leaveAll', 'u', 's1'],
      ['getMembersBySid', 'a', 's1'],
      ['add', 'a', 'u', 's1'],
      ['add', 'b', 'u', 's1'],
      ['getChannelsByUid', 'u', 's1'],
      ['getChannelsByUid', 'u', null],
      ['leaveAll', 'u', 's1'],
      ['add', 'c', 'u', 's1'],
      ['getMembersBySid', 'b', 's1'],
      ['leaveAll', 'u', null],
      ['add', 'b', 'u', 's1'],
      ['leave', 'b', 'u', 's1'],
      ['add', 'd', 'u', 's1'],
    ];
    for (let i = 0; i < 20; i += 1) {
      const answers = await Promise.all(calls.map((args) => one.call(...args)));
      const lists = answers.filter(Array.isArray).map((list) => list.sort());
      const first = i === 0 ? ['a'] : ['a', 'd'];
      assert.deepStrictEqual(lists, [first, [], ['a', 'b'], ['a', 'b'], ['a', 'b'], [], ['c']]);
      assert.deepStrictEqual(await one.channels('u', 's1'), ['d']);
    }
  },

  'never tells what is not so, also when another process has removed the channel': async ({
    open,
  }) => {
    const [one, old] = [await open(), await open({ membership: 'persistent' })];
    await one.call('add', ['a', 'b', 'c', 'd'], 'u', 's1');
    await one.call('destroyChannel', 'a');
    await old.call('leave', 'b', 'u', 's1');
    assert.deepStrictEqual(await one.channels('u', 's1'), ['c', 'd']);
    await one.call('clean');
    assert.deepStrictEqual(await one.channels('u', null), []);
    assert.deepStrictEqual(await one.leaveAll('u', 's1'), []);
    assert.deepStrictEqual(await one.uids('s1'), [], 'what is met is forgotten');
  },

  'keeps apart users of frontends with any ids': async ({ open }) => {
    const one = await open();
    const pairs = [
      ['a', 'b}:c'],
      ['a}:b', 'c'],
      ['a', 'b}:c:1'],
      ['a}:b}', ''],
      ['a', ''],
      ['a}', ':'],
    ];
    for (const [i, [sid, uid]] of pairs.entries()) {
      await one.call('add', ['x', `n${i}`], uid, sid);
    }
    for (const [i, [sid, uid]] of pairs.entries()) {
      assert.deepStrictEqual(await one.channels(uid, sid), [`n${i}`, 'x'], `${sid} ${uid}`);
    }
    for (const [i, [sid, uid]] of pairs.entries()) {
      assert.deepStrictEqual(await one.leaveAll(uid, sid), [`n${i}`, 'x'], `${sid} ${uid}`);
    }
  },

  'keeps apart users and channels with any names': async ({ open }) => {
    const one = await open();
    const uids = ['', '1:a', 'a', 'ab', '1', ':', '🎮', '2:ü', 'x'.repeat(100)];
    const names = ['a', 'b', ':', 'ü:1', '{x}', 'x'.repeat(99)];
    await one.call('add', names, uids, 's{:1}');
    for (const uid of uids) {
      assert.deepStrictEqual(await one.channels(uid, 's{:1}'), [...names].sort(), uid);
    }
    assert.deepStrictEqual(await one.uids('s{:1}'), [...uids].sort());
    for (const [i, uid] of uids.entries()) {
      assert.deepStrictEqual(await one.leaveAll(uid, null), [...names].sort(), uid);
      const left = await one.call('getMembersBySid', names[0], 's{:1}');
      assert.deepStrictEqual(left.sort(), uids.slice(i + 1).sort());
    }
  },

  'a purge removes what the index has, in steps, and keeps it for a while': async ({ open }) => {
    const one = await open();
    const uids = Array.from({ length: 700 }, (_, i) => `u${i}`);
    await one.call('add', ['a', 'b'], uids, 's1');
    await one.call('add', 'a', 'u1', 's2');
    await one.call('leave', 'b', 'u1', 's1');
    await one.claim('s1', 'e1');
    assert.deepStrictEqual(await one.purge('s1', ''), { state: 'lost', count: 0 });
    assert.deepStrictEqual(await one.purge('s1', 'e2'), { state: 'lost', count: 0 });
    assert.deepStrictEqual(await one.channels('u1', 's1'), ['a']);
    assert.deepStrictEqual(await one.uids('s1'), [...uids].sort());
    const all = { state: 'held', count: 1399 };
    assert.deepStrictEqual(await one.purge('s1', 'e1', 60000), all);
    assert.deepStrictEqual(await one.purge('s1', 'e1'), { state: 'held', count: 0 });
    assert.deepStrictEqual(await one.call('getMembersBySid', 'a', 's1'), []);
    assert.deepStrictEqual(await one.channels('u1', null), ['a'], 'on another frontend');
    assert.deepStrictEqual(await one.uids('s1', 'goneUids'), [...uids].sort());
    assert.strictEqual(await one.putBack('s1', 'e1', 'u'), 0);
    assert.strictEqual(await one.putBack('s1', 'e1', 'u2'), 2);
    assert.strictEqual(await one.putBack('s1', 'e1', 'u2'), 0, 'it is kept no longer');
    assert.deepStrictEqual(await one.channels('u2', 's1'), ['a', 'b']);
    assert.deepStrictEqual(await one.call('getMembersBySid', 'b', 's1'), ['u2']);
    const left = uids.filter((uid) => uid !== 'u2');
    assert.deepStrictEqual(await one.uids('s1', 'goneUids'), left.sort());
    assert.strictEqual(await one.forget('s1', 'e1'), true);
    assert.deepStrictEqual(await one.uids('s1', 'goneUids'), []);
    assert.deepStrictEqual(await one.leaveAll('u2', 's1'), ['a', 'b']);
  },

  'a step of a purge removes few members, whatever is asked for': async ({ open }) => {
    const one = await open();
    const uids = Array.from({ length: 500 }, (_, i) => `u${i}`);
    await one.call('add', 'a', uids, 's1');
    const { state, count, left } = await one.purgeStep('s1', '', 1000, 0, uids);
    assert.strictEqual(state, 'free');
    assert.ok(count > 0 && count <= 200 && left === 500 - count, `${count} of 500`);
    // A user with more channels than one step takes.
    const names = Array.from({ length: 450 }, (_, i) => `n${i}`);
    await one.call('add', names, 'u0', 's1');
    const whole = await one.purgeStep('s1', '', 1000, 60000, ['none', 'u0', 'u499']);
    assert.ok(whole.count > 0 && whole.count <= 200, `${whole.count} of 450`);
    assert.strictEqual(whole.left, 2);
    const rest = { state: 'free', count: 950 - count - whole.count };
    assert.deepStrictEqual(await one.purge('s1', '', 60000), rest);
    assert.deepStrictEqual(await one.uids('s1'), []);
    // Any number of one user's is put back at once, and leaves at once.
    assert.strictEqual(await one.putBack('s1', '', 'u0'), 450);
    assert.strictEqual((await one.channels('u0', 's1')).length, 450);
    assert.strictEqual(await one.end('s1', '', 'u0'), 450);
    assert.deepStrictEqual(await one.uids('s1'), []);
  },

  'a purge ends when the frontend has its lease again, and what came meanwhile stays': async ({
    open,
  }) => {
    const [frontend, sweeper] = [await open(), await open()];
    await frontend.claim('s1', 'e1');
    await frontend.call('add', ['a', 'b', 'c', 'd'], 'u', 's1');
    await frontend.release('s1', 'e1');
    assert.deepStrictEqual(await sweeper.purgeStep('s1', '', 2, 60000, ['u']), {
      state: 'free',
      count: 2,
      left: 1,
    });
    assert.strictEqual((await frontend.renew('s1', 'e1')).state, 'regained');
    assert.deepStrictEqual(await sweeper.purgeStep('s1', '', 2, 0, ['u', 'v']), {
      state: 'lost',
      count: 0,
      left: 2,
    });
    assert.strictEqual(await frontend.putBack('s1', 'e1', 'u'), 2);
    assert.deepStrictEqual(await frontend.channels('u', 's1'), ['a', 'b', 'c', 'd']);
    // A later process of the same frontend purges what the earlier one has left, and no one else does.
    await sweeper.claim('s1', 'e2');
    assert.strictEqual((await frontend.purgeStep('s1', 'e1', 2, 0, ['u'])).state, 'lost');
    assert.deepStrictEqual(await sweeper.purge('s1', 'e2'), { state: 'held', count: 4 });
    await sweeper.call('add', 'a', 'u', 's1');
    assert.deepStrictEqual(await sweeper.channels('u', 's1'), ['a']);
  },

  'an epoch that has lost its lease removes nothing, puts nothing back, and forgets nothing':
    async ({ open }) => {
      const [earlier, later] = [await open(), await open()];
      await earlier.claim('s1', 'e1');
      await earlier.call('add', ['a', 'b'], ['u', 'v'], 's1');
      assert.strictEqual(await earlier.end('s1', 'e1', 'u'), 2);
      await later.claim('s1', 'e2');
      // The earlier one has not heard of it.
      assert.strictEqual(await earlier.end('s1', 'e1', 'v'), 'lost');
      assert.strictEqual(await earlier.putBack('s1', 'e1', 'u'), 'lost');
      assert.strictEqual(await earlier.forget('s1', 'e1', 'u'), false);
      assert.strictEqual(await earlier.forget('s1', 'e1'), false);
      assert.deepStrictEqual(await later.call('getMembersBySid', 'a', 's1'), ['v']);
      assert.deepStrictEqual(await later.uids('s1', 'goneUids'), ['u']);
      // The other way round: what was done before the claim stays, and is the later one's.
      assert.strictEqual(await later.putBack('s1', 'e2', 'u'), 2);
      assert.strictEqual(await later.end('s1', 'e2', 'v'), 2);
      assert.deepStrictEqual(await later.call('getMembersBySid', 'a', 's1'), ['u']);
      assert.strictEqual(await later.forget('s1', 'e2', 'v'), true);
      assert.deepStrictEqual(await later.uids('s1', 'goneUids'), []);
      await later.release('s1', 'e2');
      assert.strictEqual(await later.end('s1', 'e2', 'u'), 'lost', 'no one holds it');
    },

  'what the app removes while it is kept is not put back': async ({ open }) => {
    const [frontend, backend] = [await open(), await open()];
    await frontend.claim('s1', 'e1');
    const removals = {
      left: () => backend.call('leave', 'left', 'u', 's1'),
      many: () => backend.call('leaveMany', 'many', [{ uid: 'u', sid: 's1' }]),
      everywhere: () => backend.call('leave', 'everywhere', 'u', null),
      'x:destroyed': () => backend.call('destroyChannel', 'x:destroyed', { everywhere: true }),
      again: async () => {
        await backend.call('destroyChannel', 'again', { everywhere: true });
        await backend.call('add', 'again', 'u', 's1');
        await backend.call('leave', 'again', 'u', 's1');
      },
    };
    const names = [...Object.keys(removals), 'stays', 'added', 'returned'];
    const all = async () => (await frontend.channels('u', 's1')).sort();
    const end = () => frontend.end('s1', 'e1', 'u');
    await frontend.call('add', names, ['u', 'v'], 's1');
    assert.strictEqual(await end(), names.length);
    await Promise.all(Object.values(removals).map((remove) => remove()));
    // The last call about a member decides.
    await backend.call('leave', 'added', 'u', 's1');
    await backend.call('add', 'added', 'u', 's1');
    await backend.call('destroyChannel', 'returned', { everywhere: true });
    await backend.call('add', 'returned', 'u', 's1');
    assert.strictEqual(await end(), 2);
    assert.deepStrictEqual(await all(), []);
    assert.strictEqual(await frontend.putBack('s1', 'e1', 'u'), 3);
    assert.deepStrictEqual(await all(), ['added', 'returned', 'stays']);
    assert.deepStrictEqual(await frontend.uids('s1', 'goneUids'), []);
    // The other way round: after it they remove members like all others.
    await backend.call('leave', 'stays', 'u', 's1');
    await backend.call('destroyChannel', 'added', { everywhere: true });
    assert.deepStrictEqual(await all(), ['returned']);
    // All at once, of one user and of all.
    assert.strictEqual(await end(), 1);
    assert.deepStrictEqual(await backend.leaveAll('u', 's1'), []);
    assert.strictEqual(await frontend.putBack('s1', 'e1', 'u'), 0);
    await end();
    await frontend.end('s1', 'e1', 'v');
    await backend.call('clean');
    assert.strictEqual(await frontend.putBack('s1', 'e1', 'v'), 0);
    await backend.call('add', 'again', 'v', 's1');
    await frontend.end('s1', 'e1', 'v');
    assert.strictEqual(await frontend.putBack('s1', 'e1', 'v'), 1, 'it was kept after that');
  },

  'what is kept expires, and what is kept later does not bring it back': async ({ open }) => {
    const one = await open();
    await one.claim('s1', 'e1');
    await one.call('add', ['a', 'b'], ['u', 'v'], 's1');
    assert.strictEqual(await one.end('s1', 'e1', 'u', 1), 2);
    const kept = () => one.uids('s1', 'goneUids');
    await until(async () => (await kept()).length === 0, 'the end of its time');
    assert.strictEqual(await one.putBack('s1', 'e1', 'u'), 0);
    assert.strictEqual(await one.end('s1', 'e1', 'u'), 0);
    await one.call('add', 'a', 'u', 's1');
    assert.strictEqual(await one.end('s1', 'e1', 'u', 1), 1);
    await until(async () => (await kept()).length === 0, 'the end of its time');
    assert.strictEqual(await one.end('s1', 'e1', 'v', 60000), 2);
    assert.deepStrictEqual(await kept(), ['v']);
    // All calls of one turn of the loop may be one batch.
    const both = await Promise.all([kept(), one.putBack('s1', 'e1', 'u'), kept()]);
    assert.deepStrictEqual(both, [['v'], 0, ['v']]);
    assert.strictEqual(await one.putBack('s1', 'e1', 'v'), 2);
    assert.deepStrictEqual(await one.channels('u', 's1'), []);
    assert.deepStrictEqual(await one.channels('v', 's1'), ['a', 'b']);
  },

  'whatever services do at the same time, the index has every member': async ({ open }) => {
    const services = [await open(), await open(), await open()];
    const names = ['a', 'b', 'c'];
    for (let round = 0; round < 30; round += 1) {
      const calls = services.flatMap((service, n) =>
        Array.from({ length: 12 }, (_, i) => {
          const name = names[(round + i * n) % names.length];
          switch ((i + n + round) % 4) {
            case 0:
              return service.leaveAll('u', 's1');
            case 1:
              return service.call('leave', name, 'u', 's1');
            default:
              return service.call('add', name, 'u', 's1');
          }
        }),
      );
      await Promise.all(calls);
      const is = await Promise.all(
        names.map((name) => services[0].call('isMember', name, 'u', 's1')),
      );
      const expected = names.filter((_, i) => is[i]);
      assert.deepStrictEqual(await services[1].channels('u', 's1'), expected, `round ${round}`);
    }
  },

  'without the option nothing is written for it, and the methods name it': async ({
    open,
    store,
  }) => {
    const one = await open({ membership: 'persistent' });
    await one.call('add', 'a', 'u', 's1');
    assert.deepStrictEqual(await store.keys(), ['P:a:s1']);
    for (const [method, sid] of [
      ['getChannelsByUid', null],
      ['leaveAll', 's1'],
    ]) {
      const { err, n } = await call(one.service, method, 'u', sid);
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED');
      assert.match(err.message, new RegExp(`^${method} needs .* membership: 'session'`));
      assert.strictEqual(n, 1);
    }
  },
};

/**
 * The checks that hold with option `events` as well, which makes other steps of theirs: title → check. The user of the least rights may
 * publish under another prefix only.
 */
const WITH_EVENTS = Object.fromEntries(
  Object.entries(CHECKS)
    .filter(
      ([title]) =>
        process.env.RIGHTS !== 'least' && !/^(without the option|keeps apart)/.test(title),
    )
    .map(([title, check]) => {
      const withEvents = ({ open, store }) =>
        check({ open: (opts) => open({ ...opts, events: true }), store });
      return [`with events: ${title}`, withEvents];
    }),
);

module.exports = { ...CHECKS, ...WITH_EVENTS };
