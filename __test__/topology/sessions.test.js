'use strict';

/**
 * Who is online in a Redis Cluster: the lists of the frontends are on several nodes, and a slot moves.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { ok } = require('../support/call');
const { until } = require('../support/until');
const { frontendApp, Frontend } = require('../sessions/frontend');
const { PATIENT, onCluster } = require('./on-cluster');

const SIDS = Array.from({ length: 6 }, (_, i) => `connector-${i}`);

onCluster('who is online in a Redis Cluster', 120000, (ctx) => {
  const options = { sessions: true, leaseTtl: 3000, prefix: 'P', ...PATIENT };
  const open = (sid) => ctx.connected(options, frontendApp(sid));

  it('on all frontends, by all methods, and while a slot moves', async () => {
    const frontends = await Promise.all(
      SIDS.map(async (sid) => {
        const app = frontendApp(sid);
        return new Frontend(app, await ctx.connected(options, app));
      }),
    );
    const service = await open(undefined);
    const owners = new Set();
    for (const sid of SIDS) owners.add(await ctx.cluster.owner(`P@online:{${sid}}`));
    assert.ok(owners.size > 1, 'several nodes have some of them');

    frontends.forEach((frontend, i) => {
      frontend.login('everywhere');
      for (let n = 0; n < 40; n += 1) frontend.login(`user-${i}-${n}`);
    });
    const count = (expected) =>
      until(
        async () => (await ok(service, 'getOnlineCount', null)) === expected,
        `${expected} users`,
      );
    await count(41 * SIDS.length);
    const sids = await ok(service, 'getSidsByUid', ['everywhere', 'user-3-7', 'none']);
    assert.deepStrictEqual(sids.everywhere.sort(), SIDS);
    assert.deepStrictEqual([sids['user-3-7'], sids.none], [['connector-3'], []]);

    const uids = new Set();
    let cursor = null;
    do {
      const page = await ok(service, 'getOnline', { cursor, limit: 30 });
      page.uids.forEach((uid) => uids.add(uid));
      cursor = page.cursor;
    } while (cursor !== null);
    assert.strictEqual(uids.size, 40 * SIDS.length + 1);

    const key = `P@online:{${SIDS[0]}}`;
    const owner = await ctx.cluster.owner(key);
    const { server: to } = (await ctx.cluster.primaries()).find(({ server }) => server !== owner);
    await ctx.cluster.moveSlotOf(key, to, async () => {
      frontends[0].login('late');
      await until(() => ok(service, 'isOnline', 'late'), 'a user to be online in mid-move');
    });
    await frontends[1].service.promises.stop(true);
    await count(41 * SIDS.length + 1 - 41);
    assert.strictEqual(frontends[0].service.stats().sessions.lost, 0);
  });
});
