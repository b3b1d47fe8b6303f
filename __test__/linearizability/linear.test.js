'use strict';

/**
 * Reads are linearizable although they are answered from memory: a few processes read and write, while others remove keys, cut
 * connections and kill processes. Runs on Redis, on Valkey with and without I/O threads, each behind a slow wire, on a Redis
 * Cluster that changes, and in the folder of the embedded store. LINEAR_READS=n sets the number of reads, on all servers together and in all folders. A run is
 * in run.js.
 */

const assert = require('node:assert');
const { describe, it, before, after } = require('node:test');
const redisServer = require('../support/redis');
const { valkeyServer } = require('../../scripts/valkey');
const clusters = require('../support/cluster');
const { onRedis, onCluster, inFolder } = require('./places');
const { run } = require('./run');
const { smallest, summary, cacheOf } = require('./excerpt');

const READS = Number(process.env.LINEAR_READS) || 100000;

const SERVERS = {
  Redis: () => ({}),
  'Valkey 9': () => ({ program: valkeyServer() }),
  'Valkey 9 with I/O threads': () => ({
    program: valkeyServer(),
    // On two cores it would leave them idle.
    args: ['--io-threads', '4', '--io-threads-always-active', 'yes'],
  }),
};

const REMOVALS = ['del', 'flush', 'expire'];
const CUTS = ['kill', 'cut'];
const RUNS = [
  { title: 'writers and readers alone' },
  { title: 'keys removed by others, and expired', kinds: REMOVALS },
  { title: 'a server that forgets who has read what', kinds: ['forget', 'del'] },
  { title: 'connections killed and cut', kinds: CUTS },
  { title: 'all of it at the same time', kinds: [...REMOVALS, ...CUTS, 'forget'] },
];

const FOLDER_REMOVALS = ['clean', 'destroy'];
const BLOWS = ['freeze', 'die'];
const FOLDER_RUNS = [
  { title: 'writers and readers alone' },
  { title: 'channels removed by others', kinds: FOLDER_REMOVALS },
  { title: 'a store that grows', kinds: ['grow'] },
  { title: 'processes stopped, and killed and started again', kinds: BLOWS },
  { title: 'all of it at the same time', kinds: [...FOLDER_REMOVALS, 'grow', ...BLOWS] },
];

/** What a call may fail with where connections break. */
const BROKEN = ['ERR_GLOBAL_CHANNEL_DISCONNECTED', 'ERR_GLOBAL_CHANNEL_TIMEOUT'];

function noneWrong(result, t, allowed) {
  t.diagnostic(summary(result));
  const { violations } = result;
  assert.strictEqual(violations.length, 0, violations.length > 0 && smallest(violations));
  const failed = result.processes.flatMap(({ failed }) => Object.keys(failed));
  assert.deepStrictEqual(
    failed.filter((code) => !allowed.includes(code)),
    [],
    'calls failed',
  );
}

for (const [title, options] of Object.entries(SERVERS)) {
  describe(title, () => {
    const results = [];
    let redis;

    before(async () => {
      redis = await redisServer.start(options());
    });
    after(() => redis && redis.stop());

    for (const { title, kinds = [] } of RUNS) {
      it(title, async (t) => {
        const reads = Math.ceil(READS / (RUNS.length * Object.keys(SERVERS).length));
        const result = await run(onRedis(redis), { reads, kinds });
        results.push(result);
        noneWrong(result, t, kinds.includes('kill') ? BROKEN : []);
        // Not the hits of each: on a busy machine one process may hardly have begun when the others are done.
        // And one whose connection was cut just now has none.
        const off = result.processes.filter(
          ({ stats: { cache, connection } }) => !cache.enabled && connection === 'connected',
        );
        assert.deepStrictEqual(
          off.map(({ name, stats }) => `${name}: ${stats.cache.reason}`),
          [],
          'a cache was off',
        );
      });
    }

    it('most reads were answered from memory, and many had to be read again', (t) => {
      const cache = cacheOf(results.flatMap(({ processes }) => processes));
      const keyReads = results.reduce((sum, result) => sum + result.keyReads, 0);
      t.diagnostic(`${keyReads} reads of keys, ${JSON.stringify(cache)}`);
      assert.ok(cache.hits > keyReads / 2, 'at least half of the reads are hits');
      assert.ok(cache.rereads > keyReads / 50, 'reads overlap with writes');
    });
  });
}

const CLUSTER_RUNS = [
  { title: 'slots moved', kinds: ['move'] },
  { title: 'slots moved, and primaries that hand over', kinds: ['move', 'handOver'] },
];

describe('a Redis Cluster', () => {
  let cluster;

  before(async () => {
    cluster = await clusters.start();
  });
  after(() => cluster && cluster.close());

  for (const { title, kinds } of CLUSTER_RUNS) {
    it(title, async (t) => {
      const reads = Math.ceil(READS / 10);
      const times = Math.ceil(READS / 30000);
      const result = await run(onCluster(cluster), { reads, kinds, every: 200, times });
      noneWrong(result, t, []);
      assert.ok(result.changes > 0, 'some writes said what they changed');
    });
  }
});

for (const durability of ['process', 'os']) {
  describe(`the embedded store, durability ${durability}`, () => {
    for (const { title, kinds = [] } of FOLDER_RUNS) {
      it(title, async (t) => {
        const reads = Math.ceil(READS / 10);
        // Each kind as often as there are reads for it.
        const times = Math.ceil(READS / 30000);
        const result = await run(inFolder(durability), { reads, kinds, every: 100, times });
        noneWrong(result, t, []);
        // Who was killed cannot say how much it had in memory.
        if (kinds.includes('die')) return;
        const { hits } = cacheOf(result.processes);
        assert.ok(hits > result.keyReads / 2, 'at least half of the reads are hits');
      });
    }
  });
}
