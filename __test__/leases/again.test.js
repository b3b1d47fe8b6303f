'use strict';

/**
 * Operations on leases whose answers are lost with the connection: they are sent again, and answer what they would have
 * answered. And what they cost and need in Redis.
 */

const assert = require('assert');
const { proxy } = require('../faults/wire');
const { Leases } = require('../support/leases');
const { LEASES, CACHE, PLAIN } = require('../support/rights');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');

const USER = { username: 'gc', password: 'secret' };

area('leases in Redis', {}, (ctx) => {
  const open = async (target = ctx.redis, opts) =>
    new Leases(await started(target, { prefix: 'P', ...opts }));

  /** Runs `act`, with the answer to its first command lost: executed by the server, and the connection closed then. */
  async function answerLost(wire, act) {
    const { number } = wire.links[wire.links.length - 1];
    let lost = false;
    wire.toClient = (chunk, link) => {
      if (link.number !== number) return chunk;
      lost = true;
      link.client.destroy();
      return undefined;
    };
    const answer = await act();
    assert.ok(lost, 'an answer was lost');
    return answer;
  }

  for (const cache of [true, false]) {
    ours(`a claim whose answer was lost names the epoch before it (cache: ${cache})`, async () => {
      const wire = await proxy(ctx.redis.port);
      try {
        const old = await open();
        await old.claim('s1', 'e1');
        await old.add('s1', 'u1');
        const next = await open(wire, { cache });
        // The first attempt only learns who holds the lease; the answer to the second one is lost.
        let attempts = 0;
        const answered = new Promise((resolve, reject) => {
          const restore = next.replace('_claim', (claim, ...args) => {
            attempts += 1;
            if (attempts < 2) {
              claim(...args);
              return;
            }
            restore();
            const retry = () =>
              new Promise((done) =>
                claim(...args.slice(0, -1), (...result) => {
                  args[args.length - 1](...result);
                  done();
                }),
              );
            answerLost(wire, retry).catch(reject);
          });
          next.claim('s1', 'e2').then(resolve, reject);
        });
        assert.strictEqual((await answered).previous, 'e1');
        assert.deepStrictEqual(await next.members('s1'), [[]]);
        assert.strictEqual((await next.renew('s1', 'e2')).state, 'held');
      } finally {
        await wire.close();
      }
    });
  }

  ours('a renewal that took the lease again and whose answer was lost says so', async () => {
    const wire = await proxy(ctx.redis.port);
    try {
      const one = await open(wire);
      await one.claim('s1', 'e1');
      await ctx.redis.run(0, 'del', 'P@lease:{s1}');
      const { state } = await answerLost(wire, () => one.renew('s1', 'e1'));
      assert.strictEqual(state, 'regained');
      assert.strictEqual((await one.renew('s1', 'e1')).state, 'held');
    } finally {
      await wire.close();
    }
  });

  ours('keys and values are these', async () => {
    const one = await open();
    await one.claim('s1', 'e1');
    await one.add('s1', 'u1');
    assert.deepStrictEqual(await ctx.redis.keys(), ['P@lease:{s1}', 'P@leases', 'P@online:{s1}']);
    assert.deepStrictEqual(await ctx.redis.members('P@leases'), ['s1']);
    assert.deepStrictEqual(await ctx.redis.members('P@online:{s1}'), ['u1']);
    assert.match(await ctx.redis.run(0, 'get', 'P@lease:{s1}'), /^e1 /);
    const ttl = await ctx.redis.run(0, 'pttl', 'P@lease:{s1}');
    assert.ok(ttl > 0 && ttl <= 60000, `${ttl} ms`);
  });

  ours('what clean of 0.0.7 removes, the next renewal takes again', async () => {
    const one = await open();
    await one.claim('s1', 'e1');
    await one.add('s1', 'u1');
    await ctx.redis.flush();
    assert.deepStrictEqual(await one.renew('s1', 'e1'), {
      state: 'regained',
      count: 0,
      epoch: 'e1',
    });
    assert.strictEqual((await one.found('s1')).epoch, 'e1');
  });

  ours('no step takes longer the more users there are', async () => {
    const one = await open();
    const uids = Array.from({ length: 20000 }, (_, i) => `user-${i}`);
    await one.claim('s1', 'e1');
    await one.add('s1', ...uids);
    await ctx.redis.run(0, 'config', 'resetstat');
    // An epoch of 'session' leaves out the step that forgets what another option has noted.
    const claimed = await one.claim('s1', 'session-e2');
    assert.deepStrictEqual(claimed, { previous: 'e1', removed: 20000 });
    const stats = await ctx.redis.run(0, 'info', 'commandstats');
    const commands = [...stats.matchAll(/^cmdstat_([^:|]+):calls=/gm)].map(([, name]) => name);
    // The server frees the members in the background.
    const removing = commands.filter((name) => /del|unlink|srem|smembers|sscan/.test(name));
    assert.deepStrictEqual(removing, ['unlink']);
  });

  ours(
    'with all of their rights everything works, and without one the error names it',
    async () => {
      const grant = (rights) =>
        ctx.redis.run(
          0,
          'acl',
          'setuser',
          USER.username,
          'reset',
          'on',
          `>${USER.password}`,
          '~P:*',
          '~P@*',
          'resetchannels',
          '-@all',
          ...rights,
        );
      const all = [...PLAIN, ...CACHE, ...LEASES];
      await grant(all);
      const one = await open(ctx.redis, USER);
      const everything = async () => {
        await one.claim('s1', 'e1', 1);
        await one.add('s1', 'u1');
        await one.untilExpired('s1');
        await one.claim('s1', 'e2');
        await one.list();
        await one.add('s1', 'u1');
        await one.renew('s1', 'e2');
        await one.release('s1', 'e2');
        await one.sweep('s1');
      };
      await everything();
      for (const right of [...LEASES, '+eval']) {
        await grant(all.filter((each) => each !== right));
        const name = right.slice(1).toUpperCase();
        await assert.rejects(everything(), ({ code, message }) => {
          assert.strictEqual(code, 'ERR_GLOBAL_CHANNEL_STORE');
          assert.ok(message.toUpperCase().includes(name), `${name}: ${message}`);
          return true;
        });
        await grant(all);
        await one.release('s1', 'e1');
        await one.release('s1', 'e2');
      }
    },
  );
});

area('leases on a server without EVAL', { args: ['--rename-command', 'EVAL', ''] }, (ctx) => {
  ours('the error names the command', async () => {
    const one = new Leases(await started(ctx.redis));
    await assert.rejects(one.claim('s1', 'e1'), {
      code: 'ERR_GLOBAL_CHANNEL_STORE',
      message: /unknown command '?`?EVAL/i,
    });
  });
});
