'use strict';

/**
 * `copy` and `list` with `--from-layout`. The keys in written.json were written by the forks' own code, at the commit that is
 * named there; `channels` is what the fork itself read then. Clusters are in topology/layouts.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, beforeEach, after } = require('node:test');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const cli = require('../support/cli');
const { ok } = require('../support/call');
const redisServer = require('../support/redis');
const { removeFolder } = require('../support/remove');
const { started, stopAll } = require('../support/service');
const { readStore } = require('../support/stores');
const { entriesOf, write } = require('./write');
const WRITTEN = require('./written.json');

const INDEX = '(the channels of each user)';
const STATUS = '(the frontends of each user)';

/** The prefix with which our service reads the fork's keys in place; what is left out of a conversion. */
const FORKS = {
  dbrugne: {
    prefix: 'POMELO:CHANNEL:channel',
    leftOut: [`8 keys POMELO:CHANNEL:user:* ${INDEX}`],
  },
  dubanflorin: {
    prefix: 'POMELO:CHANNEL',
    leftOut: [`7 keys POMELO:PLAYER_CHANNELS:* ${INDEX}`],
  },
  frank198: { prefix: 'POMELO:CHANNEL', leftOut: [`3 keys POMELO:CHANNEL:* ${STATUS}`] },
  whtiehack: { prefix: 'PINUS:CHANNEL', leftOut: [`3 keys PINUS:STATUS:* ${STATUS}`] },
  aslijia: {
    leftOut: [
      `9 keys {POMELO-GLOBALCHANNEL}u#* ${INDEX}`,
      '6 keys {POMELO-GLOBALCHANNEL}s#* (the same members by frontend)',
    ],
  },
};

