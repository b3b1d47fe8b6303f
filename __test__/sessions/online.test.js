'use strict';

/**
 * Who is online: what the methods answer while sessions are bound, closed, unbound and kicked on frontends of one store. Leases that
 * expire are in leases.test.js, real connectors in pomelo-cluster/sessions.test.js.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok, ONLINE, INDEXED } = require('../support/call');
const { create, refusal, started } = require('../support/service');
const { createApp } = require('../support/app');
const { recordingManager } = require('../support/manager');
const { until } = require('../support/until');
const { frontendApp, startFrontend } = require('./frontend');

stores('S who is online', (ctx) => {
  /** Two frontends and a backend that asks. */
  async function open(opts) {
    const [s1, s2] = await Promise.all(['s1', 's2'].map((sid) => startFrontend(ctx.store, sid)));
    const app = frontendApp(undefined, opts);
    const service = await started(ctx.store, { sessions: true }, app);
    const sids = async (uids) => {
      const found = await ok(service, 'getSidsByUid', uids);
      return Array.isArray(found) ? found.sort() : found;
    };
    /** Until the backend is answered this. */
    const become = (uid, ...expected) =>
      until(async () => String(await sids(uid)) === String(expected), `${uid} on [${expected}]`);
    return { s1, s2, app, service, sids, become };
  }

  ours('S01 a user is online from the bind of a session to the close of the last one', async () => {
    const { s1, service, sids, become } = await open();
    assert.deepStrictEqual(await sids('alice'), []);
    assert.strictEqual(await ok(service, 'isOnline', 'alice'), false);
    const first = s1.login('alice');
    await become('alice', 's1');
    const second = s1.login('alice');
    s1.close(first);
    s1.login('bob');
    await become('bob', 's1');
    assert.strictEqual(await ok(service, 'isOnline', 'alice'), true);
    s1.close(second);
    await become('alice');
    assert.strictEqual(await ok(service, 'isOnline', 'alice'), false);
    assert.deepStrictEqual(await sids('bob'), ['s1']);
  });

  ours('S02 a user who is unbound or kicked is offline', async () => {
    const { s1, become } = await open();
    const session = s1.login('alice');
    s1.login('bob');
    await become('bob', 's1');
    s1.unbind(session);
    s1.kick('bob');
    await become('alice');
    await become('bob');
    s1.bind(session, 'carol');
    await become('carol', 's1');
  });

  ours('S03 a user on two frontends is online until both have ended', async () => {
    const { s1, s2, become } = await open();
    const [one, other] = [s1.login('alice'), s2.login('alice')];
    await become('alice', 's1', 's2');
    s1.close(one);
    await become('alice', 's2');
    s2.close(other);
    await become('alice');
  });

  ours('S04 one uid is answered by itself, an array by uid; any text is a uid', async () => {
    const { s1, s2, service, sids, become } = await open();
    s1.login(7);
    s2.login('__proto__x');
    s2.login('\ud800');
    await become('7', 's1');
    await become('\ufffd', 's2');
    const uids = [7, '__proto__x', 'dave', '__proto__', '\ufffd'];
    const expected = { 7: ['s1'], __proto__x: ['s2'], dave: [], '\ufffd': ['s2'] };
    Object.defineProperty(expected, '__proto__', { value: [], enumerable: true });
    assert.deepStrictEqual(await sids(uids), expected);
    const online = await ok(service, 'isOnline', uids);
    assert.deepStrictEqual(Object.values(online), [true, true, false, false, true]);
    assert.deepStrictEqual(await sids([]), {});
    assert.deepStrictEqual(await service.promises.getSidsByUid('7'), ['s1']);
    assert.deepStrictEqual(await service.promises.isOnline(['7']), { 7: true });
  });

  ours('S05 counts are of users on each frontend, of a type or of all', async () => {
    const { s1, s2, service, become } = await open();
    const count = (type) => ok(service, 'getOnlineCount', type);
    assert.strictEqual(await count(null), 0);
    s1.login('alice');
    s1.login('alice');
    s1.login('bob');
    s2.login('alice');
    await become('bob', 's1');
    await become('alice', 's1', 's2');
    assert.deepStrictEqual(
      [await count(null), await count('connector'), await count('chat'), await count('none')],
      [3, 3, 0, 0],
    );
    assert.strictEqual(await service.promises.getOnlineCount(null), 3);
  });

  ours('S06 sessions that are there before the start are online when it is done', async () => {
    const app = frontendApp('s1');
    const sessions = app.get('sessionService');
    const session = sessions.create(1, 's1', {});
    sessions.bind(session.id, 'alice', () => {});
    const service = await started(ctx.store, { sessions: true }, app);
    assert.deepStrictEqual(await ok(service, 'getSidsByUid', 'alice'), ['s1']);
  });

  ours('S07 after stop the users of a frontend are offline, and it writes no more', async () => {
    const { s1, s2, service, become } = await open();
    s1.login('alice');
    s2.login('alice');
    await become('alice', 's1', 's2');
    await call(s1.service, 'stop', true);
    assert.deepStrictEqual(await ok(service, 'getSidsByUid', 'alice'), ['s2']);
    s1.login('bob');
    assert.strictEqual(await ok(service, 'isOnline', 'bob'), false);
    assert.strictEqual(s1.service.stats().sessions.lease.state, 'released');
  });

  ours('S08 the methods are answered in call order', async () => {
    const { service } = await open();
    const order = [];
    const methods = ['isMember', 'isOnline', 'getCountBySid', 'getOnlineCount', 'getMembersBySid'];
    const args = {
      isMember: ['a', 'u', 's1'],
      isOnline: ['u'],
      getCountBySid: ['a', 's1'],
      getOnlineCount: [null],
      getMembersBySid: ['a', 's1'],
    };
    await Promise.all(
      methods.map((method) =>
        call(service, method, ...args[method]).then(() => order.push(method)),
      ),
    );
    assert.deepStrictEqual(order, methods);
  });

  ours(
    'S09 a push to users goes to each frontend where they are; the others have failed',
    async () => {
      const { s1, s2, app, service, become } = await open();
      s1.login('alice');
      s1.login('bob');
      s2.login('alice');
      await become('alice', 's1', 's2');
      await become('bob', 's1');
      const push = async (uids, ...opts) => {
        app.rpcCalls.length = 0;
        const failed = await ok(service, 'pushMessageByUids', 'connector', 'r', {}, uids, ...opts);
        const sent = app.rpcCalls.map(({ sid, msg }) => [sid, msg.args[2].slice().sort()]);
        return [failed.sort(), sent.sort()];
      };
      const both = [
        ['s1', ['alice', 'bob']],
        ['s2', ['alice']],
      ];
      assert.deepStrictEqual(await push(['alice', 'bob', 'carol', 'alice']), [['carol'], both]);
      assert.deepStrictEqual(await push('bob', { sid: null }), [[], [['s1', ['bob']]]]);
      assert.deepStrictEqual(await push(['carol', 'dave'], { except: 'dave' }), [['carol'], []]);
      assert.deepStrictEqual(await push([]), [[], []]);
      const { err, value } = await call(service, 'pushMessageByUids', 'none', 'r', {}, ['alice']);
      assert.deepStrictEqual([err, value], [null, ['alice']]);
    },
  );

  ours('S15 all users who are online, page by page', async () => {
    const { s1, s2, service, become } = await open();
    const expected = [];
    for (let n = 0; n < 700; n += 1) {
      const frontend = n % 3 === 0 ? s2 : s1;
      frontend.login(`u${n}`);
      expected.push(`u${n}`);
    }
    s2.login('guest-1');
    s1.login('guest-1');
    await become('guest-1', 's1', 's2');
    const all = async (opts) => {
      const [uids, sizes] = [[], []];
      let cursor = null;
      do {
        const page = await ok(service, 'getOnline', { ...opts, cursor });
        uids.push(...page.uids);
        sizes.push(page.uids.length);
        cursor = page.cursor;
      } while (cursor !== null);
      return { uids: uids.sort(), sizes };
    };
    const { uids, sizes } = await all({ limit: 50 });
    assert.deepStrictEqual([...new Set(uids)], [...expected, 'guest-1'].sort());
    assert.ok(sizes.length > 3 && Math.max(...sizes) < 300, `${sizes}`);
    assert.deepStrictEqual((await all({ match: 'guest-*' })).uids, ['guest-1', 'guest-1']);
    assert.deepStrictEqual((await all({ match: 'none' })).uids, []);
    assert.ok((await service.promises.getOnline()).uids.length > 0);
    const foreign = [1, '', 'x', 'x/s1', `${'0'.repeat(20)}/s1`];
    for (const cursor of foreign) {
      const { err } = await call(service, 'getOnline', { cursor });
      assert.strictEqual(err?.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', String(cursor));
      assert.match(err.message, /opts.cursor/);
    }
  });

  ours.redis('S18 uids that are not UTF-8 are read with U+FFFD, and the pages end', async () => {
    const { s1, service, become } = await open();
    s1.login('alice');
    await become('alice', 's1');
    const odd = Array.from({ length: 600 }, (_, i) => Buffer.from([0x80 + (i % 128), i >> 7]));
    const [key] = (await ctx.redis.keys()).filter((name) => /@online/.test(name));
    await ctx.redis.run(0, 'sadd', key, ...odd);
    const uids = [];
    let cursor = null;
    for (let page = 0; page === 0 || cursor !== null; page += 1) {
      assert.ok(page < 200, 'the pages end');
      const answer = await ok(service, 'getOnline', { limit: 20, cursor });
      uids.push(...answer.uids);
      ({ cursor } = answer);
    }
    assert.ok(uids.includes('alice'));
    assert.ok(uids.filter((uid) => uid.startsWith('\ufffd')).length >= 600);
    assert.deepStrictEqual(await ok(service, 'isOnline', 'alice'), true);
  });

  ours('S16 a frontend that is gone between two pages is left out', async () => {
    const { s1, s2, service, become } = await open();
    for (let n = 0; n < 300; n += 1) s1.login(`u${n}`);
    s2.login('alice');
    await become('u299', 's1');
    await become('alice', 's2');
    const { cursor } = await ok(service, 'getOnline', { limit: 1 });
    assert.ok(cursor.endsWith('/s1'));
    await call(s1.service, 'stop', true);
    assert.deepStrictEqual(await ok(service, 'getOnline', { cursor }), {
      uids: ['alice'],
      cursor: null,
    });
    await call(s2.service, 'stop', true);
    assert.deepStrictEqual(await ok(service, 'getOnline', { cursor }), { uids: [], cursor: null });
  });

  ours('S17 questions of one tick do not change the answers of one another', async () => {
    const { service, become } = await open();
    // Many: the store gives them in an order of its own.
    const sids = Array.from({ length: 10 }, (_, i) => `f${(i * 7) % 10}`);
    for (const sid of sids) (await startFrontend(ctx.store, sid)).login(`on-${sid}`);
    for (const sid of sids) await become(`on-${sid}`, sid);
    const uids = sids.map((sid) => `on-${sid}`);
    const [places, { uids: first }, online] = await Promise.all([
      ok(service, 'getSidsByUid', uids),
      ok(service, 'getOnline', { limit: 100 }),
      ok(service, 'isOnline', uids),
    ]);
    assert.deepStrictEqual(places, Object.fromEntries(sids.map((sid) => [`on-${sid}`, [sid]])));
    assert.deepStrictEqual(first, [...uids].sort());
    assert.deepStrictEqual(online, Object.fromEntries(uids.map((uid) => [uid, true])));
  });

  ours('S10 arguments that are none of the kind are refused by name', async () => {
    const { service } = await open();
    const refused = async (method, ...args) => {
      const { err } = await call(service, method, ...args);
      assert.strictEqual(err?.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', method);
      return err.message;
    };
    assert.match(await refused('isOnline', null), /^argument uids is null/);
    assert.match(await refused('getSidsByUid', ['a', {}]), /^argument uids\[1\] is an object/);
    assert.match(await refused('getOnlineCount', {}), /^argument serverType is an object/);
    assert.match(await refused('getChannelsByUid', [], 's1'), /^argument uid is an object/);
  });

  ours('S11 methods that need an index of channels name the option that keeps it', async () => {
    const { service } = await open();
    for (const [method, args] of Object.entries(INDEXED)) {
      const { err, n } = await call(service, method, ...args);
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED');
      assert.match(err.message, new RegExp(`^${method} needs .* membership: 'session'`));
      assert.strictEqual(n, 1);
    }
  });

  ours('S12 without the option the methods name it, and nothing is written', async () => {
    const app = frontendApp('s1');
    const service = await started(ctx.store, {}, app);
    for (const [method, args] of Object.entries(ONLINE)) {
      const { err, argc } = await call(service, method, ...args);
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED', method);
      assert.match(err.message, /needs option sessions: true, on every server/);
      assert.strictEqual(argc, 2);
    }
    assert.strictEqual(service.stats().sessions, null);
    assert.strictEqual(app.event.listenerCount('bind_session'), 0);
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  ours('S13 stats().sessions has the lease, the sessions and the users', async () => {
    const { s1, service, become } = await open();
    s1.login('alice');
    s1.login('alice');
    s1.open();
    await become('alice', 's1');
    const { lease, sessions, users, comparisons } = s1.service.stats().sessions;
    assert.deepStrictEqual([lease.sid, lease.state, sessions, users], ['s1', 'held', 2, 1]);
    assert.ok(lease.age >= 0 && lease.age < 60000 && comparisons === 1);
    const backend = service.stats().sessions;
    assert.deepStrictEqual([backend.lease, backend.sessions], [null, 0]);
  });

  ours('S14 before start and after stop the methods are refused as all are', async () => {
    const service = create(ctx.store.options({ sessions: true }), createApp());
    const refused = async () => {
      for (const [method, args] of Object.entries({ ...ONLINE, ...INDEXED })) {
        const { err, sync } = await call(service, method, ...args);
        assert.deepStrictEqual([err?.code, sync], ['ERR_GLOBAL_CHANNEL_INVALID_STATE', true]);
      }
    };
    await refused();
    await ok(service, 'start');
    await call(service, 'stop', true);
    await refused();
  });
});

stores('S options of the registry', (ctx) => {
  ours('S20 a custom manager has no registry: the constructor says so', () => {
    const err = refusal({ channelManager: recordingManager(), sessions: true });
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_OPTION');
    assert.match(err.message, /^option sessions is true; .* channelManager/);
  });

  ours('S21 with a custom manager and without the option the methods say why not', async () => {
    const service = create({ channelManager: recordingManager() });
    await ok(service, 'start');
    const { err } = await call(service, 'isOnline', 'u');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED');
    assert.match(err.message, /channelManager/);
  });

  ours('S23 in a cluster a prefix that puts the keys of a frontend apart is refused', () => {
    const options = { cluster: ['127.0.0.1:1'], sessions: true };
    assert.match(refusal({ ...options, prefix: 'P{' }).message, /^option prefix .* sessions/);
    assert.strictEqual(refusal({ ...options, prefix: 'P{x}' }), undefined);
    assert.strictEqual(refusal({ ...options, prefix: 'P{', sessions: false }), undefined);
  });

  ours('S22 leaseTtl has limits', () => {
    for (const leaseTtl of [0, 999, 86400001, 'soon', 1500.5]) {
      const err = refusal(ctx.store.options({ sessions: true, leaseTtl }));
      assert.match(err.message, /^option leaseTtl is /, String(leaseTtl));
    }
    assert.strictEqual(refusal(ctx.store.options({ sessions: true, leaseTtl: '1000' })), undefined);
  });
});
