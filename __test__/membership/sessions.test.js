'use strict';

/**
 * Option `membership: 'session'`: members on frontends of one store while their sessions are bound, closed, unbound and kicked, and
 * while frontends start, stop, die and come back. The index in the store is in the other files of this folder, real connectors
 * in pomelo-cluster/membership.test.js. Times are short: a lease of 1 s, which is renewed every 333 ms.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { createBecome, members } = require('../support/channel-members');
const { Leases } = require('../support/leases');
const { logged } = require('../support/log');
const { refusal, started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');

const LEASE = { leaseTtl: 1000 };
/** Of a frontend that is dead: long enough to give it members before that, also on a busy machine. */
const DEAD = 3000;
const MEMBERSHIP = { membership: 'session', leaveDelay: 100, ...LEASE };

stores('M members live as long as their sessions', (ctx) => {
  const start = (sid, opts) => startFrontend(ctx.store, sid, { ...MEMBERSHIP, ...opts });

  const backend = (opts) => started(ctx.store, { ...MEMBERSHIP, ...opts }, frontendApp());

  /** Two frontends and a backend. */
  async function open(opts) {
    const [s1, s2] = [await start('s1', opts), await start('s2', opts)];
    return { s1, s2, service: await backend(opts) };
  }

  const become = createBecome();

  const figures = ({ service }) => service.stats().membership;

  ours(
    'M01 after the last close and the delay a user is in no channel of the frontend',
    async () => {
      const { s1, service } = await open();
      const [first, second] = [s1.login('alice'), s1.login('alice')];
      s1.login('bob');
      await ok(service, 'add', ['a', 'b'], ['alice', 'bob'], 's1');
      s1.close(first);
      await nothingFor(300);
      await become(service, 'a', 'alice s1', 'bob s1');
      s1.close(second);
      await become(service, 'a', 'bob s1');
      await become(service, 'b', 'bob s1');
      assert.deepStrictEqual(figures(s1).leaves, { close: 2, reconcile: 0, stop: 0, purge: 0 });
      await until(() => figures(s1).waiting === 0, 'the end of the leaves');
    },
  );

  ours('M02 who reconnects within the delay is a member all the time', async () => {
    const { s1, service } = await open({ leaveDelay: 2000 });
    let session = s1.login('alice');
    await ok(service, 'add', 'a', 'alice', 's1');
    const end = Date.now() + 3 * LEASE.leaseTtl;
    while (Date.now() < end) {
      s1.close(session);
      await nothingFor(50);
      assert.strictEqual(await ok(service, 'isMember', 'a', 'alice', 's1'), true);
      session = s1.login('alice');
      await nothingFor(50);
      assert.strictEqual(await ok(service, 'isMember', 'a', 'alice', 's1'), true);
    }
    assert.strictEqual(figures(s1).leaves.close, 0);
  });

  ours('M03 a user on two frontends leaves where the session has ended', async () => {
    const { s1, s2, service } = await open();
    const [one, other] = [s1.login('alice'), s2.login('alice')];
    await ok(service, 'addMany', 'a', [
      { uid: 'alice', sid: 's1' },
      { uid: 'alice', sid: 's2' },
    ]);
    s1.close(one);
    await become(service, 'a', 'alice s2');
    s2.close(other);
    await become(service, 'a');
  });

  ours('M04 who is unbound or kicked leaves, and one who is bound to another user', async () => {
    const { s1, service } = await open();
    const session = s1.login('alice');
    s1.login('bob');
    await ok(service, 'add', 'a', ['alice', 'bob', 'carol'], 's1');
    s1.unbind(session);
    s1.kick('bob');
    s1.bind(session, 'carol');
    await become(service, 'a', 'carol s1');
  });

  ours('M05 an add that comes after the close is undone with the next renewal', async () => {
    const { s1, service } = await open();
    s1.login('alice');
    s1.close(s1.login('bob'));
    await until(() => figures(s1).waiting === 0, 'the close to be done');
    await ok(service, 'add', 'a', ['alice', 'bob'], 's1');
    await become(service, 'a', 'alice s1');
    const { leaves, found } = figures(s1);
    assert.deepStrictEqual([leaves.reconcile, found], [1, 1]);
  });

  ours.redis('M05 a comparison reads no list that has not changed', async () => {
    const { s1, service } = await open();
    const uids = Array.from({ length: 100 }, (_, i) => `${i}`.padStart(200, 'u'));
    uids.forEach((uid) => s1.login(uid));
    await ok(service, 'add', ['a', 'b'], uids, 's1');
    const compared = (count) => {
      const end = figures(s1).comparisons + count;
      return until(async () => figures(s1).comparisons >= end, `${count} comparisons`);
    };
    const bytes = async () => {
      const stats = (await ctx.redis.run(0, 'info', 'stats')).toString();
      return Number(/total_net_output_bytes:(\d+)/.exec(stats)[1]);
    };
    // The lists are in memory after some of them.
    await compared(6);
    const before = await bytes();
    await compared(3);
    const read = (await bytes()) - before;
    assert.ok(read < 15000, `${read} bytes, where one list has 20000`);
    // A user without a session is found as ever.
    await ok(service, 'add', 'a', 'carol', 's1');
    await until(async () => figures(s1).leaves.reconcile === 1, 'carol to leave');
    assert.strictEqual(await ok(service, 'isMember', 'a', 'carol', 's1'), false);
  });

  ours('M06 a session that ended without an event is found by a renewal', async () => {
    const { s1, service } = await open();
    const session = s1.login('alice');
    await ok(service, 'add', 'a', 'alice', 's1');
    const { event } = s1.app;
    s1.app.event = { emit() {} };
    s1.close(session);
    s1.app.event = event;
    await become(service, 'a');
  });

  ours('M07 what was left in the time of the delay stays left', async () => {
    const { s1, service } = await open({ leaveDelay: 2000 });
    const session = s1.login('alice');
    await ok(service, 'add', ['a', 'b'], 'alice', 's1');
    s1.close(session);
    await ok(service, 'leave', 'a', 'alice', 's1');
    s1.login('alice');
    await nothingFor(2300);
    await become(service, 'a');
    await become(service, 'b', 'alice s1');
  });

  ours('M08 a stop removes the members of the frontend, before its callback', async () => {
    const { s1, s2, service } = await open();
    s1.login('alice');
    s2.login('bob');
    const uids = Array.from({ length: 1000 }, (_, n) => `u${n}`);
    uids.forEach((uid) => s1.login(uid));
    await ok(service, 'add', 'a', ['alice', ...uids], 's1');
    await ok(service, 'add', 'a', 'bob', 's2');
    await call(s1.service, 'stop', true);
    assert.deepStrictEqual(await members(service, 'a'), ['bob s2']);
    assert.strictEqual(figures(s1).leaves.stop, 1001);
  });

  ours('M09 what an earlier process has left is gone when the start is done', async () => {
    const { s1, s2, service } = await open();
    const session = s1.login('alice');
    s2.login('bob');
    await ok(service, 'add', 'a', 'alice', 's1');
    await ok(service, 'add', 'a', 'bob', 's2');
    // The earlier one is replaced: it says so, perhaps before the other one has started, and decides nothing any more.
    const lost = new Promise((resolve) => s1.service.once('lease-lost', resolve));
    const later = await start('s1');
    assert.deepStrictEqual(await members(service, 'a'), ['bob s2']);
    assert.strictEqual(figures(later).leaves.purge, 1);
    assert.deepStrictEqual(await lost, { sid: 's1' });
    later.login('alice');
    await ok(service, 'add', 'a', 'alice', 's1');
    s1.close(session);
    await nothingFor(2 * LEASE.leaseTtl);
    await become(service, 'a', 'alice s1', 'bob s2');
    assert.strictEqual(figures(s1).waiting, 0);
  });

  for (const membership of ['session', 'persistent']) {
    ours(`M10 the members of a dead frontend go: swept by one with '${membership}'`, async () => {
      const service = await backend({ leaseTtl: 86400000 });
      const sweeper = await backend({ membership, sessions: true });
      const purged = new Promise((resolve) => sweeper.on('purged', resolve));
      const dead = new Leases(service);
      await dead.claim('s1', 'session-e1', DEAD);
      // Until the sweeper has seen it.
      const { sweeps } = sweeper.stats().sessions;
      const isSeen = async () => {
        await dead.renew('s1', 'session-e1', DEAD);
        return sweeper.stats().sessions.sweeps >= sweeps + 2;
      };
      await until(isSeen, 'the lease to be seen');
      await dead.add('s1', 'zoe', 'yan');
      await ok(service, 'add', ['a', 'b'], ['zoe', 'yan'], 's1');
      await become(service, 'a', 'yan s1', 'zoe s1');
      assert.deepStrictEqual(await purged, { sid: 's1', users: 2, members: 4 });
      await become(service, 'a');
      await become(service, 'b');
      const expected = membership === 'session' ? 4 : undefined;
      assert.strictEqual(sweeper.stats().membership?.leaves.purge, expected);
      if (membership === 'session') {
        const { purgeLag } = sweeper.stats().membership;
        assert.ok(purgeLag >= 0 && purgeLag < 60000, `${purgeLag} ms`);
      }
    });
  }

  ours('M11 a frontend that was cut off has the members of open sessions again', async () => {
    const { s1, service } = await open();
    s1.login('alice');
    const session = s1.login('bob');
    await ok(service, 'add', ['a', 'b'], ['alice', 'bob'], 's1');
    const regained = new Promise((resolve) => s1.service.once('lease-regained', resolve));
    const leases = new Leases(s1.service);
    const undo = leases.replace('_renew', (original, ...args) =>
      args.pop()(new Error('the store is away')),
    );
    await become(service, 'a');
    s1.close(session);
    // Until the delay of his leave is over.
    await nothingFor(300);
    undo();
    assert.deepStrictEqual(await regained, { sid: 's1' });
    await become(service, 'a', 'alice s1');
    await become(service, 'b', 'alice s1');
    assert.strictEqual(figures(s1).putBack, 2);
  });

  ours('M12 sessions that come and go: in the end the members are the open sessions', async () => {
    const { s1, s2, service } = await open();
    const frontends = [s1, s2];
    const there = [];
    const adds = [];
    for (let step = 0; step < 3000; step += 1) {
      const at = Math.floor(Math.random() * there.length);
      if (there.length > 100 || (there.length > 0 && Math.random() < 0.48)) {
        const [{ frontend, session }] = there.splice(at, 1);
        if (step % 3 === 0) frontend.unbind(session);
        frontend.close(session);
      } else {
        const frontend = frontends[step % 2];
        const uid = `u${Math.floor(Math.random() * 150)}`;
        there.push({ frontend, uid, session: frontend.login(uid) });
        adds.push(ok(service, 'add', `c${step % 5}`, uid, frontend.app.serverId));
        if (Math.random() < 0.1) adds.push(ok(service, 'add', 'all', uid, frontend.app.serverId));
      }
      if (step % 50 === 0) await nothingFor(10);
    }
    await Promise.all(adds);
    const expected = [
      ...new Set(there.map(({ frontend, uid }) => `${uid} ${frontend.app.serverId}`)),
    ];
    // The users of all channels are exactly those with a session, and each of these is in one at least.
    const now = async () => {
      const names = ['all', 'c0', 'c1', 'c2', 'c3', 'c4'];
      const lists = await Promise.all(names.map((name) => members(service, name)));
      return [...new Set(lists.flat())].sort();
    };
    const isSo = async () => String(await now()) === String(expected.slice().sort());
    await until(isSo, 'the members to be the open sessions').catch(() => {});
    assert.deepStrictEqual(await now(), expected.sort());
  });

  ours(
    'M13 a frontend that members are added on and that holds no lease is warned of',
    async () => {
      const lines = await logged(async () => {
        await start('s1');
        const service = await backend();
        await ok(service, 'add', 'a', 'alice', 's1');
        await ok(service, 'add', 'a', 'bob', 's2');
        await until(() => service.stats().sessions.sweeps >= 4, 'some looks at the leases');
      });
      const about = lines.filter((line) => line.includes('hold no lease'));
      assert.strictEqual(about.length, 1, about.join('\n'));
      assert.match(about[0], /channels are used on s2, which hold no lease.* membership 'session'/);
    },
  );

  ours(
    'M14 pushes to frontends without a lease are warned of, and persistent ones not',
    async () => {
      const about = async (opts) => {
        const lines = await logged(async () => {
          const service = await backend(opts);
          await ok(service, 'pushMessage', 'connector', 'r', {}, 'a', {});
          await until(() => service.stats().sessions.sweeps >= 4, 'some looks at the leases');
        });
        return lines.filter((line) => line.includes('hold no lease'));
      };
      assert.deepStrictEqual(await about({ membership: 'persistent', sessions: true }), []);
      const lines = await about();
      assert.strictEqual(lines.length, 1);
      assert.match(lines[0], /used on s1, s2, s3,/);
    },
  );

  ours(
    'M15 stats().membership is null without the option, and has figures on backends',
    async () => {
      const persistent = await backend({ membership: 'persistent', sessions: true });
      assert.strictEqual(persistent.stats().membership, null);
      assert.deepStrictEqual((await backend()).stats().membership, {
        leaves: { close: 0, reconcile: 0, stop: 0, purge: 0 },
        waiting: 0,
        putBack: 0,
        comparisons: 0,
        found: 0,
        purgeLag: null,
        scan: { runs: 0, steps: 0, channels: 0, entered: 0, duration: null },
      });
      const s1 = await start('s1');
      await until(() => figures(s1).comparisons >= 2, 'comparisons');
    },
  );

  for (const [what, ms] of [
    ['for a moment', 400],
    ['for longer than the lease', 1500],
  ]) {
    ours.redis(`M16 users who go while the store is away ${what} leave afterwards`, async () => {
      const { s1, service } = await open({ commandTimeout: 200 });
      const sessions = ['alice', 'bob', 'carol'].map((uid) => s1.login(uid));
      await ok(service, 'add', ['a', 'b'], ['alice', 'bob', 'carol'], 's1');
      ctx.redis.pause();
      try {
        sessions.slice(0, 2).forEach((session) => s1.close(session));
        await nothingFor(ms);
        s1.login('bob');
      } finally {
        ctx.redis.resume();
      }
      await become(service, 'a', 'bob s1', 'carol s1');
      await become(service, 'b', 'bob s1', 'carol s1');
      await until(() => figures(s1).waiting === 0, 'nothing to wait');
    });
  }

  ours.redis('M17 a peer of 0.0.7 sees and changes the members as ever', async () => {
    const { s1, service } = await open();
    const old = await started(ctx.store, {}, frontendApp(), 'old');
    const session = s1.login('alice');
    s1.login('bob');
    await ok(service, 'add', 'a', 'alice', 's1');
    await ok(old, 'add', 'a', 'bob', 's1');
    const seen = await ok(old, 'getMembersBySid', 'a', 's1');
    assert.deepStrictEqual(seen.sort(), ['alice', 'bob']);
    s1.close(session);
    await become(service, 'a', 'bob s1');
    assert.deepStrictEqual(await ok(old, 'getMembersBySid', 'a', 's1'), ['bob']);
    await ok(old, 'destroyChannel', 'a');
    await become(service, 'a');
    await call(old, 'stop', true);
  });
});

stores('M options of membership', (ctx) => {
  ours('M20 leaveDelay has limits', async () => {
    for (const leaveDelay of [-1, 3600001, 'soon', 1.5]) {
      const err = refusal(ctx.store.options({ ...MEMBERSHIP, leaveDelay }));
      assert.match(err.message, /^option leaveDelay is /, String(leaveDelay));
    }
    assert.strictEqual(refusal(ctx.store.options({ ...MEMBERSHIP, leaveDelay: '0' })), undefined);
  });

  ours('M21 with a delay of 0 users leave at once', async () => {
    const s1 = await startFrontend(ctx.store, 's1', { ...MEMBERSHIP, leaveDelay: 0 });
    const session = s1.login('alice');
    await ok(s1.service, 'add', 'a', 'alice', 's1');
    s1.close(session);
    const isOut = async () => !(await ok(s1.service, 'isMember', 'a', 'alice', 's1'));
    await until(isOut, 'alice to leave');
  });
});
