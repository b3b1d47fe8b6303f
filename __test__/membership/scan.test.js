'use strict';

/**
 * Option `membership: 'session'` and members that are not in the index, because 0.0.7 or a process with `'persistent'` has added
 * them: a slow scan adds them to it, and then they end as all others. The lease is 1 s, so that scans come every 10 s. In a
 * Redis Cluster: topology/scan.test.js.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');

const MEMBERSHIP = { membership: 'session', leaveDelay: 100, leaseTtl: 1000 };
const CHANNELS = Array.from({ length: 20 }, (_, n) => `room-${n}`);
/** More than one step. */
const CROWD = Array.from({ length: 1000 }, (_, n) => `crowd-${n}`);
const PATIENCE = 40000;
const SLOW = { timeout: 90000 };

stores('M members that are not in the index', (ctx) => {
  const persistent = (opts) => started(ctx.store, opts || {}, frontendApp());
  const backend = () => started(ctx.store, MEMBERSHIP, frontendApp());
  const frontend = (sid, opts) => startFrontend(ctx.store, sid, { ...MEMBERSHIP, ...opts });
  const read = async (service, name, sid) =>
    (await ok(service, 'getMembersBySid', name, sid)).sort();

  async function become(service, name, sid, ...expected) {
    const isSo = async () => String(await read(service, name, sid)) === String(expected);
    await until(isSo, `${name} on ${sid} to be ${expected}`, PATIENCE).catch(() => {});
    assert.deepStrictEqual(await read(service, name, sid), expected, name);
  }

  /** Until the users of the index of `sid` are these. */
  async function indexed(service, sid, ...expected) {
    const page = () =>
      new Promise((resolve, reject) => {
        service['_members']('uids', sid, null, (err, found) =>
          err ? reject(err) : resolve(found),
        );
      });
    const isSo = async () => String((await page()).sort()) === String(expected);
    await until(isSo, `the index of ${sid} to be ${expected}`, PATIENCE);
  }

  ours(
    'M30 what was there before the start goes soon, if it has no session',
    async () => {
      const peer = await persistent();
      await ok(peer, 'add', CHANNELS, ['alice', 'bob', 'carol'], 's1');
      await ok(peer, 'add', 'long', CROWD, 's1');
      await ok(peer, 'add', 'room-0', 'bob', 's2');
      // The key is that of channel room-0:x on s1.
      await ok(peer, 'add', 'room-0', 'bob', 'x:s1');
      await new Leases(await backend()).claim('x:s1', 'e1');
      const s1 = await frontend('s1');
      s1.login('alice');
      for (const name of CHANNELS) await become(peer, name, 's1', 'alice');
      await become(peer, 'long', 's1');
      for (const sid of ['s2', 'x:s1'])
        assert.deepStrictEqual(await read(peer, 'room-0', sid), ['bob']);
      const { leaves, found } = s1.service.stats().membership;
      assert.strictEqual(leaves.close, 0);
      assert.ok(
        leaves.reconcile >= 2 * CHANNELS.length + CROWD.length && found >= 2 + CROWD.length,
      );
      const isDone = () => s1.service.stats().membership.scan.runs >= 1;
      await until(isDone, 'the scan to be counted', PATIENCE);
      const { scan } = s1.service.stats().membership;
      assert.ok(
        scan.steps > CHANNELS.length && scan.channels > CHANNELS.length,
        JSON.stringify(scan),
      );
      assert.ok(scan.entered >= 2 * CHANNELS.length + CROWD.length, JSON.stringify(scan));
      assert.ok(scan.duration > 0 && scan.duration < 2 * PATIENCE, JSON.stringify(scan));
      // Those with a session are in the index too.
      assert.deepStrictEqual(
        (await ok(s1.service, 'getChannelsByUid', 'alice', 's1')).sort(),
        [...CHANNELS].sort(),
      );
    },
    SLOW,
  );

  ours(
    'M31 what is added later goes after another scan, or with its session',
    async () => {
      const [peer, s1] = [await persistent(), await frontend('s1')];
      const session = s1.login('alice');
      s1.login('carol');
      // Until the first scan has found what there is.
      await ok(peer, 'add', 'a', 'dave', 's1');
      await become(peer, 'a', 's1');
      await nothingFor(500);
      await ok(peer, 'add', ['a', 'b'], ['alice', 'bob', 'carol'], 's1');
      for (const name of ['a', 'b']) await become(peer, name, 's1', 'alice', 'carol');
      s1.close(session);
      for (const name of ['a', 'b']) await become(peer, name, 's1', 'carol');
      assert.strictEqual(s1.service.stats().membership.leaves.close, 2);
    },
    SLOW,
  );

  ours(
    'M32 what is on a dead frontend goes, and is kept for its return',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      const leases = new Leases(service);
      const purged = [];
      service.on('purged', (told) => purged.push(told));
      await leases.claim('s9', 'session-e1', 3000);
      await ok(service, 'add', 'a', 'alice', 's9');
      await ok(peer, 'add', CHANNELS, ['alice', 'bob'], 's9');
      await ok(peer, 'add', 'room-0', 'bob', 's8');
      for (const name of ['a', ...CHANNELS]) await become(peer, name, 's9');
      assert.deepStrictEqual(await read(peer, 'room-0', 's8'), ['bob']);
      const members = () => purged.reduce((sum, told) => sum + told.members, 0);
      const expected = 1 + 2 * CHANNELS.length;
      await until(() => members() === expected, 'the events', PATIENCE).catch(() => {});
      assert.strictEqual(members(), expected, JSON.stringify(purged));
      const kept = await new Promise((resolve, reject) => {
        service['_members']('goneUids', 's9', null, (err, page) =>
          err ? reject(err) : resolve(page),
        );
      });
      assert.deepStrictEqual(kept.sort(), ['alice', 'bob']);
      const isDone = async () => (await leases.list()).length === 0;
      await until(isDone, 'nothing to be left of the lease', PATIENCE);
    },
    SLOW,
  );

  ours(
    'M33 a frontend that is back while it is scanned for keeps its members',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      const leases = new Leases(service);
      await leases.claim('s9', 'session-e1', 1000);
      await ok(peer, 'add', CHANNELS, 'alice', 's9');
      let isBack = false;
      const undo = leases.replace('_enter', async (enter, ...args) => {
        if (!isBack) await leases.renew('s9', 'session-e1');
        isBack = true;
        enter(...args);
      });
      await until(() => isBack, 'the scan', PATIENCE);
      const { sweeps } = service.stats().sessions;
      await until(() => service.stats().sessions.sweeps > sweeps + 3, 'more sweeps', PATIENCE);
      undo();
      for (const name of CHANNELS) await become(peer, name, 's9', 'alice');
      const found = await leases.found('s9');
      assert.deepStrictEqual([found.ends, found.isSwept], [true, false]);
    },
    SLOW,
  );

  ours(
    'M34 members on frontends without a lease, or with persistent ones, stay',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      const leases = new Leases(service);
      await leases.claim('s7', 'e1', 300);
      await leases.claim('s8', 'session-e1', 300);
      for (const sid of ['s6', 's7', 's8']) {
        await ok(peer, 'add', 'a', 'by-peer', sid);
        await ok(service, 'add', 'a', 'by-service', sid);
      }
      await become(peer, 'a', 's8');
      const isDone = async () => (await leases.list()).length === 0;
      await until(isDone, 'nothing to be left of the leases', PATIENCE);
      await nothingFor(1000);
      for (const sid of ['s6', 's7']) await become(peer, 'a', sid, 'by-peer', 'by-service');
    },
    SLOW,
  );

  ours(
    'M35 after an orderly stop another process finds what is not in the index',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      const s1 = await frontend('s1', { leaseTtl: 60000 });
      await indexed(service, 's1');
      await ok(peer, 'add', 'a', 'alice', 's1');
      await call(s1.service, 'stop', true);
      await become(peer, 'a', 's1');
      await until(async () => (await new Leases(service).list()).length === 0, 'an end', PATIENCE);
    },
    SLOW,
  );

  ours(
    'M35 what is on a frontend long after it has ended is not searched for: its next process may have no lease',
    async () => {
      const peer = await persistent();
      const leases = new Leases(peer);
      await leases.claim('s5', 'session-e1', 60000);
      await leases.release('s5', 'session-e1');
      // As if that were long ago.
      const [items] = await leases.noted('session');
      const marks = items.filter((item) => item.startsWith('\0'));
      assert.strictEqual(marks.length, 1);
      await leases.unnote('session', marks);
      await ok(peer, 'add', 'a', 'alice', 's5');
      const service = await backend();
      await until(async () => (await new Leases(service).list()).length === 0, 'an end', PATIENCE);
      assert.deepStrictEqual(await read(peer, 'a', 's5'), ['alice']);
      assert.deepStrictEqual(await leases.noted('session'), [[]]);
    },
    SLOW,
  );

  ours(
    'M35 a user whose channels were destroyed leaves the index with his session',
    async () => {
      const s1 = await frontend('s1');
      const session = s1.login('alice');
      await ok(s1.service, 'add', 'a', 'alice', 's1');
      await indexed(s1.service, 's1', 'alice');
      await ok(s1.service, 'destroyChannel', 'a');
      s1.close(session);
      await indexed(s1.service, 's1');
    },
    SLOW,
  );

  ours(
    'M36 a leave, a close or a rebind while it is scanned',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      await ok(peer, 'add', 'a', ['left', 'closed', 'rebound', 'stays'], 's1');
      const s1 = await frontend('s1', { leaveDelay: 1000 });
      const sessions = ['left', 'closed', 'rebound', 'stays'].map((uid) => s1.login(uid));
      let isThere = false;
      // Between the page of channels and the step.
      const undo = new Leases(s1.service).replace('_enter', async (enter, ...args) => {
        if (!isThere) {
          await ok(service, 'leave', 'a', 'left', 's1');
          s1.close(sessions[1]);
          s1.close(sessions[2]);
          s1.login('rebound');
        }
        isThere = true;
        enter(...args);
      });
      // The first scan has begun without it.
      if (!isThere) await until(() => isThere, 'a scan', PATIENCE);
      undo();
      await become(peer, 'a', 's1', 'rebound', 'stays');
      await nothingFor(1500);
      await become(peer, 'a', 's1', 'rebound', 'stays');
    },
    SLOW,
  );

  ours(
    'M37 a scan ends with the stop, and with the lease',
    async () => {
      const peer = await persistent();
      await ok(peer, 'add', CHANNELS, 'alice', 's1');
      for (const end of ['stop', 'lost']) {
        const s1 = await frontend('s1');
        const leases = new Leases(s1.service);
        let steps = 0;
        // There is always another page.
        const undo = leases.replace('_channelsOn', (ask, sids, _items, cb) => {
          steps += 1;
          ask(sids, [''], (err, text) =>
            cb(err, err ? text : JSON.stringify({ ...JSON.parse(text), cursor: 'more' })),
          );
        });
        await until(() => steps > 2, 'a scan', PATIENCE);
        if (end === 'stop') {
          await call(s1.service, 'stop', true);
        } else {
          await leases.lease('claim', 's1', 'session-later', 60000);
          await until(() => s1.service.stats().sessions.lease.state === 'lost', 'the loss');
        }
        const before = steps;
        await nothingFor(500);
        assert.ok(steps <= before + 1, `${end}: ${steps - before} steps`);
        undo();
        if (end === 'lost') await leases.release('s1', 'session-later');
      }
    },
    SLOW,
  );

  ours(
    'M39 a process that dies while it looks for them is followed by another one',
    async () => {
      const [peer, service] = [await persistent(), await backend()];
      const leases = new Leases(service);
      // As a process that dies in the next moment.
      assert.strictEqual(await leases.lease('take', 's9', 'dead', 4000), true);
      const taken = Date.now();
      await leases.claim('s9', 'session-e1', 300);
      await ok(peer, 'add', 'a', 'alice', 's9');
      const isSwept = async () => (await leases.found('s9')).isSwept;
      await until(isSwept, 'the sweep', PATIENCE);
      const { sweeps } = service.stats().sessions;
      await until(() => service.stats().sessions.sweeps > sweeps + 2, 'more sweeps', PATIENCE);
      // On a busy machine it may be over.
      const there = await read(peer, 'a', 's9');
      assert.ok(there.length === 1 || Date.now() - taken >= 4000, 'it was taken');
      await become(peer, 'a', 's9');
      await until(async () => (await leases.list()).length === 0, 'an end', PATIENCE);
      // Neither is taken for ever.
      await until(() => leases.lease('take', 's9', 'next', 1000), 'its release', PATIENCE);
    },
    SLOW,
  );

  ours.redis(
    'M38 a raw SADD, and 0.0.7',
    async () => {
      const old = await started(ctx.store, {}, frontendApp(), 'old');
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'raw');
      await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:text:s1', 'no set');
      await ok(old, 'add', 'a', 'old', 's1');
      const s1 = await frontend('s1');
      s1.login('carol');
      await ok(old, 'add', 'a', 'carol', 's1');
      await become(s1.service, 'a', 's1', 'carol');
      await call(old, 'stop', true);
    },
    SLOW,
  );
});
