'use strict';

/**
 * A panic in the closure that receives the server's pushes ends the connection and nothing else. Needs the test build of the
 * addon; broken.test.js runs this file with it.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { K, fill, key, noHit, onDouble, reading, result } = require('./schedule');
const { invoke, ok } = require('../support/call');
const { until } = require('../support/until');

const skip = process.env.GLOBALCHANNEL_BROKEN !== 'panicking-closure' && 'needs the test build';

describe('Cache: a panicking closure', { skip }, () => {
  onDouble('nothing from before is served, and calls in flight succeed', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'old');
    for (let round = 1; round <= 3; round += 1) {
      // So that a push comes.
      await fill(service);
      double.hold();
      const name = `j${round}`;
      const asked = double.next('SMEMBERS', key(name));
      const calls = [invoke(service, 'add', 'm', `u${round}`, 's1'), reading(service, name)];
      await asked;
      double.other('SADD', K, `new${round}`);
      const record = reading(service);
      double.flow();
      assert.ok((await result(record)).includes(`new${round}`), `round ${round}`);
      for (const { done } of calls) assert.ifError((await done).err);
      await until(() => service.stats().reconnects >= round, 'a new connection');
    }
    assert.strictEqual(double.other('SMEMBERS', key('m')).size, 3);
    await ok(service, 'add', 'after', 'u', 's1');
    assert.deepStrictEqual(await noHit(service, 'after'), ['u']);
  });
});
