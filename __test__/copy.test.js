'use strict';

/**
 * `npx pome-globalchannel copy`, as a process, between real stores: what arrives, what is reported, and what happens when it
 * is interrupted. Copies between stores in memory are in src/inventory/tests/; `list` is in list.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, beforeEach, after } = require('node:test');
const { proxy } = require('./faults/wire');
const cli = require('./support/cli');
const redisServer = require('./support/redis');
const { pause, until } = require('./support/until');

const PREFIX = 'POMELO:CHANNEL';
/** Of all tests of a suite together. What hangs has a deadline of its own. */
const TIMEOUT = 300000;

let redis;
const address = (db = 0, port = redis.port) => `redis://127.0.0.1:${port}/${db}`;
const copy = (from, to, ...more) => cli.run(['copy', '--from', from, '--to', to, ...more]);

/** `uids` in turns of a thousand, in one db. */
async function add(db, key, uids) {
  const adding = [];
  for (let i = 0; i < uids.length; i += 1000) {
    adding.push(redis.run(db, 'sadd', key, ...uids.slice(i, i + 1000)));
  }
  await Promise.all(adding);
}

const users = (count) => Array.from({ length: count }, (_, i) => `user-${i}`);

/** A proxy in front of the server that stops passing on what a client sends after so many bytes. */
async function gate(bytes) {
  const wire = await proxy(redis.port);
  let passed = 0;
  wire.toServer = (chunk, { client }) => {
    passed += chunk.length;
    if (passed > bytes) client.pause();
    return chunk;
  };
  wire.release = () => {
    wire.toServer = undefined;
    for (const { client } of wire.links) client.resume();
  };
  wire.untilShut = () => until(() => passed > bytes, 'the gate to shut');
  return wire;
}

