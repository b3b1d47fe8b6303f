'use strict';

/**
 * The least rights of the Redis user: with them everything works, and without any one of them the function that the row names
 * fails, or another command does it. Servers that lack commands are in commands.test.js. `RIGHTS=least` runs the whole core suite as such a user.
 */

const assert = require('node:assert');
const cli = require('../support/cli');
const { call, invoke, ok } = require('../support/call');
const { logged } = require('../support/log');
const { PLAIN, CACHE } = require('../support/rights');
const { area, ours } = require('../support/rows');
const { create, started } = require('../support/service');
const { until } = require('../support/until');
const { proxy } = require('../faults/wire');

const USER = { username: 'gc', password: 'secret' };
const KEYS = '~POMELO:CHANNEL:*';

area('ACL', {}, (ctx) => {
  function grant(...rights) {
    const rules = ['reset', 'on', `>${USER.password}`, KEYS, 'resetchannels', '-@all', ...rights];
    return ctx.redis.run(0, 'acl', 'setuser', USER.username, ...rules);
  }
  const all = [...PLAIN, ...CACHE];
  const without = (right, rights = all) => grant(...rights.filter((each) => each !== right));
  const begin = (opts) => started(ctx.redis, { ...USER, ...opts });

  /** Some of everything. */
  async function works(service) {
    await ok(service, 'add', 'n', ['u', 'v'], 's1');
    await ok(service, 'leave', 'n', 'v', 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
    assert.deepStrictEqual(await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {}), []);
    await ok(service, 'destroyChannel', 'n');
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'clean');
    assert.deepStrictEqual(await ctx.redis.keys(), []);
  }

  /** Whether a write that was sent and not answered is done over the next connection. */
  async function repeats(opts) {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire, { ...USER, ...opts });
      const { number, client } = wire.links[wire.links.length - 1];
      let sent = false;
      wire.toServer = (chunk, link) => {
        if (link.number !== number) return chunk;
        sent = true;
        return undefined;
      };
      const adding = invoke(service, 'add', 'n', 'u', 's1');
      await until(() => sent, 'the add to be on its way');
      client.destroy();
      const { err } = await adding.done;
      assert.ok(!err || err.code === 'ERR_GLOBAL_CHANNEL_DISCONNECTED', String(err));
      return !err;
    } finally {
      await wire.close();
    }
  }

  ours('with all of them everything works, and the cache is on', async () => {
    await grant(...all);
    const lines = await logged(async () => {
      const service = await begin({ cleanOnStartUp: true });
      await works(service);
      await works(service);
      const { enabled, reason } = service.stats().cache;
      assert.deepStrictEqual([enabled, reason], [true, null]);
      assert.deepStrictEqual(await service.stats().errors, {});
    });
    assert.deepStrictEqual(
      lines.filter((line) => !line.includes(' clean removed ')),
      [],
    );
    const [{ user }] = await ctx.redis.clients();
    assert.strictEqual(user, USER.username);
    assert.strictEqual(await repeats(), true);
  });

  ours('without a cache its rights are not needed', async () => {
    await grant(...PLAIN);
    const service = await begin({ cache: false });
    await works(service);
    assert.strictEqual(await repeats({ cache: false }), true);
  });

  ours('nothing was refused meanwhile', async () => {
    await grant(...all);
    await ctx.redis.run(0, 'acl', 'log', 'reset');
    await works(await begin());
    assert.strictEqual(await repeats(), true);
    assert.deepStrictEqual(await ctx.redis.run(0, 'acl', 'log'), []);
  });

  /** right → the calls that fail without it. */
  const CALLS = {
    '+sadd': [['add', 'n', 'u', 's1']],
    '+srem': [['leave', 'n', 'u', 's1']],
    '+smembers': [
      ['getMembersBySid', 'n', 's1'],
      ['getMembersByChannelName', 'connector', 'n'],
      ['getMembersByChannelNameBySid', 'connector', ['n', 'm']],
      ['pushMessage', 'connector', 'r', {}, 'n', {}],
    ],
    '+unlink': [['destroyChannel', 'n'], ['clean']],
    '+scan': [['clean']],
  };
  for (const [right, calls] of Object.entries(CALLS)) {
    ours(
      `without ${right}: ${calls.map(([method]) => method).join(', ')} answers NOPERM`,
      async () => {
        await without(right);
        const service = await begin();
        await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:n:s1', 'u');
        for (const made of calls) {
          const { err } = await call(service, ...made);
          assert.ok(err, made[0]);
          const cause = [err.message, err.cause && err.cause.message].join();
          assert.match(cause, /NOPERM/, made[0]);
        }
      },
    );
  }

  for (const right of ['+scard', '+type']) {
    ours(`without ${right}: another command is used, and everything works`, async () => {
      await without(right);
      const service = await begin();
      await ok(service, 'add', 'n', ['u', 'v'], 's1');
      assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 2);
      await works(service);
    });
  }

  ours('without +sscan: all members are one page', async () => {
    await without('+sscan');
    const service = await begin();
    const members = Array.from({ length: 500 }, (_, i) => `u${i}`);
    await ok(service, 'add', 'n', members, 's1');
    const page = await ok(service, 'scanMembers', 'n', 's1', { limit: 10 });
    assert.deepStrictEqual([page.members.sort(), page.cursor], [members.sort(), null]);
    await works(service);
  });

  ours('without +scan: getChannels is unsupported, and no other command is used', async () => {
    await without('+scan');
    await ctx.redis.run(0, 'acl', 'setuser', 'gc', '+keys');
    const service = await begin();
    const { err } = await call(service, 'getChannels');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNSUPPORTED');
    assert.match(err.message, /^the server has no SCAN for us/);
  });

  ours('without +select: start fails at once with another db than 0', async () => {
    await without('+select');
    const { err } = await call(create(ctx.store.options({ ...USER, db: 3 })), 'start');
    assert.match(err.message, /NOPERM.*select/);
    await works(await begin());
  });

  for (const [right, reason] of [
    ['+client|tracking', /CLIENT TRACKING: NOPERM/],
    ['+client|trackinginfo', /CLIENT TRACKINGINFO: NOPERM/],
    ['+client|caching', /CLIENT CACHING: NOPERM/],
    ['+touch', /TOUCH: NOPERM/],
    ['+eval', /EVAL: NOPERM/],
    ['+info', /INFO .*NOPERM/],
  ]) {
    ours(`without ${right}: the cache is off, all else works`, async () => {
      await without(right);
      const service = await begin();
      assert.strictEqual(service.stats().cache.enabled, false);
      assert.match(service.stats().cache.reason, reason);
      await works(service);
    });
  }

  for (const right of ['+info', '+client|id', '+client|kill']) {
    ours(`without ${right}: writes that were sent are not repeated`, async () => {
      await without(right);
      assert.strictEqual(await repeats(), false);
      await works(await begin());
    });
  }

  ours('another prefix: not its keys', async () => {
    await grant(...all);
    const service = await begin({ prefix: 'OTHER' });
    const { err } = await call(service, 'add', 'n', 'u', 's1');
    assert.match(err.message, /NOPERM/);
  });

  ours('a user of another db than 0', async () => {
    await grant(...all);
    const service = await begin({ db: 5 });
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await ctx.redis.keys(5), ['POMELO:CHANNEL:n:s1']);
  });

  ours('the command line: list and copy use SSCAN if they may, and need no more', async () => {
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:n:s1', 'u');
    const url = `redis://gc:secret@127.0.0.1:${ctx.redis.port}`;
    for (const rights of [
      PLAIN,
      ...['+sscan', '+scard'].map((right) => PLAIN.filter((each) => each !== right)),
    ]) {
      await grant(...rights);
      const listed = await cli.run(['list', '--from', url]);
      assert.strictEqual(listed.stdout, '{"key":"POMELO:CHANNEL:n:s1","members":["u"]}\n');
      const copied = await cli.run(['copy', '--from', url, '--to', `${url}/1`]);
      assert.strictEqual(copied.code, 0, copied.stderr);
    }
    await without('+sadd', PLAIN);
    const refused = await cli.run(['copy', '--from', url, '--to', `${url}/1`]);
    assert.match(refused.stderr, /NOPERM.*sadd/);
  });
});
