'use strict';

/**
 * Cases that need a real server: keys that expire, with and without being deleted, refused writes, keys of the wrong type,
 * FLUSHDB, eviction, a full tracking table.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const { counted, failing, fill, hit, key, noHit, read, reading, result } = require('./schedule');
const { ok, settled } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');
const { pause, until } = require('../support/until');

const K = key();

area('Cache: expiry', { args: ['--enable-debug-command', 'yes'] }, (ctx) => {
  const now = async () => {
    const [seconds, micros] = await ctx.redis.run(0, 'time');
    return Number(seconds) * 1000 + Number(micros) / 1000;
  };

  /** Fills n, which expires a second later; until then it is served. */
  async function expiring(service) {
    await ctx.redis.run(0, 'sadd', K, 'u');
    const end = Math.floor(await now()) + 1000;
    await ctx.redis.run(0, 'pexpireat', K, end);
    assert.deepStrictEqual(await fill(service), ['u']);
    return async () => until(async () => (await now()) > end + 1, 'the key to expire');
  }

  ours('expired, not deleted: the list is not served', async () => {
    const service = await started(ctx.redis);
    await ctx.redis.run(0, 'debug', 'set-active-expire', '0');
    try {
      const expired = await expiring(service);
      await expired();
      assert.deepStrictEqual(await noHit(service), []);
    } finally {
      await ctx.redis.run(0, 'debug', 'set-active-expire', '1');
    }
  });

  // The server may not delete it then, and so sends no invalidation; a plain reader sees [].
  ours('barrier ignores count: expired under CLIENT PAUSE WRITE', async () => {
    const service = await started(ctx.redis);
    const expired = await expiring(service);
    await ctx.redis.run(0, 'client', 'pause', 60000, 'write');
    try {
      await expired();
      assert.deepStrictEqual(await ctx.redis.members(K), [], 'as a plain reader sees it');
      const counts = await counted(service, async () => {
        assert.deepStrictEqual(await read(service), []);
        assert.deepStrictEqual(await read(service), []);
      });
      assert.strictEqual(counts.invalidations, 0, 'a push came, this shows nothing');
    } finally {
      await ctx.redis.run(0, 'client', 'unpause');
    }
  });

  ours('expired and deleted: the list is not served', async () => {
    const service = await started(ctx.redis);
    const expired = await expiring(service);
    await expired();
    assert.deepStrictEqual(await noHit(service), []);
  });
});

area('Cache: a server that refuses', {}, (ctx) => {
  ours('MISCONF: cached reads go on while writes are refused', async () => {
    const service = await started(ctx.redis);
    await ok(service, 'add', 'n', 'u', 's1');
    await fill(service);
    await ctx.redis.run(0, 'config', 'set', 'save', '3600 1000000');
    // The dump cannot take its place.
    fs.mkdirSync(path.join(ctx.redis.dir, 'dump.rdb'));
    await ctx.redis.run(0, 'bgsave');
    const status = async () => (await ctx.redis.run(0, 'info', 'persistence')).toString();
    await until(async () => (await status()).includes('last_bgsave_status:err'), 'a failed save');
    assert.match((await failing(service, 'add', 'n', 'v', 's1')).message, /^MISCONF/);
    assert.deepStrictEqual(await hit(service), ['u']);
    assert.deepStrictEqual(await hit(service), ['u']);
    await ctx.redis.run(0, 'config', 'set', 'save', '');
  });
});