describe('copy between two dbs of Redis', { timeout: TIMEOUT }, () => {
  before(async () => {
    redis = await redisServer.start();
  });
  beforeEach(() => redis.flush());
  after(() => redis.stop());

  it('adds every member of every channel, and says that the counts agree', async () => {
    for (let i = 0; i < 300; i += 1) await add(0, `${PREFIX}:room-${i}:connector-1`, users(i % 7));
    await add(0, `${PREFIX}:large:connector-1`, users(5000));
    const { code, stdout, stderr } = await copy(address(0), address(1));
    assert.deepStrictEqual(await redis.dump(1), await redis.dump(0));
    const members = Array.from({ length: 300 }, (_, i) => i % 7).reduce((a, b) => a + b, 5000);
    // Empty sets are none.
    const channels = (await redis.keys(0)).length;
    assert.match(stdout, new RegExp(`^${channels} channels, ${members} members, [\\d.]+ s\\n`));
    assert.match(stdout, /\nverified: the counts of all channels agree\n$/);
    assert.deepStrictEqual([code, stderr], [0, '']);
  });

  it('copies keys and uids byte for byte', async () => {
    const uids = [Buffer.from([0xff, 0]), Buffer.from([0xfe, 0]), Buffer.from('\n"'), Buffer.of()];
    const key = Buffer.concat([Buffer.from(`${PREFIX}:`), Buffer.from([0x80]), Buffer.from(':c')]);
    await redis.run(0, 'sadd', key, ...uids);
    const { code } = await copy(address(0), address(1));
    assert.strictEqual(code, 0);
    assert.strictEqual(await redis.run(1, 'scard', key), uids.length);
    for (const uid of uids) assert.strictEqual(await redis.run(1, 'sismember', key, uid), 1);
  });

  it('takes only sets under the prefix, whose glob characters are escaped', async () => {
    const prefix = 'P[1]*';
    await redis.run(0, 'sadd', `${prefix}:room:c`, 'u');
    await redis.run(0, 'sadd', 'P1x:room:c', 'u');
    await redis.run(0, 'sadd', `${prefix}2:room:c`, 'u');
    await redis.run(0, 'set', `${prefix}:text:c`, 'no set');
    await redis.run(0, 'hset', `${prefix}:hash:c`, 'no', 'set');
    const { code, stdout } = await copy(address(0), address(1), '--prefix', prefix);
    assert.strictEqual(code, 0);
    assert.match(stdout, /^1 channel, 1 member,/);
    assert.deepStrictEqual(await redis.dump(1), { [`${prefix}:room:c`]: ['u'] });
  });

  it('keeps what the target held, and ends with 1 and the channels that differ', async () => {
    await add(0, `${PREFIX}:same:c`, ['u']);
    await add(0, `${PREFIX}:more:c`, ['u']);
    await add(1, `${PREFIX}:more:c`, ['older']);
    const { code, stdout } = await copy(address(0), address(1));
    assert.strictEqual(code, 1);
    const differ = `counts differ: 1 channel\n  "${PREFIX}:more:c": 1 in the source, 2 in the target`;
    assert.ok(stdout.includes(differ), stdout);
    assert.ok(!stdout.includes('verified'), stdout);
    assert.deepStrictEqual(await redis.members(`${PREFIX}:more:c`, 1), ['older', 'u']);
  });

  it('ends with 1 if they differ, also when its output is not read', async () => {
    await add(0, `${PREFIX}:more:c`, ['u']);
    await add(1, `${PREFIX}:more:c`, ['older']);
    const { child, ended } = cli.start(['copy', '--from', address(0), '--to', address(1)]);
    child.stdout.destroy();
    assert.strictEqual((await ended).code, 1);
  });

  it('lists the channel that the target refuses, and copies the others', async () => {
    await add(0, `${PREFIX}:text:c`, ['u']);
    await add(0, `${PREFIX}:room:c`, ['u']);
    await redis.run(1, 'set', `${PREFIX}:text:c`, 'no set');
    const { code, stdout } = await copy(address(0), address(1));
    assert.strictEqual(code, 1);
    assert.ok(
      stdout.includes(`not taken in full: 1 channel\n  "${PREFIX}:text:c": WRONGTYPE`),
      stdout,
    );
    assert.deepStrictEqual(await redis.members(`${PREFIX}:room:c`, 1), ['u']);
  });

  it('killed in the middle and run again, it completes', async () => {
    await add(0, `${PREFIX}:large:c`, users(50000));
    const wire = await gate(200 << 10);
    try {
      const first = cli.start(['copy', '--from', address(0), '--to', address(1, wire.port)]);
      await wire.untilShut();
      const some = await until(() => redis.run(1, 'scard', `${PREFIX}:large:c`), 'some members');
      first.child.kill('SIGKILL');
      assert.strictEqual((await first.ended).signal, 'SIGKILL');
      assert.ok(some < 50000, `${some} arrived`);
    } finally {
      await wire.close();
    }
    const { code, stdout } = await copy(address(0), address(1));
    assert.match(stdout, /^1 channel, 50000 members,[^]*verified/);
    assert.strictEqual(code, 0);
  });

  it('prints its progress on stderr, every second', async () => {
    await add(0, `${PREFIX}:large:c`, users(50000));
    const wire = await gate(200 << 10);
    try {
      const copying = cli.start(['copy', '--from', address(0), '--to', address(1, wire.port)]);
      await wire.untilShut();
      await pause(1100);
      wire.release();
      const { code, stderr } = await copying.ended;
      assert.match(stderr, /^(1 channel, \d+ members\n)+$/);
      assert.strictEqual(code, 0);
    } finally {
      await wire.close();
    }
  });

  it('reports what changed in the source meanwhile', async () => {
    await add(0, `${PREFIX}:large:c`, users(50000));
    const wire = await gate(200 << 10);
    try {
      const copying = cli.start(['copy', '--from', address(0), '--to', address(1, wire.port)]);
      await wire.untilShut();
      await until(() => redis.run(1, 'scard', `${PREFIX}:large:c`), 'some members');
      await redis.run(0, 'del', `${PREFIX}:large:c`);
      await redis.run(0, 'sadd', `${PREFIX}:new:c`, 'u');
      wire.release();
      const { code, stdout } = await copying.ended;
      assert.strictEqual(code, 1);
      assert.match(stdout, /counts differ: 2 channels/);
      assert.match(stdout, /CHANNEL:large:c": 0 in the source, \d+ in the target/);
      assert.ok(stdout.includes(`"${PREFIX}:new:c": 1 in the source, 0 in the target`), stdout);
    } finally {
      await wire.close();
    }
  });

  it('ends with 1 when a connection is lost, and says to run it again', async () => {
    await add(0, `${PREFIX}:large:c`, users(50000));
    const wire = await gate(200 << 10);
    const copying = cli.start(['copy', '--from', address(0), '--to', address(1, wire.port)]);
    await wire.untilShut();
    await wire.close();
    const { code, stdout, stderr } = await copying.ended;
    assert.deepStrictEqual([code, stdout], [1, '']);
    assert.match(stderr, new RegExp(`Redis at 127.0.0.1:${wire.port}: .*\\nRun it again`));
  });
});

describe('copy refuses', { timeout: TIMEOUT }, () => {
  it('a store that is not there, without its password', async () => {
    const port = await redisServer.freePort();
    const { code, stdout, stderr } = await copy(`redis://:s3cret@127.0.0.1:${port}`, 'redis://h');
    assert.strictEqual(code, 1);
    assert.ok(stderr.includes(`cannot reach Redis at 127.0.0.1:${port}`), stderr);
    assert.ok(!(stdout + stderr).includes('s3cret'), stderr);
  });

  it('a wrong password, without showing it, and accepts the right one', async () => {
    const locked = await redisServer.start({ password: 'right' });
    try {
      const url = (password, db) => `redis://:${password}@127.0.0.1:${locked.port}/${db}`;
      const { code, stdout, stderr } = await copy(url('s3cret', 0), url('right', 1));
      assert.strictEqual(code, 1);
      assert.match(stderr, /WRONGPASS/);
      assert.ok(!/s3cret|right/.test(stdout + stderr), stderr);
      await locked.run(0, 'sadd', `${PREFIX}:room:c`, 'u');
      assert.strictEqual((await copy(url('right', 0), url('right', 1))).code, 0);
      assert.deepStrictEqual(await locked.members(`${PREFIX}:room:c`, 1), ['u']);
    } finally {
      await locked.stop();
    }
  });

  const usage = {
    'a store as its own target': [
      'copy',
      '--from',
      'redis://h',
      '--to',
      'redis://:s3cret@h:6379/0',
    ],
    'an invalid address': ['copy', '--from', 'http://:s3cret@h', '--to', 'redis://h'],
    'an address with a parameter that has no meaning': [
      'copy',
      '--from',
      'redis://127.0.0.1:1?pwd=s3cret',
      '--to',
      'redis://127.0.0.1:2',
    ],
    'a cluster as its own target': [
      'copy',
      '--from',
      'redis+cluster://:s3cret@h,i',
      '--to',
      'redis+cluster://i',
    ],
    'sentinels without the name of the primary': ['list', '--from', 'redis+sentinel://:s3cret@h'],
    'a host that is none': ['list', '--from', 'redis://:s3cret@h%0A'],
    'an option twice': ['list', '--from', 'redis://:s3cret@h', '--from', 'redis://i'],
    'a missing --to': ['copy', '--from', 'redis://:s3cret@h'],
    'an argument that is no option': ['copy', 'redis://:s3cret@h', '--from', 'redis://h'],
    'an unknown option': ['copy', '--form=redis://:s3cret@h', '--to', 'redis://h'],
    'an unknown command': ['redis://:s3cret@h'],
    'no command': [],
  };
  for (const [title, args] of Object.entries(usage)) {
    it(`${title}, as wrong usage`, async () => {
      const { code, stdout, stderr } = await cli.run(args);
      assert.deepStrictEqual([code, stdout], [2, '']);
      assert.match(stderr, /^pome-globalchannel: \w/);
      assert.ok(!stderr.includes('s3cret'), stderr);
    });
  }
});
