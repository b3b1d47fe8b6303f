'use strict';

/**
 * The options `cache` and `rpcNoDelay`: wrong values throw from the constructor and the message
 * names the option, its value and what is accepted; right ones do what they say. The other options
 * are contract/b-*.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const double = require('./double');
const { K, counted, read } = require('./schedule');
const { logged } = require('../support/log');
const { assertRefused } = require('../support/refusals');
const { area, ours } = require('../support/rows');
const { create, started, stopAll } = require('../support/service');

const MIB = 1024 * 1024;

const BOUNDS = [-1, '-1', 1.5, '1.5', NaN, Infinity, 'much', '64mb', true, {}, [], () => 1];

/** option → [wrong values, what must be named as accepted] */
const WRONG = {
  cache: [[1, 0, 'yes', 'on', [], [1], () => 1, Symbol('s'), 5n], /true.*false.*maxBytes/],
  'cache.maxBytes': [BOUNDS, /whole number|integer/],
  rpcNoDelay: [[1, 0, 'yes', 'on', {}, [], () => 1, Symbol('s')], /true.*false|boolean/],
};

describe('Options cache and rpcNoDelay', () => {
  afterEach(stopAll);

  for (const [option, [values, accepted]] of Object.entries(WRONG)) {
    ours(`wrong ${option}: the error names it, the value and what is accepted`, () =>
      assertRefused(option, values, accepted),
    );
  }

  ours('a getter of cache that throws: its error, and no service', () => {
    const opts = {
      cache: {
        get maxBytes() {
          throw new Error('from the getter');
        },
      },
    };
    assert.throws(() => create(opts), /from the getter/);
  });

  ours('right values in every accepted form are accepted, and none is logged', async () => {
    const lines = await logged(() => {
      for (const cache of [true, false, null, undefined, {}, { maxBytes: 1000000 }]) {
        create({ cache });
      }
      create({ cache: { maxBytes: '1000000' } });
      create({ cache: { maxBytes: null } });
      for (const rpcNoDelay of [true, false, null, undefined]) create({ rpcNoDelay });
    });
    assert.deepStrictEqual(lines, []);
  });
});

area('Option cache at work', {}, (ctx) => {
  for (const [what, cache, maxBytes] of [
    ['by default', undefined, 64 * MIB],
    ['null', null, 64 * MIB],
    ['true', true, 64 * MIB],
    ['an object without a bound', {}, 64 * MIB],
    ['a bound', { maxBytes: MIB }, MIB],
    ['a bound as text', { maxBytes: String(MIB) }, MIB],
  ]) {
    ours(`${what}: on, with its bound`, async () => {
      const lines = await logged(async () => {
        const service = await started(ctx.redis, cache === undefined ? {} : { cache });
        const stats = service.stats().cache;
        assert.deepStrictEqual(
          [stats.enabled, stats.reason, stats.maxBytes],
          [true, null, maxBytes],
        );
        const counts = await counted(service, async () => {
          for (let i = 0; i < 3; i += 1) await read(service);
        });
        assert.deepStrictEqual(counts, { hits: 2, misses: 1, rereads: 0, invalidations: 0 });
      });
      assert.deepStrictEqual(lines, []);
    });
  }

  ours('false: every read asks the store, in RESP2, and nothing is logged', async () => {
    const server = await double.start();
    try {
      const lines = await logged(async () => {
        const service = await started(server, { cache: false });
        server.other('SADD', K, 'u');
        for (let i = 0; i < 3; i += 1) assert.deepStrictEqual(await read(service), ['u']);
        const { enabled, reason, hits, entries, bytes } = service.stats().cache;
        assert.deepStrictEqual([enabled, hits, entries, bytes], [false, 0, 0, 0]);
        assert.match(reason, /cache/);
      });
      assert.deepStrictEqual(lines, []);
      assert.strictEqual(server.count('SMEMBERS', K), 3);
      for (const name of ['HELLO', 'TOUCH']) assert.strictEqual(server.count(name), 0, name);
      assert.strictEqual(server.count('CLIENT', 'TRACKING'), 0);
    } finally {
      await stopAll();
      await server.close();
    }
  });

  ours('two services in one process have a cache each', async () => {
    const one = await started(ctx.redis);
    const two = await started(ctx.redis);
    await read(one);
    await read(one);
    assert.strictEqual(one.stats().cache.hits, 1);
    assert.strictEqual(two.stats().cache.hits, 0);
    const counts = await counted(two, () => read(two));
    assert.strictEqual(counts.misses, 1);
  });
});
