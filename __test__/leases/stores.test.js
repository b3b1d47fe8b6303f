'use strict';

/**
 * Leases of frontends and the sets of their online users (lib/leases.js), on each store: what each operation does, and the races
 * between processes, step by step.
 */

const assert = require('assert');
const { promisify } = require('util');
const { Leases, MINUTE, checkFence } = require('../support/leases');
const { ours, stores } = require('../support/rows');
const { started } = require('../support/service');

stores('leases', (ctx) => {
  const open = async (opts) => new Leases(await started(ctx.store, { prefix: 'P', ...opts }));

  ours('is claimed, renewed, listed and released', async () => {
    const one = await open();
    assert.deepStrictEqual(await one.list(), []);
    assert.deepStrictEqual(await one.claim('s1', 'e1'), { previous: null, removed: 0 });
    assert.strictEqual(await one.add('s1', 'u1', 'u2'), 2);
    assert.deepStrictEqual(await one.renew('s1', 'e1'), {
      state: 'held',
      count: 2,
      epoch: 'e1',
    });
    const [{ sid, epoch, ttl }] = await one.list();
    assert.deepStrictEqual({ sid, epoch }, { sid: 's1', epoch: 'e1' });
    assert.ok(ttl > MINUTE / 2 && ttl <= MINUTE, `${ttl} ms`);
    assert.deepStrictEqual(await one.release('s1', 'e1'), { released: true, removed: 2 });
    assert.deepStrictEqual(await one.release('s1', 'e1'), { released: true, removed: 0 });
    assert.deepStrictEqual(await one.list(), []);
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  ours('knows who is online on several frontends', async () => {
    const one = await open();
    await one.add('s1', 'u1', 'u2');
    await one.add('s2', 'u2', 'ü {}');
    assert.deepStrictEqual(await one.members('s1', 's2', 's3'), [['u1', 'u2'], ['u2', 'ü {}'], []]);
    assert.deepStrictEqual(await one.count('s1', 's2', 's3'), [2, 2, 0]);
    assert.deepStrictEqual(await one.isMember(['s1', 's2'], ['u1', 'u2', 'u3']), [
      [true, false],
      [true, true],
      [false, false],
    ]);
    assert.deepStrictEqual(await one.isMember(['s1'], []), []);
    assert.strictEqual(await one.remove('s1', 'u1', 'u9'), 1);
    assert.deepStrictEqual(await one.members('s1'), [['u2']]);
  });

  ours.redis('the list of users stays in memory while the lease is renewed', async () => {
    const one = await open();
    await one.claim('s1', 'e1');
    await one.add('s1', 'u1', 'u2');
    await ctx.redis.run(0, 'config', 'resetstat');
    for (let i = 0; i < 6; i += 1) {
      assert.strictEqual((await one.renew('s1', 'e1')).state, 'held');
      assert.deepStrictEqual(await one.members('s1'), [['u1', 'u2']]);
    }
    const stats = (await ctx.redis.run(0, 'info', 'commandstats')).toString();
    // The second one asks the server to report changes.
    assert.match(stats, /cmdstat_smembers:calls=2,/);
    await one.remove('s1', 'u1');
    assert.deepStrictEqual(await one.members('s1'), [['u2']]);
  });

  ours('takes many users in several commands', async () => {
    const one = await open();
    const uids = Array.from({ length: 2500 }, (_, i) => `u${i}`);
    assert.strictEqual(await one.add('s1', ...uids), 2500);
    assert.deepStrictEqual(await one.count('s1'), [2500]);
    assert.strictEqual(await one.remove('s1', ...uids), 2500);
  });

  ours('a later claim wins, and removes what the earlier epoch has left', async () => {
    const [old, next] = [await open(), await open()];
    await old.claim('s1', 'e1');
    await old.add('s1', 'u1', 'u2');
    assert.deepStrictEqual(await old.members('s1'), [['u1', 'u2']]);
    assert.deepStrictEqual(await old.members('s1'), [['u1', 'u2']], 'from memory');
    assert.deepStrictEqual(await next.claim('s1', 'e2'), { previous: 'e1', removed: 2 });
    assert.deepStrictEqual(await old.members('s1'), [[]], 'the memory knows it');
    assert.deepStrictEqual(await next.members('s1'), [[]]);
  });

  ours('renewing against a later claim is lost and changes nothing, both ways round', async () => {
    const [old, next] = [await open(), await open()];
    await old.claim('s1', 'e1');
    assert.strictEqual((await old.renew('s1', 'e1')).state, 'held');
    await next.claim('s1', 'e2');
    await next.add('s1', 'u3');
    assert.deepStrictEqual(await old.renew('s1', 'e1'), {
      state: 'lost',
      count: 0,
      epoch: 'e2',
    });
    assert.deepStrictEqual(await old.release('s1', 'e1'), { released: false, removed: 0 });
    assert.deepStrictEqual(await next.members('s1'), [['u3']]);
    assert.strictEqual((await next.renew('s1', 'e2')).state, 'held');
  });

  ours('an earlier epoch writes no users after a later claim, both ways round', async () => {
    await checkFence('s1', await open(), await open());
  });

  ours('who has let the lease expire writes no users', async () => {
    const one = await open();
    await one.claim('s1', 'e1');
    await one.add('s1', 'u1');
    await one.renew('s1', 'e1', 1);
    await one.untilExpired('s1');
    const lost = { state: 'lost', count: 0 };
    assert.deepStrictEqual(await one.write('add', 's1', 'e1', ['u2']), lost);
    assert.deepStrictEqual(await one.write('remove', 's1', 'e1', ['u1']), lost);
    assert.deepStrictEqual(await one.members('s1'), [['u1']], 'until it is swept');
    assert.strictEqual((await one.renew('s1', 'e1')).state, 'regained');
    assert.strictEqual((await one.write('add', 's1', 'e1', ['u2'])).count, 1);
    assert.deepStrictEqual(await one.members('s1'), [['u1', 'u2']]);
  });

  ours('two claims at once: one holds the lease, and the other is told', async () => {
    const [one, two] = [await open(), await open()];
    for (let round = 0; round < 10; round += 1) {
      const sid = `s${round}`;
      await Promise.all([one.claim(sid, 'e1'), two.claim(sid, 'e2')]);
      const states = await Promise.all([one.renew(sid, 'e1'), two.renew(sid, 'e2')]);
      assert.deepStrictEqual(states.map(({ state }) => state).sort(), ['held', 'lost']);
    }
  });

  ours('expires; who is swept then, and who comes back, is told', async () => {
    const [one, other] = [await open(), await open()];
    await one.claim('s1', 'e1', 50);
    await one.add('s1', 'u1');
    await other.untilExpired('s1');
    assert.deepStrictEqual(await other.members('s1'), [['u1']], 'until it is swept');
    assert.deepStrictEqual(await other.sweep('s1'), { swept: true, removed: 1 });
    assert.deepStrictEqual(await other.list(), []);
    assert.deepStrictEqual(await one.renew('s1', 'e1'), {
      state: 'regained',
      count: 0,
      epoch: 'e1',
    });
    assert.strictEqual((await other.list()).length, 1, 'it is noted again');
    assert.strictEqual((await one.renew('s1', 'e1')).state, 'held');
  });

  ours('sweeping against a renewal: what is renewed is not swept', async () => {
    const [one, other] = [await open(), await open()];
    await one.claim('s1', 'e1', 50);
    await one.add('s1', 'u1');
    await other.untilExpired('s1');
    assert.deepStrictEqual(await one.renew('s1', 'e1'), {
      state: 'regained',
      count: 1,
      epoch: 'e1',
    });
    assert.deepStrictEqual(await other.sweep('s1'), { swept: false, removed: 0 });
    assert.deepStrictEqual(await other.members('s1'), [['u1']]);
  });

  ours(
    'a claim between the steps of a sweep, or of a release, leaves the lease noted',
    async () => {
      const [one, other] = [await open(), await open()];
      for (const [sid, act] of [
        ['s1', () => other.sweep('s1')],
        ['s2', () => other.release('s2', 'e0')],
      ]) {
        // The other one has seen no lease, and is about to forget it.
        const restore = other.replace('_forgetLease', async (forget, ...args) => {
          await one.claim(sid, 'e1');
          await one.add(sid, 'u1');
          forget(...args);
        });
        await act();
        restore();
        const found = (await one.list()).find((lease) => lease.sid === sid);
        assert.strictEqual(found && found.epoch, 'e1');
        assert.deepStrictEqual(await one.members(sid), [['u1']]);
      }
    },
  );

  ours('a claim that arrives after that of a newer process changes nothing', async () => {
    const [old, next] = [await open(), await open()];
    await next.claim('s1', 'e2');
    await next.add('s1', 'u1');
    // As it was sent before the other one: it expects that no epoch holds the lease.
    const late = promisify(old.service._claim.bind(old.service));
    const [lease] = JSON.parse(await late(['s1'], ['e1', '0', String(MINUTE), '']));
    assert.strictEqual(lease.state, 'lost');
    assert.strictEqual((await next.renew('s1', 'e2')).state, 'held');
    assert.deepStrictEqual(await next.members('s1'), [['u1']]);
  });

  ours('a claim that is sent again answers as before, and removes nothing more', async () => {
    const one = await open();
    const claim = promisify(one.service._claim.bind(one.service));
    const first = await claim(['s1'], ['e1', '0', String(MINUTE), '']);
    await one.write('add', 's1', 'e1', ['u1']);
    const second = await claim(['s1'], ['e1', '0', String(MINUTE), '']);
    assert.deepStrictEqual(
      [first, second].map((text) => JSON.parse(text)).map(([{ state, count }]) => [state, count]),
      [
        ['held', 0],
        ['held', 0],
      ],
    );
    assert.deepStrictEqual(await one.members('s1'), [['u1']]);
  });

  ours('two sweepers at once remove each user once', async () => {
    const [one, two, three] = [await open(), await open(), await open()];
    await one.claim('s1', 'e1', 50);
    await one.add('s1', 'u1', 'u2', 'u3');
    await two.untilExpired('s1');
    const swept = await Promise.all([two.sweep('s1'), three.sweep('s1')]);
    assert.strictEqual(swept[0].removed + swept[1].removed, 3);
    assert.deepStrictEqual(await one.list(), []);
  });

  ours('a renewal that fails after the store has done it says so the next time', async () => {
    const one = await open();
    // The step after the renewal fails, as when the connection is lost there.
    const fails = (note, sids, items, cb) => cb(new Error('lost'));
    const restore = one.replace('_noteLease', fails);
    await assert.rejects(one.renew('s1', 'e1'), /lost/);
    restore();
    assert.strictEqual((await one.renew('s1', 'e1')).state, 'regained');
    assert.strictEqual((await one.renew('s1', 'e1')).state, 'held');
  });

  ours('is no part of what clean removes, nor of stats', async () => {
    const one = await open();
    await one.claim('s1', 'e1');
    await one.add('s1', 'u1');
    const { commands } = one.service.stats();
    assert.ok(
      Object.values(commands).every((calls) => calls === 0),
      JSON.stringify(commands),
    );
    await one.service.promises.clean();
    assert.strictEqual((await one.renew('s1', 'e1')).count, 1);
  });

  ours('has room beyond maxQueue, and is refused before start and after stop', async () => {
    const one = await open({ maxQueue: 1 });
    const calls = [];
    one.service.add('room', 'u1', 's1', (err) => calls.push(err));
    await one.claim('s1', 'e1');
    await one.service.promises.stop(true);
    await assert.rejects(one.renew('s1', 'e1'), { code: 'ERR_GLOBAL_CHANNEL_STOPPED' });
    assert.deepStrictEqual(calls, [null]);
  });

  ours('refuses a server id that is no hash tag', async () => {
    const one = await open();
    for (const sid of ['', '}', '}x']) {
      await assert.rejects(one.claim(sid, 'e1'), { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
    }
  });
});
