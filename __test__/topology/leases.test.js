'use strict';

/**
 * Leases of frontends in a Redis Cluster, where lease and online users of a frontend are in one slot and the set of all leases
 * is in another, and behind Sentinel, where a failover may lose a lease.
 */

const assert = require('node:assert');
const { describe, it } = require('node:test');
const { Leases, checkFence } = require('../support/leases');
const healedGroup = require('../support/healed-group');
const { started } = require('../support/service');
const { pause } = require('../support/until');
const { PATIENT, onCluster } = require('./on-cluster');

const SIDS = Array.from({ length: 12 }, (_, i) => `connector-${i}`);

onCluster('leases in a Redis Cluster', 120000, (ctx) => {
  const open = async (opts) => new Leases(await ctx.connected({ prefix: 'P', ...opts }));
  const each = (act) => Promise.all(SIDS.map(act));

  it('frontends on all nodes are claimed, listed, swept and released', async () => {
    const [one, other] = [await open(), await open()];
    await each((sid) => one.claim(sid, 'e1'));
    await each((sid) => one.add(sid, `${sid}-user`, 'all'));
    const owners = new Set(await each((sid) => ctx.cluster.owner(`P@lease:{${sid}}`)));
    assert.strictEqual(owners.size, 3, 'all nodes have some of them');
    assert.deepStrictEqual(await other.count(...SIDS), Array(SIDS.length).fill(2));
    assert.deepStrictEqual(
      (await other.list()).map(({ sid, epoch }) => `${sid} ${epoch}`).sort(),
      SIDS.map((sid) => `${sid} e1`).sort(),
    );
    assert.deepStrictEqual(await other.claim(SIDS[0], 'e2'), { previous: 'e1', removed: 2 });
    assert.strictEqual((await one.renew(SIDS[0], 'e1')).state, 'lost');
    await one.claim(SIDS[1], 'e3', 1);
    await other.untilExpired(SIDS[1]);
    const swept = await Promise.all([one.sweep(SIDS[1]), other.sweep(SIDS[1])]);
    assert.ok(
      swept.every((result) => result.swept),
      JSON.stringify(swept),
    );
    await each((sid) => one.release(sid, 'e1'));
    assert.deepStrictEqual(
      (await other.list()).map(({ sid }) => sid),
      [SIDS[0]],
    );
    await other.release(SIDS[0], 'e2');
    assert.deepStrictEqual(await ctx.cluster.keys(), []);
  });

  it('an earlier epoch writes no users after a later claim, on each node', async () => {
    const [earlier, later] = [await open(), await open()];
    for (const sid of SIDS.slice(0, 6)) await checkFence(sid, earlier, later);
  });

  it('a prefix that puts the keys of a frontend into different slots is refused', async () => {
    for (const prefix of ['P{', 'P{}', 'P{}{x}']) {
      const one = await open({ prefix });
      await assert.rejects(one.claim('s1', 'e1'), { code: 'ERR_GLOBAL_CHANNEL_INVALID_OPTION' });
    }
    const one = await open({ prefix: 'P{x}' });
    await one.claim('s{1', 'e1');
    await one.add('s{1', 'u1');
    assert.deepStrictEqual(await one.release('s{1', 'e1'), { released: true, removed: 1 });
  });

  it('renewals go on while the slot of a frontend moves', async () => {
    const one = await open(PATIENT);
    const key = 'P@lease:{s1}';
    await one.claim('s1', 'e1', 100000);
    await one.add('s1', 'u1');
    const owner = await ctx.cluster.owner(key);
    const { server: to } = (await ctx.cluster.primaries()).find(({ server }) => server !== owner);
    const move = { isOver: false };
    const states = new Set();
    const renewals = (async () => {
      while (!move.isOver) {
        const { state, count } = await one.renew('s1', 'e1', 100000);
        states.add(`${state} ${count}`);
        await pause(5);
      }
    })();
    await ctx.cluster.moveSlotOf(key, to, () => pause(100));
    move.isOver = true;
    await renewals;
    assert.deepStrictEqual([...states], ['held 1']);
    assert.strictEqual(await ctx.cluster.owner(key), to);
    assert.deepStrictEqual(await one.members('s1'), [['u1']]);
  });
});

describe('leases behind Sentinel', { timeout: 120000 }, () => {
  const group = healedGroup();

  it('a lease that the new primary does not have is regained, and then held', async () => {
    const one = new Leases(await started(group, { prefix: 'P', commandTimeout: 60000 }));
    await group.untilHeard(1);
    await one.claim('s1', 'e1', 600000);
    await one.add('s1', 'u1');
    const primary = await group.replicated();
    // As if the primary had died before it could replicate the lease.
    const replicas = group.servers.filter((server) => server !== primary);
    await Promise.all(
      replicas.map(async (server) => {
        await server.run(0, 'config', 'set', 'replica-read-only', 'no');
        await server.run(0, 'del', 'P@lease:{s1}', 'P@leases', 'P@online:{s1}');
        await server.run(0, 'config', 'set', 'replica-read-only', 'yes');
      }),
    );
    const elected = group.nextPrimary(primary);
    await primary.kill();
    await elected;
    assert.deepStrictEqual(await one.renew('s1', 'e1', 600000), {
      state: 'regained',
      count: 0,
      epoch: 'e1',
    });
    await one.add('s1', 'u1');
    assert.strictEqual((await one.renew('s1', 'e1', 600000)).state, 'held');
    assert.strictEqual((await one.found('s1')).epoch, 'e1');
    assert.deepStrictEqual(await one.count('s1'), [1]);
    const other = new Leases(await started(group, { prefix: 'P', commandTimeout: 60000 }));
    await checkFence('s2', one, other);
  });
});
