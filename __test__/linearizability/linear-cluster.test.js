'use strict';

/** Linearizability (linear.test.js) on a Redis Cluster that changes. */

const assert = require('node:assert');
const { describe, it, before, after } = require('node:test');
const clusters = require('../support/cluster');
const { READS, noneWrong } = require('./verdict');
const { onCluster } = require('./places');
const { run } = require('./run');

const CLUSTER_RUNS = [
  { title: 'slots moved', kinds: ['move'] },
  { title: 'slots moved, and primaries that hand over', kinds: ['move', 'handOver'] },
  { title: 'slots moved, and nodes that come and go', kinds: ['move', 'visit'] },
];

/** Of each fault. An election takes seconds, in which reads go on, and the history has to fit into memory. */
const MOST_TIMES = 10;

describe('a Redis Cluster', () => {
  let cluster;

  before(async () => {
    // Nodes vote for a replica of the same primary once in two such times: it is to hand over again and again.
    cluster = await clusters.start({ nodeTimeout: 3000 });
  });
  after(() => cluster && cluster.close());

  for (const { title, kinds } of CLUSTER_RUNS) {
    it(title, async (t) => {
      const reads = Math.ceil(READS / 10);
      const times = Math.min(Math.ceil(READS / 30000), MOST_TIMES);
      const result = await run(onCluster(cluster), { reads, kinds, every: 200, times });
      noneWrong(result, t, []);
      assert.ok(result.changes > 0, 'some writes said what they changed');
      const caches = result.processes.map(({ stats: { cache } }) => cache);
      assert.deepStrictEqual(
        caches.map(({ reason }) => reason),
        caches.map(() => null),
        'no cache was off',
      );
      assert.ok(
        caches.every(({ hits }) => hits > 0),
        'lists came from memory',
      );
    });
  }
});
