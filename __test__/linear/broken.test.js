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

const READS = 10000;
const nodeArgs = ['-r', path.join(__dirname, '../cache/use-broken.js')];

/** name → the kinds of chaos that it takes */
const BROKEN = {
  'no-barrier': [],
  'joins-sent-load': [],
  'shares-sent-barrier': [],
  'no-fallback-same-batch': [],
  'barrier-ignores-count': ['expire'],
  'survives-reconnect': ['kill'],
};

describe('broken caches among processes', () => {
  let redis;
  before(async () => {
    assert.ok(fs.existsSync(ADDON), 'no test build: node scripts/build.js --broken makes it');
    redis = await redisServer.start();
  });
  after(() => redis && redis.stop());

  const broken = async (name, kinds) => {
    await redis.flush();
    const env = { GLOBALCHANNEL_TEST_BUILD: '1', ...(name && { GLOBALCHANNEL_BROKEN: name }) };
    return run(redis, { reads: READS, kinds, nodeArgs, env });
  };

  it('nothing broken: no violation', async (t) => {
    const result = await broken('', []);
    t.diagnostic(summary(result));
    assert.strictEqual(result.violations.length, 0);
  });

  for (const [name, kinds] of Object.entries(BROKEN)) {
    it(`${name} is found out`, async (t) => {
      const result = await broken(name, kinds);
      assert.ok(result.violations.length > 0, summary(result));
      t.diagnostic(`${summary(result)}; the smallest:\n${smallest(result.violations)}`);
    });
  }
});
