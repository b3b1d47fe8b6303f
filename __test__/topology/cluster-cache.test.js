'use strict';

/**
 * The member cache on a Redis Cluster, without faults but with slots that move: what is served from memory, how it is
 * verified, and what it takes. Faults are in cluster-faults.test.js, and all of it at the same time among several processes in
 * __test__/linearizability/linear-cluster.test.js.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { ok } = require('../support/call');
const { logged } = require('../support/log');
const { PLAIN, CACHE } = require('../support/rights');
const { until } = require('../support/until');
const { PATIENT, onCluster } = require('./on-cluster');

const SIDS = ['s1', 's2', 's3'];
const NAMES = Array.from({ length: 20 }, (_, i) => `room ${i}`);
const keyOf = (name, sid) => `POMELO:CHANNEL:${name}:${sid}`;

const members = async (service, name, sid) =>
  (await ok(service, 'getMembersBySid', name, sid)).sort();

/** Reads of keys from memory while `work` is done. */
async function hits(service, work) {
  const before = service.stats().cache.hits;
  await work();
  return service.stats().cache.hits - before;
}

/** How often the nodes were sent a command while `work` is done. */
async function sent(cluster, name, work) {
  await cluster.all('config', 'resetstat');
  await work();
  const counts = (await cluster.all('info', 'commandstats')).map((text) => {
    const found = new RegExp(`^cmdstat_${name}:calls=(\\d+)`, 'm').exec(text);
    return found ? Number(found[1]) : 0;
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

onCluster('the member cache on a Redis Cluster', 120000, (ctx) => {
  /** Reads each list often enough to have it in memory. */
  async function warm(service, names = NAMES) {
    for (let i = 0; i < 3; i += 1) {
      await Promise.all(
        names.flatMap((name) => SIDS.map((sid) => ok(service, 'getMembersBySid', name, sid))),
      );
    }
  }

  /** Moves the slot of a key, key by key, until all nodes agree: another move before that may have them disagree for long. */
  async function byKeys(key, to) {
    await ctx.cluster.moveSlotOf(key, to, async () => {});
    await ctx.cluster.settled();
  }

  const fill = (service, names = NAMES) =>
    Promise.all(names.flatMap((name) => SIDS.map((sid) => ok(service, 'add', name, 'u', sid))));

  it('lists of all nodes come from memory, and show every write that was acknowledged', async () => {
    const lines = await logged(async () => {
      const service = await ctx.connected();
      const other = await ctx.connected({ cache: false });
      await fill(other);
      await warm(service);
      const { enabled, reason, entries } = service.stats().cache;
      assert.deepStrictEqual([enabled, reason, entries], [true, null, 60]);
      assert.match(other.stats().cache.reason, /option cache is false/);

      const reads = await sent(ctx.cluster, 'smembers', async () => {
        assert.strictEqual(await hits(service, () => warm(service)), 180);
      });
      assert.strictEqual(reads, 0);
      for (const writer of [other, service]) {
        for (const name of NAMES) {
          await ok(writer, 'add', name, 'v', 's1');
          assert.deepStrictEqual(await members(service, name, 's1'), ['u', 'v']);
          await ok(writer, 'leave', name, 'v', 's1');
          assert.deepStrictEqual(await members(service, name, 's1'), ['u']);
        }
      }
      await ok(service, 'clean');
      for (const name of NAMES) assert.deepStrictEqual(await members(service, name, 's2'), []);
    });
    assert.deepStrictEqual(
      lines.filter((line) => /cache/.test(line)),
      [],
    );
  });

  it('with option hashTag one command verifies the lists of a channel', async () => {
    for (const [hashTag, least, most] of [
      [true, 1, 1],
      [false, 2, 3],
    ]) {
      const service = await ctx.connected({ hashTag, prefix: `H${hashTag}` });
      // Only names whose three keys are in several slots, which they are without a tag.
      await fill(service, ['room']);
      await warm(service, ['room']);
      const touched = await sent(ctx.cluster, 'touch', async () => {
        const read = () => ok(service, 'getMembersByChannelName', 'connector', 'room');
        assert.strictEqual(await hits(service, read), 3);
      });
      assert.ok(touched >= least && touched <= most, `${touched} with hashTag ${hashTag}`);
    }
  });

  it('the lists of all nodes together stay within maxBytes', async () => {
    const maxBytes = 30000;
    const service = await ctx.connected({ cache: { maxBytes } });
    const names = Array.from({ length: 60 }, (_, i) => `large ${i}`);
    await fill(service, names);
    await warm(service, names);
    const { entries, bytes } = service.stats().cache;
    assert.ok(bytes <= maxBytes && bytes > maxBytes / 2, `${bytes} bytes`);
    assert.ok(entries > 0 && entries < 180, `${entries} lists`);
  });

  it('of a slot that moved, lists are not those of the old node, but come from memory again', async () => {
    const service = await ctx.connected();
    const other = await ctx.connected({ cache: false });
    const empty = NAMES.slice(0, 5);
    const full = NAMES.slice(5, 10);
    await fill(other, full);
    await warm(service, [...empty, ...full]);
    for (const name of [...empty, ...full]) {
      const key = keyOf(name, 's1');
      const owner = await ctx.cluster.owner(key);
      const primaries = await ctx.cluster.primaries();
      const { server } = primaries.find((each) => each.server !== owner);
      await byKeys(key, server);
      await ok(other, 'add', name, 'new', 's1');
      const expected = full.includes(name) ? ['new', 'u'] : ['new'];
      assert.deepStrictEqual(await members(service, name, 's1'), expected, name);
    }
    await warm(service, [...empty, ...full]);
    const again = await hits(service, () => warm(service, [...empty, ...full]));
    assert.strictEqual(again, 90);
  });

  it('when a slot has moved, no other list of its node is read again', async () => {
    const service = await ctx.connected();
    // Nothing is reported of lists that are empty: only the barrier tells that their slot is elsewhere.
    await warm(service);
    const [name] = NAMES;
    const owner = await ctx.cluster.owner(keyOf(name, 's1'));
    const primaries = await ctx.cluster.primaries();
    const { server } = primaries.find((each) => each.server !== owner);
    await byKeys(keyOf(name, 's1'), server);
    const before = service.stats().cache;
    const lists = NAMES.map((each) => ok(service, 'getMembersBySid', each, 's1'));
    assert.deepStrictEqual(
      await Promise.all(lists),
      NAMES.map(() => []),
    );
    const after = service.stats().cache;
    const counts = ['hits', 'rereads'].map((count) => after[count] - before[count]);
    assert.deepStrictEqual(counts, [NAMES.length - 1, 1]);
  });

  it('a replica that the service is connected to has its cache as soon as it is the primary', async () => {
    const [{ server: primary }, { server: seed }] = await ctx.cluster.primaries();
    const replica = await ctx.cluster.replicaOf(primary);
    // So that it connects to the replica.
    const natMap = { [`127.0.0.1:${primary.port}`]: { host: '127.0.0.1', port: replica.port } };
    const service = await ctx.connected({ ...PATIENT, natMap, ...ctx.cluster.options({}, [seed]) });
    const { enabled, reason } = service.stats().cache;
    assert.deepStrictEqual([enabled, reason], [true, null]);
    assert.strictEqual(await ctx.cluster.handOver(primary), replica);
    await ctx.cluster.settled();
    await fill(service);
    await warm(service);
    const names = [];
    for (const name of NAMES) {
      if ((await ctx.cluster.owner(keyOf(name, 's1'))) === replica) names.push(name);
    }
    assert.ok(names.length > 0);
    const read = () => Promise.all(names.map((name) => ok(service, 'getMembersBySid', name, 's1')));
    assert.strictEqual(await hits(service, read), names.length);
    assert.strictEqual(service.stats().reconnects, 0);
  });

  it('with option events lists come from memory, and every change is published once', async () => {
    const service = await ctx.connected({ events: true });
    const watch = service.watch(NAMES);
    const joined = [];
    watch.on('join', ({ name, sid, uids }) => joined.push(...uids.map((uid) => [name, sid, uid])));
    const gaps = [];
    watch.on('gap', ({ reason }) => gaps.push(reason));
    await until(() => gaps.length > 0, 'the watch to begin');
    await fill(service);
    await warm(service);
    assert.strictEqual(await hits(service, () => warm(service)), 180);
    for (const name of NAMES) {
      await ok(service, 'add', name, 'v', 's2');
      assert.deepStrictEqual(await members(service, name, 's2'), ['u', 'v']);
    }
    await until(() => joined.length >= 80, 'all joins');
    const expected = NAMES.flatMap((name) => [
      ...SIDS.map((sid) => [name, sid, 'u']),
      [name, 's2', 'v'],
    ]);
    assert.deepStrictEqual(joined.map(String).sort(), expected.map(String).sort());
  });

  /** Moves it as a whole, which Valkey 9 can. */
  async function asOne(key, to) {
    const owner = await ctx.cluster.owner(key);
    const slot = await owner.run(0, 'cluster', 'keyslot', key);
    const { id } = (await ctx.cluster.nodes()).find(({ server }) => server === to);
    await owner.run(0, 'cluster', 'migrateslots', 'slotsrange', slot, slot, 'node', id);
    const isThere = async () => (await ctx.cluster.owner(key)) === to;
    await until(isThere, 'the slot to be there', 30000);
    await ctx.cluster.settled();
  }

  for (const [how, move] of [
    ['key by key', byKeys],
    ['as a whole', asOne],
  ]) {
    it(`a slot that comes back brings no list of before: ${how}`, async (t) => {
      const commands = await ctx.cluster.servers[0].run(0, 'cluster', 'help');
      if (move === asOne && !commands.some((line) => line.startsWith('MIGRATESLOTS'))) {
        t.skip('takes Valkey 9');
        return;
      }
      const service = await ctx.connected();
      const other = await ctx.connected({ cache: false });
      await fill(other, NAMES.slice(0, 4));
      await warm(service, NAMES.slice(0, 6));
      for (const [i, name] of NAMES.slice(0, 6).entries()) {
        const key = keyOf(name, 's1');
        const owner = await ctx.cluster.owner(key);
        const primaries = await ctx.cluster.primaries();
        const { server } = primaries.find((each) => each.server !== owner);
        await move(key, server);
        if (i % 2 === 0) await ok(other, 'add', name, 'away', 's1');
        else await ok(other, 'destroyChannel', name);
        await move(key, owner);
        const expected = await ctx.cluster.members(key);
        assert.deepStrictEqual(await members(service, name, 's1'), expected, name);
      }
    });
  }

  it('where a node has no right to it, the cache is off, and stats() and the log say which', async () => {
    const rights = CACHE.filter((right) => right !== '+touch');
    const grant = (...all) =>
      ctx.cluster.all('acl', 'setuser', 'gc', 'reset', 'on', 'nopass', '~POMELO*', '-@all', ...all);
    await grant('+cluster|slots', '+asking', ...PLAIN, ...rights);
    const lines = await logged(async () => {
      const service = await ctx.connected({ username: 'gc', password: 'any' });
      await fill(service, NAMES.slice(0, 3));
      await warm(service, NAMES.slice(0, 3));
      const { enabled, reason, hits } = service.stats().cache;
      assert.deepStrictEqual([enabled, hits], [false, 0]);
      assert.match(reason, /^node 127\.0\.0\.1:\d+: TOUCH: NOPERM/);
    });
    await grant('+cluster|slots', '+asking', ...PLAIN, ...CACHE);
    const service = await ctx.connected({ username: 'gc', password: 'any' });
    await warm(service, NAMES.slice(0, 3));
    assert.strictEqual(service.stats().cache.reason, null);
    assert.strictEqual(await hits(service, () => warm(service, NAMES.slice(0, 3))), 27);
    await ctx.cluster.all('acl', 'deluser', 'gc');
    const told = lines.filter((line) => /the member cache is off: node/.test(line));
    assert.strictEqual(told.length, 1, lines.join('\n'));
  });
});
