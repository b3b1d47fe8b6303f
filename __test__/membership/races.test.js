'use strict';

/**
 * Option `membership: 'session'` and races by schedule: what comes at the same time is put in each order, by holding a step of one
 * process until another one has acted. Those of one frontend with itself are in life.test.js, those of a purge with the return of
 * a frontend in a Redis Cluster in topology/members-index.test.js.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');

const MEMBERSHIP = { membership: 'session', leaseTtl: 1000, leaveDelay: 100 };
const NAMES = Array.from({ length: 300 }, (_, n) => `room-${n}`);
const PATIENCE = 40000;
const SLOW = { timeout: 90000 };
const FAR = new Error('the store is away');

stores('M races of members', (ctx) => {
  const frontend = (sid, opts) => startFrontend(ctx.store, sid, { ...MEMBERSHIP, ...opts });
  const backend = () => started(ctx.store, MEMBERSHIP, frontendApp());
  const read = (service, name, sid) => ok(service, 'getMembersBySid', name, sid);
  const sweeps = async (service, count) => {
    const { sweeps: before } = service.stats().sessions;
    await until(() => service.stats().sessions.sweeps >= before + count, 'sweeps', PATIENCE);
  };

  async function become(service, name, sid, ...expected) {
    const now = async () => (await read(service, name, sid)).sort();
    const isSo = async () => String(await now()) === String(expected);
    await until(isSo, `${name} on ${sid} to be ${expected}`, PATIENCE).catch(() => {});
    assert.deepStrictEqual(await now(), expected);
  }

  /** Has the renewals of a frontend fail until the function that is returned is called. */
  const cutOff = ({ service }) =>
    new Leases(service).replace('_renew', (_, ...args) => args.pop()(FAR));

  for (const when of ['before', 'after']) {
    ours(
      `M50 a frontend that is back ${when} a step of the purge has its members`,
      async () => {
        const [s1, service] = [await frontend('s1'), await backend()];
        s1.login('alice');
        await ok(service, 'add', NAMES, 'alice', 's1');
        const undo = cutOff(s1);
        const regained = new Promise((resolve) => s1.service.once('lease-regained', resolve));
        // In the middle of the purge, which takes more than one step.
        let steps = 0;
        new Leases(service).replace('_purge', async (purge, ...args) => {
          steps += 1;
          if (steps !== 2) return void purge(...args);
          if (when === 'before') {
            undo();
            await regained;
            purge(...args);
            return undefined;
          }
          const cb = args.pop();
          const answer = await new Promise((resolve) => {
            purge(...args, (...all) => resolve(all));
          });
          undo();
          await regained;
          return void cb(...answer);
        });
        await regained;
        await sweeps(service, 3);
        for (const name of NAMES) await become(service, name, 's1', 'alice');
        assert.deepStrictEqual(
          (await ok(service, 'getChannelsByUid', 'alice', 's1')).sort(),
          [...NAMES].sort(),
        );
      },
      SLOW,
    );
  }

  ours(
    'M51 two sweepers at once: each member is removed and counted once, and all are kept',
    async () => {
      const [s1, one, other] = [await frontend('s1'), await backend(), await backend()];
      s1.login('alice');
      await ok(one, 'add', NAMES, 'alice', 's1');
      let purged = 0;
      for (const service of [one, other])
        service.on('purged', ({ members }) => (purged += members));
      // Each begins a step when the other one has begun.
      const begun = new Set();
      for (const service of [one, other]) {
        new Leases(service).replace('_purge', async (purge, ...args) => {
          begun.add(service);
          const end = Date.now() + 2000;
          while (begun.size < 2 && Date.now() < end) await nothingFor(10);
          purge(...args);
        });
      }
      const undo = cutOff(s1);
      await until(() => purged >= NAMES.length, 'the purge', PATIENCE);
      await Promise.all([sweeps(one, 2), sweeps(other, 2)]);
      assert.strictEqual(purged, NAMES.length);
      undo();
      for (const name of NAMES) await become(one, name, 's1', 'alice');
    },
    SLOW,
  );

  ours(
    'M52 a late remove_servers for an id that was started again ends nothing',
    async () => {
      const service = await backend();
      const dead = new Leases(service);
      await dead.claim('s1', 'session-e1', 60000);
      await ok(service, 'add', 'a', 'zoe', 's1');
      const s1 = await frontend('s1');
      s1.login('alice');
      await ok(service, 'add', 'a', 'alice', 's1');
      for (const { app } of [service, s1]) app.event.emit('remove_servers', ['s1']);
      await sweeps(service, 4);
      await become(service, 'a', 's1', 'alice');
      assert.strictEqual(await ok(service, 'isOnline', 'alice'), true);
      assert.strictEqual(service.stats().membership.leaves.purge, 0);
    },
    SLOW,
  );

  ours(
    'M53 a partition longer than the lease: who stayed, who went, who came, and who was left',
    async () => {
      const [s1, service] = [await frontend('s1'), await backend()];
      const sessions = ['stayed', 'went', 'switched'].map((uid) => s1.login(uid));
      await ok(service, 'add', ['a', 'b'], ['stayed', 'went', 'switched'], 's1');
      const undo = cutOff(s1);
      await become(service, 'a', 's1');
      s1.close(sessions[1]);
      s1.close(sessions[2]);
      s1.login('switched');
      s1.login('came');
      await ok(service, 'add', 'a', 'came', 's1');
      await nothingFor(300);
      undo();
      await become(service, 'b', 's1', 'stayed', 'switched');
      await become(service, 'a', 's1', 'came', 'stayed', 'switched');
      await nothingFor(1500);
      await become(service, 'a', 's1', 'came', 'stayed', 'switched');
    },
    SLOW,
  );

  ours(
    'M54 two processes of one id: the later one decides, and the earlier one writes nothing',
    async () => {
      // A lease that no busy machine lets expire: the earlier one would take it again.
      const long = { leaseTtl: 6000, leaveDelay: 1000 };
      const [earlier, service] = [await frontend('s1', long), await backend()];
      const session = earlier.login('alice');
      earlier.login('bob');
      await ok(service, 'add', 'a', ['alice', 'bob'], 's1');
      const lost = new Promise((resolve) => earlier.service.once('lease-lost', resolve));
      // The leave is due when the later one has claimed the lease, of which the earlier one has not heard.
      earlier.close(session);
      const later = await frontend('s1', long);
      for (const uid of ['alice', 'carol']) later.login(uid);
      await ok(service, 'add', 'a', ['alice', 'carol'], 's1');
      await lost;
      assert.deepStrictEqual((await read(service, 'a', 's1')).sort(), ['alice', 'carol']);
      earlier.kick('bob');
      await nothingFor(3000);
      await become(service, 'a', 's1', 'alice', 'carol');
      await call(earlier.service, 'stop', true);
      await become(service, 'a', 's1', 'alice', 'carol');
      assert.strictEqual(later.service.stats().sessions.lease.state, 'held');
    },
    SLOW,
  );

  for (const order of ['the add first', 'the close first']) {
    ours(
      `M55 a close and a late add of a backend, ${order}`,
      async () => {
        const [s1, service] = [await frontend('s1'), await backend()];
        const session = s1.login('alice');
        await ok(service, 'add', 'a', 'alice', 's1');
        let isDone = false;
        const undo = new Leases(s1.service).replace('_leaveAllOn', async (leave, ...args) => {
          const cb = args.pop();
          const add = () => ok(service, 'add', 'b', 'alice', 's1');
          if (order === 'the add first') await add();
          const answer = await new Promise((resolve) => {
            leave(...args, (...all) => resolve(all));
          });
          if (order === 'the close first') await add();
          isDone = true;
          cb(...answer);
        });
        s1.close(session);
        await until(() => isDone, 'the leave', PATIENCE);
        undo();
        for (const name of ['a', 'b']) await become(service, name, 's1');
      },
      SLOW,
    );
  }
});
