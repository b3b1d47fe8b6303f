'use strict';

/**
 * Lone calls (lone.test.js) of each kind that is one round trip, and pushes to several channels, whose lists are combined after
 * it: what they answer while lists change, when the connection is cut and when a deadline passes.
 */

const assert = require('node:assert');
const { createApp, pushed } = require('./support/app');
const { call, ok } = require('./support/call');
const { ENOUGH, lone, sleeps } = require('./support/lone');
const { area, ours } = require('./support/rows');
const { started } = require('./support/service');
const { until } = require('./support/until');

/** A push to frontends s1, s2 and s3. */
const push = (name, opts = {}) => ['pushMessage', 'connector', 'r', {}, name, opts];

/** Calls by number. */
const KINDS = {
  'add with several names': (i) => ['add', ['a', 'b'], `u${i % 10}`, 's1'],
  addMany: (i) => ['addMany', 'a', [1, 2, 3].map((n) => ({ uid: `u${i % 10}`, sid: `s${n}` }))],
  getMembersByChannelName: () => ['getMembersByChannelName', 'connector', 'a'],
  isMember: (i) => ['isMember', 'a', `u${i % 10}`, 's1'],
  'pushMessage to one channel': () => push('a'),
  'pushMessage to two channels': () => push(['a', 'b']),
  'pushMessage to two channels without a user': (i) => push(['a', 'b'], { except: `u${i % 10}` }),
  'pushMessage without other channels': () => push('a', { exceptChannels: ['b', 'c'] }),
  'pushMessage to two channels on two frontends': () => push(['a', 'b'], { sids: ['s1', 's2'] }),
};

async function fill(service) {
  for (let i = 0; i < 10; i += 1) {
    for (const sid of ['s1', 's2', 's3']) {
      await ok(service, 'add', 'a', `u${i}`, sid);
      await ok(service, 'add', 'b', `u${i + 5}`, sid);
    }
  }
}

/** The uids that s1 was sent by the last push. */
function last(app) {
  const [, uids] = pushed(app)
    .filter(([sid]) => sid === 's1')
    .pop();
  return uids.sort();
}

area('lone calls of each kind', {}, (ctx) => {
  const linux = { skip: process.platform !== 'linux' };

  for (const [kind, args] of Object.entries(KINDS)) {
    ours(
      `${kind} does not wake the runtime`,
      async () => {
        const service = await started(ctx.redis, {}, createApp());
        await fill(service);
        // Its timers wake it too, and a change that the server reports ends the state.
        await until(async () => {
          for (let i = 0; i < ENOUGH; i += 1) await ok(service, ...args(i));
          const from = sleeps();
          for (let i = 0; i < 200; i += 1) await ok(service, ...args(i));
          return sleeps() - from < 50;
        }, '200 calls without a wake for each');
      },
      linux,
    );
  }

  ours(
    'lists that take long to combine are left to the runtime',
    async () => {
      const app = createApp();
      const service = await started(ctx.redis, {}, app);
      const uids = Array.from({ length: 5000 }, (_, i) => `user-${i}`);
      await ok(
        service,
        'addMany',
        'long',
        uids.map((uid) => ({ uid, sid: 's1' })),
      );
      const names = Array.from({ length: 10 }, (_, i) => `short-${i}`);
      await ok(service, 'add', names, 'other', 's1');
      for (const name of ['long', ...names]) await ok(service, ...push(name));
      const from = sleeps();
      for (const name of names) {
        await lone(service);
        await ok(service, ...push(['long', name]));
        assert.strictEqual(last(app).length, uids.length + 1);
      }
      // The last answer is here before the runtime's thread sleeps again.
      await until(() => sleeps() - from >= names.length, 'a wake for each push', 1000);
    },
    linux,
  );

  ours('pushes to two channels see what other processes change', async () => {
    const app = createApp();
    const service = await started(ctx.redis, {}, app);
    const other = await started(ctx.redis);
    for (let i = 0; i < ENOUGH; i += 1) {
      await ok(other, 'add', i % 2 ? 'a' : 'b', `u${i}`, 's1');
      if (i > 4) await ok(other, 'leave', (i - 4) % 2 ? 'a' : 'b', `u${i - 4}`, 's1');
      for (let times = 0; times < 12; times += 1) {
        await ok(service, ...push(['a', 'b']));
        const there = Array.from({ length: i + 1 }, (_, n) => n).filter(
          (n) => n === 0 || n > i - 4,
        );
        assert.deepStrictEqual(last(app), there.map((n) => `u${n}`).sort());
      }
    }
  });

  ours('pushes to two channels are answered in call order while connections are cut', async () => {
    const app = createApp();
    const service = await started(ctx.redis, {}, app);
    await fill(service);
    const order = [];
    for (let cuts = 0; cuts < 3; cuts += 1) {
      await lone(service);
      const killed = ctx.redis.killClients();
      for (let i = 0; i < 3 * ENOUGH; i += 1) {
        const pushes = Array.from({ length: i % 10 ? 1 : 3 }, async (_, n) => {
          const { err, value } = await call(service, ...push(['a', 'b'], { except: `u${i % 10}` }));
          order.push([cuts, i, n]);
          assert.deepStrictEqual([err, value], [null, []]);
        });
        await Promise.all(pushes);
        assert.deepStrictEqual(
          last(app),
          Array.from({ length: 15 }, (_, n) => `u${n}`)
            .filter((uid) => uid !== `u${i % 10}`)
            .sort(),
        );
      }
      await killed;
      await until(() => service.stats().reconnects === cuts + 1, 'a new connection');
    }
    const sorted = [...order].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    assert.deepStrictEqual(order, sorted);
  });

  ours('a push to two channels whose server hangs runs into the timeout', async () => {
    const app = createApp();
    const service = await started(ctx.redis, { commandTimeout: 300 }, app);
    await fill(service);
    await lone(service);
    ctx.redis.pause();
    try {
      const { err, n } = await call(service, ...push(['a', 'b']));
      assert.match(err.code, /^ERR_GLOBAL_CHANNEL_/);
      assert.strictEqual(n, 1);
      assert.deepStrictEqual(app.rpcCalls, []);
    } finally {
      ctx.redis.resume();
    }
    await until(async () => !(await call(service, ...push(['a', 'b']))).err, 'an answer');
    assert.strictEqual(last(app).length, 15);
  });
});
