'use strict';

/**
 * The views of a Redis Cluster, also while slots move, and of the primary that sentinels name, also after a failover. What they show
 * of a single store is in inspect/.
 */

const assert = require('node:assert');
const { after, before, beforeEach, describe, it } = require('node:test');
const cli = require('../support/cli');
const clusters = require('../support/cluster');
const { Leases } = require('../support/leases');
const { Group } = require('../support/sentinels');
const { started, stopAll } = require('../support/service');
const { pause } = require('../support/until');
const { openViews } = require('../../lib/inspect/views');

const CHANNELS = 60;
const names = Array.from({ length: CHANNELS }, (_, i) => `room ${i}`);

/** Channels on two frontends, one with a lease and one whose lease has expired. */
async function fill(target) {
  const service = await started(target, { membership: 'session' });
  const leases = new Leases(service);
  await leases.claim('s1', 'session-e1');
  await leases.claim('s2', 'session-e2', 1);
  await leases.add('s1', 'alice');
  await service.promises.add(names, ['alice', 'bob'], 's1');
  await service.promises.add(names, 'carl', 's2');
  await leases.untilExpired('s2');
  await stopAll();
}

async function json(from, ...args) {
  const { code, stdout, stderr } = await cli.run([...args, '--from', from, '--json']);
  assert.ok([0, 3].includes(code), stderr);
  return JSON.parse(stdout);
}

/** What each command shows of what `fill` has made. */
async function shows(from, kind) {
  const { store, ...totals } = await json(from, 'stats');
  assert.strictEqual(store.kind, kind);
  assert.match(store.version, /^(Redis|Valkey) \d/);
  assert.deepStrictEqual(totals, {
    prefix: 'POMELO:CHANNEL',
    channels: CHANNELS,
    members: 3 * CHANNELS,
    frontends: 2,
    leases: { held: 1, expired: 1, none: 0 },
    online: 1,
    isComplete: true,
  });
  const { frontends } = await json(from, 'frontends');
  assert.deepStrictEqual(
    frontends.map(({ sid, lease, members }) => [sid, lease, members]),
    [
      ['s1', 'held', 2 * CHANNELS],
      ['s2', 'expired', CHANNELS],
    ],
  );
  const found = new Set();
  let cursor = null;
  do {
    const more = cursor === null ? [] : ['--cursor', cursor];
    const page = await json(from, 'channels', '--limit', '20', ...more);
    for (const channel of page.channels) {
      found.add(channel.name);
      const spread = { s1: 2, s2: 1 };
      for (const { sid, count } of channel.frontends) assert.strictEqual(count, spread[sid]);
      assert.strictEqual(channel.count, 3);
    }
    ({ cursor } = page);
  } while (cursor !== null);
  assert.deepStrictEqual([...found].sort(), names.slice().sort());
  const { members } = await json(from, 'members', 'room 7');
  assert.deepStrictEqual(members.map(({ uid, sid }) => `${sid} ${uid}`).sort(), [
    's1 alice',
    's1 bob',
    's2 carl',
  ]);
  const user = await json(from, 'whois', 'alice');
  assert.deepStrictEqual(user.online, ['s1']);
  assert.deepStrictEqual(user.channels.map(({ name }) => name).sort(), names.slice().sort());
  const { problems } = await json(from, 'problems');
  assert.deepStrictEqual(problems.map((each) => [each.kind, each.sid, each.count]).sort(), [
    ['expired-lease', 's2', 0],
    ['members-without-lease', 's2', CHANNELS],
  ]);
  const removed = await json(from, 'remove', '--sid', 's2');
  assert.deepStrictEqual([removed.channels, removed.members], [CHANNELS, CHANNELS]);
  assert.deepStrictEqual((await json(from, 'problems')).problems, []);
}

describe('the views of several servers', { timeout: 180000 }, () => {
  describe('of a Redis Cluster', () => {
    let cluster;
    before(async () => {
      cluster = await clusters.start();
    });
    beforeEach(() => cluster.empty());
    after(() => cluster && cluster.close());
    const from = () => `redis+cluster://127.0.0.1:${cluster.servers[0].port}`;

    it('show all nodes as one store', async () => {
      await fill(cluster);
      await shows(from(), 'cluster');
    });

    it('show each channel while slots move', async () => {
      await fill(cluster);
      const primaries = (await cluster.primaries()).map(({ server }) => server);
      const state = { isMoving: true };
      const move = async () => {
        for (let i = 0; state.isMoving; i += 1) {
          const key = `POMELO:CHANNEL:room ${i % CHANNELS}:s1`;
          await cluster.moveSlotOf(key, primaries[i % primaries.length], () => pause(15));
        }
      };
      const moved = move();
      moved.catch(() => {});
      const views = openViews(from());
      try {
        for (let i = 0; i < 3; i += 1) {
          const { channels, members, isComplete } = await views.overview();
          assert.deepStrictEqual([channels, members, isComplete], [CHANNELS, 3 * CHANNELS, true]);
        }
      } finally {
        state.isMoving = false;
        await moved;
        await views.close();
      }
    });
  });

  describe('of a primary that sentinels name', () => {
    let group;
    before(async () => {
      group = await Group.start();
    });
    after(() => group && group.stop());
    const from = () => {
      const hosts = group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
      return `redis+sentinel://${hosts}/${group.options().name}`;
    };

    it('show it, and go on at the next one after a failover', async () => {
      await fill(group);
      await shows(from(), 'sentinel');
      const views = openViews(from());
      const { members } = await views.overview();
      const primary = await group.primary();
      await group.replicated();
      await group.failOver();
      await group.nextPrimary(primary);
      const next = await views.overview();
      assert.deepStrictEqual([next.members, next.store.kind], [members, 'sentinel']);
      await views.close();
    });
  });
});
