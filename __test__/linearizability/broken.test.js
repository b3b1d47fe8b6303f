'use strict';

/**
 * The suite detects real broken caches, not only simulated ones: the test build of the addon with one rule broken, among the
 * same processes, on the same wire or in the same folder. Which smallest test catches which rule is in
 * __test__/cache/broken.test.js, and for the embedded store in src/embedded/tests/rules.rs; here are the rules that other
 * processes can notice.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { describe, it, before, after } = require('node:test');
const { ADDON, rules } = require('../cache/use-broken');
const clusters = require('../support/cluster');
const redisServer = require('../support/redis');
const { onCluster, onRedis, inFolder } = require('./places');
const { detected, run } = require('./run');
const { smallest, summary } = require('./excerpt');

/** In a folder only what meets in one transaction shows some of them. */
const READS = { redis: 6000, cluster: 10000, folder: 15000 };
const nodeArgs = ['-r', path.join(__dirname, '../cache/use-broken.js')];

const ON_REDIS = [
  'no-barrier',
  'no-token',
  'by-reference',
  'joins-sent-load',
  'no-fallback-same-batch',
  'no-fallback-for-reads',
];
/** An ignored redirection is found by the schedule only: it takes a change of a list between its slot's move and the next call. */
const ON_CLUSTER = ['no-barrier'];
const MOVES = { kinds: ['move'], every: 60, times: 20 };
/** It takes a link that is lost in the middle of a write. */
const NOT_HERE = 'embedded-gone-writes';
const IN_FOLDER = rules().filter((name) => name.startsWith('embedded-') && name !== NOT_HERE);
function suite(place, reads, names, faults) {
  const optionsOf = (name) => {
    const env = { GLOBALCHANNEL_TEST_BUILD: '1', ...(name && { GLOBALCHANNEL_BROKEN: name }) };
    return { ...faults, reads, nodeArgs, env };
  };

  it('nothing broken: no violation', async (t) => {
    const result = await run(place(), optionsOf());
    t.diagnostic(summary(result));
    assert.strictEqual(result.violations.length, 0);
  });

  for (const name of names) {
    it(`${name} is detected`, async (t) => {
      const found = ({ violations }) => violations;
      const tell = (result) => t.diagnostic(summary(result));
      const violations = await detected(place(), optionsOf(name), found, tell);
      assert.ok(violations.length > 0, 'no violation was detected');
      t.diagnostic(`the smallest:\n${smallest(violations)}`);
    });
  }
}

before(() => {
  assert.ok(fs.existsSync(ADDON), 'no test build: node scripts/build.js --broken makes it');
});

describe('broken caches among processes on Redis', () => {
  let redis;
  before(async () => {
    redis = await redisServer.start();
  });
  after(() => redis && redis.stop());

  suite(() => onRedis(redis), READS.redis, ON_REDIS);
});

describe('broken caches among processes on a Redis Cluster', () => {
  let cluster;
  before(async () => {
    cluster = await clusters.start();
  });
  after(() => cluster && cluster.close());

  suite(() => onCluster(cluster), READS.cluster, ON_CLUSTER, MOVES);
});

describe('a broken embedded store among processes', () => {
  suite(() => inFolder('process'), READS.folder, IN_FOLDER);
});
