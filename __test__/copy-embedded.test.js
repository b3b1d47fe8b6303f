'use strict';

/**
 * `npx pome-globalchannel` with embedded stores: to and from Redis, and between two of them. What a copy does with any store
 * is tested in copy.test.js.
 */

const assert = require('node:assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { describe, it, before, beforeEach, after, afterEach } = require('node:test');
const { ok } = require('./support/call');
const cli = require('./support/cli');
const redisServer = require('./support/redis');
const { create, stopAll } = require('./support/service');
const { readStore } = require('./support/stores');
const { until } = require('./support/until');
const { removeFolder } = require('./support/remove');

const PREFIX = 'POMELO:CHANNEL';
/** Of all tests together. What hangs has a deadline of its own. */
const TIMEOUT = 300000;

const users = (count) => Array.from({ length: count }, (_, i) => `user-${i}`);

describe('an embedded store', { timeout: TIMEOUT }, () => {
  let redis;
  let folder;
  let url;
  let embedded;
  before(async () => {
    redis = await redisServer.start();
    url = `redis://127.0.0.1:${redis.port}`;
  });
  beforeEach(async () => {
    await redis.flush();
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'copy-'));
    embedded = `embedded:${path.join(folder, 'channels')}`;
  });
  afterEach(async () => {
    await stopAll();
    removeFolder(folder);
  });
  after(() => redis.stop());

  const copy = (from, to, options) => cli.run(['copy', '--from', from, '--to', to], options);

  async function verified(copying) {
    const { code, stdout, stderr } = await copying;
    assert.match(stdout, /\nverified: the counts of all channels agree\n$/, stderr);
    assert.strictEqual(code, 0);
    return stdout;
  }

  it('copies 300,000 members from Redis, and back', async () => {
    const uids = users(200000);
    for (let i = 0; i < uids.length; i += 1000) {
      redis.run(0, 'sadd', `${PREFIX}:large:c`, ...uids.slice(i, i + 1000));
    }
    for (let i = 0; i < 1000; i += 1)
      redis.run(0, 'sadd', `${PREFIX}:${i}:c`, ...uids.slice(0, 100));
    await redis.run(0, 'sadd', `${PREFIX}:odd:c`, Buffer.from([0xff, 0]), Buffer.from([0xfe]), '');
    const there = await verified(copy(`${url}/0`, embedded));
    assert.match(there, /^1002 channels, 300003 members,/);
    await verified(copy(embedded, `${url}/1`));
    assert.deepStrictEqual(await redis.dump(1), await redis.dump(0));
    assert.strictEqual(await redis.run(1, 'sismember', `${PREFIX}:odd:c`, Buffer.from([0xfe])), 1);
  });

  it('is copied to another one, only under the prefix, and a service can push from there', async () => {
    const options = { store: 'embedded', path: path.join(folder, 'channels') };
    for (const prefix of [PREFIX, `${PREFIX}2`]) {
      const service = create({ ...options, prefix });
      await ok(service, 'start');
      await ok(service, 'add', 'room', users(2500), 'connector-1');
      await ok(service, 'stop', true);
    }
    await verified(copy('embedded:channels', 'embedded:other', { cwd: folder }));
    const service = create({ ...options, path: path.join(folder, 'other') });
    await ok(service, 'start');
    const members = await ok(service, 'getMembersBySid', 'room', 'connector-1');
    assert.deepStrictEqual(members.sort(), users(2500).sort());
    assert.deepStrictEqual(await readStore(`embedded:${folder}/other`, `${PREFIX}2`), {});
  });

  it('is read while a service has it open, in this process and in another one', async () => {
    const service = create({ store: 'embedded', path: path.join(folder, 'channels') });
    await ok(service, 'start');
    await ok(service, 'add', 'room', ['b', 'a'], 'c');
    await ok(service, 'add', 'other', users(1500), 'c');
    const expected = {
      [`${PREFIX}:room:c`]: ['a', 'b'],
      [`${PREFIX}:other:c`]: users(1500).sort(),
    };
    assert.deepStrictEqual(await readStore(embedded), expected);
    const { stdout, stderr } = await cli.run(['list', '--from', embedded]);
    assert.strictEqual(stderr, '');
    const lines = stdout.trim().split('\n').map(JSON.parse);
    assert.deepStrictEqual(
      Object.fromEntries(lines.map(({ key, members }) => [key, members])),
      expected,
    );
  });

  it('refuses keys and uids that are too long: they are listed, the rest is copied', async () => {
    const long = `${PREFIX}:${'x'.repeat(500)}:c`;
    await redis.run(0, 'sadd', long, 'u');
    await redis.run(0, 'sadd', `${PREFIX}:room:c`, 'u', 'y'.repeat(503), 'z'.repeat(504));
    const { code, stdout } = await copy(`${url}/0`, embedded);
    assert.strictEqual(code, 1);
    assert.match(stdout, /\nnot taken in full: 2 channels\n/);
    assert.ok(
      stdout.includes(`"${long}": the key has 517 bytes, and the target takes 511`),
      stdout,
    );
    const uid = `"${PREFIX}:room:c": a uid has 504 bytes, and the target takes 503`;
    assert.ok(stdout.includes(uid), stdout);
    assert.deepStrictEqual(await readStore(embedded), {
      [`${PREFIX}:room:c`]: ['u', 'y'.repeat(503)],
    });
  });

  it('completes when the copy is run again after a kill', async () => {
    const uids = users(100000);
    for (let i = 0; i < uids.length; i += 1000) {
      redis.run(0, 'sadd', `${PREFIX}:large:c`, ...uids.slice(i, i + 1000));
    }
    await redis.run(0, 'ping');
    const first = cli.start(['copy', '--from', `${url}/0`, '--to', embedded]);
    const data = path.join(folder, 'channels', 'data.mdb');
    await until(() => fs.existsSync(data), 'the store');
    // Whatever it is at: also a kill before the first member or after the last one is one.
    first.child.kill('SIGKILL');
    await first.ended;
    const stdout = await verified(copy(`${url}/0`, embedded));
    assert.match(stdout, /^1 channel, 100000 members,/);
  });

  it('that was open when the system went down is refused as a source, and not changed', async () => {
    const options = { store: 'embedded', path: path.join(folder, 'channels') };
    const service = create(options);
    await ok(service, 'start');
    await ok(service, 'add', 'room', 'u', 'c');
    // As a power cut leaves it: open, since another start of the system.
    const state = path.join(options.path, 'store.json');
    const open = JSON.parse(fs.readFileSync(state));
    await ok(service, 'stop', true);
    fs.writeFileSync(state, JSON.stringify({ ...open, open: { boot: 'another' } }));
    const files = fs.readdirSync(options.path);
    for (const args of [['copy', '--to', `${url}/0`], ['list']]) {
      const { code, stdout, stderr } = await cli.run([...args, '--from', embedded]);
      assert.deepStrictEqual([code, stdout], [1, '']);
      assert.match(stderr, /cannot reach the store in .*: the system went down while it was open/);
    }
    assert.deepStrictEqual(fs.readdirSync(options.path), files);
  });

  it('that does not exist is not created by reading it', async () => {
    const { code, stderr } = await copy(embedded, `${url}/0`);
    assert.strictEqual(code, 1);
    assert.match(stderr, /cannot reach the store in .*channels: there is none in this folder/);
    assert.deepStrictEqual(fs.readdirSync(folder), []);
  });
});
