'use strict';

/**
 * Lone calls (lone.test.js) whose connection ends or hangs, in the order of events that is bad for them: the event loop is
 * blocked, so that replies and errors of the socket wait together.
 */

const assert = require('node:assert');
const { spawn } = require('child_process');
const fs = require('fs');
const { call } = require('./support/call');
const { block, lone, ticks } = require('./support/lone');
const { area, ours } = require('./support/rows');
const { started } = require('./support/service');
const { nothingFor, until } = require('./support/until');

/** Cuts connections of a server from another process, while this one is blocked. */
function cutDuring(redis, ids, ms) {
  const lines = ids.map((id) => `CLIENT KILL ID ${id}\r\n`).join('');
  const kill = [
    "const s = require('net').connect(+process.argv[1], '127.0.0.1');",
    'setTimeout(() => s.end(process.argv[2]), 400);',
  ];
  const args = ['-e', kill.join(''), String(redis.port), lines];
  spawn(process.execPath, args, { stdio: 'ignore' });
  block(ms);
}

/** The sockets of this process that are connected to a port, from the side of the process. */
function sockets(port) {
  const to = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const lines = fs.readFileSync('/proc/self/net/tcp', 'utf8').trim().split('\n').slice(1);
  const fields = lines.map((line) => line.trim().split(/\s+/));
  const inodes = fields.filter(([, , remote]) => remote.endsWith(to)).map((all) => all[9]);
  const open = fs.readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [fs.readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
  return new Set(open.filter((name) => inodes.some((inode) => name === `socket:[${inode}]`)));
}

area('lone calls over a connection that fails', {}, (ctx) => {
  const linux = { skip: process.platform !== 'linux' };

  ours('an error of the socket loses no wake-up', async () => {
    const service = await started(ctx.redis, { cache: false });
    let best = Infinity;
    // It would wait for the heartbeat, at least two seconds. On a busy machine one of some rounds is enough.
    for (let round = 1; round <= 4 && best > 1000; round += 1) {
      await lone(service);
      const ids = (await ctx.redis.clients()).map(({ id }) => id);
      const first = call(service, 'add', 'n', 'first', 's1');
      await ticks();
      cutDuring(ctx.redis, ids, 1000);
      // Sent into a connection that the server has closed: its reset comes with the reply to the first one.
      const second = call(service, 'add', 'n', 'second', 's1');
      await ticks();
      block(50);
      const from = Date.now();
      assert.strictEqual((await first).err, null);
      assert.strictEqual((await second).err, null);
      best = Math.min(best, Date.now() - from);
      await until(() => service.stats().reconnects === round, 'a new connection');
    }
    assert.ok(best <= 1000, `${best} ms`);
  });

  ours('a reply that came before a write failed counts', async () => {
    const service = await started(ctx.redis, { cache: false });
    await lone(service);
    const ids = (await ctx.redis.clients()).map(({ id }) => id);
    const { promises } = service;
    const answers = [promises.add('n', 'first', 's1')];
    await ticks();
    cutDuring(ctx.redis, ids, 1000);
    answers.push(promises.add('n', 'second', 's1'));
    await ticks();
    block(50);
    answers.push(promises.add('n', 'third', 's1'));
    // 1: it was not a member. Sent again after its reply was lost, it would be 0.
    assert.deepStrictEqual(await Promise.all(answers), [1, 1, 1]);
    await until(() => service.stats().reconnects === 1, 'a new connection');
  });

  ours('a long reply in time is no timeout if the event loop is blocked', async () => {
    const service = await started(ctx.redis, { cache: false, commandTimeout: 500 });
    for (const count of [5000, 20000, 60000]) {
      const uids = Array.from({ length: count }, (_, i) => `user-${i}`);
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:long:s1', ...uids);
      await lone(service, 30);
      // So that no timer of an earlier call gives the socket back to the runtime.
      await nothingFor(800);
      const list = call(service, 'getMembersBySid', 'long', 's1');
      await new Promise((resolve) => {
        setImmediate(() => {
          block(1500);
          resolve();
        });
      });
      const { err, value } = await list;
      assert.strictEqual(err, null, `${count} members`);
      assert.strictEqual(value.length, count);
    }
    assert.strictEqual(service.stats().reconnects, 0);
  });

  ours(
    'a connection that is given up is closed',
    async () => {
      const service = await started(ctx.redis, { cache: false, commandTimeout: 400 });
      await lone(service);
      const [first, ...others] = sockets(ctx.redis.port);
      // One more is that of the test.
      assert.ok(first && others.length <= 1);
      const before = new Set([first, ...others]);
      ctx.redis.pause();
      try {
        assert.ok((await call(service, 'add', 'n', 'u', 's1')).err);
        await until(
          () =>
            [...before].filter((name) => sockets(ctx.redis.port).has(name)).length < before.size,
          'the old connection is closed',
        );
      } finally {
        ctx.redis.resume();
      }
      await until(async () => !(await call(service, 'add', 'n', 'u', 's1')).err, 'an answer');
    },
    linux,
  );

  ours('two services in one process have a connection each', async () => {
    const services = [await started(ctx.redis), await started(ctx.redis)];
    for (let i = 0; i < 3; i += 1) {
      await Promise.all(services.map((service) => lone(service, 40)));
      await ctx.redis.killClients();
      for (const service of services) {
        await until(() => service.stats().reconnects === i + 1, 'a new connection');
      }
    }
  });

  ours('stop in a callback closes the connection', async () => {
    const service = await started(ctx.redis);
    await lone(service);
    const stopped = await new Promise((resolve) => {
      service.add('n', 'last', 's1', () => resolve(call(service, 'stop', true)));
    });
    assert.ok(!stopped.err);
    await ctx.redis.untilClients(0);
  });

  ours('random load answers each call once and in order while connections are cut', async () => {
    const services = [await started(ctx.redis), await started(ctx.redis, { cache: false })];
    const answered = services.map(() => 0);
    const load = async (service, at) => {
      const order = [];
      let calls = 0;
      const one = () => {
        const number = calls++;
        const method = Math.random() < 0.6 ? 'add' : 'leave';
        return new Promise((resolve) => {
          service[method]('n', `u${number % 50}`, 's1', (err) => {
            order.push(number);
            answered[at] += 1;
            resolve(err);
          });
        });
      };
      for (let i = 0; i < 1500; i += 1) {
        const x = Math.random();
        const burst = x < 0.95 ? 1 : Math.ceil(Math.random() * 60);
        const errors = await Promise.all(Array.from({ length: burst }, one));
        assert.deepStrictEqual(errors.filter(Boolean).map(String), []);
        if (x > 0.99) block(Math.random() * 60);
      }
      assert.deepStrictEqual(order, [...order.keys()]);
    };
    const state = { over: false };
    const loads = Promise.all(services.map(load)).finally(() => {
      state.over = true;
    });
    const kills = (async () => {
      while (!state.over) {
        const before = [...answered];
        await ctx.redis.killClients();
        await new Promise((resolve) => setTimeout(resolve, 300));
        // A call that is lost again and again, which is slow on a busy machine, fails.
        const goOn = () => state.over || answered.every((count, i) => count > before[i] + 1);
        await until(goOn, 'answers after a cut', 20000);
      }
    })();
    await Promise.all([loads, kills]);
  });
});
