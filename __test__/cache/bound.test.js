'use strict';

/**
 * The cache stays within `cache.maxBytes`, whatever is read: many channels, large ones, and one that does not fit. The
 * order of eviction is tested only as far as a user can see it.
 */

const assert = require('node:assert');
const { counted, fill, hit, key, noHit, read, reading } = require('./schedule');
const { invoke, ok } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');

const CHANNELS = 1000000;
// Not more than may be read tracked at once (src/cache/dead_keys.rs).
const AT_A_TIME = 1000;
const MIB = 1024 * 1024;

const FILL = `for i = 0, ARGV[1] - 1 do
  redis.call('SADD', ARGV[2] .. i .. ':s1', 'member-of-channel-' .. i)
end`;

/** Reads some channels in a row, each of one member. By callbacks: it is done a million times. */
const readRow = (service, from) =>
  new Promise((resolve, reject) => {
    let left = AT_A_TIME;
    for (let i = from; i < from + AT_A_TIME; i += 1) {
      service.getMembersBySid(String(i), 's1', (err, list) => {
        const text = err || list.join();
        if (text !== `member-of-channel-${i}`) reject(new Error(`${i}: ${text}`));
        left -= 1;
        if (left === 0) resolve();
      });
    }
  });

area('Cache: its bound', {}, (ctx) => {
  ours(
    'a million distinct channels: never more than maxBytes, no growth',
    async () => {
      const maxBytes = MIB;
      const service = await started(ctx.redis, { cache: { maxBytes } });
      await ctx.redis.run(0, 'eval', FILL, 0, CHANNELS, 'POMELO:CHANNEL:');
      let most = 0;
      let base;
      for (let from = 0; from < CHANNELS; from += AT_A_TIME) {
        // The second time to be kept.
        await readRow(service, from);
        await readRow(service, from);
        const { bytes, entries } = service.stats().cache;
        assert.ok(bytes <= maxBytes, `${bytes} bytes`);
        // A list of one, with its key and its place in the map, does not take less.
        assert.ok(entries * 40 <= maxBytes, `${entries} entries`);
        most = Math.max(most, bytes);
        if (from === AT_A_TIME * 100) base = process.memoryUsage().rss;
      }
      assert.ok(most > maxBytes / 2, `the bound was never near: ${most} bytes`);
      const grown = (process.memoryUsage().rss - base) / MIB;
      assert.ok(grown < 64, `the process grew by ${grown.toFixed(1)} MiB`);
      // The last ones are there, the first ones are not.
      assert.deepStrictEqual(await hit(service, String(CHANNELS - 1)), [
        `member-of-channel-${CHANNELS - 1}`,
      ]);
      assert.deepStrictEqual(await noHit(service, '0'), ['member-of-channel-0']);
      const { maxBytes: shown } = service.stats().cache;
      assert.strictEqual(shown, maxBytes);
    },
    { timeout: 500000 },
  );

  ours('bytes count the members, and fall when lists go', async () => {
    const service = await started(ctx.redis);
    const bytes = () => service.stats().cache.bytes;
    assert.strictEqual(bytes(), 0);
    await ok(
      service,
      'add',
      'n',
      Array.from({ length: 1000 }, (_, i) => `member-${i}`.padEnd(16)),
      's1',
    );
    await fill(service);
    assert.ok(bytes() >= 16000 && bytes() <= 100000, `${bytes()} bytes for 1000 members of 16`);
    await ok(service, 'destroyChannel', 'n');
    await fill(service);
    assert.ok(bytes() < 1000, `${bytes()} bytes for one empty list`);
    await ctx.redis.run(0, 'flushall');
    await fill(service, 'other');
    assert.strictEqual(service.stats().cache.entries, 1);
  });

  ours(
    'a list that is larger than the cache is read each time, and throws nothing out',
    async () => {
      const service = await started(ctx.redis, { cache: { maxBytes: 50000 } });
      await ok(service, 'add', 'small', 'u', 's1');
      await ok(
        service,
        'add',
        'large',
        Array.from({ length: 100 }, (_, i) => `${i}`.padEnd(1000)),
        's1',
      );
      await fill(service, 'small');
      for (let i = 0; i < 3; i += 1)
        assert.strictEqual((await noHit(service, 'large')).length, 100);
      assert.deepStrictEqual(await hit(service, 'small'), ['u']);
      assert.ok(service.stats().cache.bytes <= 50000);
    },
  );

  ours('lists that are read stay, others are evicted', async () => {
    const service = await started(ctx.redis, { cache: { maxBytes: 50000 } });
    const members = Array.from({ length: 10 }, (_, i) => `${i}`.padEnd(200));
    await ok(service, 'add', 'hot', members, 's1');
    await fill(service, 'hot');
    const counts = await counted(service, async () => {
      for (let i = 0; i < 200; i += 1) {
        await ok(service, 'add', `c${i}`, members, 's1');
        await read(service, `c${i}`);
        await read(service, 'hot');
      }
    });
    assert.deepStrictEqual([counts.hits, counts.misses], [200, 200]);
  });

  ours('churn over many channels: writes and reads in flight leave nothing behind', async () => {
    const maxBytes = 100000;
    const service = await started(ctx.redis, { cache: { maxBytes } });
    for (let round = 0; round < 20; round += 1) {
      const records = Array.from({ length: 1000 }, (_, i) => {
        const name = `c${(i * 7 + round) % 997}`;
        if (i % 3 === 0) return invoke(service, 'add', name, `u${round}`, 's1');
        return i % 3 === 1
          ? reading(service, name)
          : invoke(service, 'leave', name, `u${round}`, 's1');
      });
      for (const { done } of records) assert.ifError((await done).err);
      assert.ok(service.stats().cache.bytes <= maxBytes);
    }
    await ctx.redis.run(0, 'flushall');
    assert.deepStrictEqual(await fill(service), []);
    const { entries, bytes } = service.stats().cache;
    assert.ok(entries === 1 && bytes < 1000, `${entries} entries, ${bytes} bytes, ${key()}`);
  });
});
