'use strict';

/**
 * `npx pome-globalchannel list` and `copy` from and to a Redis Cluster, and the primary that sentinels name. Single servers are in
 * copy.test.js and list.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, beforeEach, after } = require('node:test');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const cli = require('../support/cli');
const clusters = require('../support/cluster');
const redisServer = require('../support/redis');
const { Group } = require('../support/sentinels');
const { removeFolder } = require('../support/remove');
const { readStore } = require('../support/stores');
const { pause } = require('../support/until');

const PASSWORD = 'pa@ss,word';
const CHANNELS = 60;
const key = (i, sid = 's1') => `POMELO:CHANNEL:room ${i}:${sid}`;

/** Channels, one of them large, by their keys; what is not ours beside them. */
async function fill(run) {
  const expected = {};
  const add = async (name, uids) => {
    expected[name] = uids.sort();
    for (let i = 0; i < uids.length; i += 1000) {
      await run(name, 'sadd', name, ...uids.slice(i, i + 1000));
    }
  };
  for (let i = 0; i < CHANNELS; i += 1) await add(key(i), [`u${i}`, 'all']);
  await add(
    key('large'),
    Array.from({ length: 5000 }, (_, i) => `user-${i}`),
  );
  await run(key('text'), 'set', key('text'), 'no set');
  await run('OTHER:x:y', 'sadd', 'OTHER:x:y', 'u');
  return expected;
}

/** What `list` prints, as `{key: members}`. */
async function list(from) {
  const { code, stdout, stderr } = await cli.run(['list', '--from', from]);
  assert.deepStrictEqual([code, stderr], [0, '']);
  const lines = stdout.trim().split('\n').map(JSON.parse);
  return Object.fromEntries(lines.map((line) => [line.key, line.members]));
}

async function copy(from, to) {
  const { code, stdout, stderr } = await cli.run(['copy', '--from', from, '--to', to]);
  assert.strictEqual(code, 0, stdout + stderr);
  assert.match(stdout, new RegExp(`^${CHANNELS + 1} channels, ${2 * CHANNELS + 5000} members,`));
  assert.match(stdout, /verified/);
}

describe('list and copy of several servers', { timeout: 120000 }, () => {
  let single;
  let folder;
  let embedded;
  before(async () => {
    single = await redisServer.start();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'inventory-'));
  });
  beforeEach(async () => {
    await single.flush();
    embedded = `embedded:${fs.mkdtempSync(path.join(folder, 'store-'))}/channels`;
  });
  after(async () => {
    await single.stop();
    removeFolder(folder);
  });
  const address = () => `redis://127.0.0.1:${single.port}/2`;

  describe('a Redis Cluster', () => {
    let cluster;
    before(async () => {
      cluster = await clusters.start();
    });
    beforeEach(() => cluster.empty());
    after(() => cluster && cluster.close());
    const nodes = () => cluster.servers.slice(0, 2).map(({ port }) => `127.0.0.1:${port}`);
    const from = () => `redis+cluster://${nodes().join(',')}`;
    const run = async (name, ...command) => (await cluster.owner(name)).run(0, ...command);

    it('is listed', async () => {
      const expected = await fill(run);
      assert.deepStrictEqual(await list(from()), expected);
    });

    it('is copied to a server, to a folder and back', async () => {
      const expected = await fill(run);
      await copy(from(), address());
      assert.deepStrictEqual(await single.dump(2), expected);
      await copy(from(), embedded);
      await cluster.empty();
      await copy(embedded, from());
      assert.deepStrictEqual(await cluster.dump(), expected);
      assert.deepStrictEqual(await readStore(embedded), expected);
    });

    it('while slots move everything is listed', async () => {
      const expected = await fill(run);
      const primaries = (await cluster.primaries()).map(({ server }) => server);
      const state = { moving: true };
      const move = async () => {
        for (let i = 0; state.moving; i += 1) {
          const name = i % 5 === 0 ? key('large') : key(i % CHANNELS);
          await cluster.moveSlotOf(name, primaries[i % primaries.length], () => pause(15));
        }
      };
      const moved = move();
      moved.catch(() => {});
      try {
        for (let i = 0; i < 3; i += 1) {
          const found = await list(from());
          const missing = Object.keys(expected).filter((each) => !found[each]);
          assert.deepStrictEqual(missing, []);
          assert.deepStrictEqual(found, expected);
        }
      } finally {
        state.moving = false;
        await moved;
      }
    });

    it('that is not there is named', async () => {
      const port = await redisServer.freePort();
      const missing = `redis+cluster://:s3cret@127.0.0.1:${port}`;
      const { code, stderr } = await cli.run(['list', '--from', missing]);
      assert.strictEqual(code, 1);
      assert.ok(stderr.includes(`cannot reach Redis Cluster at 127.0.0.1:${port}`), stderr);
      assert.ok(!stderr.includes('s3cret'), stderr);
    });
  });

  describe('a primary that sentinels name', () => {
    let group;
    before(async () => {
      group = await Group.start({ password: PASSWORD, sentinelPassword: `${PASSWORD}-2` });
    });
    after(() => group && group.stop());
    const from = (db) => {
      const hosts = group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
      const [own, theirs] = [PASSWORD, `${PASSWORD}-2`].map(encodeURIComponent);
      const { name } = group.options();
      return `redis+sentinel://:${own}@${hosts}/${name}/${db}?sentinelPassword=${theirs}`;
    };

    it('is listed and copied', async () => {
      const primary = await group.primary();
      const expected = await fill((name, ...command) => primary.run(1, ...command));
      assert.deepStrictEqual(await list(from(1)), expected);
      await copy(from(1), address());
      await copy(address(), from(2));
      assert.deepStrictEqual(await list(from(2)), expected);
    });

    it('and a name that they do not know is an error', async () => {
      const wrong = from(1).replace(`/${group.options().name}/`, '/no-such/');
      const { code, stderr } = await cli.run(['list', '--from', wrong]);
      assert.strictEqual(code, 1);
      assert.match(stderr, /no sentinel knows a primary named "no-such"/);
      assert.ok(!stderr.includes(encodeURIComponent(PASSWORD)) && !stderr.includes(PASSWORD));
    });
  });
});
