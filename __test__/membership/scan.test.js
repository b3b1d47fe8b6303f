'use strict';

/**
 * Option `membership: 'session'` and members that are not in the index, because 0.0.7 or a process with `'persistent'` has added
 * them: a slow scan finds those without a session on a frontend that runs, and those on one that is dead. The lease is 1 s,
 * so that scans come every 10 s.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');

const MEMBERSHIP = { membership: 'session', leaveDelay: 100, leaseTtl: 1000 };
/** More than one page of a scan. */
const CHANNELS = Array.from({ length: 150 }, (_, n) => `room-${n}`);
const PATIENCE = 20000;

stores('M members that are not in the index', (ctx) => {
  const persistent = () => started(ctx.store, {}, frontendApp());
  const backend = () => started(ctx.store, MEMBERSHIP, frontendApp());
  const frontend = (sid) => startFrontend(ctx.store, sid, MEMBERSHIP);

  async function become(service, name, sid, ...expected) {
    const read = async () => (await ok(service, 'getMembersBySid', name, sid)).sort();
    const isSo = async () => String(await read()) === String(expected);
    await until(isSo, `${name} on ${sid} to be ${expected}`, PATIENCE).catch(() => {});
    assert.deepStrictEqual(await read(), expected, name);
  }

  ours('M30 what was there before the start goes soon, if it has no session', async () => {
    const peer = await persistent();
    await ok(peer, 'add', CHANNELS, ['alice', 'bob', 'carol'], 's1');
    await ok(peer, 'add', 'room-0', 'bob', 's2');
    const s1 = await frontend('s1');
    s1.login('alice');
    for (const name of CHANNELS) await become(peer, name, 's1', 'alice');
    assert.deepStrictEqual(await ok(peer, 'getMembersBySid', 'room-0', 's2'), ['bob']);
    const { leaves, found } = s1.service.stats().membership;
    assert.deepStrictEqual([leaves.reconcile, leaves.close], [2 * CHANNELS.length, 0]);
    assert.ok(found >= 2);
  });

  ours(
    'M31 what is added later, and whose session ends later, goes with another scan',
    async () => {
      const [peer, s1] = [await persistent(), await frontend('s1')];
      const session = s1.login('alice');
      s1.login('carol');
      // The first scan, which finds what was there.
      await ok(peer, 'add', 'a', 'dave', 's1');
      await become(peer, 'a', 's1');
      await ok(peer, 'add', ['a', 'b'], ['alice', 'bob', 'carol'], 's1');
      s1.close(session);
      for (const name of ['a', 'b']) await become(peer, name, 's1', 'carol');
    },
  );

  ours(
    'M32 what is on a dead frontend goes after its lease, and is kept for its return',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      const leases = new Leases(service);
      const purged = [];
      service.on('purged', (told) => purged.push(told));
      await leases.claim('s9', 'epoch', 1000);
      await ok(service, 'add', 'a', 'alice', 's9');
      await ok(peer, 'add', CHANNELS, ['alice', 'bob'], 's9');
      await ok(peer, 'add', 'room-0', 'bob', 's8');
      for (const name of ['a', ...CHANNELS]) await become(peer, name, 's9');
      assert.deepStrictEqual(await ok(peer, 'getMembersBySid', 'room-0', 's8'), ['bob']);
      const members = () => purged.reduce((sum, told) => sum + told.members, 0);
      await until(() => members() === 1 + 2 * CHANNELS.length, 'the events', PATIENCE).catch(
        () => {},
      );
      assert.strictEqual(members(), 1 + 2 * CHANNELS.length, JSON.stringify(purged));
      const kept = await new Promise((resolve, reject) => {
        service['_members']('goneUids', 's9', '', (err, page) =>
          err ? reject(err) : resolve(page),
        );
      });
      assert.deepStrictEqual(kept.uids.sort(), ['alice', 'bob']);
    },
  );

  ours('M33 a frontend that is back while it is scanned for keeps its members', async () => {
    const [peer, service] = [await persistent(), await backend()];
    const leases = new Leases(service);
    await leases.claim('s9', 'epoch', 1000);
    await ok(peer, 'add', CHANNELS, 'alice', 's9');
    const { _members } = service;
    let isBack = false;
    service['_members'] = function (action, sid, arg, cb) {
      // After the read of the first page, before its members are purged.
      if (action !== 'addBack' || isBack) return void _members.call(this, action, sid, arg, cb);
      isBack = true;
      leases.claim('s9', 'later').then(() => _members.call(this, action, sid, arg, cb), cb);
    };
    await until(() => isBack, 'the scan', PATIENCE);
    const { sweeps } = service.stats().sessions;
    await until(() => service.stats().sessions.sweeps > sweeps + 3, 'more sweeps', PATIENCE);
    for (const name of CHANNELS) await become(peer, name, 's9', 'alice');
  });

  ours.redis('M34 a raw SADD, and 0.0.7', async () => {
    const old = await started(ctx.store, {}, frontendApp(), 'old');
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'raw');
    await ok(old, 'add', 'a', 'old', 's1');
    const s1 = await frontend('s1');
    s1.login('carol');
    await ok(old, 'add', 'a', 'carol', 's1');
    await become(s1.service, 'a', 's1', 'carol');
    await call(old, 'stop', true);
  });
});
