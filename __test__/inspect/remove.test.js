'use strict';

/**
 * What the command remove takes for what a frontend has left, and what it leaves alone: frontends that are not gone, those of
 * other prefixes, and ids with a colon. What it prints is in commands.test.js.
 */

const assert = require('assert');
const addressOf = require('../support/address');
const { PLAIN, CACHE, LEASES } = require('../support/rights');
const cli = require('../support/cli');
const { Leases } = require('../support/leases');
const { ours, stores } = require('../support/rows');
const { started, stopAll } = require('../support/service');
const { readStore } = require('../support/stores');
const { proxy } = require('../faults/wire');

/** The rights that docs/CLI.md names. */
const RIGHTS =
  '+select +info +client|id +scan +type +scard +sscan +unlink +srem +sadd +eval +get +pttl';

stores('remove', (ctx) => {
  const remove = (...args) => cli.run(['remove', '--from', addressOf(ctx.store), ...args]);
  const contents = () => readStore(addressOf(ctx.store), null);
  const keys = () => ctx.redis.run(0, 'keys', '*');

  async function removed(...args) {
    const { code, stdout, stderr } = await remove(...args);
    assert.deepStrictEqual([code, stderr], [0, ''], stdout);
    return stdout;
  }

  /** Has it fail with a message, and the store as it was. */
  async function refused(message, ...args) {
    const before = await contents();
    const { code, stdout, stderr } = await remove(...args);
    assert.deepStrictEqual([code, stdout], [1, ''], stderr);
    assert.match(stderr, message);
    assert.deepStrictEqual(await contents(), before);
  }

  /** Members on a frontend with a lease. */
  async function held(sid = 's1') {
    const service = await started(ctx.store, { membership: 'session' });
    await new Leases(service).claim(sid, 'session-e1');
    await service.promises.add('room', 'u', sid);
    await stopAll();
  }

  ours.redis('nothing as a user who may not see whether the frontend is gone', async () => {
    await held();
    const { redis } = ctx;
    const as = (...rights) =>
      redis.run(0, 'acl', 'setuser', 'few', 'reset', 'on', '>few', ...rights);
    const from = ['--from', `redis://few:few@127.0.0.1:${redis.port}`, '--sid', 's1'];
    const rights = [...PLAIN, ...CACHE, ...LEASES];
    const channels = '~POMELO:CHANNEL:*';
    for (const few of [
      [channels, '~POMELO:CHANNEL@sids', ...rights],
      [channels, '~POMELO:CHANNEL@*', ...rights.filter((right) => right !== '+eval')],
      [channels, '~POMELO:CHANNEL@*', ...rights.filter((right) => right !== '+get')],
    ]) {
      await as(...few);
      const before = await contents();
      const { code, stderr } = await cli.run(['remove', ...from]);
      assert.strictEqual(code, 1, stderr);
      assert.match(
        stderr,
        /NOPERM[^]*whether the frontend is gone cannot be known|a lease takes the commands/,
      );
      assert.deepStrictEqual(await contents(), before);
    }
    await as(channels, '~POMELO:CHANNEL@*', ...RIGHTS.split(' '));
    const { code, stderr } = await cli.run(['remove', ...from]);
    assert.strictEqual(code, 1);
    assert.match(stderr, /the frontend "s1" holds its lease/);
    await redis.run(0, 'del', 'POMELO:CHANNEL@lease:{s1}');
    assert.strictEqual((await cli.run(['remove', ...from])).code, 0);
    assert.deepStrictEqual(await keys(), []);
  });

  ours.redis('nothing of a frontend whose lease is not noted yet', async () => {
    await held();
    await ctx.redis.run(0, 'del', 'POMELO:CHANNEL@leases', 'POMELO:CHANNEL@leases:session');
    await refused(/holds its lease/, '--sid', 's1');
  });

  ours('nothing of a frontend of a longer prefix', async () => {
    const inner = await started(ctx.store, { prefix: 'P:test' });
    await inner.promises.add('room', 'u', 's1');
    await inner.promises.add('room', 'u', 'session');
    await held('other');
    const outer = await started(ctx.store, { prefix: 'P' });
    await outer.promises.add('room', 'v', 's1');
    await stopAll();
    const one = 'removed 1 member in 1 channel on s1\n';
    assert.strictEqual(await removed('--prefix', 'P', '--sid', 's1'), one);
    const left = await contents();
    assert.deepStrictEqual([left['P:test:room:s1'], left['P:room:s1']], [['u'], undefined]);
    const none = 'removed 0 members in 0 channels on session\n';
    assert.strictEqual(await removed('--prefix', 'P', '--sid', 'session'), none);
    assert.strictEqual(await removed('--prefix', 'P:test', '--sid', 's1'), one);
  });

  ours('nothing of a frontend with a longer id that only has a lease', async () => {
    await held('x:s1');
    const { promises } = await started(ctx.store);
    await promises.add('room', 'v', 's1');
    await stopAll();
    // What is left of an index that was lost.
    if (ctx.redis) await ctx.redis.run(0, 'srem', 'POMELO:CHANNEL@sids', 'x:s1');
    assert.strictEqual(await removed('--sid', 's1'), 'removed 1 member in 1 channel on s1\n');
    assert.deepStrictEqual((await contents())['POMELO:CHANNEL:room:x:s1'], ['u']);
  });

  ours('nothing for an id with a colon that the store does not know', async () => {
    const { promises } = await started(ctx.store);
    await promises.add('guild:7', 'v', 's1');
    await stopAll();
    await refused(/no frontend "7:s1" is noted in the store/, '--sid', '7:s1');
    await refused(/no frontend "7:s1" is noted in the store/, '--sid', '7:s1', '--dry-run');
  });

  ours.redis('channels with hash tags and without, whatever --hash-tag is', async () => {
    for (const hashTag of [false, true]) {
      const { promises } = await started(ctx.store, { hashTag });
      await promises.add(['a', 'b:c'], 'v', 's1');
      await stopAll();
      const args = hashTag ? ['--sid', 's1'] : ['--sid', 's1', '--hash-tag'];
      assert.strictEqual(await removed(...args), 'removed 2 members in 2 channels on s1\n');
      assert.deepStrictEqual(await keys(), []);
    }
  });

  /** A way to the server on which `act` is done before the first command goes on that contains `text`. */
  async function before(text, act) {
    let acting = null;
    const wire = await proxy(ctx.redis.port);
    wire.toServer = (chunk, { server }) => {
      if (!acting && chunk.toString('latin1').toLowerCase().includes(text)) acting = act();
      if (!acting) return chunk;
      acting = acting.then(() => server.write(chunk));
      return undefined;
    };
    const from = `redis://127.0.0.1:${wire.port}`;
    return { from, hasActed: () => acting !== null, close: () => wire.close() };
  }

  for (const [what, text] of [
    ['members', 'unlink\r\n$23\r\npomelo:channel:room:s1'],
    ['its index', 'pomelo:channel@members:{s1}:'],
    ['the list of users', 'pomelo:channel@online:{s1}'],
    ['its note', 'srem\r\n$21\r\npomelo:channel@leases\r\n'],
    ['its place among the frontends', 'srem\r\n$19\r\npomelo:channel@sids\r\n'],
  ]) {
    ours.redis(`it fails if the frontend comes back before it removes ${what}`, async () => {
      await held();
      const { redis } = ctx;
      await redis.run(0, 'sadd', 'POMELO:CHANNEL@online:{s1}', 'u');
      await redis.run(0, 'del', 'POMELO:CHANNEL@lease:{s1}');
      const way = await before(
        text.replace('$23', `$${'POMELO:CHANNEL:room:s1'.length}`),
        async () => {
          const service = await started(ctx.store, { membership: 'session' });
          const leases = new Leases(service);
          await leases.claim('s1', 'session-e2');
          await service.promises.add('later', 'v', 's1');
          await leases.add('s1', 'v');
        },
      );
      const { code, stderr } = await cli.run(['remove', '--from', way.from, '--sid', 's1']);
      await way.close();
      assert.ok(way.hasActed());
      assert.strictEqual(code, 1, stderr);
      assert.match(stderr, /holds its lease for \d+ ms more: it is not gone/);
      const left = await contents();
      assert.deepStrictEqual(left['POMELO:CHANNEL@sids'], ['s1']);
      assert.deepStrictEqual(left['POMELO:CHANNEL@leases'], ['s1']);
      assert.ok((await redis.members('POMELO:CHANNEL@leases:session')).includes('s1'));
      assert.deepStrictEqual(left['POMELO:CHANNEL:later:s1'], ['v']);
      assert.deepStrictEqual(left['POMELO:CHANNEL@online:{s1}'], ['v']);
      const there = await keys();
      assert.ok(there.includes('POMELO:CHANNEL@members:{s1}'), `${there}`);
      assert.ok(there.includes('POMELO:CHANNEL@members:{s1}:v:1'), `${there}`);
    });
  }
});
