'use strict';

/**
 * Following channels by their events: each change is one event, or there is a gap. Random histories, also of other processes, while
 * connections are cut and the server hangs, dies and comes back. A follower that reads at each gap has what the store has.
 */

const assert = require('assert');
const fs = require('fs');
const { stores, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { optionsOf, started } = require('../support/service');
const { pause, until } = require('../support/until');
const { Follower } = require('./follower');
const { lostConnections, severalWriters } = require('./histories');
const { change } = require('./writer');

const NAMES = ['a', 'b', 'a:b'];
const SIDS = ['s1', 's2', 'gone'];
const EVENTS = { events: true, leaveDelay: 0 };

stores('EF following channels', (ctx) => {
  /** A follower that has begun, and the services that write. */
  async function following(options) {
    const service = await started(ctx.store, { ...EVENTS, ...options });
    const follower = new Follower(service, NAMES, SIDS);
    await until(() => follower.isThere(), 'the follower to begin');
    follower.isStrict = true;
    return follower;
  }

  /** Until the follower has caught up with writers that are done. */
  const settled = (follower) => until(() => follower.isThere(), 'the follower', 20000);

  ours('EF1 each change of several processes is one event', async () => {
    const follower = await following();
    const options = { ...optionsOf(ctx.store), ...EVENTS };
    const own = await started(ctx.store, EVENTS);
    await severalWriters(follower, own, options, settled);
  });

  ours.redis('EF2 a change that is sent again after a lost connection is one event', async () => {
    const follower = await following();
    const own = await started(ctx.store, EVENTS);
    const cutCalls = async () => {
      const calls = (await ctx.redis.clients()).filter(({ sub }) => sub === '0');
      await Promise.all(calls.map(({ id }) => ctx.redis.run(0, 'client', 'kill', 'ID', id)));
    };
    await lostConnections(follower, own, cutCalls, settled);
  });

  ours.redis('EF3 a subscription that is cut, and a server that restarts, is a gap', async () => {
    await logged(async () => {
      const follower = await following();
      follower.isStrict = false;
      const own = await started(ctx.store, EVENTS);
      for (const fault of [() => ctx.redis.killClients(), () => ctx.redis.restart()]) {
        const { gaps } = follower;
        const writing = change(own, 300, NAMES, SIDS);
        await pause(20);
        await fault();
        await writing;
        await until(() => follower.gaps > gaps, 'a gap', 20000);
        await settled(follower);
      }
      assert.ok(follower.service.stats().events.gaps >= 2);
    });
  });

  ours.redis('EF4 a subscription whose output buffer was full is cut, and a gap', async () => {
    await logged(async () => {
      const follower = await following();
      follower.isStrict = false;
      const own = await started(ctx.store, EVENTS);
      // The server reads nothing while it is stopped, so the buffer cannot be filled from here: a limit that one message breaks.
      await ctx.redis.run(0, 'config', 'set', 'client-output-buffer-limit', 'pubsub 1kb 1kb 0');
      const uids = Array.from({ length: 2000 }, (_, n) => `user ${n}`);
      const { gaps } = follower;
      await ok(own, 'add', 'a', uids, 's1');
      await until(() => follower.gaps > gaps, 'a gap');
      await ctx.redis.run(0, 'config', 'set', 'client-output-buffer-limit', 'pubsub 0 0 0');
      await change(own, 50, NAMES, SIDS);
      await settled(follower);
    });
  });

  ours.redis(
    'EF5 a server that hangs: the subscription is given up, and there is a gap',
    async () => {
      await logged(async (lines) => {
        const follower = await following({ connectTimeout: 500 });
        follower.isStrict = false;
        ctx.redis.pause();
        const isLost = () => lines.some((line) => line.includes('events are not received'));
        await until(isLost, 'the loss', 20000);
        ctx.redis.resume();
        await until(() => follower.gaps > 1, 'a gap', 20000);
        await settled(follower);
      });
    },
  );

  ours.embedded('EF7 a store that is removed and made anew is a gap', async () => {
    await logged(async () => {
      const follower = await following();
      follower.isStrict = false;
      const own = await started(ctx.store, EVENTS);
      await change(own, 50, NAMES, SIDS);
      fs.rmSync(ctx.store.options().path, { recursive: true });
      await until(() => follower.gaps > 1, 'a gap', 20000);
      await change(own, 100, NAMES, SIDS);
      await settled(follower);
      assert.ok(follower.changes > 0);
    });
  });

  ours('EF6 a service that is stopped has no subscription and no events', async () => {
    const follower = await following();
    const own = await started(ctx.store, EVENTS);
    await call(follower.service, 'stop', true);
    const { changes } = follower;
    await ok(own, 'add', 'a', 'u', 's1');
    await ctx.store.untilUsers(1);
    assert.strictEqual(follower.changes, changes);
    follower.watch.close();
  });
});