describe('--from-layout', { timeout: 120000 }, () => {
  let redis;
  before(async () => {
    redis = await redisServer.start();
  });
  beforeEach(() => redis.flush());
  after(async () => {
    await stopAll();
    await redis.stop();
  });

  const address = (db) => `redis://127.0.0.1:${redis.port}/${db}`;
  const run = (...args) => redis.run(0, ...args);
  const copy = (layout, to, ...more) =>
    cli.run(['copy', '--from', address(0), '--to', to, '--from-layout', layout, ...more]);
  const leftOutOf = (stdout) =>
    stdout.split('\n').flatMap((line) => /^left out: (.*)/.exec(line)?.[1] ?? []);

  /** The service answers what the fork did. */
  async function reads(options, channels) {
    const service = await started(redis, options);
    for (const [name, sids] of Object.entries(channels)) {
      for (const [sid, uids] of Object.entries(sids)) {
        const found = await ok(service, 'getMembersBySid', name, sid);
        assert.deepStrictEqual(found.sort(), uids, `${name} on ${sid}`);
      }
    }
  }

  for (const { layout, version, keys, channels } of WRITTEN) {
    describe(`${layout} ${version}`, () => {
      const { prefix, leftOut } = FORKS[layout];
      const expected = entriesOf(channels, 'POMELO:CHANNEL');
      const count = Object.values(expected).reduce((sum, uids) => sum + uids.length, 0);
      const summary = `^${Object.keys(expected).length} channels, ${count} members,`;

      it('is copied to a Redis, where the service reads what the fork did', async () => {
        await write(run, keys);
        const { code, stdout, stderr } = await copy(layout, address(1));
        assert.deepStrictEqual([code, stderr], [0, ''], stdout);
        assert.match(stdout, new RegExp(summary));
        assert.match(stdout, /\nverified: the counts of all channels agree\n$/);
        assert.deepStrictEqual(leftOutOf(stdout), leftOut);
        assert.deepStrictEqual(await redis.dump(1), expected);
        await reads({ db: 1 }, channels);
      });

      it('is copied to a folder', async () => {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'layouts-'));
        try {
          await write(run, keys);
          const { code, stdout } = await copy(layout, `embedded:${folder}/channels`);
          assert.strictEqual(code, 0, stdout);
          assert.deepStrictEqual(await readStore(`embedded:${folder}/channels`), expected);
        } finally {
          removeFolder(folder);
        }
      });

      it('is listed with the keys that a copy makes', async () => {
        await write(run, keys);
        const args = ['list', '--from', address(0), '--from-layout', layout, '--to-prefix', 'OUR'];
        const { code, stdout, stderr } = await cli.run(args);
        assert.strictEqual(code, 0, stderr);
        const lines = stdout.trim().split('\n').map(JSON.parse);
        const found = Object.fromEntries(lines.map(({ key, members }) => [key, members.sort()]));
        assert.deepStrictEqual(found, entriesOf(channels, 'OUR'));
        const told = leftOut.map((line) => `pome-globalchannel: left out: ${line}\n`);
        assert.strictEqual(stderr, told.join(''));
      });

      it('under another prefix is copied under that, or under --to-prefix', async () => {
        const other = WRITTEN_PREFIX[layout];
        const moved = Object.entries(keys).filter(([key]) => key.startsWith(other));
        await write(
          run,
          Object.fromEntries(
            moved.map(([key, value]) => [`MY[1]*${key.slice(other.length)}`, value]),
          ),
        );
        const same = await copy(layout, address(1), '--prefix', 'MY[1]*');
        assert.strictEqual(same.code, 0, same.stderr);
        assert.deepStrictEqual(await redis.dump(1), entriesOf(channels, 'MY[1]*'));
        const to = ['--prefix', 'MY[1]*', '--to-prefix', 'OUR'];
        const renamed = await copy(layout, address(2), ...to);
        assert.strictEqual(renamed.code, 0, renamed.stderr);
        assert.deepStrictEqual(await redis.dump(2), entriesOf(channels, 'OUR'));
      });

      if (prefix) {
        it('is read in place with option prefix', async () => {
          await write(run, keys);
          await reads({ prefix }, channels);
        });
      }
    });
  }

  /** Forks that differ from 0.0.7 in the prefix at most. */
  const PREFIXES = {
    netease: 'POMELO:CHANNEL',
    ertko: 'POMELO:CHANNEL',
    homolumo: 'POMELO:CHANNEL',
    pome: 'POME:CHANNEL',
    pofresh: 'POFRESH:CHANNEL',
  };
  for (const [layout, prefix] of Object.entries(PREFIXES)) {
    it(`${layout} is copied from ${prefix}`, async () => {
      await write(run, { [`${prefix}:room:c`]: ['u'], [`${prefix}2:room:c`]: ['other'] });
      const { code, stdout } = await copy(layout, address(1));
      assert.strictEqual(code, 0, stdout);
      assert.deepStrictEqual(leftOutOf(stdout), []);
      assert.deepStrictEqual(await redis.dump(1), { 'POMELO:CHANNEL:room:c': ['u'] });
    });
  }

  it('takes keys that name no frontend for no channels, and counts them', async () => {
    await write(run, { 'POMELO:CHANNEL:room:c': ['u'], 'POMELO:CHANNEL:room': ['c'] });
    const { code, stdout } = await copy('netease', address(1));
    assert.strictEqual(code, 0, stdout);
    assert.deepStrictEqual(leftOutOf(stdout), ['1 key POMELO:CHANNEL:* (no frontend in the key)']);
    assert.deepStrictEqual(await redis.dump(1), { 'POMELO:CHANNEL:room:c': ['u'] });
  });

  it('copies large channels and counts many keys beside them, without KEYS', async () => {
    const sids = ['c1', 'c2', 'c3'];
    const uids = Array.from({ length: 20000 }, (_, i) => `user-${i}`);
    const P = '{POMELO-GLOBALCHANNEL}';
    for (let i = 0; i < uids.length; i += 1000) {
      const part = uids.slice(i, i + 1000);
      await run('hset', `${P}c#large`, ...part.flatMap((uid, at) => [uid, sids[at % 3]]));
      await Promise.all(part.map((uid) => run('hset', `${P}u#${uid}`, 'large', 'c1')));
    }
    await run('config', 'resetstat');
    const { code, stdout } = await copy('aslijia', address(1));
    const stats = await run('info', 'commandstats');
    assert.strictEqual(code, 0, stdout);
    assert.match(stdout, /^3 channels, 20000 members,/);
    assert.deepStrictEqual(leftOutOf(stdout), [`20000 keys ${P}u#* ${INDEX}`]);
    const copied = await redis.dump(1);
    assert.deepStrictEqual(Object.values(copied).flat().sort(), uids.sort());
    assert.match(stats, /cmdstat_hscan:/);
    assert.doesNotMatch(stats, /cmdstat_(keys|hgetall):/);
  });

  it('aslijia: what is no hash is skipped; two channels with one key become one', async () => {
    const P = '{POMELO-GLOBALCHANNEL}';
    await write(run, {
      [`${P}c#set`]: ['u'],
      [`${P}c#a`]: { u1: 'b:c', u3: 'b:c' },
      [`${P}c#a:b`]: { u1: 'c', u2: 'c' },
    });
    await run('set', `${P}c#text`, 'x');
    const { code, stdout } = await copy('aslijia', address(1));
    assert.deepStrictEqual(await redis.dump(1), { 'POMELO:CHANNEL:a:b:c': ['u1', 'u2', 'u3'] });
    assert.match(stdout, /^1 channel, 3 members,[^]*verified/);
    assert.strictEqual(code, 0, stdout);
  });

  it('is done in one db if no key of the fork reads as ours', async () => {
    const { keys, channels } = WRITTEN.find(({ layout }) => layout === 'aslijia');
    await write(run, keys);
    const { code, stdout } = await copy('aslijia', address(0));
    assert.strictEqual(code, 0, stdout);
    await reads({}, channels);
    // Again, with what it made itself beside it.
    assert.strictEqual((await copy('aslijia', address(0))).code, 0);
    const inside = await copy('dbrugne', address(0));
    assert.deepStrictEqual([inside.code, inside.stdout], [2, '']);
    assert.match(inside.stderr, /the same store, where the fork's keys would read as ours/);
  });

  const usage = {
    'a fork that is none': [['--from-layout', 'pomelo'], /known are aslijia, dbrugne, .*whtiehack/],
    'no fork': [['--from-layout', ''], /known are aslijia/],
    'another prefix without a fork': [['--to-prefix', 'OUR'], /toPrefix is for .* fromLayout/],
    'two forks': [['--from-layout', 'pome', '--from-layout', 'ertko'], /give --from-layout once/],
  };
  for (const command of ['copy', 'list']) {
    const to = command === 'copy' ? ['--to', 'redis://h/1'] : [];
    for (const [title, [args, says]] of Object.entries(usage)) {
      it(`${command} refuses ${title}`, async () => {
        const refused = await cli.run([command, '--from', 'redis://:s3cret@h', ...to, ...args]);
        assert.deepStrictEqual([refused.code, refused.stdout], [2, '']);
        assert.match(refused.stderr, says);
        assert.ok(!refused.stderr.includes('s3cret'), refused.stderr);
      });
    }

    it(`${command} refuses an embedded store, and says why`, async () => {
      const args = ['--from', 'embedded:folder', ...to, '--from-layout', 'pome'];
      const { code, stderr } = await cli.run([command, ...args]);
      assert.strictEqual(code, 2);
      assert.match(stderr, /from is an embedded store, where no fork keeps channels/);
    });
  }
});

/** The prefix in written.json. */
const WRITTEN_PREFIX = {
  dbrugne: 'POMELO:CHANNEL',
  dubanflorin: 'POMELO:CHANNEL',
  frank198: 'POMELO:CHANNEL',
  whtiehack: 'PINUS:CHANNEL',
  aslijia: '{POMELO-GLOBALCHANNEL}',
};
