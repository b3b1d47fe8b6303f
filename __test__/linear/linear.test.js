'use strict';

/**
 * The member cache is linearizable: four processes read and write through a slow wire, while others
 * remove keys and cut connections, and nobody can tell that reads are answered from memory. Runs on
 * Redis, and on Valkey with and without I/O threads. LINEAR_READS=n makes another number of reads,
 * over all runs; what a run is, is in run.js.
 */

const assert = require('node:assert');
const { describe, it, before, after } = require('node:test');
const redisServer = require('../support/redis');
const { valkeyServer } = require('../../scripts/valkey');
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

/** What a call may fail with where connections break. */
const BROKEN = ['ERR_GLOBAL_CHANNEL_DISCONNECTED', 'ERR_GLOBAL_CHANNEL_TIMEOUT'];

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
        await redis.flush();
        const reads = Math.ceil(READS / (RUNS.length * Object.keys(SERVERS).length));
        const result = await run(redis, { reads, kinds });
        t.diagnostic(summary(result));
        results.push(result);
        const { violations } = result;
        assert.strictEqual(violations.length, 0, violations.length > 0 && smallest(violations));
        const failed = result.processes.flatMap(({ failed }) => Object.keys(failed));
        assert.ok(
          result.processes.every(({ stats }) => stats.cache.hits > 0),
          'a cache was off',
        );
        const allowed = kinds.includes('kill') ? BROKEN : [];
        assert.deepStrictEqual(
          failed.filter((code) => !allowed.includes(code)),
          [],
          'calls failed',
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
