'use strict';

/**
 * scanMembers and getChannels on a real Redis Cluster: over all nodes, while slots move and while a replica takes over.
 * contract/c-pages.test.js has them on the other stores.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { ok } = require('../support/call');
const { pages, scanned, channels } = require('../support/pages');
const { until } = require('../support/until');
const { onCluster, PATIENT } = require('./on-cluster');

const numbered = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const names = (found) => found.map(({ name }) => name).sort();
const missing = (all, found) => {
  const met = new Set(found);
  return all.filter((each) => !met.has(each));
};

onCluster('pages on a Redis Cluster', 300000, (ctx) => {
  it('the channels of all nodes, each once, and the members of each', async () => {
    const service = await ctx.connected();
    const rooms = numbered('room', 200);
    await Promise.all(['s1', 's2', 'gone'].map((sid) => ok(service, 'add', rooms, 'u', sid)));
    const members = numbered('u', 3000);
    await ok(service, 'add', 'long', members, 's1');
    const all = await pages(service, 'getChannels', [], { limit: 25 });
    const found = all.flatMap((page) => page.channels);
    assert.ok(all.length > 4, `${all.length} pages`);
    assert.deepStrictEqual(names(found), [...rooms, 'long'].sort());
    assert.deepStrictEqual(
      Object.fromEntries(found.map(({ name, count }) => [name, count])),
      Object.fromEntries([...rooms.map((room) => [room, 3]), ['long', 3000]]),
    );
    assert.deepStrictEqual(
      missing(members, await scanned(service, 'long', 's1', { limit: 200 })),
      [],
    );
    assert.strictEqual((await channels(service, { match: 'room1?' })).length, 10);
  });

  it('slots that move to a node that was scanned: nothing is missed', async () => {
    const service = await ctx.connected(PATIENT);
    const rooms = numbered('room', 45);
    await ok(service, 'add', rooms, 'u', 's1');
    const members = numbered('u', 3000);
    await ok(service, 'add', 'long', members, 's1');
    // The nodes are scanned in the order of their addresses.
    const primaries = (await ctx.cluster.primaries()).map(({ server }) => server);
    const [first] = primaries.sort((a, b) => (`${a.port}` < `${b.port}` ? -1 : 1));
    const met = [];
    const found = await channels(service, { limit: 10 }, async (page) => {
      if (page !== 2) return;
      for (const room of rooms) {
        await ctx.cluster.moveSlotOf(`POMELO:CHANNEL:${room}:s1`, first, () => {}, 100);
      }
      met.push(page);
    });
    assert.deepStrictEqual(met, [2]);
    assert.deepStrictEqual(names(found), [...rooms, 'long'].sort());
    const key = 'POMELO:CHANNEL:long:s1';
    const scan = await scanned(service, 'long', 's1', { limit: 300 }, async (page) => {
      if (page !== 3) return;
      const owner = await ctx.cluster.owner(key);
      await ctx.cluster.moveSlotOf(
        key,
        primaries.find((each) => each !== owner),
        () => {},
        100,
      );
    });
    assert.deepStrictEqual(missing(members, scan), []);
  });

  it('a replica that takes over between two pages: nothing is missed', async () => {
    await ctx.cluster.settled();
    const service = await ctx.connected(PATIENT);
    const rooms = numbered('room', 90);
    await ok(service, 'add', rooms, 'u', 's1');
    const members = numbered('u', 3000);
    await ok(service, 'add', 'long', members, 's1');
    await ctx.cluster.replicated();
    const failover = async (server) => {
      const replica = await ctx.cluster.replicaOf(server);
      await replica.run(0, 'cluster', 'failover');
      const isPrimary = async () =>
        (await ctx.cluster.primaries()).some((each) => each.server === replica);
      await until(isPrimary, 'the replica to take over', 60000);
      await ctx.cluster.settled();
    };
    const found = await channels(service, { limit: 10 }, async (page) => {
      if (page !== 2) return;
      for (const { server } of await ctx.cluster.primaries()) await failover(server);
    });
    assert.deepStrictEqual(missing([...rooms, 'long'], names(found)), []);
    await ctx.cluster.replicated();
    const scan = await scanned(service, 'long', 's1', { limit: 300 }, async (page) => {
      if (page === 3) await failover(await ctx.cluster.owner('POMELO:CHANNEL:long:s1'));
    });
    assert.deepStrictEqual(missing(members, scan), []);
  });
});
