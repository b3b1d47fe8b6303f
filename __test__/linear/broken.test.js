'use strict';

/**
 * The suite finds out real broken caches, not only made-up ones: the test build of the addon with a
 * rule broken, among the same processes, on the same wire. Which rule is caught by which smallest
 * schedule is __test__/cache/broken.test.js; here are those that other processes can notice.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { describe, it, before, after } = require('node:test');
const { ADDON } = require('../cache/use-broken');
const redisServer = require('../support/redis');
const { run } = require('./run');
const { smallest, summary } = require('./excerpt');

const READS = 6000;
const nodeArgs = ['-r', path.join(__dirname, '../cache/use-broken.js')];

const BROKEN = [
  'no-barrier',
  'no-token',
  'by-reference',
  'joins-sent-load',
  'no-fallback-same-batch',
  'no-fallback-for-reads',
];
/** Most are found in the first, by dozens of reads; but chance has a hand in it. */
const RUNS = 5;

describe('broken caches among processes', () => {
  let redis;
  before(async () => {
    assert.ok(fs.existsSync(ADDON), 'no test build: node scripts/build.js --broken makes it');
    redis = await redisServer.start();
  });
  after(() => redis && redis.stop());

  const broken = async (name) => {
    await redis.flush();
    const env = { GLOBALCHANNEL_TEST_BUILD: '1', ...(name && { GLOBALCHANNEL_BROKEN: name }) };
    return run(redis, { reads: READS, nodeArgs, env });
  };

  it('nothing broken: no violation', async (t) => {
    const result = await broken();
    t.diagnostic(summary(result));
    assert.strictEqual(result.violations.length, 0);
  });

  for (const name of BROKEN) {
    it(`${name} is found out`, async (t) => {
      let result;
      for (let i = 0; i < RUNS && !(result && result.violations.length > 0); i += 1) {
        result = await broken(name);
        t.diagnostic(summary(result));
      }
      assert.ok(result.violations.length > 0, 'nobody noticed');
      t.diagnostic(`the smallest:\n${smallest(result.violations)}`);
    });
  }
});
