'use strict';

/**
 * A channel for each match: channels that are created and destroyed by the thousand leave no keys behind in the server's
 * tracking table. 3,000 matches of each kind in `npm test`, 100,000 in `npm run test:faults`, or MATCHES.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { createApp } = require('../support/app');
const { ok } = require('../support/call');
const { report, LONG } = require('../support/report');
const { started } = require('../support/service');
const { until } = require('../support/until');

const MATCHES = Number(process.env.MATCHES) || (LONG ? 100000 : 3000);
const AT_A_TIME = 50;
const MIB = 2 ** 20;
const FRONTENDS = Array.from({ length: 10 }, (_, i) => `connector-${i}`);
/** Of the game, in the same Redis. */
const KEYS = 40000;
/** What is left of `maxmemory` when the matches begin. 3,000 of them took 2.8 MB. */
const ROOM = 2 * MIB;
/** Keys in the server's table whenever it is looked at: of the channels of the matches under way at most. */
const MOST = 2 * AT_A_TIME;

const SEED = `for i = 1, ARGV[1] do redis.call('SET', 'game:' .. i, string.rep('x', 200)) end`;

const app = () => {
  const servers = FRONTENDS.map((id) => ({ id, serverType: 'connector', frontend: 'true' }));
  const made = createApp({ servers });
  // They are not looked at, and are many.
  made.rpcInvoke = (sid, msg, cb) => process.nextTick(cb, null, []);
  return made;
};

/** What a match is: `a` pushes, `b` is another process. */
const GAMES = {
  'each pushes once and destroys its channel': async ({ a, push, name }) => {
    await push();
    await ok(a, 'destroyChannel', name);
  },
  'each pushes three times and destroys its channel': async ({ a, push, name }) => {
    for (let i = 0; i < 3; i += 1) await push();
    await ok(a, 'destroyChannel', name);
  },
  'each pushes in the tick in which it destroys its channel': async ({ a, push, name }) => {
    for (let i = 0; i < 2; i += 1) await push();
    await Promise.all([push(), ok(a, 'destroyChannel', name), push()]);
  },
  'its last member leaves, and there is one more push': async ({ a, push, name, sid }) => {
    for (let i = 0; i < 2; i += 1) await push();
    await ok(a, 'leave', name, 'u', sid);
    await push();
  },
  'another process destroys it after one push, and there is one more': async ({
    b,
    push,
    name,
  }) => {
    await push();
    await ok(b, 'destroyChannel', name);
    await push();
  },
  'another process destroys it after two pushes, and there is one more': async (match) => {
    const { b, push, name } = match;
    for (let i = 0; i < 2; i += 1) await push();
    await ok(b, 'destroyChannel', name);
    await push();
  },
};

class Server {
  constructor(redis) {
    this.redis = redis;
  }

  async stat(name) {
    return Number(new RegExp(`${name}:(\\d+)`).exec(await this.redis.run(0, 'info'))[1]);
  }

  table() {
    return this.stat('tracking_total_keys');
  }

  memory() {
    return this.stat('used_memory');
  }

  async seed() {
    await this.redis.run(0, 'eval', SEED, 0, KEYS);
  }

  async limit(policy) {
    const maxmemory = (await this.memory()) + ROOM;
    await this.redis.run(0, 'config', 'set', 'maxmemory-policy', policy);
    await this.redis.run(0, 'config', 'set', 'maxmemory', maxmemory);
  }

  unlimited() {
    return this.redis.run(0, 'config', 'set', 'maxmemory', 0);
  }
}

/** Plays `count` matches; the most keys in the table meanwhile. */
async function play(server, { a, b }, game, count = MATCHES) {
  let most = 0;
  for (let first = 0; first < count; first += AT_A_TIME) {
    const matches = Array.from({ length: AT_A_TIME }, async (_, i) => {
      const name = `match-${process.hrtime.bigint()}-${first + i}`;
      const sid = FRONTENDS[i % FRONTENDS.length];
      const push = () => ok(a, 'pushMessage', 'connector', 'onMove', {}, name, {});
      await ok(a, 'add', name, 'u', sid);
      await game({ a, b, push, name, sid });
    });
    await Promise.all(matches);
    if (first % (20 * AT_A_TIME) === 0) most = Math.max(most, await server.table());
  }
  return most;
}

async function players(redis) {
  return { a: await started(redis, {}, app()), b: await started(redis, { cache: false }, app()) };
}

const LONG_RUN = { timeout: 15 * 60 * 1000 };

area(`${MATCHES} matches, each with a channel of its own`, {}, (ctx) => {
  for (const [title, game] of Object.entries(GAMES)) {
    fault(
      title,
      async () => {
        const server = new Server(ctx.redis);
        const { a, b } = await players(ctx.redis);
        await play(server, { a, b }, game, 500);
        const before = await server.memory();
        const most = await play(server, { a, b }, game);
        assert.strictEqual(a.stats().cache.enabled, true);
        assert.ok(most <= MOST, `${most} keys were remembered at once`);
        await ok(a, 'stop', true);
        assert.strictEqual(await server.table(), 0, 'keys that are remembered');
        const grown = (await server.memory()) - before;
        assert.ok(grown < MIB, `the server has grown by ${(grown / MIB).toFixed(1)} MiB`);
        const sees = `the server remembers at most ${most} keys after each ${AT_A_TIME}, none at the end; it grew by ${Math.round(grown / 1024)} KiB`;
        report({ fault: `${MATCHES} matches: ${title}`, sees, recovered: 'nothing to recover' });
      },
      LONG_RUN,
    );
  }
});

area(`${MATCHES} matches on a Redis with little memory left`, {}, (ctx) => {
  for (const policy of ['noeviction', 'allkeys-lru']) {
    fault(
      `${policy}: writes succeed, and the ${KEYS} other keys stay`,
      async () => {
        const server = new Server(ctx.redis);
        const { a, b } = await players(ctx.redis);
        await server.seed();
        await server.limit(policy);
        try {
          for (const game of Object.values(GAMES)) {
            await play(server, { a, b }, game, MATCHES / Object.keys(GAMES).length);
          }
          await ctx.redis.run(0, 'set', 'game:1', 'y');
          const indexes = await ctx.redis.run(0, 'exists', 'POMELO:CHANNEL@sids');
          const keys = await ctx.redis.run(0, 'dbsize');
          assert.strictEqual(keys - indexes, KEYS);
          assert.strictEqual(await server.stat('evicted_keys'), 0);
        } finally {
          await server.unlimited();
        }
        const left = `all ${KEYS} keys of the game are there, and it can write`;
        report({
          fault: `${MATCHES} matches, ${ROOM / MIB} MiB below maxmemory, ${policy}`,
          sees: left,
          recovered: 'nothing to recover',
        });
      },
      LONG_RUN,
    );
  }

  fault('out of memory for a while: keys left behind are removed afterwards', async () => {
    const server = new Server(ctx.redis);
    const { a, b } = await players(ctx.redis);
    const game = GAMES['another process destroys it after one push, and there is one more'];
    const name = 'match';
    const push = () => ok(a, 'pushMessage', 'connector', 'onMove', {}, name, {});
    await ok(a, 'add', name, 'u', FRONTENDS[0]);
    await push();
    await ok(b, 'destroyChannel', name);
    await ctx.redis.run(0, 'config', 'set', 'maxmemory', 1);
    try {
      await push();
      assert.strictEqual(await server.table(), 1);
    } finally {
      await server.unlimited();
    }
    await play(server, { a, b }, game, 100);
    await until(async () => {
      await push();
      return (await server.table()) === 0;
    }, 'the server to forget it');
  });
});
