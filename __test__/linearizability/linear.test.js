'use strict';

/**
 * Reads are linearizable although they are answered from memory: a few processes read and write, while others remove keys, cut
 * connections and kill processes. Here on Redis, on Valkey with and without I/O threads, each behind a slow wire; the other
 * stores are in linear-cluster.test.js and linear-embedded.test.js. LINEAR_READS=n sets the number of reads, on all servers
 * together. A run is in run.js.
 */

const assert = require('node:assert');
const { describe, it, before, after } = require('node:test');
const redisServer = require('../support/redis');
const { serverProgram } = require('../../scripts/servers');
const { BROKEN, READS, noneWrong } = require('./verdict');
const { onRedis } = require('./places');
const { run } = require('./run');
const { cacheOf } = require('./excerpt');

const SERVERS = {
  Redis: () => ({}),
  'Valkey 9': () => ({ program: serverProgram('valkey') }),
  'Valkey 9 with I/O threads': () => ({
    program: serverProgram('valkey'),
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