area('Cache: odd things in the store', {}, (ctx) => {
  ours('a WRONGTYPE that is repaired: the third read hits', async () => {
    const service = await started(ctx.redis);
    await ctx.redis.run(0, 'set', K, 'no set');
    assert.match((await failing(service, 'getMembersBySid', 'n', 's1')).message, /^WRONGTYPE/);
    await ctx.redis.run(0, 'del', K);
    await ctx.redis.run(0, 'sadd', K, 'u');
    // Their pushes must not end the load.
    await settled(service);
    for (let i = 0; i < 2; i += 1) assert.deepStrictEqual(await noHit(service), ['u']);
    assert.deepStrictEqual(await hit(service), ['u']);
  });

  ours('a cached list becomes something else: the error of the store', async () => {
    const service = await started(ctx.redis);
    await ok(service, 'add', 'n', 'u', 's1');
    await fill(service);
    await ctx.redis.run(0, 'set', K, 'no set');
    for (let i = 0; i < 3; i += 1) {
      assert.match((await failing(service, 'getMembersBySid', 'n', 's1')).message, /^WRONGTYPE/);
    }
    await ctx.redis.run(0, 'del', K);
    assert.deepStrictEqual(await fill(service), []);
  });

  for (const command of ['flushdb', 'flushall']) {
    ours(`${command.toUpperCase()} by another client: nothing from before is served`, async () => {
      const service = await started(ctx.redis);
      for (let round = 0; round < 20; round += 1) {
        await ok(service, 'add', 'n', 'u', 's1');
        await fill(service);
        await ctx.redis.run(0, command);
        assert.deepStrictEqual(await noHit(service), []);
      }
    });
  }

  for (const [what, change] of Object.entries({
    DEL: (redis) => redis.run(0, 'del', K),
    RENAME: (redis) => redis.run(0, 'rename', K, 'elsewhere'),
    'SMOVE to another key': (redis) => redis.run(0, 'smove', K, 'elsewhere', 'u'),
    'SDIFFSTORE over it': (redis) => redis.run(0, 'sdiffstore', K, 'none'),
    EVAL: (redis) => redis.run(0, 'eval', 'redis.call("del", KEYS[1])', 1, K),
    MOVE: (redis) => redis.run(0, 'move', K, 9),
  })) {
    ours(`${what} by another client is seen at once`, async () => {
      const service = await started(ctx.redis);
      await ok(service, 'add', 'n', 'u', 's1');
      await fill(service);
      await change(ctx.redis);
      assert.deepStrictEqual(await noHit(service), []);
    });
  }

  ours('a tracking table that is full: what the server forgot is not served', async () => {
    await ctx.redis.run(0, 'config', 'set', 'tracking-table-max-keys', 10);
    try {
      const service = await started(ctx.redis);
      const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
      for (let round = 0; round < 3; round += 1) {
        for (let i = 0; i < 2; i += 1) {
          await Promise.all(names.map((name) => result(reading(service, name))));
        }
        await Promise.all(names.map((name) => ctx.redis.run(0, 'sadd', key(name), `u${round}`)));
        const lists = await Promise.all(names.map((name) => result(reading(service, name))));
        for (const list of lists) assert.strictEqual(list.length, round + 1);
      }
    } finally {
      await ctx.redis.run(0, 'config', 'set', 'tracking-table-max-keys', 1000000);
    }
  });
});

area("Cache: the server's LRU", {}, (ctx) => {
  ours('channels that are always served from memory are not evicted by the server', async () => {
    const service = await started(ctx.redis);
    const hot = Array.from({ length: 50 }, (_, i) => `hot${i}`);
    await Promise.all(hot.map((name) => ok(service, 'add', name, 'u', 's1')));
    for (let i = 0; i < 2; i += 1) {
      await Promise.all(hot.map((name) => result(reading(service, name))));
    }
    const stat = async (field) =>
      Number(new RegExp(`${field}:(\\d+)`).exec(await ctx.redis.run(0, 'info'))[1]);
    const settings = {
      maxmemory: (await stat('used_memory')) + 3 * 1024 * 1024,
      'maxmemory-policy': 'allkeys-lru',
      'maxmemory-samples': 64,
    };
    for (const setting of Object.entries(settings)) {
      await ctx.redis.run(0, 'config', 'set', ...setting);
    }
    let written = 0;
    const counts = await counted(service, async () => {
      // The server's clock for this ticks in seconds: what it throws out must be some seconds old,
      // so that the hot ones would look old as well.
      while ((await stat('evicted_keys')) < 500) {
        const fillers = Array.from({ length: 25 }, () =>
          ctx.redis.run(0, 'set', `filler:${(written += 1)}`, 'x'.repeat(4000)),
        );
        const lists = await Promise.all(hot.map((name) => result(reading(service, name))));
        assert.deepStrictEqual(
          lists.flat(),
          Array.from(hot, () => 'u'),
        );
        await Promise.all(fillers);
        await pause(100);
      }
    });
    const kept = (await ctx.redis.keys()).filter((name) => name.includes(':hot'));
    assert.strictEqual(kept.length, 50);
    assert.deepStrictEqual([counts.misses, counts.rereads], [0, 0]);
  });
});
