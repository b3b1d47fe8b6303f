'use strict';

/**
 * Reads that wait in the queue: one that was made before a list was asked for shares its answer, in whichever batch it
 * would have been sent. A write, a page or a `clean` that was called in between separates them.
 */

const assert = require('node:assert');
const { key } = require('./schedule');
const { call, ok } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');

// Long enough that a single list fills a batch.
const LONG = 20000;
const READS = 100;

area('Cache: reads that wait in the queue', {}, (ctx) => {
  /** A service that knows how long the list is. */
  async function prepared(opts) {
    await ctx.redis.run(0, 'flushall');
    const uids = Array.from({ length: LONG }, (_, i) => `u${i}`);
    await ctx.redis.run(0, 'sadd', key('a', 's1'), ...uids);
    const service = await started(ctx.redis, opts);
    for (let i = 0; i < 10; i += 1) assert.strictEqual((await ok(...read(service))).length, LONG);
    return service;
  }

  const read = (service) => [service, 'getMembersBySid', 'a', 's1'];
  const reads = (service) => Array.from({ length: READS }, () => ok(...read(service)));
  const lengths = async (lists) => [...new Set((await Promise.all(lists)).map((l) => l.length))];

  async function loads() {
    const stats = (await ctx.redis.run(0, 'info', 'commandstats')).toString();
    return Number(/cmdstat_smembers:calls=(\d+)/.exec(stats)[1]);
  }

  ours('those that are made at once share few readings of the list', async () => {
    const service = await prepared({ cache: false });
    const before = await loads();
    assert.deepStrictEqual(await lengths(reads(service)), [LONG]);
    const count = (await loads()) - before;
    assert.ok(count < READS / 5, `${count} readings for ${READS} reads`);
  });

  for (const cache of [true, false]) {
    ours(`cache: ${cache}: an own write separates those before it and after it`, async () => {
      const service = await prepared({ cache });
      const first = reads(service);
      const added = ok(service, 'add', 'a', 'new', 's1');
      const second = reads(service);
      const left = ok(service, 'leave', 'a', 'new', 's1');
      const third = reads(service);
      await Promise.all([added, left]);
      const found = [await lengths(first), await lengths(second), await lengths(third)];
      assert.deepStrictEqual(found, [[LONG], [LONG + 1], [LONG]]);
    });

    ours(`cache: ${cache}: clean does`, async () => {
      const service = await prepared({ cache });
      const first = reads(service);
      const cleaned = call(service, 'clean');
      const second = reads(service);
      assert.strictEqual((await cleaned).err, null);
      assert.deepStrictEqual([await lengths(first), await lengths(second)], [[LONG], [0]]);
    });
  }

  ours('a write that another client was told of is seen by each call after it', async () => {
    const service = await prepared();
    for (let i = 0; i < 20; i += 1) {
      const early = reads(service);
      await ctx.redis.run(0, 'sadd', key('a', 's1'), `new${i}`);
      const late = reads(service);
      assert.deepStrictEqual(await lengths(late), [LONG + i + 1]);
      for (const length of await lengths(early))
        assert.ok([LONG + i, LONG + i + 1].includes(length));
    }
  });
});
