'use strict';

/**
 * `copy --from-layout` from a Redis Cluster, also while slots move, from the primary that sentinels name, and from servers that
 * lack HSCAN. Single servers are in layouts/convert.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, beforeEach, after } = require('node:test');
const cli = require('../support/cli');
const clusters = require('../support/cluster');
const redisServer = require('../support/redis');
const { Group } = require('../support/sentinels');
const { pause } = require('../support/until');
const { entriesOf, write } = require('../layouts/write');
const WRITTEN = require('../layouts/written.json');

const ASLIJIA = 'c#';
const PREFIX = 'APART:';

/** Channels of aslijia in many slots: its own prefix is a hash tag. */
function spread() {
  const keys = {};
  const channels = {};
  for (let i = 0; i < 40; i += 1) {
    const name = `room ${i}`;
    keys[`${PREFIX}${ASLIJIA}${name}`] = { [`u${i}`]: 's1', all: 's2' };
    keys[`${PREFIX}u#u${i}`] = { [name]: 's1' };
    channels[name] = { s1: [`u${i}`], s2: ['all'] };
  }
  const many = Array.from({ length: 3000 }, (_, i) => `user-${i}`);
  keys[`${PREFIX}${ASLIJIA}large`] = Object.fromEntries(many.map((uid) => [uid, 's1']));
  channels.large = { s1: many };
  return { keys, expected: entriesOf(channels, 'OUR') };
}

describe('copy --from-layout of several servers', { timeout: 120000 }, () => {
  let single;
  before(async () => {
    single = await redisServer.start();
  });
  beforeEach(() => single.flush());
  after(() => single.stop());
  const to = () => `redis://127.0.0.1:${single.port}/2`;
  const copy = (layout, from, ...more) =>
    cli.run(['copy', '--from', from, '--to', to(), '--from-layout', layout, ...more]);

  describe('a Redis Cluster', () => {
    let cluster;
    before(async () => {
      cluster = await clusters.start();
    });
    beforeEach(() => cluster.empty());
    after(() => cluster && cluster.close());
    const from = () => `redis+cluster://127.0.0.1:${cluster.servers[0].port}`;
    const run = async (command, key, ...rest) =>
      (await cluster.owner(key)).run(0, command, key, ...rest);
    const apart = ['--prefix', PREFIX, '--to-prefix', 'OUR'];

    for (const { layout, version, keys, channels } of WRITTEN) {
      it(`${layout} ${version} is copied from it`, async () => {
        await write(run, keys);
        const { code, stdout, stderr } = await copy(layout, from());
        assert.strictEqual(code, 0, stdout + stderr);
        assert.deepStrictEqual(await single.dump(2), entriesOf(channels, 'POMELO:CHANNEL'));
        assert.match(stdout, /\nleft out: \d+ keys /);
      });
    }

    it('hashes in all slots are copied, and other keys counted once, while slots move', async () => {
      const { keys, expected } = spread();
      await write(run, keys);
      const primaries = (await cluster.primaries()).map(({ server }) => server);
      const hashes = Object.keys(keys).filter((key) => key.includes(ASLIJIA));
      const state = { moving: true };
      const move = async () => {
        for (let i = 0; state.moving; i += 1) {
          const key = hashes[i % 5 === 0 ? hashes.length - 1 : i % hashes.length];
          await cluster.moveSlotOf(key, primaries[i % primaries.length], () => pause(15));
        }
      };
      const moved = move();
      moved.catch(() => {});
      try {
        const { code, stdout, stderr } = await copy('aslijia', from(), ...apart);
        assert.strictEqual(code, 0, stdout + stderr);
        assert.deepStrictEqual(await single.dump(2), expected);
        assert.match(stdout, /\nleft out: 40 keys APART:u#\*/);
      } finally {
        state.moving = false;
        await moved;
      }
    });
  });

  it('a primary that sentinels name', async () => {
    const group = await Group.start();
    try {
      const primary = await group.primary();
      const { keys, expected } = spread();
      await write((...command) => primary.run(1, ...command), keys);
      const hosts = group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
      const from = `redis+sentinel://${hosts}/${group.options().name}/1`;
      const apart = ['--prefix', PREFIX, '--to-prefix', 'OUR'];
      const { code, stdout, stderr } = await copy('aslijia', from, ...apart);
      assert.strictEqual(code, 0, stdout + stderr);
      assert.deepStrictEqual(await single.dump(2), expected);
    } finally {
      await group.stop();
    }
  });

  it('a server without HSCAN, and a user without the right to it', async () => {
    const { keys, expected } = spread();
    const old = await redisServer.start({ args: ['--rename-command', 'HSCAN', ''] });
    const apart = ['--prefix', PREFIX, '--to-prefix', 'OUR'];
    try {
      await write((...command) => old.run(0, ...command), keys);
      const { code, stderr } = await copy('aslijia', `redis://127.0.0.1:${old.port}`, ...apart);
      assert.deepStrictEqual([code, stderr], [0, '']);
      assert.deepStrictEqual(await single.dump(2), expected);
    } finally {
      await old.stop();
    }
    await write((...command) => single.run(0, ...command), keys);
    const from = `redis://gc:secret@127.0.0.1:${single.port}`;
    const rights = ['~APART:*', '-@all', '+scan', '+select'];
    for (const right of ['+hscan', '+hgetall']) {
      await single.run(2, 'flushdb');
      await single.run(0, 'acl', 'setuser', 'gc', 'reset', 'on', '>secret', ...rights, right);
      const { code, stderr } = await copy('aslijia', from, ...apart);
      assert.deepStrictEqual([code, stderr], [0, ''], right);
      assert.deepStrictEqual(await single.dump(2), expected);
    }
    await single.run(0, 'acl', 'setuser', 'gc', 'reset', 'on', '>secret', ...rights);
    const refused = await copy('aslijia', from, ...apart);
    assert.strictEqual(refused.code, 1);
    assert.match(refused.stderr, /NOPERM.*hgetall/);
  });
});
