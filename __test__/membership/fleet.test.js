'use strict';

/**
 * A fleet that is switched from `membership: 'persistent'` to `'session'` and back while it runs, one process at a time: no member is
 * lost that should be kept, and those without a session go from frontends that have them end. Each process is a service of its own
 * with its own connection.
 */

const assert = require('assert');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { createBecome, members } = require('../support/channel-members');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { nothingFor, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');

const LEASE = { leaseTtl: 1000, leaveDelay: 100, sessions: true };
const PATIENCE = 40000;
const SLOW = { timeout: 120000 };
const FAR = new Error('the store is away');

stores('M a fleet with both kinds of membership', (ctx) => {
  const frontend = (sid, membership, opts) =>
    startFrontend(ctx.store, sid, { ...LEASE, membership, ...opts });
  const backend = (membership, opts) =>
    started(ctx.store, { ...LEASE, membership, ...opts }, frontendApp());
  const stop = (service) => call(service, 'stop', true);

  const become = createBecome(PATIENCE);

  /** Watches that these stay members, until the function that is returned is called. */
  function watch(service, name, ...expected) {
    const state = { isOn: true };
    const watching = (async () => {
      while (state.isOn) {
        const there = await members(service, name);
        const missing = expected.filter((each) => !there.includes(each));
        assert.deepStrictEqual(missing, [], 'lost');
        await nothingFor(20);
      }
    })();
    watching.catch(() => {});
    return () => {
      state.isOn = false;
      return watching;
    };
  }

  /** Has a frontend lose its lease for a while, as when it is cut off, while others look for dead frontends. */
  async function cutOff({ service }, others) {
    const undo = new Leases(service).replace('_renew', (_, ...args) => args.pop()(FAR));
    const isExpired = async () =>
      (await new Leases(others).list()).every(
        ({ sid, ttl }) => sid !== service.app.serverId || !ttl,
      );
    await until(isExpired, 'its lease to expire', PATIENCE);
    const { sweeps } = others.stats().sessions;
    await until(() => others.stats().sessions.sweeps >= sweeps + 3, 'some sweeps', PATIENCE);
    return undo;
  }

  ours(
    'M40 from persistent to session and back, backends first',
    async () => {
      let service = await backend('persistent');
      let [s1, s2] = [await frontend('s1', 'persistent'), await frontend('s2', 'persistent')];
      s1.login('alice');
      s2.login('bob');
      const peer = await started(ctx.store, {}, frontendApp());
      await ok(service, 'add', 'a', ['alice', 'ghost'], 's1');
      await ok(service, 'add', 'a', ['bob', 'ghost'], 's2');

      // The backend is first: what is on s2 is that frontend's to keep, also while it is cut off.
      await stop(service);
      service = await backend('session');
      let kept = watch(peer, 'a', 'alice s1', 'bob s2', 'ghost s1', 'ghost s2');
      await ok(service, 'add', 'a', 'carol', 's2');
      const undo = await cutOff(s2, service);
      await become(service, 'a', 'alice s1', 'bob s2', 'carol s2', 'ghost s1', 'ghost s2');
      undo();
      await kept();

      // One frontend: those of its sessions that come back stay, also if a persistent peer adds them.
      kept = watch(peer, 'a', 'bob s2', 'carol s2', 'ghost s2');
      await stop(s1.service);
      s1 = await frontend('s1', 'session');
      s1.login('alice');
      await ok(peer, 'add', 'a', 'alice', 's1');
      await become(service, 'a', 'alice s1', 'bob s2', 'carol s2', 'ghost s2');
      await kept();

      // The other one.
      kept = watch(peer, 'a', 'alice s1');
      await stop(s2.service);
      s2 = await frontend('s2', 'session');
      const bob = s2.login('bob');
      await ok(service, 'add', 'a', 'bob', 's2');
      await become(service, 'a', 'alice s1', 'bob s2');
      s2.close(bob);
      await become(service, 'a', 'alice s1');
      s2.login('bob');
      await ok(service, 'add', 'a', 'bob', 's2');

      // And back again, the backend first: it does not write the index any more.
      await stop(service);
      service = await backend('persistent');
      await ok(service, 'add', 'b', ['bob', 'ghost'], 's2');
      await become(service, 'b', 'bob s2');
      await become(service, 'a', 'alice s1', 'bob s2');
      await kept();

      // A frontend that is persistent again keeps what is added from now on, whether it stops, dies or is cut off.
      kept = watch(peer, 'a', 'bob s2');
      await stop(s1.service);
      s1 = await frontend('s1', 'persistent');
      s1.close(s1.login('alice'));
      await ok(service, 'add', 'a', ['alice', 'ghost'], 's1');
      const back = await cutOff(s1, s2.service);
      await become(service, 'a', 'alice s1', 'bob s2', 'ghost s1');
      back();
      await stop(s1.service);
      await nothingFor(2 * LEASE.leaseTtl);
      await become(service, 'a', 'alice s1', 'bob s2', 'ghost s1');
      await kept();
    },
    SLOW,
  );

  ours(
    'M41 a persistent frontend after one that died with sessions: what is added to it stays',
    async () => {
      const service = await backend('session');
      const leases = new Leases(service);
      await leases.claim('s1', 'session-e1', LEASE.leaseTtl);
      await ok(service, 'add', 'a', 'alice', 's1');
      await frontend('s1', 'persistent');
      await ok(service, 'add', 'a', 'bob', 's1');
      const { sweeps } = service.stats().sessions;
      await until(() => service.stats().sessions.sweeps >= sweeps + 4, 'sweeps', PATIENCE);
      assert.deepStrictEqual(await members(service, 'a'), ['alice s1', 'bob s1']);
      assert.strictEqual((await leases.found('s1')).ends, false);
    },
    SLOW,
  );

  ours(
    'M42 a session frontend after a persistent one: what that left goes, in the index or not',
    async () => {
      const [service, peer] = [await backend('session'), await backend('persistent')];
      await frontend('s1', 'persistent').then((s1) => stop(s1.service));
      await ok(service, 'add', 'a', 'alice', 's1');
      await ok(peer, 'add', 'a', 'bob', 's1');
      const s1 = await frontend('s1', 'session');
      assert.ok(!(await members(service, 'a')).includes('alice s1'), 'before the first client');
      s1.login('bob');
      s1.login('alice');
      await ok(peer, 'add', 'a', 'carol', 's1');
      await become(service, 'a', 'bob s1');
    },
    SLOW,
  );
});
