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
        const undo = new Leases(s1.service).replace('_purge', async (leave, ...args) => {
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

  /** Has the next step of a service made before `act`, if `isFirst`, or else after it. Resolves when both are done. */
  function order({ service }, method, isFirst, act) {
    let undo;
    const made = new Promise((resolve, reject) => {
      undo = new Leases(service).replace(method, async (step, ...args) => {
        undo();
        const cb = args.pop();
        try {
          if (!isFirst) await act();
          const answer = await new Promise((done) => {
            step(...args, (...all) => done(all));
          });
          if (isFirst) await act();
          cb(...answer);
          resolve();
        } catch (err) {
          reject(err);
        }
      });
    });
    return made;
  }

  /** Has alice, who is a member, go and be back while her members are removed. */
  const RETURNS = {
    'a close and a return': async (s1) => {
      const session = s1.login('alice');
      const isBack = () => s1.login('alice');
      return () => {
        const left = order(s1, '_purge', false, isBack);
        s1.close(session);
        return left;
      };
    },
    'a purge and a return': async (s1, service) => {
      s1.login('alice');
      return async () => {
        const undo = cutOff(s1);
        await become(service, 'stays', 's1');
        undo();
      };
    },
  };
  const REMOVALS = {
    leave: (service, name) => ok(service, 'leave', name, 'alice', 's1'),
    leaveMany: (service, name) => ok(service, 'leaveMany', name, [{ uid: 'alice', sid: 's1' }]),
    destroyChannel: (service, name) => ok(service, 'destroyChannel', name),
    'destroyChannel everywhere': (service, name) =>
      ok(service, 'destroyChannel', name, { everywhere: true }),
  };
  for (const [returns, begin] of Object.entries(RETURNS)) {
    for (const isFirst of [true, false]) {
      const when = isFirst ? 'after what puts back' : 'before what puts back';
      ours(
        `M56 ${returns}: what the app removes ${when} stays removed`,
        async () => {
          const [s1, service] = [await frontend('s1'), await backend()];
          const goes = await begin(s1, service);
          const names = Object.keys(REMOVALS);
          await ok(service, 'add', [...names, 'stays'], 'alice', 's1');
          const removed = order(s1, '_putBack', isFirst, () =>
            Promise.all(names.map((name) => REMOVALS[name](service, name))),
          );
          await goes();
          await removed;
          await become(service, 'stays', 's1', 'alice');
          for (const name of names) await become(service, name, 's1');
          assert.deepStrictEqual(await ok(service, 'getChannelsByUid', 'alice', 's1'), ['stays']);
        },
        SLOW,
      );
    }
  }

  const ALL = {
    leaveAll: (service) => ok(service, 'leaveAll', 'alice', 's1'),
    clean: (service) => ok(service, 'clean'),
  };
  for (const [returns, begin] of Object.entries(RETURNS)) {
    for (const isFirst of [true, false]) {
      for (const [removal, remove] of Object.entries(ALL)) {
        const when = isFirst ? 'after what puts back' : 'before what puts back';
        ours(
          `M56 ${returns}: ${removal} ${when} removes all`,
          async () => {
            const [s1, service] = [await frontend('s1'), await backend()];
            const goes = await begin(s1, service);
            await ok(service, 'add', ['a', 'b', 'stays'], 'alice', 's1');
            const removed = order(s1, '_putBack', isFirst, () => remove(service));
            await goes();
            await removed;
            for (const name of ['a', 'b', 'stays']) await become(service, name, 's1');
            assert.deepStrictEqual(await ok(service, 'getChannelsByUid', 'alice', 's1'), []);
          },
          SLOW,
        );
      }
    }
  }

  ours(
    'M58 who is back while his leave is unanswered is a member, also if the lease is regained before that',
    async () => {
      const [s1, service] = [await frontend('s1'), await backend()];
      const session = s1.login('alice');
      await ok(service, 'add', ['a', 'b'], 'alice', 's1');
      const steps = new Leases(s1.service);
      const known = new Promise((resolve) => {
        const undo = steps.replace('_keptUsers', (read, ...args) => {
          undo();
          const cb = args.pop();
          read(...args, (...all) => {
            cb(...all);
            resolve();
          });
        });
      });
      const left = order(s1, '_purge', true, async () => {
        const undo = cutOff(s1);
        await steps.untilExpired('s1');
        undo();
        await known;
        // What is kept may be forgotten now, or when the leave is answered.
        await nothingFor(300);
        s1.login('alice');
      });
      s1.close(session);
      await left;
      for (const name of ['a', 'b']) await become(service, name, 's1', 'alice');
    },
    SLOW,
  );

  for (const method of ['_purge', '_putBack']) {
    for (const isFirst of [true, false]) {
      const what = method === '_purge' ? 'removes members' : 'puts members back';
      const when = isFirst ? 'before' : 'after';
      ours(
        `M57 a frontend that ${what} ${when} a later process of its id has claimed the lease: the later one decides`,
        async () => {
          const long = { leaseTtl: 6000, leaveDelay: 200 };
          const [earlier, service] = [await frontend('s1', long), await backend()];
          const session = earlier.login('alice');
          await ok(service, 'add', ['a', 'b'], 'alice', 's1');
          let later;
          const replaced = order(earlier, method, isFirst, async () => {
            later = await frontend('s1', long);
            later.login('alice');
            await ok(service, 'add', 'a', 'alice', 's1');
          });
          const back =
            method === '_putBack'
              ? order(earlier, '_purge', false, () => earlier.login('alice'))
              : Promise.resolve();
          earlier.close(session);
          await Promise.all([back, replaced]);
          await nothingFor(500);
          await become(service, 'a', 's1', 'alice');
          await become(service, 'b', 's1');
          assert.strictEqual(later.service.stats().sessions.lease.state, 'held');
        },
        SLOW,
      );
    }
  }
});
