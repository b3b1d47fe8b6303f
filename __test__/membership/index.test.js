'use strict';

/**
 * The index of members (option `membership: 'session'`) on each store: what each operation does, races step by step, and what
 * is refused. Redis Cluster is in topology/membership.test.js, random histories in contract/c-model.test.js.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { Members, SESSION } = require('../support/members');
const CHECKS = require('./index-checks');
const { CACHE, LEASES, MEMBERS, PLAIN } = require('../support/rights');
const { ours, stores } = require('../support/rows');
const { refusal, started } = require('../support/service');
const { until } = require('../support/until');

stores('index of members', (ctx) => {
  const open = async (opts) => new Members(await started(ctx.store, { ...SESSION, ...opts }));

  for (const [title, check] of Object.entries(CHECKS)) {
    ours(title, () => check({ open, store: ctx.store }));
  }

  ours.redis('the keys of a frontend are known, and what was purged expires', async () => {
    const one = await open();
    await one.call('add', 'a', 'u', 's1');
    assert.deepStrictEqual(await ctx.store.keys(), [
      'P:a:s1',
      'P@members:{s1}',
      'P@members:{s1}:u:1',
    ]);
    await one.purge('s1', '', 60000);
    assert.deepStrictEqual(await ctx.store.keys(), ['P@gone:{s1}']);
    const left = await ctx.redis.run(0, 'pttl', 'P@gone:{s1}');
    assert.ok(left > 30000 && left <= 60000, `${left} ms`);
  });

  ours.embedded(
    'what has expired is removed in small steps, with the renewals of any frontend',
    async () => {
      const [one, other] = [await open(), await open()];
      const gone = async () => (await ctx.store.keys()).filter((key) => key.startsWith('P@gone'));
      const uids = Array.from({ length: 2500 }, (_, i) => `u${i}`);
      await one.call('add', ['a', 'x'], uids, 's1');
      await other.claim('s2', 'e2');
      await one.purge('s1', '', 60000);
      await one.call('destroyChannel', 'x', { everywhere: true });
      for (let n = 0; n < 3; n += 1) await other.renew('s2', 'e2');
      assert.deepStrictEqual(await gone(), [
        'P@gone:{s1}',
        'P@gone:{s1}:ended',
        'P@gone:{s1}:until',
      ]);
      assert.strictEqual((await one.uids('s1', 'goneUids')).length, 2500);
      // One more member is kept, and all of them for a shorter time.
      await one.call('add', 'b', 'u', 's1');
      await one.purge('s1', '', 1);
      await until(async () => (await one.uids('s1', 'goneUids')).length === 0, 'its end');
      let renewals = 0;
      while ((await gone()).length > 0 && renewals < 100) {
        await other.renew('s2', 'e2');
        renewals += 1;
      }
      assert.ok(renewals >= 6 && renewals < 100, `${renewals} renewals for 5,001 members`);
      assert.strictEqual(await one.putBack('s1', '', 'u1'), 0);
      // What is kept of others is not touched.
      await one.call('add', 'a', 'u', 's3');
      await one.purge('s3', '', 60000);
      for (let n = 0; n < 3; n += 1) await other.renew('s2', 'e2');
      assert.deepStrictEqual(await gone(), ['P@gone:{s3}', 'P@gone:{s3}:until']);
      assert.strictEqual(await one.putBack('s3', '', 'u'), 1);
      assert.deepStrictEqual(await gone(), []);
    },
  );

  ours.embedded(
    'a sid that only a prefix with a brace allows: what is kept of it counts',
    async () => {
      const prefix = 'P{x}';
      const [one, other] = [await open({ prefix }), await open({ prefix })];
      await other.claim('s2', 'e2');
      for (const sid of ['}s', '}', '']) {
        await one.call('add', ['a', 'b'], 'u', sid);
        await one.purge(sid, '', 60000);
        for (let n = 0; n < 5; n += 1) await other.renew('s2', 'e2');
        assert.strictEqual(await one.putBack(sid, '', 'u'), 2, `of "${sid}"`);
      }
    },
  );

  ours.embedded('what has expired goes with a clean too', async () => {
    const one = await open();
    const uids = Array.from({ length: 5000 }, (_, i) => `u${i}`);
    await one.call('add', 'a', uids, 's1');
    await one.purge('s1', '', 60000);
    // All of them for a shorter time: the steps of a long purge remove what has expired before its end.
    await one.call('add', 'b', 'u', 's1');
    await one.purge('s1', '', 1);
    await until(async () => (await one.uids('s1', 'goneUids')).length === 0, 'its end');
    // The first one sets it aside, the second one removes some of it.
    for (let n = 0; n < 2; n += 1) await one.claim('s2', `e${n}`);
    await one.release('s2', 'e1');
    const keys = await ctx.store.keys();
    const aside = keys.filter((key) => /^P@gone:}[0-9a-f]{16}$/.test(key));
    assert.ok(aside.length > 0, 'it is gone before the clean');
    assert.deepStrictEqual(keys, aside);
    await one.call('clean');
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  ours.embedded(
    'what an earlier build has kept, without a time, counts, and is given one',
    async () => {
      const prefix = 'P:Q';
      const [one, other] = [await open({ prefix }), await open({ prefix })];
      // Its channels are the keys of the others, so that it can remove the time.
      const raw = await started(ctx.store, { prefix: 'P' });
      const times = () => ok(raw, 'getMembersBySid', 'Q@gone', '{s1}:until');
      const withoutTime = async (uid) => {
        await one.call('add', ['a', 'b'], uid, 's1');
        await one.purge('s1', '', 60000);
        await ok(raw, 'leave', 'Q@gone', (await times())[0], '{s1}:until');
        assert.deepStrictEqual(await times(), []);
      };
      await withoutTime('u');
      assert.deepStrictEqual(await one.uids('s1', 'goneUids'), ['u']);
      assert.strictEqual(await one.putBack('s1', '', 'u'), 2);
      await withoutTime('u');
      await other.claim('s2', 'e2', 6000);
      const [from, end] = (await times())[0].split(' ').map(Number);
      assert.strictEqual(end - from, 60000);
      // A time that there is stays.
      await other.renew('s2', 'e2', 9000);
      assert.deepStrictEqual(await times(), [`${from} ${end}`]);
      assert.strictEqual(await one.putBack('s1', '', 'u'), 2);
      await withoutTime('u');
      await other.claim('s3', 'e3', 1);
      await until(async () => (await one.uids('s1', 'goneUids')).length === 0, 'its end');
      assert.strictEqual(await one.putBack('s1', '', 'u'), 0);
    },
  );

  ours.redis('a key that is no set does not keep the others', async () => {
    const one = await open();
    await one.call('add', ['a', 'b', 'c'], 'u', 's1');
    await ctx.redis.run(0, 'set', 'P:b:s1', 'no set');
    assert.deepStrictEqual(await one.channels('u', 's1'), ['a', 'c']);
    assert.deepStrictEqual(await one.leaveAll('u', 's1'), ['a', 'c']);
    await one.call('add', ['a', 'c'], 'u', 's1');
    assert.strictEqual((await one.purge('s1', '')).count, 2);
    const { err } = await call(one.service, 'add', 'b', 'u', 's1');
    assert.match(err.message, /^WRONGTYPE/);
  });

  ours.redis(
    'with all of its rights everything works, and without one the error names it',
    async () => {
      const USER = { username: 'gc', password: 'p' };
      const grant = (rights) =>
        ctx.redis.run(
          0,
          'acl',
          'setuser',
          USER.username,
          'reset',
          'on',
          `>${USER.password}`,
          '~P:*',
          '~P@*',
          'resetchannels',
          '-@all',
          ...rights,
        );
      const all = [...PLAIN, ...CACHE, ...LEASES, ...MEMBERS];
      await grant(all);
      const one = await open(USER);
      const everything = async () => {
        await one.call('add', ['a', 'b'], 'u', 's1');
        await one.call('leave', 'b', 'u', 's1');
        await one.channels('u', 's1');
        await one.uids('s1');
        await one.purge('s1', '', 60000);
        await one.call('destroyChannel', 'a', { everywhere: true });
        await one.putBack('s1', '', 'u');
        await one.forget('s1', '');
        await one.call('add', 'a', 'u', 's1');
        await one.leaveAll('u', null);
      };
      await everything();
      for (const right of [...MEMBERS, '+eval']) {
        await grant(all.filter((each) => each !== right));
        await assert.rejects(everything(), ({ code, message }) => {
          assert.strictEqual(code, 'ERR_GLOBAL_CHANNEL_STORE');
          assert.match(message.toLowerCase(), new RegExp(right.slice(1)), message);
          return true;
        });
      }
    },
  );

  ours.embedded('what is too long for an entry is refused by name', async () => {
    const one = await open();
    const refused = async (...args) => {
      const { err } = await call(one.service, ...args);
      assert.strictEqual(err?.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', args[0]);
      return err.message;
    };
    const [name, uid] = ['n'.repeat(300), 'u'.repeat(200)];
    const words = /^arguments name and uid have 300 and 200 bytes, and 504 in the index/;
    assert.match(await refused('add', name, uid, 's1'), words);
    assert.match(await refused('add', [name], uid, 's1'), words);
    assert.match(await refused('addMany', name, [{ uid, sid: 's1' }]), words);
    await one.call('add', name.slice(1), uid, 's1');
    assert.deepStrictEqual(await one.leaveAll(uid, 's1'), [name.slice(1)]);
    const { err } = await call(one.service, 'leaveAll', 'u'.repeat(503), 's1');
    assert.ifError(err);
  });

  ours(
    'a call about one frontend comes after an earlier one about all, also where it was unknown',
    async () => {
      const other = await open();
      for (const sid of ['gone-1', 'gone-2']) await other.call('add', ['a', 'b'], 'u', sid);
      const one = await open();
      const calls = [
        one.call('leave', 'a', 'u', null),
        one.channels('u', 'gone-1'),
        one.leaveAll('u', 'gone-2'),
      ];
      assert.deepStrictEqual((await Promise.all(calls)).slice(1), [['b'], ['b']]);
    },
  );

  ours('a server id that is no hash tag is refused', async () => {
    const one = await open();
    for (const args of [
      ['add', 'a', 'u', ''],
      ['leaveAll', 'u', '}x'],
    ]) {
      const { err } = await call(one.service, ...args);
      assert.match(err?.message, /^argument sid is ".*", which is no hash tag/);
    }
  });

  ours('a custom manager cannot have it', () => {
    const err = refusal({ ...SESSION, channelManager: { add() {} } });
    assert.match(err.message, /^option membership is "session"; accepted is "persistent" with/);
    assert.match(refusal({ membership: 'x' }).message, /^option membership is "x"; accepted/);
  });
});
