'use strict';

/**
 * The lease of a frontend: when its users are offline without a stop, and what heals by itself. Times are short here: a lease of 1 s,
 * which is renewed every 333 ms. Processes that are killed and stopped are in pomelo-cluster/sessions.test.js.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { frontendApp, startFrontend } = require('./frontend');

const LEASE = { leaseTtl: 1000 };
/** Of a frontend that is dead: long enough to give it users before that, also on a busy machine. */
const DEAD = 3000;

stores('S leases of frontends', (ctx) => {
  const start = (sid) => startFrontend(ctx.store, sid, LEASE);

  const ask = () => started(ctx.store, { sessions: true, ...LEASE }, frontendApp());

  const isOn = (service, uid, ...sids) =>
    until(
      async () => String((await ok(service, 'getSidsByUid', uid)).sort()) === String(sids),
      `${uid} on [${sids}]`,
    );

  const figures = ({ service }) => service.stats().sessions;

  ours('S30 a lease is held for as long as the process renews it', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    s1.login('alice');
    await isOn(service, 'alice', 's1');
    const end = Date.now() + 3 * LEASE.leaseTtl;
    while (Date.now() < end) {
      assert.deepStrictEqual(await ok(service, 'getSidsByUid', 'alice'), ['s1']);
      await nothingFor(100);
    }
    const { lease, renewals, regained, lost } = figures(s1);
    assert.strictEqual(lease.state, 'held');
    assert.ok(renewals >= 3, `${renewals} renewals`);
    assert.deepStrictEqual([regained, lost], [0, 0]);
  });

  ours('S31 an event that does not come, and a uid without a session, are found', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    s1.login('alice');
    const closing = s1.login('bob');
    await isOn(service, 'bob', 's1');
    // The session service changes, and nothing is told.
    const { event } = s1.app;
    s1.app.event = { emit() {} };
    s1.login('carol');
    s1.close(closing);
    s1.app.event = event;
    await isOn(service, 'carol', 's1');
    await isOn(service, 'bob');
    const { added, removed, missedEvents } = figures(s1);
    assert.deepStrictEqual([added, removed, missedEvents], [0, 0, 2]);
  });

  ours('S32 of two processes with one id the later has the lease, the other says so', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    s1.login('alice');
    await isOn(service, 'alice', 's1');
    const later = await start('s1');
    await isOn(service, 'alice');
    later.login('bob');
    await until(() => figures(s1).lease.state === 'lost', 'the earlier one to be told');
    s1.login('carol');
    await isOn(service, 'bob', 's1');
    await nothingFor(LEASE.leaseTtl);
    const both = await ok(service, 'isOnline', ['alice', 'bob', 'carol']);
    assert.deepStrictEqual(both, { alice: false, bob: true, carol: false });
    assert.strictEqual(figures(s1).lost, 1);

    // The later one gives it up: the earlier one is there again.
    await call(later.service, 'stop', true);
    await isOn(service, 'carol', 's1');
    await isOn(service, 'alice', 's1');
    await isOn(service, 'bob');
    assert.deepStrictEqual([figures(s1).lease.state, figures(s1).regained], ['held', 1]);
  });

  for (const when of ['before', 'after']) {
    ours(
      `S41 a bind and a close of the earlier one that are written ${when} the claim`,
      async () => {
        const service = await ask();
        // The renewals of this test come when it says so.
        const earlier = await startFrontend(ctx.store, 's1', { leaseTtl: 86400000 });
        const session = earlier.login('alice');
        await isOn(service, 'alice', 's1');
        const steps = new Leases(earlier.service);
        const held = [];
        const hold = (step, ...args) => void held.push(() => step(...args));
        const undo = ['_addOnline', '_removeOnline'].map((name) => steps.replace(name, hold));
        earlier.login('carol');
        earlier.close(session);
        await until(() => held.length === 2, 'both writes');
        undo.forEach((release) => release());
        const go = () => held.forEach((step) => step());
        if (when === 'before') {
          go();
          await isOn(service, 'carol', 's1');
        }
        const later = await startFrontend(ctx.store, 's1', { leaseTtl: 86400000 });
        later.login('alice');
        later.login('bob');
        await isOn(service, 'bob', 's1');
        if (when === 'after') {
          // They are the same commands as before the claim.
          go();
          // In the order of the calls of that process, so it is after them.
          await steps.list();
        }
        assert.deepStrictEqual(await ok(service, 'isOnline', ['alice', 'bob', 'carol']), {
          alice: true,
          bob: true,
          carol: false,
        });
      },
    );
  }

  ours('S33 what an earlier process has left is gone when the start is done', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    s1.login('alice');
    await isOn(service, 'alice', 's1');
    await start('s1');
    assert.strictEqual(await ok(service, 'isOnline', 'alice'), false);
    assert.strictEqual(await ok(service, 'getOnlineCount', null), 0);
  });

  ours('S34 two hundred users who come and go are those with sessions at the end', async () => {
    const [s1, s2, service] = [await start('s1'), await start('s2'), await ask()];
    const frontends = [s1, s2];
    const open = [];
    for (let step = 0; step < 4000; step += 1) {
      const at = Math.floor(Math.random() * open.length);
      if (open.length > 150 || (open.length > 0 && Math.random() < 0.45)) {
        const [{ frontend, session }] = open.splice(at, 1);
        if (step % 3 === 0) frontend.unbind(session);
        frontend.close(session);
      } else {
        const frontend = frontends[step % 2];
        const uid = `u${Math.floor(Math.random() * 200)}`;
        open.push({ frontend, uid, session: frontend.login(uid) });
      }
      if (step % 100 === 0) await nothingFor(5);
    }
    const uids = Array.from({ length: 200 }, (_, n) => `u${n}`);
    const expected = Object.fromEntries(
      uids.map((uid) => {
        const on = open.filter((each) => each.uid === uid);
        return [uid, [...new Set(on.map(({ frontend }) => frontend.app.serverId))].sort()];
      }),
    );
    const sids = async () => {
      const found = await ok(service, 'getSidsByUid', uids);
      return Object.fromEntries(Object.entries(found).map(([uid, on]) => [uid, on.sort()]));
    };
    const text = JSON.stringify(expected);
    await until(async () => JSON.stringify(await sids()) === text, 'the sessions').catch(() => {});
    assert.deepStrictEqual(await sids(), expected);
  });

  ours('S37 a frontend whose lease has expired does not count, before it was swept', async () => {
    // This one does not look for expired leases within the time of the test.
    const service = await started(ctx.store, { sessions: true }, frontendApp());
    const dead = new Leases(service);
    await dead.claim('s9', 'e1', DEAD);
    await dead.add('s9', 'zoe');
    assert.deepStrictEqual(await ok(service, 'getSidsByUid', 'zoe'), ['s9']);
    assert.strictEqual(await ok(service, 'getOnlineCount', null), 1);
    await isOn(service, 'zoe');
    assert.strictEqual(await ok(service, 'isOnline', 'zoe'), false);
    assert.strictEqual(await ok(service, 'getOnlineCount', null), 0);
    assert.deepStrictEqual(await dead.members('s9'), [['zoe']]);
  });

  ours('S38 what a dead frontend has left is removed, by one that looks for it', async () => {
    const services = [await ask(), await ask()];
    const dead = new Leases(services[0]);
    await dead.claim('s9', 'e1', DEAD);
    await dead.add('s9', 'zoe', 'yan');
    const total = (name) => services.reduce((sum, each) => sum + each.stats().sessions[name], 0);
    await until(() => total('sweptUsers') === 2, 'the list to be removed');
    assert.deepStrictEqual(await dead.members('s9'), [[]]);
    await until(async () => (await dead.list()).length === 0, 'the entry to be removed');
    assert.ok(total('sweptFrontends') > 0);
  });

  ours('S39 a uid without a session, in the list by mistake, goes with a renewal', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    s1.login('alice');
    await isOn(service, 'alice', 's1');
    const leases = new Leases(service);
    const { epoch } = await leases.found('s1');
    await leases.write('add', 's1', epoch, ['ghost']);
    await isOn(service, 'ghost', 's1');
    await isOn(service, 'ghost');
    assert.deepStrictEqual(await ok(service, 'getSidsByUid', 'alice'), ['s1']);
    assert.strictEqual(figures(s1).removed, 1);
  });

  ours.redis('S40 a stop does not wait for a store that hangs', async () => {
    const s1 = await start('s1');
    s1.login('alice');
    await ctx.store.hang();
    const began = Date.now();
    const { args, n } = await call(s1.service, 'stop', true);
    const took = Date.now() - began;
    assert.deepStrictEqual([args, n], [[], 1]);
    // pomelo ends the process 3 s after its stop began.
    assert.ok(took >= 500 && took < 2500, `${took} ms`);
    await ctx.store.resume();
  });

  ours.redis('S35 a store that was emptied has all users again with the next renewal', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    s1.login('alice');
    s1.login('bob');
    await isOn(service, 'bob', 's1');
    await ctx.redis.flush();
    await isOn(service, 'alice', 's1');
    await isOn(service, 'bob', 's1');
    assert.ok(figures(s1).regained >= 1);
    assert.ok(figures(s1).added >= 2);
  });

  ours.redis('S43 a store that was emptied has all users again with the next login', async () => {
    const slow = { leaseTtl: 600000 };
    const [s1, service] = [await startFrontend(ctx.store, 's1', slow), await ask()];
    s1.login('alice');
    await isOn(service, 'alice', 's1');
    await ctx.redis.flush();
    s1.login('bob');
    await isOn(service, 'alice', 's1');
    await isOn(service, 'bob', 's1');
    const { renewals, regained, failedRenewals } = figures(s1);
    assert.deepStrictEqual([renewals, regained, failedRenewals], [1, 1, 0]);
  });

  ours.redis('S36 while the store is away users come and go; afterwards all is right', async () => {
    const [s1, service] = [await start('s1'), await ask()];
    const alice = s1.login('alice');
    await isOn(service, 'alice', 's1');
    await ctx.redis.kill();
    s1.close(alice);
    const sessions = Array.from({ length: 1000 }, (_, n) => s1.login(`u${n}`));
    sessions.slice(500).forEach((session) => s1.close(session));
    await nothingFor(200);
    await ctx.redis.up();
    await isOn(service, 'alice');
    await isOn(service, 'u0', 's1');
    await isOn(service, 'u499', 's1');
    await until(async () => (await ok(service, 'getOnlineCount', null)) === 500, '500 users');
    assert.strictEqual(await ok(service, 'isOnline', 'u999'), false);
  });
});
