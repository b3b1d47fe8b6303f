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
